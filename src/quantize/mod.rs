//! Step 2: recipe → plan (decide) → apply (do).
//!
//! [`plan`] decides for every tensor its type, scale, zero point and why, and for every operator whether it stays float;
//! [`apply`] builds the graph the plan describes. `rules` is the one table of operators; `params` holds the formulas.

mod activations;
mod apply;
mod bias_correction;
mod constants;
mod fold;
mod islands;
mod keep;
mod limits;
mod params;
mod plan;
mod recipe;
mod recurrent;
mod rules;
mod simplify;
mod static_plan;
mod support;
mod warnings;
mod weights_plan;
mod widths;

pub use apply::apply;
pub use bias_correction::{BiasCorrection, corrected_bias, uncorrected};
pub use keep::{OperatorRef, int16_words, kept_words};
pub use plan::{NodePlan, PartPlan, QuantPlan, Reason, ShapeFold, TensorPlan, UsePlan, plan};
pub use recipe::{Io, Mode, Recipe};
pub use support::{Support, support};
