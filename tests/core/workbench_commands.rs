//! Whole workflows as scripts of commands, without a window.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeropoint::quantize::{Io, Mode};
use zeropoint::workbench::{Command, Role, State, Workbench};

use crate::folder::Folder;

pub fn workbench() -> Workbench {
    let mut w = Workbench::new(Arc::new(|| {}));
    w.latency_seconds = 0.01;
    w
}

/// Polls until every job is over; panics after two minutes.
pub fn settle(w: &mut Workbench) {
    let start = Instant::now();
    while !w.jobs().is_idle() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the jobs never ended"
        );
        w.poll();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The demo on so few samples that every mode takes a moment only.
pub fn small_demo() -> Workbench {
    let mut w = workbench();
    w.apply(Command::OpenDemo);
    settle(&mut w);
    w.apply(Command::SetSamples(Role::Calibration, Some(20)));
    w.apply(Command::SetSamples(Role::Evaluation, Some(200)));
    w
}

#[test]
fn the_demo_runs_in_every_mode() {
    let mut w = small_demo();
    assert_eq!(w.run_obstacle(), None);
    assert_eq!(w.new_work(), 5);
    w.apply(Command::Run);
    settle(&mut w);
    let modes: Vec<_> = w.experiments.iter().map(|e| e.mode()).collect();
    assert_eq!(modes, Mode::ALL);
    for e in &w.experiments {
        assert_eq!(e.state, State::Done, "{}", e.name());
        let evaluation = e.evaluation.as_ref().unwrap();
        assert_eq!(evaluation.samples, 200);
        assert!(
            evaluation.top1.unwrap() > 0.95,
            "{}: {:?}",
            e.name(),
            evaluation.top1
        );
        assert!(e.latency.as_ref().unwrap().median_ms > 0.0);
        assert_eq!(
            e.tensors.as_ref().unwrap().is_empty(),
            e.mode() == Mode::Float32,
            "{}",
            e.name()
        );
        let smaller = e.file.as_ref().unwrap().bytes.len() < w.model.as_ref().unwrap().bytes.len();
        assert!(smaller || e.mode() == Mode::Float32, "{}", e.name());
    }
    let float = w.baseline().unwrap().evaluation.as_ref().unwrap();
    assert_eq!((float.agreement, float.sqnr_db), (None, None));
}

#[test]
fn unchanged_experiments_are_reused_and_changed_ones_run_again() {
    let mut w = small_demo();
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    assert_eq!(w.experiments.len(), 2);
    w.apply(Command::SetIo(Mode::Int8, Io::Uint8, true));
    assert_eq!(w.new_work(), 1);
    w.apply(Command::Run);
    settle(&mut w);
    let rows: Vec<_> = w.experiments.iter().map(|e| (e.name(), e.reused)).collect();
    let expected = [
        ("float32", true),
        ("int8", true),
        ("int8, uint8 I/O", false),
    ];
    assert_eq!(rows, expected.map(|(n, r)| (n.to_owned(), r)));
    w.apply(Command::SetSamples(Role::Calibration, Some(10)));
    assert_eq!(
        w.new_work(),
        2,
        "int8 depends on the calibration samples, float32 does not"
    );
}

#[test]
fn cancelling_keeps_earlier_results_and_leaves_no_file() {
    let mut w = small_demo();
    w.apply(Command::Run);
    settle(&mut w);
    let before: Vec<_> = w
        .experiments
        .iter()
        .map(|e| e.evaluation.clone().unwrap())
        .collect();
    w.apply(Command::SetSamples(Role::Evaluation, None));
    w.apply(Command::Run);
    assert!(!w.jobs().is_idle());
    w.apply(Command::CancelAll);
    settle(&mut w);
    for (e, before) in w.experiments.iter().zip(before) {
        assert_eq!(e.state, State::Cancelled, "{}", e.name());
        if let Some(evaluation) = &e.evaluation {
            assert!(*evaluation == before, "{}", e.name());
        }
    }
}

