//! Builders of QUANTIZE and DEQUANTIZE.

use bytemuck::Pod;
use half::f16;

use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, label, multiplier};
use crate::error::Result;
use crate::graph::{DType, Quantization, Tensor, TensorId};
use crate::kernels::elementwise;
use crate::kernels::fixed_point::Multiplier;
use crate::kernels::quantize::{self as q, ChannelLayout, QuantInt};
use crate::kernels::reference::requantize::requantize;
use crate::malformed;

/// Scales and zero points of a tensor quantized along a channel axis.
struct PerChannel {
    layout: ChannelLayout,
    scales: Vec<f32>,
    zero_points: Vec<i32>,
}

fn per_channel(id: TensorId, tensor: &Tensor, shape: &[usize]) -> Result<Option<PerChannel>> {
    let quantization = tensor.quantization.as_ref();
    let Some(Quantization {
        scales,
        zero_points,
        axis,
        ..
    }) = quantization.filter(|q| q.scales.len() > 1)
    else {
        return Ok(None);
    };
    let name = label(id, tensor);
    let Some(layout) = ChannelLayout::new(shape, *axis).filter(|l| l.channels == scales.len())
    else {
        return malformed!(
            "{name} has {} scales along axis {axis} of {shape:?}",
            scales.len()
        );
    };
    if scales.iter().any(|s| !s.is_finite() || *s < 0.0) {
        return malformed!("{name} has a scale that is negative or not a number");
    }
    let zero_point = |i: usize| match zero_points.len() {
        0 => Some(0),
        1 => i32::try_from(zero_points[0]).ok(),
        _ => i32::try_from(*zero_points.get(i)?).ok(),
    };
    let Some(zero_points) = (0..scales.len()).map(zero_point).collect() else {
        return malformed!("{name} has {} zero points", zero_points.len());
    };
    Ok(Some(PerChannel {
        layout,
        scales: scales.clone(),
        zero_points,
    }))
}

pub(super) fn quantize(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    let to = cx.output()?.1.dtype;
    let types = format!("{} to {to}", input.dtype());
    match input.dtype() {
        DType::Float32 => {
            let per_tensor = per_channel(cx.output()?.0, cx.output()?.1, input.shape)?.is_none();
            if let (Some(isa), true) = (cx.isa, per_tensor) {
                let shape = input.shape.to_vec();
                with_quantized!(to, [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
                    let (scale, zero_point) = cx.output_quantization()?;
                    return Built::working(shape, move |io, out, w| {
                        let out = typed_mut::<T>(out);
                        elementwise::quantize(isa, io.get(0), scale, zero_point, out, w.threads)
                    });
                }, {});
            }
            with_quantized!(to, [Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16],
                T => from_float::<T>(cx, input), cx.no_kernel(types))
        }
        DType::Int16 if to == DType::Int32 => between::<i16, i32>(cx, input),
        DType::Int8 | DType::UInt8 | DType::Int16 => {
            with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
                with_quantized!(to, [Int8 => i8, UInt8 => u8, Int16 => i16], O => {
                    let Some(isa) = cx.isa else {
                        return between::<T, O>(cx, input);
                    };
                    let (factor, from, to) = step(cx, input)?;
                    let clamp = (O::MIN.into(), O::MAX.into());
                    Built::working(input.shape.to_vec(), move |io, out, w| {
                        let (input, out) = (io.get::<T>(0), typed_mut::<O>(out));
                        elementwise::rescale_int(isa, input, factor, from, to, clamp, out, w.threads)
                    })
                }, cx.no_kernel(types))
            }, cx.no_kernel(types))
        }
        DType::Int32 => {
            with_quantized!(to, [Int8 => i8, Int16 => i16],
                O => between::<i32, O>(cx, input), cx.no_kernel(types))
        }
        _ => cx.no_kernel(types),
    }
}

fn from_float<T: QuantInt + Pod>(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<Built> {
    let (id, tensor) = cx.output()?;
    let shape = input.shape.to_vec();
    if let Some(p) = per_channel(id, tensor, &shape)? {
        return Built::kernel(shape, move |io, out| {
            let (scales, zero_points) = (&p.scales, &p.zero_points);
            let out = typed_mut::<T>(out);
            let range = (T::MIN, T::MAX);
            q::quantize_per_channel(io.get(0), p.layout, scales, zero_points, range, out);
        });
    }
    let (scale, zero_point) = cx.output_quantization()?;
    Built::kernel(shape, move |io, out| {
        q::quantize::<T>(io.get(0), scale, zero_point, typed_mut(out));
    })
}

fn between<T: QuantInt + Pod, O: QuantInt + Pod>(
    cx: &NodeCx<'_>,
    input: Operand<'_>,
) -> Result<Built> {
    let (factor, from, to) = step(cx, input)?;
    Built::kernel(input.shape.to_vec(), move |io, out| {
        requantize::<T, O>(io.get(0), factor, from, to, typed_mut(out));
    })
}

/// Factor and zero points from the input's steps to the output's.
fn step(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<(Multiplier, i32, i32)> {
    let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
    let factor = multiplier(f64::from(input_q.0) / f64::from(output_q.0))?;
    Ok((factor, input_q.1, output_q.1))
}

pub(super) fn dequantize(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(DType::Float32)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float16 {
        return Built::kernel(shape, |io, out| {
            let out = typed_mut::<f32>(out);
            for (o, v) in out.iter_mut().zip(io.get::<f16>(0)) {
                *o = v.to_f32();
            }
        });
    }
    if let (Some(isa), true) = (cx.isa, input.is_per_tensor()) {
        with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
            let (scale, zero_point) = input.quantization()?;
            return Built::working(shape, move |io, out, w| {
                let out = typed_mut(out);
                elementwise::dequantize::<T>(isa, io.get(0), scale, zero_point, out, w.threads)
            });
        }, {});
    }
    with_quantized!(input.dtype(),
        [Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16, Int32 => i32],
        T => to_float::<T>(input),
        cx.no_kernel(format_args!("{} input", input.dtype())))
}

fn to_float<T: QuantInt + Pod>(input: Operand<'_>) -> Result<Built> {
    let shape = input.shape.to_vec();
    if let Some(p) = per_channel(input.id, input.tensor, &shape)? {
        return Built::kernel(shape, move |io, out| {
            let (scales, zero_points) = (&p.scales, &p.zero_points);
            q::dequantize_per_channel::<T>(
                io.get(0),
                p.layout,
                scales,
                zero_points,
                typed_mut(out),
            );
        });
    }
    let (scale, zero_point) = input.quantization()?;
    Built::kernel(shape, move |io, out| {
        q::dequantize::<T>(io.get(0), scale, zero_point, typed_mut(out));
    })
}
