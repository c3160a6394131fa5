//! Builders of CONV_2D and DEPTHWISE_CONV_2D.

use super::window::{positive, window};
use super::{packed, packed_float};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, clamp_f32, multiplier, multiplier_i64};
use crate::error::Result;
use crate::graph::{Activation, Conv2d, DType, DepthwiseConv2d, Padding};
use crate::kernels::fixed_point::{Multiplier, Rescale};
use crate::kernels::reference::conv::{self, Hybrid, Quantized, WideBias};
use crate::kernels::{
    Conv2dShape, ConvF32, ConvHybrid, ConvI8, ConvI16, DepthwiseF32, DepthwiseHybrid, DepthwiseI8,
    DepthwiseI16,
};
use crate::malformed;

/// Which of the two convolutions.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Full,
    Depthwise,
}

/// What both convolutions share once their options are read.
struct Conv<'a> {
    kind: Kind,
    shape: Conv2dShape,
    out_shape: Vec<usize>,
    activation: Activation,
    input: Operand<'a>,
    filter: Operand<'a>,
    bias: Option<Operand<'a>>,
}

pub(super) fn conv2d(cx: &NodeCx<'_>, o: &Conv2d) -> Result<Built> {
    build(
        cx,
        Kind::Full,
        (o.padding, o.stride, o.dilation),
        o.activation,
    )
}

pub(super) fn depthwise(cx: &NodeCx<'_>, o: &DepthwiseConv2d) -> Result<Built> {
    let geometry = (o.padding, o.stride, o.dilation);
    build(cx, Kind::Depthwise, geometry, o.activation)
}

fn build(
    cx: &NodeCx<'_>,
    kind: Kind,
    geometry: (Padding, [i32; 2], [i32; 2]),
    activation: Activation,
) -> Result<Built> {
    let c = check(cx, kind, geometry, activation)?;
    cx.expect_output(c.input.dtype())?;
    match (c.input.dtype(), c.filter.dtype()) {
        (DType::Float32, DType::Float32) => float(cx, c),
        (DType::Float32, DType::Int8) => hybrid(cx, c),
        (DType::Int8, DType::Int8) => int8(cx, c),
        (DType::UInt8, DType::UInt8) => uint8(cx, c),
        (DType::Int16, DType::Int8) => int16(cx, c),
        (input, filter) => cx.no_kernel(format_args!("{input} input with a {filter} filter")),
    }
}

fn check<'a>(
    cx: &NodeCx<'a>,
    kind: Kind,
    (padding, stride, dilation): (Padding, [i32; 2], [i32; 2]),
    activation: Activation,
) -> Result<Conv<'a>> {
    let (input, filter, bias) = (cx.input(0)?, cx.input(1)?, cx.optional(2)?);
    input.expect_rank(4)?;
    filter.expect_rank(4)?;
    let [batches, in_h, in_w, in_c] = [0, 1, 2, 3].map(|i| input.shape[i]);
    let [first, k_h, k_w, last] = [0, 1, 2, 3].map(|i| filter.shape[i]);
    let out_c = match kind {
        Kind::Full => {
            if last == 0 || in_c % last != 0 || first % (in_c / last).max(1) != 0 {
                return malformed!(
                    "{filter} of shape {:?} does not fit {in_c} input channels",
                    filter.shape
                );
            }
            first
        }
        Kind::Depthwise => {
            if first != 1 || in_c == 0 || last % in_c != 0 {
                return malformed!(
                    "{filter} of shape {:?} does not fit {in_c} input channels",
                    filter.shape
                );
            }
            last
        }
    };
    if k_h == 0 || k_w == 0 || out_c == 0 {
        return malformed!("{filter} is empty");
    }
    if let Some(bias) = &bias
        && bias.elements() != out_c
    {
        return malformed!("{bias} has {} elements, not {out_c}", bias.elements());
    }
    let [stride_h, stride_w] = [
        positive(stride[0], "stride")?,
        positive(stride[1], "stride")?,
    ];
    let [dilation_h, dilation_w] = [
        positive(dilation[0], "dilation")?,
        positive(dilation[1], "dilation")?,
    ];
    let rows = window(padding, in_h, k_h, stride_h, dilation_h)?;
    let columns = window(padding, in_w, k_w, stride_w, dilation_w)?;
    let shape = Conv2dShape {
        batches,
        in_h,
        in_w,
        in_c,
        out_h: rows.out,
        out_w: columns.out,
        out_c,
        k_h,
        k_w,
        stride_h,
        stride_w,
        dilation_h,
        dilation_w,
        pad_top: rows.pad,
        pad_left: columns.pad,
    };
    Ok(Conv {
        kind,
        shape,
        out_shape: vec![batches, rows.out, columns.out, out_c],
        activation,
        input,
        filter,
        bias,
    })
}

