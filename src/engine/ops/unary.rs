//! Builders of functions of one element.

use half::f16;

use super::activation::{by_table, by_table_i16, expect_symmetric_i16, relu};
use super::elementwise::{checked_each, each, same_type};
use super::with_quantized;
use crate::engine::node::{Built, NodeCx, Operand, multiplier};
use crate::error::Result;
use crate::graph::{DType, Unary};
use crate::kernels::exponential;
use crate::kernels::reference::unary;

const BELOW_ZERO: &str = "an input is below 0, where this operator is not defined";

/// A function of one element.
pub(super) fn build(cx: &NodeCx<'_>, op: Unary) -> Result<Built> {
    match op {
        Unary::Abs => abs(cx),
        Unary::Ceil => float(cx, f32::ceil),
        Unary::Cos => float_or_half(cx, f32::cos),
        Unary::Elu => float_or_table(cx, unary::elu),
        Unary::Exp => exp(cx),
        Unary::Floor => float_or_half(cx, f32::floor),
        Unary::Log => log(cx),
        Unary::LogicalNot => logical_not(cx),
        Unary::Neg => neg(cx),
        Unary::Relu0To1 => narrow_relu(cx, 0.0),
        Unary::ReluN1To1 => narrow_relu(cx, -1.0),
        Unary::Round => float_or_half(cx, f32::round_ties_even),
        Unary::Rsqrt => rsqrt(cx),
        Unary::Sign => sign(cx),
        Unary::Sin => float_or_half(cx, f32::sin),
        Unary::Sqrt => sqrt(cx),
        Unary::Square => float(cx, |x| x * x),
        Unary::ZerosLike => zeros_like(cx),
    }
}

fn refuse(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<Built> {
    cx.no_kernel(format_args!("{} input", input.dtype()))
}

fn float(cx: &NodeCx<'_>, f: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Float32 => each(cx, input.shape, f),
        _ => refuse(cx, input),
    }
}

fn float_or_half(cx: &NodeCx<'_>, f: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Float16 => each(cx, input.shape, move |x: f16| f16::from_f32(f(x.to_f32()))),
        _ => float(cx, f),
    }
}

fn float_or_table(cx: &NodeCx<'_>, f: fn(f32) -> f32) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Int8 => by_table(cx, input, f),
        _ => float(cx, f),
    }
}

fn exp(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Int16 => by_table_i16(cx, input, exponential::exp),
        _ => float_or_table(cx, exponential::exp),
    }
}

/// Quantized logarithms of what is not positive are the smallest output.
fn log(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    let (low, wide): (i32, bool) = match input.dtype() {
        DType::Int8 => (i8::MIN.into(), false),
        DType::Int16 => (i16::MIN.into(), true),
        _ => return float(cx, f32::ln),
    };
    let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
    expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
    let least = (low - output_q.1) as f32 * output_q.0;
    let f = move |x: f32| if x <= 0.0 { least } else { x.ln() };
    if wide {
        by_table_i16(cx, input, f)
    } else {
        by_table(cx, input, f)
    }
}

fn abs(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    let is_quantized = input
        .tensor
        .quantization
        .as_ref()
        .is_some_and(|q| !q.scales.is_empty());
    match input.dtype() {
        DType::Int32 => return each(cx, input.shape, i32::wrapping_abs),
        DType::Int16 if !is_quantized => return each(cx, input.shape, i16::wrapping_abs),
        _ => {}
    }
    with_quantized!(input.dtype(), [Int8 => i8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
        let factor = if input_q.0 == output_q.0 {
            None
        } else {
            Some(multiplier((input_q.0 / output_q.0).into())?)
        };
        each(cx, input.shape, move |v: T| unary::abs_quantized(v, factor, input_q.1, output_q.1))
    }, float(cx, f32::abs))
}

fn logical_not(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    input.expect(DType::Bool)?;
    each(cx, input.shape, |v: u8| u8::from(v == 0))
}

/// Integers are negated as they are, whatever their quantization.
fn neg(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    with_quantized!(input.dtype(), [Int8 => i8, Int16 => i16, Int32 => i32, Int64 => i64], T => {
        each(cx, input.shape, T::wrapping_neg)
    }, float_or_half(cx, |x| -x))
}

fn narrow_relu(cx: &NodeCx<'_>, low: f32) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Int16 => refuse(cx, input),
        _ => relu(cx, low, Some(1.0)),
    }
}

fn rsqrt(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    if !matches!(input.dtype(), DType::Int8 | DType::Int16) {
        return float(cx, |x| 1.0 / x.sqrt());
    }
    let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
    if input.dtype() == DType::Int8 {
        // The root in float32, as LiteRT computes it.
        let factor = multiplier(1.0 / f64::from(input_q.0.sqrt() * output_q.0))?;
        return checked_each(
            cx,
            input.shape,
            move |v: i8| i32::from(v) >= input_q.1,
            BELOW_ZERO,
            move |v: i8| unary::rsqrt_i8(v, factor, input_q.1, output_q.1),
        );
    }
    expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
    let largest = f32::from(i16::MAX) * output_q.0;
    let f = move |x: f32| if x <= 0.0 { largest } else { 1.0 / x.sqrt() };
    let table = crate::kernels::reference::activation::table_i16_f32(input_q, output_q, f);
    checked_each(
        cx,
        input.shape,
        |v: i16| v >= 0,
        BELOW_ZERO,
        move |v: i16| table.interpolate(v),
    )
}

fn sign(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Float64 => each(cx, input.shape, |x: f64| unary::sign(x, 1.0)),
        DType::Int32 => each(cx, input.shape, |x: i32| unary::sign(x, 1)),
        _ => float(cx, |x| unary::sign(x, 1.0)),
    }
}

fn sqrt(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    with_quantized!(input.dtype(), [Int8 => i8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
        checked_each(
            cx,
            input.shape,
            move |v: T| i32::from(v) >= input_q.1,
            BELOW_ZERO,
            move |v: T| unary::sqrt_quantized(v, input_q, output_q),
        )
    }, float(cx, f32::sqrt))
}

fn zeros_like(cx: &NodeCx<'_>) -> Result<Built> {
    let input = same_type(cx)?;
    match input.dtype() {
        DType::Float32 | DType::Int32 | DType::Int64 => {
            Built::kernel(input.shape.to_vec(), |_, out| out.fill(0))
        }
        _ => refuse(cx, input),
    }
}

/// REAL, IMAG or COMPLEX_ABS: a real from each complex number, in both precisions.
pub(super) fn of_complex(
    cx: &NodeCx<'_>,
    single: fn([f32; 2]) -> f32,
    double: fn([f64; 2]) -> f64,
) -> Result<Built> {
    let input = cx.input(0)?;
    match input.dtype() {
        DType::Complex64 => {
            cx.expect_output(DType::Float32)?;
            each(cx, input.shape, single)
        }
        DType::Complex128 => {
            cx.expect_output(DType::Float64)?;
            each(cx, input.shape, double)
        }
        _ => refuse(cx, input),
    }
}
