//! Open models: each with the data, settings and experiments that belong to it alone. One of them is the current one.

use super::dataset::Reading;
use super::entry::Aside;
use super::experiment::{Experiment, ExperimentId, State};
use super::history::History;
use super::jobs::JobId;
use super::recheck::Recheck;
use super::work::Shared;
use super::{
    DataChoice, ModeChoice, Notice, OpenModel, Pad, Role, SamplePictures, Source, Workbench,
};
use crate::data::Selection;
use crate::quantize::Mode;

/// Number of an open model, never reused: models in its order are in the order of their opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ModelId(pub u64);

/// A model with everything that belongs to it alone; without one, what the next that is opened begins with.
#[derive(Debug)]
pub struct Document {
    /// Its number.
    pub id: ModelId,
    /// The model.
    pub model: Option<OpenModel>,
    /// The job that prepares another entry or other input shapes of it.
    pub entry_pending: Option<JobId>,
    /// Why the last entry or shape could not be taken.
    pub entry_error: Option<String>,
    /// The representative dataset.
    pub calibration: DataChoice,
    /// What accuracy is measured on.
    pub evaluation: DataChoice,
    /// How data becomes samples.
    pub reading: Reading,
    /// Pictures of evaluation samples that were asked for.
    pub pictures: SamplePictures,
    /// The draw pad.
    pub pad: Pad,
    /// One per mode, in the order of [`Mode::ALL`].
    pub modes: Vec<ModeChoice>,
    /// Whether an operator that would stay float is an error.
    pub strict: bool,
    /// Experiments in the order of their modes, those that the user made behind that which they were made from.
    pub experiments: Vec<Experiment>,
    pub(super) history: History,
    pub(super) model_version: u64,
    /// Whether the shapes of `model.entry` came from samples rather than from the user.
    pub(super) shape_from_data: bool,
    /// Entries of the file that were worked on before.
    pub(super) asides: Vec<Aside>,
    /// What waits for files to be read again because they changed.
    pub(super) recheck: Recheck,
    pub(super) shared: Shared,
}

/// A model that was closed, as long as that can be taken back.
#[derive(Debug)]
pub(super) struct Closed {
    document: Document,
    /// The message that offers to take it back: with it goes the model.
    notice: u64,
    /// Whether the baseline was one of its experiments.
    baseline: Option<ExperimentId>,
}

impl Document {
    /// No model, and settings as they are at first.
    pub(super) fn new(id: ModelId) -> Self {
        let choice = |&mode: &Mode| ModeChoice {
            mode,
            chosen: true,
            ios: vec![mode.ios()[0]],
        };
        Self {
            id,
            model: None,
            entry_pending: None,
            entry_error: None,
            calibration: DataChoice {
                selection: Selection::First { samples: 100 },
                ..DataChoice::default()
            },
            evaluation: DataChoice::default(),
            reading: Reading::default(),
            pictures: SamplePictures::default(),
            pad: Pad::default(),
            modes: Mode::ALL.iter().map(choice).collect(),
            strict: false,
            experiments: vec![],
            history: History::default(),
            model_version: 0,
            shape_from_data: false,
            asides: vec![],
            recheck: Recheck::default(),
            shared: Shared::default(),
        }
    }

    /// No model, and the settings of this one.
    pub(super) fn next(&self, id: ModelId) -> Self {
        Self {
            calibration: self.calibration.asked(),
            evaluation: self.evaluation.asked(),
            reading: self.reading.clone(),
            modes: self.modes.clone(),
            strict: self.strict,
            ..Self::new(id)
        }
    }

    /// The first float32 experiment.
    pub fn float(&self) -> Option<&Experiment> {
        self.experiments.iter().find(|e| e.mode() == Mode::Float32)
    }

    /// What the model is called; empty without one.
    pub fn name(&self) -> &str {
        self.model.as_ref().map_or("", |m| &m.name)
    }

    /// Whether it is the built-in experiment.
    pub(super) fn is_demo(&self) -> bool {
        self.model.as_ref().is_some_and(|m| m.path.is_none())
    }
}

impl Workbench {
    /// The open models in the order of their opening; none at the start.
    pub fn models(&self) -> Vec<&Document> {
        let all = std::iter::once(&self.open).chain(&self.others);
        let mut all: Vec<&Document> = all.filter(|d| d.model.is_some()).collect();
        all.sort_by_key(|d| d.id);
        all
    }

    /// The open model that an experiment belongs to.
    pub fn model_of(&self, id: ExperimentId) -> Option<&Document> {
        let mut all = std::iter::once(&self.open).chain(&self.others);
        all.find(|d| d.experiments.iter().any(|e| e.id == id))
    }

    pub(super) fn next_document(&mut self) -> ModelId {
        let id = ModelId(self.next_model);
        self.next_model += 1;
        id
    }