impl Conv<'_> {
    /// Axis of the filter along which channels lie.
    fn channel_axis(&self) -> usize {
        match self.kind {
            Kind::Full => 0,
            Kind::Depthwise => 3,
        }
    }

    /// Real factor from accumulator to output step, for each channel.
    fn factors(&self, output_scale: f32) -> Result<Vec<f64>> {
        let input_scale = f64::from(self.input.quantization()?.0);
        let weights = self
            .filter
            .weight_scales(self.shape.out_c, self.channel_axis())?;
        if self.filter.weight_zero_point()? != 0 {
            return malformed!("{} has a zero point other than 0", self.filter);
        }
        let factor = |&w: &f32| input_scale * f64::from(w) / f64::from(output_scale);
        Ok(weights.iter().map(factor).collect())
    }

    fn float_bias(&self) -> Result<()> {
        self.bias.iter().try_for_each(|b| b.expect(DType::Float32))
    }
}

fn float(cx: &NodeCx<'_>, c: Conv<'_>) -> Result<Built> {
    c.float_bias()?;
    let (shape, clamp, kind) = (c.shape, clamp_f32(c.activation)?, c.kind);
    if let (Some(isa), Some(weights)) = (cx.isa, c.filter.constant())
        && let Some(bias) = constant_or_absent(c.bias)
    {
        return match kind {
            Kind::Full => packed_float!(
                cx,
                c.out_shape,
                ConvF32::new(isa, shape, weights, bias, clamp)?.in_order(cx.in_order)
            ),
            Kind::Depthwise => {
                packed_float!(
                    cx,
                    c.out_shape,
                    DepthwiseF32::new(isa, shape, weights, bias, clamp)?.in_order(cx.in_order)
                )
            }
        };
    }
    Built::kernel(c.out_shape, move |io, out| {
        let kernel = match kind {
            Kind::Full => conv::conv2d_f32,
            Kind::Depthwise => conv::depthwise_f32,
        };
        let (input, filter) = (io.get(0), io.get(1));
        kernel(&shape, input, filter, io.optional(2), clamp, typed_mut(out));
    })
}

/// How a hybrid kernel quantizes its input and in which order it multiplies: each of LiteRT's has an order of its own.
fn how(kind: Kind, symmetric: bool, scales: &[f32]) -> Hybrid<'_> {
    match (kind, scales) {
        (Kind::Full, [scale, ..]) if symmetric => Hybrid::Symmetric(*scale),
        (Kind::Full, _) => Hybrid::Asymmetric(scales),
        (Kind::Depthwise, _) => Hybrid::AsymmetricJoint(scales),
    }
}

fn hybrid(cx: &NodeCx<'_>, c: Conv<'_>) -> Result<Built> {
    c.float_bias()?;
    let (shape, clamp, kind) = (c.shape, clamp_f32(c.activation)?, c.kind);
    let scales = c.filter.weight_scales(shape.out_c, c.channel_axis())?;
    // LiteRT quantizes the input without a zero point only where one scale serves an ungrouped convolution.
    let grouped = kind == Kind::Full && c.filter.shape[3] != shape.in_c;
    let one_scale = scales.iter().all(|s| *s == scales[0]);
    let symmetric = kind == Kind::Full && !grouped && one_scale;
    if let (Some(isa), Some(weights)) = (cx.isa, c.filter.constant())
        && let Some(bias) = constant_or_absent(c.bias)
    {
        let how = how(kind, symmetric, &scales);
        return match kind {
            Kind::Full => {
                let op = ConvHybrid::convolution(isa, shape, weights, bias, how, clamp)?;
                packed_float!(cx, c.out_shape, op)
            }
            Kind::Depthwise => {
                let op = DepthwiseHybrid::new(isa, shape, weights, bias, how, clamp)?;
                packed_float!(cx, c.out_shape, op)
            }
        };
    }
    Built::kernel(c.out_shape, move |io, out| {
        let how = how(kind, symmetric, &scales);
        let kernel = match kind {
            Kind::Full => conv::conv2d_hybrid,
            Kind::Depthwise => conv::depthwise_hybrid,
        };
        let (input, filter) = (io.get(0), io.get(1));
        kernel(
            &shape,
            input,
            filter,
            io.optional(2),
            how,
            clamp,
            typed_mut(out),
        );
    })
}

/// The quantization of old files: one scale and a zero point for the filter.
fn uint8(cx: &NodeCx<'_>, c: Conv<'_>) -> Result<Built> {
    c.bias.iter().try_for_each(|b| b.expect(DType::Int32))?;
    let (input_scale, input_zero_point) = c.input.quantization()?;
    let (filter_scale, filter_zero_point) = c.filter.quantization()?;
    let (output_scale, output_zero_point) = cx.output_quantization()?;
    let product = input_scale * filter_scale;
    let factor = multiplier(f64::from(product) / f64::from(output_scale))?;
    let (shape, kind) = (c.shape, c.kind);
    let rescale = vec![Rescale::Fixed(factor); shape.out_c];
    let clamp = cx.output_clamp(c.activation)?;
    Built::kernel(c.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        let kernel = match kind {
            Kind::Full => conv::conv2d_u8,
            Kind::Depthwise => conv::depthwise_u8,
        };
        let (input, filter, bias) = (io.get(0), io.get(1), io.optional(2));
        kernel(&shape, input, filter, filter_zero_point, bias, &q, out);
    })
}

