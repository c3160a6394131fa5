//! AVX2 with FMA: products of 16-bit pairs by `vpmaddwd`, which cannot saturate, of floats by FMA, and the epilogues.
//!
//! The safe functions at the top may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{F32Tile, Vectorized};
use crate::kernels::gemm::{PANEL, TILE_COLS, TILE_ROWS, Tile};
use crate::kernels::rescale::{FixedPart, WidePart};

/// Calls `$f::<rows>` for the values that micro-kernels exist for.
macro_rules! by_rows {
    ($rows:expr, $f:ident($($arg:expr),*)) => {
        match $rows {
            1 => $f::<1>($($arg),*),
            2 => $f::<2>($($arg),*),
            3 => $f::<3>($($arg),*),
            4 => $f::<4>($($arg),*),
            5 => $f::<5>($($arg),*),
            6 => $f::<6>($($arg),*),
            rows => unreachable!("no micro-kernel of {rows} rows"),
        }
    };
}

pub(super) fn vectorized(code: impl Vectorized) {
    // SAFETY: a `Proven` AVX2 led here.
    unsafe { vectorized_here(code) }
}

#[target_feature(enable = "avx2,fma")]
fn vectorized_here(code: impl Vectorized) {
    code.run();
}

pub(super) fn dot_i16(
    pairs: usize,
    a: &[i16],
    lda: usize,
    rows: usize,
    b: &[i16],
    panels: usize,
    tile: &mut Tile,
) {
    assert_eq!(panels, 1, "AVX2 blocks have one panel");
    // SAFETY: a `Proven` AVX2 led here.
    unsafe { by_rows!(rows, dot_i16_r(pairs, a, lda, b, tile)) }
}

pub(super) fn dot_f32(t: &F32Tile, out: &mut [f32]) {
    assert_eq!(t.panels, 1, "AVX2 blocks have one panel");
    // SAFETY: a `Proven` AVX2 led here.
    unsafe {
        if t.in_order {
            by_rows!(t.rows, dot_f32_in_order(t, out))
        } else {
            by_rows!(t.rows, dot_f32_fused(t, out))
        }
    }
}

pub(super) fn requant_i8(
    tile: &Tile,
    rows: usize,
    p: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    // SAFETY: a `Proven` AVX2 led here.
    unsafe { requant_i8_avx2(tile, rows, p, out, ldc, columns) }
}

pub(super) fn requant_i16(
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    p: &WidePart,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    // SAFETY: a `Proven` AVX2 led here.
    unsafe { requant_i16_avx2(tile, before, rows, p, out, ldc, columns) }
}

