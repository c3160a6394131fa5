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
        Op::Conv2d(_)
        | Op::DepthwiseConv2d(_)
        | Op::FullyConnected(_)
        | Op::MaxPool2d(_)
        | Op::AveragePool2d(_)
        | Op::Mean { .. }
        | Op::Add { .. }
        | Op::Sub { .. }
        | Op::Mul { .. }
        | Op::Relu
        | Op::Relu6
        | Op::Logistic
        | Op::Tanh
        | Op::Softmax { .. }
        | Op::Pad
        | Op::Concatenation { .. }
        | Op::Reshape { .. }
        | Op::Shape { .. }
        | Op::StridedSlice(_)
        | Op::Pack { .. }
        | Op::Transpose
        | Op::Quantize
        | Op::Dequantize => ALL,
        Op::HardSwish => FLOAT_INT8,
        Op::Rfft2d
        | Op::PadV2
        | Op::MirrorPad { .. }
        | Op::ExpandDims
        | Op::Squeeze { .. }
        | Op::Slice
        | Op::Split { .. }
        | Op::SplitV { .. }
        | Op::Unpack { .. }
        | Op::Gather { .. }
        | Op::GatherNd
        | Op::ScatterNd
        | Op::Tile
        | Op::BroadcastTo
        | Op::BroadcastArgs
        | Op::Fill
        | Op::Range
        | Op::Rank
        | Op::ReverseV2
        | Op::ReverseSequence { .. }
        | Op::SpaceToDepth { .. }
        | Op::DepthToSpace { .. }
        | Op::SpaceToBatchNd
        | Op::BatchToSpaceNd
        | Op::OneHot { .. }
        | Op::Where
        | Op::TopKV2
        | Op::Unique { .. }
        | Op::SparseToDense { .. }
        | Op::MatrixDiag
        | Op::MatrixSetDiag
        | Op::DynamicUpdateSlice
        | Op::SegmentSum
        | Op::Dilate
        | Op::EmbeddingLookup
        | Op::Densify
        | Op::NonMaxSuppressionV4
        | Op::NonMaxSuppressionV5
        | Op::TransposeConv(_)
        | Op::Conv3d(_)
        | Op::Conv3dTranspose(_)
        | Op::BatchMatMul(_)
        | Op::ResizeBilinear(_)
        | Op::ResizeNearestNeighbor(_)
        | Op::L2Pool2d(_)
        | Op::UnsortedSegment(_) => ALL,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Div { .. }
        | Op::AddN
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::Cumsum { .. }
        | Op::Cast { .. }
        | Op::Bitcast
        | Op::LogSoftmax
        | Op::LeakyRelu { .. }
        | Op::Prelu
        | Op::Gelu { .. }
        | Op::L2Normalization { .. }
        | Op::LocalResponseNormalization(_)
        | Op::FakeQuant(_)
        | Op::Real
        | Op::Imag
        | Op::ComplexAbs
        | Op::Select
        | Op::SelectV2 => ALL,
        Op::Svdf(_)
        | Op::Lstm(_)
        | Op::UnidirectionalSequenceLstm(_)
        | Op::BidirectionalSequenceLstm(_)
        | Op::Rnn(_)
        | Op::UnidirectionalSequenceRnn(_)
        | Op::BidirectionalSequenceRnn(_)
        | Op::If { .. }
        | Op::While { .. }
        | Op::CallOnce { .. }
        | Op::VarHandle { .. }
        | Op::ReadVariable
        | Op::AssignVariable
        | Op::Hashtable(_)
        | Op::HashtableFind
        | Op::HashtableImport
        | Op::HashtableSize
        | Op::StablehloComposite(_) => FLOAT,
        Op::Other(_) | Op::Custom(_) => NONE,
    }
}
