//! Label files of folders: a line for each file, `name,label`.

use std::collections::HashMap;

use super::Entry;
use super::classes::ClassNames;
use crate::data::words::count;
use crate::error::Result;
use crate::{invalid, malformed};

/// Longest label file that is read.
const MAX_BYTES: usize = 256 << 20;

/// Classes as a folder has them.
pub(in crate::data) enum Classes {
    /// Nothing says what they are.
    Unknown,
    /// Names, sorted; folders or labels.
    Named(Vec<String>),
    /// Names of sub-folders, and a list that gives their order.
    Listed(Vec<String>, ClassNames),
    /// Outputs of the model, as a label file gives them.
    Numbered(Vec<u32>),
}

/// A label for every file.
pub(super) struct ByFile {
    /// For each file an index into `classes`.
    pub(super) groups: Vec<u32>,
    pub(super) classes: Classes,
}

/// Reads lines `file,label` (also `;`, tabs, or the last space) for `files`, a line of headings in front allowed. `None` if no line names
/// one of the files and `may_be_names`: then it is a list of class names.
///
/// # Errors
/// No text, a line without label, a file that is not there or twice, files without a line, no line that names a file.
pub(super) fn by_file(
    from: &str,
    bytes: &[u8],
    files: &[Entry],
    may_be_names: bool,
) -> Result<Option<ByFile>> {
    if bytes.len() > MAX_BYTES {
        return invalid!(
            "{from} is {} bytes long; a label file has a short line for each file",
            count(bytes.len())
        );
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return malformed!("{from} is no text file of labels");
    };
    let text = text.trim_start_matches('\u{feff}');
    // Files by their path, and by their name alone where that is unique.
    let mut places = HashMap::<&str, Option<usize>>::new();
    for (i, file) in files.iter().enumerate() {
        places.insert(&file.path, Some(i));
        if let Some((_, name)) = file.path.rsplit_once('/') {
            let twice = places.contains_key(name);
            places.insert(name, (!twice).then_some(i));
        }
    }
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l.trim()))
        .filter(|(_, l)| !l.is_empty())
        .collect();
    let place = |line: &str| split(line).and_then(|(file, _)| places.get(file).copied().flatten());
    let known = lines.iter().take(10).any(|(_, l)| place(l).is_some());
    if !known {
        if may_be_names {
            return Ok(None);
        }
        return match lines.first() {
            None => malformed!("{from} is empty; it should hold a line for each file: name,label"),
            Some((_, line)) => invalid!(
                "{from} names none of the folder's files (it begins with {:?}); it should hold a line for each: name,label",
                shortened(line)
            ),
        };
    }
    let mut labels: Vec<Option<&str>> = vec![None; files.len()];
    for (i, &(number, line)) in lines.iter().enumerate() {
        let Some((file, label)) = split(line) else {
            return malformed!("{from}: line {number} has no label: {:?}", shortened(line));
        };
        match places.get(file) {
            Some(&Some(at)) => {
                if labels
                    .get(at)
                    .is_some_and(|l| l.is_some_and(|l| l != label))
                {
                    return invalid!("{from}: line {number} gives {file} another label");
                }
                if let Some(slot) = labels.get_mut(at) {
                    *slot = Some(label);
                }
            }
            Some(None) => {
                return invalid!(
                    "{from}: line {number} names {file}, which lies in several sub-folders; write its path"
                );
            }
            // Headings, such as `file,label`.
            None if i == 0 => {}
            None => {
                return invalid!(
                    "{from}: line {number} names {}, which is not in the folder",
                    shortened(file)
                );
            }
        }
    }
    let missing = labels.iter().filter(|l| l.is_none()).count();
    if let Some(at) = labels.iter().position(Option::is_none) {
        return invalid!(
            "{from} has no label for {} of {} files, such as {}",
            count(missing),
            count(files.len()),
            files.get(at).map_or("", |f| f.path.as_str())
        );
    }
    let labels: Vec<&str> = labels.into_iter().flatten().collect();
    let mut names: Vec<&str> = labels.clone();
    names.sort_unstable();
    names.dedup();
    let groups = labels
        .iter()
        .map(|l| names.binary_search(l).map_or(u32::MAX, |i| i as u32))
        .collect();
    let numbers: Option<Vec<u32>> = names.iter().map(|n| n.parse().ok()).collect();
    let classes = match numbers {
        Some(numbers) => Classes::Numbered(numbers),
        None => Classes::Named(names.into_iter().map(str::to_owned).collect()),
    };
    Ok(Some(ByFile { groups, classes }))
}

/// File and label of a line; `None` without a label.
fn split(line: &str) -> Option<(&str, &str)> {
    let comma = line.split_once([',', ';', '\t']);
    let (file, label) = comma.or_else(|| line.rsplit_once(' '))?;
    // Further columns are not ours.
    let label = label.split([',', ';', '\t']).next().unwrap_or(label);
    let (file, label) = (bare(file), bare(label));
    let file = file.strip_prefix("./").unwrap_or(file);
    (!file.is_empty() && !label.is_empty()).then_some((file, label))
}

/// Without spaces and quotes around it.
fn bare(field: &str) -> &str {
    field.trim().trim_matches('"').trim()
}

/// Enough of a line to recognise it.
fn shortened(line: &str) -> String {
    let mut chars = line.chars();
    let head: String = chars.by_ref().take(40).collect();
    match chars.next() {
        Some(_) => head + "…",
        None => head,
    }
}
