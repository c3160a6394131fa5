//! MEAN over any axes.
//!
//! Source: `internal/reference/reduce.h` `Mean` and `QuantizedMeanOrSum`.

use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::QuantInt;
use crate::kernels::reference::reduce::{count, fold};

/// Float mean.
pub fn mean_f32(shape: &[usize], reduce: &[bool], input: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    fold(shape, reduce, input, |s: f32, v| s + v, out);
    let n = count(shape, reduce) as f32;
    for o in out {
        *o /= n;
    }
}

/// Mean of unquantized integers, truncated.
pub fn mean_int<T: Copy + Into<i64> + TryFrom<i64> + Default>(
    shape: &[usize],
    reduce: &[bool],
    input: &[T],
    out: &mut [T],
) {
    let n = count(shape, reduce).max(1) as i64;
    let mut sums = vec![0i64; out.len()];
    let add = |s: i64, v: T| s.wrapping_add(v.into());
    fold(shape, reduce, input, add, &mut sums);
    for (o, s) in out.iter_mut().zip(sums) {
        *o = T::try_from(s / n).unwrap_or_default();
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
    fold(shape, reduce, input, add, &mut sums);
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
