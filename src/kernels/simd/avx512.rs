//! AVX-512 with VNNI: products of bytes by `vpdpbusd`, of 16-bit pairs by `vpdpwssd`, and their epilogues.
//!
//! The safe functions at the top may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::{ByteSum, ByteTile, RoomyFactor, Vectorized};
use crate::kernels::gemm::{PANEL, TILE_COLS, TILE_ROWS, Tile};
use crate::kernels::rescale::{Bounds, FixedPart, WidePart};

/// Calls `$f::<rows, panels>` for the values that micro-kernels exist for.
macro_rules! by_size {
    ($rows:expr, $panels:expr, $f:ident($($arg:expr),*)) => {
        match ($panels, $rows) {
            (1, 1) => $f::<1, 1>($($arg),*), (1, 2) => $f::<2, 1>($($arg),*), (1, 3) => $f::<3, 1>($($arg),*),
            (1, 4) => $f::<4, 1>($($arg),*), (1, 5) => $f::<5, 1>($($arg),*), (1, 6) => $f::<6, 1>($($arg),*),
            (1, 7) => $f::<7, 1>($($arg),*), (1, 8) => $f::<8, 1>($($arg),*),
            (2, 1) => $f::<1, 2>($($arg),*), (2, 2) => $f::<2, 2>($($arg),*), (2, 3) => $f::<3, 2>($($arg),*),
            (2, 4) => $f::<4, 2>($($arg),*), (2, 5) => $f::<5, 2>($($arg),*), (2, 6) => $f::<6, 2>($($arg),*),
            (2, 7) => $f::<7, 2>($($arg),*), (2, 8) => $f::<8, 2>($($arg),*),
            (3, 1) => $f::<1, 3>($($arg),*), (3, 2) => $f::<2, 3>($($arg),*), (3, 3) => $f::<3, 3>($($arg),*),
            (3, 4) => $f::<4, 3>($($arg),*), (3, 5) => $f::<5, 3>($($arg),*), (3, 6) => $f::<6, 3>($($arg),*),
            (3, 7) => $f::<7, 3>($($arg),*), (3, 8) => $f::<8, 3>($($arg),*),
            (4, 1) => $f::<1, 4>($($arg),*), (4, 2) => $f::<2, 4>($($arg),*), (4, 3) => $f::<3, 4>($($arg),*),
            (4, 4) => $f::<4, 4>($($arg),*), (4, 5) => $f::<5, 4>($($arg),*), (4, 6) => $f::<6, 4>($($arg),*),
            (panels, rows) => unreachable!("no micro-kernel of {rows} rows and {panels} panels"),
        }
    };
}
pub(super) use by_size;

pub(super) fn vectorized(code: impl Vectorized) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { vectorized_here(code) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")]
fn vectorized_here(code: impl Vectorized) {
    code.run();
}

pub(super) fn dot_u8i8(t: &ByteTile, tile: &mut Tile) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { by_size!(t.rows, t.panels, dot_u8i8_rp(t, tile)) }
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
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { by_size!(rows, panels, dot_i16_rp(pairs, a, lda, b, tile)) }
}

pub(super) fn requant_i8(
    tile: &Tile,
    rows: usize,
    p: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe {
        if p.roomy {
            requant_i8_roomy(tile, rows, p, out, ldc, columns);
        } else {
            requant_i8_avx512(tile, rows, p, out, ldc, columns);
        }
    }
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
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { requant_i16_avx512(tile, before, rows, p, out, ldc, columns) }
}

