//! Where LiteRT's library lies: a setting, `ZEROPOINT_LITERT`, or the usual Python environments.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Setup;
use crate::error::{Error, Result};
use crate::invalid;

/// Says how to get LiteRT, where it is not found.
pub const HOW_TO_GET: &str = "LiteRT is not found: run `pip install ai-edge-litert` in a Python environment, then set ZEROPOINT_LITERT to that environment's folder";

/// Names of the library, on Linux, macOS and Windows.
const NAMES: [&str; 4] = [
    "libLiteRt.so",
    "libLiteRt.dylib",
    "LiteRt.dll",
    "libLiteRt.dll",
];
/// The Python package that carries it.
const PACKAGE: &str = "ai_edge_litert";
/// The first version whose C functions are the ones that Zeropoint calls.
const FIRST: (u32, u32) = (2, 3);
/// Seconds of silence after which LiteRT's process is ended, unless `ZEROPOINT_LITERT_LIMIT` says otherwise.
const LIMIT: u64 = 60;

/// Finds LiteRT: in `chosen` if the user named a place, else where the variable `ZEROPOINT_LITERT` points, else in the active
/// Python environment (`VIRTUAL_ENV`, `CONDA_PREFIX`), `.venv` and `venv` of the current folder, `.venv*` of the home folder, and
/// the user's and the system's Python packages. A place is the library, its folder, or a Python environment.
///
/// # Errors
/// Not found, with how to get it; found, but older than what Zeropoint can call.
pub fn find(chosen: Option<&Path>) -> Result<Setup> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let named = match chosen {
        Some(place) => Some((place.to_owned(), "the setting")),
        None => variable("ZEROPOINT_LITERT").map(|place| (place, "ZEROPOINT_LITERT")),
    };
    let library = match named {
        Some((place, by)) => match library_at(&place) {
            Some(library) => library,
            None => {
                return invalid!(
                    "{} ({by}) holds no LiteRT library; give the library, its folder or a Python environment with ai-edge-litert",
                    place.display()
                );
            }
        },
        None => match usual_places().iter().find_map(|place| library_at(place)) {
            Some(library) => library,
            None => return Err(Error::Invalid(HOW_TO_GET.into())),
        },
    };
    let version = version_of(&library);
    if let Some(version) = version.as_deref().filter(|v| is_older(v)) {
        return invalid!(
            "{} is LiteRT {version}; Zeropoint needs {}.{} or newer (pip install -U ai-edge-litert)",
            library.display(),
            FIRST.0,
            FIRST.1
        );
    }
    let program = std::env::current_exe()
        .map_err(|e| Error::Invalid(format!("This program's own file cannot be found: {e}")))?;
    let limit = std::env::var("ZEROPOINT_LITERT_LIMIT").ok();
    let limit = match limit.as_deref().map(str::parse) {
        Some(Ok(seconds @ 1..=86_400)) => seconds,
        Some(_) => return invalid!("ZEROPOINT_LITERT_LIMIT takes whole seconds from 1 to 86400"),
        None => LIMIT,
    };
    Ok(Setup {
        program,
        library,
        version,
        limit: Duration::from_secs(limit),
    })
}

/// Python environments and package folders, most specific first.
fn usual_places() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let mut places: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(variable)
        .collect();
    places.extend([".venv", "venv"].map(PathBuf::from));
    if let Some(home) = variable("HOME").or_else(|| variable("USERPROFILE")) {
        places.extend(children(&home, |name| name.starts_with(".venv")));
        places.push(home.join(".local"));
        let python = home.join("Library").join("Python");
        places.extend(children(&python, |_| true));
    }
    if let Some(roaming) = variable("APPDATA") {
        places.extend(children(&roaming.join("Python"), |_| true));
    }
    places.extend(["/usr/local", "/usr", "/opt/homebrew"].map(PathBuf::from));
    places
}

/// Sub-folders whose name passes, in the order of their names.
fn children(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|e| wanted(&e.file_name().to_string_lossy()))
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    found.sort();
    found
}

/// The library at a place: itself, in the folder, in the folder's package, or in the Python environment that the folder is.
fn library_at(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_owned());
    }
    let mut folders = vec![place.to_owned(), place.join(PACKAGE)];
    for lib in ["lib", "lib64"] {
        for python in children(&place.join(lib), |name| name.starts_with("python")) {
            folders.push(python.join("site-packages").join(PACKAGE));
            folders.push(python.join("dist-packages").join(PACKAGE));
        }
    }
    // Windows: an environment, or the user's packages.
    folders.push(place.join("Lib").join("site-packages").join(PACKAGE));
    folders.push(place.join("site-packages").join(PACKAGE));
    let files = folders.iter().flat_map(|f| NAMES.map(|name| f.join(name)));
    files.into_iter().find(|file| file.is_file())
}

/// The version of the Python package that a library belongs to, by the package's description beside it.
fn version_of(library: &Path) -> Option<String> {
    let packages = library
        .parent()
        .filter(|p| p.ends_with(PACKAGE))?
        .parent()?;
    let description = children(packages, |name| {
        name.starts_with(PACKAGE) && name.ends_with(".dist-info")
    });
    let name = description
        .first()?
        .file_name()?
        .to_string_lossy()
        .into_owned();
    let version = name.strip_prefix(PACKAGE)?.strip_prefix('-')?;
    Some(version.strip_suffix(".dist-info")?.to_owned())
}

fn is_older(version: &str) -> bool {
    let mut numbers = version.split('.').map(|n| n.parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < FIRST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_library_a_folder_or_an_environment() {
        let root = std::env::temp_dir().join(format!("zeropoint-litert-{}", std::process::id()));
        let packages = root.join("env/lib/python3.12/site-packages");
        let package = packages.join(PACKAGE);
        std::fs::create_dir_all(&package).unwrap();
        std::fs::create_dir_all(packages.join("ai_edge_litert-2.1.0.dist-info")).unwrap();
        let library = package.join(NAMES[0]);
        std::fs::write(&library, b"").unwrap();
        for place in [&library, &package, &packages, &root.join("env")] {
            assert_eq!(
                library_at(place).as_ref(),
                Some(&library),
                "{}",
                place.display()
            );
        }
        assert_eq!(library_at(&root), None);
        assert_eq!(version_of(&library).as_deref(), Some("2.1.0"));
        let too_old = find(Some(&root.join("env"))).unwrap_err().to_string();
        assert!(
            too_old.contains("2.1.0") && too_old.contains("2.3"),
            "{too_old}"
        );
        let nothing = find(Some(&root)).unwrap_err().to_string();
        assert!(nothing.contains("the setting"), "{nothing}");
        assert!(is_older("1.9") && !is_older("2.3.0") && !is_older("3.0") && !is_older("dev"));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
