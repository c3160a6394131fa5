//! Names of the operators as the format has them, and the subgraphs they call.

use super::op::*;

impl Op {
    /// Upper-case name as in the format: `CONV_2D`; a custom operator's own name.
    pub fn name(&self) -> &str {
        match self {
            Op::Conv2d(_) => "CONV_2D",
            Op::DepthwiseConv2d(_) => "DEPTHWISE_CONV_2D",
            Op::FullyConnected(_) => "FULLY_CONNECTED",
            Op::MaxPool2d(_) => "MAX_POOL_2D",
            Op::AveragePool2d(_) => "AVERAGE_POOL_2D",
            Op::Mean { .. } => "MEAN",
            Op::Add { .. } => "ADD",
            Op::Sub { .. } => "SUB",
            Op::Mul { .. } => "MUL",
            Op::Relu => "RELU",
            Op::Relu6 => "RELU6",
            Op::Logistic => "LOGISTIC",
            Op::Tanh => "TANH",
            Op::Softmax { .. } => "SOFTMAX",
            Op::HardSwish => "HARD_SWISH",
            Op::Pad => "PAD",
            Op::Concatenation { .. } => "CONCATENATION",
            Op::Reshape { .. } => "RESHAPE",
            Op::Shape { .. } => "SHAPE",
            Op::StridedSlice(_) => "STRIDED_SLICE",
            Op::Pack { .. } => "PACK",
            Op::Transpose => "TRANSPOSE",
            Op::Quantize => "QUANTIZE",
            Op::Dequantize => "DEQUANTIZE",
            Op::Unary(u) => u.name(),
            Op::Binary(b) => b.name(),
            Op::Compare(c) => c.name(),
            Op::Reduce { kind, .. } => kind.name(),
            Op::UnsortedSegment(s) => s.name(),
            Op::Div { .. } => "DIV",
            Op::AddN => "ADD_N",
            Op::ArgMax { .. } => "ARG_MAX",
            Op::ArgMin { .. } => "ARG_MIN",
            Op::Cumsum { .. } => "CUMSUM",
            Op::Cast { .. } => "CAST",
            Op::Bitcast => "BITCAST",
            Op::LogSoftmax => "LOG_SOFTMAX",
            Op::LeakyRelu { .. } => "LEAKY_RELU",
            Op::Prelu => "PRELU",
            Op::Gelu { .. } => "GELU",
            Op::L2Normalization { .. } => "L2_NORMALIZATION",
            Op::LocalResponseNormalization(_) => "LOCAL_RESPONSE_NORMALIZATION",
            Op::FakeQuant(_) => "FAKE_QUANT",
            Op::Real => "REAL",
            Op::Imag => "IMAG",
            Op::ComplexAbs => "COMPLEX_ABS",
            Op::Rfft2d => "RFFT2D",
            Op::PadV2 => "PADV2",
            Op::MirrorPad { .. } => "MIRROR_PAD",
            Op::ExpandDims => "EXPAND_DIMS",
            Op::Squeeze { .. } => "SQUEEZE",
            Op::Slice => "SLICE",
            Op::Split { .. } => "SPLIT",
            Op::SplitV { .. } => "SPLIT_V",
            Op::Unpack { .. } => "UNPACK",
            Op::Gather { .. } => "GATHER",
            Op::GatherNd => "GATHER_ND",
            Op::ScatterNd => "SCATTER_ND",
            Op::Tile => "TILE",
            Op::BroadcastTo => "BROADCAST_TO",
            Op::BroadcastArgs => "BROADCAST_ARGS",
            Op::Fill => "FILL",
            Op::Range => "RANGE",
            Op::Rank => "RANK",
            Op::ReverseV2 => "REVERSE_V2",
            Op::ReverseSequence { .. } => "REVERSE_SEQUENCE",
            Op::SpaceToDepth { .. } => "SPACE_TO_DEPTH",
            Op::DepthToSpace { .. } => "DEPTH_TO_SPACE",
            Op::SpaceToBatchNd => "SPACE_TO_BATCH_ND",
            Op::BatchToSpaceNd => "BATCH_TO_SPACE_ND",
            Op::OneHot { .. } => "ONE_HOT",
            Op::Select => "SELECT",
            Op::SelectV2 => "SELECT_V2",
            Op::Where => "WHERE",
            Op::TopKV2 => "TOPK_V2",
            Op::Unique { .. } => "UNIQUE",
            Op::SparseToDense { .. } => "SPARSE_TO_DENSE",
            Op::MatrixDiag => "MATRIX_DIAG",
            Op::MatrixSetDiag => "MATRIX_SET_DIAG",
            Op::DynamicUpdateSlice => "DYNAMIC_UPDATE_SLICE",
            Op::SegmentSum => "SEGMENT_SUM",
            Op::Dilate => "DILATE",
            Op::EmbeddingLookup => "EMBEDDING_LOOKUP",
            Op::Densify => "DENSIFY",
            Op::NonMaxSuppressionV4 => "NON_MAX_SUPPRESSION_V4",
            Op::NonMaxSuppressionV5 => "NON_MAX_SUPPRESSION_V5",
            Op::TransposeConv(_) => "TRANSPOSE_CONV",
            Op::Conv3d(_) => "CONV_3D",
            Op::Conv3dTranspose(_) => "CONV_3D_TRANSPOSE",
            Op::BatchMatMul(_) => "BATCH_MATMUL",
            Op::ResizeBilinear(_) => "RESIZE_BILINEAR",
            Op::ResizeNearestNeighbor(_) => "RESIZE_NEAREST_NEIGHBOR",
            Op::L2Pool2d(_) => "L2_POOL_2D",
            Op::Svdf(_) => "SVDF",
            Op::Lstm(_) => "LSTM",
            Op::UnidirectionalSequenceLstm(_) => "UNIDIRECTIONAL_SEQUENCE_LSTM",
            Op::BidirectionalSequenceLstm(_) => "BIDIRECTIONAL_SEQUENCE_LSTM",
            Op::Rnn(_) => "RNN",
            Op::UnidirectionalSequenceRnn(_) => "UNIDIRECTIONAL_SEQUENCE_RNN",
            Op::BidirectionalSequenceRnn(_) => "BIDIRECTIONAL_SEQUENCE_RNN",
            Op::If { .. } => "IF",
            Op::While { .. } => "WHILE",
            Op::CallOnce { .. } => "CALL_ONCE",
            Op::VarHandle { .. } => "VAR_HANDLE",
            Op::ReadVariable => "READ_VARIABLE",
            Op::AssignVariable => "ASSIGN_VARIABLE",
            Op::Hashtable(_) => "HASHTABLE",
            Op::HashtableFind => "HASHTABLE_FIND",
            Op::HashtableImport => "HASHTABLE_IMPORT",
            Op::HashtableSize => "HASHTABLE_SIZE",
            Op::StablehloComposite(_) => "STABLEHLO_COMPOSITE",
            Op::Other(o) => &o.name,
            Op::Custom(c) => &c.code,
        }
    }

