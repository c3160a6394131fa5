//! Sessions: everything that is open and everything that came of it, saved to one file, kept while working, opened again.

mod autosave;
mod document;
mod pack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::experiment::{Experiment, ExperimentId, RunKey, State};
use super::jobs::{Ended, JobId, JobKind, Stage};
use super::report::utc;
use super::{DataChoice, DataIdentity, Event, Fingerprint, OpenModel, Role, Source, Workbench};
use super::{files, steps};
use crate::error::{Error, Result};
use crate::invalid;
use crate::progress::Progress;
pub(super) use autosave::Autosave;
pub use autosave::Claimed;
use document::{DataNote, Document, ExperimentNote, Held, ModelNote, RunNote, Stood};
use pack::{Kind, Sink, Store, Unzip, Zip};

/// How a session file's name ends.
pub const EXTENSION: &str = "zps";

/// Where the session stands, for the user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SaveStatus {
    /// There is no file of it.
    #[default]
    NotSaved,
    /// It is being written.
    Saving,
    /// It was written then, in words: `09:41 UTC`.
    Saved(String),
    /// It could not be written, because of this.
    Failed(String),
    /// It was opened with so many finished experiments.
    Restored(usize),
}

/// The session as a file.
#[derive(Debug, Default)]
pub struct Session {
    /// Where it was saved last, or opened from.
    pub path: Option<PathBuf>,
    /// How it stands.
    pub status: SaveStatus,
    /// Whether anything changed since.
    pub changed: bool,
    /// The job that opens another one.
    pub opening: Option<JobId>,
}

/// A session that was read, with its model open.
#[derive(Debug)]
pub struct Restored {
    document: Document,
    model: OpenModel,
    /// Where it was read from; `None` for the one that was kept while working.
    path: Option<PathBuf>,
    experiments: Vec<(Experiment, RunNote)>,
}

impl Restored {
    /// Experiments that had finished.
    fn finished(&self) -> usize {
        let done = self.experiments.iter();
        done.filter(|(e, _)| e.state == State::Done).count()
    }
}

/// All that is written, as it was at one moment. Made at once: figures are shared, not copied.
pub(super) struct Snapshot {
    document: Document,
    held: Vec<Option<Held>>,
}

impl Snapshot {
    /// Writes everything and returns the document.
    fn write(mut self, sink: &mut dyn Sink) -> Result<Vec<u8>> {
        for (note, held) in self.document.experiments.iter_mut().zip(&self.held) {
            if let Some(held) = held {
                note.file = Some(sink.put(Kind::File, &held.file.bytes)?);
                note.results = Some(sink.put(Kind::Figures, &held.to_cbor()?)?);
            }
        }
        self.document.to_json()
    }
}

/// Reads a session and opens its model.
fn restore(store: &mut dyn Store, path: Option<PathBuf>, progress: &Progress) -> Result<Restored> {
    let document = Document::read(&store.document()?)?;
    progress.check()?;
    let note = &document.model;
    let model = match &note.path {
        Some(file) if !file.is_file() => {
            return invalid!("The model of this session is gone: {}", file.display());
        }
        file => steps::open_known_model(file.as_deref(), progress)?,
    };
    let mut model = model.enter(document.entry.clone())?;
    model.check_shapes();
    let mut experiments = vec![];
    for e in &document.experiments {
        progress.check()?;
        experiments.push((experiment(e, store)?, e.run.clone()));
    }
    Ok(Restored {
        document,
        model,
        path,
        experiments,
    })
}

/// An experiment as it stood; what its key says of model and data is settled once those are open.
fn experiment(note: &ExperimentNote, store: &mut dyn Store) -> Result<Experiment> {
    let held = match (&note.file, &note.results) {
        (Some(file), Some(results)) => {
            let file = store.part(Kind::File, file)?;
            let figures = store.part(Kind::Figures, results)?;
            let read = Held::read(&figures, file);
            Some(read.map_err(|e| e.at(format!("experiment {}", note.id.0)))?)
        }
        _ => None,
    };
    let state = match &note.state {
        Stood::Done if held.is_some() => State::Done,
        Stood::Failed(why) => State::Failed(why.clone()),
        Stood::New => State::New,
        Stood::Done | Stood::Cancelled => State::Cancelled,
    };
    let empty = Experiment {
        id: note.id,
        intent: note.intent.clone(),
        key: RunKey {
            recipe: note.run.recipe.clone(),
            model: 0,
            calibration: 0,
            evaluation: 0,
            threads: note.run.threads,
            engine: note.run.engine,
        },
        state,
        finished: None,
        reused: false,
        stale: note.stale,
        random: note.random,
        file: None,
        evaluation: None,
        latency: None,
        profile: None,
        litert: None,
        tensors: None,
    };
    Ok(match held {
        Some(held) => Experiment {
            file: Some(held.file),
            evaluation: held.evaluation,
            latency: held.latency,
            litert: held.litert,
            tensors: held.tensors,
            ..empty
        },
        None => empty,
    })
}

