//! Builders of LOG_SOFTMAX, L2_NORMALIZATION, LOCAL_RESPONSE_NORMALIZATION and FAKE_QUANT.

use super::elementwise::{each, same_type};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::graph::{Activation, DType, FakeQuant, LocalResponseNormalization};
use crate::kernels::quantize::QuantInt;
use crate::kernels::reference::normalize as kernels;
use crate::{malformed, unsupported};

/// Input 0 and the extent of its last axis.
fn rows<'a>(cx: &NodeCx<'a>) -> Result<(Operand<'a>, usize)> {
    let input = same_type(cx)?;
    match input.shape.last() {
        Some(&depth) => Ok((input, depth)),
        None => malformed!("{input} is a scalar"),
    }
}

/// Fails unless the output has the scale and zero point that its operator fixes.
fn expect_fixed(cx: &NodeCx<'_>, scale: f32, zero_point: i32) -> Result<()> {
    let got = cx.output_quantization()?;
    if got == (scale, zero_point) {
        return Ok(());
    }
    malformed!(
        "its output must have scale {scale} and zero point {zero_point}, not {} and {}",
        got.0,
        got.1
    )
}

pub(super) fn log_softmax(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, depth) = rows(cx)?;
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        return Built::kernel(shape, move |io, out| {
            kernels::log_softmax_f32(depth, io.get(0), typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8], T => {
        expect_fixed(cx, 1.0 / 16.0, T::MAX.into())?;
        let Some(p) = kernels::LogSoftmax8::new(input.quantization()?.0) else {
            return unsupported!("{input} has too small a scale for this operator");
        };
        Built::kernel(shape, move |io, out| {
            kernels::log_softmax_8bit::<T>(depth, p, io.get(0), typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

pub(super) fn l2(cx: &NodeCx<'_>, activation: Activation) -> Result<Built> {
    let (input, depth) = rows(cx)?;
    if activation != Activation::None {
        return unsupported!("the fused activation {activation:?} cannot run yet");
    }
    let shape = input.shape.to_vec();
    if input.dtype() == DType::Float32 {
        return Built::kernel(shape, move |io, out| {
            kernels::l2_normalize_f32(depth, io.get(0), typed_mut(out));
        });
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8], T => {
        let middle = <T as QuantInt>::MIN + 128;
        expect_fixed(cx, 1.0 / 128.0, middle)?;
        let zero_point = input.quantization()?.1;
        Built::kernel(shape, move |io, out| {
            kernels::l2_normalize_8bit::<T>(depth, zero_point, io.get(0), typed_mut(out));
        })
    }, cx.no_kernel(format_args!("{} input", input.dtype())))
}

pub(super) fn local_response(cx: &NodeCx<'_>, o: &LocalResponseNormalization) -> Result<Built> {
    let (input, depth) = rows(cx)?;
    input.expect_rank(4)?;
    if input.dtype() != DType::Float32 {
        return cx.no_kernel(format_args!("{} input", input.dtype()));
    }
    let Ok(radius) = usize::try_from(o.radius) else {
        return malformed!("its radius is {}", o.radius);
    };
    let parameters = (o.bias, o.alpha, o.beta);
    Built::kernel(input.shape.to_vec(), move |io, out| {
        kernels::local_response_normalize(depth, radius, parameters, io.get(0), typed_mut(out));
    })
}

pub(super) fn fake_quant(cx: &NodeCx<'_>, o: &FakeQuant) -> Result<Built> {
    let input = same_type(cx)?;
    if input.dtype() != DType::Float32 {
        return cx.no_kernel(format_args!("{} input", input.dtype()));
    }
    if o.narrow_range {
        return unsupported!("a narrow range cannot run yet");
    }
    let bits = u32::try_from(o.bits).unwrap_or(0);
    let holds_zero = o.min <= 0.0 && o.max >= 0.0 && o.min < o.max;
    if !holds_zero || !(2..=16).contains(&bits) {
        return malformed!(
            "its range {} to {} in {} bits is not one that holds 0",
            o.min,
            o.max,
            o.bits
        );
    }
    let f = kernels::FakeQuant::new(o.min, o.max, bits);
    each(cx, input.shape, move |x: f32| f.apply(x))
}
