//! The application without a window: what is open, what was asked for, what came of it. Changed by [`Command`]s only.

mod acceleration;
mod command;
mod dataset;
mod entry;
mod experiment;
pub mod files;
pub mod format;
pub mod jobs;
mod layout;
pub mod litert;
mod model;
mod open_axes;
mod open_data;
mod operators;
mod recent;
pub mod report;
mod run;
pub mod steps;
mod walk;
mod work;

use std::path::PathBuf;

pub use acceleration::not_accelerated;
pub use command::Command;
pub use dataset::{ClassSource, DataChoice, DataRecord, Loaded, Role, Source};
pub use entry::{Entry, EntryCard, OpenInput, entries, parse_shape};
pub use experiment::{
    Experiment, ExperimentId, Finding, QuantizedFile, RunKey, State, experiment_name,
};
pub use layout::Layout;
pub use model::{ModelCard, ModelFormat, OpenModel, PortCard, shape_text};
pub use operators::{OperatorRow, float_operators, operator_table};
pub use work::TENSOR_SAMPLES;

use crate::data::{Preprocess, Preview, Selection};
use crate::quantize::{Io, Mode};
use jobs::{JobId, Jobs, Wake};
use litert::{Engine, Setup};

/// The whole state that the window shows. Panels read it; only [`Workbench::apply`] and [`Workbench::poll`] change it, and
/// neither ever waits.
pub struct Workbench {
    /// The open model.
    pub model: Option<OpenModel>,
    /// The job that reads another one.
    pub model_pending: Option<JobId>,
    /// Why the last model could not be opened.
    pub model_error: Option<String>,
    /// The job that prepares another entry or other input shapes of the open model.
    pub entry_pending: Option<JobId>,
    /// Why the last entry or shape could not be taken.
    pub entry_error: Option<String>,
    /// The representative dataset.
    pub calibration: DataChoice,
    /// What accuracy is measured on.
    pub evaluation: DataChoice,
    /// Pictures of evaluation samples that were asked for.
    pub pictures: SamplePictures,
    /// How files of folders become inputs; `None` for what the model says, or the default.
    pub preprocess: Option<Preprocess>,
    /// Which class of a folder is which output of the model.
    pub classes: ClassSource,
    /// The label column of tables: its name, or without a header its number from 1; `None` for a usual name.
    pub label_column: Option<String>,
    /// One per mode, in the order of [`Mode::ALL`].
    pub modes: Vec<ModeChoice>,
    /// Whether an operator that would stay float is an error.
    pub strict: bool,
    /// Threads that latency is measured with and jobs may use.
    pub threads: usize,
    /// Which engine figures come from.
    pub engine: Engine,
    /// Where the user wants LiteRT to be looked for; `None` for the usual places.
    pub litert_place: Option<PathBuf>,
    /// What LiteRT's process runs instead of this program (tests, whose own program is another).
    pub litert_program: Option<PathBuf>,
    /// LiteRT as last looked for, or one sentence that says how to get it; `None` before anybody asked.
    pub litert: Option<Result<Setup, String>>,
    /// How long each experiment's latency is measured, seconds.
    pub latency_seconds: f64,
    /// Experiments in the order of their modes; the first float32 one is the baseline.
    pub experiments: Vec<Experiment>,
    /// Messages that no panel of their own shows, newest last.
    pub notices: Vec<Notice>,
    /// Files opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// Where recent files are remembered; `None` remembers nothing (tests).
    pub recent_file: Option<PathBuf>,
    jobs: Jobs<Event>,
    model_version: u64,
    /// Whether the shapes of `model.entry` came from samples rather than from the user.
    shape_from_data: bool,
    /// Entries of the open file that were worked on before.
    asides: Vec<entry::Aside>,
    next_model: u64,
    next_experiment: u64,
    next_notice: u64,
    shared: work::Shared,
}

/// A mode as the user set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeChoice {
    /// Which mode.
    pub mode: Mode,
    /// Whether Run makes it.
    pub chosen: bool,
    /// Which input/output types, one file each; never empty.
    pub ios: Vec<Io>,
}

/// Pictures of evaluation samples, made on a job.
#[derive(Debug, Default)]
pub struct SamplePictures {
    /// Which samples were asked for, of which version of the evaluation data.
    pub wanted: (u64, Vec<usize>),
    /// What came of it; of earlier samples while a job runs.
    pub shown: Preview,
    /// Counts what `shown` was.
    pub version: u64,
    /// The job that makes them.
    pub pending: Option<JobId>,
}

/// A message for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number, for [`Command::Dismiss`].
    pub id: u64,
    /// Whether something went wrong (or just: was done).
    pub is_error: bool,
    /// What happened and what to do.
    pub text: String,
}

/// What jobs hand back.
#[derive(Debug)]
pub enum Event {
    /// A model was read.
    Model(Box<OpenModel>),
    /// Another entry of the open model, or another shape of its inputs, is ready.
    Entry(Box<OpenModel>),
    /// The samples say what shapes inputs have, by their names.
    SampleShapes(steps::Shapes),
    /// Data was read.
    Data(Role, Box<Loaded>),
    /// Pictures of samples were made.
    Pictures(Preview),
    /// Part of an experiment.
    Finding(ExperimentId, Finding),
    /// A file was written; what there is to say of it.
    Saved(PathBuf, Vec<String>),
    /// The list of recent files was read.
    Recent(Vec<PathBuf>),
    /// LiteRT was looked for.
    Litert(Result<Setup, String>),
}

impl Workbench {
    /// An empty workbench; `wake` is called, from any thread, whenever [`Workbench::poll`] has something to do.
    pub fn new(wake: Wake) -> Self {
        let modes = Mode::ALL
            .iter()
            .map(|&mode| ModeChoice {
                mode,
                chosen: true,
                ios: vec![mode.ios()[0]],
            })
            .collect();
        Self {
            model: None,
            model_pending: None,
            model_error: None,
            entry_pending: None,
            entry_error: None,
            calibration: DataChoice {
                selection: Selection::First { samples: 100 },
                ..DataChoice::default()
            },
            evaluation: DataChoice::default(),
            pictures: SamplePictures::default(),
            preprocess: None,
            classes: ClassSource::default(),
            label_column: None,
            modes,
            strict: false,
            threads: 1,
            engine: Engine::Zeropoint,
            litert_place: None,
            litert_program: None,
            litert: None,
            latency_seconds: 0.4,
            experiments: vec![],
            notices: vec![],
            recent: vec![],
            recent_file: None,
            jobs: Jobs::new(wake),
            model_version: 0,
            shape_from_data: false,
            asides: vec![],
            next_model: 1,
            next_experiment: 1,
            next_notice: 1,
            shared: work::Shared::default(),
        }
    }

    /// Jobs that run, wait or are over.
    pub fn jobs(&self) -> &Jobs<Event> {
        &self.jobs
    }

    /// Counts openings of models and of their entries: another number, another graph.
    pub fn model_version(&self) -> u64 {
        self.model_version
    }

    /// The experiment of that number.
    pub fn experiment(&self, id: ExperimentId) -> Option<&Experiment> {
        self.experiments.iter().find(|e| e.id == id)
    }

    /// The experiment that deltas are taken against: the first float32 one.
    pub fn baseline(&self) -> Option<&Experiment> {
        self.experiments.iter().find(|e| e.mode() == Mode::Float32)
    }
}
