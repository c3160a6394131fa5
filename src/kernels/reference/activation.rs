//! RELU, RELU6, LOGISTIC, TANH and HARD_SWISH, and the tables that integer activations look up.
//!
//! Sources: `activations.cc`, `internal/common.h` `LUTPopulate`, `integer_ops/logistic.h`, `integer_ops/tanh.h`,
//! `hard_swish.h`, `logistic.h`, `reference_ops.h` `ReluX`.

use crate::kernels::exponential::exp;
use crate::kernels::fixed_point::{Multiplier, doubling_high_mul_i16, rounding_divide_by_pot};
use crate::kernels::quantize::QuantInt;

/// Clamp of floats: RELU is [0, ∞), RELU6 [0, 6].
pub fn relu_f32(input: &[f32], (low, high): (f32, f32), out: &mut [f32]) {
    for (o, &v) in out.iter_mut().zip(input) {
        *o = v.clamp(low, high);
    }
}

/// Rescales to the output's scale and zero point, then clamps to `clamp` (output steps).
pub fn relu<T: QuantInt>(
    input: &[T],
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
    clamp: (i32, i32),
    out: &mut [T],
) {
    for (o, v) in out.iter_mut().zip(input) {
        let scaled = multiplier.apply(v.to_i32() - input_zero_point);
        let step = i64::from(scaled) + i64::from(output_zero_point);
        *o = T::saturate(step.clamp(clamp.0.into(), clamp.1.into()));
    }
}

/// 1 / (1 + e^−x), as gates of recurrent cells and tables of integers take it.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// LOGISTIC of floats: [`sigmoid`], but e^x far below 0 and 1 far above, as LiteRT's kernel shortens it.
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    let low = x < -9.0;
    let e = exp(if low { x } else { -x });
    let y = 1.0 / (1.0 + e);
    let y = if low { e } else { y };
    if x > 16.619_047 { 1.0 } else { y }
}

