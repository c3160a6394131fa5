//! Builders of the RELU family, LOGISTIC, TANH, SOFTMAX, HARD_SWISH and GELU.

use super::elementwise::{each, same_type};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, multiplier, step_range};
use crate::error::Result;
use crate::graph::DType;
use crate::kernels::elementwise;
use crate::kernels::quantize::{QuantInt, quantize_value};
use crate::kernels::reference::activation::{
    HardSwish8, SigmoidScale, hard_swish as hard_swish_f32, hard_swish_8bit,
    logistic as logistic_f32, logistic_i16, lookup_8bit, relu as relu_int, relu_f32, sigmoid,
    table_8bit, table_i16_f32, tanh_i16,
};
use crate::kernels::reference::arithmetic::Broadcast;
use crate::kernels::reference::softmax::{
    Softmax8, Softmax16, softmax_8bit, softmax_f32, softmax_i16,
};
use crate::kernels::reference::unary::{self, LeakyRelu, Prelu};
use crate::{malformed, unsupported};
use half::f16;

/// RELU and its kin: the input within `low` and, if given, `high`.
pub(super) fn relu(cx: &NodeCx<'_>, low: f32, high: Option<f32>) -> Result<Built> {
    let input = same_type(cx)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        let clamp = (low, high.unwrap_or(f32::INFINITY));
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
        let clamp = (step(low), high.map_or(qmax, step));
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

/// An 8-bit function by a table of all steps.
pub(super) fn by_table(
    cx: &NodeCx<'_>,
    input: Operand<'_>,
    f: impl Fn(f32) -> f32,
) -> Result<Built> {
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
    let input = same_type(cx)?;
    let shape = input.shape.to_vec();
    match input.dtype() {
        DType::Float32 => each(cx, &shape, logistic_f32),
        DType::Float16 => each(cx, &shape, |x: f16| f16::from_f32(sigmoid(x.to_f32()))),
        DType::Int16 => {
            let scale = SigmoidScale::new(expect_q15(cx, input)?, 0);
            Built::kernel(shape, move |io, out| {
                logistic_i16(io.get(0), scale, typed_mut(out));
            })
        }
        _ => by_table(cx, input, sigmoid),
    }
}

pub(super) fn tanh(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    let shape = input.shape.to_vec();
    match input.dtype() {
        DType::Float32 => each(cx, &shape, f32::tanh),
        DType::Float16 => each(cx, &shape, |x: f16| f16::from_f32(x.to_f32().tanh())),
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
    let input = same_type(cx)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        return each(cx, &shape, hard_swish_f32);
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

/// An int16 function by a table of 512 straight pieces.
pub(super) fn by_table_i16(
    cx: &NodeCx<'_>,
    input: Operand<'_>,
    f: impl Fn(f32) -> f32,
) -> Result<Built> {
    let table = table_i16_f32(input.quantization()?, cx.output_quantization()?, f);
    each::<i16, i16>(cx, input.shape, move |v| table.interpolate(v))
}

pub(super) fn gelu(cx: &NodeCx<'_>, approximate: bool) -> Result<Built> {
    let input = same_type(cx)?;
    let f = move |x: f32| unary::gelu(x, approximate);
    match input.dtype() {
        DType::Float32 => each(cx, input.shape, f),
        DType::Float16 => each(cx, input.shape, move |x: f16| {
            unary::gelu_f16(x, approximate)
        }),
        DType::Int16 => by_table_i16(cx, input, f),
        _ => by_table(cx, input, f),
    }
}

pub(super) fn leaky_relu(cx: &NodeCx<'_>, alpha: f32) -> Result<Built> {
    let input = same_type(cx)?;
    if input.dtype() == DType::Float32 {
        return each(
            cx,
            input.shape,
            move |x: f32| {
                if x > 0.0 { x } else { x * alpha }
            },
        );
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
        let p = LeakyRelu::new(alpha, input_q, output_q);
        if !p.is_representable() {
            return malformed!("its output scale {} is too small for its input's {}", output_q.0, input_q.0);
        }
        each(cx, input.shape, move |v: T| p.apply(v))
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

/// int16 inputs take int8 slopes, all others slopes of their own type.
pub(super) fn prelu(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, alpha) = (same_type(cx)?, cx.input(1)?);
    let Some(walk) = Broadcast::new(input.shape, alpha.shape)
        .filter(|_| Broadcast::shape(input.shape, alpha.shape).as_deref() == Some(input.shape))
    else {
        return malformed!("{alpha} does not fit its input's shape {:?}", input.shape);
    };
    let shape = input.shape.to_vec();
    let dtype = input.dtype();
    if (dtype, alpha.dtype()) == (DType::Float32, DType::Float32) {
        return Built::kernel(shape, move |io, out| {
            let f = |x: f32, alpha: f32| if x >= 0.0 { x } else { x * alpha };
            walk.apply(io.get(0), io.get(1), typed_mut(out), f);
        });
    }
    macro_rules! quantized {
        ($t:ty, $alpha:ty) => {{
            let [i, a, o] = [
                input.quantization()?,
                alpha.quantization()?,
                cx.output_quantization()?,
            ];
            expect_symmetric_i16(dtype, &[i.1, o.1])?;
            let f = Prelu {
                zero_points: [i.1, a.1, o.1],
                // In float32, as LiteRT computes them.
                identity: multiplier((i.0 / o.0).into())?,
                slope: multiplier((i.0 * a.0 / o.0).into())?,
            };
            Built::kernel(shape, move |io, out| {
                let f = |x: $t, alpha: $alpha| f.apply(x, alpha);
                walk.apply(io.get(0), io.get(1), typed_mut(out), f);
            })
        }};
    }
    match (dtype, alpha.dtype()) {
        (DType::Int8, DType::Int8) => quantized!(i8, i8),
        (DType::UInt8, DType::UInt8) => quantized!(u8, u8),
        (DType::Int16, DType::Int8) => quantized!(i16, i8),
        (input, alpha) => cx.no_kernel(format_args!("{input} input with {alpha} slopes")),
    }
}

/// Fails if int16 tensors have a zero point other than 0.
pub(super) fn expect_symmetric_i16(dtype: DType, zero_points: &[i32]) -> Result<()> {
    if dtype == DType::Int16 && zero_points.iter().any(|&z| z != 0) {
        return malformed!("int16 tensors of this operator must have zero point 0");
    }
    Ok(())
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
