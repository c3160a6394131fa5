//! Builders of RELU, RELU6, LOGISTIC, TANH, SOFTMAX and HARD_SWISH.

use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, multiplier, step_range};
use crate::error::Result;
use crate::graph::DType;
use crate::kernels::elementwise;
use crate::kernels::quantize::{QuantInt, quantize_value};
use crate::kernels::reference::activation::{
    HardSwish8, SigmoidScale, hard_swish as hard_swish_f32, hard_swish_8bit,
    logistic as logistic_f32, logistic_i16, lookup_8bit, map_f32, relu as relu_int, relu_f32,
    table_8bit, tanh_i16,
};
use crate::kernels::reference::softmax::{
    Softmax8, Softmax16, softmax_8bit, softmax_f32, softmax_i16,
};
use crate::{malformed, unsupported};

/// The input, of the output's type.
fn unary<'a>(cx: &NodeCx<'a>) -> Result<Operand<'a>> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    Ok(input)
}

/// RELU, or a RELU with an upper end.
pub(super) fn relu(cx: &NodeCx<'_>, high: Option<f32>) -> Result<Built> {
    let input = unary(cx)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        let clamp = (0.0, high.unwrap_or(f32::INFINITY));
        if let Some(isa) = cx.isa {
            return Built::working(shape, move |io, out, w| {
                elementwise::clamp_f32(isa, io.get(0), clamp, typed_mut(out), w.threads)
            });
        }
        return Built::kernel(shape, move |io, out| {
            relu_f32(io.get(0), clamp, typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        if input.dtype() == DType::Int16 && (input_q.1, output_q.1) != (0, 0) {
            return malformed!("int16 tensors of this operator must have zero point 0");
        }
        let factor = multiplier((input_q.0 / output_q.0).into())?;
        let (qmin, qmax) = step_range(input.dtype())?;
        let step = |x: f32| quantize_value(x, output_q.0, output_q.1, qmin, qmax);
        let clamp = (step(0.0), high.map_or(qmax, step));
        if let Some(isa) = cx.isa {
            return Built::working(shape, move |io, out, w| {
                let out = typed_mut::<T>(out);
                let (from, to) = (input_q.1, output_q.1);
                elementwise::rescale_int::<T, T>(isa, io.get(0), factor, from, to, clamp, out, w.threads)
            });
        }
        Built::kernel(shape, move |io, out| {
            relu_int::<T>(io.get(0), factor, input_q.1, output_q.1, clamp, typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

/// Fails unless the output of an int16 function has scale 2⁻¹⁵ and both zero points are 0.
fn expect_q15(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<f32> {
    let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
    let near = (output_q.0 * 32768.0 - 1.0).abs() <= 1e-3;
    if input_q.1 != 0 || output_q.1 != 0 || !near {
        return malformed!("its int16 output must have scale 1/32768, and zero points must be 0");
    }
    Ok(input_q.0)
}

fn by_table(cx: &NodeCx<'_>, input: Operand<'_>, f: fn(f32) -> f32) -> Result<Built> {
    let shape = input.shape.to_vec();
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8], T => {
        let table = table_8bit::<T>(input.quantization()?, cx.output_quantization()?, f);
        if let Some(isa) = cx.isa {
            return Built::working(shape, move |io, out, w| {
                elementwise::lookup::<T>(isa, io.get(0), &table, typed_mut(out), w.threads)
            });
        }
        Built::kernel(shape, move |io, out| lookup_8bit(io.get(0), &table, typed_mut(out)))
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

pub(super) fn logistic(cx: &NodeCx<'_>) -> Result<Built> {
    let input = unary(cx)?;
    let shape = input.shape.to_vec();
    match input.dtype() {
        DType::Float32 => Built::kernel(shape, |io, out| {
            map_f32(io.get(0), logistic_f32, typed_mut(out));
        }),
        DType::Int16 => {
            let scale = SigmoidScale::new(expect_q15(cx, input)?, 0);
            Built::kernel(shape, move |io, out| {
                logistic_i16(io.get(0), scale, typed_mut(out));
            })
        }
        _ => by_table(cx, input, logistic_f32),
    }
}

pub(super) fn tanh(cx: &NodeCx<'_>) -> Result<Built> {
    let input = unary(cx)?;
    let shape = input.shape.to_vec();
    match input.dtype() {
        DType::Float32 => Built::kernel(shape, |io, out| {
            map_f32(io.get(0), f32::tanh, typed_mut(out));
        }),
        DType::Int16 => {
            let scale = SigmoidScale::new(expect_q15(cx, input)?, 1);
            Built::kernel(shape, move |io, out| {
                tanh_i16(io.get(0), scale, typed_mut(out))
            })
        }
        _ => by_table(cx, input, f32::tanh),
    }
}

pub(super) fn hard_swish(cx: &NodeCx<'_>) -> Result<Built> {
    let input = unary(cx)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        return Built::kernel(shape, |io, out| {
            map_f32(io.get(0), hard_swish_f32, typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        let Some(p) = HardSwish8::new(input_q, output_q) else {
            return unsupported!(
                "an output scale of {} for an input scale of {} cannot run yet",
                output_q.0,
                input_q.0
            );
        };
        if let Some(isa) = cx.isa {
            // Every step once through the reference makes the table.
            let steps: [T; 256] = std::array::from_fn(|i| T::saturate(i64::from(T::MIN) + i as i64));
            let mut table = [T::default(); 256];
            hard_swish_8bit(&steps, &p, &mut table);
            return Built::working(shape, move |io, out, w| {
                elementwise::lookup::<T>(isa, io.get(0), &table, typed_mut(out), w.threads)
            });
        }
        Built::kernel(shape, move |io, out| {
            hard_swish_8bit::<T>(io.get(0), &p, typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

pub(super) fn softmax(cx: &NodeCx<'_>, beta: f32) -> Result<Built> {
    let input = cx.input(0)?;
    let Some(&depth) = input.shape.last() else {
        return malformed!("{input} is a scalar");
    };
    let shape = input.shape.to_vec();
    let output = cx.output()?.1.dtype;
    match (input.dtype(), output) {
        (DType::Float32, DType::Float32) => Built::kernel(shape, move |io, out| {
            softmax_f32(depth, beta, io.get(0), typed_mut(out));
        }),
        (DType::Int8, DType::Int8) => softmax8::<i8, i8>(cx, input, depth, beta),
        (DType::UInt8, DType::UInt8) => softmax8::<u8, u8>(cx, input, depth, beta),
        (DType::Int8, DType::Int16) => softmax8::<i8, i16>(cx, input, depth, beta),
        (DType::UInt8, DType::Int16) => softmax8::<u8, i16>(cx, input, depth, beta),
        (DType::Int16, DType::Int16) => {
            let p = Softmax16::new(beta, expect_q15(cx, input)?);
            Built::kernel(shape, move |io, out| {
                softmax_i16(depth, &p, io.get(0), typed_mut(out));
            })
        }
        (input, output) => cx.no_kernel(format_args!("{input} input with {output} output")),
    }
}

fn softmax8<T, O>(cx: &NodeCx<'_>, input: Operand<'_>, depth: usize, beta: f32) -> Result<Built>
where
    T: QuantInt + bytemuck::Pod,
    O: QuantInt + bytemuck::Pod,
{
    let (scale, zero_point) = cx.output_quantization()?;
    let steps = (1u64 << (8 * size_of::<O>())) as f32;
    if zero_point != O::MIN || (scale * steps - 1.0).abs() > 1e-3 {
        return malformed!(
            "its output must have scale 1/{steps} and zero point {}, not {scale} and {zero_point}",
            O::MIN
        );
    }
    let Some(p) = Softmax8::new(beta, input.quantization()?.0) else {
        return unsupported!("{input} has too small a scale for this operator");
    };
    Built::kernel(input.shape.to_vec(), move |io, out| {
        softmax_8bit::<T, O>(depth, p, io.get(0), typed_mut(out));
    })
}
