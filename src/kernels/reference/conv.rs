//! CONV_2D and DEPTHWISE_CONV_2D.
//!
//! Sources: `internal/reference/conv.h`, `depthwiseconv_float.h`, `integer_ops/conv.h`, `integer_ops/depthwise_conv.h`,
//! and `internal/optimized/optimized_ops.h` `HybridConv`, which is the only per-tensor hybrid kernel there is.

use crate::kernels::Conv2dShape;
use crate::kernels::fixed_point::Rescale;
use crate::kernels::quantize::{QuantInt, quantize_row_asymmetric, quantize_row_symmetric};

/// What a quantized convolution or matrix product needs beside its data.
#[derive(Debug, Clone, Copy)]
pub struct Quantized<'a> {
    /// Zero point of the input.
    pub input_zero_point: i32,
    /// Zero point of the output.
    pub output_zero_point: i32,
    /// Accumulator to output steps, one a channel.
    pub rescale: &'a [Rescale],
    /// Smallest and largest output step, from the fused activation.
    pub clamp: (i32, i32),
}

/// Bias of an int16×8 operator; its type is that of the accumulator, and decides how that is rescaled: int32 with all 31
/// bits of the factor, int64 with 15.
#[derive(Debug, Clone, Copy)]
pub enum WideBias<'a> {
    /// The accumulator is int32 and wraps.
    I32(&'a [i32]),
    /// The accumulator is int64; `None` is no bias.
    I64(Option<&'a [i64]>),
}

/// How the input of a hybrid kernel is quantized, row by row, while running.
#[derive(Debug, Clone, Copy)]
pub enum Hybrid<'a> {
    /// To [−127, 127] with zero point 0; one weight scale.
    Symmetric(f32),
    /// To [−128, 127] with a zero point; one weight scale an output channel, which the sum is multiplied with first.
    Asymmetric(&'a [f32]),
    /// The same, but the scales of weights and input are multiplied with each other first.
    AsymmetricJoint(&'a [f32]),
}

/// Calls `each(batch, channel, first filter element of the dot, input row, filter row)` for every output in order and
/// stores what `finish` makes of it: the loop all convolutions share.
fn convolve<A: Copy, W: Copy, S: Default, O>(
    s: &Conv2dShape,
    input: &[A],
    filter: &[W],
    mac: impl Fn(S, A, W, usize) -> S,
    finish: impl Fn(S, usize, usize) -> O,
    out: &mut [O],
) {
    let depth = filter.len() / (s.out_c * s.k_h * s.k_w).max(1);
    let per_group = s.out_c / (s.in_c / depth.max(1)).max(1);
    let mut out = out.iter_mut();
    for_each_pixel(s, |b, y, x| {
        for c in 0..s.out_c {
            let mut acc = S::default();
            for_each_tap(s, y, x, |iy, ix, tap| {
                let from = ((b * s.in_h + iy) * s.in_w + ix) * s.in_c + c / per_group * depth;
                let weights = (c * s.k_h * s.k_w + tap) * depth;
                let row = &input[from..from + depth];
                for (&a, &w) in row.iter().zip(&filter[weights..weights + depth]) {
                    acc = mac(std::mem::take(&mut acc), a, w, b);
                }
            });
            if let Some(o) = out.next() {
                *o = finish(acc, b, c);
            }
        }
    });
}

/// The same for depthwise convolutions: output channel c reads input channel c / multiplier.
fn convolve_depthwise<A: Copy, W: Copy, S: Default, O>(
    s: &Conv2dShape,
    input: &[A],
    filter: &[W],
    mac: impl Fn(S, A, W, usize) -> S,
    finish: impl Fn(S, usize, usize) -> O,
    out: &mut [O],
) {
    let multiplier = (s.out_c / s.in_c.max(1)).max(1);
    let mut out = out.iter_mut();
    for_each_pixel(s, |b, y, x| {
        for c in 0..s.out_c {
            let mut acc = S::default();
            for_each_tap(s, y, x, |iy, ix, tap| {
                let a = input[((b * s.in_h + iy) * s.in_w + ix) * s.in_c + c / multiplier];
                acc = mac(std::mem::take(&mut acc), a, filter[tap * s.out_c + c], b);
            });
            if let Some(o) = out.next() {
                *o = finish(acc, b, c);
            }
        }
    });
}

fn for_each_pixel(s: &Conv2dShape, mut f: impl FnMut(usize, usize, usize)) {
    for b in 0..s.batches {
        for y in 0..s.out_h {
            for x in 0..s.out_w {
                f(b, y, x);
            }
        }
    }
}

/// Calls `f(input row, input column, index of the tap)` for every tap of the window at output (y, x) inside the input.
#[inline]
fn for_each_tap(s: &Conv2dShape, y: usize, x: usize, mut f: impl FnMut(usize, usize, usize)) {
    for ky in 0..s.k_h {
        let iy = (y * s.stride_h + ky * s.dilation_h).wrapping_sub(s.pad_top);
        if iy >= s.in_h {
            continue;
        }
        for kx in 0..s.k_w {
            let ix = (x * s.stride_w + kx * s.dilation_w).wrapping_sub(s.pad_left);
            if ix < s.in_w {
                f(iy, ix, ky * s.k_w + kx);
            }
        }
    }
}

/// Clamped sum of a float accumulator and its bias.
pub(super) fn biased(acc: f32, bias: Option<&[f32]>, c: usize, clamp: (f32, f32)) -> f32 {
    (acc + bias.map_or(0.0, |b| b[c])).clamp(clamp.0, clamp.1)
}

/// Float convolution; groups follow from the filter's length.
pub fn conv2d_f32(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let finish = |acc, _, c| biased(acc, bias, c, clamp);
    convolve(
        s,
        input,
        filter,
        |acc: f32, a, w, _| acc + a * w,
        finish,
        out,
    );
}

/// Float depthwise convolution.
pub fn depthwise_f32(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[f32],
    bias: Option<&[f32]>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let finish = |acc, _, c| biased(acc, bias, c, clamp);
    convolve_depthwise(
        s,
        input,
        filter,
        |acc: f32, a, w, _| acc + a * w,
        finish,
        out,
    );
}

impl Quantized<'_> {
    /// The output step of an int32 accumulator.
    pub(super) fn finish_i32<T: QuantInt>(&self, acc: i32, bias: Option<&[i32]>, c: usize) -> T {
        let acc = acc.wrapping_add(bias.map_or(0, |b| b[c]));
        self.store(self.rescale[c].apply(acc))
    }

    /// The output step of an accumulator of int16 values.
    pub(super) fn finish_wide(&self, acc: i64, bias: WideBias<'_>, c: usize) -> i16 {
        self.store(match bias {
            WideBias::I32(b) => self.rescale[c].apply((acc as i32).wrapping_add(b[c])),
            WideBias::I64(b) => self.rescale[c].apply_i64(acc.wrapping_add(b.map_or(0, |b| b[c]))),
        })
    }

    fn store<T: QuantInt>(&self, rescaled: i32) -> T {
        let step = i64::from(rescaled) + i64::from(self.output_zero_point);
        T::saturate(step.clamp(self.clamp.0.into(), self.clamp.1.into()))
    }

    #[inline]
    fn mac_u8(&self, acc: i32, a: u8, w: u8, filter_zero_point: i32) -> i32 {
        let (a, w) = (
            i32::from(a) - self.input_zero_point,
            i32::from(w) - filter_zero_point,
        );
        acc.wrapping_add(a * w)
    }

    #[inline]
    pub(super) fn mac_i32(&self, acc: i32, a: impl QuantInt, w: i8) -> i32 {
        acc.wrapping_add((a.to_i32() - self.input_zero_point).wrapping_mul(w.into()))
    }
}

/// int8 convolution: int32 accumulator, padding counts as real 0.
pub fn conv2d_i8(
    s: &Conv2dShape,
    input: &[i8],
    filter: &[i8],
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [i8],
) {
    let mac = |acc, a: i8, w: i8, _| q.mac_i32(acc, a, w);
    convolve(
        s,
        input,
        filter,
        mac,
        |acc, _, c| q.finish_i32(acc, bias, c),
        out,
    );
}

/// uint8 convolution of old files: the filter has a zero point too.
pub fn conv2d_u8(
    s: &Conv2dShape,
    input: &[u8],
    filter: &[u8],
    filter_zero_point: i32,
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [u8],
) {
    let mac = |acc, a, w, _: usize| q.mac_u8(acc, a, w, filter_zero_point);
    let finish = |acc, _, c| q.finish_i32(acc, bias, c);
    convolve(s, input, filter, mac, finish, out);
}

/// uint8 depthwise convolution of old files.
pub fn depthwise_u8(
    s: &Conv2dShape,
    input: &[u8],
    filter: &[u8],
    filter_zero_point: i32,
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [u8],
) {
    let mac = |acc, a, w, _: usize| q.mac_u8(acc, a, w, filter_zero_point);
    let finish = |acc, _, c| q.finish_i32(acc, bias, c);
    convolve_depthwise(s, input, filter, mac, finish, out);
}

/// int8 depthwise convolution.
pub fn depthwise_i8(
    s: &Conv2dShape,
    input: &[i8],
    filter: &[i8],
    bias: Option<&[i32]>,
    q: &Quantized<'_>,
    out: &mut [i8],
) {
    let mac = |acc, a: i8, w: i8, _| q.mac_i32(acc, a, w);
    convolve_depthwise(
        s,
        input,
        filter,
        mac,
        |acc, _, c| q.finish_i32(acc, bias, c),
        out,
    );
}

pub(super) fn mac_i64(acc: i64, a: i16, w: i8, _: usize) -> i64 {
    acc + i64::from(i32::from(a) * i32::from(w))
}

/// int16×8 convolution; zero points are 0.
pub fn conv2d_i16(
    s: &Conv2dShape,
    input: &[i16],
    filter: &[i8],
    bias: WideBias<'_>,
    q: &Quantized<'_>,
    out: &mut [i16],
) {
    convolve(
        s,
        input,
        filter,
        mac_i64,
        |acc, _, c| q.finish_wide(acc, bias, c),
        out,
    );
}

/// int16×8 depthwise convolution.
pub fn depthwise_i16(
    s: &Conv2dShape,
    input: &[i16],
    filter: &[i8],
    bias: WideBias<'_>,
    q: &Quantized<'_>,
    out: &mut [i16],
) {
    convolve_depthwise(
        s,
        input,
        filter,
        mac_i64,
        |acc, _, c| q.finish_wide(acc, bias, c),
        out,
    );
}

/// Float input, quantized for each batch, with its scale and zero point.
pub(super) struct QuantizedRows {
    pub values: Vec<i8>,
    pub rows: Vec<(f32, i32)>,
}

pub(super) fn quantize_rows(input: &[f32], rows: usize, how: Hybrid<'_>) -> QuantizedRows {
    let size = input.len() / rows.max(1);
    let mut values = vec![0i8; input.len()];
    let rows = input
        .chunks_exact(size.max(1))
        .zip(values.chunks_exact_mut(size.max(1)))
        .map(|(x, q)| match how {
            Hybrid::Symmetric(_) => (quantize_row_symmetric(x, q), 0),
            Hybrid::Asymmetric(_) | Hybrid::AsymmetricJoint(_) => quantize_row_asymmetric(x, q),
        })
        .collect();
    QuantizedRows { values, rows }
}

impl Hybrid<'_> {
    /// The real value of an accumulator of channel `c` over a row of scale `row`.
    pub(super) fn real(self, acc: i32, row: f32, c: usize) -> f32 {
        match self {
            Hybrid::Symmetric(weight) => acc as f32 * (row * weight),
            Hybrid::Asymmetric(weights) => acc as f32 * weights[c] * row,
            Hybrid::AsymmetricJoint(weights) => acc as f32 * (weights[c] * row),
        }
    }
}

