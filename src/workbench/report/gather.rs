//! Gathers a report from what is open: cheap handles on the window's thread, files and hashes on a job.

use std::time::SystemTime;

use super::{DataNote, Entry, FileNote, Machine, Report, sha256, utc};
use crate::error::Result;
use crate::tflite;
use crate::workbench::litert::{Engine, litert_lines, runtime_line};
use crate::workbench::{Experiment, Loaded, OpenModel, Workbench, files, float_operators};

/// What a report is made of.
pub struct Gathered {
    model: OpenModel,
    calibration: Option<Loaded>,
    data: Option<Loaded>,
    experiments: Vec<Experiment>,
}

impl Gathered {
    /// Everything that is open; `None` while no experiment has a file.
    pub fn of(bench: &Workbench) -> Option<Self> {
        let mut experiments = bench.experiments.clone();
        experiments.retain(|e| e.file.is_some());
        match (&bench.model, experiments.is_empty()) {
            (Some(model), false) => Some(Self {
                model: model.clone(),
                calibration: bench.calibration.loaded.clone(),
                data: bench.evaluation.loaded.clone(),
                experiments,
            }),
            _ => None,
        }
    }

    /// The report. Reads the files again for their hashes.
    ///
    /// # Errors
    /// A file that is gone.
    pub fn report(self) -> Result<Report> {
        let note = |l: &Loaded| data_note(l, l.dataset.len());
        Ok(Report {
            model: model_note(&self.model)?,
            calibration: self.calibration.as_ref().map(note),
            data: self.data.as_ref().map(note),
            machine: Machine::here(),
            made: utc(SystemTime::now()),
            experiments: self
                .experiments
                .iter()
                .filter_map(|e| entry(&self.model, e))
                .collect(),
        })
    }
}

/// A model's file, as it was given.
///
/// # Errors
/// The file cannot be read.
pub fn model_note(model: &OpenModel) -> Result<FileNote> {
    let bytes = match &model.path {
        Some(path) => files::read(path)?,
        None => model.bytes.clone(),
    };
    Ok(FileNote {
        name: model.name.clone(),
        bytes: bytes.len(),
        sha256: sha256(&bytes),
    })
}

/// Data by its content, with how many samples of it were used.
pub fn data_note(loaded: &Loaded, samples: usize) -> DataNote {
    DataNote {
        name: loaded.name.clone(),
        samples,
        sha256: loaded.fingerprint.as_ref().map(|f| f.sha256.clone()),
    }
}

fn entry(model: &OpenModel, e: &Experiment) -> Option<Entry> {
    let file = e.file.as_ref()?;
    let mut warnings = vec![];
    if e.random {
        warnings.push("Calibrated on random values, its figures say little".to_owned());
    }
    if e.stale {
        warnings.push("Figures of an earlier model, recipe or data".to_owned());
    }
    let kept = float_operators(&model.graph, &file.plan);
    let kept = kept.iter();
    warnings.extend(kept.map(|(i, op, why)| format!("Operator {i}, {op}, stays float: {why}")));
    warnings.extend(file.plan.warnings.iter().cloned());
    warnings.extend(e.evaluation.iter().flat_map(|v| v.warnings.clone()));
    // Which engine the figures come from, and what the other one says.
    match (&e.litert, e.key.engine) {
        (Some(Ok(figures)), Engine::Litert) => {
            let by = runtime_line(&figures.runtime);
            warnings.push(format!("Measured by {by}"));
        }
        (Some(litert), _) => warnings.extend(litert_lines(litert.as_deref())),
        (None, _) => {}
    }
    let name = e.name();
    Some(Entry {
        file: FileNote {
            name: name.clone(),
            bytes: file.bytes.len(),
            sha256: sha256(&file.bytes),
        },
        name,
        recipe: e.key.recipe.clone(),
        runtime: tflite::min_runtime_version(&file.graph),
        evaluation: e.evaluation.as_deref().cloned(),
        latency: e.latency.clone(),
        tensors: e.tensors.as_deref().cloned().unwrap_or_default(),
        warnings,
        convert_seconds: file.convert_seconds,
    })
}
