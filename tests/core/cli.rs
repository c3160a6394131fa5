//! The command line as scripts use it: exit codes, one-line errors, files and JSON keys.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;
use zeropoint::data::demo::demo;
use zeropoint::data::{read_npy, write_npy};
use zeropoint::graph::{Data, Value};

use crate::folder::Folder;

/// The demo's model and data as files, and a place for results.
pub fn demo_files(name: &str) -> Folder {
    let folder = Folder::new(name);
    let demo = demo();
    for file in [
        demo.model,
        demo.calibration,
        demo.calibration_labels,
        demo.test,
        demo.test_labels,
    ] {
        std::fs::write(folder.join(file.name), file.bytes).unwrap();
    }
    folder
}

const MODEL: &str = "mnist_float.tflite";
const CALIBRATION: &str = "train-1000-images-idx3-ubyte.gz";

fn zeropoint(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zeropoint"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

pub fn succeeds(folder: &Path, arguments: &str) -> String {
    let out = zeropoint(folder, arguments);
    assert!(
        out.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// The one line on stderr of a command that fails with `code`.
pub fn fails(folder: &Path, arguments: &str, code: i32) -> String {
    let out = zeropoint(folder, arguments);
    let message = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(code), "{arguments}: {message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
    message
}

pub fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn inspect_lists_operators_and_tensors() {
    let f = demo_files("inspect");
    let j = json(&succeeds(f.path(), &format!("inspect {MODEL} --json")));
    assert_eq!(j["inputs"][0]["dtype"], "float32");
    assert_eq!(j["outputs"][0]["shape"], serde_json::json!([1, 10]));
    let ops: Vec<_> = j["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["op"].as_str().unwrap())
        .collect();
    assert!(
        ops.contains(&"CONV_2D") && ops.contains(&"FULLY_CONNECTED"),
        "{ops:?}"
    );
    assert_eq!(j["tensors"][0]["index"], 0);
    assert!(succeeds(f.path(), &format!("inspect {MODEL}")).contains("CONV_2D"));
}

#[test]
fn quantize_writes_files_that_run_and_evaluate() {
    let f = demo_files("quantize");
    let line = format!(
        "quantize {MODEL} --mode int8 --io int8 --calibration {CALIBRATION} --samples 50 -o q.tflite --json"
    );
    let j = json(&succeeds(f.path(), &line));
    assert_eq!(
        j["bytes"].as_u64().unwrap(),
        std::fs::metadata(f.join("q.tflite")).unwrap().len()
    );
    assert_eq!(j["float_operators"], serde_json::json!([]));
    let j = json(&succeeds(f.path(), "inspect q.tflite --json"));
    assert_eq!(
        (&j["inputs"][0]["dtype"], &j["outputs"][0]["dtype"]),
        (&"int8".into(), &"int8".into())
    );
    assert!(j["inputs"][0]["scale"].as_f64().unwrap() > 0.0);

    let x = Value::new(vec![3, 28, 28], Data::I8(vec![5; 3 * 784])).unwrap();
    std::fs::write(f.join("x.npy"), write_npy(&x)).unwrap();
    let mut outputs = vec![];
    for kernels in ["reference", "fast"] {
        succeeds(
            f.path(),
            &format!(
                "run q.tflite --input x.npy --output-dir {kernels} --kernels {kernels} --threads 2"
            ),
        );
        let bytes = std::fs::read(f.join(kernels).join("output_0.npy")).unwrap();
        outputs.push(read_npy("output_0.npy", bytes.into()).unwrap());
    }
    assert_eq!(outputs[0].shape, [3, 10]);
    assert_eq!(outputs[0], outputs[1]);

    let labels = "t10k-labels-idx1-ubyte.gz";
    let j = json(&succeeds(
        f.path(),
        &format!("evaluate q.tflite --data {CALIBRATION} --json"),
    ));
    assert_eq!(j["samples"], 1000);
    assert!(
        j["top1"].as_f64().unwrap() > 0.95 && j["top5"].as_f64().unwrap() > 0.99,
        "{j}"
    );
    let message = fails(
        f.path(),
        &format!("evaluate q.tflite --data {CALIBRATION} --labels {labels}"),
        1,
    );
    assert!(
        message.contains("10,000") && message.contains("1,000"),
        "{message}"
    );
}

#[test]
fn compare_runs_every_mode_and_keeps_the_contract_of_its_json() {
    let f = demo_files("compare");
    let line = format!(
        "compare {MODEL} --calibration {CALIBRATION} --data {CALIBRATION} --samples 20 --io int8 --output-dir out --json r.json --report r.html --report r.CSV"
    );
    let text = succeeds(f.path(), &line);
    let j = json(&std::fs::read_to_string(f.join("r.json")).unwrap());
    assert!(
        ["model", "calibration", "data", "experiments"]
            .iter()
            .all(|k| !j[k].is_null()),
        "{j}"
    );
    let experiments = j["experiments"].as_array().unwrap();
    let modes: Vec<_> = experiments
        .iter()
        .map(|e| e["mode"].as_str().unwrap())
        .collect();
    assert_eq!(modes, ["float32", "float16", "dynamic", "int8", "int16x8"]);
    for e in experiments {
        for key in [
            "name",
            "io",
            "file",
            "bytes",
            "accuracy",
            "convert_seconds",
            "calibrate_seconds",
            "warnings",
        ] {
            assert!(!e[key].is_null(), "{key} of {e}");
        }
        for key in ["min", "median", "p95", "threads"] {
            assert!(e["latency_ms"][key].as_f64().unwrap() > 0.0, "{key} of {e}");
        }
        let file = f.join(e["file"].as_str().unwrap());
        assert_eq!(
            std::fs::metadata(file).unwrap().len(),
            e["bytes"].as_u64().unwrap()
        );
        assert!(text.contains(e["name"].as_str().unwrap()));
    }
    assert_eq!(experiments[3]["io"], "int8");
    assert!(experiments[3]["agreement"].as_f64().unwrap() > 0.97);
    assert!(experiments[4]["sqnr_db"].as_f64().unwrap() > 30.0);
    assert_eq!(experiments[3]["recipe"]["bias_correction"], true);
    let page = std::fs::read_to_string(f.join("r.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Scale error"));
    let table = std::fs::read_to_string(f.join("r.CSV")).unwrap();
    assert_eq!(table.lines().count(), 6);
}

#[test]
fn compare_takes_figures_against_the_baseline_that_is_asked_for() {
    let f = demo_files("baseline");
    let line = format!(
        "compare {MODEL} --calibration {CALIBRATION} --samples 20 --modes float32,dynamic,int8 --io int8"
    );
    let figures = |flags: &str| {
        succeeds(f.path(), &format!("{line} {flags} --json r.json"));
        json(&std::fs::read_to_string(f.join("r.json")).unwrap())
    };
    let usual = figures("");
    assert_eq!(usual["baseline"], "float32");
    for (flags, at) in [("--baseline int8", 2), ("--baseline dynamic", 1)] {
        let j = figures(flags);
        assert_eq!(j["baseline"], j["experiments"][at]["name"]);
        assert!(j["experiments"][at]["agreement"].is_null());
        let float = &j["experiments"][0];
        assert_eq!(
            float["agreement"], usual["experiments"][at]["agreement"],
            "agreement has no direction"
        );
        assert!(float["sqnr_db"].as_f64().unwrap() > 15.0, "{float}");
    }
    let message = fails(f.path(), &format!("{line} --baseline int16x8"), 2);
    assert!(
        message.contains("float32; dynamic; int8, int8 I/O"),
        "{message}"
    );
}

#[test]
fn a_report_of_no_known_form_is_bad_usage_before_any_work() {
    let f = demo_files("report");
    let message = fails(f.path(), "compare --report r.pdf", 2);
    assert!(
        message.contains("r.pdf") && message.contains(".html, .csv or .json"),
        "{message}"
    );
}

#[test]
fn compare_takes_settings_from_a_recipe() {
    let f = demo_files("recipe");
    std::fs::write(
        f.join("s.json"),
        r#"{"mode": "float16", "bias_correction": false}"#,
    )
    .unwrap();
    let line = format!(
        "compare {MODEL} --calibration {CALIBRATION} --samples 5 --modes int8 --recipe s.json --json r.json"
    );
    succeeds(f.path(), &line);
    let j = json(&std::fs::read_to_string(f.join("r.json")).unwrap());
    let recipe = &j["experiments"][0]["recipe"];
    assert_eq!(
        (recipe["mode"].as_str(), recipe["bias_correction"].as_bool()),
        (Some("int8"), Some(false))
    );
}

#[test]
fn bench_times_every_model() {
    let f = demo_files("bench");
    let j = json(&succeeds(
        f.path(),
        &format!("bench {MODEL} {MODEL} --seconds 0.05 --json"),
    ));
    assert_eq!(j.as_array().unwrap().len(), 2);
    for key in ["model", "threads", "runs", "min_ms", "median_ms", "p95_ms"] {
        assert!(!j[0][key].is_null(), "{key}");
    }
}

#[test]
fn bench_profiles_operators() {
    let f = demo_files("profile");
    let line = format!("bench {MODEL} --seconds 0.05 --profile");
    let j = json(&succeeds(f.path(), &format!("{line} --json")));
    let operators = j[0]["profile"]["operators"].as_array().unwrap();
    let listed = json(&succeeds(f.path(), &format!("inspect {MODEL} --json")));
    let listed = listed["operators"].as_array().unwrap();
    assert_eq!(operators.len(), listed.len());
    let mut shares = 0.0;
    for (timed, listed) in operators.iter().zip(listed) {
        assert_eq!(
            (&timed["index"], &timed["op"]),
            (&listed["index"], &listed["op"])
        );
        shares += timed["share"].as_f64().unwrap_or(0.0);
        // What follows from shapes alone is computed while preparing.
        let op = timed["op"].as_str().unwrap();
        let free = ["SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"].contains(&op);
        assert_eq!(timed["median_ms"].is_null(), free, "{timed}");
        let shape = timed["shape"].as_array().unwrap();
        assert!(free || shape.len() > 1, "{timed}");
    }
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    let text = succeeds(f.path(), &line);
    assert!(
        text.contains("CONV_2D float32 float32 float32 [1, "),
        "{text}"
    );
}

#[test]
fn bad_usage_is_code_2_and_bad_input_code_1() {
    let f = demo_files("errors");
    let bad = zeropoint(
        f.path(),
        &format!("quantize {MODEL} --mode int9 -o q.tflite"),
    );
    assert_eq!(bad.status.code(), Some(2));
    let message = fails(
        f.path(),
        &format!("quantize {MODEL} --mode int8 -o q.tflite"),
        2,
    );
    assert!(message.contains("--calibration"), "{message}");
    let message = fails(
        f.path(),
        &format!("quantize {MODEL} --mode int16x8 --io uint8 --calibration x -o q.tflite"),
        2,
    );
    assert!(message.contains("int16"), "{message}");
    let message = fails(f.path(), "inspect nothing.tflite", 1);
    assert!(message.contains("nothing.tflite"), "{message}");
    std::fs::write(f.join("empty.tflite"), "").unwrap();
    assert!(fails(f.path(), "inspect empty.tflite", 1).contains("empty"));
    std::fs::write(f.join("model.keras"), b"PK\x03\x04").unwrap();
    let message = fails(f.path(), "convert model.keras -o out.tflite", 1);
    assert!(message.contains("(a zip archive) is damaged"), "{message}");
    let message = fails(
        f.path(),
        &format!("quantize {MODEL} --mode dynamic -o missing/q.tflite"),
        1,
    );
    assert!(message.contains("missing"), "{message}");
    assert!(!f.join("q.tflite").exists());
    assert_eq!(zeropoint(f.path(), "--help").status.code(), Some(0));
}

#[cfg(not(feature = "train"))]
#[test]
fn a_build_without_training_says_how_to_get_it() {
    let f = demo_files("no-training");
    let message = fails(f.path(), &format!("train --data {CALIBRATION} -o x.h5"), 1);
    assert!(message.contains("--features train"), "{message}");
    assert!(!f.join("x.h5").exists());
}
