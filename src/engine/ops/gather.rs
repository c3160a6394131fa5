//! Builders of operators that place elements by indices: GATHER, GATHER_ND, SCATTER_ND, EMBEDDING_LOOKUP, ONE_HOT,
//! SPARSE_TO_DENSE and REVERSE_SEQUENCE.

use super::layout::{expect_same_scale, extents};
use super::reduce::resolve_axis;
use super::with_quantized;
use crate::engine::buffer::typed_mut;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::graph::DType;
use crate::kernels::reference::lookup::{self, Blocks, Gather};
use crate::malformed;

/// Runs the block with `$t` as the type of an index tensor.
macro_rules! with_index {
    ($indices:expr, $t:ident => $body:expr) => {
        with_quantized!($indices.dtype(), [Int16 => i16, Int32 => i32, Int64 => i64], $t => $body,
            malformed!("{} holds indices, but is {}", $indices, $indices.dtype()))
    };
}

pub(super) fn gather(cx: &NodeCx<'_>, axis: i32, batch_dims: i32) -> Result<Built> {
    let (params, indices) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(params.dtype())?;
    expect_same_scale(cx, params)?;
    let axis = resolve_axis(axis.into(), params.shape.len())?;
    let from_end = if batch_dims < 0 {
        indices.shape.len() as i64
    } else {
        0
    };
    let batch = usize::try_from(i64::from(batch_dims) + from_end).unwrap_or(usize::MAX);
    if batch > axis
        || batch > indices.shape.len()
        || params.shape[..batch] != indices.shape[..batch]
    {
        return malformed!(
            "{params} of shape {:?} and {indices} of shape {:?} do not share {batch} batch axes before axis {axis}",
            params.shape,
            indices.shape
        );
    }
    let inner = &params.shape[axis + 1..];
    let shape = [&params.shape[..axis], &indices.shape[batch..], inner].concat();
    let by = Gather {
        batches: params.shape[..batch].iter().product(),
        outer: params.shape[batch..axis].iter().product(),
        extent: params.shape[axis],
        count: indices.shape[batch..].iter().product(),
        run: inner.iter().product::<usize>() * params.element_size()?,
    };
    with_index!(indices, I => Built::working(shape, move |io, out, _| {
        by.copy::<I>(io.bytes(0), io.get(1), out)
    }))
}

/// Extents of the rows of an index tensor, and how many indices a row has, at most `rank`.
fn rows<'a>(indices: Operand<'a>, rank: usize) -> Result<(&'a [usize], usize)> {
    match indices.shape.split_last() {
        Some((&depth, outer)) if depth <= rank => Ok((outer, depth)),
        _ => malformed!(
            "{indices} of shape {:?} does not index {rank} axes",
            indices.shape
        ),
    }
}

pub(super) fn gather_nd(cx: &NodeCx<'_>) -> Result<Built> {
    let (params, indices) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(params.dtype())?;
    expect_same_scale(cx, params)?;
    let (outer, depth) = rows(indices, params.shape.len())?;
    let inner = &params.shape[depth..];
    let blocks = Blocks::new(params.shape, depth);
    let run = (inner.iter().product(), params.element_size()?);
    with_index!(indices, I => Built::working([outer, inner].concat(), move |io, out, _| {
        blocks.gather::<I>(run, io.bytes(0), io.get(1), out)
    }))
}

pub(super) fn scatter_nd(cx: &NodeCx<'_>) -> Result<Built> {
    let (indices, updates) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(updates.dtype())?;
    expect_same_scale(cx, updates)?;
    let shape = extents(cx.input(2)?, "shape")?;
    let (outer, depth) = rows(indices, shape.len())?;
    let inner = &shape[depth..];
    if updates.shape != [outer, inner].concat() {
        return malformed!(
            "{updates} has shape {:?}, not {:?}",
            updates.shape,
            [outer, inner].concat()
        );
    }
    let run = inner.iter().product();
    let blocks = Blocks::new(&shape, depth);
    macro_rules! adding {
        ($t:ty, $add:expr) => {
            with_index!(indices, I => Built::working(shape, move |io, out, _| {
                let out = typed_mut::<$t>(out);
                out.fill(Default::default());
                blocks.scatter::<I, $t>(run, io.get(0), io.get(1), $add, out)
            }))
        };
    }
    match updates.dtype() {
        DType::Float32 => adding!(f32, |a, b| a + b),
        DType::Int8 => adding!(i8, i8::wrapping_add),
        DType::UInt8 => adding!(u8, u8::wrapping_add),
        DType::Int16 => adding!(i16, i16::wrapping_add),
        DType::Int32 => adding!(i32, i32::wrapping_add),
        DType::Int64 => adding!(i64, i64::wrapping_add),
        DType::Bool => adding!(u8, |a, b| a | b),
        other => cx.no_kernel(other),
    }
}

