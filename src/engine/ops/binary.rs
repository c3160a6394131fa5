//! Builders of functions of two elements beside ADD, SUB and MUL; and ADD_N.

use half::f16;

use super::arithmetic::clamp_i32;
use super::elementwise::{Pair, same_type};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, clamp_f32, multiplier};
use crate::error::Result;
use crate::graph::{Activation, Binary, DType};
use crate::kernels::reference::binary::{
    Int, Quotient, SquaredDifference, floor_mod_f32, larger, smaller,
};
use crate::malformed;

const BY_ZERO: &str = "a divisor is 0";

/// A function of two elements.
pub(super) fn build(cx: &NodeCx<'_>, op: Binary) -> Result<Built> {
    let p = Pair::same_type(cx)?;
    match op {
        Binary::Atan2 => atan2(cx, p),
        Binary::BitwiseXor => xor(cx, p),
        Binary::FloorDiv => floor_div(cx, p),
        Binary::FloorMod => floor_mod(cx, p),
        Binary::LogicalAnd => logical(cx, p, |a, b| a & b),
        Binary::LogicalOr => logical(cx, p, |a, b| a | b),
        Binary::Maximum => extremum(cx, p, true),
        Binary::Minimum => extremum(cx, p, false),
        Binary::Pow => pow(cx, p),
        Binary::RightShift => right_shift(cx, p),
        Binary::SquaredDifference => squared_difference(cx, p),
    }
}

fn refuse(cx: &NodeCx<'_>, p: &Pair<'_>) -> Result<Built> {
    cx.no_kernel(format_args!("{} input", p.left.dtype()))
}

fn atan2(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    match p.left.dtype() {
        DType::Float32 => p.each(cx, f32::atan2),
        DType::Float64 => p.each(cx, f64::atan2),
        DType::Float16 => p.each(cx, |a: f16, b: f16| {
            f16::from_f32(a.to_f32().atan2(b.to_f32()))
        }),
        _ => refuse(cx, &p),
    }
}

fn xor(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    with_quantized!(p.left.dtype(),
        [Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16, Int32 => i32, UInt32 => u32],
        T => p.each(cx, <T as Int>::xor), refuse(cx, &p))
}

fn right_shift(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    with_quantized!(p.left.dtype(),
        [Int8 => i8, UInt8 => u8, Int16 => i16, UInt16 => u16, Int32 => i32, UInt32 => u32],
        T => p.each(cx, <T as Int>::shift_right), refuse(cx, &p))
}

fn floor_div(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    if p.left.dtype() == DType::Float32 {
        return p.checked_each(cx, |b| b != 0.0, BY_ZERO, |a: f32, b| (a / b).floor());
    }
    with_quantized!(p.left.dtype(), [Int8 => i8, Int16 => i16, Int32 => i32],
        T => p.checked_each(cx, |b| b != 0, BY_ZERO, <T as Int>::floor_div), refuse(cx, &p))
}

fn floor_mod(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    if p.left.dtype() == DType::Float32 {
        return p.each(cx, floor_mod_f32);
    }
    with_quantized!(p.left.dtype(), [Int8 => i8, Int16 => i16, Int32 => i32, Int64 => i64],
        T => p.checked_each(cx, |b| b != 0, BY_ZERO, <T as Int>::floor_mod), refuse(cx, &p))
}

fn logical(cx: &NodeCx<'_>, p: Pair<'_>, f: fn(bool, bool) -> bool) -> Result<Built> {
    p.left.expect(DType::Bool)?;
    p.each(cx, move |a: u8, b: u8| u8::from(f(a != 0, b != 0)))
}

fn extremum(cx: &NodeCx<'_>, p: Pair<'_>, largest: bool) -> Result<Built> {
    with_quantized!(p.left.dtype(),
        [Float32 => f32, Float16 => f16, Int8 => i8, UInt8 => u8, Int16 => i16, Int32 => i32, Int64 => i64],
        T => if largest { p.each(cx, larger::<T>) } else { p.each(cx, smaller::<T>) },
        refuse(cx, &p))
}

fn pow(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    match p.left.dtype() {
        DType::Float32 => p.each(cx, f32::powf),
        DType::Int32 => p.checked_each(
            cx,
            |b| b >= 0,
            "an exponent is negative, which integers do not take",
            |a: i32, b: i32| f64::from(a).powf(b.into()) as i32,
        ),
        _ => refuse(cx, &p),
    }
}

fn squared_difference(cx: &NodeCx<'_>, p: Pair<'_>) -> Result<Built> {
    match p.left.dtype() {
        DType::Float32 => p.each(cx, |a: f32, b: f32| (a - b) * (a - b)),
        DType::Int32 => p.each(cx, |a: i32, b: i32| {
            let difference = a.wrapping_sub(b);
            difference.wrapping_mul(difference)
        }),
        DType::Int8 => {
            let (scales, zero_points) = p.quantizations(cx)?;
            let Some(f) = SquaredDifference::new(scales, zero_points) else {
                return malformed!("its output scale {} is too small for its inputs", scales[2]);
            };
            p.each(cx, move |a, b| f.apply(a, b))
        }
        _ => refuse(cx, &p),
    }
}

/// DIV.
pub(super) fn div(cx: &NodeCx<'_>, activation: Activation) -> Result<Built> {
    let p = Pair::same_type(cx)?;
    match p.left.dtype() {
        DType::Float32 => {
            let (low, high) = clamp_f32(activation)?;
            return p.each(cx, move |a: f32, b: f32| (a / b).clamp(low, high));
        }
        DType::Int32 => {
            let (low, high) = clamp_i32(activation)?;
            let f = move |a: i32, b: i32| a.trunc_div(b).clamp(low, high);
            return p.checked_each(cx, |b| b != 0, BY_ZERO, f);
        }
        _ => {}
    }
    with_quantized!(p.left.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        let (scales, zero_points) = p.quantizations(cx)?;
        let f = Quotient {
            zero_points,
            // In float32, as LiteRT computes it.
            multiplier: multiplier((scales[0] / (scales[1] * scales[2])).into())?,
            clamp: cx.output_clamp(activation)?,
        };
        let zero = zero_points[1];
        p.checked_each(cx, move |b: T| i32::from(b) != zero, BY_ZERO, move |a, b| f.apply(a, b))
    }, refuse(cx, &p))
}

/// ADD_N.
pub(super) fn add_n(cx: &NodeCx<'_>) -> Result<Built> {
    let first = same_type(cx)?;
    let count = cx.node.inputs.len();
    for i in 1..count {
        let other = cx.input(i)?;
        other.expect(first.dtype())?;
        if other.shape != first.shape {
            return malformed!(
                "{other} has shape {:?}, not {:?} as the first input",
                other.shape,
                first.shape
            );
        }
    }
    macro_rules! sum {
        ($t:ty, $add:expr) => {
            Built::kernel(first.shape.to_vec(), move |io, out| {
                let out = typed_mut::<$t>(out);
                out.copy_from_slice(io.get(0));
                for i in 1..count {
                    for (o, &v) in out.iter_mut().zip(io.get::<$t>(i)) {
                        *o = $add(*o, v);
                    }
                }
            })
        };
    }
    match first.dtype() {
        DType::Float32 => sum!(f32, |a: f32, b: f32| a + b),
        DType::Int32 => sum!(i32, i32::wrapping_add),
        other => cx.no_kernel(format_args!("{other} input")),
    }
}
