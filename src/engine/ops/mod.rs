//! Builders of kernels: for each operator the checks, the resulting shape and the parameters of its kernel.

mod activation;
mod arithmetic;
mod binary;
mod cast;
mod compare;
mod conv;
mod elementwise;
mod fold;
mod fully_connected;
mod layout;
mod normalize;
mod quantize;
mod reduce;
mod unary;
mod window;

use super::node::{Built, NodeCx};
use crate::error::Result;
use crate::graph::Op;
use crate::unsupported;

/// Runs the block with `$t` as the quantized type that `$dtype` names; falls through to `$other` for the rest.
macro_rules! with_quantized {
    ($dtype:expr, [$($variant:ident => $type:ty),*], $t:ident => $body:expr, $other:expr) => {
        match $dtype {
            $(crate::graph::DType::$variant => { type $t = $type; $body })*
            _ => $other,
        }
    };
}
pub(super) use with_quantized;

/// The built node of a packed operator, which reads input 0 and knows the rest.
macro_rules! packed {
    ($cx:expr, $shape:expr, $operator:expr) => {{
        let operator = $operator;
        operator.reserve(&mut $cx.scratch.borrow_mut(), $cx.threads);
        Built::working($shape, move |io, out, work| {
            operator.run(io.get(0), typed_mut(out), work.scratch, work.threads)
        })
    }};
}
pub(super) use packed;

/// Builds the kernel of a node, or says why it cannot run.
pub(super) fn build(cx: &NodeCx<'_>) -> Result<Built> {
    match &cx.node.op {
        Op::Conv2d(o) => conv::conv2d(cx, o),
        Op::DepthwiseConv2d(o) => conv::depthwise(cx, o),
        Op::FullyConnected(o) => fully_connected::build(cx, o),
        Op::MaxPool2d(o) => reduce::max_pool(cx, o),
        Op::AveragePool2d(o) => reduce::average_pool(cx, o),
        Op::Mean { keep_dims } => reduce::mean(cx, *keep_dims),
        Op::Add {
            activation,
            pot_scale_int16,
        } => arithmetic::sum(cx, *activation, *pot_scale_int16, false),
        Op::Sub {
            activation,
            pot_scale_int16,
        } => arithmetic::sum(cx, *activation, *pot_scale_int16, true),
        Op::Mul { activation } => arithmetic::product(cx, *activation),
        Op::Relu => activation::relu(cx, 0.0, None),
        Op::Relu6 => activation::relu(cx, 0.0, Some(6.0)),
        Op::Logistic => activation::logistic(cx),
        Op::Tanh => activation::tanh(cx),
        Op::Softmax { beta } => activation::softmax(cx, *beta),
        Op::HardSwish => activation::hard_swish(cx),
        Op::Pad => layout::pad(cx),
        Op::Concatenation { axis, activation } => layout::concatenation(cx, *axis, *activation),
        Op::Reshape { new_shape } => layout::reshape(cx, new_shape.as_deref()),
        Op::Shape { out_type } => layout::shape(cx, *out_type),
        Op::StridedSlice(o) => layout::strided_slice(cx, o),
        Op::Pack { axis, .. } => layout::pack(cx, *axis),
        Op::Transpose => layout::transpose(cx),
        Op::Quantize => quantize::quantize(cx),
        Op::Dequantize => quantize::dequantize(cx),
        // Element-wise, comparisons, reductions.
        Op::Unary(op) => unary::build(cx, *op),
        Op::Binary(op) => binary::build(cx, *op),
        Op::Compare(op) => compare::compare(cx, *op),
        Op::Div { activation } => binary::div(cx, *activation),
        Op::AddN => binary::add_n(cx),
        Op::Reduce { kind, keep_dims } => fold::reduce(cx, *kind, *keep_dims),
        Op::ArgMax { output_type } => fold::arg(cx, *output_type, true),
        Op::ArgMin { output_type } => fold::arg(cx, *output_type, false),
        Op::Cumsum { exclusive, reverse } => fold::cumsum(cx, *exclusive, *reverse),
        Op::Cast { .. } => cast::cast(cx),
        Op::Bitcast => cast::bitcast(cx),
        Op::LogSoftmax => normalize::log_softmax(cx),
        Op::LeakyRelu { alpha } => activation::leaky_relu(cx, *alpha),
        Op::Prelu => activation::prelu(cx),
        Op::Gelu { approximate } => activation::gelu(cx, *approximate),
        Op::L2Normalization { activation } => normalize::l2(cx, *activation),
        Op::LocalResponseNormalization(o) => normalize::local_response(cx, o),
        Op::FakeQuant(o) => normalize::fake_quant(cx, o),
        Op::Select => compare::select(cx, true),
        Op::SelectV2 => compare::select(cx, false),
        Op::Real | Op::Imag | Op::ComplexAbs => unsupported!("this operator cannot run yet"),

        // Data movement and windows.
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
        | Op::UnsortedSegment(_) => unsupported!("this operator cannot run yet"),

        // Recurrence, state and control flow.
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
        | Op::StablehloComposite(_) => unsupported!("this operator cannot run yet"),

        Op::Other(_) | Op::Custom(_) => unsupported!("this operator cannot run yet"),
    }
}
