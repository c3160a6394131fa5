//! Undo and redo of what the user decides: the list of experiments and the chosen modes. Keeps no figures but those of deleted ones.

use super::experiment::{Experiment, ExperimentId, Intent, State};
use super::{Command, ModeChoice, Workbench};

/// Changes that can be taken back.
const MOST: usize = 100;

/// What the user decided, as it was before a change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wishes {
    modes: Vec<ModeChoice>,
    strict: bool,
    baseline: Option<ExperimentId>,
    list: Vec<(ExperimentId, Intent)>,
    /// Experiments from this number on were not there yet.
    next: u64,
}

/// A change: what it was, and what there was before it (after it, once it is taken back).
#[derive(Debug)]
struct Change {
    what: String,
    wishes: Wishes,
}

/// What a command changes.
pub(super) enum Effect {
    /// Something that can be taken back, called so.
    Change(String),
    /// Something else that a session keeps.
    Kept,
    /// Nothing that a session keeps.
    Passing,
}

/// Changes that can be taken back, and those that were.
#[derive(Debug, Default)]
pub(super) struct History {
    undo: Vec<Change>,
    redo: Vec<Change>,
    /// Deleted experiments, which a change taken back may need.
    away: Vec<Experiment>,
}

impl Workbench {
    /// What a command changes.
    pub(super) fn effect(&self, command: &Command) -> Effect {
        let change = |what: String| Effect::Change(what);
        let named = |verb: &str, id: &ExperimentId| match self.experiment(*id) {
            Some(e) => Effect::Change(format!("{verb} {}", e.name())),
            None => Effect::Passing,
        };
        match command {
            Command::SetMode(mode, true) => change(format!("including {}", mode.name())),
            Command::SetMode(mode, false) => change(format!("leaving out {}", mode.name())),
            Command::SetIo(mode, ..) => change(format!("inputs and outputs of {}", mode.name())),
            Command::SetStrict(_) => change("strictness".into()),
            Command::Add(recipe) => change(format!("adding {}", recipe.mode.name())),
            Command::Duplicate(id) => named("duplicating", id),
            Command::SetRecipe(id, _) => named("changing", id),
            Command::Rename(id, _) => named("renaming", id),
            Command::Pin(id, _) => named("pinning", id),
            Command::SetBaseline(_) => change("choosing the baseline".into()),
            Command::Delete(id) => named("deleting", id),
            Command::SetInputShape(..)
            | Command::ChooseEntry(_)
            | Command::ChooseData(..)
            | Command::ChooseLabels(..)
            | Command::UseRandomValues
            | Command::ClearData(_)
            | Command::SetSamples(..)
            | Command::SetSelection(..)
            | Command::SetPreprocess(_)
            | Command::SetClasses(_)
            | Command::SetLabelColumn(_)
            | Command::SetThreads(_)
            | Command::SetEngine(_)
            | Command::SetLitertPlace(_)
            | Command::SelectModel(_)
            | Command::CloseModel(_)
            | Command::Undo
            | Command::Redo => Effect::Kept,
            // What Run and Rerun compute is kept when it is there.
            Command::OpenModel(_)
            | Command::OpenDemo
            | Command::ShowSamples(_)
            | Command::Draw(_)
            | Command::DrawImage(_)
            | Command::Recheck
            | Command::Run
            | Command::Rerun(_)
            | Command::Cancel(_)
            | Command::CancelAll
            | Command::Save(..)
            | Command::SaveReport(_)
            | Command::WriteFile(..)
            | Command::SaveSession(_)
            | Command::OpenSession(_)
            | Command::ForgetRecent(_)
            | Command::Dismiss(_) => Effect::Passing,
        }
    }

    /// What the user has decided by now.
    pub(super) fn wishes(&self) -> Wishes {
        let listed = |e: &Experiment| (e.id, e.intent.clone());
        Wishes {
            modes: self.modes.clone(),
            strict: self.strict,
            baseline: self.chosen_baseline,
            list: self.experiments.iter().map(listed).collect(),
            next: self.next_experiment,
        }
    }

    /// Notes a change that was just made, if it changed anything.
    pub(super) fn remember_change(&mut self, what: String, before: Wishes) {
        if before == self.wishes() {
            return;
        }
        self.history.redo.clear();
        self.history.undo.push(Change {
            what,
            wishes: before,
        });
        if self.history.undo.len() > MOST {
            self.history.undo.remove(0);
        }
        // Only what a change may still bring back is kept.
        let history = &mut self.open.history;
        let changes = &history.undo;
        let listed = |id| {
            changes
                .iter()
                .flat_map(|c| &c.wishes.list)
                .any(|l| l.0 == id)
        };
        history.away.retain(|e| listed(e.id));
    }

    /// The change that Undo would take back.
    pub fn undo_name(&self) -> Option<String> {
        let closed = self.closed_name().map(|name| format!("closing {name}"));
        closed.or_else(|| self.history.undo.last().map(|c| c.what.clone()))
    }

    /// The change that Redo would make again.
    pub fn redo_name(&self) -> Option<&str> {
        self.history.redo.last().map(|c| c.what.as_str())
    }

    pub(super) fn undo(&mut self) {
        if self.reopen() {
            return;
        }
        if let Some(change) = self.history.undo.pop() {
            let back = self.return_to(change);
            self.history.redo.push(back);
        }
    }

    pub(super) fn redo(&mut self) {
        if let Some(change) = self.history.redo.pop() {
            let back = self.return_to(change);
            self.history.undo.push(back);
        }
    }

    /// Makes it as it was; gives the way back.
    fn return_to(&mut self, change: Change) -> Change {
        let back = Change {
            what: change.what,
            wishes: self.wishes(),
        };
        let Wishes {
            modes,
            strict,
            baseline,
            list,
            next,
        } = change.wishes;
        (self.modes, self.strict) = (modes, strict);
        self.notices.retain(|n| !n.undo);
        // Those that Run has made since stay: it cannot be taken back.
        let gone = |e: &Experiment| {
            let was = list.iter().any(|l| l.0 == e.id);
            !was && (e.intent.own || e.id.0 < next)
        };
        while let Some(at) = self.experiments.iter().position(gone) {
            self.put_away(at);
        }
        for (place, (id, intent)) in list.into_iter().enumerate() {
            let away = &mut self.history.away;
            if let Some(at) = away.iter().position(|e| e.id == id) {
                let e = away.remove(at);
                let list = &mut self.open.experiments;
                list.insert(place.min(list.len()), e);
            }
            let Some(e) = self.experiment_mut(id) else {
                continue;
            };
            if e.intent.recipe != intent.recipe {
                let job = e.job();
                if job.is_some() {
                    e.state = State::Cancelled;
                }
                e.reused = false;
                e.intent = intent;
                job.into_iter().for_each(|job| self.jobs.cancel(job));
            } else {
                e.intent = intent;
            }
        }
        self.chosen_baseline = baseline.filter(|&id| self.experiment(id).is_some());
        back
    }

    /// Takes the experiment at that place off the list and stops its job.
    pub(super) fn put_away(&mut self, at: usize) {
        let mut e = self.experiments.remove(at);
        if let Some(job) = e.job() {
            self.jobs.cancel(job);
            e.state = State::Cancelled;
        }
        self.history.away.push(e);
    }
}