/// Convolution of float activations with int8 weights: each batch is quantized to int8 first.
pub fn conv2d_hybrid(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[i8],
    bias: Option<&[f32]>,
    how: Hybrid<'_>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let QuantizedRows { values, rows } = quantize_rows(input, s.batches, how);
    let mac = |acc: i32, a: i8, w: i8, b: usize| {
        acc.wrapping_add((i32::from(a) - rows[b].1) * i32::from(w))
    };
    let finish = |acc, b: usize, c| biased(how.real(acc, rows[b].0, c), bias, c, clamp);
    convolve(s, &values, filter, mac, finish, out);
}

/// Depthwise convolution of float activations with int8 weights.
pub fn depthwise_hybrid(
    s: &Conv2dShape,
    input: &[f32],
    filter: &[i8],
    bias: Option<&[f32]>,
    how: Hybrid<'_>,
    clamp: (f32, f32),
    out: &mut [f32],
) {
    let QuantizedRows { values, rows } = quantize_rows(input, s.batches, how);
    let mac = |acc: i32, a: i8, w: i8, b: usize| {
        acc.wrapping_add((i32::from(a) - rows[b].1) * i32::from(w))
    };
    let finish = |acc, b: usize, c| biased(how.real(acc, rows[b].0, c), bias, c, clamp);
    convolve_depthwise(s, &values, filter, mac, finish, out);
}
