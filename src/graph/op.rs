//! Operators: the closed list every other room matches on.

use super::DType;
use super::op_options::*;

/// What a node computes. Operators that this version neither runs nor rewrites are kept whole in [`Op::Other`] and [`Op::Custom`].
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// CONV_2D: input NHWC, filter OHWI, optional bias.
    Conv2d(Conv2d),
    /// DEPTHWISE_CONV_2D: input NHWC, filter 1HWC (C = input channels × multiplier), optional bias.
    DepthwiseConv2d(DepthwiseConv2d),
    /// FULLY_CONNECTED: input […, in], weights [out, in], optional bias.
    FullyConnected(FullyConnected),
    /// MAX_POOL_2D, NHWC.
    MaxPool2d(Pool2d),
    /// AVERAGE_POOL_2D, NHWC; padding does not count.
    AveragePool2d(Pool2d),
    /// MEAN over the axes in input 1.
    Mean {
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// ADD with broadcasting.
    Add {
        /// Applied to the sum.
        activation: Activation,
        /// Whether int16 scales are powers of two (the runtime's default for absent options).
        pot_scale_int16: bool,
    },
    /// SUB with broadcasting.
    Sub {
        /// Applied to the difference.
        activation: Activation,
        /// Whether int16 scales are powers of two.
        pot_scale_int16: bool,
    },
    /// MUL with broadcasting.
    Mul {
        /// Applied to the product.
        activation: Activation,
    },
    /// RELU.
    Relu,
    /// RELU6.
    Relu6,
    /// LOGISTIC, 1 / (1 + e^−x).
    Logistic,
    /// TANH.
    Tanh,
    /// SOFTMAX over the last axis.
    Softmax {
        /// Factor on the input.
        beta: f32,
    },
    /// HARD_SWISH, x · relu6(x + 3) / 6.
    HardSwish,
    /// PAD with zeros; input 1 is [rank, 2].
    Pad,
    /// CONCATENATION.
    Concatenation {
        /// Axis, negative counts from the end.
        axis: i32,
        /// Applied to the result.
        activation: Activation,
    },
    /// RESHAPE; input 1, if present, overrides `new_shape`.
    Reshape {
        /// Target shape of the options, if any.
        new_shape: Option<Vec<i32>>,
    },
    /// SHAPE: the extents of the input.
    Shape {
        /// Int32 or Int64.
        out_type: DType,
    },
    /// STRIDED_SLICE: inputs 1 to 3 are begin, end, strides.
    StridedSlice(StridedSlice),
    /// PACK along a new axis.
    Pack {
        /// Where the new axis stands, negative counts from the end.
        axis: i32,
        /// Number of inputs the file states.
        values_count: i32,
    },
    /// TRANSPOSE; input 1 is the permutation.
    Transpose,
    /// QUANTIZE: float to integer, or integer to integer of another scale.
    Quantize,
    /// DEQUANTIZE: integer or float16 to float32.
    Dequantize,
    /// An element-wise function of one input, in the input's own type.
    Unary(Unary),
    /// An element-wise function of two inputs with broadcasting.
    Binary(Binary),
    /// A comparison of two inputs with broadcasting; gives bool.
    Compare(Comparison),
    /// DIV with broadcasting.
    Div {
        /// Applied to the quotient.
        activation: Activation,
    },
    /// ADD_N: the sum of all inputs, which have one shape.
    AddN,
    /// SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL over the axes in input 1.
    Reduce {
        /// What it gathers.
        kind: Reduction,
        /// Whether reduced axes stay with extent 1.
        keep_dims: bool,
    },
    /// ARG_MAX along the axis in input 1.
    ArgMax {
        /// Int32 or Int64.
        output_type: DType,
    },
    /// ARG_MIN along the axis in input 1.
    ArgMin {
        /// Int32 or Int64.
        output_type: DType,
    },
    /// CUMSUM along the axis in input 1.
    Cumsum {
        /// Whether an element leaves itself out.
        exclusive: bool,
        /// Whether it runs from the end.
        reverse: bool,
    },
    /// CAST between element types.
    Cast {
        /// As the file states it; the tensors' types decide.
        from: DType,
        /// As the file states it; the tensors' types decide.
        to: DType,
    },
    /// BITCAST: the same bytes as another element type.
    Bitcast,
    /// LOG_SOFTMAX over the last axis.
    LogSoftmax,
    /// LEAKY_RELU, x below 0 times alpha.
    LeakyRelu {
        /// Slope below 0.
        alpha: f32,
    },
    /// PRELU; input 1 holds the slopes below 0.
    Prelu,
    /// GELU, x · Φ(x).
    Gelu {
        /// Whether Φ is taken by the tanh formula.
        approximate: bool,
    },
    /// L2_NORMALIZATION over the last axis.
    L2Normalization {
        /// Applied to the result.
        activation: Activation,
    },
    /// LOCAL_RESPONSE_NORMALIZATION over the last axis.
    LocalResponseNormalization(LocalResponseNormalization),
    /// FAKE_QUANT: the grid of a quantization in floats.
    FakeQuant(FakeQuant),
    /// REAL part of complex numbers.
    Real,
    /// IMAG: imaginary part of complex numbers.
    Imag,
    /// COMPLEX_ABS: magnitude of complex numbers.
    ComplexAbs,
    /// RFFT2D over the last two axes; input 1 holds the lengths.
    Rfft2d,
    /// PADV2: as PAD, with the value in input 2.
    PadV2,
    /// MIRROR_PAD; input 1 is [rank, 2].
    MirrorPad {
        /// Whether the edge itself is repeated.
        symmetric: bool,
    },
    /// EXPAND_DIMS at the axis in input 1.
    ExpandDims,
    /// SQUEEZE: drops axes of extent 1.
    Squeeze {
        /// Which axes; empty for all.
        axes: Vec<i32>,
    },
    /// SLICE: inputs 1 and 2 are begin and size (−1: to the end).
    Slice,
    /// SPLIT into equal parts; input 0 is the axis, input 1 the value.
    Split {
        /// Number of parts.
        count: i32,
    },
    /// SPLIT_V; input 1 holds the extents, input 2 the axis.
    SplitV {
        /// Number of parts.
        count: i32,
    },
    /// UNPACK along an axis, which vanishes.
    Unpack {
        /// Number of outputs the file states.
        count: i32,
        /// Which axis, negative counts from the end.
        axis: i32,
    },
    /// GATHER: entries of input 0 along an axis at the indices in input 1.
    Gather {
        /// Which axis, negative counts from the end.
        axis: i32,
        /// Leading axes that both inputs share.
        batch_dims: i32,
    },
    /// GATHER_ND: parts of input 0 at the index tuples in input 1.
    GatherNd,
    /// SCATTER_ND: inputs are indices, updates, shape.
    ScatterNd,
    /// TILE by the counts in input 1.
    Tile,
    /// BROADCAST_TO the shape in input 1.
    BroadcastTo,
    /// BROADCAST_ARGS: the shape that two shapes broadcast to.
    BroadcastArgs,
    /// FILL: the shape in input 0 full of the value in input 1.
    Fill,
    /// RANGE: inputs are start, limit, delta.
    Range,
    /// RANK of the input.
    Rank,
    /// REVERSE_V2 along the axes in input 1.
    ReverseV2,
    /// REVERSE_SEQUENCE: the first entries, as many as input 1 says for each batch.
    ReverseSequence {
        /// Axis that is reversed.
        sequence_axis: i32,
        /// Axis of the batches.
        batch_axis: i32,
    },
    /// SPACE_TO_DEPTH, NHWC.
    SpaceToDepth {
        /// Extent of a block.
        block: i32,
    },
    /// DEPTH_TO_SPACE, NHWC.
    DepthToSpace {
        /// Extent of a block.
        block: i32,
    },
    /// SPACE_TO_BATCH_ND: inputs 1 and 2 are block shape and paddings.
    SpaceToBatchNd,
    /// BATCH_TO_SPACE_ND: inputs 1 and 2 are block shape and crops.
    BatchToSpaceNd,
    /// ONE_HOT: inputs are indices, depth, value on, value off.
    OneHot {
        /// Where the new axis stands, −1 for last.
        axis: i32,
    },
    /// SELECT: inputs are condition, value if true, value if false.
    Select,
    /// SELECT_V2: as SELECT with broadcasting.
    SelectV2,
    /// WHERE: the coordinates of all non-zero elements.
    Where,
    /// TOPK_V2: values and indices of the largest entries of the last axis, as many as input 1 says.
    TopKV2,
    /// UNIQUE: distinct values, and for each element which of them it is.
    Unique {
        /// Type of the second output, Int32 or Int64.
        index_type: DType,
    },
    /// SPARSE_TO_DENSE: inputs are indices, shape, values, default value.
    SparseToDense {
        /// Whether indices must be in order without repetition.
        validate_indices: bool,
    },
    /// MATRIX_DIAG: vectors onto diagonals.
    MatrixDiag,
    /// MATRIX_SET_DIAG: matrices in input 0 with the diagonals of input 1.
    MatrixSetDiag,
    /// DYNAMIC_UPDATE_SLICE: inputs are operand, update, start indices.
    DynamicUpdateSlice,
    /// SEGMENT_SUM; input 1 holds ascending segment numbers.
    SegmentSum,
    /// UNSORTED_SEGMENT_SUM, _PROD, _MAX, _MIN; inputs are data, segment numbers, count of segments.
    UnsortedSegment(Segment),
    /// DILATE: inputs are operand, dilations, padding value.
    Dilate,
    /// EMBEDDING_LOOKUP: rows of input 1 at the indices in input 0.
    EmbeddingLookup,
    /// DENSIFY: a sparse constant as a dense tensor.
    Densify,
    /// NON_MAX_SUPPRESSION_V4.
    NonMaxSuppressionV4,
    /// NON_MAX_SUPPRESSION_V5.
    NonMaxSuppressionV5,
    /// TRANSPOSE_CONV: inputs are output shape, filter OHWI, value NHWC, optional bias.
    TransposeConv(TransposeConv),
    /// CONV_3D: input NDHWC, filter DHWIO, optional bias.
    Conv3d(Conv3d),
    /// CONV_3D_TRANSPOSE: inputs are output shape, filter DHWOI, value NDHWC, optional bias.
    Conv3dTranspose(Conv3d),
    /// BATCH_MATMUL over the last two axes.
    BatchMatMul(BatchMatMul),
    /// RESIZE_BILINEAR, NHWC; input 1 is [height, width].
    ResizeBilinear(Resize),
    /// RESIZE_NEAREST_NEIGHBOR, NHWC; input 1 is [height, width].
    ResizeNearestNeighbor(Resize),
    /// L2_POOL_2D, NHWC.
    L2Pool2d(Pool2d),
    /// SVDF.
    Svdf(Svdf),
    /// LSTM, one step.
    Lstm(Lstm),
    /// UNIDIRECTIONAL_SEQUENCE_LSTM.
    UnidirectionalSequenceLstm(UnidirectionalSequenceLstm),
    /// BIDIRECTIONAL_SEQUENCE_LSTM.
    BidirectionalSequenceLstm(BidirectionalSequenceLstm),
    /// RNN, one step.
    Rnn(Rnn),
    /// UNIDIRECTIONAL_SEQUENCE_RNN.
    UnidirectionalSequenceRnn(SequenceRnn),
    /// BIDIRECTIONAL_SEQUENCE_RNN.
    BidirectionalSequenceRnn(BidirectionalSequenceRnn),
    /// IF: input 0 is the condition, the others are handed on.
    If {
        /// Subgraph that runs if true.
        then: usize,
        /// Subgraph that runs if false.
        otherwise: usize,
    },
    /// WHILE: inputs are handed to both subgraphs.
    While {
        /// Subgraph that gives the condition.
        condition: usize,
        /// Subgraph that gives the next round's values.
        body: usize,
    },
    /// CALL_ONCE: a subgraph that initialises variables.
    CallOnce {
        /// Which subgraph.
        subgraph: usize,
    },
    /// VAR_HANDLE: names a variable.
    VarHandle {
        /// Group of names.
        container: Option<String>,
        /// Name of the variable.
        shared_name: Option<String>,
    },
    /// READ_VARIABLE of the handle in input 0.
    ReadVariable,
    /// ASSIGN_VARIABLE: input 1 into the handle in input 0.
    AssignVariable,
    /// HASHTABLE: names a table.
    Hashtable(Hashtable),
    /// HASHTABLE_FIND: inputs are table, keys, default value.
    HashtableFind,
    /// HASHTABLE_IMPORT: inputs are table, keys, values.
    HashtableImport,
    /// HASHTABLE_SIZE of a table.
    HashtableSize,
    /// STABLEHLO_COMPOSITE: a named function with its decomposition as a subgraph.
    StablehloComposite(Composite),
    /// A builtin operator kept as it is.
    Other(OtherOp),
    /// A custom operator kept as it is.
    Custom(CustomOp),
}

/// Element-wise functions of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Unary {
    Abs,
    Ceil,
    Cos,
    Elu,
    Exp,
    Floor,
    Log,
    LogicalNot,
    Neg,
    Relu0To1,
    ReluN1To1,
    Round,
    Rsqrt,
    Sign,
    Sin,
    Sqrt,
    Square,
    ZerosLike,
}

/// Element-wise functions of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Binary {
    Atan2,
    BitwiseXor,
    FloorDiv,
    FloorMod,
    LogicalAnd,
    LogicalOr,
    Maximum,
    Minimum,
    Pow,
    RightShift,
    SquaredDifference,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// What a reduction gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Reduction {
    Sum,
    Prod,
    Max,
    Min,
    Any,
    All,
}

/// What an unsorted segment gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Segment {
    Sum,
    Prod,
    Max,
    Min,
}
