//! FULLY_CONNECTED: weights are [outputs, inputs], row-major.
//!
//! Sources: `internal/reference/fully_connected.h`, `integer_ops/fully_connected.h`, `fully_connected.cc`
//! `EvalHybridDense`. Unlike convolution it rescales in float64 ([`Rescale::Real`](crate::kernels::fixed_point::Rescale)).

use super::conv::{Quantized, WideBias};
use crate::kernels::quantize::{QuantInt, quantize_row_asymmetric, quantize_row_symmetric};

/// Float product of each row of `input` (`depth` elements) with each row of `weights`.
pub fn fully_connected_f32(
    depth: usize,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    rows(depth, input, weights, out, |x, w, c| {
        let dot = x.iter().zip(w).fold(0f32, |acc, (a, w)| acc + a * w);
        (dot + bias.map_or(0.0, |b| b[c])).clamp(clamp.0, clamp.1)
    });
}

/// Calls `f(input row, weight row, output channel)` for each output in order.
fn rows<A, W, O>(
    depth: usize,
    input: &[A],
    weights: &[W],
    out: &mut [O],
    f: impl Fn(&[A], &[W], usize) -> O,
) {
    let channels = weights.len() / depth.max(1);
    let input = input.chunks_exact(depth.max(1));
    for (x, out) in input.zip(out.chunks_exact_mut(channels.max(1))) {
        let weights = weights.chunks_exact(depth.max(1)).enumerate();
        for (o, (c, w)) in out.iter_mut().zip(weights) {
            *o = f(x, w, c);
        }
    }
}

/// int8 or uint8 product. `weight_zero_point` is 0 but for old per-tensor files.
pub fn fully_connected_int<T: QuantInt>(
    depth: usize,
    input: &[T],
    weights: &[T],
    weight_zero_point: i32,
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [T],
) {
    rows(depth, input, weights, out, |x, w, c| {
        let acc = x.iter().zip(w).fold(0i32, |acc, (&a, &w)| {
            let a = a.to_i32() - q.input_zero_point;
            acc.wrapping_add(a.wrapping_mul(w.to_i32() - weight_zero_point))
        });
        q.finish_i32(acc, bias, c)
    });
}

/// int16×8 product; zero points of activations are 0.
pub fn fully_connected_i16(
    depth: usize,
    input: &[i16],
    weights: &[i8],
    weight_zero_point: i32,
    bias: WideBias<'_>,
    q: &Quantized<'_>,
    out: &mut [i16],
) {
    rows(depth, input, weights, out, |x, w, c| {
        let acc = x.iter().zip(w).fold(0i64, |acc, (&a, &w)| {
            acc + i64::from(i32::from(a) * (i32::from(w) - weight_zero_point))
        });
        q.finish_wide(acc, bias, c)
    });
}

/// Scales of the weights of a hybrid product.
#[derive(Debug, Clone, Copy)]
pub enum WeightScales<'a> {
    /// One for all.
    PerTensor(f32),
    /// One an output.
    PerChannel(&'a [f32]),
}

/// Product of float activations with int8 weights: each row is quantized to int8 first, with a zero point if
/// `asymmetric`. Input that is all zero gives the bias alone.
pub fn fully_connected_hybrid(
    depth: usize,
    input: &[f32],
    weights: &[i8],
    scales: WeightScales<'_>,
    asymmetric: bool,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let channels = weights.len() / depth.max(1);
    let mut q = vec![0i8; depth];
    for (x, out) in input
        .chunks_exact(depth.max(1))
        .zip(out.chunks_exact_mut(channels.max(1)))
    {
        let (scale, zero_point) = if asymmetric {
            quantize_row_asymmetric(x, &mut q)
        } else {
            (quantize_row_symmetric(x, &mut q), 0)
        };
        let weights = weights.chunks_exact(depth.max(1)).enumerate();
        for (o, (c, w)) in out.iter_mut().zip(weights) {
            let acc = q.iter().zip(w).fold(0i32, |acc, (&a, &w)| {
                acc.wrapping_add((i32::from(a) - zero_point) * i32::from(w))
            });
            let scale = scale
                * match scales {
                    WeightScales::PerTensor(s) => s,
                    WeightScales::PerChannel(s) => s[c],
                };
            *o = bias.map_or(0.0, |b| b[c]) + acc as f32 * scale;
        }
    }
}

/// Clamps in place: the activation of a hybrid product comes last.
pub fn clamp_f32(values: &mut [f32], (low, high): (f32, f32)) {
    for v in values {
        *v = v.clamp(low, high);
    }
}
