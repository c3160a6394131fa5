//! Gathers a report from what is open: cheap handles on the window's thread, files and hashes on a job.

use std::time::SystemTime;

use super::{DataNote, Entry, FileNote, Machine, Report, sha256, utc};
use crate::error::Result;
use crate::quantize::Mode;
use crate::tflite;
use crate::workbench::contrast::Pair;
use crate::workbench::litert::{Engine, litert_lines, runtime_line};
use crate::workbench::{Experiment, Loaded, OpenModel, Workbench, files, float_operators};

/// What a report is made of.
pub struct Gathered {
    /// The open models, the current one first.
    models: Vec<OpenModel>,
    calibration: Option<Loaded>,
    data: Option<Loaded>,
    experiments: Vec<Part>,
    baseline: Option<usize>,
}

/// An experiment with its place among the models, and against what its quality is taken where that is not its own float model.
struct Part {
    model: usize,
    experiment: Experiment,
    pair: Option<Pair>,
}

impl Gathered {
    /// Everything that is open; `None` while no experiment has a file.
    pub fn of(bench: &Workbench) -> Option<Self> {
        let mut open = bench.models();
        open.sort_by_key(|d| d.id != bench.id);
        let base = bench.baseline().filter(|b| b.file.is_some());
        let home = base.and_then(|b| bench.model_of(b.id)).map(|d| d.id);
        let mut experiments = vec![];
        for (model, of) in open.iter().enumerate() {
            for e in of.experiments.iter().filter(|e| e.file.is_some()) {
                let own = |b: &&Experiment| b.mode() == Mode::Float32 && home == Some(of.id);
                let other = base.filter(|b| !own(b));
                experiments.push(Part {
                    model,
                    pair: other.and_then(|base| Pair::of(e, base, &of.evaluation)),
                    experiment: e.clone(),
                });
            }
        }
        let is_base = |p: &Part| Some(p.experiment.id) == base.map(|b| b.id);
        (!experiments.is_empty()).then(|| Self {
            models: open.iter().filter_map(|d| d.model.clone()).collect(),
            calibration: bench.calibration.loaded.clone(),
            data: bench.evaluation.loaded.clone(),
            baseline: experiments.iter().position(is_base),
            experiments,
        })
    }

    /// The report. Reads the files again for their hashes.
    ///
    /// # Errors
    /// A file that is gone.
    pub fn report(self) -> Result<Report> {
        let note = |l: &Loaded| data_note(l, l.dataset.len());
        let notes: Result<Vec<FileNote>> = self.models.iter().map(model_note).collect();
        let notes = notes?;
        let Some(current) = notes.first().cloned() else {
            return crate::invalid!("No model is open");
        };
        let several = notes.len() > 1;
        let of = |p: &Part| {
            let (model, note) = self.models.get(p.model).zip(notes.get(p.model))?;
            let found = entry(model, &p.experiment, p.pair.as_ref())?;
            Some(match several {
                true => Entry {
                    model: Some(note.clone()),
                    name: format!("{}: {}", note.name, found.name),
                    ..found
                },
                false => found,
            })
        };
        Ok(Report {
            model: current,
            calibration: self.calibration.as_ref().map(note),
            data: self.data.as_ref().map(note),
            machine: Machine::here(),
            made: utc(SystemTime::now()),
            experiments: self.experiments.iter().filter_map(of).collect(),
            baseline: self.baseline,
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

fn entry(model: &OpenModel, e: &Experiment, pair: Option<&Pair>) -> Option<Entry> {
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
        model: None,
        file: FileNote {
            name: name.clone(),
            bytes: file.bytes.len(),
            sha256: sha256(&file.bytes),
        },
        name,
        recipe: e.key.recipe.clone(),
        runtime: tflite::min_runtime_version(&file.graph),
        evaluation: match pair.map(Pair::contrast) {
            Some(contrast) => Some(contrast.evaluation),
            None => e.evaluation.as_deref().cloned(),
        },
        latency: e.latency.clone(),
        tensors: e.tensors.as_deref().cloned().unwrap_or_default(),
        warnings,
        convert_seconds: file.convert_seconds,
    })
}
