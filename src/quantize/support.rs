//! What the rules say of an operator by itself: the quantizer's part of the table of operators.

use super::rules::{Hybrid, Width, hybrid_rule, static_rule};
use crate::graph::Op;

/// Modes in which an operator is quantized; the reason in the user's words where it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Computes on int8.
    pub int8: Result<(), String>,
    /// Computes on int16 activations with int8 weights.
    pub int16x8: Result<(), String>,
    /// Has weights that are stored as int8 while activations stay float.
    pub dynamic: Result<(), String>,
}

/// What becomes of `op` with its options in each mode, if its tensors hold reals.
pub fn support(op: &Op) -> Support {
    let fixed = |width| static_rule(op, width).map(|_| ());
    Support {
        int8: fixed(Width::Int8),
        int16x8: fixed(Width::Int16),
        dynamic: match hybrid_rule(op) {
            Hybrid::Weights(_) | Hybrid::Stored(_) | Hybrid::Moved(_) => Ok(()),
            Hybrid::Nothing => Err("it has no weights".into()),
            Hybrid::Float(why) => Err(why),
        },
    }
}
