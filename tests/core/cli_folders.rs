//! Folders of images on the command line and in the workbench: flags, JSON keys, one-line errors.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;
use zeropoint::data::demo::demo;
use zeropoint::data::{self, GuessedFrom, Preprocess, Selection};
use zeropoint::workbench::{ClassSource, Command as Action, Role, Workbench};

use crate::data_images::png;
use crate::folder::Folder;

pub const N: usize = 300;

/// The demo's model, and its first test digits as `digits/<class>/<number>.png`.
pub fn files(name: &str) -> Folder {
    let folder = Folder::new(name);
    let demo = demo();
    std::fs::write(folder.join("model.tflite"), &demo.model.bytes).unwrap();
    let graph = zeropoint::tflite::read(demo.model.bytes).unwrap();
    let labels = Some((demo.test_labels.name.to_owned(), demo.test_labels.bytes));
    let specs = data::input_specs(&graph, 0);
    let set = data::open(demo.test.name, demo.test.bytes, labels, &specs).unwrap();
    for i in 0..N {
        let batch = set.batch(i..i + 1).unwrap();
        let values = batch[0].as_f32().unwrap();
        let pixels: Vec<u8> = values.iter().map(|x| (x * 255.0).round() as u8).collect();
        let class = folder.join(&format!("digits/{}", set.labels().unwrap()[i]));
        std::fs::create_dir_all(&class).unwrap();
        std::fs::write(class.join(format!("{i:05}.png")), png(28, 28, &pixels)).unwrap();
    }
    folder
}

