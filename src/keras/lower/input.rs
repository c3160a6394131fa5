//! Input layers: the shape and type that the model is fed.

use serde_json::Value;

use super::super::config::{Layer, items, short};
use super::builder::{Builder, Dim};
use crate::error::Result;
use crate::graph::{DType, TensorId};
use crate::{malformed, unsupported};

/// Declares the input that `layer` stands for.
pub(super) fn declare(b: &mut Builder, layer: &Layer) -> Result<TensorId> {
    let c = &layer.config;
    let shape = c.get("batch_shape").or(c.get("batch_input_shape"));
    let Some(list) = shape.and_then(items) else {
        return malformed!("it says no batch_shape");
    };
    let shape = list.iter().map(extent).collect::<Result<Vec<Dim>>>()?;
    if c.flag("sparse", false) || c.flag("ragged", false) {
        return unsupported!("it takes sparse or ragged tensors; save the model with dense inputs");
    }
    let dtype = match dtype_name(c.get("dtype")) {
        "int32" => DType::Int32,
        "int64" => DType::Int64,
        "uint8" => DType::UInt8,
        "int8" => DType::Int8,
        "int16" => DType::Int16,
        "bool" => DType::Bool,
        // Whatever precision it was trained in, it computes in float32 here.
        "float32" | "float16" | "float64" | "bfloat16" | "mixed_float16" | "mixed_bfloat16" => {
            DType::Float32
        }
        other => return unsupported!("it takes {other}, which is no type of numbers known here"),
    };
    Ok(b.input(&layer.name, dtype, shape))
}

/// The name of a type, or of a policy; `float32` if absent.
pub(super) fn dtype_name(value: Option<&Value>) -> &str {
    match value {
        Some(Value::String(name)) => name,
        Some(policy) => policy
            .get("config")
            .and_then(|c| c.get("name"))
            .and_then(Value::as_str)
            .unwrap_or("float32"),
        None => "float32",
    }
}

fn extent(value: &Value) -> Result<Dim> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => match n.as_u64() {
            Some(n) if i32::try_from(n).is_ok() => Ok(Some(n as usize)),
            _ => malformed!("it states the extent {n}"),
        },
        other => malformed!("it states the extent {}", short(other)),
    }
}
