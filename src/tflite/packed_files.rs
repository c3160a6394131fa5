//! The zip archive that TFLite Metadata appends to a model: label files and the like, found behind the FlatBuffer.
//!
//! An archive counts its offsets from the start of the file it stands in, so they change when the model in front of it does.
//! In the graph they count from the archive's own start: a zip file of its own.

use bytes::Bytes;

/// End of central directory: `PK\5\6`, 22 bytes and a comment.
const END: [u8; 4] = *b"PK\x05\x06";
const END_SIZE: usize = 22;
/// Entry of the central directory: `PK\1\2`, 46 bytes, name, extra field and comment.
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const ENTRY_SIZE: usize = 46;
const MAX_COMMENT: usize = u16::MAX as usize;

/// Where an archive stands in a file.
struct Found {
    /// Its first byte.
    start: usize,
    /// The end record.
    end: usize,
    /// Central directory.
    directory: usize,
    entries: usize,
    /// What the archive's offsets count from.
    base: usize,
}

/// The archive at the end of a file, if there is one with files in it.
pub fn split(file: &Bytes) -> Option<Bytes> {
    let found = find(file)?;
    let mut archive = file.get(found.start..)?.to_vec();
    let back = found.start.checked_sub(found.base)?;
    shift(
        &mut archive,
        &Found {
            start: 0,
            end: found.end - found.start,
            directory: found.directory - found.start,
            ..found
        },
        |offset| offset.checked_sub(u32::try_from(back).ok()?),
    )?;
    Some(archive.into())
}

/// Appends an archive to the model in front of it. What is no archive is appended as it is.
pub fn append(file: &mut Vec<u8>, archive: &Bytes) {
    let mut moved = archive.to_vec();
    let front = u32::try_from(file.len()).ok();
    let done = find(archive)
        .and_then(|found| shift(&mut moved, &found, |offset| offset.checked_add(front?)));
    file.extend_from_slice(match done {
        Some(()) => &moved,
        None => archive,
    });
}

fn find(file: &[u8]) -> Option<Found> {
    let first = file.len().saturating_sub(END_SIZE + MAX_COMMENT);
    let end = (first..(file.len() + 1).checked_sub(END_SIZE)?)
        .rev()
        .find(|&at| {
            let comment = u16_at(file, at + 20).map_or(usize::MAX, usize::from);
            file[at..].starts_with(&END) && at + END_SIZE + comment == file.len()
        })?;
    let entries = usize::from(u16_at(file, end + 10)?);
    let size = u32_at(file, end + 12)? as usize;
    let stated = u32_at(file, end + 16)? as usize;
    let directory = end.checked_sub(size)?;
    let base = directory.checked_sub(stated)?;
    let mut start = directory;
    let mut at = directory;
    for _ in 0..entries {
        let local = base.checked_add(u32_at(file, at + 42)? as usize)?;
        start = start.min(local);
        at = next(file, at)?;
    }
    let whole = entries > 0 && at == end && file.get(start..)?.starts_with(b"PK\x03\x04");
    whole.then_some(Found {
        start,
        end,
        directory,
        entries,
        base,
    })
}

/// The entry behind the one at `at`.
fn next(file: &[u8], at: usize) -> Option<usize> {
    if !file.get(at..)?.starts_with(&ENTRY) {
        return None;
    }
    let mut behind = at + ENTRY_SIZE;
    for field in [28, 30, 32] {
        behind += usize::from(u16_at(file, at + field)?);
    }
    (behind <= file.len()).then_some(behind)
}

/// Changes every offset of an archive; `None` if one does not fit into 32 bits.
fn shift(file: &mut [u8], found: &Found, to: impl Fn(u32) -> Option<u32>) -> Option<()> {
    let mut at = found.directory;
    for _ in 0..found.entries {
        change(file, at + 42, &to)?;
        at = next(file, at)?;
    }
    change(file, found.end + 16, &to)
}

fn change(file: &mut [u8], at: usize, to: impl Fn(u32) -> Option<u32>) -> Option<()> {
    let moved = to(u32_at(file, at)?)?;
    file.get_mut(at..at + 4)?
        .copy_from_slice(&moved.to_le_bytes());
    Some(())
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    let bytes = file.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