pub(super) fn embedding_lookup(cx: &NodeCx<'_>) -> Result<Built> {
    let (indices, table) = (cx.input(0)?, cx.input(1)?);
    indices.expect(DType::Int32)?;
    indices.expect_rank(1)?;
    let Some((&rows, inner)) = table.shape.split_first() else {
        return malformed!("{table} is a scalar, not a table");
    };
    let shape = [indices.shape, inner].concat();
    let columns: usize = inner.iter().product();
    let to = cx.output()?.1.dtype;
    if to == table.dtype() {
        expect_same_scale(cx, table)?;
        let by = Gather {
            batches: 1,
            outer: 1,
            extent: rows,
            count: indices.elements(),
            run: columns * table.element_size()?,
        };
        return Built::working(shape, move |io, out, _| {
            by.copy::<i32>(io.bytes(1), io.get(0), out)
        });
    }
    if to != DType::Float32 {
        return cx.no_kernel(format_args!("{} to {to}", table.dtype()));
    }
    let scales = table.weight_scales(rows, 0)?;
    if table.weight_zero_point()? != 0 {
        return malformed!("{table} has a zero point other than 0");
    }
    match table.dtype() {
        // The runtime reads uint8 tables as int8.
        DType::Int8 | DType::UInt8 => Built::working(shape, move |io, out, _| {
            let values = io.get::<i8>(1);
            let value = |i| values[i];
            lookup::embedding_hybrid(rows, columns, &scales, value, io.get(0), typed_mut(out))
        }),
        DType::Int4 => {
            table.known::<u8>("table")?;
            Built::working(shape, move |io, out, _| {
                let bytes = io.bytes(1);
                let value = |i: usize| (bytes[i / 2] as i8) << (4 * (1 - i % 2)) >> 4;
                lookup::embedding_hybrid(rows, columns, &scales, value, io.get(0), typed_mut(out))
            })
        }
        other => cx.no_kernel(format_args!("{other} to {to}")),
    }
}

/// The only element of a constant integer operand as an extent.
pub(super) fn extent_of(operand: Operand<'_>, what: &str) -> Result<usize> {
    match extents(operand, what)?[..] {
        [n] => Ok(n),
        _ => malformed!(
            "{operand} ({what}) has {} elements, not 1",
            operand.elements()
        ),
    }
}

pub(super) fn one_hot(cx: &NodeCx<'_>, axis: i32) -> Result<Built> {
    let (indices, on, off) = (cx.input(0)?, cx.input(2)?, cx.input(3)?);
    let depth = extent_of(cx.input(1)?, "depth")?;
    for value in [on, off] {
        cx.expect_output(value.dtype())?;
        expect_same_scale(cx, value)?;
        if value.elements() != 1 {
            return malformed!("{value} has {} elements, not 1", value.elements());
        }
    }
    let axis = resolve_axis(axis.into(), indices.shape.len() + 1)?;
    let mut shape = indices.shape.to_vec();
    shape.insert(axis, depth);
    let inner = indices.shape[axis..].iter().product();
    with_index!(indices, I => Built::kernel(shape, move |io, out| {
        lookup::one_hot::<I>(depth, inner, io.get(0), (io.bytes(2), io.bytes(3)), out);
    }))
}

pub(super) fn sparse_to_dense(cx: &NodeCx<'_>) -> Result<Built> {
    let (indices, values, default) = (cx.input(0)?, cx.input(2)?, cx.input(3)?);
    let shape = extents(cx.input(1)?, "shape")?;
    for value in [values, default] {
        cx.expect_output(value.dtype())?;
        expect_same_scale(cx, value)?;
    }
    let (rows, depth) = match *indices.shape {
        [] => (1, 1),
        [n] => (n, 1),
        [n, depth] => (n, depth),
        _ => return malformed!("{indices} has {} axes, at most 2", indices.shape.len()),
    };
    let fits = depth == shape.len()
        && default.elements() == 1
        && (values.shape.is_empty() || values.shape == [rows]);
    if !fits {
        return malformed!(
            "{indices} of shape {:?} and {values} of shape {:?} do not fit the shape {shape:?}",
            indices.shape,
            values.shape
        );
    }
    let size = values.element_size()?;
    let blocks = Blocks::new(&shape, depth);
    with_index!(indices, I => Built::working(shape, move |io, out, _| {
        for o in out.chunks_exact_mut(size) {
            o.copy_from_slice(io.bytes(3));
        }
        blocks.place::<I>(rows, size, io.get(0), io.bytes(2), out)
    }))
}

pub(super) fn reverse_sequence(cx: &NodeCx<'_>, sequence: i32, batch: i32) -> Result<Built> {
    let (input, lengths) = (cx.input(0)?, cx.input(1)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    let rank = input.shape.len();
    let axes = (
        resolve_axis(sequence.into(), rank)?,
        resolve_axis(batch.into(), rank)?,
    );
    if axes.0 == axes.1 || lengths.shape != [input.shape[axes.1]] {
        return malformed!(
            "{lengths} of shape {:?} does not fit sequences along axis {} and batches along axis {} of {:?}",
            lengths.shape,
            axes.0,
            axes.1,
            input.shape
        );
    }
    let (shape, size) = (input.shape.to_vec(), input.element_size()?);
    with_index!(lengths, I => Built::working(shape.clone(), move |io, out, _| {
        lookup::reverse_sequence::<I>(&shape, axes, size, io.get(1), io.bytes(0), out)
    }))
}
