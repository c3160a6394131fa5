//! Who may know whom (design, section 2) and what every source file owes its reader, checked on the sources themselves.

use std::path::{Path, PathBuf};

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every `.rs` file below `dir` of the package with its path relative to it and its text.
fn read(dir: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut paths = vec![];
    sources(&root, &mut paths);
    assert!(!paths.is_empty(), "{dir} has no sources");
    paths
        .into_iter()
        .map(|p| {
            let name = p
                .strip_prefix(&root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            (name, std::fs::read_to_string(&p).unwrap())
        })
        .collect()
}

/// The room of `src/` that a file belongs to: its folder, or its own name at the top level.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What each room may name by `crate::…`, beside itself, `error` and `progress`. `None`: everything.
fn allowed(room: &str) -> Option<&'static [&'static str]> {
    Some(match room {
        "error" | "progress" => &[],
        "graph" | "kernels" => &[],
        "tflite" | "keras" | "litert" => &["graph"],
        "engine" => &["graph", "kernels"],
        "data" => &["graph"],
        "calibrate" => &["graph", "kernels", "engine", "data"],
        "quantize" => &["graph", "kernels", "calibrate"],
        "evaluate" => &[
            "graph",
            "kernels",
            "engine",
            "data",
            "calibrate",
            "quantize",
        ],
        "train" => &["graph", "kernels", "data", "keras"],
        "workbench" => &[
            "graph",
            "tflite",
            "keras",
            "kernels",
            "engine",
            "data",
            "calibrate",
            "quantize",
            "evaluate",
            "litert",
        ],
        "gui" | "cli" | "main" | "lib" => return None,
        other => panic!("src/{other} is not a room of the design; add it to the table on purpose"),
    })
}

#[test]
fn rooms_know_only_whom_they_may() {
    let mut wrong = vec![];
    for (file, text) in read("src") {
        let here = room(&file);
        let Some(allowed) = allowed(here) else {
            continue;
        };
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
        {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let free = [
                    "error",
                    "progress",
                    "malformed",
                    "unsupported",
                    "invalid",
                    "",
                ]
                .contains(&used.as_str());
                if !free && used != here && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("src/{file}:{} names crate::{used}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_window_names_egui_and_only_jobs_spawn_threads() {
    let mut wrong = vec![];
    for (file, text) in read("src") {
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
        {
            let windowed = ["egui::", "eframe::", "egui_plot::", "rfd::"]
                .iter()
                .any(|w| line.contains(w));
            if windowed && room(&file) != "gui" {
                wrong.push(format!(
                    "src/{file}:{} names the window's libraries",
                    number + 1
                ));
            }
            let spawns = line.contains("thread::spawn") || line.contains("thread::Builder");
            if spawns && !matches!(room(&file), "workbench" | "gui") {
                wrong.push(format!("src/{file}:{} spawns a thread", number + 1));
            }
            let core = !matches!(room(&file), "workbench" | "gui" | "cli" | "main");
            if core && line.contains("std::fs") {
                wrong.push(format!("src/{file}:{} touches files", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_in_its_rooms() {
    for (file, text) in read("src") {
        if file.starts_with("kernels/simd/")
            || file == "litert/ffi.rs"
            || file.starts_with("tflite/schema")
        {
            continue;
        }
        // Elsewhere the ban may be lifted only for one of these modules, in the attribute right in front of it.
        for lifted in text.split("unsafe_code").skip(1) {
            let module = lifted
                .lines()
                .find(|l| l.trim_end().ends_with(';'))
                .unwrap_or("");
            let room = ["mod simd;", "mod ffi;", "mod schema_generated;"]
                .iter()
                .any(|m| module.trim_end().ends_with(m));
            assert!(room, "src/{file} lifts the ban on unsafe");
        }
    }
}

#[test]
fn every_source_says_what_it_is_for_and_stays_short() {
    let mut wrong = vec![];
    for dir in ["src", "tests"] {
        for (file, text) in read(dir) {
            if file.contains("schema_generated") {
                continue;
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{dir}/{file} does not begin with a //! sentence"));
            }
            let lines = text.lines().count();
            if lines > 800 {
                wrong.push(format!("{dir}/{file} has {lines} lines: split it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