pub(super) fn sum_i8(s: &ByteSum, a: &[i8], b: &[i8], out: &mut [i8]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { sum_i8_avx512(s, a, b, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_u8i8_rp<const R: usize, const P: usize>(t: &ByteTile, tile: &mut Tile) {
    let start = [_mm512_setzero_si512(); P];
    store(&byte_sums::<R, P>(t, start), tile);
}

/// `start`, the same for each row, plus the products.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn byte_sums<const R: usize, const P: usize>(
    t: &ByteTile,
    start: [__m512i; P],
) -> [[__m512i; P]; R] {
    let &ByteTile { groups, lda, .. } = t;
    let (runs, run_step) = (t.runs.max(1), t.run_step);
    // A division takes as long as some groups.
    let run = if runs == 1 { groups } else { groups / runs };
    assert!(run * runs == groups && t.a.len() >= (R - 1) * lda + (runs - 1) * run_step + 4 * run);
    assert!(t.b.len() >= groups * P * 64);
    let mut ahead = Ahead::new(t.ahead, groups);
    let mut acc = [start; R];
    let (a, b) = (t.a.as_ptr(), t.b.as_ptr());
    for i in 0..runs {
        let (a, b) = (
            a.wrapping_add(i * run_step),
            b.wrapping_add(i * run * P * 64),
        );
        for g in 0..run {
            ahead.fetch();
            let mut weights = [_mm512_setzero_si512(); P];
            for (p, w) in weights.iter_mut().enumerate() {
                // SAFETY: the assertion above holds ((i · run + g) · P + p) · 64 + 64 within `b`.
                *w = unsafe { _mm512_loadu_si512(b.add((g * P + p) * 64).cast()) };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the assertion above holds r · lda + i · run_step + 4 · g + 4 within `a`.
                let four = unsafe { a.add(r * lda + 4 * g).cast::<i32>().read_unaligned() };
                let four = _mm512_set1_epi32(four);
                for (acc, w) in acc.iter_mut().zip(weights) {
                    *acc = _mm512_dpbusd_epi32(*acc, four, w);
                }
            }
        }
    }
    acc
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_i16_rp<const R: usize, const P: usize>(
    pairs: usize,
    a: &[i16],
    lda: usize,
    b: &[i16],
    tile: &mut Tile,
) {
    assert!(a.len() >= (R - 1) * lda + 2 * pairs && b.len() >= pairs * P * 32);
    let mut acc = [[_mm512_setzero_si512(); P]; R];
    let (a, b) = (a.as_ptr(), b.as_ptr());
    for g in 0..pairs {
        let mut weights = [_mm512_setzero_si512(); P];
        for (p, w) in weights.iter_mut().enumerate() {
            // SAFETY: the assertion above holds (g · P + p) · 32 + 32 within `b`.
            *w = unsafe { _mm512_loadu_si512(b.add((g * P + p) * 32).cast()) };
        }
        for (r, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the assertion above holds r · lda + 2 · g + 2 within `a`.
            let two = unsafe { a.add(r * lda + 2 * g).cast::<i32>().read_unaligned() };
            let two = _mm512_set1_epi32(two);
            for (acc, w) in acc.iter_mut().zip(weights) {
                *acc = dpwssd(*acc, two, w);
            }
        }
    }
    store(&acc, tile);
}

/// acc + products of pairs. Written out because LLVM parts the intrinsic into `vpmaddwd` and `vpaddd`, at half the speed.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn dpwssd(mut acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: one instruction on registers, of an enabled feature.
    unsafe {
        std::arch::asm!(
            "vpdpwssd {acc}, {a}, {b}",
            acc = inout(zmm_reg) acc,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    acc
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn store<const R: usize, const P: usize>(acc: &[[__m512i; P]; R], tile: &mut Tile) {
    const { assert!(R <= TILE_ROWS && P * PANEL <= TILE_COLS) };
    let to = tile.0.as_mut_ptr();
    for (r, acc) in acc.iter().enumerate() {
        for (p, &v) in acc.iter().enumerate() {
            // SAFETY: R and P lie within the tile.
            unsafe { _mm512_storeu_si512(to.add(r * TILE_COLS + p * PANEL).cast(), v) };
        }
    }
}

/// The lanes of panel `p` that are real columns.
#[inline]
pub(super) fn lanes(columns: usize, p: usize) -> u16 {
    let here = columns - (p * PANEL).min(columns);
    if here >= PANEL {
        0xFFFF
    } else {
        (1 << here) - 1
    }
}

/// Cache lines that are fetched to the second-level cache, some at each of a number of steps.
pub(super) struct Ahead {
    next: *const i8,
    lines: usize,
}

impl Ahead {
    #[inline]
    pub(super) fn new<T>(wanted: &[T], steps: usize) -> Self {
        let lines = size_of_val(wanted).div_ceil(64);
        Self {
            next: wanted.as_ptr().cast(),
            // Most often one a step, or none: a division takes as long as some products.
            lines: if lines <= steps {
                lines.min(1)
            } else {
                lines.div_ceil(steps.max(1))
            },
        }
    }

    /// One step.
    #[inline]
    pub(super) fn fetch(&mut self) {
        for _ in 0..self.lines {
            // SAFETY: a hint, which reads nothing wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(self.next) };
            self.next = self.next.wrapping_add(64);
        }
    }
}

/// 16 values from the front of `from`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(from: &[i32]) -> __m512i {
    assert!(from.len() >= 16);
    // SAFETY: the assertion.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// 8 values from the front of `from`.
#[inline]
#[target_feature(enable = "avx512f")]
fn load64(from: &[i64]) -> __m512i {
    assert!(from.len() >= 8);
    // SAFETY: the assertion.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// `kernels::rescale::rescale` on 16 lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn rescale16(x: __m512i, multiplier: __m512i, left: __m512i, right: __m512i) -> __m512i {
    let x = _mm512_sllv_epi32(x, left);
    let nudge = _mm512_set1_epi64(1 << 30);
    let even = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), nudge);
    let odd = _mm512_mul_epi32(
        _mm512_srli_epi64::<32>(x),
        _mm512_srli_epi64::<32>(multiplier),
    );
    let odd = _mm512_slli_epi64::<1>(_mm512_add_epi64(odd, nudge));
    let high = _mm512_mask_mov_epi32(_mm512_srli_epi64::<31>(even), 0xAAAA, odd);
    let one = _mm512_set1_epi32(1);
    let mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
    let threshold = _mm512_sub_epi32(_mm512_srai_epi32::<1>(mask), _mm512_srai_epi32::<31>(high));
    let up = _mm512_cmpgt_epi32_mask(_mm512_and_si512(high, mask), threshold);
    let shifted = _mm512_srav_epi32(high, right);
    _mm512_mask_add_epi32(shifted, up, shifted, one)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn requant_i8_avx512(
    tile: &Tile,
    rows: usize,
    q: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    assert!((1..=TILE_ROWS).contains(&rows) && columns <= TILE_COLS);
    assert!(out.len() >= (rows - 1) * ldc + columns);
    let zero_point = _mm512_set1_epi32(q.bounds.zero_point);
    let (low, high) = (
        _mm512_set1_epi32(q.bounds.low),
        _mm512_set1_epi32(q.bounds.high),
    );
    for p in 0..columns.div_ceil(PANEL) {
        let at = p * PANEL;
        let (bias, multiplier) = (load(&q.bias[at..]), load(&q.multiplier[at..]));
        let (left, right) = (load(&q.left[at..]), load(&q.right[at..]));
        let lanes = lanes(columns, p);
        for r in 0..rows {
            let x = _mm512_add_epi32(load(&tile.0[r * TILE_COLS + at..]), bias);
            let y = rescale16(x, multiplier, left, right);
            let y = _mm512_min_epi32(_mm512_max_epi32(y, low), high);
            let y = _mm512_add_epi32(y, zero_point);
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe {
                _mm512_mask_cvtepi32_storeu_epi8(
                    out.as_mut_ptr().wrapping_add(r * ldc + at).cast(),
                    lanes,
                    y,
                );
            }
        }
    }
}

/// [`requant_i8_avx512`] where `Fixed::roomy` holds: four panels of a row, or four rows of a panel, are packed to bytes together.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn requant_i8_roomy(
    tile: &Tile,
    rows: usize,
    q: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    assert!((1..=TILE_ROWS).contains(&rows) && columns <= TILE_COLS);
    assert!(out.len() >= (rows - 1) * ldc + columns);
    let bounds = RoomyBounds::new(q.bounds);
    let to = out.as_mut_ptr();
    if columns > 3 * PANEL {
        let (a, b) = (RoomyPanel::new(q, 0), RoomyPanel::new(q, PANEL));
        let (c, d) = (RoomyPanel::new(q, 2 * PANEL), RoomyPanel::new(q, 3 * PANEL));
        let lanes = u64::MAX >> (TILE_COLS - columns);
        for r in 0..rows {
            let y = [
                a.rescaled(tile, r),
                b.rescaled(tile, r),
                c.rescaled(tile, r),
                d.rescaled(tile, r),
            ];
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe { _mm512_mask_storeu_epi8(to.wrapping_add(r * ldc), lanes, bounds.pack(y)) };
        }
        return;
    }
    for p in 0..columns.div_ceil(PANEL) {
        let panel = RoomyPanel::new(q, p * PANEL);
        let lanes = lanes(columns, p);
        let to = to.wrapping_add(p * PANEL);
        let mut r = 0;
        while r + 4 <= rows {
            // No `map`: a closure is not compiled into it with these instructions.
            let y = [
                panel.rescaled(tile, r),
                panel.rescaled(tile, r + 1),
                panel.rescaled(tile, r + 2),
                panel.rescaled(tile, r + 3),
            ];
            let bytes = bounds.pack(y);
            let quarters = [
                _mm512_castsi512_si128(bytes),
                _mm512_extracti32x4_epi32::<1>(bytes),
                _mm512_extracti32x4_epi32::<2>(bytes),
                _mm512_extracti32x4_epi32::<3>(bytes),
            ];
            for i in 0..4 {
                // SAFETY: as above.
                unsafe { _mm_mask_storeu_epi8(to.wrapping_add((r + i) * ldc), lanes, quarters[i]) };
            }
            r += 4;
        }
        for r in r..rows {
            let bytes = bounds.pack([panel.rescaled(tile, r); 4]);
            let bytes = _mm512_castsi512_si128(bytes);
            // SAFETY: as above.
            unsafe { _mm_mask_storeu_epi8(to.wrapping_add(r * ldc), lanes, bytes) };
        }
    }
}

/// What packing 32-bit results to bytes needs.
#[derive(Clone, Copy)]
pub(super) struct RoomyBounds {
    zero_point: __m512i,
    low: __m512i,
    high: __m512i,
    order: __m512i,
}

impl RoomyBounds {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn new(b: Bounds) -> Self {
        Self {
            zero_point: _mm512_set1_epi16(b.zero_point as i16),
            low: _mm512_set1_epi8((b.low + b.zero_point) as i8),
            high: _mm512_set1_epi8((b.high + b.zero_point) as i8),
            order: _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        }
    }

    /// The values of four vectors, one vector after the other, plus the zero point and clamped.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn pack(self, vectors: [__m512i; 4]) -> __m512i {
        _mm512_permutexvar_epi32(self.order, self.pack_in_turn(vectors))
    }

    /// The same with four values of each vector in turn. Saturation keeps the order of values, so that clamping after it gives
    /// what clamping before it would.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn pack_in_turn(self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        let ab = _mm512_adds_epi16(_mm512_packs_epi32(a, b), self.zero_point);
        let cd = _mm512_adds_epi16(_mm512_packs_epi32(c, d), self.zero_point);
        let bytes = _mm512_packs_epi16(ab, cd);
        _mm512_min_epi8(_mm512_max_epi8(bytes, self.low), self.high)
    }
}

/// What rescaling a panel needs where `Fixed::roomy` holds.
#[derive(Clone, Copy)]
pub(super) struct RoomyPanel {
    first: usize,
    bias: __m512i,
    multiplier: __m512i,
    odd: __m512i,
    left: __m512i,
    right: __m512i,
    half: __m512i,
    rounds: u16,
}

impl RoomyPanel {
    /// The panel that begins with column `first`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn new(q: &FixedPart, first: usize) -> Self {
        let (bias, multiplier) = (load(&q.bias[first..]), load(&q.multiplier[first..]));
        let (left, right) = (load(&q.left[first..]), load(&q.right[first..]));
        Self::of(first, bias, multiplier, left, right)
    }

    /// The same parameters in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn splat(bias: i32, f: RoomyFactor) -> Self {
        let [bias, multiplier] = [_mm512_set1_epi32(bias), _mm512_set1_epi32(f.multiplier)];
        let [left, right] = [_mm512_set1_epi32(f.left), _mm512_set1_epi32(f.right)];
        Self::of(0, bias, multiplier, left, right)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn of(first: usize, bias: __m512i, multiplier: __m512i, left: __m512i, right: __m512i) -> Self {
        let one = _mm512_set1_epi32(1);
        let half = _mm512_srli_epi32::<1>(_mm512_sllv_epi32(one, right));
        Self {
            first,
            bias,
            multiplier,
            odd: _mm512_srli_epi64::<32>(multiplier),
            left: _mm512_add_epi32(left, one),
            right,
            half,
            rounds: _mm512_test_epi32_mask(half, half),
        }
    }

    /// [`RoomyPanel::rescale`] of a row of the tile.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn rescaled(&self, tile: &Tile, row: usize) -> __m512i {
        self.rescale(load(&tile.0[row * TILE_COLS + self.first..]))
    }

    /// The same for the factor one half and a left shift, which leave nothing to round.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn halved(&self, sums: __m512i) -> __m512i {
        let x = _mm512_sllv_epi32(_mm512_add_epi32(sums, self.bias), self.left);
        _mm512_srai_epi32::<2>(x)
    }

    /// `rescale::rescale_roomy` of sums plus their bias.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn rescale(&self, sums: __m512i) -> __m512i {
        let nudge = _mm512_set1_epi64(1 << 31);
        let x = _mm512_add_epi32(sums, self.bias);
        let x = _mm512_sllv_epi32(x, self.left);
        let even = _mm512_add_epi64(_mm512_mul_epi32(x, self.multiplier), nudge);
        let x = _mm512_srli_epi64::<32>(x);
        let odd = _mm512_add_epi64(_mm512_mul_epi32(x, self.odd), nudge);
        let (even, odd) = (_mm512_castsi512_ps(even), _mm512_castsi512_ps(odd));
        let high = _mm512_castps_si512(_mm512_mask_movehdup_ps(odd, 0x5555, even));
        let negative = _mm512_maskz_srai_epi32::<31>(self.rounds, high);
        let sum = _mm512_add_epi32(_mm512_add_epi32(high, self.half), negative);
        _mm512_srav_epi32(sum, self.right)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn sum_i8_avx512(s: &ByteSum, a: &[i8], b: &[i8], out: &mut [i8]) {
    const N: usize = 64;
    assert!(a.len() == out.len() && b.len() == out.len());
    let left = RoomyPanel::splat(-s.zero_points[0], s.left);
    let right = RoomyPanel::splat(-s.zero_points[1], s.right);
    let total = RoomyPanel::splat(0, s.total);
    let bounds = RoomyBounds::new(s.bounds);
    for at in (0..out.len()).step_by(N) {
        let lanes = u64::MAX >> (N - (out.len() - at).min(N));
        // SAFETY: lanes beyond the slices are not read.
        let (a, b) = unsafe {
            (
                _mm512_maskz_loadu_epi8(lanes, a.as_ptr().add(at)),
                _mm512_maskz_loadu_epi8(lanes, b.as_ptr().add(at)),
            )
        };
        let (a, b) = (widen(a), widen(b));
        let mut y = [_mm512_setzero_si512(); 4];
        for i in 0..4 {
            let a = if s.left.is_half() {
                left.halved(a[i])
            } else {
                left.rescale(a[i])
            };
            let b = if s.right.is_half() {
                right.halved(b[i])
            } else {
                right.rescale(b[i])
            };
            let sum = if s.subtract {
                _mm512_sub_epi32(a, b)
            } else {
                _mm512_add_epi32(a, b)
            };
            y[i] = total.rescale(sum);
        }
        // SAFETY: lanes beyond `out` are not written.
        unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().add(at), lanes, bounds.pack(y)) };
    }
}

