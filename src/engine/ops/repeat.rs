//! Builders of operators that repeat, surround or turn round: TILE, BROADCAST_TO, MIRROR_PAD, REVERSE_V2, DILATE,
//! DYNAMIC_UPDATE_SLICE, MATRIX_DIAG and MATRIX_SET_DIAG.

use super::layout::{check_tables, expect_same_scale, extents, frame};
use super::reduce::resolve_axis;
use super::with_quantized;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::kernels::reference::layout::{Tables, Walk, strides};
use crate::malformed;

/// Input 0, whose elements are copied to the output as they are, and the bytes of one.
fn copied<'a>(cx: &NodeCx<'a>) -> Result<(Operand<'a>, usize)> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    Ok((input, input.element_size()?))
}

/// Steps between neighbours as a walk takes them.
fn steps(shape: &[usize]) -> Vec<isize> {
    strides(shape).into_iter().map(|s| s as isize).collect()
}

pub(super) fn tile(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let times = extents(cx.input(1)?, "multiples")?;
    if times.len() != input.shape.len() {
        return malformed!(
            "it has {} multiples for the {} axes of {input}",
            times.len(),
            input.shape.len()
        );
    }
    let (mut shape, mut walk) = (vec![], Walk::default());
    for ((&extent, &times), step) in input.shape.iter().zip(&times).zip(steps(input.shape)) {
        let Some(repeated) = extent.checked_mul(times) else {
            return malformed!("{input} repeated {times} times is too large");
        };
        shape.push(repeated);
        walk.extents.extend([times, extent]);
        walk.steps.extend([0, step]);
    }
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

pub(super) fn broadcast_to(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let shape = extents(cx.input(1)?, "shape")?;
    let Some(more) = shape.len().checked_sub(input.shape.len()) else {
        return malformed!("{input} of shape {:?} cannot become {shape:?}", input.shape);
    };
    let mut walk = Walk {
        extents: shape.clone(),
        steps: vec![0; more],
        start: 0,
    };
    for ((&extent, &wanted), step) in input
        .shape
        .iter()
        .zip(&shape[more..])
        .zip(steps(input.shape))
    {
        if extent != wanted && extent != 1 {
            return malformed!("{input} of shape {:?} cannot become {shape:?}", input.shape);
        }
        walk.steps.push(if extent == wanted { step } else { 0 });
    }
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

/// `edge`: whether the outermost element is repeated (SYMMETRIC) or not (REFLECT).
pub(super) fn mirror_pad(cx: &NodeCx<'_>, edge: bool) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let (before, shape) = frame(input.shape, cx.input(1)?)?;
    check_tables(cx, &shape)?;
    let mut tables = Tables::default();
    let away = usize::from(!edge);
    let axes = input.shape.iter().zip(strides(input.shape));
    for (((&extent, step), &front), &whole) in axes.zip(&before).zip(&shape) {
        let back = whole - front - extent;
        if front.max(back) + away > extent {
            return malformed!(
                "{input} of shape {:?} has too little to mirror in a frame that makes it {shape:?}",
                input.shape
            );
        }
        let place = |i: usize| match i.checked_sub(front) {
            None => front - i - usize::from(edge),
            Some(i) if i < extent => i,
            Some(i) => 2 * extent - i - 1 - away,
        };
        tables.0.push((0..whole).map(|i| place(i) * step).collect());
    }
    Built::kernel(shape, move |io, out| {
        tables.gather(size, io.bytes(0), out);
    })
}

pub(super) fn reverse_v2(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let shape = input.shape.to_vec();
    let mut walk = Walk::block(&shape, &vec![0; shape.len()], &shape);
    let mut seen = vec![false; shape.len()];
    for axis in cx.input(1)?.known_integers("axes")? {
        let axis = resolve_axis(axis, shape.len())?;
        if std::mem::replace(&mut seen[axis], true) {
            return malformed!("it turns axis {axis} round twice");
        }
        walk.start += shape[axis].saturating_sub(1) * walk.steps[axis].unsigned_abs();
        walk.steps[axis] = -walk.steps[axis];
    }
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

/// Stores `value` in every element.
fn fill(out: &mut [u8], value: &[u8]) {
    for o in out.chunks_exact_mut(value.len().max(1)) {
        o.copy_from_slice(value);
    }
}

pub(super) fn dilate(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let value = cx.input(2)?;
    value.expect(input.dtype())?;
    expect_same_scale(cx, value)?;
    let by = extents(cx.input(1)?, "dilations")?;
    if by.len() != input.shape.len() || by.contains(&0) || value.elements() != 1 {
        return malformed!(
            "dilations {by:?} and {} elements of padding do not fit {input} of shape {:?}",
            value.elements(),
            input.shape
        );
    }
    let mut shape = vec![];
    for (&extent, &by) in input.shape.iter().zip(&by) {
        let Some(inner) = extent.saturating_sub(1).checked_mul(by) else {
            return malformed!("{input} dilated by {by} is too large");
        };
        shape.push(inner + extent.min(1));
    }
    cx.output_bytes(0, &shape)?;
    let mut walk = Walk::block(&shape, &vec![0; shape.len()], input.shape);
    for (step, by) in walk.steps.iter_mut().zip(by) {
        *step *= by as isize;
    }
    Built::kernel(shape, move |io, out| {
        fill(out, io.bytes(2));
        walk.scatter(size, io.bytes(0), out);
    })
}

pub(super) fn dynamic_update_slice(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let (update, start) = (cx.input(1)?, cx.input(2)?);
    update.expect(input.dtype())?;
    expect_same_scale(cx, update)?;
    let fits = update.shape.len() == input.shape.len()
        && update.shape.iter().zip(input.shape).all(|(u, d)| u <= d)
        && start.elements() == input.shape.len();
    if !fits {
        return malformed!(
            "{update} of shape {:?} at {} indices does not fit into {input} of shape {:?}",
            update.shape,
            start.elements(),
            input.shape
        );
    }
    let (shape, part) = (input.shape.to_vec(), update.shape.to_vec());
    with_quantized!(start.dtype(), [Int32 => i32, Int64 => i64], I => {
        Built::kernel(shape.clone(), move |io, out| {
            let room = shape.iter().zip(&part).map(|(d, u)| d - u);
            let begin: Vec<usize> = io.get::<I>(2).iter().zip(room)
                .map(|(&at, room)| usize::try_from(at).unwrap_or(0).min(room))
                .collect();
            out.copy_from_slice(io.bytes(0));
            Walk::block(&shape, &begin, &part).scatter(size, io.bytes(1), out);
        })
    }, malformed!("{start} is {}, not int32 or int64", start.dtype()))
}

/// The walk over the diagonals of matrices [batch, rows, columns].
fn diagonals(batch: usize, rows: usize, columns: usize) -> Walk {
    Walk {
        extents: vec![batch, rows.min(columns)],
        steps: vec![(rows * columns) as isize, columns as isize + 1],
        start: 0,
    }
}

pub(super) fn matrix_diag(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let Some((&n, outer)) = input.shape.split_last() else {
        return malformed!("{input} is a scalar, so it has no diagonal");
    };
    let shape = [outer, &[n, n]].concat();
    cx.output_bytes(0, &shape)?;
    let walk = diagonals(outer.iter().product(), n, n);
    Built::kernel(shape, move |io, out| {
        out.fill(0);
        walk.scatter(size, io.bytes(0), out);
    })
}

pub(super) fn matrix_set_diag(cx: &NodeCx<'_>) -> Result<Built> {
    let (input, size) = copied(cx)?;
    let diagonal = cx.input(1)?;
    diagonal.expect(input.dtype())?;
    expect_same_scale(cx, diagonal)?;
    let [outer @ .., rows, columns] = input.shape else {
        return malformed!("{input} has fewer than 2 axes");
    };
    if diagonal.shape != [outer, &[*rows.min(columns)]].concat() {
        return malformed!(
            "{diagonal} of shape {:?} is no diagonal of {input} of shape {:?}",
            diagonal.shape,
            input.shape
        );
    }
    let walk = diagonals(outer.iter().product(), *rows, *columns);
    Built::kernel(input.shape.to_vec(), move |io, out| {
        out.copy_from_slice(io.bytes(0));
        walk.scatter(size, io.bytes(1), out);
    })
}
