//! TRANSPOSE_CONV: every input pixel adds its filter to a window of the output.
//!
//! Sources: `internal/reference/transpose_conv.h`, `integer_ops/transpose_conv.h`. Here each output pixel collects the taps that
//! reach it, which adds up the same products.

use super::conv::{Hybrid, Quantized, WideBias, biased, mac_i64, quantize_rows};
use crate::kernels::Conv2dShape;
use crate::kernels::quantize::QuantInt;

/// Calls `f(input index, tap)` for the taps of `size` along one axis that reach output `at` from inside the input.
fn for_each_tap(
    (at, pad, stride): (usize, usize, usize),
    size: usize,
    extent: usize,
    mut f: impl FnMut(usize, usize),
) {
    for tap in 0..size {
        let Some(from) = (at + pad).checked_sub(tap) else {
            break;
        };
        if from.is_multiple_of(stride) && from / stride < extent {
            f(from / stride, tap);
        }
    }
}

/// Stores what `finish(sum, batch, channel)` makes of every output; `s` is the geometry with the filter [out_c, k_h, k_w, in_c].
fn transposed<A: Copy, W: Copy, S: Copy + Default, O>(
    s: &Conv2dShape,
    input: &[A],
    filter: &[W],
    mac: impl Fn(S, A, W, usize) -> S,
    finish: impl Fn(S, usize, usize) -> O,
    out: &mut [O],
) {
    let mut out = out.iter_mut();
    for b in 0..s.batches {
        for y in 0..s.out_h {
            for x in 0..s.out_w {
                for c in 0..s.out_c {
                    let mut acc = S::default();
                    for_each_tap((y, s.pad_top, s.stride_h), s.k_h, s.in_h, |iy, ky| {
                        for_each_tap((x, s.pad_left, s.stride_w), s.k_w, s.in_w, |ix, kx| {
                            let pixel = ((b * s.in_h + iy) * s.in_w + ix) * s.in_c;
                            let tap = ((c * s.k_h + ky) * s.k_w + kx) * s.in_c;
                            let pairs = input[pixel..pixel + s.in_c]
                                .iter()
                                .zip(&filter[tap..tap + s.in_c]);
                            acc = pairs.fold(acc, |acc, (&a, &w)| mac(acc, a, w, b));
                        });
                    });
                    if let Some(o) = out.next() {
                        *o = finish(acc, b, c);
                    }
                }
            }
        }
    }
}

/// Float.
pub fn transpose_conv_f32(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let finish = |acc, _, c| biased(acc, bias, c, clamp);
    transposed(
        s,
        input,
        filter,
        |acc: f32, a, w, _| acc + a * w,
        finish,
        out,
    );
}

/// int8, or uint8 with a zero point of the filter.
pub fn transpose_conv_int<T: QuantInt>(
    s: &Conv2dShape,
    input: &[T],
    filter: &[T],
    filter_zero_point: i32,
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [T],
) {
    let mac = |acc: i32, a: T, w: T, _| {
        let (a, w) = (
            a.to_i32() - q.input_zero_point,
            w.to_i32() - filter_zero_point,
        );
        acc.wrapping_add(a.wrapping_mul(w))
    };
    transposed(
        s,
        input,
        filter,
        mac,
        |acc, _, c| q.finish_i32(acc, bias, c),
        out,
    );
}

/// int16×8; zero points are 0.
pub fn transpose_conv_i16(
    s: &Conv2dShape,
    input: &[i16],
    filter: &[i8],
    bias: WideBias<'_>,
    q: &Quantized<'_>,
    out: &mut [i16],
) {
    transposed(
        s,
        input,
        filter,
        mac_i64,
        |acc, _, c| q.finish_wide(acc, bias, c),
        out,
    );
}

/// Float activations with int8 weights: each batch is quantized to int8 with a zero point first.
pub fn transpose_conv_hybrid(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[i8],
    scales: &[f32],
    bias: Option<&[f32]>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let how = Hybrid::Asymmetric(scales);
    let x = quantize_rows(input, s.batches, how);
    let mac = |acc: i32, a: i8, w: i8, b: usize| {
        acc.wrapping_add((i32::from(a) - x.rows[b].1) * i32::from(w))
    };
    let finish = |acc, b: usize, c| biased(how.real(acc, x.rows[b].0, c), bias, c, clamp);
    transposed(s, &x.values, filter, mac, finish, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_neighbours_add_up() {
        let s = Conv2dShape {
            batches: 1,
            in_h: 1,
            in_w: 2,
            in_c: 1,
            out_h: 1,
            out_w: 5,
            out_c: 1,
            k_h: 1,
            k_w: 3,
            stride_h: 1,
            stride_w: 2,
            dilation_h: 1,
            dilation_w: 1,
            pad_top: 0,
            pad_left: 0,
        };
        let mut out = [0.0; 5];
        let all = (f32::MIN, f32::MAX);
        transpose_conv_f32(&s, &[1.0, 10.0], &[1.0, 2.0, 3.0], None, all, &mut out);
        assert_eq!(out, [1.0, 2.0, 13.0, 20.0, 30.0]);
    }
}
