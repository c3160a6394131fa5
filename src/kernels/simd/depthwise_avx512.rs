//! Depthwise convolution with AVX-512: integers two taps at a time by `vpdpwssd`, floats by FMA, a few pixels per call.
//!
//! The safe functions may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::avx512::dpwssd;
use super::{FloatTaps, IntTaps, Tap};
use crate::kernels::depthwise::OUTSIDE;
use crate::kernels::gemm::TILE_COLS;

/// Calls `$f::<panels, tail>` for 1 to 4 panels.
macro_rules! by_panels {
    ($panels:expr, $tail:expr, $f:ident($($arg:expr),*)) => {
        match ($panels, $tail) {
            (1, false) => $f::<1, false>($($arg),*),
            (2, false) => $f::<2, false>($($arg),*),
            (3, false) => $f::<3, false>($($arg),*),
            (4, false) => $f::<4, false>($($arg),*),
            (1, true) => $f::<1, true>($($arg),*),
            (2, true) => $f::<2, true>($($arg),*),
            (3, true) => $f::<3, true>($($arg),*),
            (4, true) => $f::<4, true>($($arg),*),
            (panels, _) => unreachable!("no depthwise kernel of {panels} panels"),
        }
    };
}

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

pub(super) fn float_taps(t: &FloatTaps, out: &mut [f32]) {
    let n = t.channels.len();
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe {
        by_panels!(
            n.div_ceil(16),
            !n.is_multiple_of(16),
            float_taps_here(t, out)
        )
    }
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

/// `P` groups of 16 channels, the last of them short if `TAIL`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn float_taps_here<const P: usize, const TAIL: bool>(t: &FloatTaps, out: &mut [f32]) {
    const GROUP: usize = 16;
    let (first, len) = (t.channels.start, t.channels.len());
    assert!(len <= P * GROUP && len > (P - 1) * GROUP && (TAIL || len == P * GROUP));
    let lanes = u16::MAX >> (P * GROUP - len);
    let (low, high) = (_mm512_set1_ps(t.clamp.0), _mm512_set1_ps(t.clamp.1));
    let bias = t.bias[first..][..len].as_ptr();
    assert!(t.weights.len() >= (t.taps - 1) * t.stride + first + len);
    let weights = t.weights[first..].as_ptr();
    for (pixel, offsets) in t.offsets.chunks(t.taps).enumerate() {
        let mut acc = [_mm512_setzero_ps(); P];
        for (n, &offset) in offsets.iter().enumerate() {
            let a = tap(t.input, t.pad, offset, first, len).as_ptr();
            for p in 0..P {
                // SAFETY: `tap` found `len` readable values, the assertion above as many weights; lanes beyond are masked.
                let (a, w) = unsafe {
                    let (a, w) = (a.add(p * GROUP), weights.add(n * t.stride + p * GROUP));
                    if TAIL && p + 1 == P {
                        (
                            _mm512_maskz_loadu_ps(lanes, a),
                            _mm512_maskz_loadu_ps(lanes, w),
                        )
                    } else {
                        (_mm512_loadu_ps(a), _mm512_loadu_ps(w))
                    }
                };
                acc[p] = _mm512_fmadd_ps(a, w, acc[p]);
            }
        }
        let out = out[pixel * t.stride..][..len].as_mut_ptr();
        for p in 0..P {
            let lanes = if p + 1 == P { lanes } else { u16::MAX };
            // SAFETY: bias and output have `len` values; lanes beyond are masked.
            unsafe {
                let bias = _mm512_maskz_loadu_ps(lanes, bias.add(p * GROUP));
                let v = _mm512_add_ps(acc[p], bias);
                // The second operand is returned for NaN.
                let v = _mm512_min_ps(high, _mm512_max_ps(low, v));
                _mm512_mask_storeu_ps(out.add(p * GROUP), lanes, v);
            }
        }
    }
}
