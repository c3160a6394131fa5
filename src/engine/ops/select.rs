//! Builders of operators whose result follows from values: WHERE, TOPK_V2, UNIQUE, SEGMENT_SUM and UNSORTED_SEGMENT_*.

use bytemuck::Pod;

use super::gather::extent_of;
use super::layout::expect_same_scale;
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand, label};
use crate::error::Result;
use crate::graph::{DType, Segment};
use crate::kernels::reference::select::{self, Ordered};
use crate::malformed;

pub(super) fn where_true(cx: &NodeCx<'_>) -> Result<Built> {
    let condition = cx.input(0)?;
    cx.expect_output(DType::Int64)?;
    macro_rules! places {
        ($t:ty, $holds:expr) => {{
            let holds: fn(&$t) -> bool = $holds;
            let count = condition
                .known::<$t>("condition")?
                .iter()
                .filter(|v| holds(v))
                .count();
            let shape = condition.shape.to_vec();
            Built::kernel(vec![count, shape.len()], move |io, out| {
                let values = io.get::<$t>(0);
                let places = select::where_true(&shape, |i| holds(&values[i]));
                typed_mut::<i64>(out).copy_from_slice(&places);
            })
        }};
    }
    match condition.dtype() {
        DType::Bool | DType::Int8 | DType::UInt8 => places!(u8, |v| *v != 0),
        DType::Float32 => places!(f32, |v| *v != 0.0),
        DType::Int32 | DType::UInt32 => places!(i32, |v| *v != 0),
        DType::Int64 => places!(i64, |v| *v != 0),
        other => cx.no_kernel(other),
    }
}

pub(super) fn top_k(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    with_quantized!(input.dtype(),
        [Float32 => f32, Int8 => i8, UInt8 => u8, Int16 => i16, Int32 => i32, Int64 => i64],
        T => top_k_of::<T>(cx, input), cx.no_kernel(input.dtype()))
}

fn top_k_of<T: Ordered + Pod>(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<Built> {
    let k = extent_of(cx.input(1)?, "k")?;
    let (values, places) = (cx.output_at(0)?, cx.output_at(1)?);
    if values.1.dtype != input.dtype() {
        return malformed!("{} is not {}", label(values.0, values.1), input.dtype());
    }
    super::layout::expect_output_scale(input, values.0, values.1)?;
    let Some((&row, outer)) = input.shape.split_last() else {
        return malformed!("{input} is a scalar");
    };
    if k > row {
        return malformed!("it takes the {k} largest of {row} values");
    }
    let shape = [outer, &[k]].concat();
    let to = places.1.dtype;
    with_quantized!(to, [Int16 => i16, Int32 => i32], I => {
        if I::try_from(row).is_err() {
            return malformed!("places up to {row} do not fit {to}");
        }
        Built::several(vec![shape.clone(), shape], move |io, outs, _| {
            let [values, places] = outs else {
                return malformed!("it has {} outputs, not 2", outs.len());
            };
            let places = typed_mut::<I>(places);
            select::top_k::<T>(row, k, io.get(0), typed_mut(values), |i, at| places[i] = at as I);
            Ok(())
        })
    }, cx.no_kernel(format_args!("{to} places")))
}

pub(super) fn unique(cx: &NodeCx<'_>) -> Result<Built> {
    let input = cx.input(0)?;
    with_quantized!(input.dtype(),
        [Float32 => f32, Int8 => i8, UInt8 => u8, Int16 => i16, Int32 => i32, Int64 => i64],
        T => unique_of::<T>(cx, input), cx.no_kernel(input.dtype()))
}

fn unique_of<T: Ordered + Pod>(cx: &NodeCx<'_>, input: Operand<'_>) -> Result<Built> {
    let (values, places) = (cx.output_at(0)?, cx.output_at(1)?);
    if values.1.dtype != input.dtype() {
        return malformed!("{} is not {}", label(values.0, values.1), input.dtype());
    }
    super::layout::expect_output_scale(input, values.0, values.1)?;
    let count = select::unique(input.known::<T>("values")?).0.len();
    let to = places.1.dtype;
    with_quantized!(to, [Int32 => i32, Int64 => i64], I => {
        Built::several(vec![vec![count], input.shape.to_vec()], move |io, outs, _| {
            let [values, places] = outs else {
                return malformed!("it has {} outputs, not 2", outs.len());
            };
            let (found, at) = select::unique::<T>(io.get(0));
            typed_mut(values).copy_from_slice(&found);
            for (o, at) in typed_mut::<I>(places).iter_mut().zip(at) {
                *o = at as I;
            }
            Ok(())
        })
    }, cx.no_kernel(format_args!("{to} places")))
}

pub(super) fn segment_sum(cx: &NodeCx<'_>) -> Result<Built> {
    let ids = cx.input(1)?;
    ids.expect(DType::Int32)?;
    ids.expect_rank(1)?;
    let known = ids.known::<i32>("segments")?;
    if !known.is_sorted() || known.first().is_some_and(|&id| id < 0) {
        return malformed!("{ids} is not in ascending order from 0");
    }
    let count = known.last().map_or(0, |&id| id as usize + 1);
    segments(cx, count, Segment::Sum)
}

pub(super) fn unsorted_segment(cx: &NodeCx<'_>, join: Segment) -> Result<Built> {
    let count = extent_of(cx.input(2)?, "number of segments")?;
    segments(cx, count, join)
}

fn segments(cx: &NodeCx<'_>, count: usize, join: Segment) -> Result<Built> {
    let (input, ids) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    ids.expect(DType::Int32)?;
    let Some(inner) = input.shape.strip_prefix(ids.shape) else {
        return malformed!(
            "{ids} of shape {:?} does not name segments of {input} of shape {:?}",
            ids.shape,
            input.shape
        );
    };
    let shape = [&[count], inner].concat();
    let run = inner.iter().product();
    macro_rules! joining {
        ($t:ty, $empty:expr, $join:expr) => {
            Built::working(shape, move |io, out, _| {
                let out = typed_mut::<$t>(out);
                out.fill($empty);
                select::segments::<$t>(run, io.get(0), io.get(1), $join, out)
            })
        };
    }
    match (input.dtype(), join) {
        (DType::Float32, Segment::Sum) => joining!(f32, 0.0, |a, b| a + b),
        (DType::Float32, Segment::Prod) => joining!(f32, 1.0, |a, b| a * b),
        (DType::Float32, Segment::Max) => joining!(f32, f32::MIN, f32::max),
        (DType::Float32, Segment::Min) => joining!(f32, f32::MAX, f32::min),
        (DType::Int32, Segment::Sum) => joining!(i32, 0, i32::wrapping_add),
        (DType::Int32, Segment::Prod) => joining!(i32, 1, i32::wrapping_mul),
        (DType::Int32, Segment::Max) => joining!(i32, i32::MIN, i32::max),
        (DType::Int32, Segment::Min) => joining!(i32, i32::MAX, i32::min),
        (other, _) => cx.no_kernel(other),
    }
}
