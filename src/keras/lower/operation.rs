//! Operations among layers: `keras.ops` called on Keras tensors (Keras 3), and TensorFlow functions (Keras 2's TFOpLambda).

use serde_json::Value;

use super::super::config::{Config, Layer, unwrap_array};
use super::builder::Builder;
use super::call::{Arg, Call};
use super::normalization::axis;
use super::ops::{binary, concatenate, div, mean, reduce, transpose, unary};
use super::reshape::{product, reshape};
use super::{activation, functions, merge};
use crate::error::Result;
use crate::graph::{Binary, DType, Op, Reduction, TensorId, Unary};
use crate::{malformed, unsupported};

/// An operation of `keras.ops`: its class says what it does, its call and its configuration what with.
pub(super) fn of_keras(b: &mut Builder, layer: &Layer, call: &Call) -> Result<TensorId> {
    let settings = Settings {
        call,
        config: &layer.config,
    };
    match lower(b, &layer.class, &settings)? {
        Some(y) => Ok(y),
        None => unsupported!(
            "this version cannot lower this operation yet; export the model with TensorFlow's converter to .tflite, or use a layer instead"
        ),
    }
}

/// A TensorFlow function that Keras 2 recorded by its name.
pub(super) fn of_tensorflow(b: &mut Builder, c: &Config, call: &Call) -> Result<TensorId> {
    let name = c.text("function").unwrap_or("");
    let class = match name {
        "math.add" | "__operators__.add" => "Add",
        "math.subtract" => "Subtract",
        "math.multiply" => "Multiply",
        "math.truediv" | "math.divide" => "TrueDivide",
        "math.maximum" => "Maximum",
        "math.minimum" => "Minimum",
        "math.negative" => "Negative",
        "math.abs" => "Absolute",
        "math.square" => "Square",
        "math.sqrt" => "Sqrt",
        "math.exp" => "Exp",
        "math.log" => "Log",
        "math.sin" => "Sin",
        "math.cos" => "Cos",
        "math.pow" => "Power",
        "math.tanh" | "nn.tanh" => "Tanh",
        "math.sigmoid" | "nn.sigmoid" => "Sigmoid",
        "math.reduce_mean" => "Mean",
        "math.reduce_sum" => "Sum",
        "math.reduce_max" => "Max",
        "math.reduce_min" => "Min",
        "nn.relu" => "Relu",
        "nn.relu6" => "Relu6",
        "nn.elu" => "Elu",
        "nn.softplus" | "math.softplus" => "Softplus",
        "nn.swish" | "nn.silu" => "Silu",
        "nn.softmax" => "Softmax",
        "concat" => "Concatenate",
        "reshape" => "Reshape",
        "transpose" => "Transpose",
        "expand_dims" => "ExpandDims",
        "compat.v1.transpose" => "Transpose",
        _ => "",
    };
    let settings = Settings { call, config: c };
    match lower(b, class, &settings)? {
        Some(y) => Ok(y),
        None => unsupported!(
            "the TensorFlow function '{}' is not known here; export the model with TensorFlow's converter to .tflite",
            name.escape_debug()
        ),
    }
}

/// Where an operation finds what it works with: in the call by position or name, or in its configuration.
struct Settings<'a> {
    call: &'a Call,
    config: &'a Config,
}

