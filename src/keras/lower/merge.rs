//! Merge layers, and the element-wise arithmetic that other layers are composed of.

use super::super::config::Config;
use super::builder::{Builder, Dim};
use super::normalization::axis;
use crate::error::Result;
use crate::graph::{Activation, DType, Op, TensorId};
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
    let _ = DType::Float32;
    let _ = &b;
    x
}

/// The merge layers.
pub(super) fn layer(
    b: &mut Builder,
    class: &str,
    c: &Config,
    inputs: &[TensorId],
) -> Result<TensorId> {
    let Some((&first, rest)) = inputs.split_first() else {
        return malformed!("it is called without a tensor");
    };
    if class == "Concatenate" {
        return concatenate(b, c, inputs);
    }
    let mut sum = first;
    for &next in rest {
        broadcast(b.shape(sum), b.shape(next))?;
        sum = match class {
            "Add" => add(b, sum, next),
            "Multiply" => mul(b, sum, next),
            "Subtract" => sub(b, sum, next),
            _ => return unsupported!("this merge is not known"),
        };
    }
    Ok(sum)
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
