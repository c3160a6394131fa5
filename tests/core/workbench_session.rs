//! Sessions: saved, opened on another day, damaged, out of date, and kept through a crash.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};
use zeropoint::data::Selection;
use zeropoint::quantize::{Io, Mode, Recipe};
use zeropoint::tflite;
use zeropoint::workbench::{Command, Experiment, Role, SaveStatus, State, Workbench};

use crate::cli_folders::files;
use crate::folder::Folder;
use crate::workbench_commands::{settle, small_demo, workbench};
use crate::workbench_files::opened;

/// The demo after a run of three modes, with an experiment of the user's own.
fn worked() -> Workbench {
    let mut w = small_demo();
    for mode in [Mode::Float16, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::SetIo(Mode::Int8, Io::Uint8, true));
    w.apply(Command::SetIo(Mode::Int8, Io::Float32, false));
    w.apply(Command::Run);
    settle(&mut w);
    let int8 = w.experiments[2].id;
    w.apply(Command::Duplicate(int8));
    let own = w.experiments[3].id;
    let recipe = Recipe {
        bias_correction: false,
        ..w.experiments[3].intent.recipe.clone()
    };
    w.apply(Command::SetRecipe(own, Box::new(recipe)));
    w.apply(Command::Rename(own, "Raw biases".into()));
    w.apply(Command::Pin(own, true));
    w.apply(Command::SetBaseline(Some(int8)));
    w.apply(Command::Run);
    settle(&mut w);
    w
}

fn saved(w: &mut Workbench, path: &Path) {
    w.apply(Command::SaveSession(path.to_owned()));
    assert_eq!(w.session.status, SaveStatus::Saving);
    settle(w);
    assert!(matches!(&w.session.status, SaveStatus::Saved(at) if at.ends_with("UTC")));
    assert_eq!(w.session.path.as_deref(), Some(path));
    assert!(!w.session.changed);
}

fn open(path: &Path) -> Workbench {
    let mut w = workbench();
    w.apply(Command::OpenSession(path.to_owned()));
    settle(&mut w);
    w
}

/// Everything of an experiment but its number and those of its key.
fn figures(e: &Experiment) -> impl PartialEq + std::fmt::Debug + use<> {
    let file = e
        .file
        .as_ref()
        .map(|f| (f.bytes.clone(), f.plan.clone(), f.convert_seconds));
    let rest = (
        e.evaluation.clone(),
        e.latency.clone(),
        e.litert.clone(),
        (e.tensors.clone(), e.profile.clone()),
    );
    let stands = (
        e.name(),
        e.intent.clone(),
        e.state.clone(),
        e.random,
        e.is_stale(),
    );
    (
        file,
        rest,
        stands,
        (e.key.recipe.clone(), e.key.threads, e.key.engine),
    )
}

#[test]
fn a_session_comes_back_as_it_was() {
    let folder = Folder::new("session");
    let path = folder.join("work.zps");
    let mut w = worked();
    assert!(w.session.changed);
    saved(&mut w, &path);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left"
    );

    let mut back = open(&path);
    assert_eq!(back.session.status, SaveStatus::Restored(4));
    assert_eq!(back.model.as_ref().unwrap().name, "MNIST digits");
    assert_eq!(
        (&back.modes, back.strict, back.threads),
        (&w.modes, w.strict, w.threads)
    );
    assert_eq!(back.calibration.selection, w.calibration.selection);
    assert_eq!(back.evaluation.used(), 200);
    assert_eq!(back.baseline().unwrap().name(), "int8, uint8 I/O");
    for (a, b) in w.experiments.iter().zip(&back.experiments) {
        assert_eq!(figures(a), figures(b));
    }
    assert_eq!(back.experiments.len(), 4);
    let exact = back.experiments.iter().filter_map(|e| e.tensors.as_ref());
    let exact = exact.flat_map(|t| t.iter()).filter_map(|t| t.sqnr_local_db);
    assert!(exact.clone().count() > 0);

    // Nothing is computed again, and what is, is the same.
    assert_eq!(
        (back.new_work(), back.notices.len()),
        (0, 0),
        "{:?}",
        back.notices
    );
    let before = back.experiments[2].clone();
    back.apply(Command::Rerun(before.id));
    settle(&mut back);
    let after = &back.experiments[2];
    assert_eq!(
        before.file.unwrap().bytes,
        after.file.as_ref().unwrap().bytes
    );
    let answers = |e: &Experiment| e.evaluation.as_ref().map(|e| (e.top1, e.answers.clone()));
    assert_eq!(answers(&w.experiments[2]), answers(after));

    // A session opens as a model does: by its name on the command line or dropped into the window.
    let mut third = workbench();
    third.apply(Command::OpenModel(path));
    settle(&mut third);
    assert_eq!(third.session.status, SaveStatus::Restored(4));
}

