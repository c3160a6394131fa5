//! The decision as data: for every tensor its type, parameters and why; for every operator whether it stays float, and why.

use serde::Serialize;

use super::recipe::Recipe;
use crate::graph::{DType, Quantization, TensorId};

/// What will be done to the main subgraph, complete before anything is done.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantPlan {
    /// What was asked for.
    pub recipe: Recipe,
    /// One per tensor of the main subgraph.
    pub tensors: Vec<TensorPlan>,
    /// One per node of the main subgraph.
    pub nodes: Vec<NodePlan>,
    /// Sentences for the user: suspicious ranges, delegate limits, …
    pub warnings: Vec<String>,
}

/// What becomes of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorPlan {
    /// Which tensor.
    pub tensor: TensorId,
    /// Type it will have.
    pub dtype: DType,
    /// Parameters it will have; `None` if it stays as it is.
    pub quantization: Option<Quantization>,
    /// Where type and parameters come from.
    pub reason: Reason,
}

/// Why a tensor has its type and parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Stays as it is; the text says why.
    Untouched(String),
    /// A weight: symmetric, from its own values.
    Weight {
        /// Whether it has one scale a channel.
        per_channel: bool,
    },
    /// A bias: scale = input scale × weight scale.
    Bias,
    /// A constant operand, from its own values.
    Constant,
    /// An activation, from the calibrated range.
    Calibrated {
        /// Smallest value seen.
        min: f32,
        /// Largest value seen.
        max: f32,
    },
    /// The operator that makes it has a fixed output range.
    Fixed,
    /// It must share scale and zero point with this tensor.
    SameAs(TensorId),
}

/// What becomes of one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePlan {
    /// Computes on the mode's integers.
    Quantized,
    /// float16 or dynamic mode: float activations, smaller weights.
    SmallerWeights,
    /// Untouched by the mode because nothing in it can be quantized (shape arithmetic, no weights, …).
    Unaffected,
    /// Stays float although the mode would quantize it, with the reason in the user's words.
    Float(String),
}