/// x · relu6(x + 3) / 6.
#[inline(always)]
pub fn hard_swish(x: f32) -> f32 {
    x * (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// Output steps of an 8-bit function for each input step, the smallest first.
pub type Table8<T> = [T; 256];

/// Tabulates `f` between two 8-bit quantizations, each a scale and a zero point.
pub fn table_8bit<T: QuantInt>(
    input: (f32, i32),
    output: (f32, i32),
    f: impl Fn(f32) -> f32,
) -> Table8<T> {
    let inverse = 1.0 / output.0;
    std::array::from_fn(|i| {
        let x = input.0 * (T::MIN + i as i32 - input.1) as f32;
        let step = (f(x) * inverse).round() + output.1 as f32;
        T::saturate(step as i64)
    })
}

/// Looks up every step in a table of [`table_8bit`].
pub fn lookup_8bit<T: QuantInt>(input: &[T], table: &Table8<T>, out: &mut [T]) {
    for (o, v) in out.iter_mut().zip(input) {
        *o = table[(v.to_i32() - T::MIN) as usize & 0xff];
    }
}

/// A function of int16 as 512 straight pieces.
#[derive(Debug, Clone)]
pub struct Table16(Box<[i16; 513]>);

impl Table16 {
    /// The value at step `x`: the upper nine bits choose the piece, the lower seven interpolate.
    #[inline]
    pub fn interpolate(&self, x: i16) -> i16 {
        let piece = (256 + (x >> 7)) as usize;
        let base = i32::from(self.0[piece]);
        let slope = i32::from(self.0[piece + 1].wrapping_sub(self.0[piece]));
        (base + ((slope * i32::from(x & 0x7f) + 64) >> 7)) as i16
    }
}

macro_rules! table_i16 {
    ($(#[$doc:meta])* $name:ident, $float:ty) => {
        $(#[$doc])*
        pub fn $name(
            input: ($float, i32),
            output: ($float, i32),
            f: impl Fn($float) -> $float,
        ) -> Table16 {
            const PIECES: usize = 512;
            let real = |scale: $float, q: i32, zero_point: i32| scale * (q - zero_point) as $float;
            let (low, high) = (real(input.0, -32768, input.1), real(input.0, 32767, input.1));
            let step = (high - low) / PIECES as $float;
            let inverse = 65536.0 / (real(output.0, 32767, output.1) - real(output.0, -32768, output.1));
            let clamp = |v: $float| v.clamp(-32768.0, 32767.0) as i16;
            let mut table = Box::new([0i16; PIECES + 1]);
            for (i, t) in table.iter_mut().take(PIECES).enumerate() {
                let x = low + i as $float * step;
                let here = (f(x) * inverse).round();
                let next = f(low + (i + 1) as $float * step) * inverse;
                let middle = (f(x + step / 2.0) * inverse).round();
                let error = ((next + here) / 2.0).round() - middle;
                *t = clamp(here - (error / 2.0).round());
            }
            table[PIECES] = clamp((f(high) * inverse).round());
            Table16(table)
        }
    };
}

table_i16!(
    /// Tabulates `f` between two int16 quantizations, each a scale and a zero point (the table ignores the output's); each
    /// sample is shifted by half the error that interpolation makes in the middle of its piece.
    table_i16_f64, f64
);
table_i16!(
    /// The same, computed in float32 as LiteRT does for all operators but SOFTMAX.
    table_i16_f32, f32
);

/// Looks up every step in a table of int16.
pub fn lookup_16bit(input: &[i16], table: &Table16, out: &mut [i16]) {
    for (o, &v) in out.iter_mut().zip(input) {
        *o = table.interpolate(v);
    }
}

/// How an int16 input of LOGISTIC or TANH is brought to steps of 1 / (3 · 4096) before the sigmoid table:
/// (x · factor + half) >> shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigmoidScale {
    factor: i32,
    shift: u32,
}

impl SigmoidScale {
    /// For an input of scale `scale`. Powers of two that the table takes as they are (2⁻¹², for TANH also 2⁻¹¹,
    /// `max_left_shift` 0 and 1) are exact.
    pub fn new(scale: f32, max_left_shift: i32) -> Self {
        if let Some(left) = checked_log2(scale).map(|e| e + 12)
            && (0..=max_left_shift).contains(&left)
        {
            return Self {
                factor: 3 << left,
                shift: 0,
            };
        }
        let mut factor = f64::from(scale) * 4096.0 * 3.0;
        let mut shift = 0;
        while factor <= 32767.0 / 2.0 && shift <= 30 {
            shift += 1;
            factor *= 2.0;
        }
        Self {
            factor: factor as i32,
            shift,
        }
    }

    fn apply(self, x: i16) -> i32 {
        let half = if self.shift > 0 {
            1i32 << (self.shift - 1)
        } else {
            0
        };
        i32::from(x).wrapping_mul(self.factor).wrapping_add(half) >> self.shift
    }
}

/// The exponent of a scale that is a power of two (to 0.1 %).
pub fn checked_log2(scale: f32) -> Option<i32> {
    let exponent = scale.ln() * (1.0 / 2f32.ln());
    let rounded = exponent.round();
    (scale > 0.0 && (exponent - rounded).abs() < 1e-3).then_some(rounded as i32)
}

/// sigmoid(i / 24) in Q0.16, each sample lowered by half the error of interpolating linearly to the next.
fn sigmoid_table() -> [u16; 256] {
    let sigmoid = |i: f64| 65536.0 / (1.0 + (-i / 24.0).exp());
    std::array::from_fn(|i| {
        let i = i as f64;
        let chord = (sigmoid(i) + sigmoid(i + 1.0)) / 2.0;
        let sample = sigmoid(i) - (chord - sigmoid(i + 0.5)) / 2.0;
        if i == 255.0 {
            u16::MAX
        } else {
            sample.round() as u16
        }
    })
}

/// Interpolates the sigmoid table at `x` with `bits` fraction bits; `None` beyond its end.
fn sigmoid_at(table: &[u16; 256], x: u32, bits: u32) -> Option<u32> {
    let i = (x >> bits) as usize;
    if i >= 255 {
        return None;
    }
    let (a, b) = (u32::from(table[i]), u32::from(table[i + 1]));
    Some((a << bits) + (x & ((1 << bits) - 1)) * (b - a))
}

/// LOGISTIC of int16 steps; the output has scale 2⁻¹⁵.
pub fn logistic_i16(input: &[i16], scale: SigmoidScale, out: &mut [i16]) {
    let table = sigmoid_table();
    for (o, &v) in out.iter_mut().zip(input) {
        let x = scale.apply(v);
        let y = sigmoid_at(&table, x.unsigned_abs(), 9).unwrap_or(0x7FFF << 10);
        let rounded = if x >= 0 {
            y + (1 << 9)
        } else {
            (1 << 25) - y + (1 << 9) - 1
        };
        *o = (rounded >> 10) as i16;
    }
}

/// TANH of int16 steps, as 2 · sigmoid(2x) − 1; the output has scale 2⁻¹⁵.
pub fn tanh_i16(input: &[i16], scale: SigmoidScale, out: &mut [i16]) {
    let table = sigmoid_table();
    for (o, &v) in out.iter_mut().zip(input) {
        let x = scale.apply(v);
        let y = sigmoid_at(&table, x.unsigned_abs(), 8).unwrap_or(0xFFFF << 8) as i32;
        let rounded = if x >= 0 {
            y - (1 << 23) + (1 << 7)
        } else {
            -y + (1 << 23) + (1 << 7) - 1
        };
        *o = (rounded >> 8) as i16;
    }
}

/// Parameters of an 8-bit HARD_SWISH.
#[derive(Debug, Clone, Copy)]
pub struct HardSwish8 {
    input_zero_point: i32,
    output_zero_point: i32,
    output: (i16, i32),
    reluish: (i16, i32),
}

impl HardSwish8 {
    /// Between two quantizations, each a scale and a zero point; `None` where the output's steps are finer than 1/128
    /// of the input's, which the fixed-point format cannot hold.
    pub fn new(input: (f32, i32), output: (f32, i32)) -> Option<Self> {
        let hires = input.0 * (1.0 / 128.0);
        let to_output = Multiplier::from_real((hires / output.0).into());
        let to_reluish = Multiplier::from_real((hires / (3.0 / 32768.0)).into());
        (to_output.shift <= 0).then_some(Self {
            input_zero_point: input.1,
            output_zero_point: output.1,
            output: (to_output.mantissa_i16(), to_output.shift),
            reluish: (to_reluish.mantissa_i16(), to_reluish.shift),
        })
    }
}

/// 8-bit HARD_SWISH in 16-bit fixed point.
pub fn hard_swish_8bit<T: QuantInt>(input: &[T], p: &HardSwish8, out: &mut [T]) {
    let shl = |x: i16, n: i32| {
        let wide = i64::from(x) << n.clamp(0, 32);
        wide.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    };
    for (o, v) in out.iter_mut().zip(input) {
        let hires = ((v.to_i32() - p.input_zero_point) << 7) as i16;
        let on_output_scale = doubling_high_mul_i16(hires, p.output.0);
        // relu6(x + 3) / 6 as (clamp(x / 3, −1, 1) + 1) / 2.
        let exponent = p.reluish.1;
        let mut reluish = hires;
        if exponent > 0 {
            reluish = shl(reluish, exponent - 1);
        }
        reluish = doubling_high_mul_i16(reluish, p.reluish.0);
        if exponent > 0 {
            reluish = shl(reluish, 1);
        }
        if exponent < 0 {
            reluish = rounding_divide_by_pot(reluish.into(), -exponent) as i16;
        }
        let reluish = (i32::from(reluish) + (1 << 15)) >> 1;
        // Truncated, not rounded: it cancels the bias of the roundings above.
        let product = reluish * i32::from(on_output_scale) / (1 << 15);
        let step = rounding_divide_by_pot(product, -p.output.1) + p.output_zero_point;
        *o = T::saturate(step.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int16_functions_follow_the_real_ones() {
        for scale in [1.0 / 4096.0, 1.0 / 2048.0, 3.3e-4, 1e-5] {
            let input: Vec<i16> = (i16::MIN..i16::MAX).step_by(37).collect();
            let mut out = vec![0; input.len()];
            logistic_i16(&input, SigmoidScale::new(scale, 0), &mut out);
            for (&x, &y) in input.iter().zip(&out) {
                let real = sigmoid(f32::from(x) * scale);
                assert!((f32::from(y) / 32768.0 - real).abs() < 3e-4, "{x} {scale}");
            }
            tanh_i16_is_close(&input, scale);
        }
    }

    fn tanh_i16_is_close(input: &[i16], scale: f32) {
        let mut out = vec![0; input.len()];
        tanh_i16(input, SigmoidScale::new(scale, 1), &mut out);
        for (&x, &y) in input.iter().zip(&out) {
            let real = (f32::from(x) * scale).tanh();
            assert!((f32::from(y) / 32768.0 - real).abs() < 3e-4, "{x} {scale}");
        }
    }

    #[test]
    fn the_sigmoid_table_spans_the_upper_half() {
        let table = sigmoid_table();
        assert_eq!((table[0], table[1], table[128]), (32768, 33451, 65221));
        assert_eq!((table[254], table[255]), (65534, 65535));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let mut out = [0.0; 4];
        relu_f32(&[f32::NAN, -1.0, 7.0, f32::INFINITY], (0.0, 6.0), &mut out);
        assert!(out[0].is_nan());
        assert_eq!(out[1..], [0.0, 6.0, 6.0]);
    }
}