#[test]
fn the_same_recipe_on_the_same_folder_gives_the_same_figures_on_another_day() {
    let folder = files("another-day");
    let path = folder.join("day.zps");
    let mut w = opened(folder.path());
    for (role, samples, seed) in [(Role::Calibration, 40, 7), (Role::Evaluation, 120, 11)] {
        w.apply(Command::SetSelection(
            role,
            Selection::Random { samples, seed },
        ));
        settle(&mut w);
    }
    w.apply(Command::Run);
    settle(&mut w);
    saved(&mut w, &path);

    let mut day = open(&path);
    assert_eq!(day.evaluation.selection, w.evaluation.selection);
    let record = |w: &Workbench| w.evaluation.loaded.as_ref().unwrap().record();
    assert_eq!(
        record(&day),
        record(&w),
        "class order, samples and preprocessing"
    );
    assert_eq!(day.new_work(), 0);
    for i in 0..w.experiments.len() {
        day.apply(Command::Rerun(day.experiments[i].id));
        settle(&mut day);
        let (a, b) = (&w.experiments[i], &day.experiments[i]);
        assert_eq!(b.state, State::Done);
        assert_eq!(
            a.file.as_ref().unwrap().bytes,
            b.file.as_ref().unwrap().bytes
        );
        let (x, y) = (
            a.evaluation.as_ref().unwrap(),
            b.evaluation.as_ref().unwrap(),
        );
        assert!(!std::sync::Arc::ptr_eq(x, y));
        assert_eq!((x.samples, x.top1, x.top5), (y.samples, y.top1, y.top5));
        assert_eq!(
            (x.agreement, x.sqnr_db, &x.answers),
            (y.agreement, y.sqnr_db, &y.answers)
        );
        assert_eq!(a.tensors, b.tensors);
    }
    // The document says all of it to a reader.
    let document = document(&path);
    assert_eq!(document["evaluation"]["selection"]["seed"], 11);
    assert_eq!(document["evaluation"]["record"]["classes"][3], "3");
    assert_eq!(
        document["evaluation"]["record"]["preprocess"]["scale"],
        "unit"
    );
    assert_eq!(
        document["experiments"][1]["run"]["evaluation"]["selection"]["samples"],
        120
    );
}

/// The document of a session file.
fn document(path: &Path) -> Json {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    zip.by_name("session.json")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The session with other parts: `change` gets the name of each and what it holds, and hands back what to write.
fn forged(from: &Path, to: &str, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> PathBuf {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(from).unwrap()).unwrap();
    let to = from.with_file_name(to);
    let mut out = zip::ZipWriter::new(std::fs::File::create(&to).unwrap());
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).unwrap();
        let (name, mut bytes) = (entry.name().unwrap().into_owned(), vec![]);
        entry.read_to_end(&mut bytes).unwrap();
        out.start_file(&name, zip::write::SimpleFileOptions::default())
            .unwrap();
        out.write_all(&change(&name, bytes)).unwrap();
    }
    out.finish().unwrap();
    to
}

/// The session with another document.
fn edited(from: &Path, to: &str, change: impl Fn(&mut Json)) -> PathBuf {
    forged(from, to, |name, bytes| {
        if name != "session.json" {
            return bytes;
        }
        let mut document: Json = serde_json::from_slice(&bytes).unwrap();
        change(&mut document);
        serde_json::to_vec(&document).unwrap()
    })
}

/// The one sentence that opening this ends with.
fn refused(path: &Path, words: &[&str]) {
    let w = open(path);
    assert!(
        w.model.is_none() && w.experiments.is_empty(),
        "{path:?} was opened"
    );
    let message = w.model_error.clone().unwrap();
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    assert!(!message.contains('\n') && message.len() < 600, "{message}");
}

