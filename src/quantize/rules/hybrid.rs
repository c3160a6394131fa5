//! Rules of dynamic mode: which inputs are weights that may be int8, and what the runtime does with them.

use crate::graph::Op;

/// An input that holds weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HybridWeight {
    /// Which input.
    pub input: usize,
    /// Axis of the channels if the kernel takes one scale a channel; `None` if it takes one scale.
    pub axis: Option<usize>,
    /// Axes that the weights must have, if the kernel insists.
    pub rank: Option<usize>,
}

/// What dynamic mode does with an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hybrid {
    /// The kernel takes float activations and these int8 weights; several are quantized together or not at all.
    Weights(Vec<HybridWeight>),
    /// The kernel takes float weights only: they are stored as int8 and widened while running.
    Stored(HybridWeight),
    /// The kernel moves entries of the weights: it computes in int8, and only what it gives is widened.
    Moved(HybridWeight),
    /// It has no weights.
    Nothing,
    /// It may have weights, but stays float; why.
    Float(String),
}

/// Weights with one scale, in these inputs.
fn per_tensor(inputs: impl IntoIterator<Item = usize>) -> Hybrid {
    let weight = |input| HybridWeight {
        input,
        axis: None,
        rank: None,
    };
    Hybrid::Weights(inputs.into_iter().map(weight).collect())
}

/// Input 1 with one scale a channel.
fn per_channel(axis: usize, rank: usize) -> HybridWeight {
    HybridWeight {
        input: 1,
        axis: Some(axis),
        rank: Some(rank),
    }
}

/// The rule of `op` in dynamic mode.
pub fn hybrid_rule(op: &Op) -> Hybrid {
    match op {
        Op::FullyConnected(o) if o.shuffled_weights => {
            Hybrid::Float("its weights are in the legacy shuffled layout".into())
        }
        Op::FullyConnected(_) => Hybrid::Weights(vec![per_channel(0, 2)]),
        Op::Conv2d(_) => Hybrid::Weights(vec![per_channel(0, 4)]),
        Op::DepthwiseConv2d(_) => Hybrid::Weights(vec![per_channel(3, 4)]),
        Op::EmbeddingLookup => Hybrid::Weights(vec![HybridWeight {
            input: 1,
            axis: Some(0),
            rank: None,
        }]),
        Op::TransposeConv(_) => Hybrid::Stored(per_channel(0, 4)),
        Op::Gather { .. } => Hybrid::Moved(HybridWeight {
            input: 0,
            axis: None,
            rank: None,
        }),
        Op::BatchMatMul(_) => per_tensor([1]),
        Op::Svdf(_) | Op::Rnn(_) | Op::UnidirectionalSequenceRnn(_) => per_tensor([1, 2]),
        // Weights and recurrent weights of both directions, and of the auxiliary input.
        Op::BidirectionalSequenceRnn(_) => per_tensor([1, 2, 5, 6, 10, 11]),
        Op::Lstm(o) if o.basic => {
            Hybrid::Float("the old kernel of LSTM takes float weights only".into())
        }
        // Input and recurrent weights of four gates, three peepholes, the projection.
        Op::Lstm(_) => per_tensor((1..12).chain([16])),
        Op::UnidirectionalSequenceLstm(o) if o.diagonal_recurrent_tensors => {
            Hybrid::Float("its recurrent weights are diagonal".into())
        }
        Op::UnidirectionalSequenceLstm(_) => per_tensor((1..12).chain([16])),
        // The same of both directions, and the weights of the auxiliary input.
        Op::BidirectionalSequenceLstm(_) => {
            per_tensor((1..12).chain([16]).chain(18..29).chain([33]).chain(40..48))
        }
        Op::Conv3d(_) | Op::Conv3dTranspose(_) => {
            Hybrid::Float(format!("LiteRT's {} takes float weights only", op.name()))
        }
        Op::If { .. } | Op::While { .. } | Op::CallOnce { .. } => {
            Hybrid::Float("the subgraphs it runs stay float".into())
        }
        Op::StablehloComposite(o) => Hybrid::Float(format!(
            "the composite {:?} is kept as it is",
            o.name.as_deref().unwrap_or_default()
        )),
        Op::Other(o) => Hybrid::Float(format!(
            "Zeropoint does not know {} well enough to quantize its weights",
            o.name
        )),
        Op::Custom(o) => Hybrid::Float(format!(
            "the custom operator {:?} takes its constants as they are",
            o.code
        )),
        Op::MaxPool2d(_)
        | Op::AveragePool2d(_)
        | Op::L2Pool2d(_)
        | Op::Mean { .. }
        | Op::Add { .. }
        | Op::Sub { .. }
        | Op::Mul { .. }
        | Op::Div { .. }
        | Op::Relu
        | Op::Relu6
        | Op::Logistic
        | Op::Tanh
        | Op::Softmax { .. }
        | Op::HardSwish
        | Op::Pad
        | Op::Concatenation { .. }
        | Op::Reshape { .. }
        | Op::Shape { .. }
        | Op::StridedSlice(_)
        | Op::Pack { .. }
        | Op::Transpose
        | Op::Quantize
        | Op::Dequantize
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
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
        | Op::Rfft2d
        | Op::PadV2
        | Op::MirrorPad { .. }
        | Op::ExpandDims
        | Op::Squeeze { .. }
        | Op::Slice
        | Op::Split { .. }
        | Op::SplitV { .. }
        | Op::Unpack { .. }
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
        | Op::Select
        | Op::SelectV2
        | Op::Where
        | Op::TopKV2
        | Op::Unique { .. }
        | Op::SparseToDense { .. }
        | Op::MatrixDiag
        | Op::MatrixSetDiag
        | Op::DynamicUpdateSlice
        | Op::SegmentSum
        | Op::UnsortedSegment(_)
        | Op::Dilate
        | Op::Densify
        | Op::NonMaxSuppressionV4
        | Op::NonMaxSuppressionV5
        | Op::ResizeBilinear(_)
        | Op::ResizeNearestNeighbor(_)
        | Op::VarHandle { .. }
        | Op::ReadVariable
        | Op::AssignVariable
        | Op::Hashtable(_)
        | Op::HashtableFind
        | Op::HashtableImport
        | Op::HashtableSize => Hybrid::Nothing,
    }
}
