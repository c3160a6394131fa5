//! Builder of FULLY_CONNECTED.

use super::conv::{OwnedBias, constant_or_absent, expect_symmetric};
use super::{packed, packed_float};
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, clamp_f32, multiplier};
use crate::error::Result;
use crate::graph::{DType, FullyConnected};
use crate::kernels::fixed_point::Rescale;
use crate::kernels::reference::conv::Quantized;
use crate::kernels::reference::fully_connected::{
    WeightScales, clamp_f32 as clamp_all, fully_connected_f32, fully_connected_hybrid,
    fully_connected_i16, fully_connected_int,
};
use crate::kernels::{Conv2dShape, ConvF32, ConvHybrid, ConvI8, ConvI16, fully_connected_shape};
use crate::{malformed, unsupported};

/// Checked operands and geometry.
struct Product<'a> {
    input: Operand<'a>,
    weights: Operand<'a>,
    bias: Option<Operand<'a>>,
    channels: usize,
    depth: usize,
    out_shape: Vec<usize>,
}

pub(super) fn build(cx: &NodeCx<'_>, o: &FullyConnected) -> Result<Built> {
    if o.shuffled_weights {
        return unsupported!("shuffled weights cannot run yet");
    }
    let p = check(cx, o)?;
    cx.expect_output(p.input.dtype())?;
    match (p.input.dtype(), p.weights.dtype()) {
        (DType::Float32, DType::Float32) => float(cx, o, p),
        (DType::Float32, DType::Int8) => hybrid(cx, o, p),
        (DType::Int8, DType::Int8) => int8(cx, o, p),
        (DType::UInt8, DType::UInt8) => uint8(cx, o, p),
        (DType::Int16, DType::Int8) => int16(cx, o, p),
        (input, weights) => cx.no_kernel(format_args!("{input} input with {weights} weights")),
    }
}

fn check<'a>(cx: &NodeCx<'a>, o: &FullyConnected) -> Result<Product<'a>> {
    let (input, weights, bias) = (cx.input(0)?, cx.input(1)?, cx.optional(2)?);
    weights.expect_rank(2)?;
    let (channels, depth) = (weights.shape[0], weights.shape[1]);
    if channels == 0 || depth == 0 {
        return malformed!("{weights} is empty");
    }
    if input.elements() % depth != 0 {
        return malformed!(
            "{input} of shape {:?} does not divide into rows of {depth} elements",
            input.shape
        );
    }
    if let Some(bias) = &bias
        && bias.elements() != channels
    {
        return malformed!("{bias} has {} elements, not {channels}", bias.elements());
    }
    let out_shape = if o.keep_num_dims {
        let Some((&last, outer)) = input.shape.split_last() else {
            return malformed!("{input} is a scalar");
        };
        if last != depth {
            return malformed!("{input} has rows of {last} elements, not {depth}");
        }
        [outer, &[channels]].concat()
    } else {
        vec![input.elements() / depth, channels]
    };
    Ok(Product {
        input,
        weights,
        bias,
        channels,
        depth,
        out_shape,
    })
}

impl Product<'_> {
    fn rows(&self) -> usize {
        self.input.elements() / self.depth
    }

    /// The convolution that this product is to the packed kernels.
    fn geometry(&self) -> Conv2dShape {
        fully_connected_shape(self.rows(), self.depth, self.channels)
    }
}

fn float(cx: &NodeCx<'_>, o: &FullyConnected, p: Product<'_>) -> Result<Built> {
    p.bias.iter().try_for_each(|b| b.expect(DType::Float32))?;
    let (depth, clamp) = (p.depth, clamp_f32(o.activation)?);
    if let (Some(isa), Some(weights)) = (cx.isa, p.weights.constant())
        && let Some(bias) = constant_or_absent(p.bias)
    {
        let op = ConvF32::new(isa, p.geometry(), weights, bias, clamp)?.in_order(cx.in_order);
        return packed_float!(cx, p.out_shape, op);
    }
    Built::kernel(p.out_shape, move |io, out| {
        let (input, weights, bias) = (io.get(0), io.get(1), io.optional(2));
        fully_connected_f32(depth, input, weights, bias, clamp, typed_mut(out));
    })
}

