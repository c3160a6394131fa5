//! What TFLite Metadata says of a model's input and output: normalization, and the labels packed behind the model.
//!
//! The blob `TFLITE_METADATA` is a FlatBuffer of its own (root ModelMetadata, identifier M001). Only a few of its fields are wanted, so
//! they are read by their slots, every offset checked; whatever does not fit is taken as absent.

use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::ZipArchive;

use crate::graph::Graph;

const NAME: &str = "TFLITE_METADATA";
/// Largest label file that is unpacked.
const MAX_LABELS: u64 = 16 << 20;
/// Most entries of a vector that are looked at.
const MOST: usize = 100_000;
/// Member NormalizationOptions of the union ProcessUnitOptions.
const NORMALIZATION: u8 = 1;
/// Values of AssociatedFileType that name classes: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS.
const LABELS: [u8; 2] = [2, 3];

/// What the metadata of a model says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelMetadata {
    /// Mean and deviation of each channel (or one for all) of the first input, in the values that the file holds (grey levels).
    pub normalization: Option<(Vec<f64>, Vec<f64>)>,
    /// Name and bytes of the file with the labels of the first output that has one.
    pub labels: Option<(String, Bytes)>,
}

/// Reads the metadata of a model; whatever is absent or damaged is `None`.
pub fn metadata(graph: &Graph) -> ModelMetadata {
    let blob = graph.metadata.iter().find(|m| m.name == NAME);
    let (normalization, file) = blob.map_or((None, None), |b| described(&b.data));
    let labels = graph
        .packed_files
        .as_ref()
        .and_then(|archive| unpack(archive, file.as_deref()));
    ModelMetadata {
        normalization,
        labels,
    }
}

type Normalization = (Vec<f64>, Vec<f64>);

/// The normalization of the first input and the name of the first output's label file.
fn described(blob: &[u8]) -> (Option<Normalization>, Option<String>) {
    let subgraph = || {
        let root = Table::root(blob)?;
        root.tables(3)?.next()
    };
    let Some(subgraph) = subgraph() else {
        return (None, None);
    };
    let normalization = || {
        let input = subgraph.tables(2)?.next()?;
        let mut units = input.tables(4)?;
        let unit = units.find(|u| u.byte(0) == Some(NORMALIZATION))?;
        let options = unit.table(1)?;
        Some((options.floats(0)?, options.floats(1)?))
    };
    let file = || {
        let files = subgraph.tables(3)?.filter_map(|output| output.tables(6));
        let labels = files
            .flatten()
            .filter(|f| f.byte(2).is_some_and(|t| LABELS.contains(&t)));
        let mut named = labels.filter_map(|f| Some((f.text(0)?, f.text(3).unwrap_or_default())));
        let first = named.next()?;
        // One without locale is the original, the others are translations.
        let plain = std::iter::once(first.clone())
            .chain(named)
            .find(|(_, l)| l.is_empty());
        Some(plain.unwrap_or(first).0)
    };
    (normalization(), file())
}

/// The label file of that name, or the only text file of the archive.
fn unpack(archive: &Bytes, name: Option<&str>) -> Option<(String, Bytes)> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).ok()?;
    let name = match name {
        Some(name) => name.to_owned(),
        None => {
            let mut texts = archive
                .file_names()
                .filter_map(Result::ok)
                .filter(|n| n.ends_with(".txt"));
            match (texts.next(), texts.next()) {
                (Some(only), None) => only.into_owned(),
                _ => return None,
            }
        }
    };
    let mut bytes = vec![];
    let file = archive.by_name(&name).ok()?;
    file.take(MAX_LABELS).read_to_end(&mut bytes).ok()?;
    Some((name, bytes.into()))
}

/// A table of a FlatBuffer.
#[derive(Clone, Copy)]
struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    vtable: usize,
}

impl<'a> Table<'a> {
    fn root(buffer: &'a [u8]) -> Option<Self> {
        Self::new(buffer, follow(buffer, 0)?)
    }

    fn new(buffer: &'a [u8], at: usize) -> Option<Self> {
        let back = i32::from_le_bytes(bytes(buffer, at)?);
        let vtable = i64::try_from(at).ok()?.checked_sub(back.into())?;
        let vtable = usize::try_from(vtable).ok()?;
        Some(Self { buffer, at, vtable })
    }

