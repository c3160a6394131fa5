//! Carries out commands and takes in what jobs found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::Entry;
use super::experiment::{Experiment, ExperimentId, Finding, Intent, RunKey, State};
use super::history::Effect;
use super::jobs::{Ended, JobId, JobKind, Stage, Update};
use super::litert::{self, Setup};
use super::work::{Versions, Work};
use super::{
    Command, DataChoice, EXTENSION, Event, Notice, OpenModel, Role, Session, Source, Workbench,
    files, recent, steps,
};
use crate::error::Result;
use crate::quantize::{Io, Mode, Recipe};

impl Workbench {
    /// Carries out one action of the user. Returns at once: what takes time becomes a job.
    pub fn apply(&mut self, command: Command) {
        // What is done to an experiment of another model makes that the current one.
        if let Some(home) = command.subject().and_then(|id| self.model_of(id)) {
            let home = home.id;
            self.bring(home);
        }
        match self.effect(&command) {
            Effect::Change(what) => {
                let before = self.wishes();
                self.carry_out(command);
                self.remember_change(what, before);
                self.touched();
            }
            Effect::Kept => {
                self.carry_out(command);
                self.touched();
            }
            Effect::Passing => self.carry_out(command),
        }
        self.forget_closed();
        self.contrast_again();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::OpenModel(path) if path.extension().is_some_and(|e| e == EXTENSION) => {
                self.open_session(path);
            }
            Command::OpenModel(path) => self.open(Some(path)),
            Command::OpenDemo => self.open(None),
            Command::SelectModel(id) => self.select_model(id),
            Command::CloseModel(id) => self.close_model(id),
            Command::ChooseEntry(subgraph) => self.enter(Entry {
                subgraph,
                shapes: vec![],
            }),
            Command::SetInputShape(name, shape) => {
                self.shape_from_data = false;
                self.set_input_shape(name, shape);
            }
            Command::ChooseData(role, path) => {
                self.choose_resolving(role, Some(Source::File { path, labels: None }))
            }
            Command::ChooseLabels(role, path) => self.choose_labels(role, path),
            Command::UseRandomValues => self.choose(Role::Calibration, Some(Source::Synthetic)),
            Command::ClearData(role) => self.choose(role, None),
            Command::SetSamples(role, samples) => {
                let samples = samples.map(|n| n.max(1));
                self.select(role, self.choice(role).selection.with_samples(samples));
            }
            Command::SetSelection(role, selection) => self.select(role, selection),
            Command::SetPreprocess(preprocess) => {
                self.reading.preprocess = preprocess;
                self.read_again();
            }
            Command::SetClasses(classes) => {
                self.reading.classes = classes;
                self.read_again();
            }
            Command::SetLabelColumn(column) => {
                self.reading.label_column = column;
                self.read_again();
            }
            Command::ShowSamples(samples) => self.show_samples(samples),
            Command::Draw(drawing) => self.draw(drawing),
            Command::DrawImage(path) => self.draw_image(path),
            Command::SetMode(mode, chosen) => {
                self.modes
                    .iter_mut()
                    .filter(|m| m.mode == mode)
                    .for_each(|m| m.chosen = chosen);
            }
            Command::SetIo(mode, io, on) => self.set_io(mode, io, on),
            Command::SetStrict(strict) => self.strict = strict,
            Command::SetThreads(threads) => self.threads = threads.max(1),
            Command::SetEngine(engine) => {
                self.engine = engine;
                if engine.asks_litert() {
                    self.look_for_litert();
                }
            }
            Command::SetLitertPlace(place) => {
                self.litert_place = place;
                self.look_for_litert();
            }
            Command::Recheck => self.recheck_files(false),
            Command::Run => self.run(),
            Command::Cancel(id) => self.jobs.cancel(id),
            Command::CancelAll => self.jobs.cancel_all(),
            Command::Rerun(id) => self.rerun(id),
            Command::Add(recipe) => self.add_own(*recipe),
            Command::Duplicate(id) => self.duplicate(id),
            Command::SetRecipe(id, recipe) => self.set_recipe(id, *recipe),
            Command::Rename(id, name) => self.rename(id, name),
            Command::Pin(id, pinned) => {
                if let Some(e) = self.experiment_mut(id) {
                    e.intent.pinned = pinned;
                }
            }
            Command::SetBaseline(id) => {
                self.chosen_baseline = id.filter(|&id| self.experiment(id).is_some());
            }
            Command::Delete(id) => self.delete(id),
            Command::Undo => self.undo(),
            Command::Redo => self.redo(),
            Command::Save(id, path) => self.save(id, path),
            Command::SaveReport(path) => self.save_report(path),
            Command::WriteFile(path, bytes) => self.write_file(path, move || Ok((bytes, vec![]))),
            Command::SaveSession(path) => self.save_session(path),
            Command::OpenSession(path) => self.open_session(path),
            Command::ForgetRecent(path) => {
                self.recent.retain(|p| *p != path);
                self.remember();
            }
            Command::Dismiss(id) => self.notices.retain(|n| n.id != id),
        }
    }

    /// Takes in what jobs found since the last call; returns whether anything changed. Never waits.
    pub fn poll(&mut self) -> bool {
        let updates = self.jobs.poll_by_model();
        let changed = !updates.is_empty();
        for (model, update) in updates {
            let take = |bench: &mut Self| match update {
                Update::Event(id, event) => bench.take_in(id, event),
                Update::Ended(id, kind, ended) => bench.ended(id, kind, ended),
            };
            match model {
                Some(model) => self.visit(model, take),
                None => take(self),
            }
        }
        if changed {
            self.contrast_again();
        }
        changed
    }

    fn take_in(&mut self, id: JobId, event: Event) {
        match event {
            Event::Model(model) if self.model_pending == Some(id) => self.model_opened(*model),
            Event::Entry(model) if self.entry_pending == Some(id) => self.entered(*model),
            Event::SampleShapes(shapes) => {
                self.shape_from_data = true;
                self.set_input_shapes(shapes);
            }
            Event::Data(role, loaded) => {
                if self.choice(role).pending == Some(id) {
                    let version = self.version_of(loaded.identity());
                    let choice = self.choice_mut(role);
                    choice.loaded = Some(*loaded);
                    choice.error = None;
                    choice.version = version;
                    self.data_is_read(role);
                }
            }
            Event::Changed(changed) => self.read_changed(changed),
            Event::ModelAgain(model) => self.model_is_read_again(*model),
            Event::Finding(experiment, finding) => {
                let job = State::Pending(id);
                let Some(e) = self
                    .open
                    .experiments
                    .iter_mut()
                    .find(|e| e.id == experiment && e.state == job)
                else {
                    return;
                };
                match finding {
                    Finding::File(file) => {
                        (e.evaluation, e.tensors, e.latency) = (None, None, None);
                        (e.litert, e.profile) = (None, None);
                        e.file = Some(file);
                        e.stale = false;
                        self.ask_pad();
                    }
                    Finding::Evaluation(evaluation) => e.evaluation = Some(evaluation),
                    Finding::Tensors(tensors) => e.tensors = Some(tensors),
                    Finding::Latency(latency) => e.latency = Some(latency),
                    Finding::Profile(profile) => e.profile = Some(profile),
                    Finding::Litert(litert) => e.litert = Some(litert),
                }
            }
            Event::Saved(path, told) => {
                let saved = format!("Saved {}", path.display());
                let sentences: Vec<String> = std::iter::once(saved).chain(told).collect();
                self.notice(false, sentences.join(". "));
            }
            Event::Drawn(drawing) => self.drawn(drawing),
            Event::Answers(found) => self.pad_answered(found),
            Event::SessionSaved(path) => self.session_saved(path),
            Event::Session(restored) => self.session_read(*restored),
            Event::Claimed(claimed) => self.session_claimed(*claimed),
            Event::AutosaveDue => self.autosave_now(),
            Event::Recent(files, gone) => {
                self.recent_gone = gone;
                // What was opened meanwhile is newer.
                let opened = !self.recent.is_empty();
                for file in files {
                    if !self.recent.contains(&file) {
                        self.recent.push(file);
                    }
                }
                self.recent.truncate(recent::MOST);
                if opened {
                    self.remember();
                }
            }
            Event::Contrasts(found) => self.contrasted(id, found),
            Event::Litert(found) => self.litert = Some(found),
            Event::Preview(role, version, preview) => {
                let choice = self.choice_mut(role);
                let current = choice.version == version && choice.pending.is_none();
                if let Some(loaded) = choice.loaded.as_mut().filter(|_| current) {
                    loaded.preview = preview;
                    loaded.previewed = loaded.selection;
                }
            }
            Event::Pictures(preview) if self.pictures.pending == Some(id) => {
                self.pictures.shown = preview;
                self.pictures.version = self.new_version();
            }
            // What somebody asked for before that which is awaited now.
            Event::Model(_) | Event::Entry(_) | Event::Pictures(_) => {}
        }
    }

    fn ended(&mut self, id: JobId, kind: JobKind, ended: Ended) {
        match kind {
            JobKind::OpenModel(_) if self.model_pending == Some(id) => {
                self.model_pending = None;
                if let Ended::Failed(message) = ended {
                    self.model_error = Some(message);
                }
            }
            JobKind::Entry(_) if self.entry_pending == Some(id) => {
                self.entry_pending = None;
                if let Ended::Failed(message) = ended {
                    self.entry_error = Some(message);
                }
            }
            JobKind::OpenModel(_) | JobKind::Entry(_) => {}
            JobKind::OpenData(_) => {
                for role in [Role::Calibration, Role::Evaluation] {
                    let choice = self.choice_mut(role);
                    if choice.pending == Some(id) {
                        choice.pending = None;
                        if let Ended::Failed(message) = &ended {
                            choice.error = Some(message.clone());
                        }
                    }
                }
            }
            JobKind::Experiment(experiment) => {
                if let Some(e) = self
                    .experiments
                    .iter_mut()
                    .find(|e| e.id == experiment && e.state == State::Pending(id))
                {
                    e.state = match ended {
                        Ended::Done => State::Done,
                        Ended::Cancelled => State::Cancelled,
                        Ended::Failed(message) => State::Failed(message),
                    };
                    if e.state == State::Done {
                        e.finished = Some(Arc::new(e.figures()));
                    }
                    self.session.changed = true;
                    self.autosave_now();
                }
            }
            JobKind::Save(_) => {
                if let Ended::Failed(message) = ended {
                    self.notice(true, message);
                }
            }
            JobKind::SaveSession(_) => self.saving_ended(ended),
            JobKind::OpenSession(_) => self.opening_ended(id, ended),
            JobKind::AutosavePause | JobKind::Autosave => self.autosave_ended(id, ended),
            JobKind::Restore => {
                if let Ended::Failed(message) = ended {
                    self.notice(true, message);
                }
            }
            JobKind::Pictures => {
                if self.pictures.pending == Some(id) {
                    self.pictures.pending = None;
                }
            }
            JobKind::ModelAgain(_) => self.model_read_again_ended(ended),
            JobKind::Recheck => self.recheck.asked.clear(),
            JobKind::Answers => {
                let failed = match ended {
                    Ended::Failed(message) => Some(message),
                    Ended::Done | Ended::Cancelled => None,
                };
                self.pad_ended(id, failed);
            }
            JobKind::Recent | JobKind::FindLitert | JobKind::Contrasts => {}
        }
        self.go_on();
    }

    pub(super) fn notice(&mut self, is_error: bool, text: String) {
        let id = self.next_notice;
        self.next_notice += 1;
        self.notices.push(Notice {
            id,
            is_error,
            text,
            undo: false,
        });
    }

    pub(super) fn choice(&self, role: Role) -> &DataChoice {
        match role {
            Role::Calibration => &self.calibration,
            Role::Evaluation => &self.evaluation,
        }
    }

    pub(super) fn choice_mut(&mut self, role: Role) -> &mut DataChoice {
        match role {
            Role::Calibration => &mut self.calibration,
            Role::Evaluation => &mut self.evaluation,
        }
    }

    /// Opens the file, or the demo.
    fn open(&mut self, path: Option<PathBuf>) {
        if let Some(earlier) = self.model_pending.take() {
            self.jobs.cancel(earlier);
        }
        self.model_error = None;
        if let Some(open) = self.opened_from(path.as_deref()) {
            return self.select_model(open);
        }
        let name = path
            .as_deref()
            .map_or_else(|| "MNIST digits".to_owned(), files::file_name);
        let id = self.jobs.start(JobKind::OpenModel(name), move |job| {
            job.stage(Stage::File)?;
            let mut model = steps::open_known_model(path.as_deref(), job.progress())?;
            model.check_shapes();
            job.send(Event::Model(Box::new(model)));
            Ok(())
        });
        self.model_pending = Some(id);
    }

    /// The new model stands beside those that are open and is the current one; data that was chosen is read for its inputs, too.
    fn model_opened(&mut self, model: OpenModel) {
        let (demo, was_demo) = (model.path.is_none(), self.is_demo());
        if self.model.is_some() {
            self.add_document();
        } else if self.session.opening.is_none() {
            self.session = Session::default();
        }
        if let Some(path) = &model.path {
            self.remember_opened(path.clone());
        }
        self.model = Some(model);
        self.new_model_version();
        for role in [Role::Calibration, Role::Evaluation] {
            let source = match self.choice(role).source.clone() {
                _ if demo => Some(Source::Demo),
                Some(Source::Demo) if was_demo => None,
                other => other,
            };
            self.choose_resolving(role, source);
        }
        self.touched();
    }

    pub(super) fn new_model_version(&mut self) {
        self.model_version = self.next_model;
        self.next_model += 1;
        self.reset_pad();
    }

    fn set_io(&mut self, mode: Mode, io: Io, on: bool) {
        if !mode.ios().contains(&io) {
            return;
        }
        for m in self.modes.iter_mut().filter(|m| m.mode == mode) {
            m.ios = mode
                .ios()
                .iter()
                .copied()
                .filter(|&i| if i == io { on } else { m.ios.contains(&i) })
                .collect();
            if m.ios.is_empty() {
                m.ios = vec![io];
            }
        }
    }

    /// The recipes that Run would compute, in order: those of the chosen modes, then those that the user made.
    pub fn wanted(&self) -> Vec<Recipe> {
        let mut all = self.of_modes();
        for e in self.experiments.iter().filter(|e| e.intent.own) {
            if !all.contains(&e.intent.recipe) {
                all.push(e.intent.recipe.clone());
            }
        }
        all
    }

    /// The recipes of the chosen modes.
    fn of_modes(&self) -> Vec<Recipe> {
        self.modes
            .iter()
            .filter(|m| m.chosen)
            .flat_map(|m| {
                m.ios.iter().map(|&io| Recipe {
                    mode: m.mode,
                    io,
                    strict: self.strict,
                    ..Recipe::default()
                })
            })
            .collect()
    }

    /// What a run of this recipe would depend on now.
    pub(super) fn key(&self, recipe: &Recipe) -> RunKey {
        RunKey {
            recipe: recipe.clone(),
            model: self.model_version,
            calibration: if recipe.mode.needs_calibration() {
                self.calibration.version
            } else {
                0
            },
            evaluation: self.evaluation.version,
            threads: self.threads,
            engine: self.engine,
        }
    }

    /// Experiments that Run would really compute: those without a valid result and not already on their way.
    pub fn new_work(&self) -> usize {
        self.wanted()
            .iter()
            .filter(|r| !self.is_known(&self.key(r)))
            .count()
    }

    /// Whether there is a result for this key, or one on its way.
    fn is_known(&self, key: &RunKey) -> bool {
        let known = |e: &Experiment| e.state == State::Done || e.is_pending();
        self.experiments.iter().any(|e| e.key == *key && known(e))
    }

    /// Why Run cannot start, in the user's words; `None` if it can.
    pub fn run_obstacle(&self) -> Option<String> {
        let wanted = self.wanted();
        let needs_data = wanted.iter().any(|r| r.mode.needs_calibration());
        match self.unreadiness(needs_data) {
            // Without a model nothing else matters; without a mode no data does.
            Some(why) if self.model.is_none() => Some(why),
            _ if wanted.is_empty() => Some("Choose at least one mode".into()),
            other => other,
        }
    }

    /// What keeps experiments from running, with calibration or without.
    pub(super) fn unreadiness(&self, needs_data: bool) -> Option<String> {
        if self.model.is_none() {
            Some("Open a model first".into())
        } else if let Some(open) = self.wanted_shape() {
            Some(format!("Type the shape of input {open} first"))
        } else if self.entry_pending.is_some() {
            Some("Preparing the model".into())
        } else if self.calibration.pending.is_some() || self.evaluation.pending.is_some() {
            Some("Reading the data".into())
        } else if needs_data && self.calibration.loaded.is_none() {
            Some("No calibration data, int8 and int16x8 need it".into())
        } else {
            None
        }
    }

    fn run(&mut self) {
        if let Some(obstacle) = self.run_obstacle() {
            return self.notice(true, obstacle);
        }
        let mut rows: Vec<ExperimentId> = vec![];
        for recipe in self.of_modes() {
            rows.push(self.row_of_mode(recipe));
        }
        let own = self.experiments.iter().filter(|e| e.intent.own);
        let own: Vec<ExperimentId> = own.map(|e| e.id).filter(|id| !rows.contains(id)).collect();
        rows.extend(own);
        // Results are looked for in all rows before any of them is computed anew.
        let mut new = rows.clone();
        new.retain(|&id| !self.reuse(id));
        self.recheck.asked = rows;
        // First in the queue: what changed on the disk is found before anything is computed from it.
        self.recheck_files(true);
        for id in new {
            self.enqueue(id);
        }
    }

    /// The experiment that stands for a recipe of the chosen modes: the one with that recipe, else the one of that mode and
    /// input/output type that is not the user's own, else a new one.
    fn row_of_mode(&mut self, recipe: Recipe) -> ExperimentId {
        let equal = |e: &&mut Experiment| e.intent.recipe == recipe;
        if let Some(e) = self.experiments.iter_mut().find(equal) {
            return e.id;
        }
        let same =
            |e: &&mut Experiment| !e.intent.own && (e.mode(), e.io()) == (recipe.mode, recipe.io);
        if let Some(e) = self.experiments.iter_mut().find(same) {
            e.intent.recipe = recipe;
            return e.id;
        }
        self.add(recipe)
    }

    /// Whether the experiment needs no run: its figures are valid, it is on its way, or another has them.
    pub(super) fn reuse(&mut self, id: ExperimentId) -> bool {
        let Some(recipe) = self.experiment(id).map(|e| e.intent.recipe.clone()) else {
            return true;
        };
        let key = self.key(&recipe);
        let done = |e: &&Experiment| e.key == key && e.state == State::Done;
        let other = self.experiments.iter().find(done).cloned();
        let Some(e) = self.experiment_mut(id) else {
            return true;
        };
        if e.key == key && (e.state == State::Done || e.is_pending()) {
            e.reused = e.state == State::Done;
            e.stale &= !e.reused;
            return true;
        }
        let Some(other) = other else { return false };
        let job = e.job();
        e.take_figures(&other);
        (e.state, e.reused, e.stale) = (State::Done, true, false);
        job.into_iter().for_each(|job| self.jobs.cancel(job));
        true
    }

    /// Puts an experiment into the queue, in place of what it was doing.
    pub(super) fn enqueue(&mut self, id: ExperimentId) {
        let Some(model) = self.model.clone().map(Arc::new) else {
            return;
        };
        let Some(e) = self.experiment(id) else { return };
        if let Some(job) = e.job() {
            self.jobs.cancel(job);
        }
        let Some(e) = self.experiment(id) else { return };
        let key = self.key(&e.intent.recipe);
        let work = self.work(id, model, &key);
        let job = self
            .jobs
            .enqueue(JobKind::Experiment(id), move |job| work.run(job));
        let loaded = self.calibration.loaded.as_ref();
        let random = loaded.is_some_and(|l| l.synthetic) && key.recipe.mode.needs_calibration();
        if let Some(e) = self.experiment_mut(id) {
            e.random = random;
            e.stale = e.file.is_some();
            (e.key, e.state, e.reused) = (key, State::Pending(job), false);
        }
    }

    /// Inserts an empty experiment where its mode belongs.
    fn add(&mut self, recipe: Recipe) -> ExperimentId {
        let order = |r: &Recipe| (r.mode, r.io);
        let at = self
            .experiments
            .iter()
            .position(|e| order(&e.intent.recipe) > order(&recipe))
            .unwrap_or(self.experiments.len());
        let intent = Intent {
            rank: self.free_rank(&recipe, None),
            recipe,
            ..Intent::default()
        };
        self.insert(at, intent)
    }

    fn work(&self, id: ExperimentId, model: Arc<OpenModel>, key: &RunKey) -> Work {
        let part = |choice: &DataChoice| choice.loaded.as_ref().map(|l| l.dataset.clone());
        Work {
            id,
            model,
            recipe: key.recipe.clone(),
            calibration: part(&self.calibration),
            evaluation: part(&self.evaluation),
            versions: [self.calibration.version, self.evaluation.version].map(|data| Versions {
                model: self.model_version,
                data,
            }),
            shared: self.shared.clone(),
            threads: self.threads,
            engine: key.engine,
            litert: Box::new(self.litert_finder()),
            latency_seconds: self.latency_seconds,
        }
    }

    /// Finds LiteRT where the user wants it; touches files, so for jobs only.
    fn litert_finder(&self) -> impl Fn() -> Result<Setup> + Send + use<> {
        let (place, program) = (self.litert_place.clone(), self.litert_program.clone());
        move || {
            let found = litert::find(place.as_deref())?;
            Ok(match program.clone() {
                Some(program) => Setup { program, ..found },
                None => found,
            })
        }
    }

    /// Says in `litert` whether it is there, and if not, how to get it.
    pub(super) fn look_for_litert(&mut self) {
        let find = self.litert_finder();
        self.jobs.start(JobKind::FindLitert, move |job| {
            job.send(Event::Litert(find().map_err(|e| e.to_string())));
            Ok(())
        });
    }

    /// Reads the list of recent files from there, and keeps it there from now on.
    pub fn remember_recent_in(&mut self, file: &Path) {
        self.recent_file = Some(file.to_owned());
        let file = file.to_owned();
        self.jobs.start(JobKind::Recent, move |job| {
            let files = recent::load(&file);
            let gone = recent::gone(&files);
            job.send(Event::Recent(files, gone));
            Ok(())
        });
    }

    /// Puts a file at the top of the recent ones.
    pub(super) fn remember_opened(&mut self, path: PathBuf) {
        self.recent.retain(|p| *p != path);
        self.recent_gone.retain(|p| *p != path);
        self.recent.insert(0, path);
        self.recent.truncate(recent::MOST);
        self.remember();
    }

    fn remember(&mut self) {
        let (Some(file), files) = (self.recent_file.clone(), self.recent.clone()) else {
            return;
        };
        self.jobs
            .start(JobKind::Recent, move |_| recent::store(&file, &files));
    }
}
