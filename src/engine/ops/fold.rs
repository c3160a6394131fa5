//! Builders of SUM, REDUCE_*, ARG_MAX, ARG_MIN and CUMSUM.

use bytemuck::Pod;

use super::activation::expect_symmetric_i16;
use super::elementwise::same_type;
use super::reduce::{reduced, resolve_axis};
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, multiplier_i64};
use crate::error::Result;
use crate::graph::{DType, Reduction};
use crate::kernels::quantize::ChannelLayout;
use crate::kernels::reference::binary::{Int, larger, smaller};
use crate::kernels::reference::reduce as kernels;
use crate::malformed;

/// Axes to reduce, the input, and the resulting shape.
struct Folded<'a> {
    input: Operand<'a>,
    reduce: Vec<bool>,
    out_shape: Vec<usize>,
}

impl Folded<'_> {
    /// Folds elements, beginning with `first`.
    fn by<T: Pod + Send>(self, first: T, f: impl Fn(T, T) -> T + Send + 'static) -> Result<Built> {
        let shape = self.input.shape.to_vec();
        let reduce = self.reduce;
        Built::kernel(self.out_shape, move |io, out| {
            let out = typed_mut::<T>(out);
            out.fill(first);
            kernels::fold(&shape, &reduce, io.get(0), &f, out);
        })
    }
}

/// SUM and REDUCE_*.
pub(super) fn reduce(cx: &NodeCx<'_>, kind: Reduction, keep_dims: bool) -> Result<Built> {
    let input = same_type(cx)?;
    let (reduce, out_shape) = reduced(cx, input, keep_dims)?;
    let folded = Folded {
        input,
        reduce,
        out_shape,
    };
    match kind {
        Reduction::Sum => sum(cx, folded),
        Reduction::Prod => product(cx, folded),
        Reduction::Max => extremum(cx, folded, true),
        Reduction::Min => extremum(cx, folded, false),
        Reduction::Any => {
            input.expect(DType::Bool)?;
            any(folded)
        }
        Reduction::All => {
            input.expect(DType::Bool)?;
            all(folded)
        }
    }
}

fn any(folded: Folded<'_>) -> Result<Built> {
    folded.by(0u8, |s, v| u8::from(s != 0 || v != 0))
}

fn all(folded: Folded<'_>) -> Result<Built> {
    folded.by(1u8, |s, v| u8::from(s != 0 && v != 0))
}

fn is_quantized(input: Operand<'_>) -> bool {
    let quantization = input.tensor.quantization.as_ref();
    quantization.is_some_and(|q| !q.scales.is_empty())
}

