//! Depthwise convolution with AVX-512: integers two taps at a time by `vpdpwssd`, floats by FMA, a few pixels per call.
//!
//! The safe functions may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::avx512::{RoomyBounds, RoomyPanel, dpwssd};
use super::hybrid_avx512::HybridPanel;
use super::{FloatWeights, HybridPart, IntTaps, QUAD_CHANNELS, Run, Tap};
use crate::kernels::depthwise::OUTSIDE;
use crate::kernels::gemm::TILE_COLS;
use crate::kernels::rescale::FixedPart;

/// Pixels that a call computes together, so that they share the weights.
const TOGETHER: usize = 8;

pub(super) fn int_taps<T: Tap>(t: &IntTaps<T>, sums: &mut [i32]) {
    let n = t.channels.len();
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe {
        match (n.div_ceil(32), n.is_multiple_of(32)) {
            (1, true) => int_taps_here::<T, 1, false>(t, sums),
            (2, true) => int_taps_here::<T, 2, false>(t, sums),
            (1, false) => int_taps_here::<T, 1, true>(t, sums),
            (2, false) => int_taps_here::<T, 2, true>(t, sums),
            (groups, _) => unreachable!("no depthwise kernel of {groups} groups"),
        }
    }
}

pub(super) fn float_run(run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe {
        if w.in_order {
            float_run_here::<true>(run, w, out)
        } else {
            float_run_here::<false>(run, w, out)
        }
    }
}

pub(super) fn byte_run(run: &Run<i8>, weights: &[i8], p: &FixedPart, out: &mut [i8]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { byte_run_here(run, weights, p, out) }
}

pub(super) fn hybrid_run(run: &Run<i8>, weights: &[i8], p: &HybridPart, out: &mut [f32]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { hybrid_run_here(run, weights, p, out) }
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

/// 32 values as 16-bit integers; if `MASKED`, those not in `lanes` are 0.
///
/// # Safety
/// The values (of `lanes`) must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load<T: Tap, const MASKED: bool>(from: *const T, lanes: u32) -> __m512i {
    // SAFETY: the caller's; masked lanes are not read.
    unsafe {
        match (size_of::<T>() == 1, MASKED) {
            (true, false) => _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())),
            (true, true) => _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(lanes, from.cast())),
            (false, false) => _mm512_loadu_si512(from.cast()),
            (false, true) => _mm512_maskz_loadu_epi16(lanes, from.cast()),
        }
    }
}

