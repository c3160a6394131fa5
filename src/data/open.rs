//! Opens a data file of any kind as samples for a model.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::array::{Array, Column};
use super::npz::Npz;
use super::preprocess::Sound;
use super::words::count;
use super::{Dataset, InputSpec, idx, labels, npy, npz, wav};
use crate::error::Result;
use crate::graph::Value;
use crate::{invalid, malformed};

/// Samples that lie in arrays, one per model input.
pub(super) struct Arrays {
    pub(super) name: String,
    pub(super) samples: usize,
    pub(super) columns: Vec<Column>,
    pub(super) labels: Option<Vec<u32>>,
}

impl Dataset for Arrays {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.samples
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        if range.start > range.end || range.end > self.samples {
            return invalid!(
                "Samples {}..{} were asked of {}, which has {}",
                range.start,
                range.end,
                self.name,
                self.samples
            );
        }
        self.columns
            .iter()
            .map(|c| c.batch(range.clone()))
            .collect()
    }

    fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }
}

/// Opens a data file for the model inputs `specs`, with the labels beside it if there are any (name and bytes). What the
/// file is follows from its first bytes: an IDX file (gzipped or not), a `.npy`, a `.npz` or a `.wav` (see [`open_sound`]).
/// Tables are no such files, [`super::read_table`] reads them.
///
/// Reals are handed out as float32: IDX pixels as value / 255, float arrays converted. An integer array is taken for a
/// real input only where its type is the input's own quantized type; it is then dequantized. Inputs of integers without
/// scale take whole numbers that fit (IDX pixels unscaled). An extent of 1 may be missing or added anywhere but in front,
/// and an array of exactly one sample's shape is one sample.
///
/// # Errors
/// Everything that would spoil the figures later: shape, type, NaN or infinity, no samples, labels that are not classes or of
/// another count, a damaged file.
pub fn open(
    name: &str,
    bytes: Bytes,
    labels: Option<(String, Bytes)>,
    specs: &[InputSpec],
) -> Result<Arc<dyn Dataset>> {
    if specs.is_empty() {
        return invalid!("The model has no inputs to feed {name} to");
    }
    if bytes.is_empty() {
        return malformed!("{name} is empty");
    }
    let mut own_labels = None;
    let (noun, columns) = if bytes.starts_with(&npy::MAGIC) {
        let columns = vec![Column::new(
            npy::read(name, bytes)?,
            only(name, specs)?,
            name,
            "samples",
        )?];
        ("samples", columns)
    } else if npz::MAGICS.iter().any(|m| bytes.starts_with(m)) {
        let mut archive = Npz::open(name, bytes)?;
        let columns = npz_columns(&mut archive, name, specs)?;
        // Labels that the caller names come before those of the archive.
        if labels.is_none()
            && let Some(array) = archive.array("labels")
        {
            own_labels = Some(labels::from_array(
                &format!("{name}, array 'labels'"),
                &array?,
            )?);
        }
        ("samples", columns)
    } else if bytes.starts_with(&idx::GZIP_MAGIC) || idx::is_idx(&bytes) {
        let array = idx::read(name, bytes)?;
        if array.shape.len() < 2 {
            return invalid!("{name} is an IDX file of rank 1: labels, not images");
        }
        let columns = vec![Column::new(array, only(name, specs)?, name, "images")?];
        ("images", columns)
    } else if wav::is_wav(&bytes) {
        return open_sound(name, bytes, labels, specs, &Sound::default());
    } else {
        return not_data(name);
    };
    let labels = match labels {
        Some((name, bytes)) => Some(labels::read(&name, bytes)?),
        None => own_labels,
    };
    let samples = columns.first().map_or(0, |c| c.samples);
    if let Some(labels) = &labels {
        labels::check_count(labels, samples, noun)?;
    }
    Ok(Arc::new(Arrays {
        name: name.into(),
        samples,
        columns,
        labels,
    }))
}

/// Whether these bytes begin as a file that [`open_sound`] opens.
pub fn is_sound(bytes: &[u8]) -> bool {
    wav::is_wav(bytes)
}

