//! Chosen data: where it comes from, and the samples once they are read.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fingerprint::{Fingerprint, Stamps};
use super::jobs::JobId;
use crate::data::{self, Dataset, FileKind, GuessedFrom, Preprocess, Preview, Selection, Skipped};
use crate::error::Result;

/// What data is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The representative dataset.
    Calibration,
    /// What accuracy is measured on.
    Evaluation,
}

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Embedded in the program.
    Demo,
    /// A file or a folder, and labels where the user pointed at them (else they are looked for beside it, or in the folder).
    File {
        /// The samples.
        path: PathBuf,
        /// The labels.
        labels: Option<PathBuf>,
    },
    /// Random values.
    Synthetic,
}

/// Which class of a folder is which output of the model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassSource {
    /// By the labels that the model carries where they fit, else by the names' order.
    #[default]
    Auto,
    /// By the names' order: alphabetical, numerical where all are numbers.
    Sorted,
    /// By the labels that the model carries, an error if there are none or they do not fit.
    Model,
    /// By the names in this file, one a line.
    File(PathBuf),
}

/// How data becomes samples, for both roles.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// How files of folders become inputs; `None` for what the model says, or the default.
    pub preprocess: Option<Preprocess>,
    /// Which class of a folder is which output of the model.
    pub classes: ClassSource,
    /// The label column of tables: its name, or without a header its number from 1; `None` for a usual name.
    pub label_column: Option<String>,
}

/// Data of one role.
#[derive(Debug, Clone, Default)]
pub struct DataChoice {
    /// What the user chose; `None` for nothing.
    pub source: Option<Source>,
    /// Which of its samples to use.
    pub selection: Selection,
    /// The samples as last read; stays until new ones are read.
    pub loaded: Option<Loaded>,
    /// The job that reads them.
    pub pending: Option<JobId>,
    /// Why the last choice could not be read.
    pub error: Option<String>,
    /// What results are made from: equal numbers, equal samples. 0 for no data.
    pub version: u64,
}

impl DataChoice {
    /// What the user chose, nothing read of it.
    pub(super) fn asked(&self) -> Self {
        Self {
            source: self.source.clone(),
            selection: self.selection,
            ..Self::default()
        }
    }

    /// Whether the user chose the same as there, whatever was read of it.
    pub(super) fn is_same_choice(&self, other: &Self) -> bool {
        self.source == other.source && self.selection == other.selection
    }

    /// Samples that a run would use.
    pub fn used(&self) -> usize {
        self.loaded.as_ref().map_or(0, |l| l.dataset.len())
    }

    /// Samples there are, before the choice.
    pub fn total(&self) -> usize {
        self.loaded.as_ref().map_or(0, |l| l.total)
    }
}

/// Data that was read and fits the model.
#[derive(Clone)]
pub struct Loaded {
    /// Its name, for the window and for reports.
    pub name: String,
    /// The chosen samples.
    pub dataset: Arc<dyn Dataset>,
    /// Which samples were chosen.
    pub selection: Selection,
    /// Samples there are, before the choice; of a folder, files.
    pub total: usize,
    /// Whether the values are random.
    pub synthetic: bool,
    /// What the files of a folder are; `None` for data that is one file.
    pub folder: Option<FileKind>,
    /// Names of the classes by index of the model's output; empty where they are not known.
    pub classes: Vec<String>,
    /// How the classes of a folder got their indices, such as `in alphabetical order`; empty without classes.
    pub class_order: String,
    /// Files that cannot be read and were left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// How files became inputs; `None` for data that is in the model's shape already.
    pub preprocess: Option<Preprocess>,
    /// Who said so.
    pub preprocess_from: GuessedFrom,
    /// A few samples as the model will see them.
    pub preview: Preview,
    /// Which choice of samples the preview is of: the one before while another is being made.
    pub previewed: Selection,
    /// What looks wrong but is no error, one sentence each.
    pub warnings: Vec<String>,
    /// Content of the file, or of the files of the folder that were read; `None` for random values.
    pub fingerprint: Option<Fingerprint>,
    /// Content of the labels (see [`Fingerprint::of_labels`]), before the choice where that costs no reading.
    pub labels_sha256: Option<String>,
    /// The label column that was asked for, where the data is a table.
    pub label_column: Option<String>,
    /// Signs that the files on the disk are still those that were read.
    pub stamps: Stamps,
    /// All samples where choosing among them costs no reading; `None` for a folder.
    pub(super) whole: Option<Arc<dyn Dataset>>,
}

impl Loaded {
    /// Chooses other samples at once; `false` where the data must be read again for that.
    pub(super) fn select(&mut self, selection: Selection) -> Result<bool> {
        let Some(whole) = &self.whole else {
            return Ok(false);
        };
        self.dataset = data::select(whole.clone(), &selection)?;
        self.selection = selection;
        Ok(true)
    }

    /// What decides which numbers the model gets.
    pub fn identity(&self) -> DataIdentity {
        DataIdentity {
            content: self.fingerprint.as_ref().map(|f| f.sha256.clone()),
            labels: self.labels_sha256.clone(),
            label_column: self.label_column.clone(),
            preprocess: self.preprocess.clone(),
            selection: self.selection,
        }
    }

    /// What results and sessions keep of it.
    pub fn record(&self) -> DataRecord {
        DataRecord {
            name: self.name.clone(),
            samples: self.dataset.len(),
            total: self.total,
            selection: self.selection,
            synthetic: self.synthetic,
            preprocess: self.preprocess.clone(),
            preprocess_from: self.preprocess_from,
            classes: self.classes.clone(),
            class_order: self.class_order.clone(),
            skipped: self.skipped.len(),
            warnings: self.warnings.clone(),
            fingerprint: self.fingerprint.clone(),
            labels_sha256: self.labels_sha256.clone(),
        }
    }
}

/// What decides which samples, with which labels, a model sees, by content: the same today and on another day, here and elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// SHA-256 of the data; `None` for random values.
    pub content: Option<String>,
    /// SHA-256 of the labels.
    pub labels: Option<String>,
    /// The label column of a table.
    pub label_column: Option<String>,
    /// How files became inputs.
    pub preprocess: Option<Preprocess>,
    /// Which samples.
    pub selection: Selection,
}

/// What figures were measured on: stands in results and sessions, so that they can be had again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Its name.
    pub name: String,
    /// Samples used.
    pub samples: usize,
    /// Samples there are.
    pub total: usize,
    /// Which of them were used.
    pub selection: Selection,
    /// Whether the values are random, so that the figures say nothing of accuracy.
    pub synthetic: bool,
    /// How files became inputs.
    pub preprocess: Option<Preprocess>,
    /// Who said so.
    pub preprocess_from: GuessedFrom,
    /// Names of the classes by index of the model's output.
    pub classes: Vec<String>,
    /// How they got their indices.
    pub class_order: String,
    /// Files left out because they cannot be read.
    pub skipped: usize,
    /// What looked wrong.
    pub warnings: Vec<String>,
    /// Content of the file, or of the files of the folder that were read; `None` for random values.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// Content of the labels (see [`Fingerprint::of_labels`]).
    #[serde(default)]
    pub labels_sha256: Option<String>,
}

impl DataRecord {
    /// It as JSON, every field written.
    pub fn to_json(&self) -> serde_json::Value {
        // Plain fields of numbers and words cannot fail; an error would leave null.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({}, {} samples)", self.name, self.dataset.len())
    }
}