#[test]
fn saving_writes_the_file_whole() {
    let folder = Folder::new("saving");
    let mut w = small_demo();
    for mode in [Mode::Float32, Mode::Float16, Mode::Int8, Mode::Int16x8] {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::Run);
    settle(&mut w);
    let (id, bytes) = (
        w.experiments[0].id,
        w.experiments[0].file.as_ref().unwrap().bytes.clone(),
    );
    w.apply(Command::Save(id, folder.join("dynamic.tflite")));
    settle(&mut w);
    assert_eq!(std::fs::read(folder.join("dynamic.tflite")).unwrap(), bytes);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else may be left behind"
    );
    assert!(!w.notices.last().unwrap().is_error);

    w.apply(Command::Save(id, folder.join("missing/dynamic.tflite")));
    settle(&mut w);
    let notice = w.notices.last().unwrap();
    assert!(
        notice.is_error && notice.text.contains("missing"),
        "{notice:?}"
    );
}

#[test]
fn a_file_that_is_no_model_leaves_the_open_model_alone() {
    let folder = Folder::new("no-model");
    std::fs::write(folder.join("notes.tflite"), "hello").unwrap();
    let mut w = small_demo();
    for path in [
        folder.join("notes.tflite"),
        folder.join("nothing.tflite"),
        folder.path().to_owned(),
    ] {
        w.apply(Command::OpenModel(path.clone()));
        settle(&mut w);
        let error = w.model_error.clone().unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(error.contains(&*name), "{error}");
        assert_eq!(w.model.as_ref().unwrap().name, "MNIST digits");
    }
}

#[test]
fn data_of_another_shape_says_so() {
    let folder = Folder::new("other-shape");
    // IDX: magic, two images of 3 × 3.
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3];
    idx.extend([0; 18]);
    std::fs::write(folder.join("small-images-idx3-ubyte"), idx).unwrap();
    let mut w = small_demo();
    w.apply(Command::ChooseData(
        Role::Evaluation,
        folder.join("small-images-idx3-ubyte"),
    ));
    settle(&mut w);
    let error = w.evaluation.error.clone().unwrap();
    assert!(
        error.contains("3 × 3") && error.contains("28 × 28"),
        "{error}"
    );
}

#[test]
fn run_says_what_it_lacks() {
    let mut w = workbench();
    assert_eq!(w.run_obstacle().unwrap(), "Open a model first");
    w.apply(Command::Run);
    assert!(w.notices[0].is_error);
    w.apply(Command::Dismiss(w.notices[0].id));
    assert!(w.notices.is_empty());
    let mut w = small_demo();
    w.apply(Command::ClearData(Role::Calibration));
    assert!(w.run_obstacle().unwrap().contains("calibration data"));
    w.apply(Command::UseRandomValues);
    settle(&mut w);
    assert!(w.calibration.loaded.as_ref().unwrap().synthetic);
    assert_eq!(w.run_obstacle(), None);
    Mode::ALL
        .iter()
        .for_each(|&m| w.apply(Command::SetMode(m, false)));
    assert_eq!(w.run_obstacle().unwrap(), "Choose at least one mode");
}

#[test]
fn recent_files_are_remembered() {
    let folder = Folder::new("recent");
    let list = folder.join("config/recent.json");
    let model = folder.join("mnist.tflite");
    std::fs::write(&model, zeropoint::data::demo::demo().model.bytes).unwrap();
    let mut w = workbench();
    w.remember_recent_in(&list);
    settle(&mut w);
    w.apply(Command::OpenModel(model.clone()));
    settle(&mut w);
    assert_eq!(w.recent, std::slice::from_ref(&model));
    let mut later = workbench();
    later.remember_recent_in(&list);
    settle(&mut later);
    assert_eq!(later.recent, std::slice::from_ref(&model));
    later.apply(Command::ForgetRecent(model));
    settle(&mut later);
    assert_eq!(later.recent, Vec::<PathBuf>::new());
}
