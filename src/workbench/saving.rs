//! Writes files as jobs: an experiment's file with what there is to say of it, reports, pictures.

use std::path::PathBuf;

use bytes::Bytes;

use super::jobs::{JobKind, Stage};
use super::report::{Form, Gathered};
use super::{Event, ExperimentId, Workbench, files, not_accelerated};
use crate::error::Result;
use crate::tflite;

impl Workbench {
    pub(super) fn save(&mut self, id: ExperimentId, path: PathBuf) {
        let Some(file) = self.experiment(id).and_then(|e| e.file.clone()) else {
            return self.notice(true, "This experiment has no file yet, run it first".into());
        };
        self.write_file(path, move || {
            let version = tflite::min_runtime_version(&file.graph);
            let needs = format!("It needs TensorFlow Lite {version} or newer");
            let needs = (!version.is_empty()).then_some(needs);
            let told = needs.into_iter().chain(not_accelerated(&file.graph));
            Ok((file.bytes.clone(), told.collect()))
        });
    }

    pub(super) fn save_report(&mut self, path: PathBuf) {
        let form = match Form::of(&path) {
            Ok(form) => form,
            Err(e) => return self.notice(true, e.to_string()),
        };
        let Some(gathered) = Gathered::of(self) else {
            return self.notice(
                true,
                "There is nothing to report yet, run something first".into(),
            );
        };
        self.write_file(path, move || {
            Ok((form.write(&gathered.report()?).into_bytes().into(), vec![]))
        });
    }

    /// Makes the contents of a file, with what to say of it, and writes it, as a job.
    pub(super) fn write_file(
        &mut self,
        path: PathBuf,
        make: impl FnOnce() -> Result<(Bytes, Vec<String>)> + Send + 'static,
    ) {
        self.jobs
            .start(JobKind::Save(files::file_name(&path)), move |job| {
                job.stage(Stage::File)?;
                let (bytes, told) = make()?;
                files::write(&path, &bytes)?;
                job.send(Event::Saved(path, told));
                Ok(())
            });
    }
}
