//! Reports: everything a reader needs to judge and repeat a comparison, as data; [`Form`] makes texts of it.

mod csv;
mod form;
mod gather;
mod html;
mod json;
mod provenance;
mod svg;

pub use csv::csv;
pub use form::Form;
pub use gather::{Gathered, data_note, model_note};
pub use html::html;
pub use json::json;
pub use provenance::{Machine, sha256, utc};

use crate::evaluate::{Evaluation, Latency, TensorReport};
use crate::quantize::{Mode, Recipe};

/// Accuracy loss that the answer tolerates: 0.10 percentage points.
pub const TOLERATED_LOSS: f64 = 0.001;
/// Agreement with float32 that the answer asks for where there are no labels.
pub const WANTED_AGREEMENT: f64 = 0.99;

/// A comparison with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The float model.
    pub model: FileNote,
    /// What it was calibrated on, if anything.
    pub calibration: Option<DataNote>,
    /// What it was evaluated on, if anything.
    pub data: Option<DataNote>,
    /// Where it was measured.
    pub machine: Machine,
    /// When, such as `2026-11-23 17:05 UTC`.
    pub made: String,
    /// What was compared, in the order of the tables. Agreement, SQNR and deltas of each are against the baseline.
    pub experiments: Vec<Entry>,
    /// Which of them is the baseline; `None` for the first float32 one.
    pub baseline: Option<usize>,
}

/// A file by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNote {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: usize,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// Data by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataNote {
    /// Its name.
    pub name: String,
    /// Samples used, from the first.
    pub samples: usize,
    /// SHA-256 of the file of samples or of the files of a folder, hexadecimal (see [`super::Fingerprint`]); `None` for random values.
    pub sha256: Option<String>,
}

/// One experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The model that it is of, where the report is of several.
    pub model: Option<FileNote>,
    /// Its name, after its model's where the report is of several.
    pub name: String,
    /// What was asked for.
    pub recipe: Recipe,
    /// The file that came of it.
    pub file: FileNote,
    /// Oldest TensorFlow Lite that runs it; empty if unknown.
    pub runtime: String,
    /// Quality, if there was data.
    pub evaluation: Option<Evaluation>,
    /// Time of single runs, if measured.
    pub latency: Option<Latency>,
    /// Tensor by tensor; empty for float32 and where not measured.
    pub tensors: Vec<TensorReport>,
    /// Sentences of the plan.
    pub warnings: Vec<String>,
    /// Time for planning, quantizing, writing and reading back.
    pub convert_seconds: f64,
}

impl Report {
    /// The experiment that deltas are taken against.
    pub fn baseline(&self) -> Option<&Entry> {
        let chosen = self.baseline.and_then(|at| self.experiments.get(at));
        let mut all = self.experiments.iter();
        chosen.or_else(|| all.find(|e| e.recipe.mode == Mode::Float32))
    }

    /// What the baseline is called; `float32` where there is none.
    pub fn baseline_name(&self) -> &str {
        self.baseline().map_or("float32", |b| &b.name)
    }
}

impl Entry {
    /// Top-1 minus the baseline's, and its 95 % paired interval, shares of 1.
    fn delta(&self, baseline: Option<&Entry>) -> Option<(f64, Option<(f64, f64)>)> {
        let own = self.evaluation.as_ref()?;
        // Without an interval they were not measured on the same samples.
        own.delta_interval?;
        let base = baseline?.evaluation.as_ref()?;
        Some((own.top1? - base.top1?, own.delta_interval))
    }

    /// Whether it keeps the accuracy (without labels: the answers) of the baseline; `None` if nothing says so.
    fn keeps(&self, baseline: Option<&Entry>) -> Option<bool> {
        match self.delta(baseline) {
            // The tolerance is a round figure, the delta a difference of two.
            Some((delta, _)) => Some(delta >= -TOLERATED_LOSS - 1e-12),
            None => Some(self.evaluation.as_ref()?.agreement? >= WANTED_AGREEMENT),
        }
    }
}
