//! Merge layers, and the element-wise arithmetic that other layers are composed of.

use super::super::config::Config;
use super::builder::{Builder, Dim};
use super::functions::times;
use super::normalization::axis;
use super::ops;
use super::reshape::{fitting, reshape};
use super::statistics::unit_over;
use crate::error::Result;
use crate::graph::{Activation, Binary, DType, Op, Reduction, TensorId};
use crate::{malformed, unsupported};

/// The shape of an element-wise operation on shapes aligned at their last axes; an unknown extent yields to a known one above 1.
pub(super) fn broadcast(a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |s: &[Dim], i: usize| match (i + s.len()).checked_sub(rank) {
        Some(j) => s[j],
        None => Some(1),
    };
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (Some(1), d) | (d, Some(1)) => Ok(d),
            (None, d) | (d, None) => Ok(d),
            (Some(x), Some(y)) if x == y => Ok(Some(x)),
            (Some(x), Some(y)) => malformed!("its inputs have the extents {x} and {y} on one axis"),
        })
        .collect()
}

/// An element-wise operator whose operands are known to fit.
fn elementwise(b: &mut Builder, op: Op, x: TensorId, y: TensorId) -> TensorId {
    let shape = broadcast(b.shape(x), b.shape(y)).unwrap_or_else(|_| b.shape(x).to_vec());
    b.node(op, &[x, y], shape)
}

/// x + y of shapes that fit each other.
pub(super) fn add(b: &mut Builder, x: TensorId, y: TensorId) -> TensorId {
    let op = Op::Add {
        activation: Activation::None,
        pot_scale_int16: false,
    };
    elementwise(b, op, x, y)
}

/// x − y of shapes that fit each other.
pub(super) fn sub(b: &mut Builder, x: TensorId, y: TensorId) -> TensorId {
    let op = Op::Sub {
        activation: Activation::None,
        pot_scale_int16: false,
    };
    elementwise(b, op, x, y)
}

/// x · y of shapes that fit each other.
pub(super) fn mul(b: &mut Builder, x: TensorId, y: TensorId) -> TensorId {
    let op = Op::Mul {
        activation: Activation::None,
    };
    elementwise(b, op, x, y)
}

/// x as float32.
pub(super) fn float(b: &mut Builder, x: TensorId) -> TensorId {
    ops::cast(b, x, DType::Float32)
}

/// The merge layers.
pub(super) fn layer(
    b: &mut Builder,
    class: &str,
    c: &Config,
    inputs: &[TensorId],
) -> Result<TensorId> {
    if inputs.is_empty() {
        return malformed!("it is called without a tensor");
    }
    if class == "Concatenate" {
        return concatenate(b, c, inputs);
    }
    let inputs = aligned(b, inputs)?;
    let mut sum = inputs[0];
    for &next in &inputs[1..] {
        broadcast(b.shape(sum), b.shape(next))?;
        sum = match class {
            "Add" | "Average" => add(b, sum, next),
            "Multiply" => mul(b, sum, next),
            "Subtract" => sub(b, sum, next),
            "Maximum" => ops::binary(b, Binary::Maximum, sum, next)?,
            "Minimum" => ops::binary(b, Binary::Minimum, sum, next)?,
            _ => return unsupported!("this merge is not known"),
        };
    }
    Ok(match class {
        "Average" => times(b, sum, 1.0 / inputs.len() as f64),
        _ => sum,
    })
}

/// Inputs with as many axes as the one that has most: Keras puts axes of 1 behind the batch.
fn aligned(b: &mut Builder, inputs: &[TensorId]) -> Result<Vec<TensorId>> {
    let most = inputs
        .iter()
        .map(|&id| b.shape(id).len())
        .max()
        .unwrap_or(0);
    let mut out = vec![];
    for &id in inputs {
        let mut shape = b.shape(id).to_vec();
        out.push(match most - shape.len() {
            missing if missing > 0 && !shape.is_empty() => {
                shape.splice(1..1, vec![Some(1); missing]);
                fitting(b, id, shape)?
            }
            _ => id,
        });
    }
    Ok(out)
}

/// Dot: sums of products along one axis of each input.
pub(super) fn dot(b: &mut Builder, c: &Config, inputs: &[TensorId]) -> Result<TensorId> {
    let &[mut x, mut y] = inputs else {
        return malformed!("it takes two tensors, but is given {}", inputs.len());
    };
    let axes = match c.integers("axes")?.as_deref() {
        Some(&[a]) => [a, a],
        Some(&[a, b]) => [a, b],
        other => return malformed!("its axes are {other:?}"),
    };
    let (rank_x, rank_y) = (b.shape(x).len(), b.shape(y).len());
    let along = [axis(axes[0], rank_x)?, axis(axes[1], rank_y)?];
    if along.contains(&0) || ![2, 3].contains(&rank_x) || ![2, 3].contains(&rank_y) {
        return unsupported!(
            "it sums along the axes {axes:?} of {rank_x} and {rank_y} axes; two or three axes, the batch left out, are known"
        );
    }
    if c.flag("normalize", false) {
        x = unit_over(b, x, &[along[0]])?;
        y = unit_over(b, y, &[along[1]])?;
    }
    if rank_x == 2 && rank_y == 2 {
        broadcast(b.shape(x), b.shape(y))?;
        let product = mul(b, x, y);
        return Ok(ops::reduce(b, Reduction::Sum, product, &[1], true));
    }
    // A vector is a matrix of one row or column; its axis goes again afterwards.
    let mut shape: Vec<Dim> = vec![];
    let mut kept = |id: TensorId, along: usize, b: &Builder| {
        if let [_, p, q] = *b.shape(id) {
            shape.push(if along == 1 { q } else { p });
        }
    };
    kept(x, along[0], b);
    kept(y, along[1], b);
    shape.insert(0, b.shape(x)[0]);
    let vector = |b: &mut Builder, id: TensorId, row: bool| match *b.shape(id) {
        [n, k] if row => reshape(b, id, vec![n, Some(1), k]),
        [n, k] => reshape(b, id, vec![n, k, Some(1)]),
        _ => Ok(id),
    };
    let turned = [rank_x == 3 && along[0] == 1, rank_y == 3 && along[1] == 2];
    x = vector(b, x, true)?;
    y = vector(b, y, false)?;
    let product = ops::matmul(b, x, y, turned)?;
    reshape(b, product, shape)
}

fn concatenate(b: &mut Builder, c: &Config, inputs: &[TensorId]) -> Result<TensorId> {
    let mut shape = b.shape(inputs[0]).to_vec();
    let along = axis(c.integer("axis")?.unwrap_or(-1), shape.len())?;
    let mut extent = Some(0);
    for &id in inputs {
        let other = b.shape(id);
        let fits = other.len() == shape.len()
            && (other.iter().zip(&shape).enumerate())
                .all(|(i, (a, b))| i == along || a.is_none() || b.is_none() || a == b);
        if !fits {
            return malformed!("its inputs have the shapes {shape:?} and {other:?}");
        }
        extent = extent.zip(other[along]).map(|(a, b)| a + b);
    }
    shape[along] = extent;
    let op = Op::Concatenation {
        axis: along as i32,
        activation: Activation::None,
    };
    Ok(match inputs {
        [one] => *one,
        _ => b.node(op, inputs, shape),
    })
}
