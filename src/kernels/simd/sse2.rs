//! Products of 16-bit pairs by `pmaddwd`, which every x86-64 has: the compiler does not find that instruction in plain loops.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // indices keep arrays of registers in registers

use std::arch::x86_64::*;

use crate::kernels::gemm::{PANEL, TILE_COLS, TILE_ROWS, Tile};

/// `tile` = products of `rows` rows with a block of one panel.
pub(super) fn dot_i16(
    pairs: usize,
    a: &[i16],
    lda: usize,
    rows: usize,
    b: &[i16],
    panels: usize,
    tile: &mut Tile,
) {
    assert_eq!(panels, 1, "portable blocks have one panel");
    assert!(rows <= TILE_ROWS);
    for row in (0..rows).step_by(2) {
        let sums = &mut tile.0[row * TILE_COLS..];
        let a = &a[row * lda..];
        // SAFETY: SSE2 belongs to x86-64.
        unsafe {
            if row + 1 < rows {
                dot_i16_r::<2>(pairs, a, lda, b, sums);
            } else {
                dot_i16_r::<1>(pairs, a, lda, b, sums);
            }
        }
    }
}

#[target_feature(enable = "sse2")]
fn dot_i16_r<const R: usize>(pairs: usize, a: &[i16], lda: usize, b: &[i16], sums: &mut [i32]) {
    assert!(a.len() >= (R - 1) * lda + 2 * pairs && b.len() >= pairs * 2 * PANEL);
    assert!(sums.len() >= (R - 1) * TILE_COLS + PANEL);
    let mut acc = [[_mm_setzero_si128(); 4]; R];
    let (a, b) = (a.as_ptr(), b.as_ptr());
    for g in 0..pairs {
        let mut weights = [_mm_setzero_si128(); 4];
        for p in 0..4 {
            // SAFETY: the assertion above holds 32 · g + 32 within `b`.
            weights[p] = unsafe { _mm_loadu_si128(b.add(32 * g + 8 * p).cast()) };
        }
        for r in 0..R {
            // SAFETY: the assertion above holds r · lda + 2 · g + 2 within `a`.
            let two = unsafe { a.add(r * lda + 2 * g).cast::<i32>().read_unaligned() };
            let two = _mm_set1_epi32(two);
            for p in 0..4 {
                acc[r][p] = _mm_add_epi32(acc[r][p], _mm_madd_epi16(two, weights[p]));
            }
        }
    }
    let to = sums.as_mut_ptr();
    for r in 0..R {
        for p in 0..4 {
            // SAFETY: the assertion above holds the panel of row r within `sums`.
            unsafe { _mm_storeu_si128(to.add(r * TILE_COLS + 4 * p).cast(), acc[r][p]) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::portable;

    #[test]
    fn agrees_with_the_plain_loops_that_other_machines_run() {
        let value = |i: usize| (i as i16).wrapping_mul(0x5A5B) ^ 0x1234;
        for (pairs, rows) in [(0, 1), (1, 1), (1, 2), (7, 3), (33, 4)] {
            let a: Vec<i16> = (0..rows * 2 * pairs).map(value).collect();
            let b: Vec<i16> = (0..pairs * 32).map(|i| value(i + 99) >> 8).collect();
            let (mut got, mut want) = (Tile::new(), Tile::new());
            dot_i16(pairs, &a, 2 * pairs, rows, &b, 1, &mut got);
            portable::dot_i16(pairs, &a, 2 * pairs, rows, &b, 1, &mut want);
            assert_eq!(got.0, want.0, "{pairs} pairs, {rows} rows");
        }
    }
}