fn int8(cx: &NodeCx<'_>, c: Conv<'_>) -> Result<Built> {
    let (output_scale, output_zero_point) = cx.output_quantization()?;
    let input_zero_point = c.input.quantization()?.1;
    let clamp = cx.output_clamp(c.activation)?;
    c.bias.iter().try_for_each(|b| b.expect(DType::Int32))?;
    let rescale = c.factors(output_scale)?.into_iter();
    let rescale = rescale
        .map(|f| multiplier(f).map(Rescale::Fixed))
        .collect::<Result<Vec<_>>>()?;
    let (shape, kind) = (c.shape, c.kind);
    if let (Some(isa), Some(weights)) = (cx.isa, c.filter.constant())
        && let Some(bias) = constant_or_absent(c.bias)
    {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        return match kind {
            Kind::Full => packed!(cx, c.out_shape, ConvI8::new(isa, shape, weights, bias, &q)?),
            Kind::Depthwise => {
                packed!(
                    cx,
                    c.out_shape,
                    DepthwiseI8::new(isa, shape, weights, bias, &q)?
                )
            }
        };
    }
    Built::kernel(c.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        let kernel = match kind {
            Kind::Full => conv::conv2d_i8,
            Kind::Depthwise => conv::depthwise_i8,
        };
        let (input, filter) = (io.get(0), io.get(1));
        kernel(&shape, input, filter, io.optional(2), &q, typed_mut(out));
    })
}

/// The elements of an optional constant, or that it is absent; `None` if it is there but not constant.
pub(super) fn constant_or_absent<T: bytemuck::Pod>(
    operand: Option<Operand<'_>>,
) -> Option<Option<&[T]>> {
    match operand {
        None => Some(None),
        Some(o) => o.constant().map(Some),
    }
}

/// Constant bias of an int16×8 operator.
pub(super) enum OwnedBias {
    I32(Vec<i32>),
    I64(Option<Vec<i64>>),
}

impl OwnedBias {
    pub fn new(bias: Option<Operand<'_>>) -> Result<Self> {
        Ok(match bias {
            None => Self::I64(None),
            Some(b) if b.dtype() == DType::Int32 => Self::I32(b.known("bias")?.to_vec()),
            Some(b) => {
                b.expect(DType::Int64)?;
                Self::I64(Some(b.known("bias")?.to_vec()))
            }
        })
    }

    pub fn borrowed(&self) -> WideBias<'_> {
        match self {
            Self::I32(b) => WideBias::I32(b),
            Self::I64(b) => WideBias::I64(b.as_deref()),
        }
    }

    /// The factor in the precision that the accumulator is rescaled with.
    pub fn multiplier(&self, real: f64) -> Result<Multiplier> {
        match self {
            Self::I32(_) => multiplier(real),
            Self::I64(_) => multiplier_i64(real),
        }
    }
}

/// Fails unless int16 input and output have zero point 0.
pub(super) fn expect_symmetric(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<()> {
    if input.quantization()?.1 != 0 || cx.output_quantization()?.1 != 0 {
        return malformed!("int16 tensors of this operator must have zero point 0");
    }
    Ok(())
}

fn int16(cx: &NodeCx<'_>, c: Conv<'_>) -> Result<Built> {
    expect_symmetric(cx, c.input)?;
    let output_scale = cx.output_quantization()?.0;
    let clamp = cx.output_clamp(c.activation)?;
    let bias = OwnedBias::new(c.bias)?;
    let rescale = c.factors(output_scale)?.into_iter();
    let rescale = rescale
        .map(|f| bias.multiplier(f).map(Rescale::Fixed))
        .collect::<Result<Vec<_>>>()?;
    let (shape, kind) = (c.shape, c.kind);
    if let (Some(isa), Some(weights)) = (cx.isa, c.filter.constant())
        && let OwnedBias::I64(bias) = &bias
    {
        let q = Quantized {
            input_zero_point: 0,
            output_zero_point: 0,
            rescale: &rescale,
            clamp,
        };
        return match kind {
            Kind::Full => packed!(
                cx,
                c.out_shape,
                ConvI16::new(isa, shape, weights, bias.as_deref(), &q)?
            ),
            Kind::Depthwise => {
                packed!(
                    cx,
                    c.out_shape,
                    DepthwiseI16::new(isa, shape, weights, bias.as_deref(), &q)?
                )
            }
        };
    }
    Built::kernel(c.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point: 0,
            output_zero_point: 0,
            rescale: &rescale,
            clamp,
        };
        let kernel = match kind {
            Kind::Full => conv::conv2d_i16,
            Kind::Depthwise => conv::depthwise_i16,
        };
        let (input, filter) = (io.get(0), io.get(1));
        kernel(&shape, input, filter, bias.borrowed(), &q, typed_mut(out));
    })
}
