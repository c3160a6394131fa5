//! What to show, computed from the workbench without egui: rows, formatted numbers, chart geometry.

pub mod axis;
pub mod bars;
pub mod compare;
pub mod data;
pub mod engines;
pub mod entry;
pub mod feed;
pub mod figures;
pub mod jobs;
pub mod layers;
pub mod limits;
pub mod look;
pub mod next;
pub mod order;
pub mod pad;
pub mod palette;
pub mod samples;
pub mod session;
pub mod side;
pub mod suspicion;
pub mod tensors;
pub mod tradeoff;
pub mod words;

pub use crate::workbench::format;
