//! Quantizing the input of hybrid kernels while they run, vectorised; the results are those of `quantize::quantize_row_*`.

use std::sync::{Mutex, PoisonError};

use super::gemm::worth;
use super::isa::Proven;
use super::parallel;
use super::quantize::{ROUNDED_TOGETHER, inverse_of, row_steps};
use super::simd::{self, Vectorized};

/// Values that are worth a thread.
const GRAIN: usize = 50_000;

/// Values looked at in one go.
const LANES: usize = 32;

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

/// Smallest and greatest value, 0 among them; NaN does not count.
struct Extremes<'a> {
    values: &'a [f32],
    out: &'a mut (f32, f32),
}

impl Vectorized for Extremes<'_> {
    #[inline(always)]
    fn run(self) {
        let (mut low, mut high) = ([0f32; LANES], [0f32; LANES]);
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        for v in chunks {
            for j in 0..LANES {
                low[j] = if v[j] < low[j] { v[j] } else { low[j] };
                high[j] = if v[j] > high[j] { v[j] } else { high[j] };
            }
        }
        let low = low.iter().chain(rest).fold(0f32, |m, &v| m.min(v));
        let high = high.iter().chain(rest).fold(0f32, |m, &v| m.max(v));
        *self.out = (low, high);
    }
}

/// What `quantize::row_steps` takes.
struct Round<'a> {
    values: &'a [f32],
    inverse: f32,
    zero_point: i32,
    low: i32,
}

/// Some of the values that are rounded together.
struct RoundPart<'a> {
    round: &'a Round<'a>,
    values: &'a [f32],
    out: &'a mut [i8],
}

impl Vectorized for RoundPart<'_> {
    #[inline(always)]
    fn run(self) {
        let &Round {
            inverse,
            zero_point,
            low,
            ..
        } = self.round;
        for (out, &v) in self.out.iter_mut().zip(self.values) {
            let steps = round_sum_within(v * inverse, 256.0);
            *out = (steps + zero_point).max(low).min(127) as i8;
        }
    }
}

/// [`Extremes`] on up to `threads` threads.
fn extremes(isa: Proven, x: &[f32], threads: usize) -> (f32, f32) {
    let of = |values: &[f32]| {
        let mut found = (0f32, 0f32);
        let out = &mut found;
        simd::vectorized(isa, Extremes { values, out });
        found
    };
    let threads = worth(threads, x.len(), GRAIN);
    if threads == 1 {
        return of(x);
    }
    let step = x.len().div_ceil(threads);
    let all = Mutex::new((0f32, 0f32));
    parallel::parts(threads, &|i| {
        let found = of(x.chunks(step).nth(i).unwrap_or(&[]));
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        *all = (all.0.min(found.0), all.1.max(found.1));
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// [`Round`] on up to `threads` threads.
fn round(isa: Proven, round: &Round<'_>, out: &mut [i8], threads: usize) {
    let together = out.len() / ROUNDED_TOGETHER * ROUNDED_TOGETHER;
    let (out, rest) = out.split_at_mut(together);
    let last = &round.values[together..];
    row_steps(last, round.inverse, round.zero_point, round.low, rest);
    let threads = worth(threads, out.len(), GRAIN);
    let step = out.len().div_ceil(threads).max(1);
    let part = |i: usize, out: &mut [i8]| {
        let values = &round.values[i * step..][..out.len()];
        simd::vectorized(isa, RoundPart { round, values, out });
    };
    if threads == 1 {
        part(0, out);
    } else {
        parallel::chunks(out, step, &part);
    }
}

/// Quantizes a row to int8 on up to `threads` threads, as `quantize_row_asymmetric` or `quantize_row_symmetric` does; returns
/// scale and zero point.
pub(crate) fn quantize_row(
    isa: Proven,
    x: &[f32],
    asymmetric: bool,
    out: &mut [i8],
    threads: usize,
) -> (f32, i32) {
    let extremes = extremes(isa, x, threads);
    // The scale follows from the extremes alone, and a row of just them has the same.
    let ends = [extremes.0, extremes.1];
    let mut ignored = [0i8; 2];
    if asymmetric {
        let (scale, zero_point) = super::quantize::quantize_row_asymmetric(&ends, &mut ignored);
        let range = extremes.1 - extremes.0;
        if range == 0.0 || !range.is_finite() {
            out.fill(0);
            return (scale, zero_point);
        }
        let how = Round {
            values: x,
            inverse: inverse_of(scale),
            zero_point,
            low: -128,
        };
        round(isa, &how, out, threads);
        (scale, zero_point)
    } else {
        let scale = super::quantize::quantize_row_symmetric(&ends, &mut ignored);
        let range = extremes.1.max(-extremes.0);
        if range == 0.0 || !range.is_finite() {
            out.fill(0);
            return (scale, 0);
        }
        let how = Round {
            values: x,
            inverse: 127.0 / range,
            zero_point: 0,
            low: -127,
        };
        round(isa, &how, out, threads);
        (scale, 0)
    }
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
        rows.push([wave(33, 0.3, 0.0), vec![f32::NAN], wave(70, 1.3, 0.0)].concat());
        // Steps of a half, where rounding shows.
        rows.push((-254..=254).map(|i| i as f32 / 2.0).collect());
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
                let a = quantize_row(isa.proven(), x, true, &mut got, 3);
                assert_eq!(a, quantize_row_asymmetric(x, &mut want), "{isa:?} row {i}");
                assert_eq!(got, want, "{isa:?} asymmetric row {i}");
                let (s, zero_point) = quantize_row(isa.proven(), x, false, &mut got, 3);
                assert_eq!(s, quantize_row_symmetric(x, &mut want), "{isa:?} row {i}");
                assert_eq!((got, zero_point), (want, 0), "{isa:?} symmetric row {i}");
            }
        }
    }
}
