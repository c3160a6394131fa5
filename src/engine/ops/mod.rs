//! Builders of kernels: for each operator the checks, the resulting shape and the parameters of its kernel.

mod activation;
mod arithmetic;
mod control;
mod conv;
mod fully_connected;
mod gather;
mod layout;
mod quantize;
mod recurrent;
mod reduce;
mod repeat;
mod resize;
mod select;
mod shape;
mod space;
mod split;
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
        Op::Relu => activation::relu(cx, None),
        Op::Relu6 => activation::relu(cx, Some(6.0)),
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
        | Op::SelectV2 => unsupported!("this operator cannot run yet"),

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
        Op::Svdf(o) => recurrent::svdf(cx, o),
        Op::Lstm(o) => recurrent::lstm(cx, o),
        Op::UnidirectionalSequenceLstm(o) => recurrent::sequence_lstm(cx, o),
        Op::BidirectionalSequenceLstm(o) => recurrent::bidirectional_lstm(cx, o),
        Op::Rnn(o) => recurrent::rnn(cx, o),
        Op::UnidirectionalSequenceRnn(o) => recurrent::sequence_rnn(cx, o),
        Op::BidirectionalSequenceRnn(o) => recurrent::bidirectional_rnn(cx, o),
        Op::If { then, otherwise } => control::branch(cx, *then, *otherwise),
        Op::While { condition, body } => control::repeat(cx, *condition, *body),
        Op::CallOnce { subgraph } => control::call_once(cx, *subgraph),
        Op::VarHandle { .. } => control::variable_handle(cx),
        Op::ReadVariable => control::read_variable(cx),
        Op::AssignVariable => control::assign_variable(cx),
        Op::StablehloComposite(o) => control::composite(cx, o.decomposition),
        Op::Hashtable(_) | Op::HashtableFind | Op::HashtableImport | Op::HashtableSize => {
            unsupported!("this operator cannot run yet")
        }

        Op::Other(_) | Op::Custom(_) => unsupported!("this operator cannot run yet"),
    }
}