#[target_feature(enable = "avx2,fma")]
fn dot_i16_r<const R: usize>(pairs: usize, a: &[i16], lda: usize, b: &[i16], tile: &mut Tile) {
    const { assert!(R <= TILE_ROWS) };
    assert!(a.len() >= (R - 1) * lda + 2 * pairs && b.len() >= pairs * 32);
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    let (a, b) = (a.as_ptr(), b.as_ptr());
    for g in 0..pairs {
        // SAFETY: the assertion above holds 32 · g + 32 within `b`.
        let (w0, w1) = unsafe {
            (
                _mm256_loadu_si256(b.add(32 * g).cast()),
                _mm256_loadu_si256(b.add(32 * g + 16).cast()),
            )
        };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the assertion above holds r · lda + 2 · g + 2 within `a`.
            let two = unsafe { a.add(r * lda + 2 * g).cast::<i32>().read_unaligned() };
            let two = _mm256_set1_epi32(two);
            acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(two, w0));
            acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(two, w1));
        }
    }
    let to = tile.0.as_mut_ptr();
    for (r, acc) in acc.iter().enumerate() {
        // SAFETY: R rows of one panel lie within the tile.
        unsafe {
            _mm256_storeu_si256(to.add(r * TILE_COLS).cast(), acc[0]);
            _mm256_storeu_si256(to.add(r * TILE_COLS + 8).cast(), acc[1]);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn dot_f32_fused<const R: usize>(t: &F32Tile, out: &mut [f32]) {
    dot_f32_r::<R, false>(t, out);
}

#[target_feature(enable = "avx2,fma")]
fn dot_f32_in_order<const R: usize>(t: &F32Tile, out: &mut [f32]) {
    dot_f32_r::<R, true>(t, out);
}

/// `IN_ORDER` as in [`F32Tile`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn dot_f32_r<const R: usize, const IN_ORDER: bool>(t: &F32Tile, out: &mut [f32]) {
    let &F32Tile {
        k,
        lda,
        ldc,
        columns,
        ..
    } = t;
    assert!(t.a.len() >= (R - 1) * lda + k && t.b.len() >= k * PANEL);
    assert!(columns <= PANEL && out.len() >= (R - 1) * ldc + columns);
    let mut start = [[0f32; PANEL]; R];
    for (r, start) in start.iter_mut().enumerate() {
        match t.bias {
            _ if IN_ORDER => {}
            Some(bias) => start.copy_from_slice(&bias[..PANEL]),
            None => start[..columns].copy_from_slice(&out[r * ldc..][..columns]),
        }
    }
    let mut acc = [[_mm256_setzero_ps(); 2]; R];
    for (acc, start) in acc.iter_mut().zip(&start) {
        // SAFETY: `start` has 16 values.
        *acc = unsafe {
            [
                _mm256_loadu_ps(start.as_ptr()),
                _mm256_loadu_ps(start.as_ptr().add(8)),
            ]
        };
    }
    let (a, b) = (t.a.as_ptr(), t.b.as_ptr());
    for kk in 0..k {
        // SAFETY: the assertion above holds 16 · kk + 16 within `b`.
        let (w0, w1) = unsafe {
            (
                _mm256_loadu_ps(b.add(PANEL * kk)),
                _mm256_loadu_ps(b.add(PANEL * kk + 8)),
            )
        };
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the assertion above holds r · lda + kk within `a`.
            let one = _mm256_set1_ps(unsafe { *a.add(r * lda + kk) });
            if IN_ORDER {
                acc[0] = _mm256_add_ps(acc[0], _mm256_mul_ps(one, w0));
                acc[1] = _mm256_add_ps(acc[1], _mm256_mul_ps(one, w1));
            } else {
                acc[0] = _mm256_fmadd_ps(one, w0, acc[0]);
                acc[1] = _mm256_fmadd_ps(one, w1, acc[1]);
            }
        }
    }
    for (r, acc) in acc.iter_mut().enumerate() {
        if let (true, Some(bias)) = (IN_ORDER, t.bias) {
            for (half, acc) in bias[..PANEL].chunks_exact(8).zip(&mut *acc) {
                // SAFETY: a half has 8 values.
                *acc = unsafe { _mm256_add_ps(*acc, _mm256_loadu_ps(half.as_ptr())) };
            }
        }
        if let Some((low, high)) = t.clamp {
            for v in acc.iter_mut() {
                // The second operand is returned for NaN.
                *v = _mm256_max_ps(_mm256_set1_ps(low), *v);
                *v = _mm256_min_ps(_mm256_set1_ps(high), *v);
            }
        }
        let mut end = [0f32; PANEL];
        // SAFETY: `end` has 16 values.
        unsafe {
            _mm256_storeu_ps(end.as_mut_ptr(), acc[0]);
            _mm256_storeu_ps(end.as_mut_ptr().add(8), acc[1]);
        }
        match out[r * ldc..].first_chunk_mut::<PANEL>() {
            Some(out) if columns == PANEL => *out = end,
            _ => out[r * ldc..][..columns].copy_from_slice(&end[..columns]),
        }
    }
}

/// 8 values from the front of `from`.
#[inline]
#[target_feature(enable = "avx2")]
fn load(from: &[i32]) -> __m256i {
    assert!(from.len() >= 8);
    // SAFETY: the assertion.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// 4 values from the front of `from`.
#[inline]
#[target_feature(enable = "avx2")]
fn load64(from: &[i64]) -> __m256i {
    assert!(from.len() >= 4);
    // SAFETY: the assertion.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// The 8 values.
#[inline]
#[target_feature(enable = "avx2")]
fn values(v: __m256i) -> [i32; 8] {
    let mut out = [0; 8];
    // SAFETY: `out` has 8 values.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), v) };
    out
}

/// `kernels::rescale::rescale` on 8 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn rescale8(x: __m256i, multiplier: __m256i, left: __m256i, right: __m256i) -> __m256i {
    let x = _mm256_sllv_epi32(x, left);
    let nudge = _mm256_set1_epi64x(1 << 30);
    let even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), nudge);
    let odd = _mm256_mul_epi32(
        _mm256_srli_epi64::<32>(x),
        _mm256_srli_epi64::<32>(multiplier),
    );
    let odd = _mm256_slli_epi64::<1>(_mm256_add_epi64(odd, nudge));
    let high = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<31>(even), odd);
    let one = _mm256_set1_epi32(1);
    let mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    let threshold = _mm256_sub_epi32(_mm256_srai_epi32::<1>(mask), _mm256_srai_epi32::<31>(high));
    let up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), threshold);
    _mm256_sub_epi32(_mm256_srav_epi32(high, right), up)
}