fn hybrid(cx: &NodeCx<'_>, o: &FullyConnected, p: Product<'_>) -> Result<Built> {
    p.bias.iter().try_for_each(|b| b.expect(DType::Float32))?;
    let (depth, clamp) = (p.depth, clamp_f32(o.activation)?);
    let scales = p.weights.weight_scales(p.channels, 0)?;
    let per_tensor = p.weights.is_per_tensor();
    let asymmetric = o.asymmetric_quantize_inputs;
    if let (Some(isa), Some(weights)) = (cx.isa, p.weights.constant())
        && let Some(bias) = constant_or_absent(p.bias)
    {
        let scales = if per_tensor {
            WeightScales::PerTensor(scales[0])
        } else {
            WeightScales::PerChannel(&scales)
        };
        let rows = p.rows();
        let op = ConvHybrid::fully_connected(
            isa, rows, depth, weights, bias, scales, asymmetric, clamp,
        )?;
        return packed_float!(cx, p.out_shape, op);
    }
    Built::kernel(p.out_shape, move |io, out| {
        let scales = if per_tensor {
            WeightScales::PerTensor(scales[0])
        } else {
            WeightScales::PerChannel(&scales)
        };
        let (input, weights, bias) = (io.get(0), io.get(1), io.optional(2));
        let out = typed_mut(out);
        fully_connected_hybrid(depth, input, weights, scales, asymmetric, bias, out);
        clamp_all(out, clamp);
    })
}

/// LiteRT's reference kernels rescale FULLY_CONNECTED in float64.
fn rescale(p: &Product<'_>, output_scale: f32) -> Result<Vec<Rescale>> {
    let input_scale = f64::from(p.input.quantization()?.0);
    let scales = p.weights.weight_scales(p.channels, 0)?;
    let factor = |&w: &f32| input_scale * f64::from(w) / f64::from(output_scale);
    Ok(scales.iter().map(|w| Rescale::Real(factor(w))).collect())
}

/// The quantization of old files: weights with a zero point, rescaled in fixed point.
fn uint8(cx: &NodeCx<'_>, o: &FullyConnected, p: Product<'_>) -> Result<Built> {
    p.bias.iter().try_for_each(|b| b.expect(DType::Int32))?;
    let input_zero_point = p.input.quantization()?.1;
    let (weight_scale, weight_zero_point) = p.weights.quantization()?;
    let (output_scale, output_zero_point) = cx.output_quantization()?;
    let product = p.input.quantization()?.0 * weight_scale;
    let factor = multiplier(f64::from(product) / f64::from(output_scale))?;
    let rescale = vec![Rescale::Fixed(factor); p.channels];
    let (clamp, depth) = (cx.output_clamp(o.activation)?, p.depth);
    Built::kernel(p.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        let (input, weights, bias) = (io.get::<u8>(0), io.get(1), io.optional(2));
        fully_connected_int(depth, input, weights, weight_zero_point, bias, &q, out);
    })
}

fn int8(cx: &NodeCx<'_>, o: &FullyConnected, p: Product<'_>) -> Result<Built> {
    let (output_scale, output_zero_point) = cx.output_quantization()?;
    let input_zero_point = p.input.quantization()?.1;
    let weight_zero_point = p.weights.weight_zero_point()?;
    let clamp = cx.output_clamp(o.activation)?;
    p.bias.iter().try_for_each(|b| b.expect(DType::Int32))?;
    let (rescale, depth) = (rescale(&p, output_scale)?, p.depth);
    if let (Some(isa), Some(weights), 0) = (cx.isa, p.weights.constant(), weight_zero_point)
        && let Some(bias) = constant_or_absent(p.bias)
    {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        let op = ConvI8::new(isa, p.geometry(), weights, bias, &q)?;
        return packed!(cx, p.out_shape, op);
    }
    Built::kernel(p.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point,
            output_zero_point,
            rescale: &rescale,
            clamp,
        };
        let (input, weights, bias) = (io.get(0), io.get(1), io.optional(2));
        fully_connected_int::<i8>(
            depth,
            input,
            weights,
            weight_zero_point,
            bias,
            &q,
            typed_mut(out),
        );
    })
}

fn int16(cx: &NodeCx<'_>, o: &FullyConnected, p: Product<'_>) -> Result<Built> {
    expect_symmetric(cx, p.input)?;
    let output_scale = cx.output_quantization()?.0;
    let weight_zero_point = p.weights.weight_zero_point()?;
    let clamp = cx.output_clamp(o.activation)?;
    let bias = OwnedBias::new(p.bias)?;
    let (rescale, depth) = (rescale(&p, output_scale)?, p.depth);
    if let (Some(isa), Some(weights), 0) = (cx.isa, p.weights.constant(), weight_zero_point)
        && let OwnedBias::I64(bias) = &bias
    {
        let q = Quantized {
            input_zero_point: 0,
            output_zero_point: 0,
            rescale: &rescale,
            clamp,
        };
        let op = ConvI16::new(isa, p.geometry(), weights, bias.as_deref(), &q)?;
        return packed!(cx, p.out_shape, op);
    }
    Built::kernel(p.out_shape, move |io, out| {
        let q = Quantized {
            input_zero_point: 0,
            output_zero_point: 0,
            rescale: &rescale,
            clamp,
        };
        let (input, weights, bias) = (io.get(0), io.get(1), bias.borrowed());
        fully_connected_i16(
            depth,
            input,
            weights,
            weight_zero_point,
            bias,
            &q,
            typed_mut(out),
        );
    })
}
