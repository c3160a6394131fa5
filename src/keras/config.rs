//! The architecture as Keras writes it in JSON, from 2.0 to 3.15, brought into one plain value.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::{malformed, unsupported};

/// Layers that a file may have in all; far above any real network.
const MAX_LAYERS: usize = 200_000;

/// A Sequential or functional model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub name: String,
    /// In the order of the file, which is also the order of the weights.
    pub layers: Vec<Layer>,
    /// Results of the input layers, in the order of the model's arguments.
    pub inputs: Vec<Source>,
    /// What the model returns.
    pub outputs: Vec<Source>,
    /// Names of the outputs where the model returns a dictionary, otherwise empty.
    pub output_names: Vec<String>,
}

/// One layer, and how often and on what it is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub name: String,
    /// `class_name`, without the package of a registered one (`Custom>`).
    pub class: String,
    /// Whether it is an operation such as `keras.ops.add`, not a layer: it has no place among the weights.
    pub is_operation: bool,
    /// Whether Keras or its applications define the class; others are the user's own.
    pub is_builtin: bool,
    pub config: Config,
    /// Calls in order; the k-th gives node k.
    pub calls: Vec<Call>,
    /// The model inside, where the layer is one.
    pub model: Option<Model>,
}

/// The arguments of one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Call {
    pub args: Vec<Argument>,
    pub kwargs: Vec<(String, Argument)>,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// A result of another call.
    Tensor(Source),
    /// A list or tuple.
    List(Vec<Argument>),
    /// A constant.
    Value(Value),
}

/// Which result of which call of which layer of the same model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub layer: String,
    pub call: usize,
    pub result: usize,
}

impl Argument {
    /// The sources in it, in order.
    pub fn sources(&self) -> Vec<&Source> {
        match self {
            Argument::Tensor(source) => vec![source],
            Argument::List(items) => items.iter().flat_map(Argument::sources).collect(),
            Argument::Value(_) => vec![],
        }
    }
}

/// The settings of a layer: a JSON object with typed access.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Config(pub Map<String, Value>);

impl Config {
    /// The setting `key`; `None` if it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|v| !v.is_null())
    }

    /// A flag; `default` if absent.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A finite number; `default` if absent.
    ///
    /// # Errors
    /// Malformed if it is anything else.
    pub fn number(&self, key: &str, default: f64) -> Result<f64> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => match unwrap_array(v).as_f64() {
                Some(x) if x.is_finite() => Ok(x),
                _ => malformed!("its {key} is {}, not a finite number", short(v)),
            },
        }
    }

    /// A text; `None` if absent or no text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// A whole number that fits 32 bits; `None` if absent.
    ///
    /// # Errors
    /// Malformed if it is anything else.
    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        self.get(key).map(|v| integer(key, v)).transpose()
    }

    /// A whole number of at least `least`.
    ///
    /// # Errors
    /// Malformed if it is absent or anything else.
    pub fn size(&self, key: &str, least: usize) -> Result<usize> {
        match self.integer(key)? {
            Some(n) if n >= least as i64 => Ok(n as usize),
            Some(n) => malformed!("its {key} is {n}, below {least}"),
            None => malformed!("its {key} is missing"),
        }
    }

    /// `N` whole numbers of at least 1 (one number stands for all); `default` if absent.
    ///
    /// # Errors
    /// Malformed if it is anything else, or absent without a default.
    pub fn sizes<const N: usize>(&self, key: &str, default: Option<[i32; N]>) -> Result<[i32; N]> {
        let Some(value) = self.get(key) else {
            return default.map_or_else(|| malformed!("its {key} is missing"), Ok);
        };
        let wrong = || {
            malformed!(
                "its {key} is {}, not {N} whole numbers of at least 1",
                short(value)
            )
        };
        let numbers = match value {
            Value::Array(items) => items
                .iter()
                .map(|v| integer(key, v))
                .collect::<Result<Vec<_>>>()?,
            one => vec![integer(key, one)?; N],
        };
        if numbers.iter().any(|&n| n < 1) {
            return wrong();
        }
        let numbers: Vec<i32> = numbers.into_iter().map(|n| n as i32).collect();
        numbers.try_into().or_else(|_| wrong())
    }

    /// Whole numbers of any sign (one number gives one); `None` if absent.
    ///
    /// # Errors
    /// Malformed if it is anything else.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match items(value) {
            Some(list) => list
                .iter()
                .map(|v| integer(key, v))
                .collect::<Result<_>>()
                .map(Some),
            None => Ok(Some(vec![integer(key, value)?])),
        }
    }
}

