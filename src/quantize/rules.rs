//! The one table of operators: how each is quantized, or the reason in the user's words why it stays float.
//!
//! Facts are LiteRT's kernels' (types and checks) and the format's quantization specification (fixed ranges, channel axes).

use crate::graph::{Activation, DType, Op};

/// Integer types of a static mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// int8 activations, int32 biases.
    Int8,
    /// int16 activations, int64 biases.
    Int16,
}

impl Width {
    /// Type of activations.
    pub fn activation(self) -> DType {
        match self {
            Width::Int8 => DType::Int8,
            Width::Int16 => DType::Int16,
        }
    }

    /// Type of biases.
    pub fn bias(self) -> DType {
        match self {
            Width::Int8 => DType::Int32,
            Width::Int16 => DType::Int64,
        }
    }
}

/// What an operator's inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// Input 0 is an activation, 1 the weights with one scale a channel along `axis`, 2 an optional bias.
    Weighted {
        /// Axis of the output channels in the weights.
        axis: usize,
    },
    /// Only input 0 holds reals; the others are indices, shapes, axes.
    First,
    /// All inputs are operands, each with its own scale.
    Operands,
}

/// Where an operator's output takes its scale from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output {
    /// Its own calibrated range.
    Free,
    /// Input 0: the operator moves or selects values.
    SameAsInput,
    /// All inputs must have the output's scale; the output's range decides and is pushed back to them.
    SharedByAll,
    /// The operator's own range.
    Fixed {
        /// Scale that the kernel assumes.
        scale: f32,
        /// Zero point that the kernel assumes.
        zero_point: i64,
    },
}

/// How an operator computes on integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Roles of its inputs.
    pub inputs: Inputs,
    /// Where its output's scale comes from.
    pub output: Output,
}

/// The rule of `op` in a static mode, or why it stays float.
pub fn static_rule(op: &Op, width: Width) -> Result<Rule, String> {
    let rule = |inputs, output| Ok(Rule { inputs, output });
    let fixed = |scale8, zero_point8| match width {
        Width::Int8 => Output::Fixed {
            scale: scale8,
            zero_point: zero_point8,
        },
        Width::Int16 => Output::Fixed {
            scale: 1.0 / 32768.0,
            zero_point: 0,
        },
    };
    match op {
        Op::Conv2d(o) => {
            clamps(o.activation)?;
            rule(Inputs::Weighted { axis: 0 }, Output::Free)
        }
        Op::DepthwiseConv2d(o) => {
            clamps(o.activation)?;
            rule(Inputs::Weighted { axis: 3 }, Output::Free)
        }
        Op::FullyConnected(o) => {
            clamps(o.activation)?;
            if o.shuffled_weights {
                return Err("its weights are in the legacy shuffled layout".into());
            }
            rule(Inputs::Weighted { axis: 0 }, Output::Free)
        }
        Op::MaxPool2d(o) | Op::AveragePool2d(o) => {
            clamps(o.activation)?;
            rule(Inputs::First, Output::SameAsInput)
        }
        Op::Mean { .. } => rule(Inputs::First, Output::Free),
        Op::Add { activation, .. } | Op::Sub { activation, .. } | Op::Mul { activation } => {
            clamps(*activation)?;
            rule(Inputs::Operands, Output::Free)
        }
        Op::Relu => rule(Inputs::First, Output::Free),
        Op::Relu6 => rule(Inputs::First, Output::Free),
        Op::Logistic => rule(Inputs::First, fixed(1.0 / 256.0, -128)),
        Op::Tanh => rule(Inputs::First, fixed(1.0 / 128.0, 0)),
        Op::Softmax { .. } => rule(Inputs::First, fixed(1.0 / 256.0, -128)),
        Op::HardSwish => match width {
            Width::Int8 => rule(Inputs::First, Output::Free),
            Width::Int16 => Err("LiteRT has no int16 kernel for HARD_SWISH".into()),
        },
        Op::Pad | Op::Reshape { .. } | Op::StridedSlice(_) | Op::Transpose => {
            rule(Inputs::First, Output::SameAsInput)
        }
        Op::Concatenation { activation, .. } => {
            if *activation != Activation::None {
                return Err(
                    "LiteRT's integer CONCATENATION takes no fused activation function".into(),
                );
            }
            rule(Inputs::Operands, Output::SharedByAll)
        }
        Op::Pack { .. } => rule(Inputs::Operands, Output::SharedByAll),
        Op::Shape { .. } => Err("it computes no reals".into()),
        Op::Quantize | Op::Dequantize => Err("it is a conversion of the model's own".into()),
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
        | Op::SelectV2
        | Op::Rfft2d
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
        | Op::UnsortedSegment(_)
        | Op::Svdf(_)
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
        | Op::StablehloComposite(_) => {
            Err(format!("Zeropoint does not quantize {} yet", op.name()))
        }
        Op::Other(o) => Err(format!("Zeropoint does not quantize {} yet", o.name)),
        Op::Custom(o) => Err(format!(
            "custom operators such as {:?} have no integer form that Zeropoint knows",
            o.code
        )),
    }
}