/// 64 bytes as 32-bit integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn widen(bytes: __m512i) -> [__m512i; 4] {
    [
        _mm512_cvtepi8_epi32(_mm512_castsi512_si128(bytes)),
        _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32::<1>(bytes)),
        _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32::<2>(bytes)),
        _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32::<3>(bytes)),
    ]
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn requant_i16_avx512(
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    q: &WidePart,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    assert!((1..=TILE_ROWS).contains(&rows) && columns <= TILE_COLS);
    assert!(out.len() >= (rows - 1) * ldc + columns);
    let zero_point = _mm512_set1_epi32(q.bounds.zero_point);
    let (low, high) = (
        _mm512_set1_epi32(q.bounds.low),
        _mm512_set1_epi32(q.bounds.high),
    );
    for p in 0..columns.div_ceil(PANEL) {
        let at = p * PANEL;
        let lanes = lanes(columns, p);
        for r in 0..rows {
            let x = load(&tile.0[r * TILE_COLS + at..]);
            let mut halves = [
                _mm512_cvtepi32_epi64(_mm512_castsi512_si256(x)),
                _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64::<1>(x)),
            ];
            for (h, x) in halves.iter_mut().enumerate() {
                let at = at + 8 * h;
                if let Some(before) = before {
                    *x = _mm512_add_epi64(*x, load64(&before[r * TILE_COLS + at..]));
                }
                *x = _mm512_add_epi64(*x, load64(&q.bias[at..]));
                let multiplier = load64(&q.multiplier[at..]);
                // The product modulo 2^64 of x and a multiplier of 15 bits, by halves of x.
                let lower = _mm512_mul_epu32(*x, multiplier);
                let upper = _mm512_mul_epu32(_mm512_srli_epi64::<32>(*x), multiplier);
                let product = _mm512_add_epi64(lower, _mm512_slli_epi64::<32>(upper));
                let sum = _mm512_add_epi64(product, load64(&q.round[at..]));
                *x = _mm512_srav_epi64(sum, load64(&q.shift[at..]));
            }
            let y = _mm512_inserti64x4::<1>(
                _mm512_castsi256_si512(_mm512_cvtepi64_epi32(halves[0])),
                _mm512_cvtepi64_epi32(halves[1]),
            );
            let y = _mm512_min_epi32(_mm512_max_epi32(y, low), high);
            let y = _mm512_add_epi32(y, zero_point);
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe {
                _mm512_mask_cvtepi32_storeu_epi16(
                    out.as_mut_ptr().wrapping_add(r * ldc + at).cast(),
                    lanes,
                    y,
                );
            }
        }
    }
}
