//! Scales that LiteRT's integer kernels cannot work with: they refuse to load, abort, or silently wrap around.
//!
//! Such scales come from calibration that saw next to nothing of a tensor, or from very large values; the operator stays
//! float instead. Each limit is the fixed-point arithmetic of the kernel named beside it.

use super::rules::Width;
use crate::calibrate::Range;
use crate::graph::{Binary, Comparison, Op, Unary};

/// Said of most of them.
const TOO_NARROW: &str = "its calibrated output range is too narrow for the size of its inputs, more than LiteRT's integer kernel can scale down";

/// An operand as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Real value of one integer step.
    pub scale: f32,
    /// Values that calibration saw.
    pub range: Range,
}

impl Seen {
    /// Distance of the values from 0 in steps; 0 if they lie on both sides of it.
    fn steps_from_zero(&self) -> f32 {
        if self.range.min > 0.0 {
            self.range.min / self.scale
        } else {
            (-self.range.max / self.scale).max(0.0)
        }
    }
}

/// Why an operator stays float.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In the user's words.
    pub why: String,
    /// Whether integers are too coarse for it, so that what feeds it and lives on it had better be float too.
    pub precise: bool,
}

/// Why `op` cannot compute with these operands and this scale of its output; `None` if it can. `weights` is the largest
/// weight scale of an operator with weights.
pub fn refusal(
    op: &Op,
    width: Width,
    inputs: &[Seen],
    weights: Option<f32>,
    output: Option<f32>,
) -> Option<Refusal> {
    let coarse = too_coarse(op, width, inputs).map(|why| Refusal { why, precise: true });
    coarse.or_else(|| {
        let scales: Vec<f32> = inputs.iter().map(|i| i.scale).collect();
        let why = out_of_range(op, width, &scales, weights, output)?;
        Some(Refusal {
            why: why.into(),
            precise: false,
        })
    })
}

/// Operators that integers near 0 break.
fn too_coarse(op: &Op, width: Width, inputs: &[Seen]) -> Option<String> {
    // int16 tables have a point every 128 steps and interpolate in between.
    const TABLE: f32 = 128.0;
    let needed = |seen: &Seen, int8: f32, int16: f32| {
        let steps = match width {
            Width::Int8 => int8,
            Width::Int16 => int16,
        };
        seen.steps_from_zero() < steps
    };
    match op {
        Op::Unary(Unary::Log) => {
            let x = inputs.first().filter(|x| needed(x, 0.5, TABLE))?;
            Some(format!(
                "its calibrated input comes down to {:e}, where one integer step of {:e} is too coarse for a logarithm",
                x.range.min, x.scale
            ))
        }
        Op::Unary(Unary::Rsqrt) => {
            let x = inputs.first().filter(|x| needed(x, 2.0, TABLE))?;
            Some(format!(
                "its calibrated input comes down to {:e}; LiteRT's integer kernel fails on what a step of {:e} rounds to 0",
                x.range.min, x.scale
            ))
        }
        Op::Unary(Unary::Sqrt) => {
            let x = inputs.first().filter(|x| needed(x, 0.0, 2.0))?;
            Some(format!(
                "its calibrated input comes down to {:e}; LiteRT's int16 kernel fails on what rounding makes negative",
                x.range.min
            ))
        }
        Op::Div { .. } => {
            let x = inputs.get(1).filter(|x| needed(x, 2.0, 2.0))?;
            Some(format!(
                "its calibrated divisor, {:e} to {:e}, comes so near to 0 that LiteRT's integer kernel would divide by it",
                x.range.min, x.range.max
            ))
        }
        Op::Compare(comparison) => {
            let exact = match comparison {
                Comparison::Equal | Comparison::NotEqual => true,
                Comparison::Greater
                | Comparison::GreaterEqual
                | Comparison::Less
                | Comparison::LessEqual => width == Width::Int8,
            };
            let finest = inputs.iter().fold(f32::INFINITY, |m, x| m.min(x.scale));
            (exact && finest * 256.0 < 1.0).then(|| {
                format!("LiteRT's integer kernel compares in steps of 1/256, coarser than its input's {finest:e}")
            })
        }
        _ => None,
    }
}

