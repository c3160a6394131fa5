//! Builder of NON_MAX_SUPPRESSION_V4 and _V5.

use super::gather::extent_of;
use crate::engine::buffer::{typed, typed_mut};
use crate::engine::built::Work;
use crate::engine::node::{Built, Inputs, NodeCx};
use crate::error::Result;
use crate::graph::DType;
use crate::kernels::reference::suppression::{Limits, select};
use crate::malformed;

/// Indices of the selected boxes, with their scores if `soft`, and how many there are. There are as many places as may be
/// selected at most, with zeros behind the last.
pub(super) fn build(cx: &NodeCx<'_>, soft: bool) -> Result<Built> {
    let (boxes, scores) = (cx.input(0)?, cx.input(1)?);
    for (operand, rank) in [(boxes, 2), (scores, 1)] {
        operand.expect(DType::Float32)?;
        operand.expect_rank(rank)?;
    }
    if boxes.shape[1] != 4 || boxes.shape[0] != scores.shape[0] {
        return malformed!(
            "{boxes} of shape {:?} does not hold a box of 4 corners for each of the scores in {scores} of shape {:?}",
            boxes.shape,
            scores.shape
        );
    }
    for i in (3..6).take(if soft { 3 } else { 2 }) {
        let operand = cx.input(i)?;
        operand.expect(DType::Float32)?;
        if operand.elements() != 1 {
            return malformed!("{operand} has {} elements, not 1", operand.elements());
        }
    }
    let dtypes: &[DType] = match soft {
        true => &[DType::Int32, DType::Float32, DType::Int32],
        false => &[DType::Int32, DType::Int32],
    };
    if cx.node.outputs.len() != dtypes.len() {
        return malformed!(
            "it has {} outputs, not {}",
            cx.node.outputs.len(),
            dtypes.len()
        );
    }
    for (i, &dtype) in dtypes.iter().enumerate() {
        let (id, tensor) = cx.output_at(i)?;
        if tensor.dtype != dtype {
            let name = crate::engine::node::label(id, tensor);
            return malformed!("{name} is {}, not {dtype}", tensor.dtype);
        }
    }
    let most = cx.input(2)?;
    most.expect(DType::Int32)?;
    let most = extent_of(most, "the most boxes that may be selected")?;
    let mut shapes = vec![vec![most]; dtypes.len() - 1];
    shapes.push(vec![]);
    Built::several(shapes, move |io, outs, work| {
        let selected = selected(io, soft, most, &work)?;
        let Some((count, outs)) = outs.split_last_mut() else {
            return malformed!("it has no output");
        };
        typed_mut::<i32>(count).fill(selected.len() as i32);
        for out in outs.iter_mut() {
            out.fill(0);
        }
        for (i, &(place, score)) in selected.iter().enumerate() {
            if let Some(places) = outs.first_mut() {
                typed_mut::<i32>(places)[i] = place as i32;
            }
            if let Some(scores) = outs.get_mut(1) {
                typed_mut::<f32>(scores)[i] = score;
            }
        }
        Ok(())
    })
}

fn selected(
    io: &Inputs<'_>,
    soft: bool,
    most: usize,
    work: &Work<'_>,
) -> Result<Vec<(usize, f32)>> {
    let scalar = |i: usize| io.get::<f32>(i).first().copied().unwrap_or(0.0);
    let limits = Limits {
        overlap: scalar(3),
        score: scalar(4),
        sigma: if soft { scalar(5) } else { 0.0 },
        most,
    };
    if limits.sigma < 0.0 {
        return malformed!("its sigma is {}, which is negative", limits.sigma);
    }
    let (boxes, _) = typed::<f32>(io.bytes(0)).as_chunks::<4>();
    select(boxes, io.get(1), limits, || work.state.check())
}
