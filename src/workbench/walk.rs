//! What a folder on the disk holds, one level of sub-folders deep, and how its files are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files;
use crate::data::{Entry, Listing, MAX_FILES, ReadFile};
use crate::error::{Error, Result};
use crate::invalid;
use crate::progress::Progress;

/// Lists a folder. Hidden files and folders, and those that systems leave behind, do not count; links are followed.
///
/// # Errors
/// A folder that cannot be read, too many files, a name that is no text, cancellation.
pub fn list(folder: &Path, progress: &Progress) -> Result<Listing> {
    let mut listing = Listing::default();
    for (name, path, is_folder) in entries(folder)? {
        progress.check()?;
        if !is_folder {
            add(&mut listing, folder, name, &path)?;
            continue;
        }
        for (inner, path, is_folder) in entries(&path)? {
            progress.check()?;
            let inner = format!("{name}/{inner}");
            if is_folder {
                listing.too_deep.get_or_insert(inner);
            } else {
                add(&mut listing, folder, inner, &path)?;
            }
        }
        listing.folders.push(name);
    }
    // The order of a directory is the file system's, ours is the same everywhere.
    listing.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    listing.folders.sort_unstable();
    Ok(listing)
}

/// Reads files of `folder` by their path within it.
pub fn reader(folder: &Path) -> ReadFile {
    let folder = folder.to_owned();
    Arc::new(move |path: &str| files::read(&folder.join(path)))
}

fn add(listing: &mut Listing, folder: &Path, name: String, path: &Path) -> Result<()> {
    if listing.files.len() == MAX_FILES {
        return invalid!(
            "{} holds more than {MAX_FILES} files; choose a smaller folder",
            folder.display()
        );
    }
    // A link that leads nowhere is a file that cannot be read, which the reader will say.
    let bytes = std::fs::metadata(path).map_or(0, |m| m.len());
    listing.files.push(Entry { path: name, bytes });
    Ok(())
}

/// Name, path and whether it is a folder of everything in a folder that counts, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>> {
    let explain = |e: std::io::Error| {
        Error::Invalid(match e.kind() {
            std::io::ErrorKind::PermissionDenied => {
                format!("{}: reading this folder is not allowed", folder.display())
            }
            _ => format!("{}: this folder cannot be read: {e}", folder.display()),
        })
    };
    let mut all = vec![];
    for entry in std::fs::read_dir(folder).map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return invalid!(
                "{}: this name is no text (UTF-8); rename the file",
                path.display()
            );
        };
        let left_behind = ["Thumbs.db", "desktop.ini", "__MACOSX"];
        if !name.starts_with('.') && !left_behind.contains(&name.as_str()) {
            if all.len() == MAX_FILES {
                return invalid!(
                    "{} holds more than {MAX_FILES} files; choose a smaller folder",
                    folder.display()
                );
            }
            let kind = entry.file_type().map_err(explain)?;
            let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            all.push((name, path, is_folder));
        }
    }
    all.sort_unstable();
    Ok(all)
}
