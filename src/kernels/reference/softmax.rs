//! SOFTMAX over the last axis (`depth` elements).
//!
//! Sources: `internal/reference/softmax.h`, `activations.cc` `SoftmaxPrepare`.

use super::activation::{Table16, table_i16_f64};
use crate::kernels::exponential::exp;
use crate::kernels::fixed_point::{
    EXP_INTEGER_BITS, Multiplier, doubling_high_mul, exp_on_negative, reciprocal,
    rounding_divide_by_pot,
};
use crate::kernels::quantize::QuantInt;

/// Float softmax.
pub fn softmax_f32(depth: usize, beta: f32, input: &[f32], out: &mut [f32]) {
    let rows = input.chunks_exact(depth.max(1));
    for (x, out) in rows.zip(out.chunks_exact_mut(depth.max(1))) {
        let max = x.iter().fold(f32::MIN, |m, &v| m.max(v));
        let mut sum = 0f32;
        for (o, &v) in out.iter_mut().zip(x) {
            *o = exp((v - max) * beta);
            sum += *o;
        }
        for o in out {
            *o /= sum;
        }
    }
}

/// Parameters of an 8-bit softmax.
#[derive(Debug, Clone, Copy)]
pub struct Softmax8 {
    multiplier: Multiplier,
    /// Differences to the maximum below this count as −∞.
    diff_min: i32,
}

impl Softmax8 {
    /// For an input of scale `scale`; `None` where `beta · scale` is too small for the fixed-point format (≤ 2⁻²⁶).
    pub fn new(beta: f32, scale: f32) -> Option<Self> {
        const FRACTION: i32 = 31 - EXP_INTEGER_BITS;
        let real = f64::from(beta) * f64::from(scale) * f64::from(1 << FRACTION);
        let real = real.min((1i64 << 31) as f64 - 1.0);
        if real.is_nan() || real <= 1.0 {
            return None;
        }
        let multiplier = Multiplier::from_real(real);
        let radius = 31.0 * f64::from(1 << FRACTION) / (1i64 << multiplier.shift) as f64;
        Some(Self {
            multiplier,
            diff_min: -(radius.floor() as i32),
        })
    }

    /// The exponential of a difference to the maximum in Q0.31, `None` if it counts as 0.
    pub(super) fn exp(self, diff: i32) -> Option<i32> {
        (diff >= self.diff_min).then(|| exp_on_negative(self.scaled(diff)))
    }

    /// A difference to the maximum in Q5.26.
    pub(super) fn scaled(self, diff: i32) -> i32 {
        let shifted = diff.wrapping_mul(1i32.wrapping_shl(self.multiplier.shift as u32));
        doubling_high_mul(shifted, self.multiplier.mantissa)
    }

    /// The factor of [`Softmax8::scaled`].
    pub(super) fn multiplier(self) -> Multiplier {
        self.multiplier
    }

    /// Differences to the maximum below this count as −∞.
    pub(super) fn diff_min(self) -> i32 {
        self.diff_min
    }
}

/// 8-bit softmax; the output has scale 2^−bits and its smallest value as zero point.
pub fn softmax_8bit<T: QuantInt, O: QuantInt>(
    depth: usize,
    p: Softmax8,
    input: &[T],
    out: &mut [O],
) {
    const SUM_INTEGER_BITS: i32 = 12;
    let bits = 8 * size_of::<O>() as i32;
    let rows = input.chunks_exact(depth.max(1));
    for (x, out) in rows.zip(out.chunks_exact_mut(depth.max(1))) {
        let max = x.iter().map(|v| v.to_i32()).max().unwrap_or(0);
        let sum = x
            .iter()
            .filter_map(|v| p.exp(v.to_i32() - max))
            .fold(0i32, |s, e| {
                s.wrapping_add(rounding_divide_by_pot(e, SUM_INTEGER_BITS))
            });
        let (scale, over_unit) = reciprocal(sum, SUM_INTEGER_BITS);
        for (o, v) in out.iter_mut().zip(x) {
            let part = p.exp(v.to_i32() - max).map_or(0, |e| {
                rounding_divide_by_pot(doubling_high_mul(scale, e), over_unit + 31 - bits)
            });
            *o = O::saturate(i64::from(part) + i64::from(O::MIN));
        }
    }
}

/// Tables and factor of an int16 softmax.
#[derive(Debug, Clone)]
pub struct Softmax16 {
    multiplier: Multiplier,
    exp: Table16,
    one_over_one_plus: Table16,
}

impl Softmax16 {
    /// For an input of scale `scale`; differences to the maximum are mapped to [−10, 0].
    pub fn new(beta: f32, scale: f32) -> Self {
        let range = 65535.0;
        let real = f64::from(scale * beta) / (10.0 / range);
        Self {
            multiplier: Multiplier::from_real(real),
            exp: table_i16_f64((10.0 / range, 32767), (2.0 / range, 0), f64::exp),
            one_over_one_plus: table_i16_f64((1.0 / range, -32768), (2.0 / range, 0), |x| {
                1.0 / (1.0 + x)
            }),
        }
    }
}

/// int16 softmax by tables; the output has scale 2⁻¹⁵ and zero point 0.
pub fn softmax_i16(depth: usize, p: &Softmax16, input: &[i16], out: &mut [i16]) {
    let rows = input.chunks_exact(depth.max(1));
    for (x, out) in rows.zip(out.chunks_exact_mut(depth.max(1))) {
        let max = x.iter().copied().max().unwrap_or(0);
        let mut sum = 0i32;
        for (o, &v) in out.iter_mut().zip(x) {
            let diff = p.multiplier.apply(i32::from(v) - i32::from(max));
            *o = p.exp.interpolate(saturate(i64::from(diff) + 32767));
            sum = sum.wrapping_add((*o).into());
        }
        let headroom = (sum as u32).leading_zeros();
        let shift = headroom.saturating_sub(1);
        let shifted = ((i64::from(sum) << shift) + (1 << 13)) >> 14;
        let symmetric = saturate(shifted - ((1 << 15) + (1 << 16)));
        let reciprocal = i64::from(p.one_over_one_plus.interpolate(symmetric));
        let right = 31u32.saturating_sub(headroom).max(1);
        for o in out {
            let scaled = (i64::from(*o) * reciprocal + (1 << (right - 1))) >> right;
            *o = scaled.clamp(0, 32767) as i16;
        }
    }
}

fn saturate(x: i64) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
