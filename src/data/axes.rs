//! Open axes of model inputs, resolved from what a file or folder holds.

use std::io::Read;

use bytes::Bytes;

use super::csv;
use super::folder::FileKind;
use super::npz::Npz;
use super::open::{npz_name, only};
use super::preprocess::Preprocess;
use super::preview::ImageShape;
use super::spec::{InputSpec, Open};
use super::words::count;
use super::{idx, npy, npz, wav};
use crate::error::Result;
use crate::invalid;

/// For each model input the whole shape that the samples of a file give it, batch as it stands; `None` where nothing is open.
/// Reads headers only. The file is one that [`super::open`] opens; what is no such file is left to that to refuse.
///
/// # Errors
/// Damaged headers, and samples that the axes which are not open do not take.
pub fn file_shapes(
    name: &str,
    bytes: &Bytes,
    specs: &[InputSpec],
    preprocess: &Preprocess,
) -> Result<Vec<Option<Vec<usize>>>> {
    if bytes.starts_with(&npy::MAGIC) {
        let spec = only(name, specs)?;
        let shape = of_array(name, spec, &npy::header(name, bytes)?.shape)?;
        return Ok(vec![shape]);
    }
    if npz::MAGICS.iter().any(|m| bytes.starts_with(m)) {
        let mut archive = Npz::open(name, bytes.clone())?;
        let one = |(i, spec): (usize, &InputSpec)| {
            if spec.open == Open::None {
                return Ok(None);
            }
            let array = npz_name(&archive, name, i, specs)?;
            let what = format!("{name}, array '{array}'");
            match archive.header(&array) {
                Some(header) => of_array(&what, spec, &header?.shape),
                None => Ok(None),
            }
        };
        return specs.iter().enumerate().map(one).collect();
    }
    if wav::is_wav(bytes) {
        let spec = only(name, specs)?;
        let (format, _) = wav::open(name, bytes)?;
        let sound = &preprocess.sound;
        let frames = format.frames_at(sound.rate.unwrap_or(format.rate));
        let length = sound.length.unwrap_or(frames);
        return Ok(vec![of_values(name, spec, length)?]);
    }
    if bytes.starts_with(&idx::GZIP_MAGIC) || idx::is_idx(bytes) {
        let spec = only(name, specs)?;
        let shape = match spec.open {
            Open::None => None,
            _ => of_array(name, spec, &idx::read(name, bytes.clone())?.shape)?,
        };
        return Ok(vec![shape]);
    }
    Ok(vec![None; specs.len()])
}

/// The same for a table: an input with one open axis has as many values as the first row has columns for it.
///
/// # Errors
/// Those of [`super::read_table`] that its first row shows; inputs with several open axes.
pub fn table_shapes(
    name: &str,
    input: &mut dyn Read,
    specs: &[InputSpec],
    label_column: Option<&str>,
) -> Result<Vec<Option<Vec<usize>>>> {
    let values = csv::values_a_row(name, input, specs, label_column)?;
    let pairs = specs.iter().zip(values);
    pairs.map(|(spec, n)| of_values(name, spec, n)).collect()
}

/// The same for a folder, whose files differ: the size or length that the preprocessing gives.
///
/// # Errors
/// Invalid, asking for it, if the preprocessing gives none, or if other axes are open.
pub fn folder_shapes(
    name: &str,
    kind: FileKind,
    specs: &[InputSpec],
    preprocess: &Preprocess,
) -> Result<Vec<Option<Vec<usize>>>> {
    let Ok(spec) = only(name, specs) else {
        return Ok(vec![None; specs.len()]);
    };
    let Open::Axes(open) = &spec.open else {
        return Ok(vec![None]);
    };
    let (input, takes) = (spec.short_name(), spec.sample_text());
    match kind {
        FileKind::Sound => match preprocess.sound.length {
            Some(length) => Ok(vec![of_values(name, spec, length)?]),
            None => invalid!(
                "The model's input '{input}' takes sounds of any length ({takes}); say how many samples, as \"sound\": {{\"length\": …}} of the preprocessing or as the input's shape (--shape {}=1,…)",
                spec.name
            ),
        },
        FileKind::Image => {
            let mut shape = spec.shape.clone();
            if let Some([rows, columns]) = preprocess.size {
                let sizes = [rows, columns, rows, columns];
                // Rows and columns are the open axes, whether channels come first or last.
                let mut place = sizes.into_iter();
                for &axis in open {
                    if let (Some(slot), Some(size)) = (shape.get_mut(axis), place.next()) {
                        *slot = size;
                    }
                }
            }
            let is_image = ImageShape::of(shape.get(1..).unwrap_or_default()).is_some();
            match preprocess.size {
                Some(_) if open.len() == 2 && is_image => Ok(vec![Some(shape)]),
                Some(_) => invalid!(
                    "The model's input '{input}' takes {takes}, which the preprocessing's size does not settle; give its shape (--shape {}=1,…)",
                    spec.name
                ),
                None => invalid!(
                    "The model's input '{input}' takes pictures of any size ({takes}); say which, as \"size\": [rows, columns] of the preprocessing or as the input's shape (--shape {}=1,…)",
                    spec.name
                ),
            }
        }
    }
}

/// The shape for the samples of an array: its axes after the first, or all where it is one sample.
fn of_array(what: &str, spec: &InputSpec, shape: &[usize]) -> Result<Option<Vec<usize>>> {
    if spec.open == Open::None {
        return Ok(None);
    }
    let Some((_, sample)) = shape.split_first() else {
        return Ok(None);
    };
    let several = spec.shape_for(what, sample);
    match several.is_ok() || spec.open == Open::Rank {
        true => several.map(Some),
        false => spec.shape_for(what, shape).map(Some).or(several.map(Some)),
    }
}

/// The shape for samples of `n` values in a row.
fn of_values(what: &str, spec: &InputSpec, n: usize) -> Result<Option<Vec<usize>>> {
    let axis = match &spec.open {
        Open::None => return Ok(None),
        Open::Rank => return Ok(Some(vec![1, n])),
        Open::Axes(axes) => match axes[..] {
            [axis] => axis,
            _ => {
                return invalid!(
                    "{what} holds rows of {} values, which do not settle the model's input '{}' ({}); give its shape (--shape {}=1,…)",
                    count(n),
                    spec.short_name(),
                    spec.sample_text(),
                    spec.name
                );
            }
        },
    };
    let others = spec.shape.iter().enumerate().skip(1);
    let others = others.filter(|(a, _)| *a != axis);
    let others = others.fold(1usize, |n, (_, &d)| n.saturating_mul(d)).max(1);
    if n == 0 || !n.is_multiple_of(others) {
        return invalid!(
            "{what} holds rows of {} values, the model's input '{}' takes {}",
            count(n),
            spec.short_name(),
            spec.sample_text()
        );
    }
    let mut shape = spec.shape.clone();
    if let Some(open) = shape.get_mut(axis) {
        *open = n / others;
    }
    Ok(Some(shape))
}
