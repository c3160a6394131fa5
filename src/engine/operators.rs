//! Which operators run in which types: the engine's part of the table of operators.

use crate::graph::{Binary, Comparison, Op, Reduction, Unary};

/// The types in which an operator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runs {
    /// In a float network; also what such a network does on integers and truth values, such as SHAPE and LOGICAL_AND.
    pub float32: bool,
    /// On int8, with scales where the operator computes.
    pub int8: bool,
    /// On int16, with int8 weights where there are weights.
    pub int16x8: bool,
}

const fn types(float32: bool, int8: bool, int16x8: bool) -> Runs {
    Runs {
        float32,
        int8,
        int16x8,
    }
}

const ALL: Runs = types(true, true, true);
const FLOAT: Runs = types(true, false, false);
const FLOAT_INT8: Runs = types(true, true, false);
const FLOAT_INT16: Runs = types(true, false, true);
const NONE: Runs = types(false, false, false);

/// The types in which the engine runs `op`, whatever its options.
pub fn runs(op: &Op) -> Runs {
    match op {
        Op::Add { .. }
        | Op::AveragePool2d(_)
        | Op::BatchMatMul(_)
        | Op::BatchToSpaceNd
        | Op::Binary(Binary::BitwiseXor)
        | Op::Binary(Binary::FloorDiv)
        | Op::Binary(Binary::FloorMod)
        | Op::Binary(Binary::Maximum)
        | Op::Binary(Binary::Minimum)
        | Op::Binary(Binary::RightShift)
        | Op::Bitcast
        | Op::BroadcastTo
        | Op::Cast { .. }
        | Op::Compare(Comparison::Equal)
        | Op::Compare(Comparison::Greater)
        | Op::Compare(Comparison::GreaterEqual)
        | Op::Compare(Comparison::Less)
        | Op::Compare(Comparison::LessEqual)
        | Op::Compare(Comparison::NotEqual)
        | Op::Concatenation { .. }
        | Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::Dequantize
        | Op::Dilate
        | Op::Div { .. }
        | Op::DynamicUpdateSlice
        | Op::EmbeddingLookup
        | Op::ExpandDims
        | Op::Fill
        | Op::FullyConnected(_)
        | Op::Gather { .. }
        | Op::GatherNd
        | Op::Gelu { .. }
        | Op::LeakyRelu { .. }
        | Op::Logistic
        | Op::MatrixDiag
        | Op::MatrixSetDiag
        | Op::MaxPool2d(_)
        | Op::Mean { .. }
        | Op::MirrorPad { .. }
        | Op::Mul { .. }
        | Op::Pack { .. }
        | Op::Pad
        | Op::PadV2
        | Op::Prelu
        | Op::Quantize
        | Op::Rank
        | Op::Reduce {
            kind: Reduction::Max,
            ..
        }
        | Op::Reduce {
            kind: Reduction::Min,
            ..
        }
        | Op::Reduce {
            kind: Reduction::Prod,
            ..
        }
        | Op::Reduce {
            kind: Reduction::Sum,
            ..
        }
        | Op::Relu
        | Op::Relu6
        | Op::Reshape { .. }
        | Op::ResizeBilinear(_)
        | Op::ResizeNearestNeighbor(_)
        | Op::ReverseV2
        | Op::Select
        | Op::SelectV2
        | Op::Shape { .. }
        | Op::Slice
        | Op::Softmax { .. }
        | Op::SpaceToBatchNd
        | Op::Split { .. }
        | Op::SplitV { .. }
        | Op::Squeeze { .. }
        | Op::StridedSlice(_)
        | Op::Sub { .. }
        | Op::Tanh
        | Op::Tile
        | Op::TopKV2
        | Op::Transpose
        | Op::TransposeConv(_)
        | Op::Unary(Unary::Abs)
        | Op::Unary(Unary::Exp)
        | Op::Unary(Unary::Log)
        | Op::Unary(Unary::Neg)
        | Op::Unary(Unary::Rsqrt)
        | Op::Unary(Unary::Sqrt)
        | Op::Unique { .. }
        | Op::Unpack { .. } => ALL,
        Op::AddN
        | Op::AssignVariable
        | Op::BidirectionalSequenceLstm(_)
        | Op::BidirectionalSequenceRnn(_)
        | Op::Binary(Binary::Atan2)
        | Op::Binary(Binary::LogicalAnd)
        | Op::Binary(Binary::LogicalOr)
        | Op::Binary(Binary::Pow)
        | Op::BroadcastArgs
        | Op::CallOnce { .. }
        | Op::Conv3d(_)
        | Op::Conv3dTranspose(_)
        | Op::Cumsum { .. }
        | Op::FakeQuant(_)
        | Op::If { .. }
        | Op::L2Pool2d(_)
        | Op::LocalResponseNormalization(_)
        | Op::NonMaxSuppressionV4
        | Op::NonMaxSuppressionV5
        | Op::Range
        | Op::ReadVariable
        | Op::Reduce {
            kind: Reduction::All,
            ..
        }
        | Op::Reduce {
            kind: Reduction::Any,
            ..
        }
        | Op::Rnn(_)
        | Op::SegmentSum
        | Op::StablehloComposite(_)
        | Op::Unary(Unary::Ceil)
        | Op::Unary(Unary::Cos)
        | Op::Unary(Unary::Floor)
        | Op::Unary(Unary::LogicalNot)
        | Op::Unary(Unary::Round)
        | Op::Unary(Unary::Sign)
        | Op::Unary(Unary::Sin)
        | Op::Unary(Unary::Square)
        | Op::Unary(Unary::ZerosLike)
        | Op::UnidirectionalSequenceRnn(_)
        | Op::UnsortedSegment(_)
        | Op::VarHandle { .. }
        | Op::While { .. }
        | Op::ComplexAbs
        | Op::Imag
        | Op::Real => FLOAT,
        Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::Binary(Binary::SquaredDifference)
        | Op::Densify
        | Op::DepthToSpace { .. }
        | Op::HardSwish
        | Op::L2Normalization { .. }
        | Op::LogSoftmax
        | Op::Lstm(_)
        | Op::OneHot { .. }
        | Op::ScatterNd
        | Op::SpaceToDepth { .. }
        | Op::SparseToDense { .. }
        | Op::Svdf(_)
        | Op::Unary(Unary::Elu)
        | Op::Unary(Unary::Relu0To1)
        | Op::Unary(Unary::ReluN1To1)
        | Op::UnidirectionalSequenceLstm(_)
        | Op::Where => FLOAT_INT8,
        Op::ReverseSequence { .. } => FLOAT_INT16,
        Op::Hashtable(_)
        | Op::HashtableFind
        | Op::HashtableImport
        | Op::HashtableSize
        | Op::Rfft2d
        | Op::Other(_)
        | Op::Custom(_) => NONE,
    }
}
