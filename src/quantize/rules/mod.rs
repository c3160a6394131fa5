//! The one table of operators: how each is quantized in every mode, or the reason in the user's words why it stays float.
//!
//! Facts are LiteRT's kernels' (types and checks) and the format's quantization specification (fixed ranges, channel axes).

mod hybrid;
mod integer;
mod purity;

pub use hybrid::{Hybrid, HybridWeight, hybrid_rule};
pub use integer::{computes_no_reals, static_rule};
pub use purity::is_pure;

use crate::graph::{DType, Node, TensorId};

/// Integer types of a static mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// int8 activations, int32 biases.
    Int8,
    /// int16 activations, int64 biases.
    Int16,
}

impl Width {
    /// Type of activations.
    pub fn activation(self) -> DType {
        match self {
            Width::Int8 => DType::Int8,
            Width::Int16 => DType::Int16,
        }
    }

    /// Type of biases.
    pub fn bias(self) -> DType {
        match self {
            Width::Int8 => DType::Int32,
            Width::Int16 => DType::Int64,
        }
    }
}

/// Slots of an operator with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighted {
    /// Input that holds the activation.
    pub activation: usize,
    /// Input that holds the weights.
    pub weights: usize,
    /// Axis of the output channels in the weights.
    pub axis: usize,
    /// Axes that the weights have.
    pub rank: usize,
    /// Input that holds the optional bias.
    pub bias: usize,
}

/// What an operator's inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// One activation, weights with one scale a channel, an optional bias.
    Weighted(Weighted),
    /// These inputs hold reals; the others are indices, shapes, axes, conditions.
    Slots(&'static [usize]),
    /// All inputs hold reals.
    All,
    /// One activation, then weights, biases and state of a cell.
    Recurrent(Cell),
}

/// Recurrent cells that compute on integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM.
    Lstm,
    /// SVDF.
    Svdf,
}

/// Where an operator's output takes its scale from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output {
    /// Its own calibrated range.
    Free,
    /// The one operand, which the operator moves or selects values of.
    SameAsInput,
    /// All operands must have the output's scale; the output's range decides and is pushed back to them.
    SharedByAll,
    /// As [`Output::SharedByAll`], but what lies outside of the output's range never shows, so that constants do not widen it.
    SharedAndClamped,
    /// The operator's own range.
    Fixed {
        /// Scale that the kernel assumes.
        scale: f32,
        /// Zero point that the kernel assumes.
        zero_point: i64,
    },
    /// It gives truth values or indices.
    NoReals {
        /// Whether the kernel compares the stored integers, so that all operands need one scale.
        one_scale: bool,
    },
}

impl Output {
    /// Whether outputs and operands have one scale.
    pub fn is_shared(self) -> bool {
        match self {
            Output::SameAsInput | Output::SharedByAll | Output::SharedAndClamped => true,
            Output::Free | Output::Fixed { .. } | Output::NoReals { .. } => false,
        }
    }
}

/// What an operator does with values, which decides whether it is worth quantizing between operators that stay float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Multiplies with weights or matrices: what quantization is for.
    Products,
    /// Computes new values, and so rounds.
    Values,
    /// Only moves, repeats or selects values.
    Moves,
}

/// How an operator computes on integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Roles of its inputs.
    pub inputs: Inputs,
    /// Where its output's scale comes from.
    pub output: Output,
    /// What it does with values.
    pub work: Work,
    /// Whether its kernel knows no zero point, so that operands and outputs must have it at 0.
    pub zero_at_zero: bool,
}

impl Rule {
    /// The inputs of `node` that hold activations or constants in their place, with their slots. What is absent is left out.
    pub fn operands<'a>(
        &self,
        node: &'a Node,
    ) -> impl Iterator<Item = (usize, TensorId)> + use<'a> {
        let slots: Vec<usize> = match self.inputs {
            Inputs::Weighted(w) => vec![w.activation],
            Inputs::Slots(slots) => slots.to_vec(),
            Inputs::Recurrent(_) => vec![0],
            Inputs::All => (0..node.inputs.len()).collect(),
        };
        slots
            .into_iter()
            .filter_map(|slot| Some((slot, node.input(slot)?)))
    }
}
