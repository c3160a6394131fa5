//! Chooses data: where it comes from, which samples of it, and what is read anew for that.

use std::path::PathBuf;

use super::jobs::{JobKind, Stage};
use super::steps::DataRequest;
use super::{Event, Loaded, Role, Source, Workbench, files, steps};
use crate::data::{self, Selection};

impl Workbench {
    pub(super) fn choose_labels(&mut self, role: Role, labels: PathBuf) {
        match self.choice(role).source.clone() {
            Some(Source::File { path, .. }) => self.choose(
                role,
                Some(Source::File {
                    path,
                    labels: Some(labels),
                }),
            ),
            _ => self.notice(true, "Choose the samples first, then their labels".into()),
        }
    }

    /// Reads the data of that role from there.
    pub(super) fn choose(&mut self, role: Role, source: Option<Source>) {
        self.read_data(role, source, false);
    }

    /// The same; inputs whose axes the file leaves open, and that the user gave no shapes, take those of the samples.
    pub(super) fn choose_resolving(&mut self, role: Role, source: Option<Source>) {
        self.read_data(role, source, true);
    }

    fn read_data(&mut self, role: Role, source: Option<Source>, resolve: bool) {
        if let Some(earlier) = self.choice_mut(role).pending.take() {
            self.jobs.cancel(earlier);
        }
        let version = source.as_ref().map_or(0, |_| self.new_version());
        let choice = self.choice_mut(role);
        choice.error = None;
        choice.version = version;
        choice.source = source.clone();
        let Some(source) = source else {
            choice.loaded = None;
            return;
        };
        self.choice_mut(role).loaded = None;
        self.read(role, source, resolve);
    }

    /// Reads data anew as a job; what was read before stays until then.
    pub(super) fn read(&mut self, role: Role, source: Source, resolve: bool) {
        // Without a model nothing says what shape the samples must have; they are read when one is open.
        let Some(model) = &self.model else { return };
        let open = model.open_inputs();
        let given = !self.shape_from_data && open.iter().any(|o| o.given);
        let resolve = resolve && !open.is_empty() && !given;
        let model = model.graph.clone();
        let (preprocess, classes) = (
            self.reading.preprocess.clone(),
            self.reading.classes.clone(),
        );
        let label_column = self.reading.label_column.clone();
        let selection = self.choice(role).selection;
        let name = match &source {
            Source::Demo => "MNIST digits".to_owned(),
            Source::File { path, .. } => files::file_name(path),
            Source::Synthetic => "random values".to_owned(),
        };
        let id = self.jobs.start(JobKind::OpenData(name), move |job| {
            job.stage(Stage::File)?;
            let request = DataRequest {
                source: &source,
                role,
                model: &model,
                selection,
                preprocess: preprocess.as_ref(),
                classes: &classes,
                label_column: label_column.as_deref(),
            };
            if resolve {
                let mut shapes = steps::shapes_from(&request, job.progress())?;
                shapes.retain(|(n, s)| !open.iter().any(|o| o.name == *n && o.shape == *s));
                if !shapes.is_empty() {
                    // The data is read again for the model at those shapes.
                    job.send(Event::SampleShapes(shapes));
                    return Ok(());
                }
            }
            let loaded = steps::open_data(&request, job.progress())?;
            job.send(Event::Data(role, Box::new(loaded)));
            Ok(())
        });
        if let Some(earlier) = self.choice_mut(role).pending.replace(id) {
            self.jobs.cancel(earlier);
        }
    }

    /// Uses other samples: at once where that costs no reading.
    pub(super) fn select(&mut self, role: Role, selection: Selection) {
        let fresh = self.new_version();
        let choice = self.choice_mut(role);
        choice.selection = selection;
        if choice.source.is_none() {
            return;
        }
        choice.version = fresh;
        choice.error = None;
        let done = choice.loaded.as_mut().map(|l| l.select(selection));
        match (done, choice.source.clone()) {
            (Some(Ok(true)), _) if choice.pending.is_none() => {
                let identity = choice.loaded.as_ref().map(Loaded::identity);
                if let Some(identity) = identity {
                    self.choice_mut(role).version = self.version_of(identity);
                }
                self.preview_again(role);
            }
            (Some(Err(e)), _) => choice.error = Some(e.to_string()),
            (_, Some(source)) => self.read(role, source, false),
            (_, None) => {}
        }
    }

    /// Makes the preview of samples that were chosen without reading.
    fn preview_again(&mut self, role: Role) {
        let choice = self.choice(role);
        let (Some(model), Some(loaded)) = (&self.model, &choice.loaded) else {
            return;
        };
        let specs = data::input_specs(&model.graph, 0);
        let (dataset, preprocess) = (loaded.dataset.clone(), loaded.preprocess.clone());
        let version = choice.version;
        self.jobs.start(JobKind::Pictures, move |job| {
            let preview = data::preview(dataset.as_ref(), &specs, preprocess.as_ref())?;
            job.send(Event::Preview(role, version, preview));
            Ok(())
        });
    }

    /// Makes pictures of these samples as a job, in place of those that were asked for before.
    pub(super) fn show_samples(&mut self, samples: Vec<usize>) {
        if let Some(earlier) = self.pictures.pending.take() {
            self.jobs.cancel(earlier);
        }
        self.pictures.wanted = (self.evaluation.version, samples.clone());
        let (Some(model), Some(loaded)) = (&self.model, &self.evaluation.loaded) else {
            return;
        };
        let specs = data::input_specs(&model.graph, 0);
        let (dataset, preprocess) = (loaded.dataset.clone(), loaded.preprocess.clone());
        let id = self.jobs.start(JobKind::Pictures, move |job| {
            let there: Vec<usize> = samples.into_iter().filter(|&i| i < dataset.len()).collect();
            let made = data::preview_of(dataset.as_ref(), &specs, preprocess.as_ref(), &there)?;
            job.send(Event::Pictures(made));
            Ok(())
        });
        self.pictures.pending = Some(id);
    }

    /// Reads folders again, whose samples depend on how they are read.
    pub(super) fn read_again(&mut self) {
        for role in [Role::Calibration, Role::Evaluation] {
            let Some(source @ Source::File { .. }) = self.choice(role).source.clone() else {
                continue;
            };
            let version = self.new_version();
            let choice = self.choice_mut(role);
            choice.version = version;
            choice.error = None;
            self.read(role, source, true);
        }
    }
}
