//! Builder of TRANSPOSE_CONV.
//!
//! The packed form computes the output pixels of each phase (row and column modulo the stride) with an ordinary convolution over
//! the taps that reach them, and lays the phases into each other.

use super::conv::{OwnedBias, constant_or_absent, expect_symmetric};
use super::layout::extents;
use super::window::{positive, window};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, clamp_f32, multiplier};
use crate::error::Result;
use crate::graph::{DType, TransposeConv};
use crate::kernels::fixed_point::Rescale;
use crate::kernels::reference::conv::{Hybrid, Quantized};
use crate::kernels::reference::layout::{Walk, strides};
use crate::kernels::reference::transpose_conv as reference;
use crate::kernels::{Conv2dShape, ConvF32, ConvHybrid, ConvI8, ConvI16};
use crate::malformed;

/// Checked operands and geometry; the filter is [out_c, k_h, k_w, in_c].
struct Checked<'a> {
    shape: Conv2dShape,
    input: Operand<'a>,
    filter: Operand<'a>,
    bias: Option<Operand<'a>>,
}

pub(super) fn build(cx: &NodeCx<'_>, o: &TransposeConv) -> Result<Built> {
    let c = check(cx, o)?;
    cx.expect_output(c.input.dtype())?;
    match (c.input.dtype(), c.filter.dtype()) {
        (DType::Float32, DType::Float32) => float(cx, o, c),
        (DType::Float32, DType::Int8) => hybrid(cx, o, c),
        (DType::Int8, DType::Int8) => int8(cx, o, c),
        (DType::UInt8, DType::UInt8) => uint8(cx, o, c),
        (DType::Int16, DType::Int8) => int16(cx, o, c),
        (input, filter) => cx.no_kernel(format_args!("{input} input with a {filter} filter")),
    }
}

fn check<'a>(cx: &NodeCx<'a>, o: &TransposeConv) -> Result<Checked<'a>> {
    let (size, filter, input, bias) = (cx.input(0)?, cx.input(1)?, cx.input(2)?, cx.optional(3)?);
    input.expect_rank(4)?;
    filter.expect_rank(4)?;
    let said = extents(size, "output shape")?;
    let [batches, in_h, in_w, in_c] = [0, 1, 2, 3].map(|i| input.shape[i]);
    let [out_c, k_h, k_w, depth] = [0, 1, 2, 3].map(|i| filter.shape[i]);
    let &[out_batches, out_h, out_w, channels] = &said[..] else {
        return malformed!("{size} has {} elements, not 4", said.len());
    };
    if depth != in_c || channels != out_c || out_batches != batches {
        return malformed!(
            "{filter} of shape {:?} and the output shape {said:?} do not fit {input} of shape {:?}",
            filter.shape,
            input.shape
        );
    }
    if filter.elements() == 0 || input.elements() == 0 {
        return malformed!("{input} or {filter} is empty");
    }
    if let Some(bias) = &bias
        && bias.elements() != out_c
    {
        return malformed!("{bias} has {} elements, not {out_c}", bias.elements());
    }
    let stride_h = positive(o.stride[0], "stride")?;
    let stride_w = positive(o.stride[1], "stride")?;
    // The convolution that this one turns round.
    let rows = window(o.padding, out_h, k_h, stride_h, 1)?;
    let columns = window(o.padding, out_w, k_w, stride_w, 1)?;
    if (rows.out, columns.out) != (in_h, in_w) {
        return malformed!(
            "an output of {out_h}×{out_w} pixels needs an input of {}×{}, but {input} has {in_h}×{in_w}",
            rows.out,
            columns.out
        );
    }
    cx.output_bytes(0, &said)?;
    let shape = Conv2dShape {
        batches,
        in_h,
        in_w,
        in_c,
        out_h,
        out_w,
        out_c,
        k_h,
        k_w,
        stride_h,
        stride_w,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: rows.pad,
        pad_left: columns.pad,
    };
    Ok(Checked {
        shape,
        input,
        filter,
        bias,
    })
}

/// The part of a transposed convolution along one axis that computes every stride-th output.
struct Phase {
    /// Outputs.
    out: usize,
    /// Taps in the order in which an ordinary convolution meets them; `None` stands for a tap of zeros.
    taps: Vec<Option<usize>>,
    /// Padding of the ordinary convolution.
    pad: usize,
}

