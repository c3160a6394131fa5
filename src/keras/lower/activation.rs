//! Activations: by name, as a layer, and as the `activation` of another layer.

use serde_json::{Map, Value};

use super::super::config::{Config, short};
use super::super::weights::Weights;
use super::builder::Builder;
use super::{functions, merge};
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
        Some(Value::Object(config)) => of_class(b, class, &Config(config.clone()), None, x),
        _ => of_class(b, class, &Config(Map::new()), None, x),
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
        other => match functions::of_name(b, other, x)? {
            Some(y) => y,
            None => {
                let name = other.escape_debug();
                return unsupported!(
                    "its activation '{name}' is none of Keras' own; replace it by one of those, or export the model with TensorFlow's converter to .tflite"
                );
            }
        },
    })
}

/// A layer that is an activation.
pub(super) fn of_class(
    b: &mut Builder,
    class: &str,
    c: &Config,
    weights: Option<&Weights<'_>>,
    x: TensorId,
) -> Result<TensorId> {
    match functions::of_class(b, class, c, weights, x)? {
        Some(y) => Ok(y),
        None => unsupported!(
            "its activation is a {}, which is not known here",
            class.escape_debug()
        ),
    }
}
