//! MEAN over any axes.
//!
//! Source: `internal/reference/reduce.h` `Mean` and `QuantizedMeanOrSum`.

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::QuantInt;

/// Sums `input` of `shape` over the axes marked in `reduce` into `sums` (row-major over the kept axes).
fn sum<T: Copy, S: Copy>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    add: impl Fn(S, T) -> S,
    sums: &mut [S],
) {
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for axis in (0..shape.len()).rev().filter(|&a| !reduce[a]) {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    let Some((&run, outer)) = shape.split_last() else {
        for (s, &v) in sums.iter_mut().zip(input) {
            *s = add(*s, v);
        }
        return;
    };
    let mut index = vec![0; outer.len()];
    for row in input.chunks_exact(run.max(1)) {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        if reduce[outer.len()] {
            sums[at] = row.iter().fold(sums[at], |s, &v| add(s, v));
        } else {
            for (s, &v) in sums[at..].iter_mut().zip(row) {
                *s = add(*s, v);
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

/// Elements that go into one mean.
fn count(shape: &[usize], reduce: &[bool]) -> usize {
    shape
        .iter()
        .zip(reduce)
        .filter(|(_, r)| **r)
        .map(|(d, _)| d)
        .product()
}

/// Float mean.
pub fn mean_f32(shape: &[usize], reduce: &[bool], input: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    sum(shape, reduce, input, |s: f32, v| s + v, out);
    let n = count(shape, reduce) as f32;
    for o in out {
        *o /= n;
    }
}

/// Scale and zero points of a quantized mean.
#[derive(Debug, Clone, Copy)]
pub struct MeanQuantization {
    /// Input scale / output scale.
    pub multiplier: Multiplier,
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// Zero point of the output.
    pub output_zero_point: i32,
}

/// Quantized mean: the division by the count is folded into the multiplier, as LiteRT does it.
pub fn mean<T: QuantInt>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    q: MeanQuantization,
    out: &mut [T],
) {
    let n = count(shape, reduce).max(1) as i64;
    let mut sums = vec![0i32; out.len()];
    let add = |s: i32, v: T| s.wrapping_add(v.to_i32());
    sum(shape, reduce, input, add, &mut sums);
    let shift = (63 - n.leading_zeros() as i32)
        .min(32)
        .min(31 + q.multiplier.shift);
    let multiplier = Multiplier {
        mantissa: ((i64::from(q.multiplier.mantissa) << shift) / n) as i32,
        shift: q.multiplier.shift - shift,
    };
    for (o, s) in out.iter_mut().zip(sums) {
        let centred = (i64::from(s) - i64::from(q.input_zero_point) * n) as i32;
        *o = T::saturate(i64::from(multiplier.apply(centred)) + i64::from(q.output_zero_point));
    }
}
