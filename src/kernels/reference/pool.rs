//! MAX_POOL_2D, AVERAGE_POOL_2D and L2_POOL_2D; padding is left out of both.
//!
//! Sources: `internal/reference/pooling.h`, `integer_ops/pooling.h`.

use std::ops::Range;

use crate::kernels::Pool2dShape;
use crate::kernels::quantize::QuantInt;

/// Folds every window from `start` and stores what `finish(folded, elements)` makes of it.
fn pool<T: Copy, S: Copy, O>(
    s: &Pool2dShape,
    input: &[T],
    start: S,
    fold: impl Fn(S, T) -> S,
    finish: impl Fn(S, usize) -> O,
    out: &mut [O],
) {
    let mut out = out.iter_mut();
    for b in 0..s.batches {
        for y in 0..s.out_h {
            let rows = window(y * s.stride_h, s.k_h, s.pad_top, s.in_h);
            for x in 0..s.out_w {
                let columns = window(x * s.stride_w, s.k_w, s.pad_left, s.in_w);
                for c in 0..s.channels {
                    let mut acc = start;
                    for iy in rows.clone() {
                        for ix in columns.clone() {
                            let at = ((b * s.in_h + iy) * s.in_w + ix) * s.channels + c;
                            acc = fold(acc, input[at]);
                        }
                    }
                    if let Some(o) = out.next() {
                        *o = finish(acc, rows.len() * columns.len());
                    }
                }
            }
        }
    }
}

/// The part of a window that lies inside an axis.
fn window(start: usize, size: usize, pad: usize, extent: usize) -> Range<usize> {
    let end = (start + size).saturating_sub(pad).min(extent);
    start.saturating_sub(pad).min(end)..end
}

/// Float maximum.
pub fn max_pool_f32(s: &Pool2dShape, input: &[f32], clamp: (f32, f32), out: &mut [f32]) {
    let finish = |max: f32, _| max.max(clamp.0).min(clamp.1);
    pool(s, input, f32::MIN, f32::max, finish, out);
}

/// Integer maximum; input and output share scale and zero point.
pub fn max_pool<T: QuantInt>(s: &Pool2dShape, input: &[T], clamp: (i32, i32), out: &mut [T]) {
    let fold = |max: i32, v: T| max.max(v.to_i32());
    let finish = |max: i32, _| T::saturate(max.clamp(clamp.0, clamp.1).into());
    pool(s, input, T::MIN, fold, finish, out);
}

/// Float mean; 0 for a window without elements.
pub fn average_pool_f32(s: &Pool2dShape, input: &[f32], clamp: (f32, f32), out: &mut [f32]) {
    let finish = |sum: f32, n: usize| (sum / n.max(1) as f32).clamp(clamp.0, clamp.1);
    pool(s, input, 0.0, |sum, v| sum + v, finish, out);
}

/// Root of the mean square, for L2_POOL_2D.
pub fn l2_pool(s: &Pool2dShape, input: &[f32], clamp: (f32, f32), out: &mut [f32]) {
    let finish = |sum: f32, n: usize| (sum / n.max(1) as f32).sqrt().clamp(clamp.0, clamp.1);
    pool(s, input, 0.0, |sum, v| sum + v * v, finish, out);
}

/// Integer mean, rounded half away from zero; input and output share scale and zero point.
pub fn average_pool<T: QuantInt>(s: &Pool2dShape, input: &[T], clamp: (i32, i32), out: &mut [T]) {
    let finish = |sum: i64, n: usize| {
        let n = n.max(1) as i64;
        let half = if sum > 0 { n / 2 } else { -(n / 2) };
        T::saturate(((sum + half) / n).clamp(clamp.0.into(), clamp.1.into()))
    };
    pool(
        s,
        input,
        0,
        |sum, v: T| sum + i64::from(v.to_i32()),
        finish,
        out,
    );
}
