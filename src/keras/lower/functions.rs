//! Activation functions that the runtime has no single operator for, and activation layers with settings.

use super::super::config::Config;
use super::super::weights::Weights;
use super::builder::{Builder, Dim};
use super::conv::take;
use super::merge::{add, mul, sub};
use super::normalization::axis;
use super::ops::{
    binary, cast, compare, div, reduce, same, select, softmax, split, transpose, unary,
};
use super::reshape::{product, reshape};
use crate::error::Result;
use crate::graph::{Activation, Binary, Comparison, Op, TensorId, Unary};
use crate::{malformed, unsupported};

/// Constants of SELU: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// An activation by the name of its function; `None` if Keras has none of this name.
pub(super) fn of_name(b: &mut Builder, name: &str, x: TensorId) -> Result<Option<TensorId>> {
    Ok(Some(match name {
        "elu" | "celu" => unary(b, Unary::Elu, x),
        "selu" => {
            let y = elu(b, x, SELU_ALPHA);
            times(b, y, SELU_SCALE)
        }
        "gelu" => same(b, Op::Gelu { approximate: false }, x),
        "leaky_relu" => leaky_relu(b, x, 0.2),
        "exponential" => unary(b, Unary::Exp, x),
        "softplus" => softplus(b, x),
        "softsign" => {
            let y = unary(b, Unary::Abs, x);
            let y = plus(b, y, 1.0);
            div(b, x, y)?
        }
        "mish" => {
            let y = softplus(b, x);
            let y = same(b, Op::Tanh, y);
            mul(b, x, y)
        }
        "hard_sigmoid" if b.keras < 3 => {
            let y = times(b, x, 0.2);
            let y = plus(b, y, 0.5);
            unary(b, Unary::Relu0To1, y)
        }
        "hard_sigmoid" => {
            let y = plus_clipped(b, x, 3.0, Activation::Relu6);
            times(b, y, 1.0 / 6.0)
        }
        "log_softmax" => same(b, Op::LogSoftmax, x),
        "log_sigmoid" => {
            let y = same(b, Op::Logistic, x);
            unary(b, Unary::Log, y)
        }
        "glu" => {
            let last = b.shape(x).len().saturating_sub(1);
            match b.shape(x).get(last) {
                Some(Some(n)) if n % 2 == 0 => {}
                _ => {
                    return malformed!(
                        "its activation glu halves the last axis, which is odd or unknown"
                    );
                }
            }
            let parts = split(b, x, 2, last);
            let gate = same(b, Op::Logistic, parts[1]);
            mul(b, parts[0], gate)
        }
        "hard_tanh" => unary(b, Unary::ReluN1To1, x),
        "hard_shrink" => {
            let (size, bound) = (unary(b, Unary::Abs, x), b.scalar("threshold", 0.5));
            let far = compare(b, Comparison::Greater, size, bound)?;
            let zero = b.scalar("zero", 0.0);
            select(b, far, x, zero)?
        }
        "soft_shrink" => {
            let y = at_most(b, x, 0.5)?;
            let low = b.scalar("lower", -0.5);
            let y = binary(b, Binary::Maximum, y, low)?;
            sub(b, x, y)
        }
        "tanh_shrink" => {
            let y = same(b, Op::Tanh, x);
            sub(b, x, y)
        }
        "squareplus" => {
            let y = unary(b, Unary::Square, x);
            let y = plus(b, y, 4.0);
            let y = unary(b, Unary::Sqrt, y);
            let y = add(b, x, y);
            times(b, y, 0.5)
        }
        "sparse_plus" => {
            // ((clip(x, −1, 1) + 1) / 2)² + max(x − 1, 0)
            let y = unary(b, Unary::ReluN1To1, x);
            let y = plus(b, y, 1.0);
            let y = unary(b, Unary::Square, y);
            let y = times(b, y, 0.25);
            let above = plus_clipped(b, x, -1.0, Activation::Relu);
            add(b, y, above)
        }
        "sparsemax" => {
            return unsupported!(
                "its activation is sparsemax, which is not known here; use softmax"
            );
        }
        "sparse_sigmoid" => {
            let y = times(b, x, 0.5);
            let y = plus(b, y, 0.5);
            unary(b, Unary::Relu0To1, y)
        }
        _ => return Ok(None),
    }))
}

/// x times a number.
pub(super) fn times(b: &mut Builder, x: TensorId, factor: f64) -> TensorId {
    let factor = b.scalar("factor", factor);
    mul(b, x, factor)
}

/// x plus a number.
pub(super) fn plus(b: &mut Builder, x: TensorId, term: f64) -> TensorId {
    let term = b.scalar("term", term);
    add(b, x, term)
}

fn plus_clipped(b: &mut Builder, x: TensorId, term: f64, activation: Activation) -> TensorId {
    let term = b.scalar("term", term);
    let shape = b.shape(x).to_vec();
    let op = Op::Add {
        activation,
        pot_scale_int16: false,
    };
    b.node(op, &[x, term], shape)
}

fn at_most(b: &mut Builder, x: TensorId, bound: f64) -> Result<TensorId> {
    let bound = b.scalar("upper", bound);
    binary(b, Binary::Minimum, x, bound)
}

