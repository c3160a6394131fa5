//! The experiments as a list that the user shapes: duplicate, change, rename, delete.

use super::experiment::{Experiment, ExperimentId, Intent, State};
use super::jobs::JobId;
use super::{Notice, Workbench};
use crate::quantize::Recipe;

/// Most characters of a name.
const LONGEST_NAME: usize = 80;

impl Experiment {
    /// The job that it waits for.
    pub(super) fn job(&self) -> Option<JobId> {
        match self.state {
            State::Pending(job) => Some(job),
            State::New | State::Done | State::Failed(_) | State::Cancelled => None,
        }
    }
}

impl Workbench {
    pub(super) fn experiment_mut(&mut self, id: ExperimentId) -> Option<&mut Experiment> {
        self.experiments.iter_mut().find(|e| e.id == id)
    }

    /// Puts an experiment that was not run yet at that place of the list.
    pub(super) fn insert(&mut self, at: usize, intent: Intent) -> ExperimentId {
        let id = ExperimentId(self.next_experiment);
        self.next_experiment += 1;
        let empty = Experiment {
            id,
            key: self.key(&intent.recipe),
            intent,
            state: State::New,
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
        };
        let list = &mut self.open.experiments;
        list.insert(at.min(list.len()), empty);
        id
    }

    /// The place within its mode that an experiment of this recipe gets: the one of its input/output type if that is free, else
    /// the first free one. `but` does not count.
    pub(super) fn free_rank(&self, recipe: &Recipe, but: Option<ExperimentId>) -> usize {
        let others = self.experiments.iter().filter(|e| Some(e.id) != but);
        let of_mode = others.filter(|e| e.mode() == recipe.mode);
        let taken: Vec<usize> = of_mode.map(|e| e.intent.rank).collect();
        let ios = recipe.mode.ios();
        let usual = ios.iter().position(|&io| io == recipe.io).unwrap_or(0);
        let mut free = std::iter::once(usual)
            .chain(0..)
            .filter(|r| !taken.contains(r));
        // There are more numbers than experiments.
        free.next().unwrap_or(usual)
    }

    /// Which copy of its recipe an experiment is.
    fn free_copy(&self, recipe: &Recipe, but: Option<ExperimentId>) -> usize {
        let others = self.experiments.iter().filter(|e| Some(e.id) != but);
        let equal = others.filter(|e| e.intent.recipe == *recipe);
        let taken: Vec<usize> = equal.map(|e| e.intent.copy).collect();
        (0..).find(|c| !taken.contains(c)).unwrap_or(0)
    }

    pub(super) fn add_own(&mut self, recipe: Recipe) {
        if let Err(e) = recipe.check() {
            return self.notice(true, e.to_string());
        }
        let order = |r: &Recipe| (r.mode, r.io);
        let after = |e: &Experiment| order(&e.intent.recipe) > order(&recipe);
        let at = self.experiments.iter().position(after);
        let intent = Intent {
            own: true,
            rank: self.free_rank(&recipe, None),
            copy: self.free_copy(&recipe, None),
            recipe,
            ..Intent::default()
        };
        self.insert(at.unwrap_or(self.experiments.len()), intent);
    }

    pub(super) fn duplicate(&mut self, id: ExperimentId) {
        let Some(at) = self.experiments.iter().position(|e| e.id == id) else {
            return;
        };
        let original = self.experiments[at].clone();
        let recipe = original.intent.recipe.clone();
        let intent = Intent {
            own: true,
            rank: self.free_rank(&recipe, None),
            copy: self.free_copy(&recipe, None),
            recipe,
            ..Intent::default()
        };
        let copy = self.insert(at + 1, intent);
        if original.state == State::Done
            && let Some(e) = self.experiment_mut(copy)
        {
            e.take_figures(&original);
            (e.state, e.reused) = (State::Done, true);
        }
    }

    pub(super) fn set_recipe(&mut self, id: ExperimentId, recipe: Recipe) {
        if let Err(e) = recipe.check() {
            return self.notice(true, e.to_string());
        }
        let Some(e) = self.experiment(id) else { return };
        let other_mode = e.mode() != recipe.mode;
        let rank = match other_mode {
            true => self.free_rank(&recipe, Some(id)),
            false => e.intent.rank,
        };
        let copy = self.free_copy(&recipe, Some(id));
        // What its job would say is of another recipe.
        if let Some(job) = e.job() {
            self.jobs.cancel(job);
        }
        if let Some(e) = self.experiment_mut(id) {
            if e.is_pending() {
                e.state = State::Cancelled;
            }
            e.reused = false;
            let intent = &mut e.intent;
            (intent.recipe, intent.own) = (recipe, true);
            (intent.rank, intent.copy) = (rank, copy);
        }
    }

    pub(super) fn rename(&mut self, id: ExperimentId, name: String) {
        let name: String = name
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_NAME)
            .collect();
        if let Some(e) = self.experiment_mut(id) {
            e.intent.name = (!name.is_empty()).then_some(name);
        }
    }

    pub(super) fn rerun(&mut self, id: ExperimentId) {
        let Some(e) = self.experiment(id) else { return };
        match self.unreadiness(e.mode().needs_calibration()) {
            Some(obstacle) => self.notice(true, obstacle),
            None => {
                self.recheck_files(true);
                self.enqueue(id);
            }
        }
    }

    /// Takes an experiment off the list; its figures wait for [`Command::Undo`](super::Command::Undo).
    pub(super) fn delete(&mut self, id: ExperimentId) {
        let Some(at) = self.experiments.iter().position(|e| e.id == id) else {
            return;
        };
        let name = self.experiments[at].name();
        self.put_away(at);
        if self.chosen_baseline == Some(id) {
            self.chosen_baseline = None;
        }
        self.notices.retain(|n| !n.undo);
        self.notices.push(Notice {
            id: self.next_notice,
            is_error: false,
            text: format!("Deleted {name}"),
            undo: true,
        });
        self.next_notice += 1;
    }
}