#[test]
fn damaged_and_foreign_sessions_are_refused_in_one_sentence() {
    let folder = Folder::new("hostile-sessions");
    let path = folder.join("work.zps");
    let mut w = worked();
    saved(&mut w, &path);
    let whole = std::fs::read(&path).unwrap();
    for share in [0, 1, 30, 50, 90, 99] {
        let cut = folder.join("cut.zps");
        std::fs::write(&cut, &whole[..whole.len() * share / 100]).unwrap();
        refused(&cut, &["cut.zps", "no session file"]);
    }
    refused(
        &folder.join("nothing.zps"),
        &["nothing.zps", "no such file"],
    );
    refused(folder.path(), &["folder"]);
    let other = edited(&path, "version.zps", |d| d["version"] = json!(7));
    refused(&other, &["version.zps", "version 7", "reads version 1"]);
    let foreign = edited(&path, "foreign.zps", |d| d["format"] = json!("a cookbook"));
    refused(&foreign, &["no session file"]);
    let odd = edited(&path, "odd.zps", |d| d["threads"] = json!("many"));
    refused(&odd, &["the session is damaged", "many"]);
    let recipe = edited(&path, "recipe.zps", |d| {
        d["experiments"][0]["intent"]["recipe"]["io"] = json!("int16");
    });
    refused(&recipe, &["cannot have int16"]);
    let many = edited(&path, "many.zps", |d| {
        let first = d["experiments"][0].clone();
        d["experiments"] = vec![first; 5000].into();
    });
    refused(&many, &["5000 experiments"]);
    let outside = edited(&path, "outside.zps", |d| {
        d["experiments"][0]["file"] = json!("../../../etc/passwd");
    });
    refused(&outside, &["etc/passwd", "no SHA-256"]);
    let missing = edited(&path, "missing.zps", |d| {
        d["experiments"][0]["results"] = json!("0".repeat(64));
    });
    refused(&missing, &["no readable parts/000"]);
    let swapped = forged(&path, "swapped.zps", |name, mut bytes| {
        if name.starts_with("parts/") {
            bytes[100] ^= 1;
        }
        bytes
    });
    refused(&swapped, &["is damaged", "another SHA-256"]);
    let gone = edited(&path, "gone.zps", |d| {
        d["model"]["path"] = json!("/gone/a.tflite")
    });
    refused(
        &gone,
        &["The model of this session is gone: /gone/a.tflite"],
    );

    // Figures that no run makes, under their right name.
    let nonsense = vec![0x5a; 300];
    let name = zeropoint::workbench::Fingerprint::of_bytes(&nonsense).sha256;
    let first = document(&path)["experiments"][0]["results"]
        .as_str()
        .unwrap()
        .to_owned();
    let nonsense = edited(&path, "renamed.zps", |d| {
        d["experiments"][0]["results"] = json!(name);
    });
    let mut out = zip::ZipWriter::new_append(
        std::fs::File::options()
            .read(true)
            .write(true)
            .open(&nonsense)
            .unwrap(),
    )
    .unwrap();
    out.start_file(
        format!("parts/{name}"),
        zip::write::SimpleFileOptions::default(),
    )
    .unwrap();
    out.write_all(&[0x5a; 300]).unwrap();
    out.finish().unwrap();
    assert_ne!(first, name);
    refused(&nonsense, &["figures are damaged"]);

    // What is open stays.
    let experiments = w.experiments.len();
    w.apply(Command::OpenSession(gone));
    settle(&mut w);
    assert_eq!(w.experiments.len(), experiments);
    assert!(w.notices.last().unwrap().text.contains("is gone"));
}

#[test]
fn what_changed_on_the_disk_since_is_said_and_its_figures_are_old() {
    let folder = files("session-changes");
    let path = folder.join("work.zps");
    let mut w = opened(folder.path());
    w.apply(Command::Run);
    settle(&mut w);
    saved(&mut w, &path);
    // Copied elsewhere and back: other times, the same content.
    let model = std::fs::read(folder.join("model.tflite")).unwrap();
    std::fs::write(folder.join("model.tflite"), &model).unwrap();
    let back = open(&path);
    assert_eq!((back.new_work(), back.notices.len()), (0, 0));

    std::fs::remove_dir_all(folder.join("digits/4")).unwrap();
    let back = open(&path);
    assert_eq!(back.session.status, SaveStatus::Restored(2));
    let told: Vec<_> = back.notices.iter().map(|n| n.text.as_str()).collect();
    assert!(
        told.iter()
            .any(|t| t.contains("digits has changed on the disk, 2 results")),
        "{told:?}"
    );
    assert!(
        back.experiments
            .iter()
            .all(|e| e.is_stale() && e.evaluation.is_some())
    );
    assert_eq!(back.new_work(), 2);

    let mut graph = tflite::read(model.into()).unwrap();
    graph.description = Some("another".into());
    let other = tflite::write(&graph).unwrap();
    std::fs::write(folder.join("model.tflite"), other).unwrap();
    let back = open(&path);
    let told = &back.notices[0].text;
    assert_eq!(
        told,
        "model.tflite has changed since the session was saved, 2 results are of its old content"
    );
    assert!(
        back.experiments
            .iter()
            .all(|e| e.is_stale() && e.state == State::Done)
    );

    std::fs::remove_dir_all(folder.join("digits")).unwrap();
    let back = open(&path);
    assert!(back.evaluation.error.as_ref().unwrap().contains("digits"));
    assert!(back.experiments.iter().all(|e| e.evaluation.is_some()));
}

