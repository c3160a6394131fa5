//! Activations: by name, as a layer, and as the `activation` of another layer.

use serde_json::{Map, Value};

use super::super::config::{Config, short};
use super::super::weights::Weights;
use super::builder::Builder;
use super::merge;
use crate::error::Result;
use crate::graph::{Op, TensorId};
use crate::{malformed, unsupported};

/// The `activation` setting of a layer, applied to x.
pub(super) fn of_config(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    of_value(b, c.get("activation"), x)
}

/// The Activation layer.
pub(super) fn layer(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    of_config(b, c, x)
}

/// An activation as files write it: a name, the object of a function, or a whole layer.
pub(super) fn of_value(b: &mut Builder, value: Option<&Value>, x: TensorId) -> Result<TensorId> {
    let Some(value) = value else {
        return Ok(x);
    };
    let object = match value {
        Value::String(name) => return of_name(b, name, x),
        Value::Object(object) => object,
        _ => return malformed!("its activation is {}", short(value)),
    };
    let class = object
        .get("class_name")
        .and_then(Value::as_str)
        .unwrap_or("");
    match object.get("config") {
        Some(Value::String(name)) => of_name(b, name, x),
        Some(Value::Object(config)) => of_settings(b, class, &Config(config.clone()), x),
        _ => of_settings(b, class, &Config(Map::new()), x),
    }
}

/// An activation by the name of its function.
pub(super) fn of_name(b: &mut Builder, name: &str, x: TensorId) -> Result<TensorId> {
    let like = |b: &Builder| b.shape(x).to_vec();
    let shape = like(b);
    Ok(match name {
        "linear" => x,
        "relu" => b.node(Op::Relu, &[x], shape),
        "relu6" => b.node(Op::Relu6, &[x], shape),
        "sigmoid" => b.node(Op::Logistic, &[x], shape),
        "tanh" => b.node(Op::Tanh, &[x], shape),
        "softmax" => b.node(Op::Softmax { beta: 1.0 }, &[x], shape),
        "hard_swish" | "hard_silu" => b.node(Op::HardSwish, &[x], shape),
        "swish" | "silu" => {
            let y = b.node(Op::Logistic, &[x], shape);
            merge::mul(b, x, y)
        }
        other => {
            return unsupported!(
                "its activation '{}' is not known here",
                other.escape_debug()
            );
        }
    })
}

fn of_settings(b: &mut Builder, class: &str, c: &Config, x: TensorId) -> Result<TensorId> {
    let shape = b.shape(x).to_vec();
    match class {
        "ReLU" => relu(b, c, x),
        "Softmax" => match c.integers("axis")?.as_deref() {
            None | Some([-1]) => Ok(b.node(Op::Softmax { beta: 1.0 }, &[x], shape)),
            Some(axis) if *axis == [shape.len() as i64 - 1] => {
                Ok(b.node(Op::Softmax { beta: 1.0 }, &[x], shape))
            }
            Some(axis) => unsupported!("its axis is {axis:?}; only the last is known here"),
        },
        other => unsupported!("its activation {} is not known here", other.escape_debug()),
    }
}

/// A layer that is an activation.
pub(super) fn of_class(
    b: &mut Builder,
    class: &str,
    c: &Config,
    _weights: &Weights<'_>,
    x: TensorId,
) -> Result<TensorId> {
    of_settings(b, class, c, x)
}

/// ReLU with an upper limit, a slope below the threshold, and the threshold.
fn relu(b: &mut Builder, c: &Config, x: TensorId) -> Result<TensorId> {
    let most = c
        .get("max_value")
        .map(|_| c.number("max_value", 0.0))
        .transpose()?;
    let slope = c.number("negative_slope", 0.0)?;
    let threshold = c.number("threshold", 0.0)?;
    let shape = b.shape(x).to_vec();
    match (most, slope, threshold) {
        (None, 0.0, 0.0) => Ok(b.node(Op::Relu, &[x], shape)),
        (Some(6.0), 0.0, 0.0) => Ok(b.node(Op::Relu6, &[x], shape)),
        _ => unsupported!("its max_value, negative_slope or threshold is not known here"),
    }
}
