//! Step 2: recipe → plan (decide) → apply (do).

mod plan;
mod recipe;

use crate::{calibrate::Calibration, error::Result, graph::Graph, progress::Progress};
pub use plan::{NodePlan, QuantPlan, Reason, TensorPlan};
pub use recipe::{Io, Mode, Recipe};
/// Stub.
pub fn plan(_: &Graph, _: &Recipe, _: Option<&Calibration>) -> Result<QuantPlan> {
    crate::unsupported!("stub")
}
/// Stub.
pub fn apply(_: &Graph, _: &QuantPlan, _: &Progress) -> Result<Graph> {
    crate::unsupported!("stub")
}