#[test]
fn a_session_that_cannot_be_written_says_so_and_the_old_one_stays() {
    let folder = Folder::new("unwritable-session");
    let mut w = small_demo();
    let path = folder.join("work.zps");
    saved(&mut w, &path);
    let before = std::fs::read(&path).unwrap();
    w.apply(Command::SaveSession(folder.join("missing/work.zps")));
    settle(&mut w);
    assert!(matches!(&w.session.status, SaveStatus::Failed(why) if why.contains("missing")));
    assert!(
        w.notices
            .last()
            .unwrap()
            .text
            .starts_with("Could not save the session")
    );
    assert_eq!(w.session.path.as_deref(), Some(path.as_path()));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let mut empty = workbench();
    empty.apply(Command::SaveSession(path));
    assert!(empty.notices[0].is_error && empty.session.status == SaveStatus::NotSaved);
}

/// A workbench that keeps its session there.
fn keeping(root: &Path, restore: bool) -> Workbench {
    let mut w = workbench();
    w.autosave_pause = Duration::ZERO;
    w.keep_session_in(root, restore);
    settle(&mut w);
    w
}

#[test]
fn what_had_finished_comes_back_after_a_crash() {
    let folder = Folder::new("crash");
    let root = folder.join("config/autosave");
    let mut w = keeping(&root, true);
    assert!(w.model.is_none() && w.session.status == SaveStatus::NotSaved);
    w.apply(Command::OpenDemo);
    settle(&mut w);
    w.apply(Command::SetSamples(Role::Calibration, Some(20)));
    w.apply(Command::SetSamples(Role::Evaluation, Some(200)));
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    let int8 = w.experiments[1].id;
    w.apply(Command::Rename(int8, "The one".into()));
    settle(&mut w);
    let before: Vec<_> = w.experiments.iter().map(figures).collect();
    // It ends in the middle of a long run.
    w.apply(Command::SetMode(Mode::Int16x8, true));
    w.apply(Command::SetSamples(Role::Evaluation, None));
    w.apply(Command::Run);
    let kept = root.join("1/session.json");
    let start = std::time::Instant::now();
    loop {
        w.poll();
        let document: Json = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
        if document["modes"][4]["chosen"] == true
            && document["evaluation"]["selection"]["pick"] == "all"
        {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it was never kept"
        );
    }
    assert!(w.experiments.iter().any(|e| e.is_pending()));

    // While it lives its folder is its own.
    let other = keeping(&root, true);
    assert!(other.model.is_none());
    drop(other);
    drop(w);
    std::thread::sleep(Duration::from_millis(300));

    let mut back = keeping(&root, true);
    assert_eq!(
        back.session.status,
        SaveStatus::Restored(2),
        "{:?}",
        back.model_error
    );
    assert_eq!(back.experiments[1].name(), "The one");
    assert_eq!(back.experiments[2].state, State::Cancelled);
    let after: Vec<_> = back.experiments.iter().take(2).map(figures).collect();
    assert_eq!(before, after);
    back.apply(Command::SetSamples(Role::Evaluation, Some(200)));
    assert_eq!(back.new_work(), 1, "only what had not finished");
    settle(&mut back);
    drop(back);

    // A window that is asked for a model starts without the old session, in the same place.
    let fresh = keeping(&root, false);
    assert!(fresh.model.is_none());
}

#[test]
fn keeping_a_session_writes_each_file_once_and_clears_up() {
    let folder = Folder::new("keeping");
    let mut w = keeping(folder.path(), true);
    w.apply(Command::OpenDemo);
    settle(&mut w);
    w.apply(Command::SetSamples(Role::Evaluation, Some(50)));
    for mode in [Mode::Float16, Mode::Int8, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    let parts = folder.join("1/parts");
    let names = || {
        let mut all: Vec<_> = std::fs::read_dir(&parts)
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| (e.file_name(), e.metadata().unwrap().modified().unwrap()))
            .collect();
        all.sort();
        all
    };
    let two = names();
    assert_eq!(two.len(), 4, "a file and figures each");
    w.apply(Command::Rename(w.experiments[1].id, "Another".into()));
    settle(&mut w);
    assert_eq!(names(), two, "nothing was written again");
    w.apply(Command::Delete(w.experiments[1].id));
    settle(&mut w);
    assert_eq!(names().len(), 2);
    drop(w);

    // A kept session whose document is damaged is told of, and another place is taken.
    std::fs::write(folder.join("1/session.json"), "{").unwrap();
    let mut back = keeping(folder.path(), true);
    assert!(
        back.model_error
            .clone()
            .unwrap()
            .contains("no session file")
    );
    back.apply(Command::OpenDemo);
    settle(&mut back);
    assert!(folder.join("2/session.json").is_file());
}
