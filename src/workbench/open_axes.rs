//! Axes that a model leaves open: their extents from the data.

use std::path::Path;

use super::dataset::Source;
use super::files;
use super::open_data::DataRequest;
use super::walk;
use crate::data::{self, FileKind, InputSpec, Open, Preprocess};
use crate::error::Result;
use crate::progress::Progress;

/// Shapes of model inputs, each by its input's name.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// The shapes that data gives to the inputs that the model leaves open: those of its arrays, the columns of a table, a sound's
/// length, and of a folder what the preprocessing says. Empty where nothing is open, or the data does not tell.
///
/// # Errors
/// Data that cannot be read, that the inputs' fixed axes do not take, or a folder whose preprocessing does not say a size.
pub fn shapes_from(request: &DataRequest<'_>, progress: &Progress) -> Result<Shapes> {
    let specs = data::input_specs(request.model, 0);
    if specs.iter().all(|s| s.open == Open::None) {
        return Ok(vec![]);
    }
    let default = Preprocess::default();
    let preprocess = request.preprocess.unwrap_or(&default);
    let shapes = match request.source {
        Source::Demo | Source::Synthetic => return Ok(vec![]),
        Source::File { path, .. } if path.is_dir() => folder(path, &specs, preprocess, progress)?,
        Source::File { path, .. } => {
            let name = files::file_name(path);
            if data::is_table(&name) {
                let mut file = files::open(path)?;
                data::table_shapes(&name, &mut file, &specs, request.label_column)?
            } else {
                data::file_shapes(&name, &files::read(path)?, &specs, preprocess)?
            }
        }
    };
    let pairs = specs.into_iter().zip(shapes);
    Ok(pairs
        .filter_map(|(s, shape)| Some((s.name, shape?)))
        .collect())
}

fn folder(
    path: &Path,
    specs: &[InputSpec],
    preprocess: &Preprocess,
    progress: &Progress,
) -> Result<Vec<Option<Vec<usize>>>> {
    let listing = walk::list(path, progress)?;
    // A folder of nothing, or of two kinds, is refused when it is opened.
    let kind = listing.files.iter().find_map(|f| FileKind::of(&f.path));
    match kind {
        Some(kind) => data::folder_shapes(&files::file_name(path), kind, specs, preprocess),
        None => Ok(vec![None; specs.len()]),
    }
}
