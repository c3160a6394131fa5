//! NumPy's `.npz` archives: a zip file of `.npy` arrays, one per model input.

use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive};

use super::MAX_UNPACKED;
use super::array::Array;
use super::npy;
use super::words::count;
use crate::error::Result;
use crate::{malformed, unsupported};

/// First bytes of a zip file with entries, and of one without.
pub(super) const MAGICS: [[u8; 4]; 2] = [*b"PK\x03\x04", *b"PK\x05\x06"];

/// An opened archive.
pub(super) struct Npz {
    name: String,
    /// The whole file.
    bytes: Bytes,
    archive: ZipArchive<Cursor<Bytes>>,
    /// Names of the arrays (without `.npy`) and their position in the archive.
    arrays: Vec<(String, usize)>,
    /// Bytes that may still be unpacked.
    budget: usize,
}

impl Npz {
    /// Reads the archive's directory.
    pub(super) fn open(name: &str, bytes: Bytes) -> Result<Self> {
        let Ok(archive) = ZipArchive::new(Cursor::new(bytes.clone())) else {
            return malformed!("{name} is a damaged or truncated zip file");
        };
        let mut arrays = vec![];
        for i in 0..archive.len() {
            if let Some(Ok(entry)) = archive.name_for_index(i)
                && let Some(array) = entry.strip_suffix(".npy")
            {
                arrays.push((array.to_string(), i));
            }
        }
        if arrays.is_empty() {
            return malformed!("{name} holds no .npy arrays");
        }
        Ok(Self {
            name: name.into(),
            bytes,
            archive,
            arrays,
            budget: MAX_UNPACKED,
        })
    }

    /// Names of the arrays.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|(name, _)| name.as_str())
    }

    /// One array by name: where it lies if it is stored as it is (`np.savez`), else unpacked, no more of it than its header
    /// declares; `None` if there is none.
    pub(super) fn array(&mut self, name: &str) -> Option<Result<Array>> {
        let (_, index) = self.arrays.iter().find(|(n, _)| n == name)?;
        Some(self.unpack(*index, &format!("{}, array '{name}'", self.name)))
    }

    /// The header of one array by name; `None` if there is none.
    pub(super) fn header(&mut self, name: &str) -> Option<Result<npy::Header>> {
        let (_, index) = self.arrays.iter().find(|(n, _)| n == name)?;
        let what = format!("{}, array '{name}'", self.name);
        let mut head = vec![];
        let read = self.archive.by_index(*index).map(|entry| {
            let mut entry = entry.take(npy::HEAD as u64);
            entry.read_to_end(&mut head)
        });
        Some(match read {
            Ok(Ok(_)) => npy::header(&what, &head),
            Ok(Err(_)) | Err(_) => malformed!("{what} is damaged or truncated"),
        })
    }

    fn unpack(&mut self, index: usize, what: &str) -> Result<Array> {
        let damaged = || malformed!("{what} is damaged or truncated");
        let Ok(mut entry) = self.archive.by_index(index) else {
            return unsupported!(
                "{what} cannot be unpacked: it is damaged, encrypted or compressed in another way than deflate"
            );
        };
        if entry.compression() == CompressionMethod::Stored
            && !entry.encrypted()
            && let Some(start) = entry.data_start()
        {
            let end = start.saturating_add(entry.size());
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let stored = range.filter(|&(start, end)| start <= end && end <= self.bytes.len());
            let Some((start, end)) = stored else {
                return damaged();
            };
            let stored = self.bytes.slice(start..end);
            let mut sum = flate2::Crc::new();
            sum.update(&stored);
            if sum.sum() != entry.crc32() {
                return damaged();
            }
            return npy::read(what, stored);
        }
        let mut bytes = vec![];
        if (&mut entry)
            .take(npy::HEAD as u64)
            .read_to_end(&mut bytes)
            .is_err()
        {
            return damaged();
        }
        let header = npy::header(what, &bytes)?;
        let whole = header.body.saturating_add(header.size);
        if whole > self.budget {
            return unsupported!(
                "{what} declares {} bytes of data; compressed files may hold {} at most",
                count(header.size),
                count(MAX_UNPACKED)
            );
        }
        let missing = (whole + 1).saturating_sub(bytes.len());
        if entry.take(missing as u64).read_to_end(&mut bytes).is_err() {
            return damaged();
        }
        self.budget -= whole;
        npy::read(what, bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::data::write_npy;
    use crate::graph::{Data, Value};

    fn npz(method: CompressionMethod) -> Bytes {
        let values = Value::new(vec![64], Data::F32(vec![0.25; 64])).unwrap();
        let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        zip.start_file("x.npy", options).unwrap();
        zip.write_all(&write_npy(&values)).unwrap();
        zip.finish().unwrap().into_inner().into()
    }

    #[test]
    fn stored_arrays_are_not_copied() {
        for (method, inside) in [
            (CompressionMethod::Stored, true),
            (CompressionMethod::Deflated, false),
        ] {
            let bytes = npz(method);
            let mut archive = Npz::open("a.npz", bytes.clone()).unwrap();
            assert_eq!(archive.header("x").unwrap().unwrap().shape, [64]);
            let array = archive.array("x").unwrap().unwrap();
            assert_eq!(array.bytes.len(), 256);
            let lies_in = bytes.as_ptr_range().contains(&array.bytes.as_ptr());
            assert_eq!(lies_in, inside, "{method:?}");
        }
    }

    #[test]
    fn a_stored_array_that_was_changed_is_noticed() {
        let mut bytes = npz(CompressionMethod::Stored).to_vec();
        let at = bytes.windows(4).position(|w| w == 0.25f32.to_le_bytes());
        bytes[at.unwrap()] ^= 1;
        let mut archive = Npz::open("a.npz", bytes.into()).unwrap();
        let error = archive.array("x").unwrap().expect_err("the sum is wrong");
        assert_eq!(
            error.to_string(),
            "a.npz, array 'x' is damaged or truncated"
        );
    }
}