fn refuse(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<Built> {
    cx.no_kernel(format_args!("{} input", input.dtype()))
}

fn sum(cx: &NodeCx<'_>, folded: Folded<'_>) -> Result<Built> {
    let input = folded.input;
    match input.dtype() {
        DType::Float32 => return folded.by(0.0, |s: f32, v| s + v),
        DType::Int32 => return folded.by(0, i32::plus),
        DType::Int64 => return folded.by(0, i64::plus),
        DType::Bool => return any(folded),
        _ => {}
    }
    with_quantized!(input.dtype(), [Int8 => i8, UInt8 => u8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
        let factor = input_q.0 / output_q.0;
        let shape = input.shape.to_vec();
        let zero_points = (input_q.1, output_q.1);
        Built::kernel(folded.out_shape, move |io, out| {
            let out = typed_mut::<T>(out);
            kernels::sum_quantized(&shape, &folded.reduce, io.get(0), factor, zero_points, out);
        })
    }, refuse(cx, input))
}

fn product(cx: &NodeCx<'_>, folded: Folded<'_>) -> Result<Built> {
    let input = folded.input;
    match input.dtype() {
        DType::Float32 => return folded.by(1.0, |s: f32, v| s * v),
        DType::Int32 => return folded.by(1, i32::times),
        DType::Int64 => return folded.by(1, i64::times),
        DType::Bool => return all(folded),
        DType::Int8 if !is_quantized(input) => return folded.by(1, i8::times),
        DType::Int16 if !is_quantized(input) => return folded.by(1, i16::times),
        _ => {}
    }
    with_quantized!(input.dtype(), [Int8 => i8, Int16 => i16], T => {
        let (input_q, output_q) = (input.quantization()?, cx.output_quantization()?);
        expect_symmetric_i16(input.dtype(), &[input_q.1, output_q.1])?;
        let shape = input.shape.to_vec();
        let n = kernels::count(&shape, &folded.reduce);
        let factor = multiplier_i64(kernels::product_factor(input_q.0, output_q.0, n))?;
        let zero_points = (input_q.1, output_q.1);
        Built::kernel(folded.out_shape, move |io, out| {
            let out = typed_mut::<T>(out);
            kernels::product_quantized(&shape, &folded.reduce, io.get(0), factor, zero_points, out);
        })
    }, refuse(cx, input))
}

fn extremum(cx: &NodeCx<'_>, folded: Folded<'_>, largest: bool) -> Result<Built> {
    let input = folded.input;
    let narrow = matches!(input.dtype(), DType::Int8 | DType::UInt8 | DType::Int16);
    if narrow && is_quantized(input) && input.quantization()? != cx.output_quantization()? {
        return malformed!("input and output must have the same scale and zero point");
    }
    if input.dtype() == DType::Bool {
        return if largest { any(folded) } else { all(folded) };
    }
    with_quantized!(input.dtype(),
        [Float32 => f32, Int8 => i8, UInt8 => u8, Int16 => i16, Int32 => i32, Int64 => i64],
        T => if largest {
            folded.by(T::MIN, |s, v| larger(v, s))
        } else {
            folded.by(T::MAX, |s, v| smaller(v, s))
        },
        refuse(cx, input))
}

/// The constant axis of input 1, and the layout along it.
fn along(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<(usize, ChannelLayout)> {
    let axes = cx.input(1)?;
    let &[axis] = &axes.known_integers("axis")?[..] else {
        return malformed!("{axes} (axis) does not hold one number");
    };
    let axis = resolve_axis(axis, input.shape.len())?;
    match ChannelLayout::new(input.shape, axis) {
        Some(layout) => Ok((axis, layout)),
        None => malformed!("{input} has no axis {axis}"),
    }
}

/// ARG_MAX, or ARG_MIN.
pub(super) fn arg(cx: &NodeCx<'_>, output_type: DType, largest: bool) -> Result<Built> {
    let input = cx.input(0)?;
    cx.expect_output(output_type)?;
    let (axis, layout) = along(cx, input)?;
    if layout.channels == 0 {
        return malformed!("{input} is empty along axis {axis}");
    }
    let mut shape = input.shape.to_vec();
    shape.remove(axis);
    with_quantized!(input.dtype(), [Float32 => f32, Int8 => i8, UInt8 => u8, Bool => u8, Int32 => i32], T => {
        let better = if largest { |a: T, b: T| a > b } else { |a: T, b: T| a < b };
        match output_type {
            DType::Int32 => Built::kernel(shape, move |io, out| {
                kernels::arg(layout, io.get(0), better, |i| i as i32, typed_mut(out));
            }),
            DType::Int64 => Built::kernel(shape, move |io, out| {
                kernels::arg(layout, io.get(0), better, |i| i as i64, typed_mut(out));
            }),
            other => malformed!("its output is {other}, not int32 or int64"),
        }
    }, refuse(cx, input))
}

/// CUMSUM.
pub(super) fn cumsum(cx: &NodeCx<'_>, exclusive: bool, reverse: bool) -> Result<Built> {
    let input = same_type(cx)?;
    let (_, layout) = along(cx, input)?;
    let shape = input.shape.to_vec();
    let how = (exclusive, reverse);
    match input.dtype() {
        DType::Float32 => Built::kernel(shape, move |io, out| {
            kernels::cumulate(layout, io.get(0), how, |a: f32, b| a + b, typed_mut(out));
        }),
        DType::Int32 => Built::kernel(shape, move |io, out| {
            kernels::cumulate(layout, io.get(0), how, i32::plus, typed_mut(out));
        }),
        DType::Int64 => Built::kernel(shape, move |io, out| {
            kernels::cumulate(layout, io.get(0), how, i64::plus, typed_mut(out));
        }),
        _ => refuse(cx, input),
    }
}