/// `P` groups of 32 channels, the last of them short if `TAIL`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn int_taps_here<T: Tap, const P: usize, const TAIL: bool>(t: &IntTaps<T>, sums: &mut [i32]) {
    const GROUP: usize = 32;
    let pairs = t.taps.div_ceil(2);
    let (first, len) = (t.channels.start, t.channels.len());
    assert!(len <= P * GROUP && len > (P - 1) * GROUP && (TAIL || len == P * GROUP));
    let lanes = u32::MAX >> (P * GROUP - len);
    let order_low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let order_high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    let weights = t.weights[first * 2 * pairs..][..P * GROUP * 2 * pairs].as_ptr();
    for (offsets, sums) in t.offsets.chunks(t.taps).zip(sums.chunks_mut(TILE_COLS)) {
        let mut low = [_mm512_setzero_si512(); P];
        let mut high = [_mm512_setzero_si512(); P];
        for pair in 0..pairs {
            let second = offsets.get(2 * pair + 1).copied().unwrap_or(OUTSIDE);
            let a = tap(t.input, t.pad, offsets[2 * pair], first, len).as_ptr();
            let b = tap(t.input, t.pad, second, first, len).as_ptr();
            for p in 0..P {
                // SAFETY: `tap` found `len` readable values, and the lanes beyond them are masked; the weights of a group
                // hold 64 values a pair.
                let (a, b, w0, w1) = unsafe {
                    let (a, b) = (a.add(p * GROUP), b.add(p * GROUP));
                    let w = weights.add((p * pairs + pair) * 2 * GROUP);
                    let (a, b) = if TAIL && p + 1 == P {
                        (load::<T, true>(a, lanes), load::<T, true>(b, lanes))
                    } else {
                        (load::<T, false>(a, lanes), load::<T, false>(b, lanes))
                    };
                    let w1 = _mm512_loadu_si512(w.add(GROUP).cast());
                    (a, b, _mm512_loadu_si512(w.cast()), w1)
                };
                low[p] = dpwssd(low[p], _mm512_unpacklo_epi16(a, b), w0);
                high[p] = dpwssd(high[p], _mm512_unpackhi_epi16(a, b), w1);
            }
        }
        let sums = sums[..P * GROUP].as_mut_ptr();
        for p in 0..P {
            // SAFETY: `sums` has 32 values a group.
            unsafe {
                _mm512_storeu_si512(
                    sums.add(p * GROUP).cast(),
                    _mm512_permutex2var_epi64(low[p], order_low, high[p]),
                );
                _mm512_storeu_si512(
                    sums.add(p * GROUP + 16).cast(),
                    _mm512_permutex2var_epi64(low[p], order_high, high[p]),
                );
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn float_run_here<const IN_ORDER: bool>(run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    for first in (0..run.pixels).step_by(TOGETHER) {
        let out = &mut out[first * run.stride..];
        match (run.pixels - first).min(TOGETHER) {
            1 => float_pixels::<1, IN_ORDER>(run, first, w, out),
            2 => float_pixels::<2, IN_ORDER>(run, first, w, out),
            3 => float_pixels::<3, IN_ORDER>(run, first, w, out),
            4 => float_pixels::<4, IN_ORDER>(run, first, w, out),
            5 => float_pixels::<5, IN_ORDER>(run, first, w, out),
            6 => float_pixels::<6, IN_ORDER>(run, first, w, out),
            7 => float_pixels::<7, IN_ORDER>(run, first, w, out),
            _ => float_pixels::<8, IN_ORDER>(run, first, w, out),
        }
    }
}

/// `R` pixels from `first` on, 16 channels at a time; `IN_ORDER` as in [`FloatWeights`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn float_pixels<const R: usize, const IN_ORDER: bool>(
    run: &Run<f32>,
    first: usize,
    w: &FloatWeights,
    out: &mut [f32],
) {
    const GROUP: usize = 16;
    let (stride, end) = (run.stride, run.channels.end);
    assert!(end <= stride && w.bias.len() >= end && w.weights.len() >= run.offsets.len() * stride);
    assert!(first + R <= run.pixels && out.len() >= (R - 1) * stride + end);
    let (low, high) = (_mm512_set1_ps(w.clamp.0), _mm512_set1_ps(w.clamp.1));
    for c in run.channels.clone().step_by(GROUP) {
        let lanes = u16::MAX >> (GROUP - (end - c).min(GROUP));
        // SAFETY: the assertion; lanes beyond the channels are not read.
        let bias = unsafe { _mm512_maskz_loadu_ps(lanes, w.bias.as_ptr().add(c)) };
        let zero = _mm512_setzero_ps();
        let mut acc = [if IN_ORDER { zero } else { bias }; R];
        for n in 0..run.offsets.len() {
            let (from, step) = run.tap(n);
            let mut from = from.as_ptr().wrapping_add(first * step + c);
            // SAFETY: the assertion; lanes beyond the channels are not read.
            let weights =
                unsafe { _mm512_maskz_loadu_ps(lanes, w.weights.as_ptr().add(n * stride + c)) };
            for acc in &mut acc {
                // SAFETY: `tap` gives all channels of every pixel; lanes beyond them are not read.
                let x = unsafe { _mm512_maskz_loadu_ps(lanes, from) };
                from = from.wrapping_add(step);
                *acc = if IN_ORDER {
                    _mm512_add_ps(*acc, _mm512_mul_ps(x, weights))
                } else {
                    _mm512_fmadd_ps(x, weights, *acc)
                };
            }
        }
        for (r, acc) in acc.into_iter().enumerate() {
            let acc = if IN_ORDER {
                _mm512_add_ps(acc, bias)
            } else {
                acc
            };
            // The second operand is returned for NaN.
            let v = _mm512_min_ps(high, _mm512_max_ps(low, acc));
            // SAFETY: the assertion; lanes beyond the channels are not written.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr().add(r * stride + c), lanes, v) };
        }
    }
}

/// Calls `$f::<R>(run, first, …, rest of $out)` for up to four pixels at a time.
macro_rules! by_four {
    ($run:expr, $out:expr, $f:ident($($arg:expr),*)) => {
        for first in (0..$run.pixels).step_by(4) {
            let out = &mut $out[first * $run.stride..];
            match ($run.pixels - first).min(4) {
                1 => $f::<1>($run, first, $($arg,)* out),
                2 => $f::<2>($run, first, $($arg,)* out),
                3 => $f::<3>($run, first, $($arg,)* out),
                _ => $f::<4>($run, first, $($arg,)* out),
            }
        }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn byte_run_here(run: &Run<i8>, weights: &[i8], p: &FixedPart, out: &mut [i8]) {
    by_four!(run, out, byte_pixels(weights, p));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn hybrid_run_here(run: &Run<i8>, weights: &[i8], p: &HybridPart, out: &mut [f32]) {
    by_four!(run, out, hybrid_pixels(weights, p));
}

/// Sums of `R` pixels from `first` on over the 64 channels (or the `lanes` of them) from `c` on, in the order of `quad_channel`:
/// four taps by one `vpdpbusd`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn quad_sums<const R: usize>(
    run: &Run<i8>,
    first: usize,
    weights: &[i8],
    c: usize,
    lanes: u64,
) -> [[__m512i; 4]; R] {
    let taps = run.offsets.len();
    let quads = taps.div_ceil(4);
    assert!(first + R <= run.pixels && c < run.channels.end);
    assert!(lanes <= u64::MAX >> (QUAD_CHANNELS - (run.channels.end - c).min(QUAD_CHANNELS)));
    let flip = _mm512_set1_epi8(-128);
    let weights = &weights[c * quads * 4..][..quads * 4 * QUAD_CHANNELS];
    let mut acc = [[_mm512_setzero_si512(); 4]; R];
    for quad in 0..quads {
        let mut w = [_mm512_setzero_si512(); 4];
        for (i, w) in w.iter_mut().enumerate() {
            // SAFETY: 256 weights a quad, cut above.
            *w = unsafe { _mm512_loadu_si512(weights.as_ptr().add((quad * 4 + i) * 64).cast()) };
        }
        // Beyond the last tap the weights are 0, whatever is read.
        let tap = |i: usize| run.tap((quad * 4 + i).min(taps - 1));
        let at =
            |(from, step): (&[i8], usize)| (from.as_ptr().wrapping_add(first * step + c), step);
        let (mut a_at, mut b_at) = (at(tap(0)), at(tap(1)));
        let (mut c_at, mut d_at) = (at(tap(2)), at(tap(3)));
        for acc in &mut acc {
            // SAFETY: `tap` gives all channels of every pixel; lanes beyond them are not read.
            let (a, b, c_, d) = unsafe {
                (
                    _mm512_maskz_loadu_epi8(lanes, a_at.0),
                    _mm512_maskz_loadu_epi8(lanes, b_at.0),
                    _mm512_maskz_loadu_epi8(lanes, c_at.0),
                    _mm512_maskz_loadu_epi8(lanes, d_at.0),
                )
            };
            for (from, step) in [&mut a_at, &mut b_at, &mut c_at, &mut d_at] {
                *from = from.wrapping_add(*step);
            }
            let (a, b) = (_mm512_xor_si512(a, flip), _mm512_xor_si512(b, flip));
            let (c_, d) = (_mm512_xor_si512(c_, flip), _mm512_xor_si512(d, flip));
            let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c_, d));
            acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(ab, cd), w[0]);
            acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(ab, cd), w[1]);
            let (ab, cd) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c_, d));
            acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(ab, cd), w[2]);
            acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(ab, cd), w[3]);
        }
    }
    acc
}

