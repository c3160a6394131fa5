//! Micro-kernels and epilogues in plain Rust, laid out so that the compiler vectorises them for any target.

use super::gemm::{PANEL, TILE_COLS, Tile};
use super::rescale::{FixedPart, Real, WidePart, rescale, rescale_wide, round_i32};
use super::simd::{F32Tile, FloatWeights, HybridPart, Run};

/// Columns computed at once: few enough that 4 rows of accumulators fit 16 registers of 128 bits.
const HALF: usize = 8;

/// Products of `rows` rows of pairs with one panel or more, into `tile`.
#[cfg_attr(target_arch = "x86_64", allow(dead_code))] // there it is the oracle of `simd::sse2`
pub(crate) fn dot_i16(
    pairs: usize,
    a: &[i16],
    lda: usize,
    rows: usize,
    b: &[i16],
    panels: usize,
    tile: &mut Tile,
) {
    for panel in 0..panels {
        for half in 0..PANEL / HALF {
            for row in 0..rows {
                let mut acc = [0i32; HALF];
                let a = a[row * lda..][..2 * pairs].as_chunks::<2>().0;
                let b = b[panel * PANEL * 2..].chunks(panels * PANEL * 2);
                for (a, b) in a.iter().zip(b) {
                    let (a0, a1) = (i32::from(a[0]), i32::from(a[1]));
                    let Some(b) = b[half * HALF * 2..].first_chunk::<{ HALF * 2 }>() else {
                        continue;
                    };
                    for (j, acc) in acc.iter_mut().enumerate() {
                        let sum = a0 * i32::from(b[2 * j]) + a1 * i32::from(b[2 * j + 1]);
                        *acc = acc.wrapping_add(sum);
                    }
                }
                let at = row * TILE_COLS + panel * PANEL + half * HALF;
                tile.0[at..at + HALF].copy_from_slice(&acc);
            }
        }
    }
}

/// Float products of `rows` rows with one panel or more.
pub(crate) fn dot_f32(t: &F32Tile, out: &mut [f32]) {
    for panel in 0..t.panels {
        for half in 0..PANEL / HALF {
            let first = panel * PANEL + half * HALF;
            if first >= t.columns {
                return;
            }
            let mut row = 0;
            while row < t.rows {
                row += match t.rows - row {
                    4.. => rows_f32::<4>(t, first, row, out),
                    2.. => rows_f32::<2>(t, first, row, out),
                    _ => rows_f32::<1>(t, first, row, out),
                };
            }
        }
    }
}

/// `R` rows from `row` on of half a panel from column `first` on; returns `R`.
#[inline(always)]
fn rows_f32<const R: usize>(t: &F32Tile, first: usize, row: usize, out: &mut [f32]) -> usize {
    let columns = (t.columns - first).min(HALF);
    let mut acc = [[0f32; HALF]; R];
    for (r, acc) in acc.iter_mut().enumerate() {
        match t.bias {
            _ if t.in_order => {}
            Some(bias) => acc.copy_from_slice(&bias[first..first + HALF]),
            None => {
                acc[..columns].copy_from_slice(&out[(row + r) * t.ldc + first..][..columns]);
            }
        }
    }
    // As many values of each row as there are, so that none of the accesses below needs a check.
    let a: [&[f32]; R] = std::array::from_fn(|r| &t.a[(row + r) * t.lda..][..t.k]);
    let weights = t.b.chunks_exact(t.panels * PANEL);
    let weights = weights.filter_map(|b| b.get(first..)?.first_chunk::<HALF>());
    sums_f32(a, weights, &mut acc);
    for (r, acc) in acc.iter_mut().enumerate() {
        if let (true, Some(bias)) = (t.in_order, t.bias) {
            for (acc, bias) in acc.iter_mut().zip(&bias[first..]) {
                *acc += bias;
            }
        }
        if let Some((low, high)) = t.clamp {
            for v in acc.iter_mut() {
                *v = clamp(*v, low, high);
            }
        }
        out[(row + r) * t.ldc + first..][..columns].copy_from_slice(&acc[..columns]);
    }
    R
}

/// Adds the products of rows with half a panel of weights to `sums`, in order.
#[inline(always)]
fn sums_f32<'w, const R: usize>(
    a: [&[f32]; R],
    weights: impl Iterator<Item = &'w [f32; HALF]>,
    sums: &mut [[f32; HALF]; R],
) {
    // A copy that nothing else can see stays in registers.
    let mut acc = *sums;
    let k = a.iter().map(|a| a.len()).min().unwrap_or(0);
    for (i, w) in (0..k).zip(weights) {
        for r in 0..R {
            let x = a[r][i];
            for j in 0..HALF {
                acc[r][j] += x * w[j];
            }
        }
    }
    *sums = acc;
}

/// Outputs of a run of pixels of a float depthwise convolution.
pub(crate) fn float_run(run: &Run<f32>, w: &FloatWeights, out: &mut [f32]) {
    let mut c = run.channels.start;
    while c + PANEL <= run.channels.end {
        float_channels::<PANEL>(run, w, c, out);
        c += PANEL;
    }
    while c < run.channels.end {
        float_channels::<1>(run, w, c, out);
        c += 1;
    }
}