/// Scales outside of a kernel's fixed-point arithmetic.
fn out_of_range(
    op: &Op,
    width: Width,
    inputs: &[f32],
    weights: Option<f32>,
    output: Option<f32>,
) -> Option<&'static str> {
    let output = f64::from(output?);
    let first = f64::from(*inputs.first()?);
    let largest = inputs.iter().fold(0f64, |m, &s| m.max(s.into()));
    let product: f64 = inputs.iter().map(|&s| f64::from(s)).product();
    let below = |ratio: f64, limit: f64, why| if ratio < limit { None } else { Some(why) };
    let by_width = |int8: f64, int16: f64| match width {
        Width::Int8 => int8,
        Width::Int16 => int16,
    };
    match op {
        // XNNPACK fails to create the operator from 256 up, and with it the model; int16 shifts left by less than 8 bits.
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::FullyConnected(_) | Op::TransposeConv(_) => {
            let weights = weights.map_or(0.0, f64::from);
            below(first * weights / output, by_width(256.0, 128.0), TOO_NARROW)
        }
        Op::BatchMatMul(_) => below(product / output, by_width(256.0, 128.0), TOO_NARROW),
        // The sum is computed with 20 (int16: 15) more bits and must be scaled by less than 1.
        Op::Add { .. } | Op::Sub { .. } => below(
            2.0 * largest / output,
            by_width(f64::from(1 << 20), f64::from(1 << 15)),
            TOO_NARROW,
        ),
        // Products have 16 (int16: 30) bits, and 31 are left for the shift.
        Op::Mul { .. } => below(
            product / output,
            by_width(f64::from(1 << 15), 2.0),
            TOO_NARROW,
        ),
        // Differences have 7 more bits, their squares must be scaled by less than 1.
        Op::Binary(Binary::SquaredDifference) => {
            below(largest * largest / output, 4096.0, TOO_NARROW)
        }
        // The quotient's multiplier has 31 bits for its shift.
        Op::Div { .. } => {
            let second = f64::from(*inputs.get(1)?);
            below(first / second / output, f64::from(1 << 15), TOO_NARROW)
        }
        // Differences have 8 (int16: 16) bits, and 31 are left for the shift; MEAN adds some bits of its own.
        Op::Relu
        | Op::Relu6
        | Op::LeakyRelu { .. }
        | Op::Prelu
        | Op::Unary(Unary::Abs | Unary::Relu0To1 | Unary::ReluN1To1)
        | Op::Reduce { .. }
        | Op::Mean { .. } => below(
            first / output,
            by_width(f64::from(1 << 20), f64::from(1 << 12)),
            TOO_NARROW,
        ),
        // The kernel works on input × 128 and must scale that by at most 1.
        Op::HardSwish => below(first / output, 128.0, TOO_NARROW),
        Op::Softmax { .. } | Op::LogSoftmax => {
            let beta = match op {
                Op::Softmax { beta } => *beta,
                _ => 1.0,
            };
            let step = first * f64::from(beta);
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
        // The others move values, look results up in tables, or rescale by whatever they are given.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Activation;

    fn seen(scale: f32, min: f32, max: f32) -> Seen {
        Seen {
            scale,
            range: Range { min, max },
        }
    }

    #[test]
    fn near_zero_integers_are_too_coarse() {
        let log = Op::Unary(Unary::Log);
        let rsqrt = Op::Unary(Unary::Rsqrt);
        let sqrt = Op::Unary(Unary::Sqrt);
        let div = Op::Div {
            activation: Activation::None,
        };
        let equal = Op::Compare(Comparison::Equal);
        let less = Op::Compare(Comparison::Less);
        let one = seen(1.0, -1.0, 1.0);
        for (op, width, x, ok) in [
            (&log, Width::Int8, seen(0.01, 0.004, 2.55), false),
            (&log, Width::Int8, seen(0.01, 0.006, 2.55), true),
            (&log, Width::Int16, seen(1e-4, 0.01, 3.0), false),
            (&log, Width::Int16, seen(1e-4, 0.02, 3.0), true),
            (&rsqrt, Width::Int8, seen(0.01, 0.01, 2.55), false),
            (&rsqrt, Width::Int8, seen(0.01, 0.03, 2.55), true),
            (&sqrt, Width::Int8, seen(0.01, 0.0, 2.55), true),
            (&sqrt, Width::Int16, seen(0.01, 0.0, 2.55), false),
            (&div, Width::Int8, seen(0.01, -1.0, 2.55), false),
            (&div, Width::Int8, seen(0.01, 0.1, 2.55), true),
            (&div, Width::Int8, seen(0.01, -2.55, -0.1), true),
            (&equal, Width::Int8, seen(0.003, 0.0, 1.0), false),
            (&equal, Width::Int8, seen(0.004, 0.0, 1.0), true),
            (&less, Width::Int16, seen(1e-5, 0.0, 1.0), true),
            (&equal, Width::Int16, seen(1e-5, 0.0, 1.0), false),
        ] {
            let inputs = match op {
                Op::Unary(_) => vec![x],
                _ => vec![one, x],
            };
            let refused = refusal(op, width, &inputs, None, Some(1.0));
            assert_eq!(refused.is_none(), ok, "{op:?} {width:?} {x:?}");
            assert!(refused.is_none_or(|r| r.precise));
        }
    }

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
            let inputs = inputs.map(|scale| seen(scale, -1.0, 1.0));
            let refused = refusal(op, width, &inputs, None, Some(output));
            assert_eq!(
                refused.is_none(),
                ok,
                "{op:?} {width:?} {inputs:?} {output}"
            );
        }
    }
}
