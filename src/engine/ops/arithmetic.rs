//! Builders of ADD, SUB and MUL.

use half::f16;

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
use crate::kernels::reference::binary::Int;
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

    /// Float16: computed in float32 and rounded, then clamped, infinities to the largest value.
    fn half(
        self,
        cx: &NodeCx<'_>,
        activation: Activation,
        f: impl Fn(f32, f32) -> f32 + Send + Sync + 'static,
    ) -> Result<Built> {
        let (low, high) = clamp_f32(activation)?;
        let low = low.max(f16::MIN.to_f32());
        let high = high.min(f16::MAX.to_f32());
        self.each(cx, move |a: f16, b: f16| {
            let rounded = f16::from_f32(f(a.to_f32(), b.to_f32()));
            f16::from_f32(rounded.to_f32().clamp(low, high))
        })
    }

    /// Unquantized integers; overflow wraps.
    fn integers<T: bytemuck::Pod + Int + TryFrom<i64> + Into<i64>>(
        self,
        cx: &NodeCx<'_>,
        activation: Activation,
        (min, max): (T, T),
        f: impl Fn(T, T) -> T + Send + Sync + 'static,
    ) -> Result<Built> {
        let (low, high) = clamp_i64(activation, (min.into(), max.into()))?;
        let low = T::try_from(low).unwrap_or(min);
        let high = T::try_from(high).unwrap_or(max);
        self.each(cx, move |a, b| f(a, b).clamp(low, high))
    }
}

fn is_quantized(p: &Pair<'_>) -> bool {
    let quantization = p.left.tensor.quantization.as_ref();
    quantization.is_some_and(|q| !q.scales.is_empty())
}

/// The smallest and the largest of an integer type.
macro_rules! limits {
    ($t:ty) => {
        (<$t>::MIN, <$t>::MAX)
    };
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
        DType::Float16 if !subtract => return p.half(cx, activation, |a, b| a + b),
        DType::Int16 if !subtract && !is_quantized(&p) => {
            return p.integers(cx, activation, limits!(i16), <i16 as Int>::plus);
        }
        DType::Int32 if subtract => {
            return p.integers(cx, activation, limits!(i32), <i32 as Int>::minus);
        }
        DType::Int32 => return p.integers(cx, activation, limits!(i32), <i32 as Int>::plus),
        DType::Int64 if subtract => {
            return p.integers(cx, activation, limits!(i64), <i64 as Int>::minus);
        }
        DType::Int64 => return p.integers(cx, activation, limits!(i64), <i64 as Int>::plus),
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
        DType::Float16 => return p.half(cx, activation, |a, b| a * b),
        DType::Int16 if !is_quantized(&p) => {
            return p.integers(cx, activation, limits!(i16), <i16 as Int>::times);
        }
        DType::Int32 => return p.integers(cx, activation, limits!(i32), <i32 as Int>::times),
        DType::UInt32 => return p.integers(cx, activation, limits!(u32), <u32 as Int>::times),
        DType::Int64 => return p.integers(cx, activation, limits!(i64), <i64 as Int>::times),
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