/// Integer kernels clamp, so they can fuse only what clamping can do.
fn clamps(activation: Activation) -> Result<(), String> {
    match activation {
        Activation::None | Activation::Relu | Activation::ReluN1To1 | Activation::Relu6 => Ok(()),
        Activation::Tanh => Err("LiteRT's integer kernel cannot fuse TANH".into()),
        Activation::SignBit => Err("LiteRT's integer kernel cannot fuse SIGN_BIT".into()),
    }
}

/// What dynamic mode does with an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dynamic {
    /// Input 1 is an int8 weight with one scale a channel along `axis`; activations are quantized while running.
    Weights {
        /// Axis of the output channels.
        axis: usize,
    },
    /// It has no weights.
    Nothing,
    /// It may have weights, but stays float; why.
    Float(String),
}

/// The rule of `op` in dynamic mode.
pub fn dynamic_rule(op: &Op) -> Dynamic {
    match op {
        Op::Conv2d(_) | Op::FullyConnected(_) => match op {
            Op::FullyConnected(o) if o.shuffled_weights => {
                Dynamic::Float("its weights are in the legacy shuffled layout".into())
            }
            _ => Dynamic::Weights { axis: 0 },
        },
        Op::DepthwiseConv2d(_) => Dynamic::Weights { axis: 3 },
        Op::MaxPool2d(_)
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
        | Op::HardSwish
        | Op::Pad
        | Op::Concatenation { .. }
        | Op::Reshape { .. }
        | Op::Shape { .. }
        | Op::StridedSlice(_)
        | Op::Pack { .. }
        | Op::Transpose
        | Op::Quantize
        | Op::Dequantize => Dynamic::Nothing,
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
        | Op::SelectV2
        | Op::Rfft2d
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
        | Op::UnsortedSegment(_)
        | Op::Svdf(_)
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
        | Op::StablehloComposite(_) => Dynamic::Float(format!(
            "Zeropoint does not quantize the weights of {} yet",
            op.name()
        )),
        Op::Other(o) => Dynamic::Float(format!(
            "Zeropoint does not quantize the weights of {} yet",
            o.name
        )),
        Op::Custom(o) => Dynamic::Float(format!(
            "the custom operator {:?} takes its constants as they are",
            o.code
        )),
    }
}

/// Whether removing the operator cannot be noticed when nobody reads its outputs.
pub fn is_pure(op: &Op) -> bool {
    !matches!(
        op,
        Op::If { .. }
            | Op::While { .. }
            | Op::CallOnce { .. }
            | Op::VarHandle { .. }
            | Op::ReadVariable
            | Op::AssignVariable
            | Op::Hashtable(_)
            | Op::HashtableFind
            | Op::HashtableImport
            | Op::HashtableSize
            | Op::StablehloComposite(_)
            | Op::Other(_)
            | Op::Custom(_)
            | Op::Svdf(_)
            | Op::Lstm(_)
            | Op::UnidirectionalSequenceLstm(_)
            | Op::BidirectionalSequenceLstm(_)
            | Op::Rnn(_)
            | Op::UnidirectionalSequenceRnn(_)
            | Op::BidirectionalSequenceRnn(_)
    )
}
