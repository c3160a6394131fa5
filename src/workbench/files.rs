//! Files: read whole with one clear error, written whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use memmap2::MmapMut;
use rayon::prelude::*;

use crate::error::{Error, Result};

/// The whole file.
pub fn read(path: &Path) -> Result<Bytes> {
    opened(path, |path| whole(File::open(path)?, PART))
}

/// Bytes that a thread reads in one go.
const PART: usize = 8 << 20;

/// All that is in `file`. Of more than `part` bytes each thread reads parts of so many: copying them takes longer than finding them.
fn whole(mut file: File, part: usize) -> io::Result<Bytes> {
    let about = file.metadata()?;
    let length = usize::try_from(about.len()).unwrap_or(usize::MAX);
    // What is no plain file is read as it comes.
    if !about.is_file() || length <= part {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        return Ok(bytes.into());
    }
    // Not the file itself, which somebody may write to or cut off while it is open here.
    let mut bytes = MmapMut::map_anon(length)?;
    // In pages of the usual size, touching them takes longer than reading. Where there are no others this changes nothing.
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage);
    let parts = bytes.par_chunks_mut(part).enumerate();
    parts.try_for_each(|(i, to)| read_at(&file, to, (i * part) as u64))?;
    Ok(Bytes::from_owner(bytes.make_read_only()?))
}

/// Fills `to` with what stands in `file` from byte `from` on.
#[cfg(unix)]
fn read_at(file: &File, to: &mut [u8], from: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, to, from)
}

/// Fills `to` with what stands in `file` from byte `from` on.
#[cfg(windows)]
fn read_at(file: &File, mut to: &mut [u8], mut from: u64) -> io::Result<()> {
    while !to.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, to, from)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                to = &mut to[n..];
                from += n as u64;
            }
        }
    }
    Ok(())
}

/// The file, to be read as far as it takes.
pub fn open(path: &Path) -> Result<std::fs::File> {
    opened(path, |path| std::fs::File::open(path))
}

fn opened<T>(path: &Path, open: impl FnOnce(&Path) -> std::io::Result<T>) -> Result<T> {
    let explain = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::Invalid(format!("{}: there is no such file", path.display()))
        }
        std::io::ErrorKind::PermissionDenied => {
            Error::Invalid(format!("{}: reading it is not allowed", path.display()))
        }
        std::io::ErrorKind::IsADirectory => Error::Invalid(format!(
            "{}: this is a folder, choose a file",
            path.display()
        )),
        _ => Error::Invalid(format!("{}: cannot be read: {e}", path.display())),
    };
    if path.is_dir() {
        return Err(explain(std::io::ErrorKind::IsADirectory.into()));
    }
    open(path).map_err(explain)
}

/// Writes `bytes` beside `path` and renames: the file appears whole or not at all, and an older one stays until then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_by(path, |file| {
        file.write_all(bytes)
            .map_err(|e| Error::Invalid(e.to_string()))
    })
}

/// The same for what `content` writes piece by piece; a failure of it, or cancellation, leaves no file behind.
pub fn write_by(path: &Path, content: impl FnOnce(&mut std::fs::File) -> Result<()>) -> Result<()> {
    let temporary = beside(path)?;
    let explain = |e: &dyn std::fmt::Display| {
        Error::Invalid(format!("{}: cannot be written: {e}", path.display()))
    };
    let attempt = || {
        let mut file = std::fs::File::create(&temporary).map_err(|e| explain(&e))?;
        content(&mut file).map_err(|e| match e {
            Error::Cancelled => Error::Cancelled,
            other => explain(&other),
        })?;
        file.sync_all().map_err(|e| explain(&e))?;
        std::fs::rename(&temporary, path).map_err(|e| explain(&e))
    };
    attempt().inspect_err(|_| {
        // Best effort: the error that stopped us is the one to report.
        let _ = std::fs::remove_file(&temporary);
    })
}

/// Fails if `path` cannot become a file because its folder does not exist: to be asked before long work.
#[cfg(feature = "train")]
pub fn check_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            crate::invalid!(
                "{}: there is no folder {} to write it to",
                path.display(),
                folder.display()
            )
        }
        _ => Ok(()),
    }
}

/// A name in the same folder that no other process of ours uses.
fn beside(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return crate::invalid!("{}: this is no file name", path.display());
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// The last part of a path, for the window.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_their_order() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * 7) as u8).collect();
        let path = std::env::temp_dir().join(format!("zeropoint-{}-parts", std::process::id()));
        std::fs::write(&path, &bytes).unwrap();
        for part in [1, 64, 999, 1000, 4096] {
            let file = File::open(&path).unwrap();
            assert_eq!(whole(file, part).unwrap(), bytes, "{part}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
