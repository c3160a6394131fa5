//! Builders of CAST and BITCAST.

use bytemuck::Pod;
use half::f16;

use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::graph::DType;
use crate::kernels::reference::cast::EveryCast;
use crate::malformed;

fn convert<A: Pod, B: Pod>(input: Operand<'_>, f: fn(A) -> B) -> Result<Built> {
    Built::kernel(input.shape.to_vec(), move |io, out| {
        for (o, &v) in typed_mut::<B>(out).iter_mut().zip(io.get::<A>(0)) {
            *o = f(v);
        }
    })
}

/// CAST; the tensors' own types decide.
pub(super) fn cast(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    let to = cx.output()?.1.dtype;
    let refuse = || cx.no_kernel(format_args!("{} to {to}", input.dtype()));
    if input.dtype() == DType::Bool {
        return match to {
            DType::Bool => convert(input, |v: u8| v),
            _ => to_type(input, to, |v: u8| u8::from(v != 0), refuse),
        };
    }
    with_quantized!(input.dtype(),
        [Float32 => f32, Float16 => f16, Float64 => f64, Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16,
         Int32 => i32, UInt32 => u32, Int64 => i64],
        T => match to {
            DType::Bool => convert(input, |v: T| u8::from(v != T::default())),
            _ => to_type(input, to, |v: T| v, refuse),
        },
        refuse())
}

fn to_type<A>(
    input: Operand<'_>,
    to: DType,
    value: fn(A) -> A,
    refuse: impl Fn() -> Result<Built>,
) -> Result<Built>
where
    A: Pod + EveryCast,
{
    with_quantized!(to,
        [Float32 => f32, Float16 => f16, Float64 => f64, Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16,
         Int32 => i32, UInt32 => u32, Int64 => i64],
        T => Built::kernel(input.shape.to_vec(), move |io, out| {
            for (o, &v) in typed_mut::<T>(out).iter_mut().zip(io.get::<A>(0)) {
                *o = value(v).cast();
            }
        }),
        refuse())
}

/// BITCAST: a larger element takes the last axis in, a smaller one adds a last axis.
pub(super) fn bitcast(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    let (_, output) = cx.output()?;
    let (from, to) = (input.dtype().bits() / 8, output.dtype.bits() / 8);
    if from == 0 || to == 0 {
        return cx.no_kernel(format_args!("{} to {}", input.dtype(), output.dtype));
    }
    let mut shape = input.shape.to_vec();
    if from > to {
        shape.push(from / to);
    } else if from < to && shape.pop() != Some(to / from) {
        return malformed!(
            "{input} has shape {:?}, whose last axis does not make one {} each",
            input.shape,
            output.dtype
        );
    }
    Built::kernel(shape, |io, out| out.copy_from_slice(io.bytes(0)))
}