    /// Makes that model the current one; whether it is open.
    pub(super) fn bring(&mut self, id: ModelId) -> bool {
        if self.open.id == id {
            return true;
        }
        let Some(at) = self.others.iter().position(|d| d.id == id) else {
            return false;
        };
        std::mem::swap(&mut self.open, &mut self.others[at]);
        self.jobs.belong_to(id);
        true
    }

    /// Carries something out with that model as the current one; nothing if it is not open any more.
    pub(super) fn visit(&mut self, id: ModelId, what: impl FnOnce(&mut Self)) {
        let home = self.open.id;
        if self.bring(id) {
            what(self);
            self.bring(home);
        }
    }

    /// Puts an empty document beside the open ones, with the settings of the current one, and makes it current.
    pub(super) fn add_document(&mut self) {
        let id = self.next_document();
        let next = self.open.next(id);
        let before = std::mem::replace(&mut self.open, next);
        self.others.push(before);
        self.jobs.belong_to(self.open.id);
    }

    /// The open model of this file; of the built-in experiment for `None`.
    pub(super) fn opened_from(&self, path: Option<&std::path::Path>) -> Option<ModelId> {
        let all = self.models();
        let of = |d: &&&Document| d.model.as_ref().is_some_and(|m| m.path.as_deref() == path);
        all.iter().find(of).map(|d| d.id)
    }

    /// Makes that model the current one and looks whether its files changed meanwhile.
    pub(super) fn select_model(&mut self, id: ModelId) {
        if self.open.id != id && self.bring(id) {
            self.recheck_files(false);
        }
    }

    /// Closes a model and stops its jobs; until its message goes it can be had back.
    pub(super) fn close_model(&mut self, id: ModelId) {
        let open: Vec<ModelId> = self.models().iter().map(|d| d.id).collect();
        let Some(at) = open.iter().position(|&d| d == id) else {
            return;
        };
        self.jobs.cancel_of(id);
        let baseline = self.chosen_baseline;
        let baseline = baseline.filter(|&b| self.model_of(b).is_some_and(|d| d.id == id));
        if baseline.is_some() {
            self.chosen_baseline = None;
        }
        if self.open.id == id {
            // The one behind it becomes current, else the one before it.
            let before = at.checked_sub(1).and_then(|before| open.get(before));
            match open.get(at + 1).or(before) {
                Some(&near) => {
                    self.bring(near);
                }
                None => self.add_document(),
            }
        }
        let Some(at) = self.others.iter().position(|d| d.id == id) else {
            return;
        };
        let mut document = self.others.remove(at);
        for e in &mut document.experiments {
            if e.is_pending() {
                e.state = State::Cancelled;
            }
        }
        self.notices.retain(|n| !n.undo);
        self.notices.push(Notice {
            id: self.next_notice,
            is_error: false,
            text: format!("Closed {}", document.name()),
            undo: true,
        });
        self.closed = Some(Closed {
            document,
            notice: self.next_notice,
            baseline,
        });
        self.next_notice += 1;
    }

    /// Lets go of a closed model once nothing offers it any more.
    pub(super) fn forget_closed(&mut self) {
        let offered = |c: &Closed| self.notices.iter().any(|n| n.id == c.notice);
        if !self.closed.as_ref().is_some_and(offered) {
            self.closed = None;
        }
    }

    /// Opens the model again that was closed last; whether there is one.
    pub(super) fn reopen(&mut self) -> bool {
        let Some(closed) = self.closed.take() else {
            return false;
        };
        self.notices.retain(|n| n.id != closed.notice);
        let id = closed.document.id;
        match self.open.model {
            Some(_) => {
                self.others.push(closed.document);
                self.bring(id);
            }
            None => {
                self.open = closed.document;
                self.jobs.belong_to(id);
            }
        }
        if closed.baseline.is_some() {
            self.chosen_baseline = closed.baseline;
        }
        (self.entry_pending, self.pictures.pending) = (None, None);
        self.pad.stop();
        self.recheck = Recheck::default();
        for role in [Role::Calibration, Role::Evaluation] {
            let choice = self.choice_mut(role);
            let unread = choice.pending.take().is_some() || choice.loaded.is_none();
            let source: Option<Source> = choice.source.clone().filter(|_| unread);
            if source.is_some() {
                self.choose(role, source);
            }
        }
        true
    }

    /// What was closed last, while it can be had back.
    pub(super) fn closed_name(&self) -> Option<&str> {
        self.closed.as_ref().map(|c| c.document.name())
    }

    /// Closes everything that is open and stops what is on its way; there is an empty document then.
    pub(super) fn close_all(&mut self) {
        let open: Vec<ModelId> = self.models().iter().map(|d| d.id).collect();
        open.into_iter().for_each(|id| self.jobs.cancel_of(id));
        self.jobs.cancel_of(self.open.id);
        let id = self.next_document();
        self.open = self.open.next(id);
        self.jobs.belong_to(id);
        self.others.clear();
        self.closed = None;
        self.chosen_baseline = None;
    }
}
