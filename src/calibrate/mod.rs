//! Step 1: statistics of every activation over the representative dataset.

mod feed;
mod lanes;
mod means;
mod minmax;
mod probe;

use std::collections::BTreeMap;

pub use crate::engine::Part;

pub use feed::{Batches, Feed, batch_size, quantize};
pub use lanes::Lanes;
pub use minmax::{calibrate, calibrate_by, finite_range, ranges};
pub use probe::Probe;

/// Range that one tensor took over all calibration samples.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Range {
    /// Smallest value seen.
    pub min: f32,
    /// Largest value seen.
    pub max: f32,
}

/// What calibration learned; shared by every mode that needs it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration {
    /// Samples seen.
    pub samples: usize,
    /// Per tensor of the main subgraph; `None` for constants, integers and what was never computed.
    pub ranges: Vec<Option<Range>>,
    /// Per tensor of the main subgraph that an operator with weights reads: the mean of each channel (each entry of a row of
    /// FULLY_CONNECTED), for [`crate::quantize::Recipe::bias_correction`]. Empty if means were not taken.
    pub means: Vec<Option<Vec<f32>>>,
    /// By node of the main subgraph, what recurrent operators compute on the way to their outputs.
    pub parts: BTreeMap<(usize, Part), Range>,
    /// The first samples and the float model's answers, to judge quantized models by. Empty if none were kept.
    pub probe: Probe,
}