/// A whole number that fits 32 bits.
fn integer(key: &str, value: &Value) -> Result<i64> {
    let whole = value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|x| x.fract() == 0.0)
            .map(|x| x as i64)
    });
    match whole {
        Some(n) if i32::try_from(n).is_ok() => Ok(n),
        _ => malformed!(
            "its {key} holds {}, not a whole number of 32 bits",
            short(value)
        ),
    }
}

/// A value in a message, cut where it is long.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The items of a list, or of Keras' object for a tuple.
pub(crate) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        Value::Object(o) if o.get("class_name").is_some_and(|c| c == "__tuple__") => {
            o.get("items").and_then(Value::as_array).map(Vec::as_slice)
        }
        _ => None,
    }
}

/// The plain value of Keras' object for a NumPy array; anything else as it is.
pub(crate) fn unwrap_array(value: &Value) -> &Value {
    match value.get("class_name").and_then(Value::as_str) {
        Some("__numpy__" | "__tensor__" | "__array__") => value
            .get("config")
            .and_then(|c| c.get("value"))
            .unwrap_or(value),
        _ => value,
    }
}

/// Reads the JSON of a whole model.
///
/// # Errors
/// Malformed if it is no JSON or contradicts itself; Unsupported if the model is a class of the user's own.
pub(super) fn read(json: &str) -> Result<Model> {
    let value: Value = serde_json::from_str(json).map_err(|e| {
        Error::Malformed(format!(
            "The architecture of this Keras file is damaged JSON: {e}"
        ))
    })?;
    let Some(object) = value.as_object() else {
        return malformed!("The architecture of this Keras file is no JSON object");
    };
    let mut left = MAX_LAYERS;
    let class = class_of(object)?;
    match model(&class, object, &mut left)? {
        Some(model) => Ok(model),
        None => unsupported!(
            "This Keras file holds a {class}, not a Sequential or functional model, and only its own Python code knows how it computes; export it with TensorFlow's converter to .tflite"
        ),
    }
}

fn class_of(object: &Map<String, Value>) -> Result<String> {
    match object.get("class_name").and_then(Value::as_str) {
        Some(class) => Ok(class.rsplit('>').next().unwrap_or(class).to_owned()),
        None => malformed!("A layer of this Keras file has no class_name"),
    }
}

