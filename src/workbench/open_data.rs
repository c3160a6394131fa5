//! Reads data for a model: which kind it is, what belongs to it, and how it becomes inputs.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::dataset::{ClassSource, Loaded, Role, Source};
use super::fingerprint::{Fingerprint, Recorder, Stamps};
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
    // Taken first: what changes while it is read has another stamp later.
    let stamps = Stamps::of(&sources(request.source, request.classes), progress)?;
    let mut loaded = read(request, progress)?;
    loaded.stamps = stamps;
    if let Source::File { path, .. } = request.source {
        if !path.is_dir() {
            loaded.fingerprint = Some(Fingerprint::of_file(path, progress)?);
        }
        if data::is_table(&files::file_name(path)) {
            loaded.label_column = request.label_column.map(str::to_owned);
        }
    }
    let labelled = loaded.whole.as_ref().unwrap_or(&loaded.dataset);
    loaded.labels_sha256 = labelled.labels().map(Fingerprint::of_labels);
    Ok(loaded)
}

/// The files and folders that data is read from.
pub(super) fn sources(source: &Source, classes: &ClassSource) -> Vec<PathBuf> {
    let Source::File { path, labels } = source else {
        return vec![];
    };
    let mut all = vec![path.clone()];
    let name = files::file_name(path);
    match labels {
        Some(labels) => all.push(labels.clone()),
        // Those of a folder are in it, those of a table, too.
        None if path.is_dir() || data::is_table(&name) => {}
        None => all.extend(file_beside(path, &name)),
    }
    if let ClassSource::File(names) = classes {
        all.push(names.clone());
    }
    all
}

fn read(request: &DataRequest<'_>, progress: &Progress) -> Result<Loaded> {
    let specs = data::input_specs(request.model, 0);
    match request.source {
        Source::Demo => {
            let demo = data::demo::demo();
            let (samples, labels) = match request.role {
                Role::Calibration => (demo.calibration, demo.calibration_labels),
                Role::Evaluation => (demo.test, demo.test_labels),
            };
            let labels = Some((labels.name.to_owned(), labels.bytes));
            let fingerprint = Some(Fingerprint::of_bytes(&samples.bytes));
            let whole = data::open(samples.name, samples.bytes, labels, &specs)?;
            Ok(Loaded {
                fingerprint,
                ..loaded(samples.name, whole, request, &specs)?
            })
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
        previewed: request.selection,
        total: whole.len(),
        synthetic: false,
        folder: None,
        classes: vec![],
        class_order: String::new(),
        skipped: vec![],
        preprocess: None,
        preprocess_from: GuessedFrom::Nobody,
        fingerprint: None,
        labels_sha256: None,
        label_column: None,
        stamps: Stamps::default(),
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
    let (recorder, reader) = Recorder::new(walk::reader(path));
    let found = data::open_folder(
        FolderRequest {
            name: &name,
            listing,
            read: reader,
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
    let fingerprint = Some(recorder.finish());
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
        previewed: request.selection,
        total: found.total,
        synthetic: false,
        folder: Some(found.kind),
        classes: found.classes,
        class_order: found.class_order,
        skipped: found.skipped,
        preprocess: Some(preprocess),
        preprocess_from,
        warnings,
        fingerprint,
        labels_sha256: None,
        label_column: None,
        stamps: Stamps::default(),
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
    file_beside(path, name).map(|f| named(&f)).transpose()
}

fn file_beside(path: &Path, name: &str) -> Option<PathBuf> {
    let candidates = data::label_candidates(name).into_iter();
    let mut files = candidates.map(|candidate| path.with_file_name(candidate));
    files.find(|file| file.is_file())
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