/// The lanes of the 64 channels from `c` on that are real.
#[inline(always)]
fn quad_lanes(run: &Run<i8>, c: usize) -> u64 {
    u64::MAX >> (QUAD_CHANNELS - (run.channels.end - c).min(QUAD_CHANNELS))
}

/// `R` pixels from `first` on, 64 channels at a time.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn byte_pixels<const R: usize>(
    run: &Run<i8>,
    first: usize,
    weights: &[i8],
    p: &FixedPart,
    out: &mut [i8],
) {
    let (stride, end) = (run.stride, run.channels.end);
    assert!(run.channels.start.is_multiple_of(QUAD_CHANNELS) && end <= stride);
    assert!(out.len() >= (R - 1) * stride + end);
    let bounds = RoomyBounds::new(p.bounds);
    for c in run.channels.clone().step_by(QUAD_CHANNELS) {
        let lanes = quad_lanes(run, c);
        let mut acc = quad_sums::<R>(run, first, weights, c, lanes);
        for i in 0..4 {
            let panel = RoomyPanel::new(p, c + i * 16);
            for acc in &mut acc {
                acc[i] = panel.rescale(acc[i]);
            }
        }
        for (r, acc) in acc.into_iter().enumerate() {
            // SAFETY: the assertion; lanes beyond the channels are not written.
            unsafe {
                let to = out.as_mut_ptr().add(r * stride + c);
                _mm512_mask_storeu_epi8(to, lanes, bounds.pack_in_turn(acc));
            }
        }
    }
}