/// The model in `object`, or `None` if it is another layer.
fn model(class: &str, object: &Map<String, Value>, left: &mut usize) -> Result<Option<Model>> {
    let Some(config) = object.get("config") else {
        return Ok(None);
    };
    // Keras 2.0 and 2.1 wrote a Sequential model as the bare list of its layers.
    let (layers, settings) = match (class, config) {
        ("Sequential", Value::Array(layers)) => (layers, None),
        (_, Value::Object(settings)) => match settings.get("layers") {
            Some(Value::Array(layers)) => (layers, Some(settings)),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let name = settings
        .and_then(|s| s.get("name"))
        .or(object.get("name"))
        .and_then(Value::as_str)
        .unwrap_or(class)
        .to_owned();
    let place = format!("Model '{name}'");
    let functional = settings.filter(|s| s.contains_key("output_layers"));
    let layers: Vec<Layer> = layers
        .iter()
        .enumerate()
        .map(|(i, l)| layer(i, l, left))
        .collect::<Result<_>>()
        .map_err(|e| e.at(&place))?;
    let mut model = Model {
        name,
        layers,
        inputs: vec![],
        outputs: vec![],
        output_names: vec![],
    };
    match functional {
        Some(settings) => functional_ends(&mut model, settings),
        None if class == "Sequential" => sequential_calls(&mut model, object, settings),
        None => return Ok(None),
    }
    .map_err(|e| e.at(&place))?;
    plain_calls(&mut model);
    Ok(Some(model))
}

/// The layer that a wrapper keeps under `key` of its settings.
///
/// # Errors
/// Malformed if there is none.
pub(crate) fn inner_layer(c: &Config, key: &str) -> Result<Layer> {
    match c.get(key) {
        Some(value) => layer(0, value, &mut MAX_LAYERS.clone()),
        None => malformed!("it wraps no layer"),
    }
}

fn layer(index: usize, value: &Value, left: &mut usize) -> Result<Layer> {
    let Some(object) = value.as_object() else {
        return malformed!("layer {index} is no JSON object");
    };
    *left = match left.checked_sub(1) {
        Some(left) => left,
        None => return malformed!("it has more than {MAX_LAYERS} layers"),
    };
    let class = class_of(object)?;
    let config = match object.get("config") {
        Some(Value::Object(config)) => config.clone(),
        _ => Map::new(),
    };
    let name = object
        .get("name")
        .or(config.get("name"))
        .and_then(Value::as_str)
        .unwrap_or(&class)
        .to_owned();
    let place = format!("Layer '{name}' ({class})");
    let calls = match object.get("inbound_nodes") {
        Some(Value::Array(nodes)) => nodes
            .iter()
            .map(call)
            .collect::<Result<_>>()
            .map_err(|e: Error| e.at(&place))?,
        _ => vec![],
    };
    let module = object.get("module").and_then(Value::as_str);
    Ok(Layer {
        model: model(&class, object, left)?,
        is_operation: match module {
            Some(m) => m.starts_with("keras.src.ops") || m.starts_with("keras.ops"),
            // An `.h5` file does not tell, but every layer says whether it is trainable.
            None => !config.contains_key("trainable") && class != "InputLayer",
        },
        is_builtin: module.is_none_or(|m| m.split('.').next() == Some("keras")),
        name,
        class,
        config: Config(config),
        calls,
    })
}

/// One call: Keras 3 writes `{"args", "kwargs"}`, Keras 2 a list of `[layer, node, tensor, kwargs]`.
fn call(value: &Value) -> Result<Call> {
    match value {
        Value::Object(o) => {
            let args = match o.get("args") {
                Some(args) => items(args)
                    .unwrap_or_default()
                    .iter()
                    .map(argument)
                    .collect(),
                None => Ok(vec![]),
            };
            let kwargs = match o.get("kwargs") {
                Some(Value::Object(kwargs)) => kwargs
                    .iter()
                    .map(|(k, v)| Ok((k.clone(), argument(v)?)))
                    .collect(),
                _ => Ok(vec![]),
            };
            Ok(Call {
                args: args?,
                kwargs: kwargs?,
            })
        }
        Value::Array(entries) => {
            // A single entry need not be wrapped in a list.
            let single = entries.first().is_some_and(Value::is_string);
            let whole = std::slice::from_ref(value);
            let entries = if single { whole } else { entries.as_slice() };
            let mut tensors = vec![];
            let mut kwargs = vec![];
            for entry in entries {
                tensors.push(Argument::Tensor(source(entry)?));
                if let Some(Value::Object(more)) = entry.get(3)
                    && kwargs.is_empty()
                {
                    for (key, v) in more {
                        kwargs.push((key.clone(), argument(v)?));
                    }
                }
            }
            let args = match <[_; 1]>::try_from(tensors) {
                Ok([one]) => vec![one],
                Err(many) => vec![Argument::List(many)],
            };
            Ok(Call { args, kwargs })
        }
        _ => malformed!("one of its inbound nodes is {}", short(value)),
    }
}

fn argument(value: &Value) -> Result<Argument> {
    if let Value::Object(o) = value
        && o.get("class_name").is_some_and(|c| c == "__keras_tensor__")
    {
        return match o.get("config").and_then(|c| c.get("keras_history")) {
            Some(history) => source(history).map(Argument::Tensor),
            None => malformed!("one of its arguments does not say where it comes from"),
        };
    }
    let Some(list) = items(value) else {
        return Ok(Argument::Value(value.clone()));
    };
    // Keras 2 writes a tensor among keyword arguments as its history.
    if let [Value::String(_), Value::Number(_), Value::Number(_), ..] = list {
        return source(value).map(Argument::Tensor);
    }
    list.iter()
        .map(argument)
        .collect::<Result<_>>()
        .map(Argument::List)
}

/// `[layer, node, tensor]`.
fn source(value: &Value) -> Result<Source> {
    let list = items(value).unwrap_or_default();
    let index = |i: usize| list.get(i).and_then(Value::as_u64).map(|n| n as usize);
    match (list.first().and_then(Value::as_str), index(1), index(2)) {
        (Some(layer), Some(call), Some(result)) => Ok(Source {
            layer: layer.to_owned(),
            call,
            result,
        }),
        _ => malformed!("{} is no [layer, node, tensor]", short(value)),
    }
}

/// Sources anywhere in a list, a nested list or a dictionary, with the dictionary's keys.
fn sources(value: &Value, names: &mut Vec<String>, out: &mut Vec<Source>) -> Result<()> {
    if let Some(list) = items(value) {
        if list.first().is_some_and(Value::is_string) {
            out.push(source(value)?);
            return Ok(());
        }
        return list.iter().try_for_each(|v| sources(v, names, out));
    }
    match value {
        Value::Object(o) => {
            for (key, v) in o {
                names.push(key.clone());
                sources(v, names, out)?;
            }
            Ok(())
        }
        _ => malformed!("its inputs or outputs are {}", short(value)),
    }
}

fn functional_ends(model: &mut Model, settings: &Map<String, Value>) -> Result<()> {
    let empty = Value::Array(vec![]);
    let find = |key: &str| settings.get(key).unwrap_or(&empty);
    sources(find("input_layers"), &mut vec![], &mut model.inputs)?;
    let mut names = vec![];
    sources(find("output_layers"), &mut names, &mut model.outputs)?;
    if names.len() == model.outputs.len() {
        model.output_names = names;
    }
    if model.inputs.is_empty() || model.outputs.is_empty() {
        return malformed!("it has no inputs or no outputs");
    }
    Ok(())
}

/// Gives the layers of a Sequential model the calls that chain them, and an input layer if the file has none.
fn sequential_calls(
    model: &mut Model,
    object: &Map<String, Value>,
    settings: Option<&Map<String, Value>>,
) -> Result<()> {
    if model.layers.is_empty() {
        return malformed!("it has no layers");
    }
    if model.layers.first().is_none_or(|l| l.class != "InputLayer") {
        let first = model.layers.first();
        let inner = first.and_then(|l| l.model.as_ref()).and_then(|m| {
            let source = m.inputs.first()?;
            let layer = m.layers.iter().find(|l| l.name == source.layer)?;
            layer
                .config
                .get("batch_shape")
                .or(layer.config.get("batch_input_shape"))
        });
        let shape = first
            .and_then(|l| {
                l.config
                    .get("batch_input_shape")
                    .or(l.config.get("batch_shape"))
            })
            .or(settings.and_then(|s| s.get("build_input_shape")))
            .or(object
                .get("build_config")
                .and_then(|b| b.get("input_shape")))
            .or(inner)
            .filter(|v| v.is_array());
        let Some(shape) = shape else {
            return unsupported!(
                "it does not say what shape its input has; call the model once on data (or add an Input layer) and save it again"
            );
        };
        let mut config = Map::new();
        config.insert("batch_shape".into(), shape.clone());
        if let Some(dtype) = first.and_then(|l| l.config.get("dtype")) {
            // An Embedding reads indices, whatever type it computes in.
            if first.is_none_or(|l| l.class != "Embedding") {
                config.insert("dtype".into(), dtype.clone());
            }
        }
        let name = match first {
            Some(l) if l.model.is_none() => format!("{}_input", l.name),
            _ => "input".into(),
        };
        let input = Layer {
            name,
            class: "InputLayer".into(),
            is_operation: false,
            is_builtin: true,
            config: Config(config),
            calls: vec![],
            model: None,
        };
        model.layers.insert(0, input);
    }
    let mut previous: Option<Source> = None;
    for layer in &mut model.layers {
        layer.calls = previous
            .take()
            .map(|source| Call {
                args: vec![Argument::Tensor(source)],
                kwargs: vec![],
            })
            .into_iter()
            .collect();
        previous = Some(Source {
            layer: layer.name.clone(),
            call: 0,
            result: 0,
        });
    }
    let first = &model.layers[0].name;
    model.inputs = vec![Source {
        layer: first.clone(),
        call: 0,
        result: 0,
    }];
    model.outputs = previous.into_iter().collect();
    Ok(())
}

/// Keras 2 counts a nested model's own graph as its call 0; here the first call is 0 for every layer.
fn plain_calls(model: &mut Model) {
    // Of each nested model: its calls, and the least and greatest call that others refer to.
    let mut nested: HashMap<String, (usize, usize, usize)> = model
        .layers
        .iter()
        .filter(|l| l.model.is_some())
        .map(|l| (l.name.clone(), (l.calls.len(), usize::MAX, 0)))
        .collect();
    if nested.is_empty() {
        return;
    }
    each_source(model, &mut |source| {
        if let Some((_, least, greatest)) = nested.get_mut(&source.layer) {
            *least = source.call.min(*least);
            *greatest = source.call.max(*greatest);
        }
    });
    each_source(model, &mut |source| {
        if let Some((calls, least, greatest)) = nested.get(&source.layer)
            && greatest >= calls
            && *least > 0
        {
            source.call -= 1;
        }
    });
}

fn each_source(model: &mut Model, visit: &mut dyn FnMut(&mut Source)) {
    fn inside(argument: &mut Argument, visit: &mut dyn FnMut(&mut Source)) {
        match argument {
            Argument::Tensor(source) => visit(source),
            Argument::Value(_) => {}
            Argument::List(items) => items.iter_mut().for_each(|a| inside(a, visit)),
        }
    }
    for call in model.layers.iter_mut().flat_map(|l| &mut l.calls) {
        call.args.iter_mut().for_each(|a| inside(a, visit));
        call.kwargs.iter_mut().for_each(|(_, a)| inside(a, visit));
    }
    model.inputs.iter_mut().for_each(&mut *visit);
    model.outputs.iter_mut().for_each(visit);
}
