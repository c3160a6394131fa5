//! Chosen data: where it comes from, and the samples once they are read.

use std::path::PathBuf;
use std::sync::Arc;

use super::jobs::JobId;
use crate::data::Dataset;

/// What data is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The representative dataset.
    Calibration,
    /// What accuracy is measured on.
    Evaluation,
}

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Embedded in the program.
    Demo,
    /// A file, and labels where the user pointed at them (else they are looked for beside it).
    File {
        /// The samples.
        path: PathBuf,
        /// The labels.
        labels: Option<PathBuf>,
    },
    /// Random values.
    Synthetic,
}

/// Data of one role.
#[derive(Debug, Clone, Default)]
pub struct DataChoice {
    /// What the user chose; `None` for nothing.
    pub source: Option<Source>,
    /// Samples to use, from the first; `None` for all.
    pub samples: Option<usize>,
    /// The samples as last read; stays until new ones are read.
    pub loaded: Option<Loaded>,
    /// The job that reads them.
    pub pending: Option<JobId>,
    /// Why the last choice could not be read.
    pub error: Option<String>,
    /// Counts changes, so that results know what they were made from.
    pub version: u64,
}

impl DataChoice {
    /// Whether the user chose the same as there, whatever was read of it.
    pub(super) fn is_same_choice(&self, other: &Self) -> bool {
        self.source == other.source && self.samples == other.samples
    }

    /// Samples that a run would use.
    pub fn used(&self) -> usize {
        let all = self.loaded.as_ref().map_or(0, |l| l.dataset.len());
        self.samples.map_or(all, |n| n.min(all))
    }
}

/// Data that was read and fits the model.
#[derive(Clone)]
pub struct Loaded {
    /// Its name, for the window and for reports.
    pub name: String,
    /// All its samples.
    pub dataset: Arc<dyn Dataset>,
    /// Whether the values are random.
    pub synthetic: bool,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({}, {} samples)", self.name, self.dataset.len())
    }
}