/// `N` channels from `c` on of every pixel.
#[inline(always)]
fn float_channels<const N: usize>(run: &Run<f32>, w: &FloatWeights, c: usize, out: &mut [f32]) {
    let bias: &[f32; N] = w.bias[c..].first_chunk().expect("a bias per channel");
    for (pixel, out) in out.chunks_mut(run.stride).take(run.pixels).enumerate() {
        let mut acc = if w.in_order { [0.0; N] } else { *bias };
        for (n, weights) in w.weights.chunks(run.stride).enumerate() {
            let (from, step) = run.tap(n);
            let x: &[f32; N] = from[pixel * step + c..].first_chunk().expect("a tap");
            let weights: &[f32; N] = weights[c..].first_chunk().expect("weights of a tap");
            for j in 0..N {
                acc[j] += x[j] * weights[j];
            }
        }
        for ((out, acc), bias) in out[c..c + N].iter_mut().zip(acc).zip(bias) {
            let acc = if w.in_order { acc + bias } else { acc };
            *out = clamp(acc, w.clamp.0, w.clamp.1);
        }
    }
}

/// `v` within `low..=high`; NaN stays NaN.
#[inline]
pub(crate) fn clamp(v: f32, low: f32, high: f32) -> f32 {
    let v = if v < low { low } else { v };
    if v > high { high } else { v }
}

/// Accumulators to int8 outputs, rows `ldc` apart.
pub(crate) fn requant_i8(
    tile: &Tile,
    rows: usize,
    p: &FixedPart,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    for row in 0..rows {
        let acc = &tile.0[row * TILE_COLS..][..columns];
        let out = &mut out[row * ldc..][..columns];
        for (c, (out, &acc)) in out.iter_mut().zip(acc).enumerate() {
            *out = fixed(p, c, acc) as i8;
        }
    }
}

/// Accumulators to int8 outputs by a float64 factor (FULLY_CONNECTED); parameters of columns begin at `first`.
#[allow(clippy::too_many_arguments)] // an epilogue's operands
pub(crate) fn real_i8(
    tile: &Tile,
    rows: usize,
    p: &Real,
    first: usize,
    out: &mut [i8],
    ldc: usize,
    columns: usize,
) {
    for row in 0..rows {
        let acc = &tile.0[row * TILE_COLS..][..columns];
        let out = &mut out[row * ldc..][..columns];
        for (c, (out, &acc)) in (first..).zip(out.iter_mut().zip(acc)) {
            let x = acc.wrapping_add(p.bias[c] as i32);
            *out = p.bounds.finish(round_i32(f64::from(x) * p.factor[c])) as i8;
        }
    }
}

/// The same with int64 accumulators and int16 outputs; `before` holds the sums of the runs before, where there were any.
#[allow(clippy::too_many_arguments)] // an epilogue's operands
pub(crate) fn real_i16(
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    p: &Real,
    first: usize,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    for row in 0..rows {
        let at = row * TILE_COLS;
        let out = &mut out[row * ldc..][..columns];
        for (c, out) in out.iter_mut().enumerate() {
            let x = i64::from(tile.0[at + c])
                .wrapping_add(before.map_or(0, |w| w[at + c]))
                .wrapping_add(p.bias[first + c]);
            *out = p.bounds.finish(round_i32(x as f64 * p.factor[first + c])) as i16;
        }
    }
}

#[inline]
fn fixed(p: &FixedPart, c: usize, acc: i32) -> i32 {
    let x = acc.wrapping_add(p.bias[c]);
    let y = rescale(x, p.multiplier[c], p.left[c], p.right[c]);
    p.bounds.finish(y)
}

/// Accumulators, plus the sums of the runs before where there were any, to int16 outputs by the int64 arithmetic.
pub(crate) fn requant_i16(
    tile: &Tile,
    before: Option<&[i64]>,
    rows: usize,
    p: &WidePart,
    out: &mut [i16],
    ldc: usize,
    columns: usize,
) {
    for row in 0..rows {
        let at = row * TILE_COLS;
        let out = &mut out[row * ldc..][..columns];
        for (c, out) in out.iter_mut().enumerate() {
            let x = i64::from(tile.0[at + c])
                .wrapping_add(before.map_or(0, |w| w[at + c]))
                .wrapping_add(p.bias[c]);
            let y = rescale_wide(x, p.multiplier[c], p.round[c], p.shift[c]);
            *out = p.bounds.finish(y) as i16;
        }
    }
}

/// Adds a tile to 64-bit sums.
pub(crate) fn widen(tile: &Tile, sums: &mut [i64], first: bool) {
    for (sum, &v) in sums.iter_mut().zip(&tile.0) {
        *sum = if first { 0 } else { *sum } + i64::from(v);
    }
}

/// Accumulators of the hybrid mode to floats: acc · weight scale · input scale + bias, clamped.
pub(crate) fn scale_f32(
    tile: &Tile,
    rows: usize,
    p: &HybridPart,
    out: &mut [f32],
    ldc: usize,
    columns: usize,
) {
    for row in 0..rows {
        let (scale, offset) = (p.row_scales[row], p.row_offsets[row]);
        let acc = &tile.0[row * TILE_COLS..][..columns];
        let out = &mut out[row * ldc..][..columns];
        for (c, (out, &acc)) in out.iter_mut().zip(acc).enumerate() {
            let acc = acc.wrapping_sub(offset.wrapping_mul(p.weight_sums[c]));
            let v = if p.joint {
                acc as f32 * (scale * p.scales[c])
            } else {
                acc as f32 * p.scales[c] * scale
            };
            *out = clamp(v + p.bias[c], p.low, p.high);
        }
    }
}
