//! Builders of ADD, SUB and MUL.

use super::elementwise::Pair;
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, clamp_f32, multiplier};
use crate::error::Result;
use crate::graph::{Activation, DType};
use crate::kernels::Isa;
use crate::kernels::elementwise::{Arithmetic, ProductInt, SumInt, arithmetic_f32};
use crate::kernels::reference::activation::checked_log2;
use crate::kernels::reference::arithmetic::{Product, Sum, SumPot};
use crate::malformed;

impl Pair<'_> {
    /// The instruction set of vectorised kernels where they take these operands.
    fn fast(&self, cx: &NodeCx<'_>) -> Option<Isa> {
        cx.isa.filter(|_| self.walk.is_plain())
    }

    fn float(self, cx: &NodeCx<'_>, activation: Activation, how: Arithmetic) -> Result<Built> {
        let (low, high) = clamp_f32(activation)?;
        if let Some(isa) = self.fast(cx) {
            return Built::working(self.shape, move |io, out, w| {
                let (a, b, out) = (io.get(0), io.get(1), typed_mut(out));
                arithmetic_f32(isa, how, a, b, (low, high), out, w.threads)
            });
        }
        let f = match how {
            Arithmetic::Add => |a: f32, b: f32| a + b,
            Arithmetic::Sub => |a: f32, b: f32| a - b,
            Arithmetic::Mul => |a: f32, b: f32| a * b,
        };
        let walk = self.walk;
        Built::kernel(self.shape, move |io, out| {
            let f = |a, b| f(a, b).clamp(low, high);
            walk.apply(io.get::<f32>(0), io.get::<f32>(1), typed_mut(out), f);
        })
    }

    /// Unquantized integers; overflow wraps.
    fn integers<T: bytemuck::Pod + Ord + Send>(
        self,
        (low, high): (T, T),
        f: impl Fn(T, T) -> T + Send + 'static,
    ) -> Result<Built> {
        let walk = self.walk;
        Built::kernel(self.shape, move |io, out| {
            let f = |a, b| f(a, b).clamp(low, high);
            walk.apply(io.get::<T>(0), io.get::<T>(1), typed_mut(out), f);
        })
    }
}

/// Smallest and largest integer under a fused activation.
fn clamp_i64(activation: Activation, (min, max): (i64, i64)) -> Result<(i64, i64)> {
    let (low, high) = clamp_f32(activation)?;
    Ok((
        if low > f32::MIN { low as i64 } else { min },
        if high < f32::MAX { high as i64 } else { max },
    ))
}

pub(super) fn clamp_i32(activation: Activation) -> Result<(i32, i32)> {
    let (low, high) = clamp_i64(activation, (i32::MIN.into(), i32::MAX.into()))?;
    Ok((low as i32, high as i32))
}

/// ADD, or SUB if `subtract`.
pub(super) fn sum(
    cx: &NodeCx<'_>,
    activation: Activation,
    pot_scale_int16: bool,
    subtract: bool,
) -> Result<Built> {
    let p = Pair::same_type(cx)?;
    match p.left.dtype() {
        DType::Float32 if subtract => return p.float(cx, activation, Arithmetic::Sub),
        DType::Float32 => return p.float(cx, activation, Arithmetic::Add),
        DType::Int32 => {
            let clamp = clamp_i32(activation)?;
            let f = if subtract {
                i32::wrapping_sub
            } else {
                i32::wrapping_add
            };
            return p.integers(clamp, f);
        }
        DType::Int64 => {
            let clamp = clamp_i64(activation, (i64::MIN, i64::MAX))?;
            let f = if subtract {
                i64::wrapping_sub
            } else {
                i64::wrapping_add
            };
            return p.integers(clamp, f);
        }
        _ => {}
    }
    let (scales, zero_points) = p.quantizations(cx)?;
    let clamp = cx.output_clamp(activation)?;
    let dtype = p.left.dtype();
    if dtype == DType::Int16 {
        if zero_points != [0; 3] {
            return malformed!("int16 tensors of this operator must have zero point 0");
        }
        if pot_scale_int16 && let [Some(l), Some(r), Some(o)] = scales.map(checked_log2) {
            return pot_sum(p, [o - l, o - r], clamp, subtract);
        }
    }
    let sum = Sum::new(scales, zero_points, dtype.bits(), clamp);
    if !sum.is_representable() {
        return malformed!("its output scale {} is too small for its inputs", scales[2]);
    }
    with_quantized!(dtype, [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        if let Some(isa) = p.fast(cx) {
            let sum = SumInt::<T>::new(scales, zero_points, clamp, subtract)?;
            return Built::working(p.shape, move |io, out, w| {
                sum.run(isa, io.get(0), io.get(1), typed_mut(out), w.threads)
            });
        }
        let walk = p.walk;
        Built::kernel(p.shape, move |io, out| {
            let f = |a, b| sum.apply::<T>(a, b, subtract);
            walk.apply(io.get(0), io.get(1), typed_mut(out), f);
        })
    }, cx.no_kernel(format_args!("{dtype} input")))
}

fn pot_sum(p: Pair<'_>, shifts: [i32; 2], clamp: (i32, i32), subtract: bool) -> Result<Built> {
    if shifts.iter().any(|s| *s < 0) || shifts.iter().all(|s| *s > 0) {
        return malformed!(
            "its output scale must be that of one input and no smaller than that of the other, as its scales are powers of two"
        );
    }
    let sum = SumPot { shifts, clamp };
    let walk = p.walk;
    Built::kernel(p.shape, move |io, out| {
        let f = |a, b| sum.apply(a, b, subtract);
        walk.apply(io.get(0), io.get(1), typed_mut(out), f);
    })
}

pub(super) fn product(cx: &NodeCx<'_>, activation: Activation) -> Result<Built> {
    let p = Pair::same_type(cx)?;
    match p.left.dtype() {
        DType::Float32 => return p.float(cx, activation, Arithmetic::Mul),
        DType::Int32 => return p.integers(clamp_i32(activation)?, i32::wrapping_mul),
        DType::Int64 => {
            let clamp = clamp_i64(activation, (i64::MIN, i64::MAX))?;
            return p.integers(clamp, i64::wrapping_mul);
        }
        _ => {}
    }
    let (scales, zero_points) = p.quantizations(cx)?;
    let dtype = p.left.dtype();
    if dtype == DType::Int16 && zero_points != [0; 3] {
        return malformed!("int16 tensors of this operator must have zero point 0");
    }
    let product = Product {
        zero_points,
        // In float32, as LiteRT computes it.
        multiplier: multiplier((scales[0] * scales[1] / scales[2]).into())?,
        clamp: cx.output_clamp(activation)?,
    };
    with_quantized!(dtype, [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        if let Some(isa) = p.fast(cx) {
            let Product { zero_points, multiplier, clamp } = product;
            let product = ProductInt::<T>::new(zero_points, multiplier, clamp)?;
            return Built::working(p.shape, move |io, out, w| {
                product.run(isa, io.get(0), io.get(1), typed_mut(out), w.threads)
            });
        }
        let walk = p.walk;
        Built::kernel(p.shape, move |io, out| {
            let f = |a, b| product.apply::<T>(a, b);
            walk.apply(io.get(0), io.get(1), typed_mut(out), f);
        })
    }, cx.no_kernel(format_args!("{dtype} input")))
}
