//! Builders of operators that take blocks out of a tensor: SLICE, SPLIT, SPLIT_V and UNPACK.

use super::layout::expect_same_scale;
use super::reduce::resolve_axis;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::kernels::reference::layout::Walk;
use crate::malformed;

pub(super) fn slice(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, begin, size) = (cx.input(0)?, cx.input(1)?, cx.input(2)?);
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    let (begins, sizes) = (begin.known_integers("begin")?, size.known_integers("size")?);
    let rank = input.shape.len();
    if begins.len() != rank || sizes.len() != rank {
        return malformed!(
            "begin and size have {} and {} elements for the {rank} axes of {input}",
            begins.len(),
            sizes.len()
        );
    }
    let (mut first, mut shape) = (vec![], vec![]);
    for (axis, (&extent, (&b, &n))) in input
        .shape
        .iter()
        .zip(begins.iter().zip(&sizes))
        .enumerate()
    {
        let begin = usize::try_from(b).ok().filter(|&b| b <= extent);
        let size = begin.and_then(|b| match n {
            -1 => Some(extent - b),
            n => usize::try_from(n).ok().filter(|&n| n <= extent - b),
        });
        let (Some(begin), Some(size)) = (begin, size) else {
            return malformed!(
                "it takes {n} elements from {b} on, but axis {axis} of {input} has extent {extent}"
            );
        };
        first.push(begin);
        shape.push(size);
    }
    let walk = Walk::block(input.shape, &first, &shape);
    let bytes = input.element_size()?;
    Built::kernel(shape, move |io, out| walk.gather(bytes, io.bytes(0), out))
}

/// A node whose output i is the block of input `slot` that begins at `begins[i]` along `axis` and has `shapes[i]` after
/// `axis` is dropped if `drop` says so.
fn blocks(
    cx: &NodeCx<'_>,
    slot: usize,
    input: Operand<'_>,
    axis: usize,
    sizes: &[usize],
    drop: bool,
) -> Result<Built> {
    cx.expect_outputs(input.dtype())?;
    expect_same_scale(cx, input)?;
    if cx.node.outputs.len() != sizes.len() {
        return malformed!(
            "it has {} outputs for {} parts",
            cx.node.outputs.len(),
            sizes.len()
        );
    }
    let (mut walks, mut shapes) = (vec![], vec![]);
    let mut begin = vec![0; input.shape.len()];
    for &size in sizes {
        let mut shape = input.shape.to_vec();
        shape[axis] = size;
        walks.push(Walk::block(input.shape, &begin, &shape));
        begin[axis] += size;
        if drop {
            shape.remove(axis);
        }
        shapes.push(shape);
    }
    let bytes = input.element_size()?;
    Built::several(shapes, move |io, outs, _| {
        for (walk, out) in walks.iter().zip(outs) {
            walk.gather(bytes, io.bytes(slot), out);
        }
        Ok(())
    })
}

/// The only element of a constant axis operand, as an axis of `input`.
fn axis_of(axis: Operand<'_>, input: Operand<'_>) -> Result<usize> {
    match axis.known_integers("axis")?[..] {
        [at] => resolve_axis(at, input.shape.len()),
        _ => malformed!("{axis} has {} elements, not 1", axis.elements()),
    }
}

/// `count` as the file states it must be the number of outputs.
fn expect_count(cx: &NodeCx<'_>, count: i32) -> Result<()> {
    if usize::try_from(count) == Ok(cx.node.outputs.len()) {
        return Ok(());
    }
    malformed!(
        "it says it makes {count} tensors, but has {} outputs",
        cx.node.outputs.len()
    )
}

pub(super) fn split(cx: &NodeCx<'_>, count: i32) -> Result<Built> {
    let input = cx.input(1)?;
    let axis = axis_of(cx.input(0)?, input)?;
    expect_count(cx, count)?;
    let (extent, parts) = (input.shape[axis], cx.node.outputs.len());
    if parts == 0 || !extent.is_multiple_of(parts) {
        return malformed!(
            "axis {axis} of {input} has extent {extent}, which {parts} parts do not divide"
        );
    }
    blocks(cx, 1, input, axis, &vec![extent / parts; parts], false)
}

pub(super) fn split_v(cx: &NodeCx<'_>, count: i32) -> Result<Built> {
    let (input, sizes) = (cx.input(0)?, cx.input(1)?);
    let axis = axis_of(cx.input(2)?, input)?;
    expect_count(cx, count)?;
    let said = sizes.known_integers("sizes")?;
    let extent = input.shape[axis];
    let open = said.iter().filter(|&&n| n == -1).count();
    let fixed = said
        .iter()
        .filter(|&&n| n != -1)
        .try_fold(0usize, |sum, &n| sum.checked_add(usize::try_from(n).ok()?))
        .filter(|&sum| open == 1 && sum <= extent || open == 0 && sum == extent);
    let Some(fixed) = fixed else {
        return malformed!(
            "{sizes} is {said:?}, which does not add up to {extent} along axis {axis}"
        );
    };
    let size = |&n: &i64| usize::try_from(n).unwrap_or(extent - fixed);
    let parts: Vec<usize> = said.iter().map(size).collect();
    blocks(cx, 0, input, axis, &parts, false)
}

pub(super) fn unpack(cx: &NodeCx<'_>, count: i32, axis: i32) -> Result<Built> {
    let input = cx.input(0)?;
    let axis = resolve_axis(axis.into(), input.shape.len())?;
    expect_count(cx, count)?;
    let (extent, parts) = (input.shape[axis], cx.node.outputs.len());
    if extent != parts {
        return malformed!(
            "axis {axis} of {input} has extent {extent}, but there are {parts} outputs"
        );
    }
    blocks(cx, 0, input, axis, &vec![1; parts], true)
}