    /// Subgraphs that running the operator runs; what an operator in [`Op::Other`] calls is not listed.
    pub fn called_subgraphs(&self) -> Vec<usize> {
        match self {
            Op::If { then, otherwise } => vec![*then, *otherwise],
            Op::While { condition, body } => vec![*condition, *body],
            Op::CallOnce { subgraph } => vec![*subgraph],
            Op::StablehloComposite(o) => vec![o.decomposition],
            _ => vec![],
        }
    }
}

impl Unary {
    /// Upper-case name as in the format.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Abs => "ABS",
            Unary::Ceil => "CEIL",
            Unary::Cos => "COS",
            Unary::Elu => "ELU",
            Unary::Exp => "EXP",
            Unary::Floor => "FLOOR",
            Unary::Log => "LOG",
            Unary::LogicalNot => "LOGICAL_NOT",
            Unary::Neg => "NEG",
            Unary::Relu0To1 => "RELU_0_TO_1",
            Unary::ReluN1To1 => "RELU_N1_TO_1",
            Unary::Round => "ROUND",
            Unary::Rsqrt => "RSQRT",
            Unary::Sign => "SIGN",
            Unary::Sin => "SIN",
            Unary::Sqrt => "SQRT",
            Unary::Square => "SQUARE",
            Unary::ZerosLike => "ZEROS_LIKE",
        }
    }
}

impl Binary {
    /// Upper-case name as in the format.
    pub fn name(self) -> &'static str {
        match self {
            Binary::Atan2 => "ATAN2",
            Binary::BitwiseXor => "BITWISE_XOR",
            Binary::FloorDiv => "FLOOR_DIV",
            Binary::FloorMod => "FLOOR_MOD",
            Binary::LogicalAnd => "LOGICAL_AND",
            Binary::LogicalOr => "LOGICAL_OR",
            Binary::Maximum => "MAXIMUM",
            Binary::Minimum => "MINIMUM",
            Binary::Pow => "POW",
            Binary::RightShift => "RIGHT_SHIFT",
            Binary::SquaredDifference => "SQUARED_DIFFERENCE",
        }
    }
}

impl Comparison {
    /// Upper-case name as in the format.
    pub fn name(self) -> &'static str {
        match self {
            Comparison::Equal => "EQUAL",
            Comparison::NotEqual => "NOT_EQUAL",
            Comparison::Greater => "GREATER",
            Comparison::GreaterEqual => "GREATER_EQUAL",
            Comparison::Less => "LESS",
            Comparison::LessEqual => "LESS_EQUAL",
        }
    }
}

impl Reduction {
    /// Upper-case name as in the format.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "SUM",
            Reduction::Prod => "REDUCE_PROD",
            Reduction::Max => "REDUCE_MAX",
            Reduction::Min => "REDUCE_MIN",
            Reduction::Any => "REDUCE_ANY",
            Reduction::All => "REDUCE_ALL",
        }
    }
}

impl Segment {
    /// Upper-case name as in the format.
    pub fn name(self) -> &'static str {
        match self {
            Segment::Sum => "UNSORTED_SEGMENT_SUM",
            Segment::Prod => "UNSORTED_SEGMENT_PROD",
            Segment::Max => "UNSORTED_SEGMENT_MAX",
            Segment::Min => "UNSORTED_SEGMENT_MIN",
        }
    }
}
