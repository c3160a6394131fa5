//! `compare --report`: gathers a report's data and writes it in the form that the file's name asks for.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::engine::litert_lines;
use super::{Failure, args};
use crate::error::Result;
use crate::tflite;
use crate::workbench::report::{
    DataNote, Entry, FileNote, Machine, Report, csv, html, sha256, utc,
};
use crate::workbench::{Loaded, OpenModel, files};

use super::compare::Row;

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Csv,
}

/// The form of each report file that was asked for. Fails with bad usage if a name says none.
fn forms(paths: &[PathBuf]) -> Result<Vec<(&Path, Form)>, Failure> {
    let form = |path: &Path| {
        let end = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match end.as_deref() {
            Some("html" | "htm") => Some(Form::Html),
            Some("csv") => Some(Form::Csv),
            _ => None,
        }
    };
    let each = paths.iter().map(|path| match form(path) {
        Some(form) => Ok((path.as_path(), form)),
        None => Err(Failure::Usage(format!(
            "{}: a report is .html or .csv, give it such a name",
            path.display()
        ))),
    });
    each.collect()
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
) -> Result<(), Failure> {
    let forms = forms(&a.report)?;
    if forms.is_empty() {
        return Ok(());
    }
    let report = Report {
        model: model_note(model)?,
        calibration: calibration.map(data_note),
        data: data.map(data_note),
        machine: Machine::here(),
        made: utc(SystemTime::now()),
        experiments: rows.iter().map(entry).collect(),
    };
    for (path, form) in forms {
        let text = match form {
            Form::Html => html(&report),
            Form::Csv => csv(&report),
        };
        files::write(path, text.as_bytes())?;
    }
    Ok(())
}

/// The model's file, as it was given.
fn model_note(model: &OpenModel) -> Result<FileNote> {
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

fn data_note((loaded, samples): (&Loaded, usize)) -> DataNote {
    DataNote {
        name: loaded.name.clone(),
        samples,
        sha256: loaded.fingerprint.as_ref().map(|f| f.sha256.clone()),
    }
}

fn entry(row: &Row) -> Entry {
    let name = super::compare::name(&row.recipe);
    let saved = row.saved.as_deref().map(files::file_name);
    let mut warnings = row.warnings.clone();
    // Which engine the figures come from, and what the other one says.
    warnings.extend(row.figures.litert.iter().flat_map(litert_lines));
    Entry {
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
