//! Folders of images or sounds: which files, which classes, checked once when opened, decoded while they stream.

mod classes;
mod decode;
mod drawing;
mod image;
mod labels;
mod resize;
mod stream;

use std::sync::Arc;

use bytes::Bytes;

pub(super) use classes::{Assigned, assign};
pub use classes::{ClassNames, ClassOrder};
pub use decode::FileKind;
pub use drawing::{Drawing, ImageInput};
pub(super) use labels::Classes;
pub use stream::Skipped;

use super::preprocess::Preprocess;
use super::selection::Selection;
use super::words::count;
use super::{Dataset, InputSpec};
use crate::error::Result;
use crate::invalid;
use crate::progress::Progress;
use decode::Decoder;

/// Most files that a folder may hold.
pub const MAX_FILES: usize = 2_000_000;

/// Reads one file of the folder, by its path within it. The core opens no files itself.
pub type ReadFile = Arc<dyn Fn(&str) -> Result<Bytes> + Send + Sync>;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path within the folder, parts joined by `/`; at most one sub-folder deep.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// What a folder holds, hidden files and folders left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files in it and in its sub-folders.
    pub files: Vec<Entry>,
    /// Names of its sub-folders.
    pub folders: Vec<String>,
    /// The first folder found inside a sub-folder, if there is one; what it holds is not listed.
    pub too_deep: Option<String>,
}

/// What [`open_folder`] needs to know.
pub struct FolderRequest<'a> {
    /// What to call it in messages and figures.
    pub name: &'a str,
    /// What it holds.
    pub listing: Listing,
    /// How to read a file of it.
    pub read: ReadFile,
    /// What the model takes.
    pub specs: &'a [InputSpec],
    /// How files become inputs.
    pub preprocess: Preprocess,
    /// Which samples.
    pub selection: Selection,
    /// Name and bytes of a file of labels: a line for each file, or in a folder with sub-folders the classes' names.
    pub labels: Option<(String, Bytes)>,
    /// Which class is which output of the model.
    pub order: ClassOrder,
    /// Classes that the model tells apart; `None` where it is no classifier.
    pub classes: Option<usize>,
    /// Whether classes that do not fit the model are an error, rather than a warning and samples without labels.
    pub needs_labels: bool,
}

/// A folder that was read.
pub struct FolderData {
    /// The chosen samples, checked.
    pub dataset: Arc<dyn Dataset>,
    /// What its files are.
    pub kind: FileKind,
    /// Files there are, before the choice.
    pub total: usize,
    /// Names of the classes by index of the model's output; empty where they are not known.
    pub classes: Vec<String>,
    /// How the classes got their indices, such as `names in alphabetical order`; empty without classes.
    pub class_order: String,
    /// Files that cannot be read, with the reason.
    pub skipped: Vec<Skipped>,
    /// What is odd but no error, one sentence each.
    pub warnings: Vec<String>,
}

/// Samples of a folder, before any is read.
struct Plan {
    kind: FileKind,
    /// Files in the order of the samples.
    files: Vec<Entry>,
    /// For each file its class by name, as an index into `found`.
    groups: Option<Vec<u32>>,
    /// Class names as the folder or the label file has them, or indices that the label file gives.
    found: labels::Classes,
    warnings: Vec<String>,
}

