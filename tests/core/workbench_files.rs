//! Files that change while they are open: noticed when something is run, read again, and old results marked as such.

use std::path::Path;

use zeropoint::data::{self, Selection};
use zeropoint::progress::Progress;
use zeropoint::quantize::Mode;
use zeropoint::tflite;
use zeropoint::workbench::{Command, DataRecord, Fingerprint, Role, State, Workbench};

use crate::cli_folders::{N, files};
use crate::workbench_commands::{settle, workbench};

/// Model and folder of digits of `folder`, opened; float32 and int8 are chosen.
pub fn opened(folder: &Path) -> Workbench {
    let mut w = workbench();
    for mode in Mode::ALL {
        let wanted = matches!(mode, Mode::Float32 | Mode::Int8);
        w.apply(Command::SetMode(mode, wanted));
    }
    w.apply(Command::OpenModel(folder.join("model.tflite")));
    settle(&mut w);
    w.apply(Command::ChooseData(
        Role::Calibration,
        folder.join("digits"),
    ));
    w.apply(Command::ChooseData(Role::Evaluation, folder.join("digits")));
    settle(&mut w);
    w
}

fn run(w: &mut Workbench) {
    w.apply(Command::Run);
    settle(w);
    for e in &w.experiments {
        assert_eq!(e.state, State::Done, "{}", e.name());
    }
}

/// Which experiments the last run computed, by their names.
fn computed(w: &Workbench) -> Vec<String> {
    let new = w.experiments.iter().filter(|e| !e.reused);
    new.map(|e| e.name()).collect()
}

fn first_picture(folder: &Path) -> std::path::PathBuf {
    let class = folder.join("digits/0");
    let mut all: Vec<_> = std::fs::read_dir(class)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    all.sort();
    all.remove(0)
}

#[test]
fn results_come_back_with_the_choice_that_they_were_made_with() {
    let folder = files("choice-and-back");
    let mut w = opened(folder.path());
    run(&mut w);
    let first = w.evaluation.version;
    w.apply(Command::SetSelection(
        Role::Evaluation,
        Selection::First { samples: 10 },
    ));
    settle(&mut w);
    assert_ne!(w.evaluation.version, first);
    assert_eq!(w.new_work(), 2);
    w.apply(Command::SetSelection(Role::Evaluation, Selection::All));
    settle(&mut w);
    assert_eq!(
        w.evaluation.version, first,
        "the same samples have the same number"
    );
    assert_eq!(w.new_work(), 0);
    // The same holds for data in one piece, which is not read again.
    w.apply(Command::OpenDemo);
    settle(&mut w);
    let all = w.evaluation.version;
    w.apply(Command::SetSamples(Role::Evaluation, Some(50)));
    assert_ne!(w.evaluation.version, all);
    w.apply(Command::SetSamples(Role::Evaluation, None));
    assert_eq!(w.evaluation.version, all);
}

#[test]
fn a_changed_picture_is_noticed_at_run_and_a_touched_one_is_not() {
    let folder = files("changed-picture");
    let mut w = opened(folder.path());
    run(&mut w);
    let before = w.evaluation.loaded.clone().unwrap().record();
    let picture = first_picture(folder.path());
    let bytes = std::fs::read(&picture).unwrap();

    // Written again as it was: another time, the same content.
    std::fs::write(&picture, &bytes).unwrap();
    run(&mut w);
    assert_eq!(computed(&w), Vec::<String>::new());
    assert!(w.notices.is_empty(), "{:?}", w.notices);

    // Another digit in its place.
    let other = std::fs::read_dir(folder.join("digits/1"))
        .unwrap()
        .next()
        .unwrap();
    std::fs::copy(other.unwrap().path(), &picture).unwrap();
    assert_eq!(w.new_work(), 0, "nobody has looked yet");
    run(&mut w);
    assert_eq!(computed(&w), ["float32", "int8"]);
    let told: Vec<_> = w.notices.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("digits has changed on the disk"),
        "{told:?}"
    );
    let after = w.evaluation.loaded.clone().unwrap().record();
    assert_ne!(before.fingerprint, after.fingerprint);
    assert_eq!(before.labels_sha256, after.labels_sha256);

    // Looked at without a run, results become old and Run computes them.
    std::fs::write(&picture, &bytes).unwrap();
    w.apply(Command::Recheck);
    settle(&mut w);
    assert!(w.experiments.iter().all(|e| e.is_stale()));
    assert_eq!(w.new_work(), 2);
}

