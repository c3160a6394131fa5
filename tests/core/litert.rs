//! LiteRT as a second engine, with a stand-in for its library that crashes, hangs, refuses and talks nonsense: each costs one message.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use zeropoint::data::demo::demo;
use zeropoint::data::read_npy;
use zeropoint::graph::Data;
use zeropoint::quantize::Mode;
use zeropoint::workbench::litert::Engine;
use zeropoint::workbench::{self, State, Workbench};

use crate::folder::Folder;
use crate::stand_in::{facts, graph, stand_in};

/// The demo's model and data as files.
fn files(name: &str) -> Folder {
    let folder = Folder::new(&format!("litert-{name}"));
    let d = demo();
    for file in [d.model, d.calibration, d.calibration_labels] {
        std::fs::write(folder.join(file.name), file.bytes).unwrap();
    }
    folder
}

const MODEL: &str = "mnist_float.tflite";
const DATA: &str = "train-1000-images-idx3-ubyte.gz";

/// The command line with a library, the stand-in behaving like `mode`.
fn command(folder: &Folder, library: &Path, mode: &str, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zeropoint"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder.path())
        .env("ZEROPOINT_LITERT", library)
        .env("ZEROPOINT_STAND_IN", mode)
        .env("ZEROPOINT_LITERT_LIMIT", "2")
        .envs(facts());
    command
}

fn zeropoint(folder: &Folder, mode: &str, arguments: &str) -> Output {
    command(folder, &stand_in(false), mode, arguments)
        .output()
        .unwrap()
}

