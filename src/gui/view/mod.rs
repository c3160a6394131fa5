//! What to show, computed from the workbench without egui: rows, formatted numbers, chart geometry.

pub mod format;