/// Phase `first` along an axis; `None` if it needs a convolution that skips leading input.
fn phase(first: usize, out: usize, size: usize, stride: usize, pad: usize) -> Option<Phase> {
    let (nearest, base) = ((first + pad) % stride, (first + pad) / stride);
    let out = (out - first).div_ceil(stride);
    let mut taps: Vec<_> = (nearest..size).step_by(stride).map(Some).collect();
    taps.reverse();
    if taps.is_empty() {
        return Some(Phase {
            out,
            taps: vec![None],
            pad: 0,
        });
    }
    Some(Phase {
        out,
        pad: (taps.len() - 1).checked_sub(base)?,
        taps,
    })
}

/// One phase along both axes: its convolution, and where its outputs lie.
struct Part {
    shape: Conv2dShape,
    taps: Vec<Option<(usize, usize)>>,
    walk: Walk,
    elements: usize,
}

/// All phases; `None` if one of them is no ordinary convolution.
fn parts(s: &Conv2dShape) -> Option<Vec<Part>> {
    let steps = strides(&[s.batches, s.out_h, s.out_w, s.out_c]);
    let mut parts = vec![];
    for y in 0..s.stride_h.min(s.out_h) {
        for x in 0..s.stride_w.min(s.out_w) {
            let rows = phase(y, s.out_h, s.k_h, s.stride_h, s.pad_top)?;
            let columns = phase(x, s.out_w, s.k_w, s.stride_w, s.pad_left)?;
            let walk = Walk {
                extents: vec![s.batches, rows.out, columns.out, s.out_c],
                steps: vec![
                    steps[0] as isize,
                    (steps[1] * s.stride_h) as isize,
                    (steps[2] * s.stride_w) as isize,
                    1,
                ],
                start: y * steps[1] + x * steps[2],
            };
            let taps = rows
                .taps
                .iter()
                .flat_map(|ky| columns.taps.iter().map(move |kx| Some(((*ky)?, (*kx)?))));
            parts.push(Part {
                taps: taps.collect(),
                shape: Conv2dShape {
                    out_h: rows.out,
                    out_w: columns.out,
                    k_h: rows.taps.len(),
                    k_w: columns.taps.len(),
                    stride_h: 1,
                    stride_w: 1,
                    pad_top: rows.pad,
                    pad_left: columns.pad,
                    ..*s
                },
                elements: walk.extents.iter().product(),
                walk,
            });
        }
    }
    Some(parts)
}

impl Part {
    /// The filter of the ordinary convolution, from that of the transposed one.
    fn filter<W: Copy + Default>(&self, s: &Conv2dShape, filter: &[W]) -> Vec<W> {
        let mut own = Vec::with_capacity(s.out_c * self.taps.len() * s.in_c);
        for c in 0..s.out_c {
            for tap in &self.taps {
                match tap {
                    Some((ky, kx)) => {
                        let at = ((c * s.k_h + ky) * s.k_w + kx) * s.in_c;
                        own.extend_from_slice(&filter[at..at + s.in_c]);
                    }
                    None => own.resize(own.len() + s.in_c, W::default()),
                }
            }
        }
        own
    }
}

/// The built node of packed convolutions, one a part: `$make` gives the operator for a shape and a filter; outputs are of type
/// `$t`.
macro_rules! phased {
    ($cx:expr, $s:expr, $parts:expr, $filter:expr, $t:ty, $make:expr) => {{
        let s = $s;
        let mut operators = vec![];
        for part in $parts {
            let operator = $make(part.shape, &part.filter(&s, $filter)[..])?;
            operator.reserve(&mut $cx.scratch.borrow_mut(), $cx.threads);
            $cx.shared.add_work(operator.macs());
            operators.push((operator, part.walk, part.elements));
        }
        let largest = operators.iter().map(|o| o.2).max().unwrap_or(0);
        let whole = operators.len() == 1;
        let mut own: Vec<$t> = vec![Default::default(); if whole { 0 } else { largest }];
        Built::working(
            vec![s.batches, s.out_h, s.out_w, s.out_c],
            move |io, out, work| {
                for (operator, walk, elements) in &operators {
                    if whole {
                        return operator.run(io.get(2), typed_mut(out), work.scratch, work.threads);
                    }
                    let own = &mut own[..*elements];
                    operator.run(io.get(2), own, work.scratch, work.threads)?;
                    walk.scatter(size_of::<$t>(), bytemuck::cast_slice(own), out);
                }
                Ok(())
            },
        )
    }};
}

