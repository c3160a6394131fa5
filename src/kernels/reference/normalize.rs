//! LOG_SOFTMAX and L2_NORMALIZATION over the last axis (`depth` elements), LOCAL_RESPONSE_NORMALIZATION and FAKE_QUANT.
//!
//! Sources: `internal/reference/log_softmax.h`, `integer_ops/log_softmax.h`, `l2normalization.h`,
//! `integer_ops/l2normalization.h`, `reference_ops.h` `LocalResponseNormalization`, `internal/quantization_util.cc`
//! `NudgeQuantizationRange`.

use crate::kernels::exponential::exp;
use crate::kernels::fixed_point::{
    EXP_INTEGER_BITS, Multiplier, inverse_sqrt, log_of_at_least_one, rounding_divide_by_pot,
};
use crate::kernels::quantize::QuantInt;
use crate::kernels::reference::softmax::Softmax8;

/// Rows of `depth` elements of input and output.
fn rows<'a, T>(
    depth: usize,
    input: &'a [T],
    out: &'a mut [T],
) -> impl Iterator<Item = (&'a [T], &'a mut [T])> {
    let depth = depth.max(1);
    input.chunks_exact(depth).zip(out.chunks_exact_mut(depth))
}

/// Float LOG_SOFTMAX.
pub fn log_softmax_f32(depth: usize, input: &[f32], out: &mut [f32]) {
    for (x, out) in rows(depth, input, out) {
        let max = x.iter().fold(f32::MIN, |m, &v| m.max(v));
        let sum: f32 = x.iter().fold(0.0, |s, &v| s + exp(v - max));
        for (o, &v) in out.iter_mut().zip(x) {
            *o = v - max - sum.ln();
        }
    }
}

/// Factors of an 8-bit LOG_SOFTMAX, whose output has scale 1/16 and its largest value as zero point.
#[derive(Debug, Clone, Copy)]
pub struct LogSoftmax8 {
    softmax: Softmax8,
    /// From Q5.26 back to input steps.
    reverse: Multiplier,
}

impl LogSoftmax8 {
    /// For an input of scale `scale`; `None` where it is too small for the fixed-point format (≤ 2⁻²⁶).
    pub fn new(scale: f32) -> Option<Self> {
        let softmax = Softmax8::new(1.0, scale)?;
        let forward = softmax.multiplier();
        let reverse = 2f64.powi(31 - forward.shift) / f64::from(forward.mantissa);
        Some(Self {
            softmax,
            reverse: Multiplier::from_real(reverse),
        })
    }
}

/// 8-bit LOG_SOFTMAX.
pub fn log_softmax_8bit<T: QuantInt>(depth: usize, p: LogSoftmax8, input: &[T], out: &mut [T]) {
    const SUM_INTEGER_BITS: i32 = 12;
    const OUTPUT_INTEGER_BITS: i32 = 4;
    for (x, out) in rows(depth, input, out) {
        let max = x.iter().map(|v| v.to_i32()).max().unwrap_or(0);
        let sum = x
            .iter()
            .filter_map(|v| p.softmax.exp(v.to_i32() - max))
            .fold(0i32, |s, e| {
                s.wrapping_add(rounding_divide_by_pot(e, SUM_INTEGER_BITS))
            });
        let log = log_of_at_least_one(sum);
        let least = p
            .reverse
            .apply(log.wrapping_add(i32::MIN))
            .max(p.softmax.diff_min() - 1);
        for (o, v) in out.iter_mut().zip(x) {
            let diff = v.to_i32() - max;
            *o = if diff > least {
                let real = p.softmax.scaled(diff).wrapping_sub(log);
                let step =
                    rounding_divide_by_pot(real, 31 - EXP_INTEGER_BITS - OUTPUT_INTEGER_BITS);
                T::saturate(i64::from(step) + i64::from(T::MAX))
            } else {
                T::saturate(T::MIN.into())
            };
        }
    }
}

/// Float L2_NORMALIZATION: x / max(‖x‖, 1e-6).
pub fn l2_normalize_f32(depth: usize, input: &[f32], out: &mut [f32]) {
    for (x, out) in rows(depth, input, out) {
        let squares = x.iter().fold(0f32, |s, v| s + v * v);
        let norm = squares.sqrt().max(1e-6);
        for (o, v) in out.iter_mut().zip(x) {
            *o = v / norm;
        }
    }
}

/// 8-bit L2_NORMALIZATION; the output has scale 1/128 and its middle as zero point.
pub fn l2_normalize_8bit<T: QuantInt>(depth: usize, zero_point: i32, input: &[T], out: &mut [T]) {
    const OUTPUT_BITS: i32 = 7;
    for (x, out) in rows(depth, input, out) {
        let squares = x.iter().fold(0i32, |s, v| {
            let v = v.to_i32() - zero_point;
            s.wrapping_add(v.wrapping_mul(v))
        });
        let inverse = inverse_sqrt(squares.max(0));
        for (o, v) in out.iter_mut().zip(x) {
            let v = v.to_i32() - zero_point;
            // Where the seven bits go in decides how the result is rounded.
            let step = if T::MIN < 0 {
                let shift = inverse.shift + OUTPUT_BITS;
                Multiplier { shift, ..inverse }.apply(v)
            } else {
                inverse.apply(v << OUTPUT_BITS) + 128
            };
            *o = T::saturate(step.into());
        }
    }
}

/// LOCAL_RESPONSE_NORMALIZATION over the last axis: x · (bias + alpha · Σx²)^−beta, the sum from `radius` neighbours before
/// the element to `radius` − 1 behind it, as LiteRT does it.
pub fn local_response_normalize(
    depth: usize,
    radius: usize,
    (bias, alpha, beta): (f32, f32, f32),
    input: &[f32],
    out: &mut [f32],
) {
    for (x, out) in rows(depth, input, out) {
        for (c, o) in out.iter_mut().enumerate() {
            let end = c.saturating_add(radius).min(depth);
            let near = &x[c.saturating_sub(radius)..end];
            let sum = near.iter().fold(0f32, |s, v| s + v * v);
            *o = x[c] * (bias + alpha * sum).powf(-beta);
        }
    }
}

/// Nudged range of a FAKE_QUANT: the ends of the integers in reals, moved so that 0 is one of them.
#[derive(Debug, Clone, Copy)]
pub struct FakeQuant {
    scale: f32,
    min: f32,
    max: f32,
}

impl FakeQuant {
    /// For reals from `min` to `max` in integers of `bits` bits (2 to 16).
    pub fn new(min: f32, max: f32, bits: u32) -> Self {
        let steps = ((1u32 << bits.clamp(2, 16)) - 1) as f32;
        let scale = (max - min) / steps;
        let zero_point = (-min / scale).clamp(0.0, steps).round();
        Self {
            scale,
            min: -zero_point * scale,
            max: (steps - zero_point) * scale,
        }
    }

    /// The nearest real of the range.
    #[inline]
    pub fn apply(&self, x: f32) -> f32 {
        let clamped = x.max(self.min).min(self.max);
        ((clamped - self.min) * (1.0 / self.scale)).round() * self.scale + self.min
    }
}
