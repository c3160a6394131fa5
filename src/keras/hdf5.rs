//! The little of HDF5 that Keras uses: attributes of strings, groups, and dense arrays of numbers, with bounded memory.

use std::cell::Cell;
use std::collections::HashMap;

use bytes::Bytes;
use hdf5_pure::{AttrValue, DType, Datatype, DatatypeByteOrder, File, Group};

use crate::error::{Error, Result};
use crate::{malformed, unsupported};

/// First bytes of an HDF5 file.
pub(super) const MAGIC: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// A dense array of a weight file, widened or narrowed to float32.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Row-major, as many as the shape holds.
    pub data: Vec<f32>,
}

/// An opened file.
pub(super) struct Hdf5 {
    file: File,
    /// Bytes that its arrays may still unpack to: a small file must not unfold into a huge one.
    budget: Cell<u64>,
}

impl Hdf5 {
    /// Reads the superblock.
    pub fn open(bytes: Bytes) -> Result<Self> {
        let length = bytes.len() as u64;
        match File::from_bytes(Vec::from(bytes)) {
            Ok(file) => Ok(Self {
                file,
                budget: Cell::new(length.saturating_mul(16).saturating_add(1 << 26)),
            }),
            Err(e) => malformed!("This HDF5 file is damaged or cut off: {e}"),
        }
    }

    /// Whether there is a group at `path`.
    pub fn has_group(&self, path: &str) -> bool {
        self.group(path).is_ok()
    }

    fn group(&self, path: &str) -> Result<Group> {
        let opened = match path.trim_matches('/') {
            "" => Ok(self.file.root()),
            path => self.file.group(path),
        };
        opened.map_err(|e| {
            Error::Malformed(format!(
                "The HDF5 group '{path}' is missing or damaged: {e}"
            ))
        })
    }

    fn attributes(&self, path: &str) -> Result<HashMap<String, AttrValue>> {
        self.group(path)?.attrs().map_err(|e| {
            Error::Malformed(format!(
                "The attributes of the HDF5 group '{path}' are damaged: {e}"
            ))
        })
    }

    /// A text attribute of a group; `None` if it has none of this name.
    pub fn text(&self, path: &str, name: &str) -> Result<Option<String>> {
        let attributes = self.attributes(path)?;
        Ok(attributes
            .get(name)
            .and_then(AttrValue::as_str)
            .map(str::to_owned))
    }

    /// A list of texts; Keras splits one above 64 KB into `name0`, `name1`, …. `None` if the group has none of this name.
    pub fn texts(&self, path: &str, name: &str) -> Result<Option<Vec<String>>> {
        let attributes = self.attributes(path)?;
        // An empty list is stored as an empty array of numbers.
        let strings = |v: &AttrValue| v.as_strings().unwrap_or_default().to_vec();
        if let Some(value) = attributes.get(name) {
            return Ok(Some(strings(value)));
        }
        let parts: Vec<String> = (0..)
            .map_while(|i| attributes.get(&format!("{name}{i}")))
            .flat_map(strings)
            .collect();
        Ok((!parts.is_empty()).then_some(parts))
    }

    /// Whether there is an array at `path`.
    pub fn has_array(&self, path: &str) -> bool {
        self.file.dataset(path).is_ok()
    }

    /// The array at `path` as float32.
    ///
    /// # Errors
    /// Malformed if it is missing or damaged or larger than this file can hold; Unsupported if it holds no numbers.
    pub fn array(&self, path: &str) -> Result<Array> {
        let wrong = |e: hdf5_pure::Error| {
            Error::Malformed(format!(
                "The HDF5 array '{path}' is missing, damaged or cut off: {e}"
            ))
        };
        let dataset = self.file.dataset(path).map_err(wrong)?;
        let extents = dataset.shape().map_err(wrong)?;
        let width = dataset.element_size().map_err(wrong)?;
        let elements = extents.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
        let size = elements.and_then(|n| n.checked_mul(width.max(4)));
        let Some(left) = size.and_then(|n| self.budget.get().checked_sub(n)) else {
            return malformed!(
                "The HDF5 array '{path}' says it has the shape {extents:?}, far more than this file can hold"
            );
        };
        let data: Vec<f32> = match dataset.dtype().map_err(wrong)? {
            DType::F32 => dataset.read_f32().map_err(wrong)?,
            DType::F64 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => {
                narrow(dataset.read_f64().map_err(wrong)?)
            }
            DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                narrow(dataset.read_f64().map_err(wrong)?)
            }
            DType::Other(kind) => match *kind {
                Datatype::FloatingPoint {
                    size: 2,
                    byte_order: DatatypeByteOrder::LittleEndian,
                    ..
                } => {
                    let raw = dataset.read_raw().map_err(wrong)?;
                    raw.as_chunks::<2>()
                        .0
                        .iter()
                        .map(|&b| half::f16::from_le_bytes(b).to_f32())
                        .collect()
                }
                _ => {
                    return unsupported!(
                        "The HDF5 array '{path}' holds no numbers of a known type"
                    );
                }
            },
            other => return unsupported!("The HDF5 array '{path}' holds {other}, not numbers"),
        };
        let shape: Vec<usize> = extents.iter().map(|&d| d as usize).collect();
        if elements != Some(data.len() as u64) {
            return malformed!(
                "The HDF5 array '{path}' has {} elements, which do not fill its shape {shape:?}",
                data.len()
            );
        }
        self.budget.set(left);
        Ok(Array { shape, data })
    }
}

fn narrow(data: Vec<f64>) -> Vec<f32> {
    data.into_iter().map(|x| x as f32).collect()
}