#[test]
fn a_picture_more_is_other_data_and_a_folder_gone_a_sentence() {
    let folder = files("picture-more");
    let mut w = opened(folder.path());
    w.apply(Command::SetMode(Mode::Int8, false));
    run(&mut w);
    std::fs::copy(
        first_picture(folder.path()),
        folder.join("digits/0/zzz.png"),
    )
    .unwrap();
    run(&mut w);
    assert_eq!(computed(&w), ["float32"]);
    assert_eq!(w.evaluation.total(), N + 1);
    std::fs::rename(folder.join("digits"), folder.join("moved")).unwrap();
    w.apply(Command::Run);
    settle(&mut w);
    let error = w.evaluation.error.clone().unwrap();
    assert!(error.contains("digits"), "{error}");
    assert!(w.experiments[0].evaluation.is_some(), "its figures stay");
}

#[test]
fn a_changed_model_is_read_again() {
    let folder = files("changed-model");
    let mut w = opened(folder.path());
    run(&mut w);
    let file = folder.join("model.tflite");
    let mut graph = tflite::read(std::fs::read(&file).unwrap().into()).unwrap();
    graph.description = Some("another".into());
    std::fs::write(&file, tflite::write(&graph).unwrap()).unwrap();
    let before = w.model.as_ref().unwrap().fingerprint.clone();
    run(&mut w);
    assert_eq!(computed(&w), ["float32", "int8"]);
    assert_ne!(w.model.as_ref().unwrap().fingerprint, before);
    assert!(
        w.notices[0]
            .text
            .starts_with("model.tflite has changed on the disk")
    );
    // A model that is gone is still in memory.
    std::fs::remove_file(&file).unwrap();
    w.apply(Command::Rerun(w.experiments[0].id));
    settle(&mut w);
    assert_eq!(w.experiments[0].state, State::Done);
}

#[test]
fn fingerprints_are_those_of_sha256sum() {
    let folder = files("fingerprints");
    let progress = Progress::new();
    let model = Fingerprint::of_file(&folder.join("model.tflite"), &progress).unwrap();
    let bytes = data::demo::demo().model.bytes;
    assert_eq!(model, Fingerprint::of_bytes(&bytes));
    assert_eq!(model.bytes, bytes.len() as u64);
    let w = opened(folder.path());
    let record = w.evaluation.loaded.as_ref().unwrap().record();
    let mut lines: Vec<(String, String)> = vec![];
    let mut total = 0;
    for class in std::fs::read_dir(folder.join("digits")).unwrap() {
        let class = class.unwrap();
        for file in std::fs::read_dir(class.path()).unwrap() {
            let file = file.unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            total += bytes.len() as u64;
            let path = [class.file_name(), file.file_name()].map(|n| n.into_string().unwrap());
            lines.push((path.join("/"), Fingerprint::of_bytes(&bytes).sha256));
        }
    }
    lines.sort();
    let text: String = lines
        .iter()
        .map(|(p, sum)| format!("{sum}  {p}\n"))
        .collect();
    let expected = Fingerprint {
        sha256: Fingerprint::of_bytes(text.as_bytes()).sha256,
        files: N,
        bytes: total,
    };
    assert_eq!(record.fingerprint, Some(expected));
    let json = record.to_json();
    assert_eq!(json["fingerprint"]["files"], N);
    let read: DataRecord = serde_json::from_value(json).unwrap();
    assert_eq!(read, record);
}