impl Settings<'_> {
    fn value(&self, position: usize, names: &[&str]) -> Option<&Value> {
        let of_call = names
            .iter()
            .find_map(|name| match self.call.argument(position, name) {
                Some(Arg::Value(v)) => Some(v),
                _ => None,
            });
        let of_config = || names.iter().find_map(|name| self.config.get(name));
        of_call.or_else(of_config).filter(|v| !v.is_null())
    }

    /// Whole numbers: a list, or one.
    fn integers(&self, position: usize, names: &[&str]) -> Result<Option<Vec<i64>>> {
        let as_list = names
            .iter()
            .find_map(|name| match self.call.argument(position, name) {
                Some(Arg::List(items)) => Some(items),
                _ => None,
            });
        let Some(items) = as_list else {
            let Some(value) = self.value(position, names) else {
                return Ok(None);
            };
            let mut one = serde_json::Map::new();
            one.insert(names[0].into(), value.clone());
            return Config(one).integers(names[0]);
        };
        let number = |a: &Arg| match a {
            Arg::Value(v) => v.as_i64(),
            Arg::Tensor(_) | Arg::List(_) => None,
        };
        match items.iter().map(number).collect::<Option<Vec<i64>>>() {
            Some(numbers) => Ok(Some(numbers)),
            None => unsupported!("its {} is computed, not constant", names[0]),
        }
    }

    fn flag(&self, position: usize, names: &[&str]) -> bool {
        let value = self.value(position, names);
        value.and_then(Value::as_bool).unwrap_or(false)
    }

    /// An operand: a tensor, or a number or list of numbers as a constant.
    fn operand(&self, b: &mut Builder, position: usize, names: &[&str]) -> Result<TensorId> {
        let given = names
            .iter()
            .find_map(|name| self.call.argument(position, name));
        match given {
            Some(Arg::Tensor(id)) => Ok(merge::float(b, *id)),
            Some(Arg::Value(v)) => match unwrap_array(v).as_f64() {
                Some(x) => Ok(b.scalar("constant", x)),
                None => constant(b, unwrap_array(v)),
            },
            Some(Arg::List(items)) => {
                let values: Option<Vec<Value>> = items
                    .iter()
                    .map(|a| match a {
                        Arg::Value(v) => Some(v.clone()),
                        Arg::Tensor(_) | Arg::List(_) => None,
                    })
                    .collect();
                match values {
                    Some(values) => constant(b, &Value::Array(values)),
                    None => unsupported!("its operand {position} is a list of tensors"),
                }
            }
            None => malformed!("its operand {position} is missing"),
        }
    }

    /// Axes counted from the front; all where none is named.
    fn axes(&self, b: &Builder, x: TensorId) -> Result<Vec<usize>> {
        let rank = b.shape(x).len();
        match self.integers(1, &["axis", "axes"])? {
            None => Ok((0..rank).collect()),
            Some(axes) => axes.into_iter().map(|a| axis(a, rank)).collect(),
        }
    }
}

/// A constant from a nested list of numbers.
fn constant(b: &mut Builder, value: &Value) -> Result<TensorId> {
    fn collect(v: &Value, depth: usize, shape: &mut Vec<usize>, out: &mut Vec<f32>) -> Option<()> {
        let Some(items) = v.as_array() else {
            out.push(v.as_f64()? as f32);
            return Some(());
        };
        if shape.len() == depth {
            shape.push(items.len());
        }
        (shape.get(depth) == Some(&items.len())).then_some(())?;
        items
            .iter()
            .try_for_each(|item| collect(item, depth + 1, shape, out))
    }
    let (mut shape, mut out) = (vec![], vec![]);
    let read = collect(value, 0, &mut shape, &mut out);
    if read.is_none() || shape.iter().product::<usize>() != out.len() {
        return malformed!(
            "its constant {} is no array of numbers",
            super::super::config::short(value)
        );
    }
    Ok(b.f32s("constant", &shape, &out))
}

const FIRST: [&str; 4] = ["x", "x1", "a", "features"];
const SECOND: [&str; 3] = ["x2", "y", "b"];