    /// Where the field of that slot lies.
    fn field(&self, slot: usize) -> Option<usize> {
        let size = u16::from_le_bytes(bytes(self.buffer, self.vtable)?);
        let entry = 4 + 2 * slot;
        if entry + 2 > usize::from(size) {
            return None;
        }
        match u16::from_le_bytes(bytes(self.buffer, self.vtable.checked_add(entry)?)?) {
            0 => None,
            offset => self.at.checked_add(offset.into()),
        }
    }

    fn byte(&self, slot: usize) -> Option<u8> {
        self.buffer.get(self.field(slot)?).copied()
    }

    fn table(&self, slot: usize) -> Option<Self> {
        Self::new(self.buffer, follow(self.buffer, self.field(slot)?)?)
    }

    /// Where a vector's elements begin, and how many there are.
    fn vector(&self, slot: usize) -> Option<(usize, usize)> {
        let at = follow(self.buffer, self.field(slot)?)?;
        let length = u32::from_le_bytes(bytes(self.buffer, at)?) as usize;
        Some((at.checked_add(4)?, length.min(MOST)))
    }

    fn tables(self, slot: usize) -> Option<impl Iterator<Item = Table<'a>>> {
        let (start, length) = self.vector(slot)?;
        let each = move |i| {
            let at = follow(self.buffer, start.checked_add(4 * i)?)?;
            Table::new(self.buffer, at)
        };
        Some((0..length).map_while(each))
    }

    fn floats(&self, slot: usize) -> Option<Vec<f64>> {
        let (start, length) = self.vector(slot)?;
        let each = |i| {
            let four = bytes(self.buffer, start.checked_add(4 * i)?)?;
            Some(f32::from_le_bytes(four).into())
        };
        (0..length).map(each).collect()
    }

    fn text(&self, slot: usize) -> Option<String> {
        let (start, length) = self.vector(slot)?;
        let text = self.buffer.get(start..start.checked_add(length)?)?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// The place that the offset at `at` leads to.
fn follow(buffer: &[u8], at: usize) -> Option<usize> {
    let offset = u32::from_le_bytes(bytes(buffer, at)?) as usize;
    at.checked_add(offset)
}

fn bytes<const N: usize>(buffer: &[u8], at: usize) -> Option<[u8; N]> {
    buffer.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use flatbuffers::{FlatBufferBuilder, WIPOffset};

    use super::*;

    type Done = WIPOffset<flatbuffers::TableFinishedWIPOffset>;

    /// A table with offsets in some slots.
    fn table(b: &mut FlatBufferBuilder<'_>, fields: &[(u16, Done)]) -> Done {
        let start = b.start_table();
        for &(slot, value) in fields {
            b.push_slot_always(4 + 2 * slot, value);
        }
        b.end_table(start)
    }

    fn blob() -> Vec<u8> {
        let mut b = FlatBufferBuilder::new();
        let as_table = |offset: u32| -> Done { WIPOffset::new(offset) };
        let mean = b.create_vector(&[127.5f32]).value();
        let deviation = b.create_vector(&[127.5f32, 1.0, 2.0]).value();
        let options = table(&mut b, &[(0, as_table(mean)), (1, as_table(deviation))]);
        let start = b.start_table();
        b.push_slot_always(4, NORMALIZATION);
        b.push_slot_always(6, options);
        let unit = b.end_table(start);
        let units = b.create_vector(&[unit]).value();
        let input = table(&mut b, &[(4, as_table(units))]);
        let inputs = b.create_vector(&[input]).value();
        let name = b.create_string("labels.txt").value();
        let start = b.start_table();
        b.push_slot_always(4, as_table(name));
        b.push_slot_always(8, LABELS[0]);
        let file = b.end_table(start);
        let files = b.create_vector(&[file]).value();
        let output = table(&mut b, &[(6, as_table(files))]);
        let outputs = b.create_vector(&[output]).value();
        let subgraph = table(&mut b, &[(2, as_table(inputs)), (3, as_table(outputs))]);
        let subgraphs = b.create_vector(&[subgraph]).value();
        let root = table(&mut b, &[(3, as_table(subgraphs))]);
        b.finish(root, Some("M001"));
        b.finished_data().to_vec()
    }

    #[test]
    fn normalization_and_label_file_are_found() {
        let (normalization, file) = described(&blob());
        assert_eq!(normalization, Some((vec![127.5], vec![127.5, 1.0, 2.0])));
        assert_eq!(file.as_deref(), Some("labels.txt"));
    }

    #[test]
    fn damage_is_absence() {
        let whole = blob();
        for length in 0..whole.len() {
            described(&whole[..length]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                described(&damaged);
            }
        }
    }
}
