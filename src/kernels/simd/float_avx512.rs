//! AVX-512: products of floats, by FMA or in order.
//!
//! The safe functions at the top may be called because a `Proven` instruction set led here (see `simd::*`).

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use super::F32Tile;
use super::avx512::{Ahead, by_size, lanes};
use crate::kernels::gemm::PANEL;

pub(super) fn dot_f32(t: &F32Tile, out: &mut [f32]) {
    // SAFETY: a `Proven` AVX-512 led here.
    unsafe {
        if t.in_order {
            by_size!(t.rows, t.panels, dot_f32_in_order(t, out))
        } else {
            by_size!(t.rows, t.panels, dot_f32_fused(t, out))
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_f32_fused<const R: usize, const P: usize>(t: &F32Tile, out: &mut [f32]) {
    dot_f32_rp::<R, P, false>(t, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_f32_in_order<const R: usize, const P: usize>(t: &F32Tile, out: &mut [f32]) {
    dot_f32_rp::<R, P, true>(t, out);
}

/// `IN_ORDER` as in [`F32Tile`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn dot_f32_rp<const R: usize, const P: usize, const IN_ORDER: bool>(t: &F32Tile, out: &mut [f32]) {
    let &F32Tile {
        k,
        lda,
        ldc,
        columns,
        ..
    } = t;
    let (runs, run_step) = (t.runs.max(1), t.run_step);
    // A division takes as long as some of k.
    let run = if runs == 1 { k } else { k / runs };
    assert!(run * runs == k && t.a.len() >= (R - 1) * lda + (runs - 1) * run_step + run);
    assert!(t.b.len() >= k * P * PANEL);
    assert!(columns <= P * PANEL && out.len() >= (R - 1) * ldc + columns);
    let mut acc = [[_mm512_setzero_ps(); P]; R];
    let (a, b, c) = (t.a.as_ptr(), t.b.as_ptr(), out.as_mut_ptr());
    assert!(t.bias.is_none_or(|bias| bias.len() >= P * PANEL));
    match t.bias {
        _ if IN_ORDER => {}
        Some(bias) => {
            for p in 0..P {
                // SAFETY: the assertion above.
                let bias = unsafe { _mm512_loadu_ps(bias.as_ptr().add(p * PANEL)) };
                for r in 0..R {
                    acc[r][p] = bias;
                }
            }
        }
        None => {
            for (r, acc) in acc.iter_mut().enumerate() {
                for (p, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: masked lanes beyond `columns` are not read, the others lie within `out`.
                    *acc = unsafe {
                        _mm512_maskz_loadu_ps(
                            lanes(columns, p),
                            c.wrapping_add(r * ldc + p * PANEL),
                        )
                    };
                }
            }
        }
    }
    let mut ahead = Ahead::new(t.ahead, k);
    for i in 0..runs {
        let (a, b) = (
            a.wrapping_add(i * run_step),
            b.wrapping_add(i * run * P * PANEL),
        );
        for kk in 0..run {
            ahead.fetch();
            let mut weights = [_mm512_setzero_ps(); P];
            for (p, w) in weights.iter_mut().enumerate() {
                // SAFETY: the assertion above holds ((i · run + kk) · P + p) · 16 + 16 within `b`.
                *w = unsafe { _mm512_loadu_ps(b.add((kk * P + p) * PANEL)) };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the assertion above holds r · lda + i · run_step + kk within `a`.
                let one = _mm512_set1_ps(unsafe { *a.add(r * lda + kk) });
                for (acc, w) in acc.iter_mut().zip(weights) {
                    *acc = if IN_ORDER {
                        _mm512_add_ps(*acc, _mm512_mul_ps(one, w))
                    } else {
                        _mm512_fmadd_ps(one, w, *acc)
                    };
                }
            }
        }
    }
    if let (true, Some(bias)) = (IN_ORDER, t.bias) {
        for p in 0..P {
            // SAFETY: the assertion above.
            let bias = unsafe { _mm512_loadu_ps(bias.as_ptr().add(p * PANEL)) };
            for r in 0..R {
                acc[r][p] = _mm512_add_ps(acc[r][p], bias);
            }
        }
    }
    if let Some((low, high)) = t.clamp {
        let (low, high) = (_mm512_set1_ps(low), _mm512_set1_ps(high));
        for r in 0..R {
            for p in 0..P {
                // The second operand is returned for NaN.
                acc[r][p] = _mm512_min_ps(high, _mm512_max_ps(low, acc[r][p]));
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        for (p, &v) in acc.iter().enumerate() {
            // SAFETY: masked lanes beyond `columns` are not written, the others lie within `out`.
            unsafe {
                _mm512_mask_storeu_ps(c.wrapping_add(r * ldc + p * PANEL), lanes(columns, p), v);
            }
        }
    }
}