/// What packed convolutions need: the parts, the constant filter and bias.
macro_rules! if_packed {
    ($cx:expr, $c:expr, |$isa:ident, $parts:ident, $filter:ident, $bias:ident| $body:expr) => {
        if let (Some($isa), Some($filter)) = ($cx.isa, $c.filter.constant())
            && let (Some($parts), Some($bias)) = (parts(&$c.shape), constant_or_absent($c.bias))
        {
            return $body;
        }
    };
}

impl Checked<'_> {
    fn out_shape(&self) -> Vec<usize> {
        let s = &self.shape;
        vec![s.batches, s.out_h, s.out_w, s.out_c]
    }

    /// Factor from the sum to the output step, for each channel.
    fn factors(&self, cx: &NodeCx<'_>) -> Result<Vec<f64>> {
        let input = f64::from(self.input.quantization()?.0);
        let output = f64::from(cx.output_quantization()?.0);
        let weights = self.filter.weight_scales(self.shape.out_c, 0)?;
        let factor = |&w: &f32| input * f64::from(w) / output;
        Ok(weights.iter().map(factor).collect())
    }

    fn symmetric_filter(&self) -> Result<()> {
        match self.filter.weight_zero_point()? {
            0 => Ok(()),
            _ => malformed!("{} has a zero point other than 0", self.filter),
        }
    }

    fn bias_of(&self, dtype: DType) -> Result<()> {
        self.bias.iter().try_for_each(|b| b.expect(dtype))
    }
}

fn float(cx: &NodeCx<'_>, o: &TransposeConv, c: Checked<'_>) -> Result<Built> {
    c.bias_of(DType::Float32)?;
    let (s, clamp) = (c.shape, clamp_f32(o.activation)?);
    if_packed!(cx, c, |isa, parts, filter, bias| phased!(
        cx,
        s,
        parts,
        filter,
        f32,
        |shape, weights: &[f32]| ConvF32::new(isa, shape, weights, bias, clamp)
            .map(|c| c.in_order(cx.in_order))
    ));
    Built::kernel(c.out_shape(), move |io, out| {
        let (input, filter, bias) = (io.get(2), io.get(1), io.optional(3));
        reference::transpose_conv_f32(&s, input, filter, bias, clamp, typed_mut(out));
    })
}

fn hybrid(cx: &NodeCx<'_>, o: &TransposeConv, c: Checked<'_>) -> Result<Built> {
    c.bias_of(DType::Float32)?;
    c.symmetric_filter()?;
    let (s, clamp) = (c.shape, clamp_f32(o.activation)?);
    let scales = c.filter.weight_scales(s.out_c, 0)?;
    let how = Hybrid::Asymmetric(&scales);
    if_packed!(cx, c, |isa, parts, filter, bias| phased!(
        cx,
        s,
        parts,
        filter,
        f32,
        |shape, weights: &[i8]| ConvHybrid::convolution(isa, shape, weights, bias, how, clamp)
    ));
    Built::kernel(c.out_shape(), move |io, out| {
        let (input, filter, bias) = (io.get(2), io.get(1), io.optional(3));
        let out = typed_mut(out);
        reference::transpose_conv_hybrid(&s, input, filter, &scales, bias, clamp, out);
    })
}

