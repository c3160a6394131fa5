//! A loop over the steps of a sequence: WHILE with a condition and a body of its own.

use super::builder::{Builder, Dim};
use super::ops::{compare, gather, select};
use super::reshape::reshape;
use crate::error::Result;
use crate::graph::{Activation, Comparison, DType, Op, TensorId};
use crate::{malformed, unsupported};

/// Which steps count.
#[derive(Clone, Copy)]
pub(super) struct StepMask {
    /// [batch, steps, 1], bool: a step that does not count leaves the states as they are.
    pub counts: TensorId,
    /// Whether the output of such a step is 0 instead of that of the step before.
    pub zeros: bool,
}

/// Runs `step` over [batch, steps, features] from the states `initial`; it is given the features of a step and the states, and
/// gives the new states, the first of which is the output. Returns the last states and, if `collect`, every output as
/// [batch, steps, units].
pub(super) fn over_steps(
    b: &mut Builder,
    sequence: TensorId,
    initial: &[TensorId],
    mask: Option<StepMask>,
    collect: bool,
    step: impl FnOnce(&mut Builder, TensorId, &[TensorId]) -> Result<Vec<TensorId>>,
) -> Result<(Vec<TensorId>, Option<TensorId>)> {
    let (&[n, t, _], Some(&first)) = (b.shape(sequence), initial.first()) else {
        return malformed!("it takes [batch, steps, features] and a state");
    };
    let Some(count) = t.and_then(|t| i32::try_from(t).ok()) else {
        return unsupported!(
            "it reads an unknown number of steps; save the model with a fixed input shape"
        );
    };
    let units = b.shape(first).last().copied().flatten();
    let zero = b.i32s("first_step", &[], &[0]);
    let mut carried = vec![zero, sequence];
    carried.extend_from_slice(initial);
    carried.extend(mask.map(|m| m.counts));
    if collect {
        carried.push(room(b, &[n, t, units])?);
    }
    let inside = |b: &Builder| {
        let mut inner = b.inner();
        let inputs: Vec<TensorId> = carried
            .iter()
            .map(|&id| inner.input(&b.tensor(id).name, b.dtype(id), b.shape(id).to_vec()))
            .collect();
        (inner, inputs)
    };

    let (mut condition, inputs) = inside(b);
    let end = condition.i32s("steps", &[], &[count]);
    let goes_on = compare(&mut condition, Comparison::Less, inputs[0], end)?;
    let condition = b.subgraph(condition, "condition", vec![goes_on]);

    let (mut body, inputs) = inside(b);
    let at = inputs[0];
    let states = &inputs[2..2 + initial.len()];
    let x = gather(&mut body, inputs[1], at, 1);
    let mut next = step(&mut body, x, states)?;
    let mut output = next[0];
    if let Some(mask) = mask {
        let counts = gather(&mut body, inputs[2 + initial.len()], at, 1);
        for (new, &old) in next.iter_mut().zip(states) {
            *new = select(&mut body, counts, *new, old)?;
        }
        output = next[0];
        if mask.zeros && collect {
            let zero = body.scalar("zero", 0.0);
            output = select(&mut body, counts, output, zero)?;
        }
    }
    let one = body.i32s("one", &[], &[1]);
    let later = body.node(
        Op::Add {
            activation: Activation::None,
            pot_scale_int16: false,
        },
        &[at, one],
        vec![],
    );
    let mut results = vec![later, inputs[1]];
    results.extend_from_slice(&next);
    results.extend(mask.map(|_| inputs[2 + initial.len()]));
    if collect {
        let row = reshape(&mut body, output, vec![n, Some(1), units])?;
        let origin = body.i32s("origin", &[], &[0]);
        let place = Op::Pack {
            axis: 0,
            values_count: 3,
        };
        let place = body.node(place, &[origin, at, origin], vec![Some(3)]);
        let all = inputs[inputs.len() - 1];
        results.push(body.node(
            Op::DynamicUpdateSlice,
            &[all, row, place],
            vec![n, t, units],
        ));
    }
    let body = b.subgraph(body, "body", results);

    let outputs = carried
        .iter()
        .map(|&id| (b.dtype(id), b.shape(id).to_vec()))
        .collect();
    let inputs = carried.iter().map(|&id| Some(id)).collect();
    let made = b.several(Op::While { condition, body }, inputs, outputs);
    let last = made[2..2 + initial.len()].to_vec();
    Ok((last, collect.then(|| made[made.len() - 1])))
}

/// A float tensor of zeros, made while running: it takes no place in the file.
fn room(b: &mut Builder, shape: &[Dim]) -> Result<TensorId> {
    let mut extents = vec![];
    for d in shape {
        match d.and_then(|n| i32::try_from(n).ok()) {
            Some(n) => extents.push(n),
            None => return unsupported!("it gives a sequence of unknown extents"),
        }
    }
    let dims = b.i32s("sequence_shape", &[extents.len()], &extents);
    let zero = b.scalar("zero", 0.0);
    Ok(b.typed(
        Op::Fill,
        vec![Some(dims), Some(zero)],
        DType::Float32,
        shape.to_vec(),
    ))
}