/// Opens a folder of images (PNG, JPEG, BMP, WebP, GIF) or sounds (WAV): a sub-folder for each class, or all files in one folder,
/// with or without a file of labels.
///
/// Files are taken in the order of their names, those of classes in turns (the first of each class, then the second of each, …).
/// Every chosen file is decoded once here, in parallel, so that a run later cannot stumble over one: a file that cannot be read
/// is skipped and another takes its place where a number was asked for. What was decoded is kept up to 64 MB; the rest is
/// decoded again while it streams, a few megabytes ahead. Memory does not grow with the number of files beyond their names.
///
/// # Errors
/// An empty folder; one that holds something else, or images and sounds; files both in it and in its sub-folders; sub-folders in
/// sub-folders; labels that do not fit the files; classes that do not fit the model; more than 1 % (and more than one) of the
/// files unreadable; preprocessing that does not fit the model's input; cancellation.
pub fn open_folder(request: FolderRequest<'_>, progress: &Progress) -> Result<FolderData> {
    let name = request.name;
    let [spec] = request.specs else {
        return invalid!(
            "The model has {} inputs, {name} is a folder of single files; put one array per input into a .npz",
            request.specs.len()
        );
    };
    let mut plan = plan(name, request.listing, request.labels)?;
    let total = plan.files.len();
    let decoder = Decoder::new(plan.kind, spec, &request.preprocess)?;
    let named = classes::assign(name, &plan.found, &request.order, request.classes);
    let named = match named {
        Ok(named) => named,
        Err(e) if !request.needs_labels => {
            plan.warnings
                .push(format!("{e}; its samples are used without labels"));
            None
        }
        Err(e) => return Err(e),
    };
    let labels: Option<Vec<u32>> = match (&named, &plan.groups) {
        (Some(named), Some(groups)) => Some(
            groups
                .iter()
                .filter_map(|&g| named.index.get(g as usize).copied())
                .collect(),
        ),
        _ => None,
    };
    let queues = request.selection.queues(total, plan.groups.as_deref())?;
    let found = stream::check(
        name,
        &plan.files,
        &queues,
        &request.read,
        &decoder,
        progress,
    )?;
    let (classes, class_order) = named.map_or_else(Default::default, |n| (n.names, n.how));
    let (dataset, skipped) = stream::dataset(
        name,
        (request.read, decoder),
        plan.files,
        labels.as_deref(),
        found,
    );
    Ok(FolderData {
        dataset,
        kind: plan.kind,
        total,
        classes,
        class_order,
        skipped,
        warnings: plan.warnings,
    })
}

/// Which files are samples, and of which class each is.
fn plan(name: &str, listing: Listing, labels: Option<(String, Bytes)>) -> Result<Plan> {
    if listing.files.len() > MAX_FILES {
        return invalid!(
            "{name} holds more than {} files; choose a smaller folder",
            count(MAX_FILES)
        );
    }
    let kind = decode::kind_of_folder(name, &listing)?;
    if let Some(deep) = &listing.too_deep {
        return invalid!(
            "{name} nests its sub-folders too deep ({deep}): choose the folder whose sub-folders are the classes"
        );
    }
    let mut files: Vec<Entry> = listing
        .files
        .into_iter()
        .filter(|f| FileKind::of(&f.path) == Some(kind))
        .collect();
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let nested = files.iter().filter(|f| f.path.contains('/')).count();
    let mut warnings = vec![];
    let by_file = match &labels {
        Some((from, bytes)) => labels::by_file(from, bytes, &files, nested > 0)?,
        None => None,
    };
    if let Some(by_file) = by_file {
        return Ok(Plan {
            kind,
            files,
            groups: Some(by_file.groups),
            found: by_file.classes,
            warnings,
        });
    }
    if nested > 0 && nested < files.len() {
        let noun = kind.noun();
        return invalid!(
            "{name} holds {} {noun} itself and {} in its sub-folders: put each into the sub-folder of its class, or all into one folder",
            count(files.len() - nested),
            count(nested)
        );
    }
    if nested == 0 {
        return Ok(Plan {
            kind,
            files,
            groups: None,
            found: labels::Classes::Unknown,
            warnings,
        });
    }
    let mut folders = listing.folders;
    folders.sort_unstable();
    let class_of = |file: &Entry| {
        let folder = file.path.split('/').next().unwrap_or("");
        folders
            .binary_search_by(|f| f.as_str().cmp(folder))
            .map_or(u32::MAX, |i| i as u32)
    };
    let (files, groups) = in_turns(files, class_of);
    for (i, folder) in folders.iter().enumerate() {
        if !groups.contains(&(i as u32)) {
            warnings.push(format!(
                "The class folder {folder} of {name} holds no {}",
                kind.noun()
            ));
        }
    }
    let found = match labels {
        Some((from, bytes)) => labels::Classes::Listed(folders, ClassNames::read(&from, &bytes)?),
        None => labels::Classes::Named(folders),
    };
    Ok(Plan {
        kind,
        files,
        groups: Some(groups),
        found,
        warnings,
    })
}

/// Files in turns, one of each class, and the class of each.
fn in_turns(files: Vec<Entry>, class_of: impl Fn(&Entry) -> u32) -> (Vec<Entry>, Vec<u32>) {
    let mut seen = std::collections::HashMap::<u32, usize>::new();
    let mut turns: Vec<(usize, u32, Entry)> = files
        .into_iter()
        .map(|file| {
            let class = class_of(&file);
            let turn = seen.entry(class).or_default();
            *turn += 1;
            (*turn, class, file)
        })
        .collect();
    // Stable: files of a class keep their order.
    turns.sort_by_key(|&(turn, class, _)| (turn, class));
    turns
        .into_iter()
        .map(|(_, class, file)| (file, class))
        .unzip()
}
