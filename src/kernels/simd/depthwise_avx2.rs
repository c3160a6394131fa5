//! Depthwise convolution with AVX2: integers two taps at a time by `vpmaddwd`, floats by FMA, a few pixels per call.
//!
//! The safe functions may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::{FloatWeights, IntTaps, Run, Tap};
use crate::kernels::depthwise::OUTSIDE;
use crate::kernels::gemm::TILE_COLS;
use crate::kernels::portable;

/// Whole groups of 16 channels only.
pub(super) fn int_taps<T: Tap>(t: &IntTaps<T>, sums: &mut [i32]) {
    // SAFETY: a `Proven` AVX2 led here.
    unsafe {
        match t.channels.len() / 16 {
            0 => {}
            1 => int_taps_here::<T, 1>(t, sums),
            2 => int_taps_here::<T, 2>(t, sums),
            3 => int_taps_here::<T, 3>(t, sums),
            4 => int_taps_here::<T, 4>(t, sums),
            groups => unreachable!("no depthwise kernel of {groups} groups"),
        }
    }
}

pub(super) fn float_run(run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    // SAFETY: a `Proven` AVX2 led here.
    unsafe {
        if w.in_order {
            float_run_here::<true>(run, w, out);
        } else {
            float_run_here::<false>(run, w, out);
        }
    }
    let mut rest = run.clone();
    rest.channels.start += rest.channels.len() / 8 * 8;
    portable::float_run(&rest, w, out);
}

/// A tap's channels from `first` on, `len` of them.
#[inline(always)]
fn tap<'a, T>(input: &'a [T], pad: &'a [T], offset: usize, first: usize, len: usize) -> &'a [T] {
    let (from, offset) = match offset {
        OUTSIDE => (pad, 0),
        offset => (input, offset),
    };
    &from[offset + first..][..len]
}

/// 16 values as 16-bit integers.
///
/// # Safety
/// They must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load<T: Tap>(from: *const T) -> __m256i {
    // SAFETY: the caller's.
    unsafe {
        if size_of::<T>() == 1 {
            _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast()))
        } else {
            _mm256_loadu_si256(from.cast())
        }
    }
}

/// `P` groups of 16 channels.
#[target_feature(enable = "avx2")]
fn int_taps_here<T: Tap, const P: usize>(t: &IntTaps<T>, sums: &mut [i32]) {
    const GROUP: usize = 16;
    let pairs = t.taps.div_ceil(2);
    let (first, len) = (t.channels.start, P * GROUP);
    let weights = t.weights[first * 2 * pairs..][..len * 2 * pairs].as_ptr();
    for (offsets, sums) in t.offsets.chunks(t.taps).zip(sums.chunks_mut(TILE_COLS)) {
        let mut low = [_mm256_setzero_si256(); P];
        let mut high = [_mm256_setzero_si256(); P];
        for pair in 0..pairs {
            let second = offsets.get(2 * pair + 1).copied().unwrap_or(OUTSIDE);
            let a = tap(t.input, t.pad, offsets[2 * pair], first, len).as_ptr();
            let b = tap(t.input, t.pad, second, first, len).as_ptr();
            for p in 0..P {
                // SAFETY: `tap` found `len` readable values; the weights of a group hold 32 values a pair.
                let (a, b, w0, w1) = unsafe {
                    let w = weights.add((p * pairs + pair) * 2 * GROUP);
                    (
                        load(a.add(p * GROUP)),
                        load(b.add(p * GROUP)),
                        _mm256_loadu_si256(w.cast()),
                        _mm256_loadu_si256(w.add(GROUP).cast()),
                    )
                };
                let ab = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w0);
                low[p] = _mm256_add_epi32(low[p], ab);
                let ab = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w1);
                high[p] = _mm256_add_epi32(high[p], ab);
            }
        }
        let sums = sums[..len].as_mut_ptr();
        for p in 0..P {
            // SAFETY: `sums` has 16 values a group.
            unsafe {
                _mm256_storeu_si256(
                    sums.add(p * GROUP).cast(),
                    _mm256_permute2x128_si256::<0x20>(low[p], high[p]),
                );
                _mm256_storeu_si256(
                    sums.add(p * GROUP + 8).cast(),
                    _mm256_permute2x128_si256::<0x31>(low[p], high[p]),
                );
            }
        }
    }
}

/// Whole groups of 8 channels only.
#[target_feature(enable = "avx2,fma")]
fn float_run_here<const IN_ORDER: bool>(run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    for first in (0..run.pixels).step_by(4) {
        let out = &mut out[first * run.stride..];
        match (run.pixels - first).min(4) {
            1 => float_pixels::<1, IN_ORDER>(run, first, w, out),
            2 => float_pixels::<2, IN_ORDER>(run, first, w, out),
            3 => float_pixels::<3, IN_ORDER>(run, first, w, out),
            _ => float_pixels::<4, IN_ORDER>(run, first, w, out),
        }
    }
}

/// `R` pixels from `first` on, 8 channels at a time; `IN_ORDER` as in [`FloatWeights`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn float_pixels<const R: usize, const IN_ORDER: bool>(
    run: &Run<f32>,
    first: usize,
    w: &FloatWeights,
    out: &mut [f32],
) {
    const GROUP: usize = 8;
    let (stride, begin) = (run.stride, run.channels.start);
    let end = begin + run.channels.len() / GROUP * GROUP;
    assert!(end <= stride && w.bias.len() >= end && w.weights.len() >= run.offsets.len() * stride);
    assert!(first + R <= run.pixels && out.len() >= (R - 1) * stride + end);
    let (low, high) = (_mm256_set1_ps(w.clamp.0), _mm256_set1_ps(w.clamp.1));
    for c in (begin..end).step_by(GROUP) {
        // SAFETY: the assertion.
        let bias = unsafe { _mm256_loadu_ps(w.bias.as_ptr().add(c)) };
        let zero = _mm256_setzero_ps();
        let mut acc = [if IN_ORDER { zero } else { bias }; R];
        for n in 0..run.offsets.len() {
            let (from, step) = run.tap(n);
            let mut from = from.as_ptr().wrapping_add(first * step + c);
            // SAFETY: the assertion.
            let weights = unsafe { _mm256_loadu_ps(w.weights.as_ptr().add(n * stride + c)) };
            for acc in &mut acc {
                // SAFETY: `tap` gives all channels of every pixel.
                let x = unsafe { _mm256_loadu_ps(from) };
                from = from.wrapping_add(step);
                *acc = if IN_ORDER {
                    _mm256_add_ps(*acc, _mm256_mul_ps(x, weights))
                } else {
                    _mm256_fmadd_ps(x, weights, *acc)
                };
            }
        }
        for (r, acc) in acc.into_iter().enumerate() {
            let acc = if IN_ORDER {
                _mm256_add_ps(acc, bias)
            } else {
                acc
            };
            // The second operand is returned for NaN.
            let v = _mm256_min_ps(high, _mm256_max_ps(low, acc));
            // SAFETY: the assertion.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(r * stride + c), v) };
        }
    }
}