fn zeropoint(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zeropoint"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

/// stdout as JSON, and stderr.
fn succeeds(folder: &Path, arguments: &str) -> (Json, String) {
    let out = zeropoint(folder, arguments);
    let errors = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{arguments}: {errors}");
    (
        serde_json::from_slice(&out.stdout).unwrap_or_default(),
        errors,
    )
}

fn fails(folder: &Path, arguments: &str, words: &[&str]) {
    let out = zeropoint(folder, arguments);
    let message = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{arguments}: {message}");
    assert_eq!(message.trim().lines().count(), 1, "{message}");
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
}

#[test]
fn folders_feed_every_command_and_stand_in_its_json() {
    let f = files("cli-folders");
    let (j, said) = succeeds(f.path(), "evaluate model.tflite --data digits --json");
    assert_eq!((&j["samples"], &j["total"]), (&N.into(), &N.into()));
    assert!(j["top1"].as_f64().unwrap() > 0.9);
    assert_eq!(j["preprocess"]["scale"], "unit");
    assert_eq!(j["preprocess_from"], "nobody");
    assert_eq!(j["class_order"], "in numerical order");
    assert_eq!(j["classes"].as_array().unwrap().len(), 10);
    assert_eq!((&j["skipped"], &j["synthetic"]), (&0.into(), &false.into()));
    assert!(said.contains("values 0.000 to 1.000"), "{said}");

    let random = "evaluate model.tflite --data digits --samples 50 --pick random --seed 3 --json";
    let [mut a, mut b] = [0, 1].map(|_| succeeds(f.path(), random).0);
    assert_eq!(a["selection"]["seed"], 3);
    (a["seconds"], b["seconds"]) = (Json::Null, Json::Null);
    assert_eq!(a, b);

    let quantize = "quantize model.tflite --mode int8 --calibration digits --samples 5 --pick per-class -o q.tflite --json";
    let (j, _) = succeeds(f.path(), quantize);
    assert_eq!(j["calibration"]["samples"], 50);
    assert_eq!(j["calibration"]["selection"]["pick"], "per-class");
    // The written file says in its input which values it takes.
    std::fs::write(
        f.join("own.json"),
        r#"{"scale": "raw", "fit": "letterbox"}"#,
    )
    .unwrap();
    let compare = "compare model.tflite --calibration digits --data digits --data-samples 60 --modes float32,int8 --preprocess own.json --json c.json";
    succeeds(f.path(), compare);
    let j: Json = serde_json::from_slice(&std::fs::read(f.join("c.json")).unwrap()).unwrap();
    assert_eq!(j["data"]["samples"], 60);
    assert_eq!(j["data"]["preprocess"]["fit"], "letterbox");
    assert_eq!(j["calibration"]["preprocess_from"], "user");
    assert_eq!(j["experiments"].as_array().unwrap().len(), 2);
}

#[test]
fn wrong_choices_have_a_sentence_each() {
    let f = files("cli-folder-errors");
    let with = |arguments: &str, words: &[&str]| {
        fails(
            f.path(),
            &format!("evaluate model.tflite {arguments}"),
            words,
        )
    };
    with("--data nowhere", &["nowhere", "no such file"]);
    // A folder without classes has no labels, a single class folder is not all of them.
    std::fs::create_dir_all(f.join("single/3")).unwrap();
    std::fs::copy(f.join("digits/7/00000.png"), f.join("single/3/x.png")).unwrap();
    std::fs::rename(f.join("single/3"), f.join("single/three")).unwrap();
    with(
        "--data single",
        &["single holds one class (three)", "10 apart"],
    );
    let demo = demo();
    std::fs::write(f.join("t10k-images-idx3-ubyte.gz"), &demo.test.bytes).unwrap();
    with(
        "--data t10k-images-idx3-ubyte.gz --preprocess signed",
        &[
            "--preprocess signed is for images and sounds",
            "fed as it is",
        ],
    );
    with(
        "--data digits --preprocess units",
        &["units", "neither a preset"],
    );
    std::fs::write(f.join("bad.json"), "{").unwrap();
    with(
        "--data digits --preprocess bad.json",
        &["bad.json", "no preprocessing"],
    );
    with("--data digits --classes model", &["carries no class names"]);
    with(
        "--data digits --classes nofile",
        &["nofile", "no such file"],
    );
    std::fs::write(f.join("names.txt"), "a\nb\n").unwrap();
    with(
        "--data digits --classes names.txt",
        &["names.txt names 2 classes", "10 apart"],
    );
    std::fs::create_dir_all(f.join("void")).unwrap();
    with("--data void", &["void is empty"]);
    std::fs::create_dir_all(f.join("deep/a/b")).unwrap();
    std::fs::copy(f.join("digits/7/00000.png"), f.join("deep/a/b/x.png")).unwrap();
    with("--data deep", &["too deep (a/b)"]);
}

#[test]
fn inverted_classes_raise_doubts() {
    let f = files("cli-folder-inverted");
    let names: Vec<String> = (0..10).rev().map(|i| i.to_string()).collect();
    std::fs::write(f.join("names.txt"), names.join("\n")).unwrap();
    let inverted = "evaluate model.tflite --data digits --classes names.txt --json";
    let (j, _) = succeeds(f.path(), inverted);
    let warnings = j["warnings"].to_string();
    assert!(
        j["top1"].as_f64().unwrap() < 0.1 && warnings.contains("permuted"),
        "{j}"
    );
}

fn settle(w: &mut Workbench) {
    let start = std::time::Instant::now();
    while w.calibration.pending.is_some()
        || w.evaluation.pending.is_some()
        || w.model_pending.is_some()
    {
        w.poll();
        assert!(start.elapsed().as_secs() < 120, "jobs do not end");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[test]
fn the_workbench_reads_folders_by_command() {
    let f = files("workbench-folders");
    let mut w = Workbench::new(std::sync::Arc::new(|| ()));
    w.apply(Action::OpenModel(f.join("model.tflite")));
    settle(&mut w);
    w.apply(Action::ChooseData(Role::Calibration, f.join("digits")));
    w.apply(Action::ChooseData(Role::Evaluation, f.join("digits")));
    settle(&mut w);
    assert_eq!((w.calibration.used(), w.calibration.total()), (100, N));
    assert_eq!((w.evaluation.used(), w.evaluation.total()), (N, N));
    let loaded = w.evaluation.loaded.clone().unwrap();
    assert_eq!(loaded.preview.samples.len(), 12);
    assert_eq!(loaded.preprocess_from, GuessedFrom::Nobody);
    assert_eq!(loaded.classes.len(), 10);

    let version = w.evaluation.version;
    w.apply(Action::SetPreprocess(Preprocess::preset("raw")));
    // What was read stays until it is read anew.
    assert!(w.evaluation.loaded.is_some() && w.evaluation.pending.is_some());
    settle(&mut w);
    assert!(w.evaluation.version > version);
    let loaded = w.evaluation.loaded.clone().unwrap();
    assert_eq!(loaded.preview.values.max, 255.0);
    assert_eq!(loaded.record().preprocess, Preprocess::preset("raw"));

    let random = Selection::Random {
        samples: 30,
        seed: 9,
    };
    w.apply(Action::SetSelection(Role::Evaluation, random));
    settle(&mut w);
    assert_eq!((w.evaluation.used(), w.evaluation.total()), (30, N));
    w.apply(Action::SetSamples(Role::Evaluation, Some(20)));
    settle(&mut w);
    let wanted = Selection::Random {
        samples: 20,
        seed: 9,
    };
    assert_eq!((w.evaluation.selection, w.evaluation.used()), (wanted, 20));

    w.apply(Action::SetClasses(ClassSource::Model));
    settle(&mut w);
    let error = w.evaluation.error.clone().unwrap();
    assert!(error.contains("carries no class names"), "{error}");
    w.apply(Action::SetClasses(ClassSource::Auto));
    settle(&mut w);
    assert_eq!(w.evaluation.error, None);

    // Data in one piece is chosen from at once.
    w.apply(Action::OpenDemo);
    settle(&mut w);
    w.apply(Action::SetSelection(
        Role::Evaluation,
        Selection::PerClass { samples: 4 },
    ));
    assert!(w.evaluation.pending.is_none());
    assert_eq!((w.evaluation.used(), w.evaluation.total()), (40, 10_000));
    crate::workbench_commands::settle(&mut w);
    let loaded = w.evaluation.loaded.as_ref().unwrap();
    assert_eq!(loaded.previewed, loaded.selection);
    let shown: Vec<_> = loaded.preview.samples.iter().map(|s| s.label).collect();
    let labels = loaded.dataset.labels().unwrap();
    let expected: Vec<_> = (0..12).map(|i| Some(labels[i * 40 / 12])).collect();
    assert_eq!(shown, expected, "pictures follow the choice");
}
