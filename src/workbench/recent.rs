//! The list of files opened before, kept as JSON in the user's configuration folder.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files;
use crate::error::{Error, Result};

/// Files remembered at most.
pub const MOST: usize = 8;

/// The remembered files, newest first; an unreadable list is an empty one.
pub fn load(file: &Path) -> Vec<PathBuf> {
    let bytes = files::read(file).unwrap_or_default();
    let mut paths: Vec<PathBuf> = serde_json::from_slice(&bytes).unwrap_or_default();
    paths.truncate(MOST);
    paths
}

/// Those of the files that are not there any more.
pub fn gone(files: &[PathBuf]) -> Vec<PathBuf> {
    let there = |p: &&PathBuf| !p.exists();
    files.iter().filter(there).cloned().collect()
}

/// Keeps `value` as JSON, making the folder where it is missing.
pub fn store(file: &Path, value: &impl Serialize) -> Result<()> {
    let cannot = |e: &dyn std::fmt::Display| {
        Error::Invalid(format!("{}: cannot be written: {e}", file.display()))
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
    }
    let text = serde_json::to_vec_pretty(value).map_err(|e| cannot(&e))?;
    files::write(file, &text)
}