fn stdout(out: &Output) -> String {
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// The one line on stderr of a command that fails.
fn failure(out: &Output) -> String {
    let message = String::from_utf8(out.stderr.clone()).unwrap();
    assert_eq!(out.status.code(), Some(1), "{message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
    message
}

#[test]
fn whatever_the_library_does_is_one_clear_line() {
    let f = files("line");
    let cases = [
        (
            "abort",
            &["signal 6, abort", "loading the model", "check failed"][..],
        ),
        ("segfault", &["signal 11, segmentation fault", "loading"]),
        (
            "hang",
            &[
                "did not answer for 2 s",
                "loading",
                "ZEROPOINT_LITERT_LIMIT",
            ],
        ),
        ("hang-run", &["did not answer", "timing the model"]),
        ("exit-run", &["exit code 3", "timing"]),
        (
            "status",
            &["status 501, invalid flatbuffer", "refuses this model"],
        ),
        (
            "status-run",
            &["LiteRtRunCompiledModel", "status 3, runtime failure"],
        ),
    ];
    for (mode, parts) in cases {
        if cfg!(not(unix)) && matches!(mode, "abort" | "segfault") {
            continue;
        }
        let line = format!("bench {MODEL} --engine litert --seconds 0.1");
        let message = failure(&zeropoint(&f, mode, &line));
        for part in parts {
            assert!(message.contains(part), "{mode}: {message}");
        }
    }
}

#[test]
fn beside_zeropoint_a_failure_costs_only_litert_s_figures() {
    let f = files("beside");
    let out = zeropoint(
        &f,
        "abort",
        &format!("bench {MODEL} --engine both --seconds 0.1 --json"),
    );
    let rows: Json = serde_json::from_str(&stdout(&out)).unwrap();
    assert!(rows[0]["median_ms"].as_f64().unwrap() > 0.0);
    let error = rows[0]["litert"]["error"].as_str().unwrap();
    assert!(error.contains("abort"), "{error}");
    assert!(rows[0]["difference"].is_null());
    let line = format!(
        "compare {MODEL} --modes float32,dynamic --data {DATA} --engine both --json r.json"
    );
    let out = zeropoint(&f, "exit-run", &line);
    assert!(stdout(&out).contains("exit code 3"));
    let j = std::fs::read_to_string(f.join("r.json")).unwrap();
    let j: Json = serde_json::from_str(&j).unwrap();
    for e in j["experiments"].as_array().unwrap() {
        assert!(e["accuracy"].as_f64().unwrap() > 0.9, "{e}");
        assert!(
            e["litert"]["error"]
                .as_str()
                .unwrap()
                .contains("exit code 3")
        );
    }
}

#[test]
fn a_library_that_works_gives_figures_whatever_it_prints() {
    let f = files("works");
    for mode in ["works", "noise"] {
        let line = format!("evaluate {MODEL} --data {DATA} --engine both --threads 1 --json");
        let j: Json = serde_json::from_str(&stdout(&zeropoint(&f, mode, &line))).unwrap();
        let litert = &j["litert"];
        // The stand-in always answers 9.
        let nines = demo_share_of(9);
        assert_eq!(litert["accuracy"].as_f64(), Some(nines), "{j}");
        assert!(j["top1"].as_f64().unwrap() > 0.95);
        assert_eq!(litert["delegate"], "XNNPACK");
        assert_eq!(litert["threads"], 1);
        assert!(litert["version"].is_null());
        assert!(litert["latency_ms"]["median"].as_f64().unwrap() > 0.0);
        assert!(j["latency_ms"]["median"].as_f64().unwrap() > 0.0);
        assert!(j["difference"]["differing"].as_f64().unwrap() > 0.8);
        assert!(j["difference"]["max_of_peak"].as_f64().unwrap() > 0.1);
        assert!(j["difference"]["max_steps"].is_null());
    }
    let out = zeropoint(
        &f,
        "noise",
        &format!("run {MODEL} --engine both --output-dir out"),
    );
    assert!(stdout(&out).contains("LiteRT of unknown version, XNNPACK, 1 thread"));
    let own = std::fs::read(f.join("out/output_0.npy")).unwrap();
    let theirs = std::fs::read(f.join("out/litert_output_0.npy")).unwrap();
    assert_ne!(own, theirs);
    let theirs = read_npy("y", theirs.into()).unwrap();
    let Data::F32(y) = &theirs.data else {
        panic!("{:?}", theirs.dtype())
    };
    assert!((y[9] - y[0] - 9.0).abs() < 1e-5, "{y:?}");
    let line = format!("evaluate {MODEL} --data {DATA} --engine litert --json");
    let j: Json = serde_json::from_str(&stdout(&zeropoint(&f, "works", &line))).unwrap();
    assert_eq!(j["top1"].as_f64(), Some(demo_share_of(9)));
    assert_eq!(j["engine"], "litert");
    assert!(j.get("difference").is_none());
}

/// Share of the demo's calibration samples with that label.
fn demo_share_of(class: u32) -> f64 {
    let d = demo();
    let labels = Some((
        d.calibration_labels.name.to_owned(),
        d.calibration_labels.bytes,
    ));
    let specs = zeropoint::data::input_specs(&graph(), 0);
    let set =
        zeropoint::data::open(d.calibration.name, d.calibration.bytes, labels, &specs).unwrap();
    let labels = set.labels().unwrap();
    labels.iter().filter(|&&l| l == class).count() as f64 / labels.len() as f64
}

#[test]
fn nonsense_is_refused() {
    let f = files("nonsense");
    let line = format!("run {MODEL} --engine litert --output-dir out");
    let message = failure(&zeropoint(&f, "garbage", &line));
    assert!(message.contains("LiteRT"), "{message}");
    let mut other = command(&f, &stand_in(false), "works", &line);
    other.env("ZEROPOINT_STAND_IN_INPUT", "another");
    let message = failure(&other.output().unwrap());
    assert!(
        message.contains("another part of the model") && message.contains("another"),
        "{message}"
    );
    let message = failure(
        &command(&f, &stand_in(true), "works", &line)
            .output()
            .unwrap(),
    );
    assert!(
        message.contains("LiteRtCreateEnvironment") && message.contains("2.3"),
        "{message}"
    );
    let message = failure(
        &command(&f, &f.join(MODEL), "works", &line)
            .output()
            .unwrap(),
    );
    assert!(
        message.contains("cannot be loaded as a library"),
        "{message}"
    );
    let message = failure(
        &command(&f, &f.join("nowhere"), "works", &line)
            .output()
            .unwrap(),
    );
    assert!(
        message.contains("ZEROPOINT_LITERT") && message.contains("nowhere"),
        "{message}"
    );
    assert!(!f.join("out/output_0.npy").exists());
}

#[test]
fn without_litert_one_sentence_says_how_to_get_it() {
    let f = files("absent");
    let mut command = command(
        &f,
        Path::new(""),
        "works",
        &format!("bench {MODEL} --engine both"),
    );
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX", "APPDATA"] {
        command.env_remove(variable);
    }
    // An empty variable counts as none, and the home folder has no Python environment.
    let message = failure(
        &command
            .env("HOME", f.path())
            .env("USERPROFILE", f.path())
            .output()
            .unwrap(),
    );
    assert!(
        message.contains("pip install ai-edge-litert") && message.contains("ZEROPOINT_LITERT"),
        "{message}"
    );
}

fn settle(w: &mut Workbench) {
    let start = Instant::now();
    while !w.jobs().is_idle() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the jobs never ended"
        );
        w.poll();
        std::thread::sleep(Duration::from_millis(1));
    }
    w.poll();
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_ends_with_its_parent() {
    let f = files("orphan");
    let file = f.join("pid");
    let line = format!("bench {MODEL} --engine litert");
    let mut command = command(&f, &stand_in(false), "hang", &line);
    command
        .env("ZEROPOINT_STAND_IN_PID", &file)
        .env("ZEROPOINT_LITERT_LIMIT", "600");
    let mut parent = command.spawn().unwrap();
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let pid = || std::fs::read_to_string(&file).unwrap_or_default();
    wait("the child never began", &|| !pid().is_empty());
    let child = PathBuf::from(format!("/proc/{}/status", pid()));
    let lives = || std::fs::read_to_string(&child).is_ok_and(|s| !s.contains("State:\tZ"));
    assert!(lives());
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait("the child outlives its parent", &|| !lives());
}

