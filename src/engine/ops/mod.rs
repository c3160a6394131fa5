//! Builders of kernels: for each operator the checks, the resulting shape and the parameters of its kernel.

mod activation;
mod arithmetic;
mod batch_matmul;
mod binary;
mod cast;
mod compare;
mod control;
mod conv;
mod conv3d;
mod elementwise;
mod fold;
mod fully_connected;
mod gather;
mod layout;
mod normalize;
mod quantize;
mod recurrent;
mod reduce;
mod repeat;
mod resize;
mod select;
mod shape;
mod space;
mod split;
mod suppression;
mod transpose_conv;
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
        $cx.shared.add_work(operator.macs());
        Built::working($shape, move |io, out, work| {
            operator.run(io.get(0), typed_mut(out), work.scratch, work.threads)
        })
    }};
}
pub(super) use packed;

/// The same for operators on floats, which find the range of their output for the hybrid kernels of the graph if it has any.
macro_rules! packed_float {
    ($cx:expr, $shape:expr, $operator:expr) => {{
        let operator = $operator;
        operator.reserve(&mut $cx.scratch.borrow_mut(), $cx.threads);
        $cx.shared.add_work(operator.macs());
        let ranged = $cx.in_order;
        Built::working($shape, move |io, out, work| {
            let (input, out) = (io.get(0), typed_mut(out));
            match ranged {
                true => operator.run_ranged(input, out, work.scratch, work.threads, work.ranges),
                false => operator.run(input, out, work.scratch, work.threads),
            }
        })
    }};
}
pub(super) use packed_float;

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
        Op::Real => unary::of_complex(cx, |[re, _]| re, |[re, _]| re),
        Op::Imag => unary::of_complex(cx, |[_, im]| im, |[_, im]| im),
        Op::ComplexAbs => unary::of_complex(cx, |[re, im]| re.hypot(im), |[re, im]| re.hypot(im)),

        // Data movement and windows.
        Op::PadV2 => layout::pad_v2(cx),
        Op::MirrorPad { symmetric } => repeat::mirror_pad(cx, *symmetric),
        Op::ExpandDims => shape::expand_dims(cx),
        Op::Squeeze { axes } => shape::squeeze(cx, axes),
        Op::Slice => split::slice(cx),
        Op::Split { count } => split::split(cx, *count),
        Op::SplitV { count } => split::split_v(cx, *count),
        Op::Unpack { count, axis } => split::unpack(cx, *count, *axis),
        Op::Gather { axis, batch_dims } => gather::gather(cx, *axis, *batch_dims),
        Op::GatherNd => gather::gather_nd(cx),
        Op::ScatterNd => gather::scatter_nd(cx),
        Op::Tile => repeat::tile(cx),
        Op::BroadcastTo => repeat::broadcast_to(cx),
        Op::BroadcastArgs => shape::broadcast_args(cx),
        Op::Fill => shape::fill(cx),
        Op::Range => shape::range(cx),
        Op::Rank => shape::rank(cx),
        Op::ReverseV2 => repeat::reverse_v2(cx),
        Op::ReverseSequence {
            sequence_axis,
            batch_axis,
        } => gather::reverse_sequence(cx, *sequence_axis, *batch_axis),
        Op::SpaceToDepth { block } => space::space_to_depth(cx, *block),
        Op::DepthToSpace { block } => space::depth_to_space(cx, *block),
        Op::SpaceToBatchNd => space::space_to_batch_nd(cx),
        Op::BatchToSpaceNd => space::batch_to_space_nd(cx),
        Op::OneHot { axis } => gather::one_hot(cx, *axis),
        Op::Where => select::where_true(cx),
        Op::TopKV2 => select::top_k(cx),
        Op::Unique { .. } => select::unique(cx),
        Op::SparseToDense { .. } => gather::sparse_to_dense(cx),
        Op::MatrixDiag => repeat::matrix_diag(cx),
        Op::MatrixSetDiag => repeat::matrix_set_diag(cx),
        Op::DynamicUpdateSlice => repeat::dynamic_update_slice(cx),
        Op::SegmentSum => select::segment_sum(cx),
        Op::UnsortedSegment(kind) => select::unsorted_segment(cx, *kind),
        Op::Dilate => repeat::dilate(cx),
        Op::EmbeddingLookup => gather::embedding_lookup(cx),
        Op::ResizeBilinear(o) => resize::bilinear(cx, o),
        Op::ResizeNearestNeighbor(o) => resize::nearest(cx, o),
        Op::Densify => shape::densify(cx),
        Op::TransposeConv(o) => transpose_conv::build(cx, o),
        Op::Conv3d(o) => conv3d::conv(cx, o),
        Op::Conv3dTranspose(o) => conv3d::transposed(cx, o),
        Op::BatchMatMul(o) => batch_matmul::build(cx, o),
        Op::L2Pool2d(o) => reduce::l2_pool(cx, o),
        Op::NonMaxSuppressionV4 => suppression::build(cx, false),
        Op::NonMaxSuppressionV5 => suppression::build(cx, true),
        Op::Rfft2d => unsupported!("this operator cannot run yet"),

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