/// What the class of an operation does; `None` if it is not known.
fn lower(b: &mut Builder, class: &str, s: &Settings<'_>) -> Result<Option<TensorId>> {
    let of_two = |b: &mut Builder| -> Result<[TensorId; 2]> {
        let pair = [s.operand(b, 0, &FIRST)?, s.operand(b, 1, &SECOND)?];
        merge::broadcast(b.shape(pair[0]), b.shape(pair[1]))?;
        Ok(pair)
    };
    let float = |b: &mut Builder| -> Result<TensorId> {
        let x = s.call.tensor()?;
        Ok(merge::float(b, x))
    };
    Ok(Some(match class {
        "Add" | "Subtract" | "Multiply" | "TrueDivide" | "Divide" => {
            let [x, y] = of_two(b)?;
            match class {
                "Add" => merge::add(b, x, y),
                "Subtract" => merge::sub(b, x, y),
                "Multiply" => merge::mul(b, x, y),
                _ => div(b, x, y)?,
            }
        }
        "Maximum" | "Minimum" | "Power" => {
            let [x, y] = of_two(b)?;
            let f = match class {
                "Maximum" => Binary::Maximum,
                "Minimum" => Binary::Minimum,
                _ => Binary::Pow,
            };
            binary(b, f, x, y)?
        }
        "Negative" | "Absolute" | "Abs" | "Square" | "Sqrt" | "Rsqrt" | "Exp" | "Log" | "Sin"
        | "Cos" | "Floor" | "Ceil" | "Sign" | "Round" => {
            let x = float(b)?;
            let f = match class {
                "Negative" => Unary::Neg,
                "Absolute" | "Abs" => Unary::Abs,
                "Square" => Unary::Square,
                "Sqrt" => Unary::Sqrt,
                "Rsqrt" => Unary::Rsqrt,
                "Exp" => Unary::Exp,
                "Log" => Unary::Log,
                "Sin" => Unary::Sin,
                "Cos" => Unary::Cos,
                "Floor" => Unary::Floor,
                "Ceil" => Unary::Ceil,
                "Sign" => Unary::Sign,
                _ => Unary::Round,
            };
            unary(b, f, x)
        }
        "Clip" => {
            let x = float(b)?;
            let low = s.operand(b, 1, &["x_min"])?;
            let high = s.operand(b, 2, &["x_max"])?;
            let y = binary(b, Binary::Maximum, x, low)?;
            binary(b, Binary::Minimum, y, high)?
        }
        "Mean" | "Sum" | "Max" | "Min" | "Amax" | "Amin" | "Prod" => {
            let x = float(b)?;
            let axes = s.axes(b, x)?;
            let keep = s.flag(2, &["keepdims"]);
            match class {
                "Mean" => mean(b, x, &axes, keep),
                "Sum" => reduce(b, Reduction::Sum, x, &axes, keep),
                "Max" | "Amax" => reduce(b, Reduction::Max, x, &axes, keep),
                "Min" | "Amin" => reduce(b, Reduction::Min, x, &axes, keep),
                _ => reduce(b, Reduction::Prod, x, &axes, keep),
            }
        }
        "Softmax" => {
            let x = float(b)?;
            let along = s.integers(1, &["axis"])?.unwrap_or_else(|| vec![-1]);
            functions::softmax_over(b, x, &along)?
        }
        "Concatenate" => {
            let inputs = s.call.tensors();
            let Some(&first) = inputs.first() else {
                return malformed!("it is called without a tensor");
            };
            let rank = b.shape(first).len();
            let along = s.integers(1, &["axis"])?.unwrap_or_else(|| vec![-1]);
            let along = axis(*along.first().unwrap_or(&-1), rank)?;
            for &id in &inputs {
                let (x, y) = (b.shape(first), b.shape(id));
                let mut others = x.iter().zip(y).enumerate().filter(|(i, _)| *i != along);
                if x.len() != y.len()
                    || others.any(|(_, (x, y))| x.is_some() && y.is_some() && x != y)
                {
                    return malformed!("its inputs have the shapes {x:?} and {y:?}");
                }
            }
            concatenate(b, &inputs, along)
        }
        "Reshape" => {
            let x = s.call.tensor()?;
            let Some(target) = s.integers(1, &["newshape", "shape"])? else {
                return malformed!("its shape is missing");
            };
            reshape_to(b, x, &target)?
        }
        "Transpose" => {
            let x = s.call.tensor()?;
            let rank = b.shape(x).len();
            let order = match s.integers(1, &["axes", "perm"])? {
                None => (0..rank).rev().collect(),
                Some(order) => order
                    .into_iter()
                    .map(|a| axis(a, rank))
                    .collect::<Result<Vec<usize>>>()?,
            };
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if !sorted.iter().copied().eq(0..rank) {
                return malformed!("its axes {order:?} are no order of {rank} axes");
            }
            transpose(b, x, &order)
        }
        "ExpandDims" => {
            let x = s.call.tensor()?;
            let mut shape = b.shape(x).to_vec();
            let mut at = s.integers(1, &["axis"])?.unwrap_or_else(|| vec![-1]);
            at.sort_unstable();
            for a in at {
                let place = axis(a, shape.len() + 1)?;
                shape.insert(place, Some(1));
            }
            reshape(b, x, shape)?
        }
        "Squeeze" => {
            let x = s.call.tensor()?;
            let gone = match s.integers(1, &["axis"])? {
                Some(_) => s.axes(b, x)?,
                None => (0..b.shape(x).len())
                    .filter(|&i| b.shape(x)[i] == Some(1))
                    .collect(),
            };
            let kept = b
                .shape(x)
                .iter()
                .enumerate()
                .filter(|(i, _)| !gone.contains(i));
            let shape = kept.map(|(_, &d)| d).collect();
            reshape(b, x, shape)?
        }
        "" => return Ok(None),
        _ => {
            let x = float(b)?;
            if b.dtype(x) != DType::Float32 {
                return Ok(None);
            }
            return activation_class(b, class, s.config, x);
        }
    }))
}

