//! An experiment: a recipe and what came of it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::jobs::JobId;
use super::litert::{Engine, LitertFigures};
use crate::evaluate::{Evaluation, Latency, Profile, TensorReport};
use crate::graph::Graph;
use crate::quantize::{self, Io, Mode, QuantPlan, Recipe};

/// Number of an experiment, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

/// What the user decides about an experiment. Small: undo keeps copies of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intent {
    /// What is asked for now; the figures may still be of an earlier recipe.
    pub recipe: Recipe,
    /// What the user calls it; `None` for the words of its recipe.
    pub name: Option<String>,
    /// Whether it stands above the others.
    pub pinned: bool,
    /// Whether the user made or changed it; the others are what Run makes of the chosen modes.
    pub own: bool,
    /// Which of its mode it is, by which it keeps its marker and hatch when others come and go.
    pub rank: usize,
    /// Which of those with an equal recipe it is.
    pub copy: usize,
}

/// Where an experiment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It was not run yet.
    New,
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
    /// What the user decides about it.
    pub intent: Intent,
    /// What its job runs, or its figures are of.
    pub key: RunKey,
    /// Where it stands.
    pub state: State,
    /// All figures of the last run that was done: while it is run again, those of before.
    pub finished: Option<Arc<Finished>>,
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
    /// Time of each operator of the file by Zeropoint's engine.
    pub profile: Option<Arc<Profile>>,
    /// What LiteRT made of the file where it was asked, or why it made nothing.
    pub litert: Option<Result<Arc<LitertFigures>, String>>,
    /// What quantization did, tensor by tensor; empty for float32.
    pub tensors: Option<Arc<Vec<TensorReport>>>,
}

impl Experiment {
    /// One without figures.
    pub fn new(id: ExperimentId, intent: Intent, key: RunKey, state: State) -> Self {
        Self {
            id,
            intent,
            key,
            state,
            finished: None,
            reused: false,
            stale: false,
            random: false,
            file: None,
            evaluation: None,
            latency: None,
            profile: None,
            litert: None,
            tensors: None,
        }
    }

    /// Its mode.
    pub fn mode(&self) -> Mode {
        self.intent.recipe.mode
    }

    /// Its input/output type.
    pub fn io(&self) -> Io {
        self.intent.recipe.io
    }

    /// Whether its figures are older than what is asked for: an earlier run, another content of the files, another recipe.
    pub fn is_stale(&self) -> bool {
        let changed = self.key.recipe != self.intent.recipe;
        self.stale || (changed && self.file.is_some())
    }

    /// What the user calls it, else `int8, int8 I/O`: the mode and what sets it apart. Random values are named.
    pub fn name(&self) -> String {
        let mut name = match &self.intent.name {
            Some(name) => name.clone(),
            None => {
                let recipe = experiment_name(self.mode(), self.io());
                let parts = std::iter::once(recipe).chain(self.apart());
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        if self.random {
            name += ", random values";
        }
        name
    }

    /// What sets its recipe apart beside mode and input/output type, in words.
    pub fn apart(&self) -> Vec<String> {
        let mut words = recipe_words(&self.intent.recipe);
        match self.intent.copy {
            0 => {}
            1 => words.push("copy".into()),
            n => words.push(format!("copy {n}")),
        }
        words
    }

    /// Takes over the figures of another one that ran with the same key.
    pub(super) fn take_figures(&mut self, from: &Experiment) {
        self.stale = from.stale;
        self.finished = from.finished.clone();
        let Finished {
            key,
            random,
            file,
            evaluation,
            latency,
            profile,
            litert,
            tensors,
        } = from.figures();
        (self.key, self.random, self.file) = (key, random, file);
        (self.evaluation, self.latency) = (evaluation, latency);
        (self.litert, self.tensors) = (litert, tensors);
        self.profile = profile;
    }

    /// The figures that it has now.
    pub(super) fn figures(&self) -> Finished {
        Finished {
            key: self.key.clone(),
            random: self.random,
            file: self.file.clone(),
            evaluation: self.evaluation.clone(),
            latency: self.latency.clone(),
            profile: self.profile.clone(),
            litert: self.litert.clone(),
            tensors: self.tensors.clone(),
        }
    }

    /// Whether its job waits or runs.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }
}

/// The figures of a run, as [`Experiment`] has them.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // as there
pub struct Finished {
    pub key: RunKey,
    pub random: bool,
    pub file: Option<Arc<QuantizedFile>>,
    pub evaluation: Option<Arc<Evaluation>>,
    pub latency: Option<Latency>,
    pub profile: Option<Arc<Profile>>,
    pub litert: Option<Result<Arc<LitertFigures>, String>>,
    pub tensors: Option<Arc<Vec<TensorReport>>>,
}

/// `int8, int8 I/O`; the I/O is left off where it is float32.
pub fn experiment_name(mode: Mode, io: Io) -> String {
    match io {
        Io::Float32 => mode.name().to_owned(),
        _ => format!("{}, {} I/O", mode.name(), io.name()),
    }
}

/// The settings of a recipe that are not the default ones, in words; mode, input/output type and strictness are left out.
pub fn recipe_words(recipe: &Recipe) -> Vec<String> {
    let usual = Recipe::default();
    let mut words = vec![];
    let is_static = recipe.mode.needs_calibration();
    if is_static && !recipe.bias_correction {
        words.push("biases not corrected".into());
    }
    if recipe.mode == Mode::Dynamic && recipe.min_weight_elements != usual.min_weight_elements {
        words.push(match recipe.min_weight_elements {
            0 | 1 => "all weights".into(),
            n => format!("weights from {n} elements"),
        });
    }
    if recipe.mode != Mode::Float32 {
        words.extend(quantize::kept_words(&recipe.keep_float));
    }
    if recipe.mode == Mode::Int8 {
        words.extend(quantize::int16_words(&recipe.int16));
    }
    words
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
    /// Every operator is timed.
    Profile(Arc<Profile>),
    /// LiteRT is through with the file, or failed on it.
    Litert(Result<Arc<LitertFigures>, String>),
}
