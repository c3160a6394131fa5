//! Folding axes: sums, products, extrema, any and all; the place of extrema; running sums.
//!
//! Sources: `reduce.cc`, `internal/reference/reduce.h`, `arg_min_max.cc`, `internal/optimized/optimized_ops.h` `CumSum`.

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::{ChannelLayout, QuantInt};

/// Folds `input` of `shape` over the axes marked in `reduce` into `out` (row-major over the kept axes), which holds what to
/// begin with; in storage order.
pub fn fold<T: Copy, S: Copy>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    f: impl Fn(S, T) -> S,
    out: &mut [S],
) {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for axis in (0..shape.len()).rev().filter(|&a| !reduce[a]) {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    let Some((&run, outer)) = shape.split_last() else {
        for (s, &v) in out.iter_mut().zip(input) {
            *s = f(*s, v);
        }
        return;
    };
    let mut index = vec![0; outer.len()];
    for row in input.chunks_exact(run.max(1)) {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        if reduce[outer.len()] {
            out[at] = row.iter().fold(out[at], |s, &v| f(s, v));
        } else {
            for (s, &v) in out[at..].iter_mut().zip(row) {
                *s = f(*s, v);
            }
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            if index[axis] < outer[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Elements that go into one result.
pub fn count(shape: &[usize], reduce: &[bool]) -> usize {
    let reduced = shape.iter().zip(reduce).filter(|(_, r)| **r);
    reduced.map(|(d, _)| d).product()
}

/// Quantized SUM in float32, as LiteRT's optimised kernel computes it (its reference kernel gives garbage); `factor` is
/// input scale / output scale. Source: `internal/optimized/reduce.h` `QuantizedMeanOrSum`.
pub fn sum_quantized<T: QuantInt>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    factor: f32,
    (input_zero_point, output_zero_point): (i32, i32),
    out: &mut [T],
) {
    let n = count(shape, reduce) as f32;
    let bias = -input_zero_point as f32 * factor * n;
    let mut sums = vec![0i32; out.len()];
    fold(
        shape,
        reduce,
        input,
        |s: i32, v: T| s.wrapping_add(v.to_i32()),
        &mut sums,
    );
    for (o, s) in out.iter_mut().zip(sums) {
        let step = (s as f32 * factor + bias).round() as i64;
        *o = T::saturate(step + i64::from(output_zero_point));
    }
}

/// The factor of each multiplication of a quantized REDUCE_PROD over `n` elements, so that no product overflows.
pub fn product_factor(input_scale: f32, output_scale: f32, n: usize) -> f64 {
    f64::from(input_scale) / f64::from(output_scale).powf(1.0 / n.max(1) as f64)
}

/// Quantized REDUCE_PROD; `multiplier` is that of [`product_factor`].
pub fn product_quantized<T: QuantInt>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    multiplier: Multiplier,
    (input_zero_point, output_zero_point): (i32, i32),
    out: &mut [T],
) {
    let mut products = vec![None; out.len()];
    let f = |product: Option<i32>, v: T| {
        let v = v.to_i32() - input_zero_point;
        Some(match product {
            None => v,
            Some(p) => multiplier.apply_i64(i64::from(p).wrapping_mul(v.into())),
        })
    };
    fold(shape, reduce, input, f, &mut products);
    for (o, p) in out.iter_mut().zip(products) {
        let scaled = multiplier.apply_i64(p.unwrap_or(0).into());
        *o = T::saturate(i64::from(scaled) + i64::from(output_zero_point));
    }
}

/// Index of the first element along the channel axis of `layout` that none is `better` than; `store` writes it.
pub fn arg<T: Copy, O>(
    layout: ChannelLayout,
    input: &[T],
    better: impl Fn(T, T) -> bool,
    store: impl Fn(usize) -> O,
    out: &mut [O],
) {
    let inner = layout.inner.max(1);
    let blocks = input.chunks_exact((layout.channels * inner).max(1));
    for (block, out) in blocks.zip(out.chunks_exact_mut(inner)) {
        for (i, o) in out.iter_mut().enumerate() {
            let mut best = 0;
            for c in 1..layout.channels {
                if better(block[c * inner + i], block[best * inner + i]) {
                    best = c;
                }
            }
            *o = store(best);
        }
    }
}

/// Running sums along the channel axis of `layout`: `exclusive` leaves out the element itself, `reverse` runs from the end.
pub fn cumulate<T: Copy + Default>(
    layout: ChannelLayout,
    input: &[T],
    (exclusive, reverse): (bool, bool),
    add: impl Fn(T, T) -> T,
    out: &mut [T],
) {
    let inner = layout.inner.max(1);
    let block = (layout.channels * inner).max(1);
    for (x, out) in input.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
        for i in 0..inner {
            let mut sum = T::default();
            for c in 0..layout.channels {
                let c = if reverse { layout.channels - 1 - c } else { c };
                let next = add(sum, x[c * inner + i]);
                out[c * inner + i] = if exclusive { sum } else { next };
                sum = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_running_sums() {
        let layout = ChannelLayout::new(&[2, 3], 1).unwrap();
        let x = [3, 1, 3, 2, 5, 4];
        let mut places = [0; 2];
        arg(layout, &x, |a, b| a > b, |i| i, &mut places);
        assert_eq!(places, [0, 1]);
        let mut sums = [0; 6];
        cumulate(layout, &x, (false, false), |a, b| a + b, &mut sums);
        assert_eq!(sums, [3, 4, 7, 2, 7, 11]);
        cumulate(layout, &x, (true, true), |a, b| a + b, &mut sums);
        assert_eq!(sums, [4, 3, 0, 9, 4, 0]);
    }
}
