//! Where a session lies: in one zip file, or in a folder in which each part is written once.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::document::check_name;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::workbench::{Fingerprint, files};
use crate::{invalid, malformed};

/// Name of the document in either.
const DOCUMENT: &str = "session.json";
/// Where parts are.
const PARTS: &str = "parts";
/// Most bytes of a document, far above any that is written.
const MOST_DOCUMENT: u64 = 64 << 20;
/// Most bytes that the figures of one experiment unpack to.
const MOST_FIGURES: u64 = 256 << 20;

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A model's file, kept as it is.
    File,
    /// Figures, compressed.
    Figures,
}

/// Takes the parts of a session, then its document.
pub(super) trait Sink {
    /// Puts a part there and returns its name.
    fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<String>;
}

/// Gives the parts of a session.
pub(super) trait Store {
    /// The document.
    fn document(&mut self) -> Result<Vec<u8>>;
    /// The part of that name, which its content must have.
    fn part(&mut self, kind: Kind, name: &str) -> Result<Bytes>;
}

/// Fails unless the bytes are those that the name promises.
fn checked(name: &str, bytes: Bytes) -> Result<Bytes> {
    match Fingerprint::of_bytes(&bytes).sha256 == name {
        true => Ok(bytes),
        false => malformed!("part {name} is damaged: its content has another SHA-256"),
    }
}

/// A zip file being written.
pub(super) struct Zip<'a> {
    writer: ZipWriter<&'a mut File>,
    there: HashSet<String>,
    progress: &'a Progress,
}

impl<'a> Zip<'a> {
    pub(super) fn new(file: &'a mut File, progress: &'a Progress) -> Self {
        Self {
            writer: ZipWriter::new(file),
            there: HashSet::new(),
            progress,
        }
    }

    fn add(&mut self, name: String, kind: Kind, bytes: &[u8]) -> Result<()> {
        let explain = |e: &dyn std::fmt::Display| Error::Invalid(e.to_string());
        let options = SimpleFileOptions::default()
            .compression_method(match kind {
                Kind::File => CompressionMethod::Stored,
                Kind::Figures => CompressionMethod::Deflated,
            })
            .large_file(bytes.len() as u64 >= u64::from(u32::MAX));
        let begun = self.writer.start_file(name, options);
        begun.map_err(|e| explain(&e))?;
        for piece in bytes.chunks(1 << 20) {
            self.progress.check()?;
            self.writer.write_all(piece).map_err(|e| explain(&e))?;
        }
        Ok(())
    }

    /// Adds the document and ends the file.
    pub(super) fn finish(mut self, document: &[u8]) -> Result<()> {
        self.add(DOCUMENT.into(), Kind::Figures, document)?;
        let done = self.writer.finish();
        done.map_err(|e| Error::Invalid(e.to_string())).map(|_| ())
    }
}

impl Sink for Zip<'_> {
    fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<String> {
        let name = Fingerprint::of_bytes(bytes).sha256;
        self.progress.check()?;
        if self.there.insert(name.clone()) {
            self.add(format!("{PARTS}/{name}"), kind, bytes)?;
        }
        Ok(name)
    }
}

/// A zip file being read.
pub(super) struct Unzip {
    archive: ZipArchive<File>,
    /// Bytes of the whole file: no stored part can be larger.
    size: u64,
}

impl Unzip {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = files::open(path)?;
        let size = file.metadata().map_or(0, |m| m.len());
        let Ok(archive) = ZipArchive::new(file) else {
            return malformed!("this is no session file, or it is cut off");
        };
        Ok(Self { archive, size })
    }

    fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>> {
        let Ok(entry) = self.archive.by_name(name) else {
            return malformed!("this is no session file: it holds no readable {name}");
        };
        let mut bytes = vec![];
        let read = entry.take(most.saturating_add(1)).read_to_end(&mut bytes);
        if read.is_err() {
            return malformed!("{name} is damaged or cut off");
        }
        if bytes.len() as u64 > most {
            return malformed!("{name} unpacks to more than {most} bytes");
        }
        Ok(bytes)
    }
}

impl Store for Unzip {
    fn document(&mut self) -> Result<Vec<u8>> {
        self.entry(DOCUMENT, MOST_DOCUMENT)
    }

    fn part(&mut self, kind: Kind, name: &str) -> Result<Bytes> {
        check_name(name)?;
        let most = match kind {
            Kind::File => self.size,
            Kind::Figures => MOST_FIGURES,
        };
        let bytes = self.entry(&format!("{PARTS}/{name}"), most)?;
        checked(name, bytes.into())
    }
}

/// A folder that keeps a session: parts are written once, only the document anew.
pub(super) struct Folder<'a> {
    folder: PathBuf,
    named: HashSet<String>,
    progress: &'a Progress,
}

impl<'a> Folder<'a> {
    pub(super) fn new(folder: &Path, progress: &'a Progress) -> Self {
        Self {
            folder: folder.to_owned(),
            named: HashSet::new(),
            progress,
        }
    }

    fn parts(&self) -> PathBuf {
        self.folder.join(PARTS)
    }

    /// Writes the document; parts that it does not name go.
    pub(super) fn finish(self, document: &[u8]) -> Result<()> {
        files::write(&self.folder.join(DOCUMENT), document)?;
        let Ok(all) = std::fs::read_dir(self.parts()) else {
            return Ok(());
        };
        for part in all.flatten() {
            let named = part.file_name().into_string();
            if !named.is_ok_and(|n| self.named.contains(&n)) {
                // Best effort: what stays costs room only, and goes the next time.
                let _ = std::fs::remove_file(part.path());
            }
        }
        Ok(())
    }

    /// When the session in this folder was written; `None` if there is none.
    pub(super) fn written(folder: &Path) -> Option<std::time::SystemTime> {
        std::fs::metadata(folder.join(DOCUMENT))
            .ok()?
            .modified()
            .ok()
    }
}

impl Sink for Folder<'_> {
    fn put(&mut self, _: Kind, bytes: &[u8]) -> Result<String> {
        self.progress.check()?;
        let name = Fingerprint::of_bytes(bytes).sha256;
        let parts = self.parts();
        let path = parts.join(&name);
        let there = std::fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64);
        if !there {
            if let Err(e) = std::fs::create_dir_all(&parts) {
                return invalid!("{}: cannot be made: {e}", parts.display());
            }
            files::write(&path, bytes)?;
        }
        self.named.insert(name.clone());
        Ok(name)
    }
}

impl Store for Folder<'_> {
    fn document(&mut self) -> Result<Vec<u8>> {
        limited(&self.folder.join(DOCUMENT), MOST_DOCUMENT)
    }

    fn part(&mut self, kind: Kind, name: &str) -> Result<Bytes> {
        self.progress.check()?;
        check_name(name)?;
        let path = self.parts().join(name);
        let bytes = match kind {
            Kind::File => files::read(&path)?,
            Kind::Figures => limited(&path, MOST_FIGURES)?.into(),
        };
        checked(name, bytes)
    }
}

/// A file of at most so many bytes.
fn limited(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = files::open(path)?;
    let mut bytes = vec![];
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    match read {
        Ok(read) if read as u64 <= most => Ok(bytes),
        Ok(_) => malformed!("{}: it is larger than {most} bytes", path.display()),
        Err(e) => invalid!("{}: cannot be read: {e}", path.display()),
    }
}
