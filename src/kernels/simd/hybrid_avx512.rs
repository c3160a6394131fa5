//! AVX-512: what the hybrid kernels do beside their products: rounding of inputs, and sums to floats.
//!
//! The safe functions at the top may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::avx512::{by_size, byte_sums, lanes, load};
use super::{ByteTile, HybridPart};
use crate::kernels::gemm::{PANEL, TILE_COLS, TILE_ROWS, Tile};
use crate::kernels::row_quantize::Rounding;

pub(super) fn round_row(how: &Rounding, values: &[f32], flip: u8, out: &mut [u8]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { round_row_avx512(how, values, flip, out) }
}

pub(super) fn dot_hybrid(
    t: &ByteTile,
    p: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { by_size!(t.rows, t.panels, dot_hybrid_rp(t, p, out, ldc, columns)) }
}

pub(super) fn scale_f32(
    tile: &Tile,
    rows: usize,
    p: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe { scale_f32_avx512(tile, rows, p, out, ldc, columns) }
}

/// Steps in 1 are finite, and so nothing comes near the ends of int32.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn round_row_avx512(how: &Rounding, values: &[f32], flip: u8, out: &mut [u8]) {
    const N: usize = 64;
    assert!(values.len() >= out.len());
    let inverse = _mm512_set1_ps(how.inverse);
    let zero_point = _mm512_set1_epi32(how.zero_point);
    let low = _mm512_set1_epi8(how.low as i8);
    let flip = _mm512_set1_epi8(flip as i8);
    let (half, sign) = (_mm512_set1_epi32(0x3F00_0000), _mm512_set1_epi32(i32::MIN));
    let turn = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for at in (0..out.len()).step_by(N) {
        let lanes = u64::MAX >> (N - (out.len() - at).min(N));
        let mut steps = [_mm512_setzero_si512(); 4];
        for i in 0..4 {
            let lanes = (lanes >> (16 * i)) as u16;
            // SAFETY: lanes beyond `out` are not read, the others lie within `values`.
            let v =
                unsafe { _mm512_maskz_loadu_ps(lanes, values.as_ptr().wrapping_add(at + 16 * i)) };
            let v = _mm512_mul_ps(v, inverse);
            // One half with the sign of v: half | (sign & v).
            let half = _mm512_ternarylogic_epi32::<0xF8>(half, sign, _mm512_castps_si512(v));
            let sum = _mm512_add_ps(v, _mm512_castsi512_ps(half));
            let real = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(v, v);
            let whole = _mm512_maskz_cvttps_epi32(real, sum);
            steps[i] = _mm512_add_epi32(whole, zero_point);
        }
        // Packing works within 128 bits, which leaves four values of each register in turn.
        let ab = _mm512_packs_epi32(steps[0], steps[1]);
        let cd = _mm512_packs_epi32(steps[2], steps[3]);
        let bytes = _mm512_max_epi8(_mm512_packs_epi16(ab, cd), low);
        let bytes = _mm512_permutexvar_epi32(turn, _mm512_xor_si512(bytes, flip));
        // SAFETY: lanes beyond `out` are not written.
        unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().add(at).cast(), lanes, bytes) };
    }
}

/// All rows are alike.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_hybrid_rp<const R: usize, const P: usize>(
    t: &ByteTile,
    q: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    assert!(columns <= P * PANEL && out.len() >= (R - 1) * ldc + columns);
    let mut start = [_mm512_setzero_si512(); P];
    for p in 0..P {
        let offset = _mm512_set1_epi32(q.row_offsets[0]);
        let offset = _mm512_mullo_epi32(load(&q.weight_sums[p * PANEL..]), offset);
        start[p] = _mm512_sub_epi32(_mm512_setzero_si512(), offset);
    }
    let acc = byte_sums::<R, P>(t, start);
    let to = out.as_mut_ptr();
    for p in 0..P {
        let mut panel = HybridPanel::new(q, p * PANEL, 0);
        panel.offset = _mm512_setzero_si512();
        for r in 0..R {
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe {
                let to = to.wrapping_add(r * ldc + p * PANEL);
                _mm512_mask_storeu_ps(to, lanes(columns, p), panel.real(acc[r][p]));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn scale_f32_avx512(
    tile: &Tile,
    rows: usize,
    q: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    assert!((1..=TILE_ROWS).contains(&rows) && columns <= TILE_COLS);
    assert!(out.len() >= (rows - 1) * ldc + columns);
    // Rows of one image share scale and zero point.
    let bits = |r: usize| (q.row_scales[r].to_bits(), q.row_offsets[r]);
    let alike = (1..rows).all(|r| bits(r) == bits(0));
    for p in 0..columns.div_ceil(PANEL) {
        let at = p * PANEL;
        let lanes = lanes(columns, p);
        let mut panel = HybridPanel::new(q, at, 0);
        for r in 0..rows {
            if !alike {
                panel.set_row(q, r);
            }
            let y = panel.real(load(&tile.0[r * TILE_COLS + at..]));
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe {
                _mm512_mask_storeu_ps(out.as_mut_ptr().wrapping_add(r * ldc + at), lanes, y);
            }
        }
    }
}

/// What turning the sums of a panel into floats needs.
#[derive(Clone, Copy)]
pub(super) struct HybridPanel {
    sums: __m512i,
    scales: __m512,
    bias: __m512,
    offset: __m512i,
    row: __m512,
    joint: bool,
    low: __m512,
    high: __m512,
}

impl HybridPanel {
    /// The panel that begins with column `first`, for a row of the tile.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn new(q: &HybridPart, first: usize, row: usize) -> Self {
        let mut panel = Self {
            sums: load(&q.weight_sums[first..]),
            scales: _mm512_castsi512_ps(load(bytemuck::cast_slice(&q.scales[first..]))),
            bias: _mm512_castsi512_ps(load(bytemuck::cast_slice(&q.bias[first..]))),
            offset: _mm512_setzero_si512(),
            row: _mm512_setzero_ps(),
            joint: q.joint,
            low: _mm512_set1_ps(q.low),
            high: _mm512_set1_ps(q.high),
        };
        panel.set_row(q, row);
        panel
    }

    /// The same for another row.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn set_row(&mut self, q: &HybridPart, row: usize) {
        self.offset = _mm512_mullo_epi32(self.sums, _mm512_set1_epi32(q.row_offsets[row]));
        self.row = _mm512_set1_ps(q.row_scales[row]);
    }

    /// `portable::scale_f32` of 16 sums.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) fn real(&self, x: __m512i) -> __m512 {
        let x = _mm512_cvtepi32_ps(_mm512_sub_epi32(x, self.offset));
        let y = if self.joint {
            _mm512_mul_ps(x, _mm512_mul_ps(self.row, self.scales))
        } else {
            _mm512_mul_ps(_mm512_mul_ps(x, self.scales), self.row)
        };
        let y = _mm512_add_ps(y, self.bias);
        _mm512_min_ps(self.high, _mm512_max_ps(self.low, y))
    }
}