/// ln(1 + eˣ).
fn softplus(b: &mut Builder, x: TensorId) -> TensorId {
    let y = unary(b, Unary::Exp, x);
    let y = plus(b, y, 1.0);
    unary(b, Unary::Log, y)
}

fn leaky_relu(b: &mut Builder, x: TensorId, alpha: f64) -> TensorId {
    let alpha = alpha as f32;
    same(b, Op::LeakyRelu { alpha }, x)
}

/// x above 0, α (eˣ − 1) below: ELU is above 0 exactly where x is.
fn elu(b: &mut Builder, x: TensorId, alpha: f64) -> TensorId {
    let y = unary(b, Unary::Elu, x);
    match alpha {
        1.0 => y,
        _ => leaky_relu(b, y, alpha),
    }
}

/// A layer that is an activation, or one given as the `activation` of another layer; `None` if it is not known.
pub(super) fn of_class(
    b: &mut Builder,
    class: &str,
    c: &Config,
    weights: Option<&Weights<'_>>,
    x: TensorId,
) -> Result<Option<TensorId>> {
    Ok(Some(match class {
        "ReLU" => {
            let most = c
                .get("max_value")
                .map(|_| c.number("max_value", 0.0))
                .transpose()?;
            let slope = c.number("negative_slope", 0.0)?;
            relu(b, x, most, slope, c.number("threshold", 0.0)?)?
        }
        "ThresholdedReLU" => relu(b, x, None, 0.0, c.number("theta", 1.0)?)?,
        "LeakyReLU" => {
            // Keras 2 called it alpha.
            let slope = c.number("negative_slope", c.number("alpha", 0.3)?)?;
            leaky_relu(b, x, slope)
        }
        "ELU" => elu(b, x, c.number("alpha", 1.0)?),
        "Softmax" => {
            let axes = c.integers("axis")?.unwrap_or_else(|| vec![-1]);
            softmax_over(b, x, &axes)?
        }
        "PReLU" => match weights {
            Some(weights) => prelu(b, c, weights, x)?,
            None => {
                return unsupported!("its activation is a PReLU layer; make it a layer of its own");
            }
        },
        _ => return Ok(None),
    }))
}

/// x above the threshold, at most `most`; `slope` · (x − threshold) below.
fn relu(
    b: &mut Builder,
    x: TensorId,
    most: Option<f64>,
    slope: f64,
    threshold: f64,
) -> Result<TensorId> {
    let y = match (slope, threshold, most) {
        (0.0, 0.0, Some(6.0)) => return Ok(same(b, Op::Relu6, x)),
        (0.0, 0.0, Some(1.0)) => return Ok(unary(b, Unary::Relu0To1, x)),
        (0.0, 0.0, _) => same(b, Op::Relu, x),
        (_, 0.0, _) => leaky_relu(b, x, slope),
        _ => {
            let bound = b.scalar("threshold", threshold);
            let above = compare(b, Comparison::Greater, x, bound)?;
            let below = match slope {
                0.0 => b.scalar("zero", 0.0),
                _ => {
                    let y = sub(b, x, bound);
                    times(b, y, slope)
                }
            };
            select(b, above, x, below)?
        }
    };
    most.map_or(Ok(y), |most| at_most(b, y, most))
}

/// PReLU: slopes below 0 of the input's shape, with 1 on shared axes.
fn prelu(b: &mut Builder, c: &Config, weights: &Weights<'_>, x: TensorId) -> Result<TensorId> {
    let shared = c.integers("shared_axes")?.unwrap_or_default();
    let rank = b.shape(x).len();
    let shared = shared
        .iter()
        .map(|&a| axis(a, rank))
        .collect::<Result<Vec<_>>>()?;
    let mut shape = vec![];
    for (i, d) in b.shape(x).iter().enumerate().skip(1) {
        match (shared.contains(&i), d) {
            (true, _) => shape.push(1),
            (false, Some(n)) => shape.push(*n),
            (false, None) => {
                return malformed!("it takes a known extent on axis {i}, or shared slopes there");
            }
        }
    }
    let mut arrays = weights.arrays(&[])?.into_iter();
    let alpha = take(&mut arrays, "alpha", &shape)?;
    let alpha = b.f32s("alpha", &shape, &alpha);
    let shape = b.shape(x).to_vec();
    Ok(b.node(Op::Prelu, &[x, alpha], shape))
}

/// Softmax over any axes: they are brought to the end and taken as one.
pub(super) fn softmax_over(b: &mut Builder, x: TensorId, axes: &[i64]) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    let mut axes = axes
        .iter()
        .map(|&a| axis(a, shape.len()))
        .collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    let mut order: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
    let outer = order.len();
    order.extend(&axes);
    let y = transpose(b, x, &order);
    let turned = b.shape(y).to_vec();
    let mut flat: Vec<Dim> = turned[..outer].to_vec();
    flat.push(product(&turned[outer..])?);
    let y = match axes.len() {
        0 => return malformed!("it has no axis"),
        1 => softmax(b, y),
        _ => {
            let y = reshape(b, y, flat)?;
            let y = softmax(b, y);
            reshape(b, y, turned)?
        }
    };
    let mut back = vec![0; order.len()];
    for (i, &o) in order.iter().enumerate() {
        back[o] = i;
    }
    Ok(transpose(b, y, &back))
}
