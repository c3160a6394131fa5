//! Builders of operators that move blocks of pixels: SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND.

use super::layout::{check_tables, expect_same_scale, extents, frame, zero_of};
use super::window::positive;
use crate::engine::node::{Built, NodeCx, Operand};
use crate::error::Result;
use crate::kernels::reference::layout::{Tables, Walk, pad, strides};
use crate::malformed;

/// Input 0 with its type and quantization checked against the output's.
fn copied<'a>(cx: &NodeCx<'a>) -> Result<Operand<'a>> {
    let input = cx.input(0)?;
    cx.expect_output(input.dtype())?;
    expect_same_scale(cx, input)?;
    Ok(input)
}

pub(super) fn space_to_depth(cx: &NodeCx<'_>, block: i32) -> Result<Built> {
    let (input, n) = (copied(cx)?, positive(block, "block size")?);
    input.expect_rank(4)?;
    let [b, h, w, c] = [0, 1, 2, 3].map(|i| input.shape[i]);
    if !h.is_multiple_of(n) || !w.is_multiple_of(n) {
        return malformed!("{input} of {h}×{w} pixels does not divide into blocks of {n}");
    }
    let shape = vec![b, h / n, w / n, c * n * n];
    cx.output_bytes(0, &shape)?;
    let walk = Walk::transposed(&[b, h / n, n, w / n, n, c], &[0, 1, 3, 2, 4, 5]);
    let size = input.element_size()?;
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

pub(super) fn depth_to_space(cx: &NodeCx<'_>, block: i32) -> Result<Built> {
    let (input, n) = (copied(cx)?, positive(block, "block size")?);
    input.expect_rank(4)?;
    let [b, h, w, c] = [0, 1, 2, 3].map(|i| input.shape[i]);
    let Some(area) = n.checked_mul(n).filter(|&a| c.is_multiple_of(a)) else {
        return malformed!("{input} of {c} channels does not divide into blocks of {n}×{n}");
    };
    let shape = vec![b, h * n, w * n, c / area];
    cx.output_bytes(0, &shape)?;
    let walk = Walk::transposed(&[b, h, w, n, n, c / area], &[0, 1, 3, 2, 4, 5]);
    let size = input.element_size()?;
    Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out))
}

/// Block extents of the spatial axes 1…, and the amounts in front of and behind each, as [spatial, 2].
fn blocks<'a>(cx: &NodeCx<'a>, input: Operand<'a>) -> Result<(Vec<usize>, Operand<'a>)> {
    let (block, amounts) = (cx.input(1)?, cx.input(2)?);
    let by = extents(block, "block shape")?;
    let spatial = by.len();
    if by.contains(&0) || input.shape.len() <= spatial || amounts.elements() != 2 * spatial {
        return malformed!(
            "{block} of {by:?} and {} amounts do not fit {input} of shape {:?}",
            amounts.elements(),
            input.shape
        );
    }
    Ok((by, amounts))
}

pub(super) fn space_to_batch_nd(cx: &NodeCx<'_>) -> Result<Built> {
    let input = copied(cx)?;
    let (by, amounts) = blocks(cx, input)?;
    let spatial = by.len();
    let (front, framed) = frame(&input.shape[1..=spatial], amounts)?;
    let mut padded = input.shape.to_vec();
    padded[1..=spatial].copy_from_slice(&framed);
    cx.output_bytes(0, &padded)?;
    let source: Vec<isize> = strides(&padded).iter().map(|&s| s as isize).collect();
    let mut shape = padded.clone();
    let mut walk = Walk {
        extents: [&by[..], &[padded[0]]].concat(),
        steps: [&source[1..=spatial], &[source[0]]].concat(),
        start: 0,
    };
    for (i, &n) in by.iter().enumerate() {
        if !padded[i + 1].is_multiple_of(n) {
            return malformed!(
                "axis {} of {input} with its padding has extent {}, which does not divide into blocks of {n}",
                i + 1,
                padded[i + 1]
            );
        }
        shape[i + 1] /= n;
        // What the blocks divide above, the batches multiply: no more elements than were checked.
        shape[0] = shape[0].saturating_mul(n);
        walk.extents.push(shape[i + 1]);
        walk.steps.push(source[i + 1] * n as isize);
    }
    walk.extents.extend(&padded[spatial + 1..]);
    walk.steps.extend(&source[spatial + 1..]);
    let size = input.element_size()?;
    if padded == input.shape {
        return Built::kernel(shape, move |io, out| walk.gather(size, io.bytes(0), out));
    }
    let value = zero_of(input, size)?;
    let before = [&[0], &front[..], &vec![0; padded.len() - spatial - 1]].concat();
    let from = input.shape.to_vec();
    let mut whole = vec![0; padded.iter().product::<usize>() * size];
    Built::kernel(shape, move |io, out| {
        pad(&from, &before, &padded, &value, io.bytes(0), &mut whole);
        walk.gather(size, &whole, out);
    })
}

pub(super) fn batch_to_space_nd(cx: &NodeCx<'_>) -> Result<Built> {
    let input = copied(cx)?;
    let (by, amounts) = blocks(cx, input)?;
    let spatial = by.len();
    let crops = extents(amounts, "crops")?;
    let all = by.iter().try_fold(1usize, |n, &b| n.checked_mul(b));
    let Some(all) = all.filter(|&n| input.shape[0].is_multiple_of(n)) else {
        return malformed!(
            "{input} has {} batches, which do not divide into blocks of {by:?}",
            input.shape[0]
        );
    };
    let mut shape = input.shape.to_vec();
    shape[0] /= all;
    for (i, (&n, crop)) in by.iter().zip(crops.chunks_exact(2)).enumerate() {
        let cropped = shape[i + 1]
            .checked_mul(n)
            .and_then(|whole| whole.checked_sub(crop[0])?.checked_sub(crop[1]));
        let Some(cropped) = cropped else {
            return malformed!(
                "crops {crop:?} are more than axis {} of {input} in blocks of {n} has",
                i + 1
            );
        };
        shape[i + 1] = cropped;
    }
    check_tables(cx, &shape)?;
    let steps = strides(input.shape);
    let mut tables = Tables(vec![Tables::plain(shape[0], steps[0])]);
    // Batches of one block lie `shape[0]` apart, the last spatial axis first.
    let mut apart = all;
    for (i, (&n, crop)) in by.iter().zip(crops.chunks_exact(2)).enumerate() {
        apart /= n;
        let place = |at: usize| {
            let at = at + crop[0];
            at / n * steps[i + 1] + at % n * apart * shape[0] * steps[0]
        };
        tables.0.push((0..shape[i + 1]).map(place).collect());
    }
    for axis in spatial + 1..shape.len() {
        tables.0.push(Tables::plain(shape[axis], steps[axis]));
    }
    let size = input.element_size()?;
    Built::kernel(shape, move |io, out| {
        tables.gather(size, io.bytes(0), out);
    })
}