#[target_feature(enable = "avx2")]
fn requant_i8_avx2(
    tile: &Tile,
    rows: usize,
    q: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    let zero_point = _mm256_set1_epi32(q.bounds.zero_point);
    let (low, high) = (
        _mm256_set1_epi32(q.bounds.low),
        _mm256_set1_epi32(q.bounds.high),
    );
    for at in (0..columns).step_by(8) {
        let (bias, multiplier) = (load(&q.bias[at..]), load(&q.multiplier[at..]));
        let (left, right) = (load(&q.left[at..]), load(&q.right[at..]));
        let here = (columns - at).min(8);
        for r in 0..rows {
            let x = _mm256_add_epi32(load(&tile.0[r * TILE_COLS + at..]), bias);
            let y = rescale8(x, multiplier, left, right);
            let y = _mm256_min_epi32(_mm256_max_epi32(y, low), high);
            let y = _mm256_add_epi32(y, zero_point);
            let bytes = values(y).map(|v| v as i8);
            let out = &mut out[r * ldc + at..];
            match out.first_chunk_mut::<8>() {
                Some(out) if here == 8 => *out = bytes,
                _ => out[..here].copy_from_slice(&bytes[..here]),
            }
        }
    }
}

/// Arithmetic right shift of 64-bit lanes, which AVX2 lacks: a logical one with the sign moved out of the way.
#[inline]
#[target_feature(enable = "avx2")]
fn shift_right64(x: __m256i, shift: __m256i) -> __m256i {
    let sign = _mm256_set1_epi64x(i64::MIN);
    let biased = _mm256_srlv_epi64(_mm256_xor_si256(x, sign), shift);
    _mm256_sub_epi64(biased, _mm256_srlv_epi64(sign, shift))
}

#[target_feature(enable = "avx2")]
fn requant_i16_avx2(
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    q: &WidePart,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    let zero_point = _mm256_set1_epi32(q.bounds.zero_point);
    let (low, high) = (
        _mm256_set1_epi32(q.bounds.low),
        _mm256_set1_epi32(q.bounds.high),
    );
    for at in (0..columns).step_by(8) {
        let here = (columns - at).min(8);
        for r in 0..rows {
            let x = load(&tile.0[r * TILE_COLS + at..]);
            let mut halves = [
                _mm256_cvtepi32_epi64(_mm256_castsi256_si128(x)),
                _mm256_cvtepi32_epi64(_mm256_extracti128_si256::<1>(x)),
            ];
            for (h, x) in halves.iter_mut().enumerate() {
                let at = at + 4 * h;
                if let Some(before) = before {
                    *x = _mm256_add_epi64(*x, load64(&before[r * TILE_COLS + at..]));
                }
                *x = _mm256_add_epi64(*x, load64(&q.bias[at..]));
                let multiplier = load64(&q.multiplier[at..]);
                // The product modulo 2^64 of x and a multiplier of 15 bits, by halves of x.
                let lower = _mm256_mul_epu32(*x, multiplier);
                let upper = _mm256_mul_epu32(_mm256_srli_epi64::<32>(*x), multiplier);
                let product = _mm256_add_epi64(lower, _mm256_slli_epi64::<32>(upper));
                let sum = _mm256_add_epi64(product, load64(&q.round[at..]));
                *x = shift_right64(sum, load64(&q.shift[at..]));
            }
            // The low words of all eight, in order.
            let picked = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(
                _mm256_castsi256_ps(halves[0]),
                _mm256_castsi256_ps(halves[1]),
            ));
            let y = _mm256_permute4x64_epi64::<0b11_01_10_00>(picked);
            let y = _mm256_min_epi32(_mm256_max_epi32(y, low), high);
            let y = _mm256_add_epi32(y, zero_point);
            let words = values(y).map(|v| v as i16);
            let out = &mut out[r * ldc + at..];
            match out.first_chunk_mut::<8>() {
                Some(out) if here == 8 => *out = words,
                _ => out[..here].copy_from_slice(&words[..here]),
            }
        }
    }
}
