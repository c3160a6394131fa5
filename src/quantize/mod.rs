//! Step 2: recipe → plan (decide) → apply (do).

mod plan;
mod recipe;

pub use plan::{NodePlan, QuantPlan, Reason, TensorPlan};
pub use recipe::{Io, Mode, Recipe};
