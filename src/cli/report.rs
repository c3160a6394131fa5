//! `compare --report`: gathers a report's data and writes it in the form that the file's name asks for.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Failure, args};
use crate::error::Result;
use crate::tflite;
use crate::workbench::litert::litert_lines;
use crate::workbench::report::{
    Entry, FileNote, Form, Machine, Report, data_note, model_note, sha256, utc,
};
use crate::workbench::{Loaded, OpenModel, files};

use super::compare::Row;

/// The form of each report file that was asked for. Fails with bad usage if a name says none.
fn forms(paths: &[PathBuf]) -> Result<Vec<(&Path, Form)>, Failure> {
    let form = |path: &PathBuf| Form::of(path).map_err(|e| Failure::Usage(e.to_string()));
    paths
        .iter()
        .map(|path| Ok((path.as_path(), form(path)?)))
        .collect()
}

/// Fails, before any work, if a report's name says no form.
pub(super) fn check(a: &args::Compare) -> Result<(), Failure> {
    forms(&a.report).map(|_| ())
}

/// Writes the reports that were asked for; nothing if none were.
pub(super) fn write(
    a: &args::Compare,
    model: &OpenModel,
    calibration: Option<(&Loaded, usize)>,
    data: Option<(&Loaded, usize)>,
    rows: &[Row],
    baseline: Option<usize>,
) -> Result<(), Failure> {
    let forms = forms(&a.report)?;
    if forms.is_empty() {
        return Ok(());
    }
    let report = Report {
        model: model_note(model)?,
        calibration: calibration.map(|(loaded, n)| data_note(loaded, n)),
        data: data.map(|(loaded, n)| data_note(loaded, n)),
        machine: Machine::here(),
        made: utc(SystemTime::now()),
        experiments: rows.iter().map(entry).collect(),
        baseline,
    };
    for (path, form) in forms {
        files::write(path, form.write(&report).as_bytes())?;
    }
    Ok(())
}

fn entry(row: &Row) -> Entry {
    let name = super::compare::name(&row.recipe);
    let saved = row.saved.as_deref().map(files::file_name);
    let mut warnings = row.warnings.clone();
    // Which engine the figures come from, and what the other one says.
    let litert = row.figures.litert.iter();
    warnings.extend(litert.flat_map(|l| litert_lines(l.as_ref())));
    Entry {
        model: None,
        file: FileNote {
            name: saved.unwrap_or_else(|| name.clone()),
            bytes: row.file.bytes.len(),
            sha256: sha256(&row.file.bytes),
        },
        name,
        recipe: row.recipe.clone(),
        runtime: tflite::min_runtime_version(&row.file.graph),
        evaluation: row.figures.evaluation.clone(),
        latency: row.figures.latency.clone(),
        tensors: row.tensors.clone(),
        warnings,
        convert_seconds: row.file.convert_seconds,
    }
}
