//! What to show, computed from the workbench without egui: rows, formatted numbers, chart geometry.

pub mod bars;
pub mod compare;
pub mod format;
pub mod jobs;
pub mod look;
pub mod side;