fn int8(cx: &NodeCx<'_>, o: &TransposeConv, c: Checked<'_>) -> Result<Built> {
    c.bias_of(DType::Int32)?;
    c.symmetric_filter()?;
    let s = c.shape;
    let rescale = fixed(c.factors(cx)?, multiplier)?;
    let zero_points = (c.input.quantization()?.1, cx.output_quantization()?.1);
    let clamp = cx.output_clamp(o.activation)?;
    if_packed!(cx, c, |isa, parts, filter, bias| {
        let q = quantized(zero_points, &rescale, clamp);
        let make = |shape, weights: &[i8]| ConvI8::new(isa, shape, weights, bias, &q);
        phased!(cx, s, parts, filter, i8, make)
    });
    Built::kernel(c.out_shape(), move |io, out| {
        let q = quantized(zero_points, &rescale, clamp);
        let (input, filter, bias) = (io.get::<i8>(2), io.get(1), io.optional(3));
        reference::transpose_conv_int(&s, input, filter, 0, bias, &q, typed_mut(out));
    })
}

fn uint8(cx: &NodeCx<'_>, o: &TransposeConv, c: Checked<'_>) -> Result<Built> {
    c.bias_of(DType::Int32)?;
    let s = c.shape;
    let (filter_scale, filter_zero_point) = c.filter.quantization()?;
    let product = c.input.quantization()?.0 * filter_scale;
    let factor = f64::from(product) / f64::from(cx.output_quantization()?.0);
    let rescale = fixed(vec![factor; s.out_c], multiplier)?;
    let zero_points = (c.input.quantization()?.1, cx.output_quantization()?.1);
    let clamp = cx.output_clamp(o.activation)?;
    Built::kernel(c.out_shape(), move |io, out| {
        let q = quantized(zero_points, &rescale, clamp);
        let (input, filter, bias) = (io.get::<u8>(2), io.get(1), io.optional(3));
        reference::transpose_conv_int(&s, input, filter, filter_zero_point, bias, &q, out);
    })
}

fn int16(cx: &NodeCx<'_>, o: &TransposeConv, c: Checked<'_>) -> Result<Built> {
    expect_symmetric(cx, c.input)?;
    c.symmetric_filter()?;
    let s = c.shape;
    let bias = match c.bias {
        // The bias' type is that of the sums, stated even where there is no bias.
        None if o.quantized_bias == Some(DType::Int32) => OwnedBias::I32(vec![0; s.out_c]),
        bias => OwnedBias::new(bias)?,
    };
    let rescale = fixed(c.factors(cx)?, |f| bias.multiplier(f))?;
    let clamp = cx.output_clamp(o.activation)?;
    if let (Some(isa), Some(filter)) = (cx.isa, c.filter.constant())
        && let (Some(parts), OwnedBias::I64(bias)) = (parts(&s), &bias)
    {
        let q = quantized((0, 0), &rescale, clamp);
        let make = |shape, weights: &[i8]| ConvI16::new(isa, shape, weights, bias.as_deref(), &q);
        return phased!(cx, s, parts, filter, i16, make);
    }
    Built::kernel(c.out_shape(), move |io, out| {
        let q = quantized((0, 0), &rescale, clamp);
        let (input, filter) = (io.get(2), io.get(1));
        let out = typed_mut(out);
        reference::transpose_conv_i16(&s, input, filter, bias.borrowed(), &q, out);
    })
}

fn fixed(
    factors: Vec<f64>,
    multiplier: impl Fn(f64) -> Result<crate::kernels::fixed_point::Multiplier>,
) -> Result<Vec<Rescale>> {
    let factors = factors.into_iter();
    factors.map(|f| multiplier(f).map(Rescale::Fixed)).collect()
}

fn quantized(
    (input_zero_point, output_zero_point): (i32, i32),
    rescale: &[Rescale],
    clamp: (i32, i32),
) -> Quantized<'_> {
    Quantized {
        input_zero_point,
        output_zero_point,
        rescale,
        clamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_hold_every_tap_once() {
        for (size, stride, pad) in [(3, 2, 0), (4, 2, 1), (2, 3, 0), (5, 1, 2), (1, 2, 0)] {
            let mut taps = vec![];
            for first in 0..stride {
                let p = phase(first, 12, size, stride, pad).unwrap();
                assert_eq!(
                    p.out,
                    12usize.div_ceil(stride).min((12 - first).div_ceil(stride))
                );
                taps.extend(p.taps.into_iter().flatten());
            }
            taps.sort();
            assert_eq!(taps, (0..size).collect::<Vec<_>>(), "{size} {stride} {pad}");
        }
        assert!(phase(0, 4, 1, 1, 2).is_none());
    }
}