/// Opens a WAV file as the one sample of a model whose input is a row of reals or 16-bit integers: its channels' mean in
/// −1..1, at the rate that `sound` wants, cut or padded with zeros to the input's length.
///
/// # Errors
/// Another input, a file that lies, compressed sound, labels that are not one.
pub fn open_sound(
    name: &str,
    bytes: Bytes,
    labels: Option<(String, Bytes)>,
    specs: &[InputSpec],
    sound: &Sound,
) -> Result<Arc<dyn Dataset>> {
    let column = wav::column(name, &bytes, only(name, specs)?, sound.rate)?;
    let labels = match labels {
        Some((name, bytes)) => Some(labels::read(&name, bytes)?),
        None => None,
    };
    if let Some(labels) = &labels {
        labels::check_count(labels, 1, "sounds")?;
    }
    Ok(Arc::new(Arrays {
        name: name.into(),
        samples: 1,
        columns: vec![column],
        labels,
    }))
}

/// The message for bytes that begin like no known data file; the name says what the user thinks they are.
fn not_data<T>(name: &str) -> Result<T> {
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".npy") {
        malformed!("{name} is not a .npy file: the signature of NumPy is missing")
    } else if lower.ends_with(".npz") {
        malformed!("{name} is not a .npz file: it does not begin as a zip file")
    } else if lower.ends_with(".wav") {
        malformed!("{name} is not a WAV file: it does not begin as one")
    } else if lower.ends_with(".gz") {
        malformed!("{name} is not a gzip file")
    } else if lower.contains("idx") || lower.contains("ubyte") {
        malformed!("{name} is not an IDX file: it does not begin with its magic number")
    } else {
        invalid!(
            "{name} is no data that can be read; it comes as IDX (.gz or not), .npy, .npz, .csv, .tsv or .wav"
        )
    }
}

/// The one input of a model, for files that hold one array.
pub(super) fn only<'a>(name: &str, specs: &'a [InputSpec]) -> Result<&'a InputSpec> {
    match specs {
        [spec] => Ok(spec),
        _ => {
            let names: Vec<&str> = specs.iter().map(|s| s.name.as_str()).collect();
            invalid!(
                "The model has {} inputs ({}), {name} holds one array; put one array per input into a .npz",
                specs.len(),
                names.join(", ")
            )
        }
    }
}

/// The array of input number `i`: of its name, or `input_<i>`, or the only array where there is one input.
pub(super) fn npz_name(archive: &Npz, name: &str, i: usize, specs: &[InputSpec]) -> Result<String> {
    let names: Vec<&str> = archive.names().collect();
    let Some(spec) = specs.get(i) else {
        return invalid!("The model has no input {i}");
    };
    let numbered = format!("input_{i}");
    let wanted = [spec.name.as_str(), spec.short_name(), numbered.as_str()];
    if let Some(found) = wanted.iter().find(|w| names.contains(w)) {
        return Ok((*found).to_owned());
    }
    let mut others = names.iter().filter(|n| **n != "labels");
    match (others.next(), others.next()) {
        (Some(single), None) if specs.len() == 1 => Ok((*single).to_owned()),
        _ => invalid!(
            "{name} has no array '{}' or '{numbered}' for the model's input {i}; it holds {}",
            spec.short_name(),
            names.join(", ")
        ),
    }
}

/// One column per input.
fn npz_columns(archive: &mut Npz, name: &str, specs: &[InputSpec]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = vec![];
    for (i, spec) in specs.iter().enumerate() {
        let array = npz_name(archive, name, i, specs)?;
        let what = format!("{name}, array '{array}'");
        let Some(values) = archive.array(&array) else {
            return invalid!("{what} is missing");
        };
        let values: Array = values?;
        let column = Column::new(values, spec, &what, "samples")?;
        if let Some(first) = columns.first()
            && first.samples != column.samples
        {
            return invalid!(
                "{what} holds {} samples, the model's first input has {}",
                count(column.samples),
                count(first.samples)
            );
        }
        columns.push(column);
    }
    Ok(columns)
}