#[test]
fn a_workbench_without_litert_says_so_and_goes_on() {
    let f = files("workbench");
    let mut w = Workbench::new(Arc::new(|| {}));
    w.latency_seconds = 0.01;
    w.litert_program = Some(env!("CARGO_BIN_EXE_zeropoint").into());
    w.apply(workbench::Command::OpenDemo);
    settle(&mut w);
    for mode in Mode::ALL {
        w.apply(workbench::Command::SetMode(mode, mode == Mode::Dynamic));
    }
    w.apply(workbench::Command::SetSamples(
        workbench::Role::Evaluation,
        Some(100),
    ));
    w.apply(workbench::Command::SetLitertPlace(Some(
        f.path().to_owned(),
    )));
    w.apply(workbench::Command::SetEngine(Engine::Both));
    w.apply(workbench::Command::Run);
    settle(&mut w);
    assert!(
        w.litert
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap_err()
            .contains("no LiteRT library")
    );
    let e = &w.experiments[0];
    assert_eq!(e.state, State::Done);
    assert!(e.latency.is_some() && e.evaluation.is_some());
    assert!(
        e.litert
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap_err()
            .contains("no LiteRT library")
    );
    // Another engine is another result.
    w.apply(workbench::Command::SetEngine(Engine::Litert));
    assert_eq!(w.new_work(), 1);
    w.apply(workbench::Command::Run);
    settle(&mut w);
    assert!(matches!(&w.experiments[0].state, State::Failed(m) if m.contains("no LiteRT library")));
    // A library that cannot be loaded is found, and fails in its own process.
    w.apply(workbench::Command::SetLitertPlace(Some(stand_in(true))));
    w.apply(workbench::Command::SetEngine(Engine::Both));
    w.apply(workbench::Command::Run);
    settle(&mut w);
    assert!(w.litert.as_ref().unwrap().is_ok());
    let e = &w.experiments[0];
    assert_eq!(e.state, State::Done);
    let message = e.litert.as_ref().unwrap().as_ref().unwrap_err();
    assert!(message.contains("LiteRtCreateEnvironment"), "{message}");
}