/// The same to floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn hybrid_pixels<const R: usize>(
    run: &Run<i8>,
    first: usize,
    weights: &[i8],
    p: &HybridPart,
    out: &mut [f32],
) {
    let (stride, end) = (run.stride, run.channels.end);
    assert!(run.channels.start.is_multiple_of(QUAD_CHANNELS) && end <= stride);
    assert!(out.len() >= (R - 1) * stride + end);
    for c in run.channels.clone().step_by(QUAD_CHANNELS) {
        let lanes = quad_lanes(run, c);
        let mut acc = quad_sums::<R>(run, first, weights, c, lanes);
        for acc in &mut acc {
            *acc = in_order(*acc);
        }
        for i in 0..4 {
            let panel = HybridPanel::new(p, c + i * 16, 0);
            let lanes = (lanes >> (16 * i)) as u16;
            for (r, acc) in acc.iter().enumerate() {
                // SAFETY: the assertion; lanes beyond the channels are not written.
                unsafe {
                    let to = out.as_mut_ptr().wrapping_add(r * stride + c + i * 16);
                    _mm512_mask_storeu_ps(to, lanes, panel.real(acc[i]));
                }
            }
        }
    }
}

/// 64 values from the order of `quad_channel` to that of the channels.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_order([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let ab = _mm512_shuffle_i32x4::<0b01_00_01_00>(a, b);
    let cd = _mm512_shuffle_i32x4::<0b01_00_01_00>(c, d);
    let ab_high = _mm512_shuffle_i32x4::<0b11_10_11_10>(a, b);
    let cd_high = _mm512_shuffle_i32x4::<0b11_10_11_10>(c, d);
    [
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd),
        _mm512_shuffle_i32x4::<0b10_00_10_00>(ab_high, cd_high),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(ab_high, cd_high),
    ]
}
