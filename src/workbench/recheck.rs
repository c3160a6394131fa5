//! Files that changed on the disk since they were read: noticed by a job, read again, and what was computed of them marked as old.

use super::experiment::{ExperimentId, State};
use super::fingerprint::Stamps;
use super::jobs::{Ended, JobKind, Stage};
use super::open_data::sources;
use super::{DataIdentity, Event, OpenModel, Role, Source, Workbench, steps};

const ROLES: [Role; 2] = [Role::Calibration, Role::Evaluation];

/// What is not what it was when it was read.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// The model's file.
    pub model: bool,
    /// Data of these roles.
    pub data: Vec<Role>,
}

/// What goes on once everything that changed is read again.
#[derive(Debug, Default)]
pub(super) struct Recheck {
    /// Experiments that the last Run was about, while it is not known whether files changed.
    pub(super) asked: Vec<ExperimentId>,
    /// Experiments that are run once that is read.
    waiting: Vec<ExperimentId>,
    /// Whether the model is being read.
    model: bool,
    /// Data that is being read, with the number that it had.
    data: Vec<(Role, u64)>,
}

impl Workbench {
    /// A number for data that nobody has seen.
    pub(super) fn new_version(&mut self) -> u64 {
        let version = self.next_data;
        self.next_data += 1;
        version
    }

    /// The number of this data: always the same for the same content, choice and preprocessing.
    pub(super) fn version_of(&mut self, identity: DataIdentity) -> u64 {
        if let Some((_, version)) = self.data_versions.iter().find(|(i, _)| *i == identity) {
            return *version;
        }
        let version = self.new_version();
        self.data_versions.push((identity, version));
        version
    }

    /// What the data of that number is.
    pub(super) fn identity_of(&self, version: u64) -> Option<&DataIdentity> {
        let mut all = self.data_versions.iter();
        all.find(|(_, v)| *v == version).map(|(i, _)| i)
    }

    /// Compares the files of model and data with their stamps, before what is in the queue (`queued`) or now.
    pub(super) fn recheck_files(&mut self, queued: bool) {
        let Some(model) = &self.model else { return };
        let (path, stamps) = (model.path.clone(), model.stamps.clone());
        let data = ROLES.map(|role| {
            let choice = self.choice(role);
            let read = choice.loaded.as_ref().filter(|_| choice.pending.is_none());
            let source = choice.source.clone();
            let held = read.map(|l| l.stamps.clone());
            source.zip(held).map(|(source, held)| (role, source, held))
        });
        let classes = self.reading.classes.clone();
        let work = move |job: &super::jobs::JobHandle<Event>| {
            let progress = job.progress();
            let mut changed = Changed::default();
            if let Some(path) = path {
                let now = Stamps::of(&[path], progress)?;
                // A model that is gone is still what is in memory.
                changed.model = now.complete() && now != stamps;
            }
            for (role, source, held) in data.into_iter().flatten() {
                // What cannot be listed any more says so when it is read.
                let now = Stamps::of(&sources(&source, &classes), progress).unwrap_or_default();
                progress.check()?;
                if now != held {
                    changed.data.push(role);
                }
            }
            if changed.model || !changed.data.is_empty() {
                job.send(Event::Changed(changed));
            }
            Ok(())
        };
        match queued {
            true => self.jobs.enqueue(JobKind::Recheck, work),
            false => self.jobs.start(JobKind::Recheck, work),
        };
    }

    /// Reads again what changed; experiments in the queue wait for it.
    pub(super) fn read_changed(&mut self, changed: Changed) {
        let open = &mut self.open;
        let recheck = &mut open.recheck;
        recheck.waiting.append(&mut recheck.asked);
        for e in &mut open.experiments {
            if let Some(job) = e.job() {
                self.jobs.cancel(job);
                e.state = State::Cancelled;
                if !recheck.waiting.contains(&e.id) {
                    recheck.waiting.push(e.id);
                }
            }
        }
        if changed.model {
            self.read_model_again();
        }
        for role in changed.data {
            let Some(source @ Source::File { .. }) = self.choice(role).source.clone() else {
                continue;
            };
            self.recheck_data(role, self.choice(role).version);
            self.read(role, source, false);
        }
    }

    fn read_model_again(&mut self) {
        let Some(model) = &self.model else { return };
        let (path, entry) = (model.path.clone(), model.entry.clone());
        let name = model.name.clone();
        self.recheck.model = true;
        self.jobs.start(JobKind::ModelAgain(name), move |job| {
            job.stage(Stage::File)?;
            let model = steps::open_known_model(path.as_deref(), job.progress())?;
            let mut model = model.enter(entry)?;
            model.check_shapes();
            job.send(Event::ModelAgain(Box::new(model)));
            Ok(())
        });
    }

    /// The model's file was read again: the same content changes nothing.
    pub(super) fn model_is_read_again(&mut self, model: OpenModel) {
        let Some(open) = self.model.as_mut().filter(|m| m.path == model.path) else {
            return;
        };
        if open.fingerprint == model.fingerprint {
            open.stamps = model.stamps;
            return;
        }
        let name = model.name.clone();
        self.model = Some(model);
        self.asides.clear();
        self.new_model_version();
        let results = self.mark_old(|_| true);
        self.notice(false, format!("{name} has changed on the disk{results}"));
        for role in ROLES {
            let source = self.choice(role).source.clone();
            self.choose(role, source);
        }
    }

    pub(super) fn model_read_again_ended(&mut self, ended: Ended) {
        self.recheck.model = false;
        if let Ended::Failed(message) = ended {
            self.model_error = Some(message);
            self.recheck.waiting.clear();
        }
    }

    /// Compares data that is being read with what it was before, by its number.
    pub(super) fn recheck_data(&mut self, role: Role, before: u64) {
        self.recheck.data.push((role, before));
    }

    /// Data was read; if that was because its files changed, says what became of it.
    pub(super) fn data_is_read(&mut self, role: Role) {
        let Some(at) = self.recheck.data.iter().position(|d| d.0 == role) else {
            return;
        };
        let (_, before) = self.recheck.data.remove(at);
        let now = self.choice(role).version;
        if now == before {
            return;
        }
        let results = self.mark_old(|e| match role {
            Role::Calibration => e.mode().needs_calibration() && e.key.calibration != now,
            Role::Evaluation => e.key.evaluation != now,
        });
        let loaded = self.choice(role).loaded.as_ref();
        let name = loaded.map_or_else(String::new, |l| l.name.clone());
        self.notice(false, format!("{name} has changed on the disk{results}"));
    }

    /// Marks the figures of these experiments as old; says how many there are.
    pub(super) fn mark_old(&mut self, is_old: impl Fn(&super::Experiment) -> bool) -> String {
        let mut old = 0;
        for e in &mut self.experiments {
            if e.file.is_some() && is_old(e) {
                e.stale = true;
                e.reused = false;
                old += 1;
            }
        }
        match old {
            0 => String::new(),
            1 => ", 1 result is of its old content".into(),
            n => format!(", {n} results are of its old content"),
        }
    }

    /// Goes on with what waited for changed files, once they are read.
    pub(super) fn go_on(&mut self) {
        let reading = self.recheck.model
            || ROLES
                .iter()
                .any(|&role| self.choice(role).pending.is_some());
        if reading {
            return;
        }
        self.recheck.data.clear();
        let failed = ROLES.iter().any(|&role| self.choice(role).error.is_some());
        for id in std::mem::take(&mut self.recheck.waiting) {
            // What cannot be read is told where it was chosen.
            if !failed && self.experiment(id).is_some() && !self.reuse(id) {
                self.enqueue(id);
            }
        }
    }
}
