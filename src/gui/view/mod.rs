//! What to show, computed from the workbench without egui: rows, formatted numbers, chart geometry.

pub mod axis;
pub mod figures;
pub mod format;
pub mod layers;
pub mod tensors;
