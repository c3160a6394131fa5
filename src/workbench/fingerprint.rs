//! What results depend on, by content: fingerprints of files and folders, and cheap signs that they may have changed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{files, walk};
use crate::data::ReadFile;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Bytes hashed between two looks at the cancel flag.
const PIECE: usize = 1 << 20;

/// The content of a file or a folder: equal fingerprints, equal results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256, hexadecimal. Of a file, of its bytes. Of a folder, of a line for every file that was read of it, in the order of
    /// their names: its SHA-256, two blanks, its path within the folder and a line feed, as `sha256sum` prints it.
    pub sha256: String,
    /// Files that it covers.
    pub files: usize,
    /// Bytes that they hold.
    pub bytes: u64,
}

impl Fingerprint {
    /// Of a file that is in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            sha256: hex(Sha256::new_with_prefix(bytes)),
            files: 1,
            bytes: bytes.len() as u64,
        }
    }

    /// Of a file on the disk, read piece by piece.
    ///
    /// # Errors
    /// A file that cannot be read, cancellation.
    pub fn of_file(path: &Path, progress: &Progress) -> Result<Self> {
        let mut file = files::open(path)?;
        let (mut sum, mut bytes) = (Sha256::new(), 0);
        let mut piece = vec![0; PIECE];
        loop {
            progress.check()?;
            let read = file
                .read(&mut piece)
                .map_err(|e| Error::Invalid(format!("{}: cannot be read: {e}", path.display())))?;
            if read == 0 {
                break;
            }
            sum.update(piece.get(..read).unwrap_or(&[]));
            bytes += read as u64;
        }
        Ok(Self {
            sha256: hex(sum),
            files: 1,
            bytes,
        })
    }

    /// Of labels: SHA-256 of the class of each sample as little-endian 32-bit integers.
    pub fn of_labels(labels: &[u32]) -> String {
        let mut sum = Sha256::new();
        labels.iter().for_each(|l| sum.update(l.to_le_bytes()));
        hex(sum)
    }
}

fn hex(sum: Sha256) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in sum.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Size and SHA-256 of the files of a folder by their paths; `None` once nobody wants to know more.
type Seen = Arc<Mutex<Option<BTreeMap<String, (u64, String)>>>>;

/// Watches which files of a folder are read while it is opened, so that its fingerprint costs no second reading.
pub(super) struct Recorder(Seen);

impl Recorder {
    /// A recorder, and the reader that it watches.
    pub(super) fn new(read: ReadFile) -> (Self, ReadFile) {
        let seen: Seen = Arc::new(Mutex::new(Some(BTreeMap::new())));
        let held = seen.clone();
        let watched = move |path: &str| {
            let bytes = read(path)?;
            let open = held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_some();
            if open {
                let sum = hex(Sha256::new_with_prefix(&bytes));
                let mut seen = held.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(seen) = seen.as_mut() {
                    seen.insert(path.to_owned(), (bytes.len() as u64, sum));
                }
            }
            Ok(bytes)
        };
        (Self(seen), Arc::new(watched))
    }

    /// The fingerprint of what was read so far; from now on nothing is watched.
    pub(super) fn finish(self) -> Fingerprint {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.take().unwrap_or_default();
        let mut sum = Sha256::new();
        for (path, (_, file)) in &seen {
            sum.update(format!("{file}  {path}\n"));
        }
        Fingerprint {
            sha256: hex(sum),
            files: seen.len(),
            bytes: seen.values().map(|s| s.0).sum(),
        }
    }
}

/// What the file system says of some files and folders without reading them: length and time of the last change, of a folder of
/// every file in it, as git's index and make take it. Other stamps ask for another look at the content; equal ones do not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamps(Vec<(PathBuf, String)>);

impl Stamps {
    /// Those of these files and folders now. One that is not there has a stamp, too.
    ///
    /// # Errors
    /// A folder that cannot be listed, cancellation.
    pub fn of(paths: &[PathBuf], progress: &Progress) -> Result<Self> {
        let one = |path: &PathBuf| Ok((path.clone(), stamp(path, progress)?));
        paths.iter().map(one).collect::<Result<_>>().map(Self)
    }

    /// Whether everything is there.
    pub fn complete(&self) -> bool {
        self.0.iter().all(|(_, stamp)| stamp != GONE)
    }
}

const GONE: &str = "gone";

fn stamp(path: &Path, progress: &Progress) -> Result<String> {
    if !path.is_dir() {
        return Ok(of_one(path));
    }
    let listing = walk::list(path, progress)?;
    let mut sum = Sha256::new();
    for file in &listing.files {
        progress.check()?;
        sum.update(format!(
            "{} {}\n",
            file.path,
            of_one(&path.join(&file.path))
        ));
    }
    for folder in &listing.folders {
        sum.update(format!("{folder}/\n"));
    }
    Ok(hex(sum))
}

fn of_one(path: &Path) -> String {
    let Ok(about) = std::fs::metadata(path) else {
        return GONE.into();
    };
    let changed = about.modified().ok();
    // Times before 1970 are none.
    let since = changed.and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    format!("{} {}", about.len(), since.unwrap_or_default().as_nanos())
}