/// x in a shape that names the batch too; one −1 stands for what is left.
fn reshape_to(b: &mut Builder, x: TensorId, target: &[i64]) -> Result<TensorId> {
    let from = b.shape(x).to_vec();
    let free = target.iter().filter(|&&d| d == -1).count();
    if free > 1 || target.iter().any(|&d| d < -1) {
        return malformed!("its shape is {target:?}");
    }
    let known: Vec<_> = target
        .iter()
        .filter(|&&d| d >= 0)
        .map(|&d| Some(d as usize))
        .collect();
    let known = product(&known)?.unwrap_or(0);
    let have = product(&from)?;
    let rest = match have {
        Some(have) if known > 0 && have % known == 0 => Some(have / known),
        Some(have) => return malformed!("its shape {target:?} does not fit {have} elements"),
        None => None,
    };
    if free == 0 && have.is_some() && rest != Some(1) {
        return malformed!("its shape {target:?} does not fit its input");
    }
    let shape = target.iter().map(|&d| match d {
        -1 => rest,
        d => Some(d as usize),
    });
    let shape = shape.collect();
    reshape(b, x, shape)
}

/// An activation by the class of its operation.
fn activation_class(
    b: &mut Builder,
    class: &str,
    c: &Config,
    x: TensorId,
) -> Result<Option<TensorId>> {
    let name = match class {
        "Relu" => "relu",
        "Relu6" => "relu6",
        "Sigmoid" => "sigmoid",
        "Tanh" => "tanh",
        "Silu" => "silu",
        "HardSilu" => "hard_silu",
        "HardSigmoid" => "hard_sigmoid",
        "Softplus" => "softplus",
        "Softsign" => "softsign",
        "Selu" => "selu",
        "Mish" => "mish",
        "LogSoftmax" => "log_softmax",
        "LogSigmoid" => "log_sigmoid",
        "Elu" if c.number("alpha", 1.0)? == 1.0 => "elu",
        "LeakyRelu" if c.number("negative_slope", 0.2)? == 0.2 => "leaky_relu",
        "Gelu" if !c.flag("approximate", true) => "gelu",
        "Gelu" => return Ok(Some(super::ops::same(b, Op::Gelu { approximate: true }, x))),
        _ => return Ok(None),
    };
    activation::of_name(b, name, x).map(Some)
}
