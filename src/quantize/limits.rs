//! Scales that LiteRT's integer kernels cannot work with: they refuse to load, abort, or silently wrap around.
//!
//! Such scales come from calibration that saw next to nothing of a tensor, or from very large values; the operator stays
//! float instead. Each limit is the fixed-point arithmetic of the kernel named beside it.

use super::rules::Width;
use crate::graph::Op;

/// Said of all of them.
const TOO_NARROW: &str = "its calibrated output range is too narrow for the size of its inputs, more than LiteRT's integer kernel can scale down";

/// Why `op` cannot compute with these scales of its operands and its output; `None` if it can. `weights` is the largest
/// weight scale of an operator with weights.
pub fn refusal(
    op: &Op,
    width: Width,
    inputs: &[f32],
    weights: Option<f32>,
    output: f32,
) -> Option<&'static str> {
    let output = f64::from(output);
    let first = f64::from(*inputs.first()?);
    let largest = inputs.iter().fold(0f64, |m, &s| m.max(s.into()));
    let below = |ratio: f64, limit: f64, why| if ratio < limit { None } else { Some(why) };
    let by_width = |int8: f64, int16: f64| match width {
        Width::Int8 => int8,
        Width::Int16 => int16,
    };
    match op {
        // XNNPACK fails to create the operator from 256 up, and with it the model; int16 shifts left by less than 8 bits.
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected(_) => {
            let weights = weights.map_or(0.0, f64::from);
            below(first * weights / output, by_width(256.0, 128.0), TOO_NARROW)
        }
        // The sum is computed with 20 (int16: 15) more bits and must be scaled by less than 1.
        Op::Add { .. } | Op::Sub { .. } => below(
            2.0 * largest / output,
            by_width(f64::from(1 << 20), f64::from(1 << 15)),
            TOO_NARROW,
        ),
        // Products have 16 (int16: 30) bits, and 31 are left for the shift.
        Op::Mul { .. } => {
            let product: f64 = inputs.iter().map(|&s| f64::from(s)).product();
            below(
                product / output,
                by_width(f64::from(1 << 15), 2.0),
                TOO_NARROW,
            )
        }
        // Differences have 8 (int16: 16) bits, and 31 are left for the shift; MEAN adds some bits of its own.
        Op::Relu | Op::Relu6 | Op::Mean { .. } => below(
            first / output,
            by_width(f64::from(1 << 20), f64::from(1 << 12)),
            TOO_NARROW,
        ),
        // The kernel works on input × 128 and must scale that by at most 1.
        Op::HardSwish => below(first / output, 128.0, TOO_NARROW),
        Op::Softmax { beta } => {
            let step = first * f64::from(*beta);
            match width {
                // The step times 2^26 must be above 1.
                Width::Int8 if step * f64::from(1 << 26) <= 1.0 => {
                    Some("its calibrated input range is too narrow for LiteRT's integer kernel")
                }
                Width::Int8 => None,
                // 16-bit differences in units of 10 / 65535, and 31 bits in all.
                Width::Int16 => below(
                    step,
                    5.0,
                    "its input range is too wide for LiteRT's int16 kernel",
                ),
            }
        }
        // step × 4096 × 3 is kept in 16 bits.
        Op::Logistic | Op::Tanh => match width {
            Width::Int8 => None,
            Width::Int16 => below(
                first * 12288.0,
                32767.0,
                "its input range is too wide for LiteRT's int16 kernel",
            ),
        },
        Op::MaxPool2d(_)
        | Op::AveragePool2d(_)
        | Op::Pad
        | Op::Concatenation { .. }
        | Op::Reshape { .. }
        | Op::Shape { .. }
        | Op::StridedSlice(_)
        | Op::Pack { .. }
        | Op::Transpose
        | Op::Quantize
        | Op::Dequantize
        | Op::Other(_)
        | Op::Custom(_) => None,
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
        | Op::SelectV2 => None,
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
        | Op::UnsortedSegment(_) => None,
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
        | Op::StablehloComposite(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Activation;

    #[test]
    fn limits_hold_on_both_sides() {
        let add = Op::Add {
            activation: Activation::None,
            pot_scale_int16: false,
        };
        let mul = Op::Mul {
            activation: Activation::None,
        };
        for (op, width, inputs, output, ok) in [
            (&add, Width::Int8, [0.1f32, 0.1], 0.1f32, true),
            (&add, Width::Int8, [0.1, 1e5], 0.1, false),
            (&add, Width::Int16, [1.0, 1e4], 1.0, true),
            (&add, Width::Int16, [1.0, 2e4], 1.0, false),
            (&mul, Width::Int16, [1.0, 1.0], 1.0, true),
            (&mul, Width::Int16, [2.0, 1.0], 1.0, false),
            (&Op::HardSwish, Width::Int8, [1.0, 1.0], 0.01, true),
            (&Op::HardSwish, Width::Int8, [2.0, 1.0], 0.01, false),
            (
                &Op::Softmax { beta: 1.0 },
                Width::Int8,
                [1e-7, 1.0],
                1.0,
                true,
            ),
            (
                &Op::Softmax { beta: 0.1 },
                Width::Int8,
                [1e-7, 1.0],
                1.0,
                false,
            ),
            (&Op::Tanh, Width::Int16, [2.6, 1.0], 1.0, true),
            (&Op::Tanh, Width::Int16, [2.7, 1.0], 1.0, false),
            (&Op::Tanh, Width::Int8, [1e9, 1.0], 1.0, true),
        ] {
            let refused = refusal(op, width, &inputs, None, output);
            assert_eq!(
                refused.is_none(),
                ok,
                "{op:?} {width:?} {inputs:?} {output}"
            );
        }
    }
}