/// `09:41 UTC`.
fn clock() -> String {
    let now = utc(SystemTime::now());
    now.split_once(' ')
        .map_or(now.clone(), |(_, t)| t.to_owned())
}

impl Workbench {
    /// Everything as it is now; `None` without a model.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let model = self.model.as_ref()?;
        let fingerprint = model.fingerprint.clone();
        let (format, version, program, saved) = Document::stamp(utc(SystemTime::now()));
        let document = Document {
            format,
            version,
            program,
            saved,
            model: ModelNote {
                name: model.name.clone(),
                path: model.path.clone(),
                fingerprint: fingerprint.unwrap_or_else(|| Fingerprint::of_bytes(&[])),
            },
            entry: model.entry.clone(),
            calibration: self.data_note(Role::Calibration),
            evaluation: self.data_note(Role::Evaluation),
            preprocess: self.preprocess.clone(),
            classes: self.classes.clone(),
            label_column: self.label_column.clone(),
            modes: self.modes.clone(),
            strict: self.strict,
            threads: self.threads,
            engine: self.engine,
            litert_place: self.litert_place.clone(),
            baseline: self.chosen_baseline,
            experiments: self.experiments.iter().map(|e| self.note(e)).collect(),
        };
        Some(Snapshot {
            document,
            held: self.experiments.iter().map(Held::of).collect(),
        })
    }

    fn data_note(&self, role: Role) -> DataNote {
        let choice = self.choice(role);
        DataNote {
            source: choice.source.clone(),
            selection: choice.selection,
            record: choice.loaded.as_ref().map(|l| l.record()),
            identity: self.identity_of(choice.version).cloned(),
        }
    }

    fn note(&self, e: &Experiment) -> ExperimentNote {
        // One that is being run again is as it was until it is done.
        let earlier = e.finished.as_ref().filter(|_| e.is_pending());
        let key = earlier.map_or(&e.key, |f| &f.key);
        ExperimentNote {
            id: e.id,
            intent: e.intent.clone(),
            state: match &e.state {
                State::New => Stood::New,
                State::Done => Stood::Done,
                State::Pending(_) if earlier.is_some() => Stood::Done,
                State::Failed(why) => Stood::Failed(why.clone()),
                State::Pending(_) | State::Cancelled => Stood::Cancelled,
            },
            stale: e.stale && earlier.is_none(),
            random: earlier.map_or(e.random, |f| f.random),
            run: RunNote {
                recipe: key.recipe.clone(),
                current_model: key.model == self.model_version,
                calibration: self.identity_of(key.calibration).cloned(),
                evaluation: self.identity_of(key.evaluation).cloned(),
                threads: key.threads,
                engine: key.engine,
            },
            file: None,
            results: None,
        }
    }

    /// Writes the session there as a job, whole or not at all.
    pub(super) fn save_session(&mut self, path: PathBuf) {
        let Some(snapshot) = self.snapshot() else {
            return self.notice(
                true,
                "There is no session to save, open a model first".into(),
            );
        };
        self.session.status = SaveStatus::Saving;
        self.session.changed = false;
        let name = files::file_name(&path);
        self.jobs.start(JobKind::SaveSession(name), move |job| {
            job.stage(Stage::File)?;
            let progress = job.progress();
            files::write_by(&path, |file| {
                let mut zip = Zip::new(file, progress);
                let document = snapshot.write(&mut zip)?;
                zip.finish(&document)
            })?;
            job.send(Event::SessionSaved(path));
            Ok(())
        });
    }

    pub(super) fn session_saved(&mut self, path: PathBuf) {
        self.session.status = SaveStatus::Saved(clock());
        self.session.path = Some(path);
    }

    pub(super) fn saving_ended(&mut self, ended: Ended) {
        if self.session.status == SaveStatus::Saving {
            self.session.changed = true;
            self.session.status = match &ended {
                Ended::Failed(message) => SaveStatus::Failed(message.clone()),
                Ended::Done | Ended::Cancelled => SaveStatus::NotSaved,
            };
        }
        if let Ended::Failed(message) = ended {
            self.notice(true, format!("Could not save the session: {message}"));
        }
    }

    /// Opens the session in that file as a job; what is open stays until then.
    pub(super) fn open_session(&mut self, path: PathBuf) {
        if let Some(earlier) = self.session.opening.take() {
            self.jobs.cancel(earlier);
        }
        self.model_error = None;
        let name = files::file_name(&path);
        let id = self.jobs.start(JobKind::OpenSession(name), move |job| {
            job.stage(Stage::File)?;
            let name = files::file_name(&path);
            let read = |path: &Path| {
                let mut store = Unzip::open(path)?;
                restore(&mut store, Some(path.to_owned()), job.progress())
            };
            let restored = read(&path).map_err(|e| match &e {
                // These begin with what they are about.
                Error::Invalid(text) if text.starts_with("The model of this session") => e,
                Error::Invalid(text) if text.starts_with(&path.display().to_string()) => e,
                _ => e.at(name),
            })?;
            job.send(Event::Session(Box::new(restored)));
            Ok(())
        });
        self.session.opening = Some(id);
    }

    pub(super) fn opening_ended(&mut self, id: JobId, ended: Ended) {
        if self.session.opening != Some(id) {
            return;
        }
        self.session.opening = None;
        if let Ended::Failed(message) = ended {
            match self.model {
                Some(_) => self.notice(true, message),
                None => self.model_error = Some(message),
            }
        }
    }

    /// Puts a session in the place of what is open; its data is read anew.
    pub(super) fn session_read(&mut self, restored: Restored) {
        let finished = restored.finished();
        let Restored {
            document: d,
            model,
            path,
            experiments,
        } = restored;
        self.jobs.cancel_of_model(None);
        let unchanged = model.fingerprint.as_ref() == Some(&d.model.fingerprint);
        if let Some(file) = &model.path {
            self.remember_opened(file.clone());
        }
        self.model = Some(model);
        (self.model_pending, self.model_error) = (None, None);
        (self.entry_pending, self.entry_error) = (None, None);
        self.asides.clear();
        self.forget_changes();
        self.notices.clear();
        self.new_model_version();
        self.shape_from_data = false;
        self.preprocess = d.preprocess;
        self.classes = d.classes;
        self.label_column = d.label_column;
        self.take_modes(d.modes);
        self.strict = d.strict;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads = d.threads.clamp(1, cores);
        self.engine = d.engine;
        self.litert_place = d.litert_place;
        if self.engine.asks_litert() {
            self.look_for_litert();
        }
        self.take_experiments(experiments, d.baseline, unchanged);
        self.session.path = path;
        self.session.status = SaveStatus::Restored(finished);
        self.session.changed = false;
        if !unchanged {
            let old = self.mark_old(|_| true);
            let name = d.model.name;
            self.notice(
                false,
                format!("{name} has changed since the session was saved{old}"),
            );
        }
        for (role, note) in [
            (Role::Calibration, d.calibration),
            (Role::Evaluation, d.evaluation),
        ] {
            *self.choice_mut(role) = DataChoice {
                selection: note.selection,
                ..DataChoice::default()
            };
            let before = note.identity.map_or(0, |i| self.version_of(i));
            // Reads it, and says so if it is not what it was.
            self.choose(role, note.source.clone());
            if let (Some(Source::File { .. }), true) = (note.source, before != 0) {
                self.recheck_data(role, before);
            }
        }
    }

    fn take_modes(&mut self, saved: Vec<super::ModeChoice>) {
        for own in &mut self.modes {
            let Some(saved) = saved.iter().find(|m| m.mode == own.mode) else {
                continue;
            };
            own.chosen = saved.chosen;
            let possible: &[_] = own.mode.ios();
            let ios = possible.iter().filter(|io| saved.ios.contains(io));
            let ios: Vec<_> = ios.copied().collect();
            if !ios.is_empty() {
                own.ios = ios;
            }
        }
    }

    /// Gives the experiments of a session new numbers, of this workbench's models and data.
    fn take_experiments(
        &mut self,
        saved: Vec<(Experiment, RunNote)>,
        baseline: Option<ExperimentId>,
        same_model: bool,
    ) {
        self.experiments.clear();
        let version = |w: &mut Self, identity: Option<DataIdentity>| {
            identity.map_or(0, |identity| w.version_of(identity))
        };
        for (mut e, run) in saved {
            let id = ExperimentId(self.next_experiment);
            self.next_experiment += 1;
            if baseline == Some(e.id) {
                self.chosen_baseline = Some(id);
            }
            e.id = id;
            e.key.model = match same_model && run.current_model {
                true => self.model_version,
                false => 0,
            };
            e.key.calibration = version(self, run.calibration);
            e.key.evaluation = version(self, run.evaluation);
            e.finished = (e.state == State::Done).then(|| Arc::new(e.figures()));
            self.experiments.push(e);
        }
    }

    /// Notes that something changed which a session keeps.
    pub(super) fn touched(&mut self) {
        self.session.changed = true;
        self.autosave_later();
    }
}
