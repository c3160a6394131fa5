//! Reads data for a model: which kind it is, what belongs to it, and how it becomes inputs.

use std::path::Path;

use bytes::Bytes;

use super::dataset::{ClassSource, Loaded, Role, Source};
use super::{files, walk};
use crate::data::{
    self, ClassNames, ClassOrder, FileKind, FolderRequest, GuessedFrom, InputSpec, Listing,
    Preprocess, Selection, TableRequest,
};
use crate::error::Result;
use crate::graph::Graph;
use crate::invalid;
use crate::progress::Progress;
use crate::tflite;

/// Random samples that stand in where there is no data.
const SYNTHETIC_SAMPLES: usize = 100;
/// Names of label files that are looked for in a folder, best first.
const FOLDER_LABELS: [&str; 2] = ["labels.csv", "labels.txt"];

/// What data is wanted, of what model.
#[derive(Debug, Clone)]
pub struct DataRequest<'a> {
    /// Where it comes from.
    pub source: &'a Source,
    /// What it is for.
    pub role: Role,
    /// The model that it must fit.
    pub model: &'a Graph,
    /// Which samples.
    pub selection: Selection,
    /// How files become inputs; `None` for what the model says, or the default.
    pub preprocess: Option<&'a Preprocess>,
    /// Which class of a folder or a table is which output.
    pub classes: &'a ClassSource,
    /// The label column of a table: its name, or without a header its number from 1; `None` for a usual name.
    pub label_column: Option<&'a str>,
}

impl<'a> DataRequest<'a> {
    /// All samples of `source`, everything else as the model says.
    pub fn of(source: &'a Source, role: Role, model: &'a Graph) -> Self {
        Self {
            source,
            role,
            model,
            selection: Selection::All,
            preprocess: None,
            classes: &ClassSource::Auto,
            label_column: None,
        }
    }
}

/// Reads data, checks that it fits the model's inputs, chooses samples, and makes a preview. Progress counts files of a folder.
///
/// # Errors
/// A path that does not exist, data that does not fit (see [`data::open`], [`data::open_folder`]), cancellation.
pub fn open_data(request: &DataRequest<'_>, progress: &Progress) -> Result<Loaded> {
    let specs = data::input_specs(request.model, 0);
    match request.source {
        Source::Demo => {
            let demo = data::demo::demo();
            let (samples, labels) = match request.role {
                Role::Calibration => (demo.calibration, demo.calibration_labels),
                Role::Evaluation => (demo.test, demo.test_labels),
            };
            let labels = Some((labels.name.to_owned(), labels.bytes));
            let whole = data::open(samples.name, samples.bytes, labels, &specs)?;
            loaded(samples.name, whole, request, &specs)
        }
        Source::File { path, labels } if path.is_dir() => {
            folder(path, labels.as_deref(), request, &specs, progress)
        }
        Source::File { path, labels } if data::is_table(&files::file_name(path)) => {
            table(path, labels.as_deref(), request, &specs, progress)
        }
        Source::File { path, labels } => {
            let name = files::file_name(path);
            let samples = files::read(path)?;
            let labels = match labels {
                Some(file) => Some(named(file)?),
                None => labels_beside(path, &name)?,
            };
            if data::is_sound(&samples) {
                return sound(&name, samples, labels, request, &specs);
            }
            let whole = data::open(&name, samples, labels, &specs)?;
            let mut loaded = loaded(&name, whole, request, &specs)?;
            if let Some(chosen) = request.preprocess {
                loaded.warnings.push(format!(
                    "The preprocessing {} is for folders of images; {name} is taken as it is",
                    chosen.scale_name()
                ));
            }
            Ok(loaded)
        }
        Source::Synthetic => {
            let whole = data::synthetic(&specs, SYNTHETIC_SAMPLES, 0)?;
            let name = whole.name().to_owned();
            Ok(Loaded {
                synthetic: true,
                ..loaded(&name, whole, request, &specs)?
            })
        }
    }
}

/// Data that lies in arrays.
fn loaded(
    name: &str,
    whole: std::sync::Arc<dyn data::Dataset>,
    request: &DataRequest<'_>,
    specs: &[InputSpec],
) -> Result<Loaded> {
    let dataset = data::select(whole.clone(), &request.selection)?;
    let preview = data::preview(dataset.as_ref(), specs, None)?;
    let asked = asked(request.model);
    let warnings = data::range_warnings(&asked, None, channels(specs), preview.values);
    Ok(Loaded {
        name: name.to_owned(),
        warnings,
        preview,
        dataset,
        selection: request.selection,
        total: whole.len(),
        synthetic: false,
        folder: None,
        classes: vec![],
        class_order: String::new(),
        skipped: vec![],
        preprocess: None,
        preprocess_from: GuessedFrom::Nobody,
        whole: Some(whole),
    })
}

