//! The application without a window: what is open, what was asked for, what came of it. Changed by [`Command`]s only.

mod acceleration;
mod choosing;
mod command;
mod contrast;
mod dataset;
mod document;
mod entry;
mod experiment;
pub mod files;
mod fingerprint;
pub mod format;
mod history;
pub mod jobs;
mod layout;
mod list;
pub mod litert;
mod model;
mod open_axes;
mod open_data;
mod operators;
mod pad;
mod recent;
mod recheck;
pub mod report;
mod run;
mod saving;
mod session;
pub mod steps;
mod walk;
mod work;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use acceleration::not_accelerated;
pub use command::Command;
pub use dataset::{
    ClassSource, DataChoice, DataIdentity, DataRecord, Loaded, Reading, Role, Source,
};
pub use document::{Document, ModelId};
pub use entry::{Entry, EntryCard, OpenInput, entries, parse_shape};
pub use experiment::{
    Experiment, ExperimentId, Finding, Finished, Intent, QuantizedFile, RunKey, State,
    experiment_name, recipe_words,
};
pub use fingerprint::{Fingerprint, Stamps};
pub use layout::Layout;
pub use model::{ModelCard, ModelFormat, OpenModel, PortCard, shape_text};
pub use operators::{OperatorRow, float_operators, operator_table};
pub use pad::{Pad, PadAnswer, PadAnswers};
pub use session::{Claimed, EXTENSION, Restored, SaveStatus, Session};
pub use work::TENSOR_SAMPLES;

use crate::data::{Drawing, Preview};
use crate::evaluate::Contrast;
use crate::quantize::{Io, Mode};
use jobs::{JobId, Jobs, Wake};
use litert::{Engine, Setup};

/// The whole state that the window shows. Panels read it; only [`Workbench::apply`] and [`Workbench::poll`] change it, and
/// neither ever waits. What belongs to the current model alone is in its [`Document`], whose fields stand here as if they were the
/// workbench's own.
pub struct Workbench {
    /// The current model, or the empty start.
    open: Document,
    /// The other open models.
    others: Vec<Document>,
    /// What was closed last.
    closed: Option<document::Closed>,
    /// The job that reads another model.
    pub model_pending: Option<JobId>,
    /// Why the last model could not be opened.
    pub model_error: Option<String>,
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
    /// The session as a file.
    pub session: Session,
    /// How long the session that is kept while working waits for more changes before it is written.
    pub autosave_pause: Duration,
    /// How long each experiment's latency is measured, seconds.
    pub latency_seconds: f64,
    /// The experiment, of any open model, that the user takes deltas against; `None` for the first float32 one of each model.
    pub chosen_baseline: Option<ExperimentId>,
    /// Messages that no panel of their own shows, newest last.
    pub notices: Vec<Notice>,
    /// Files opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// Those of them that were not there any more when the list was read.
    pub recent_gone: Vec<PathBuf>,
    /// Where recent files are remembered; `None` remembers nothing (tests).
    pub recent_file: Option<PathBuf>,
    jobs: Jobs<Event>,
    autosave: session::Autosave,
    /// Numbers documents, and models and entries within them.
    next_model: u64,
    /// Numbers of the data that was read, by what it is.
    data_versions: Vec<(DataIdentity, u64)>,
    next_data: u64,
    next_experiment: u64,
    next_notice: u64,
    contrasts: contrast::Contrasts,
}

impl Deref for Workbench {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.open
    }
}

impl DerefMut for Workbench {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.open
    }
}

/// A mode as the user set it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// Whether [`Command::Undo`] takes back what it tells of.
    pub undo: bool,
}

/// What jobs hand back.
#[derive(Debug)]
pub enum Event {
    /// A model was read.
    Model(Box<OpenModel>),
    /// Another entry of the open model, or another shape of its inputs, is ready.
    Entry(Box<OpenModel>),
    /// Files are not what they were when they were read: the model's, the data's.
    Changed(recheck::Changed),
    /// The open model was read again.
    ModelAgain(Box<OpenModel>),
    /// The samples say what shapes inputs have, by their names.
    SampleShapes(steps::Shapes),
    /// Data was read.
    Data(Role, Box<Loaded>),
    /// A preview of the samples of that role was made, of the choice of that number.
    Preview(Role, u64, Preview),
    /// Pictures of samples were made.
    Pictures(Preview),
    /// A picture for the pad was read and fitted.
    Drawn(Arc<Drawing>),
    /// What experiments answer to the picture on the pad.
    Answers(PadAnswers),
    /// Part of an experiment.
    Finding(ExperimentId, Finding),
    /// A file was written; what there is to say of it.
    Saved(PathBuf, Vec<String>),
    /// The session was written there.
    SessionSaved(PathBuf),
    /// A session was read.
    Session(Box<Restored>),
    /// There is a folder to keep the session in.
    Claimed(Box<Claimed>),
    /// The session that is kept while working is to be written.
    AutosaveDue,
    /// The list of recent files was read: all of them, and those that are gone.
    Recent(Vec<PathBuf>, Vec<PathBuf>),
    /// Figures against the chosen baseline.
    Contrasts(Vec<(contrast::Pair, Contrast)>),
    /// LiteRT was looked for.
    Litert(Result<Setup, String>),
}

impl Workbench {
    /// An empty workbench; `wake` is called, from any thread, whenever [`Workbench::poll`] has something to do.
    pub fn new(wake: Wake) -> Self {
        Self {
            open: Document::new(ModelId(0)),
            others: vec![],
            closed: None,
            model_pending: None,
            model_error: None,
            threads: 1,
            engine: Engine::Zeropoint,
            litert_place: None,
            litert_program: None,
            litert: None,
            session: Session::default(),
            autosave_pause: Duration::from_secs(2),
            latency_seconds: 0.4,
            chosen_baseline: None,
            notices: vec![],
            recent: vec![],
            recent_gone: vec![],
            recent_file: None,
            jobs: Jobs::new(wake),
            autosave: session::Autosave::default(),
            next_model: 1,
            data_versions: vec![],
            next_data: 1,
            next_experiment: 1,
            next_notice: 1,
            contrasts: contrast::Contrasts::default(),
        }
    }

    /// Jobs that run, wait or are over.
    pub fn jobs(&self) -> &Jobs<Event> {
        &self.jobs
    }

    /// Tells models and their entries apart: another number, another graph.
    pub fn model_version(&self) -> u64 {
        self.model_version
    }

    /// The experiment of that number, of any open model.
    pub fn experiment(&self, id: ExperimentId) -> Option<&Experiment> {
        self.model_of(id)?.experiments.iter().find(|e| e.id == id)
    }

    /// The experiment that deltas of the current model are taken against: the chosen one, else its first float32 one.
    pub fn baseline(&self) -> Option<&Experiment> {
        let chosen = self.chosen_baseline.and_then(|id| self.experiment(id));
        chosen.or_else(|| self.float())
    }

    /// What the figures of an experiment are taken against: the chosen baseline, else the first float32 one of its own model.
    pub fn baseline_of(&self, e: &Experiment) -> Option<&Experiment> {
        let chosen = self.chosen_baseline.and_then(|id| self.experiment(id));
        let base = chosen.or_else(|| self.model_of(e.id)?.float());
        base.filter(|b| b.file.is_some())
    }
}
