//! An experiment: a recipe and what came of it.

use std::sync::Arc;

use bytes::Bytes;

use super::jobs::JobId;
use super::litert::{Engine, LitertFigures};
use crate::evaluate::{Evaluation, Latency, TensorReport};
use crate::graph::Graph;
use crate::quantize::{Io, Mode, QuantPlan, Recipe};

/// Number of an experiment, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentId(pub u64);

/// What an experiment's result depends on: equal keys, equal results.
#[derive(Debug, Clone, PartialEq)]
pub struct RunKey {
    /// The recipe.
    pub recipe: Recipe,
    /// Which opening of a model.
    pub model: u64,
    /// Which choice of calibration data and samples; 0 where the mode needs none.
    pub calibration: u64,
    /// Which choice of evaluation data and samples.
    pub evaluation: u64,
    /// Threads that latency was measured with.
    pub threads: usize,
    /// Which engine the figures come from.
    pub engine: Engine,
}

/// Where an experiment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its job waits or runs.
    Pending(JobId),
    /// All figures are there.
    Done,
    /// It ended with this message; older figures stay.
    Failed(String),
    /// The user stopped it; older figures stay.
    Cancelled,
}

/// A recipe and its results, which arrive one by one.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its number.
    pub id: ExperimentId,
    /// What was asked for, and of what.
    pub key: RunKey,
    /// Where it stands.
    pub state: State,
    /// Whether the last Run found this result still valid.
    pub reused: bool,
    /// Whether the figures belong to an older model, recipe or data than `key`.
    pub stale: bool,
    /// Whether it was calibrated on random values, so that its figures say little.
    pub random: bool,
    /// The written file.
    pub file: Option<Arc<QuantizedFile>>,
    /// Answers over the evaluation data: Zeropoint's engine, or LiteRT where that runs alone.
    pub evaluation: Option<Arc<Evaluation>>,
    /// Latency of single runs, by the same engine.
    pub latency: Option<Latency>,
    /// What LiteRT made of the file where it was asked, or why it made nothing.
    pub litert: Option<Result<Arc<LitertFigures>, String>>,
    /// What quantization did, tensor by tensor; empty for float32.
    pub tensors: Option<Arc<Vec<TensorReport>>>,
}

impl Experiment {
    /// Its mode.
    pub fn mode(&self) -> Mode {
        self.key.recipe.mode
    }

    /// Its input/output type.
    pub fn io(&self) -> Io {
        self.key.recipe.io
    }

    /// `int8, int8 I/O`; the I/O is left off where it is float32. Random values are named.
    pub fn name(&self) -> String {
        let name = experiment_name(self.mode(), self.io());
        match self.random {
            true => format!("{name}, random values"),
            false => name,
        }
    }

    /// Whether its job waits or runs.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }
}

/// `int8, int8 I/O`; the I/O is left off where it is float32.
pub fn experiment_name(mode: Mode, io: Io) -> String {
    match io {
        Io::Float32 => mode.name().to_owned(),
        _ => format!("{}, {} I/O", mode.name(), io.name()),
    }
}

/// A file that was written, and read back.
#[derive(Debug, Clone)]
pub struct QuantizedFile {
    /// The file.
    pub bytes: Bytes,
    /// What reading it gave: everything measured is measured on this.
    pub graph: Arc<Graph>,
    /// The decisions behind it.
    pub plan: Arc<QuantPlan>,
    /// Time for planning, quantizing, writing and reading back.
    pub convert_seconds: f64,
}

/// What an experiment's job hands over.
#[derive(Debug)]
pub enum Finding {
    /// The file is written (in memory) and read back.
    File(Arc<QuantizedFile>),
    /// The evaluation is through.
    Evaluation(Arc<Evaluation>),
    /// Every tensor is measured.
    Tensors(Arc<Vec<TensorReport>>),
    /// Single runs are timed.
    Latency(Latency),
    /// LiteRT is through with the file, or failed on it.
    Litert(Result<Arc<LitertFigures>, String>),
}