fn table(
    path: &Path,
    labels: Option<&Path>,
    request: &DataRequest<'_>,
    specs: &[InputSpec],
    progress: &Progress,
) -> Result<Loaded> {
    let name = files::file_name(path);
    let read = data::read_table(
        &mut files::open(path)?,
        TableRequest {
            name: &name,
            specs,
            label_column: request.label_column,
            labels: labels.map(named).transpose()?,
            order: class_order(request)?,
            classes: data::classes(request.model, 0),
            needs_labels: request.role == Role::Evaluation,
        },
        progress,
    )?;
    let mut loaded = loaded(&name, read.dataset, request, specs)?;
    loaded.warnings.extend(read.warnings);
    Ok(Loaded {
        classes: read.classes,
        class_order: read.class_order,
        ..loaded
    })
}

fn sound(
    name: &str,
    samples: Bytes,
    labels: Option<(String, Bytes)>,
    request: &DataRequest<'_>,
    specs: &[InputSpec],
) -> Result<Loaded> {
    let (preprocess, preprocess_from) = preprocess(request, Default::default());
    let whole = data::open_sound(name, samples, labels, specs, &preprocess.sound)?;
    Ok(Loaded {
        preprocess: Some(preprocess),
        preprocess_from,
        ..loaded(name, whole, request, specs)?
    })
}

/// What the model says of the images that it takes.
fn asked(model: &Graph) -> (Preprocess, GuessedFrom) {
    data::guess(model, tflite::metadata(model).normalization.as_ref())
}

/// How files become inputs, and who said so; `otherwise` where the user did not.
fn preprocess(
    request: &DataRequest<'_>,
    otherwise: (Preprocess, GuessedFrom),
) -> (Preprocess, GuessedFrom) {
    match request.preprocess {
        Some(chosen) => (chosen.clone(), GuessedFrom::User),
        None => otherwise,
    }
}

/// Which class is which output.
fn class_order(request: &DataRequest<'_>) -> Result<ClassOrder> {
    let carried = tflite::metadata(request.model).labels;
    let carried =
        carried.map(|(file, bytes)| ClassNames::read(&format!("the model's {file}"), &bytes));
    Ok(match request.classes {
        ClassSource::Auto => ClassOrder::Auto(carried.and_then(Result::ok)),
        ClassSource::Sorted => ClassOrder::Sorted,
        ClassSource::Model => match carried {
            Some(names) => ClassOrder::Names(names?),
            None => {
                return invalid!(
                    "The model carries no class names; give them in a file, one a line"
                );
            }
        },
        ClassSource::File(file) => {
            let (name, bytes) = named(file)?;
            ClassOrder::Names(ClassNames::read(&name, &bytes)?)
        }
    })
}

fn folder(
    path: &Path,
    labels: Option<&Path>,
    request: &DataRequest<'_>,
    specs: &[InputSpec],
    progress: &Progress,
) -> Result<Loaded> {
    let name = files::file_name(path);
    let listing = walk::list(path, progress)?;
    let asked = asked(request.model);
    let (preprocess, preprocess_from) = preprocess(request, asked.clone());
    let labels = match labels {
        Some(file) => Some(named(file)?),
        None => labels_within(path, &listing)?,
    };
    let found = data::open_folder(
        FolderRequest {
            name: &name,
            listing,
            read: walk::reader(path),
            specs,
            preprocess: preprocess.clone(),
            selection: request.selection,
            labels,
            order: class_order(request)?,
            classes: data::classes(request.model, 0),
            needs_labels: request.role == Role::Evaluation,
        },
        progress,
    )?;
    let preview = data::preview(found.dataset.as_ref(), specs, Some(&preprocess))?;
    let mut warnings = found.warnings;
    if found.kind == FileKind::Image {
        let odd = data::range_warnings(&asked, Some(&preprocess), channels(specs), preview.values);
        warnings.extend(odd);
    }
    Ok(Loaded {
        preview,
        name,
        dataset: found.dataset,
        selection: request.selection,
        total: found.total,
        synthetic: false,
        folder: Some(found.kind),
        classes: found.classes,
        class_order: found.class_order,
        skipped: found.skipped,
        preprocess: Some(preprocess),
        preprocess_from,
        warnings,
        whole: None,
    })
}

/// Channels of the first input where it takes images; 1 for anything else.
fn channels(specs: &[InputSpec]) -> usize {
    match specs.first().map(InputSpec::sample_shape) {
        Some([3, _, _] | [_, _, 3]) => 3,
        _ => 1,
    }
}

/// Name and bytes of a file.
fn named(file: &Path) -> Result<(String, Bytes)> {
    Ok((files::file_name(file), files::read(file)?))
}

/// Labels that lie beside the data under one of the usual names.
pub(super) fn labels_beside(path: &Path, name: &str) -> Result<Option<(String, Bytes)>> {
    for candidate in data::label_candidates(name) {
        let file = path.with_file_name(&candidate);
        if file.is_file() {
            return named(&file).map(Some);
        }
    }
    Ok(None)
}

/// Labels that lie in a folder under one of the usual names.
fn labels_within(path: &Path, listing: &Listing) -> Result<Option<(String, Bytes)>> {
    for name in FOLDER_LABELS {
        if listing.files.iter().any(|f| f.path == name) {
            return named(&path.join(name)).map(Some);
        }
    }
    Ok(None)
}
