//! Sessions: everything that is open and everything that came of it, saved to one file, kept while working, opened again.

mod autosave;
mod document;
mod pack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::document::Document as Workplace;
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
use document::{DataNote, Document, ExperimentNote, Held, ModelNote, ModelPart, RunNote, Stood};
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

/// A session that was read, with its models open.
#[derive(Debug)]
pub struct Restored {
    document: Document,
    /// The current model.
    current: Opened,
    /// The others, in the order of their opening, with what was kept of them; those whose files are gone are left out.
    others: Vec<(ModelPart, Opened)>,
    /// Why others are left out, a sentence each.
    missing: Vec<String>,
    /// Where it was read from; `None` for the one that was kept while working.
    path: Option<PathBuf>,
}

/// A model of a session.
#[derive(Debug)]
struct Opened {
    model: OpenModel,
    experiments: Vec<(Experiment, RunNote)>,
}

impl Restored {
    /// Experiments that had finished.
    fn finished(&self) -> usize {
        let all = std::iter::once(&self.current).chain(self.others.iter().map(|o| &o.1));
        all.flat_map(|o| &o.experiments)
            .filter(|(e, _)| e.state == State::Done)
            .count()
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
        let document = &mut self.document;
        let parts = std::iter::once(&mut document.current).chain(&mut document.others);
        for (note, held) in parts.flat_map(|p| &mut p.experiments).zip(&self.held) {
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
    let current = opened(&document.current, store, progress)?;
    let (mut others, mut missing) = (vec![], vec![]);
    let mut document = document;
    for (at, part) in std::mem::take(&mut document.others).into_iter().enumerate() {
        match opened(&part, store, progress) {
            Ok(open) => others.push((part, open)),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(e) => {
                missing.push(e.to_string());
                if at < document.before {
                    document.before -= 1;
                }
            }
        }
    }
    Ok(Restored {
        document,
        current,
        others,
        missing,
        path,
    })
}

/// Opens one model of a session.
fn opened(part: &ModelPart, store: &mut dyn Store, progress: &Progress) -> Result<Opened> {
    progress.check()?;
    let note = &part.model;
    let model = match &note.path {
        Some(file) if !file.is_file() => {
            return invalid!("The model of this session is gone: {}", file.display());
        }
        file => steps::open_known_model(file.as_deref(), progress)?,
    };
    let mut model = model.enter(part.entry.clone())?;
    model.check_shapes();
    let mut experiments = vec![];
    for e in &part.experiments {
        progress.check()?;
        experiments.push((experiment(e, store)?, e.run.clone()));
    }
    Ok(Opened { model, experiments })
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
        let current = self.part(&self.open)?;
        let others: Vec<&Workplace> = self.models();
        let others: Vec<&Workplace> = others
            .into_iter()
            .filter(|d| d.id != self.open.id)
            .collect();
        let (format, version, program, saved) = Document::stamp(utc(SystemTime::now()));
        let document = Document {
            format,
            version,
            program,
            saved,
            current,
            others: others.iter().filter_map(|d| self.part(d)).collect(),
            before: others.iter().filter(|d| d.id < self.open.id).count(),
            threads: self.threads,
            engine: self.engine,
            litert_place: self.litert_place.clone(),
            baseline: self.chosen_baseline,
        };
        let experiments = self.experiments.iter();
        let experiments = experiments.chain(others.iter().flat_map(|d| &d.experiments));
        Some(Snapshot {
            document,
            held: experiments.map(Held::of).collect(),
        })
    }

    /// What is kept of one open model.
    fn part(&self, open: &Workplace) -> Option<ModelPart> {
        let model = open.model.as_ref()?;
        let fingerprint = model.fingerprint.clone();
        Some(ModelPart {
            model: ModelNote {
                name: model.name.clone(),
                path: model.path.clone(),
                fingerprint: fingerprint.unwrap_or_else(|| Fingerprint::of_bytes(&[])),
            },
            entry: model.entry.clone(),
            calibration: self.data_note(&open.calibration),
            evaluation: self.data_note(&open.evaluation),
            reading: open.reading.clone(),
            modes: open.modes.clone(),
            strict: open.strict,
            experiments: (open.experiments.iter())
                .map(|e| self.note(e, open.model_version))
                .collect(),
        })
    }

    fn data_note(&self, choice: &DataChoice) -> DataNote {
        DataNote {
            source: choice.source.clone(),
            selection: choice.selection,
            record: choice.loaded.as_ref().map(|l| l.record()),
            identity: self.identity_of(choice.version).cloned(),
        }
    }

    fn note(&self, e: &Experiment, model_version: u64) -> ExperimentNote {
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
                current_model: key.model == model_version,
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
            current,
            others,
            missing,
            path,
        } = restored;
        if let Some(reading) = self.model_pending.take() {
            self.jobs.cancel(reading);
        }
        self.close_all();
        self.model_error = None;
        self.notices.clear();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads = d.threads.clamp(1, cores);
        self.engine = d.engine;
        self.litert_place = d.litert_place;
        if self.engine.asks_litert() {
            self.look_for_litert();
        }
        let mut all = others;
        let at = d.before.min(all.len());
        all.insert(at, (d.current, current));
        let mut home = self.open.id;
        for (i, (part, opened)) in all.into_iter().enumerate() {
            if i > 0 {
                self.add_document();
            }
            if i == at {
                home = self.open.id;
            }
            self.part_read(part, opened, d.baseline);
        }
        self.bring(home);
        self.session.path = path;
        self.session.status = SaveStatus::Restored(finished);
        self.session.changed = false;
        for why in missing {
            self.notice(true, why);
        }
    }

    /// Puts a model of a session into the empty current document.
    fn part_read(&mut self, part: ModelPart, opened: Opened, baseline: Option<ExperimentId>) {
        let Opened { model, experiments } = opened;
        let unchanged = model.fingerprint.as_ref() == Some(&part.model.fingerprint);
        if let Some(file) = &model.path {
            self.remember_opened(file.clone());
        }
        self.model = Some(model);
        self.new_model_version();
        self.reading = part.reading;
        self.take_modes(part.modes);
        self.strict = part.strict;
        self.take_experiments(experiments, baseline, unchanged);
        if !unchanged {
            let old = self.mark_old(|_| true);
            let name = part.model.name;
            self.notice(
                false,
                format!("{name} has changed since the session was saved{old}"),
            );
        }
        for (role, note) in [
            (Role::Calibration, part.calibration),
            (Role::Evaluation, part.evaluation),
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
        for own in &mut self.open.modes {
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
