//! Quantizing the input of hybrid kernels while they run, vectorised; the results are those of `quantize::quantize_row_*`.

use std::ops::Range;

use super::float_range::{FloatRange, range_of};
use super::gemm::worth;
use super::isa::Proven;
use super::parallel;
use super::quantize::{ROUNDED_TOGETHER, inverse_of, row_steps};
use super::simd::{self, Vectorized};

/// Values that are worth a thread.
const GRAIN: usize = 50_000;

/// Its last bit is worth 1, so that adding it rounds to an integer, ties to even; the integer stands in the low bits.
const MAGIC: f32 = 12_582_912.0;

/// `v` to the nearest integer, halves away from zero, within `low..=high` (at most ±2^20); 0 for NaN.
#[inline(always)]
pub(crate) fn round_within(v: f32, low: f32, high: f32) -> i32 {
    #[allow(clippy::eq_op)] // NaN differs from itself
    let v = if v == v { v } else { 0.0 };
    let v = if v < low { low } else { v };
    let v = if v > high { high } else { v };
    let even = (v + MAGIC) - MAGIC;
    let rest = v - even;
    let up = if rest == 0.5 && v > 0.0 { 1.0 } else { 0.0 };
    let down = if rest == -0.5 && v < 0.0 { 1.0 } else { 0.0 };
    let whole = even + (up - down);
    (whole + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

/// [`round_sum`](super::quantize::round_sum) within ±`limit` (at most 2^20), without the casts and calls that would keep a
/// loop over it scalar; 0 for NaN.
#[inline(always)]
fn round_sum_within(steps: f32, limit: f32) -> i32 {
    let sum = steps + if steps < 0.0 { -0.5 } else { 0.5 };
    #[allow(clippy::eq_op)] // NaN differs from itself
    let sum = if sum == sum { sum } else { 0.0 };
    let sum = if sum < -limit { -limit } else { sum };
    let sum = if sum > limit { limit } else { sum };
    let even = (sum + MAGIC) - MAGIC;
    let above = if sum > 0.0 && even > sum { 1.0 } else { 0.0 };
    let below = if sum < 0.0 && even < sum { 1.0 } else { 0.0 };
    let whole = even - (above - below);
    (whole + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

/// How the values of a row are rounded to int8, which follows from its extremes alone.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Rounding {
    pub scale: f32,
    pub zero_point: i32,
    /// Steps in 1; 0, with the zero point 0, for a row of zeros or one that is not finite.
    pub inverse: f32,
    /// Smallest step.
    pub low: i32,
}

impl Rounding {
    /// As `quantize_row_asymmetric` or `quantize_row_symmetric` finds it.
    pub fn new(of: FloatRange, asymmetric: bool) -> Self {
        // A row of just the extremes has the same scale.
        let ends = [of.low, of.high];
        let mut ignored = [0i8; 2];
        let (scale, zero_point, range, low) = if asymmetric {
            let (scale, zero_point) = super::quantize::quantize_row_asymmetric(&ends, &mut ignored);
            (scale, zero_point, of.high - of.low, -128)
        } else {
            let scale = super::quantize::quantize_row_symmetric(&ends, &mut ignored);
            (scale, 0, of.high.max(-of.low), -127)
        };
        let inverse = if range == 0.0 || !range.is_finite() {
            0.0
        } else if asymmetric {
            inverse_of(scale)
        } else {
            127.0 / range
        };
        Self {
            scale,
            zero_point,
            inverse,
            low,
        }
    }

    /// Rounds the values `part` of `row` to the bytes `out`, each then exclusive-or `flip`.
    pub fn round(&self, isa: Proven, row: &[f32], part: Range<usize>, flip: u8, out: &mut [u8]) {
        let together = row.len() / ROUNDED_TOGETHER * ROUNDED_TOGETHER;
        let middle = together.clamp(part.start, part.end);
        let (out, rest) = out.split_at_mut(middle - part.start);
        simd::round_row(isa, self, &row[part.start..middle], flip, out);
        let exact: &mut [i8] = bytemuck::cast_slice_mut(rest);
        let last = &row[middle..part.end];
        row_steps_alone(last, self, exact);
        rest.iter_mut().for_each(|v| *v ^= flip);
    }

    /// [`Rounding::round`] of a whole row on up to `threads` threads.
    pub fn round_all(&self, isa: Proven, row: &[f32], out: &mut [i8], threads: usize) {
        let out: &mut [u8] = bytemuck::cast_slice_mut(out);
        let threads = worth(threads, row.len(), GRAIN);
        let step = row.len().div_ceil(threads).next_multiple_of(64);
        if threads == 1 {
            self.round(isa, row, 0..row.len(), 0, out);
        } else {
            parallel::chunks(out, step, &|i, out: &mut [u8]| {
                self.round(isa, row, i * step..i * step + out.len(), 0, out);
            });
        }
    }
}

/// Values behind those that are rounded together.
fn row_steps_alone(x: &[f32], how: &Rounding, out: &mut [i8]) {
    for (x, out) in x.iter().zip(out) {
        let (x, out) = (std::slice::from_ref(x), std::slice::from_mut(out));
        row_steps(x, how.inverse, how.zero_point, how.low, out);
    }
}

/// Values that are rounded together, in plain Rust.
pub(crate) struct RoundPart<'a> {
    pub how: &'a Rounding,
    pub values: &'a [f32],
    pub flip: u8,
    pub out: &'a mut [u8],
}

impl Vectorized for RoundPart<'_> {
    #[inline(always)]
    fn run(self) {
        let &Rounding {
            inverse,
            zero_point,
            low,
            ..
        } = self.how;
        for (out, &v) in self.out.iter_mut().zip(self.values) {
            let steps = round_sum_within(v * inverse, 256.0);
            *out = (steps + zero_point).max(low).min(127) as i8 as u8 ^ self.flip;
        }
    }
}

/// Quantizes a row to int8 on up to `threads` threads, as `quantize_row_asymmetric` or `quantize_row_symmetric` does; returns
/// how. `known` are its extremes, if somebody found them.
pub(crate) fn quantize_row(
    isa: Proven,
    x: &[f32],
    known: Option<FloatRange>,
    asymmetric: bool,
    out: &mut [i8],
    threads: usize,
) -> Rounding {
    let how = rounding(isa, x, known, asymmetric, threads);
    how.round_all(isa, x, out, threads);
    how
}

/// How a row is to be quantized.
pub(crate) fn rounding(
    isa: Proven,
    x: &[f32],
    known: Option<FloatRange>,
    asymmetric: bool,
    threads: usize,
) -> Rounding {
    let of = known.unwrap_or_else(|| range_of(isa, x, worth(threads, x.len(), GRAIN)));
    Rounding::new(of, asymmetric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::quantize::{quantize_row_asymmetric, quantize_row_symmetric};

    #[test]
    fn rows_are_quantized_as_the_reference_does() {
        let wave = |n: usize, f: f32, shift: f32| -> Vec<f32> {
            (0..n).map(|i| (i as f32 * f).sin() * 3.0 + shift).collect()
        };
        let mut rows: Vec<Vec<f32>> = vec![
            vec![],
            vec![0.0; 40],
            vec![-1.0],
            vec![f32::INFINITY, 1.0],
            vec![1e-40, -1e-42],
            vec![f32::MAX, f32::MIN],
        ];
        rows.push([vec![1e-40; 100], vec![-1e-42, 0.0]].concat());
        rows.push([wave(33, 0.3, 0.0), vec![f32::NAN], wave(70, 1.3, 0.0)].concat());
        // Steps of a half, where rounding shows, and their neighbours.
        let halves = (-254..=254).map(|i| i as f32 / 2.0);
        rows.push(halves.clone().collect());
        rows.push(halves.clone().map(f32::next_up).collect());
        rows.push(halves.map(f32::next_down).collect());
        for n in [1, 31, 32, 33, 64, 100] {
            for shift in [-5.0, -1.0, 0.0, 0.2, 6.0] {
                rows.push(wave(n, 0.77, shift));
            }
        }
        // Worth three threads.
        rows.push(wave(3 * GRAIN + 1, 0.77, 0.1));
        for isa in Isa::available() {
            for (i, x) in rows.iter().enumerate() {
                let (mut got, mut want) = (vec![1; x.len()], vec![2; x.len()]);
                let a = quantize_row(isa.proven(), x, None, true, &mut got, 3);
                let b = quantize_row_asymmetric(x, &mut want);
                assert_eq!((a.scale, a.zero_point), b, "{isa:?} row {i}");
                assert_eq!(got, want, "{isa:?} asymmetric row {i}");
                let mut flipped = vec![0u8; x.len()];
                let (left, right) = flipped.split_at_mut(x.len() / 3);
                a.round(isa.proven(), x, 0..left.len(), 0x80, left);
                a.round(isa.proven(), x, left.len()..x.len(), 0x80, right);
                let back: Vec<i8> = flipped.iter().map(|v| (v ^ 0x80) as i8).collect();
                assert_eq!(back, want, "{isa:?} parts of row {i}");
                let s = quantize_row(isa.proven(), x, None, false, &mut got, 3);
                let b = (quantize_row_symmetric(x, &mut want), 0);
                assert_eq!((s.scale, s.zero_point), b, "{isa:?} row {i}");
                assert_eq!(got, want, "{isa:?} symmetric row {i}");
            }
        }
    }
}
