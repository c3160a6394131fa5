//! Keras files as users have them: damaged, cut off, hostile or incomplete, each with one clear sentence; and the command line.

use std::io::{Cursor, Read, Write};
use std::process::Command;

use bytes::Bytes;
use serde_json::{Value, json};
use zeropoint::error::Error;
use zeropoint::keras;

use crate::folder::Folder;
use crate::golden_file::Golden;

/// A whole file of the golden group.
fn file(group: &str, name: &str) -> Bytes {
    let golden = Golden::open(&format!("keras/{group}.bin.gz"));
    let case = golden.cases.iter().find(|c| c.name == name).unwrap();
    golden.model(case)
}

fn message(bytes: impl Into<Bytes>) -> String {
    let error = keras::read(bytes.into()).unwrap_err();
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    text
}

/// Name and content of every part of an archive.
fn parts(archive: &Bytes) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive.clone())).unwrap();
    (0..zip.len())
        .map(|i| {
            let mut entry = zip.by_index(i).unwrap();
            let mut data = vec![];
            entry.read_to_end(&mut data).unwrap();
            (entry.name().unwrap().into_owned(), data)
        })
        .collect()
}

fn archive(parts: &[(&str, &[u8])]) -> Bytes {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, data) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

/// The dense network of the golden files with its architecture changed.
fn with_config(change: impl FnOnce(&mut Value)) -> Bytes {
    let parts = parts(&file("conv", "dense.keras"));
    let part = |name: &str| &parts.iter().find(|(n, _)| n == name).unwrap().1;
    let mut config: Value = serde_json::from_slice(part("config.json")).unwrap();
    change(&mut config);
    let config = serde_json::to_vec(&config).unwrap();
    archive(&[
        ("config.json", &config),
        ("model.weights.h5", part("model.weights.h5")),
    ])
}

/// An archive with this architecture and the weights of the dense network.
fn with_text(config: &str) -> Bytes {
    let parts = parts(&file("conv", "dense.keras"));
    let weights = &parts
        .iter()
        .find(|(n, _)| n == "model.weights.h5")
        .unwrap()
        .1;
    archive(&[
        ("config.json", config.as_bytes()),
        ("model.weights.h5", weights),
    ])
}

/// The settings of the one Dense layer.
fn dense(config: &mut Value) -> &mut Value {
    let layers = config["config"]["layers"].as_array_mut().unwrap();
    let layer = layers.iter_mut().find(|l| l["class_name"] == "Dense");
    &mut layer.unwrap()["config"]
}

#[test]
fn damaged_and_cut_off_files_are_refused_or_read_but_never_crash() {
    let golden = Golden::open("keras/conv.bin.gz");
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut refused, mut read) = (0, 0);
    for name in ["dense.keras", "dense.h5", "dense.k2.h5", "dense.old.h5"] {
        let case = golden.cases.iter().find(|c| c.name == name).unwrap();
        let whole = golden.model(case);
        assert!(keras::read(whole.clone()).is_ok(), "{name}");
        let mut attempt = |bytes: Vec<u8>| match keras::read(bytes.into()) {
            Ok(graph) => {
                graph.validate().unwrap();
                read += 1;
            }
            Err(e) => {
                assert!(!e.to_string().contains('\n'), "{name}: {e}");
                refused += 1;
            }
        };
        for cut in (0..whole.len()).step_by(101) {
            attempt(whole[..cut].to_vec());
        }
        for _ in 0..300 {
            let mut bytes = whole.to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                bytes[at] = match random(3) {
                    0 => 0xff,
                    1 => 0,
                    _ => random(256) as u8,
                };
            }
            attempt(bytes);
        }
    }
    // Most flips hit padding or weights; most cuts hit something.
    assert!(
        refused > 300 && read > 100,
        "{refused} refused, {read} read"
    );
}

#[test]
fn what_is_no_keras_model_is_named() {
    let zip = |name: &str| archive(&[(name, b"x")]);
    assert!(message(zip("a.npy")).contains("no config.json"));
    assert!(message(zip("m/saved_model.pb")).contains("SavedModel"));
    assert!(message(&b"PK\x03\x04"[..]).contains("damaged or cut off"));
    assert!(message(&b"\x89HDF\r\n\x1a\n"[..]).contains("damaged or cut off"));
    assert!(message(&b"TFL3"[..]).contains("no Keras file"));
}

#[test]
fn half_a_model_says_which_half_is_missing() {
    let whole = parts(&file("conv", "dense.keras"));
    for (kept, missing) in [
        ("config.json", "no weights"),
        ("model.weights.h5", "no architecture"),
    ] {
        let data = &whole.iter().find(|(n, _)| n == kept).unwrap().1;
        let text = message(archive(&[(kept, data)]));
        assert!(
            text.contains(missing) && text.contains("model.save("),
            "{text}"
        );
    }
    let weights = whole.iter().find(|(n, _)| n == "model.weights.h5").unwrap();
    let text = message(weights.1.clone());
    assert!(
        text.contains("no architecture") && text.contains("model.save("),
        "{text}"
    );

    let mut builder = hdf5_pure::FileBuilder::new();
    builder.set_attr(
        "model_config",
        hdf5_pure::AttrValue::String("{\"class_name\": \"Sequential\"}".into()),
    );
    let text = message(builder.finish().unwrap());
    assert!(
        text.contains("no weights") && text.contains("model.save("),
        "{text}"
    );
    let text = message(hdf5_pure::FileBuilder::new().finish().unwrap());
    assert!(text.contains("no Keras model"), "{text}");
}

#[test]
fn layers_that_cannot_be_lowered_are_named() {
    let own = with_config(|c| {
        dense(c);
        let layer = c["config"]["layers"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap();
        layer["class_name"] = json!("Custom>Twister");
        layer["module"] = json!("my_code");
        layer["config"]["name"] = json!("twist");
        layer["name"] = json!("twist");
    });
    let text = message(own);
    assert!(
        text.contains("'twist' (Twister)") && text.contains(".tflite"),
        "{text}"
    );
    let first = with_config(|c| dense(c)["data_format"] = json!("channels_first"));
    assert!(keras::read(first).is_ok(), "Dense has no data_format");
    let text = message(with_text(&sequential(
        r#"{"class_name": "Conv2D", "config": {"name": "c", "trainable": true, "filters": 1, "kernel_size": 3, "data_format": "channels_first"}}"#,
        "[null, 8, 8, 1]",
    )));
    assert!(
        text.contains("'c' (Conv2D)") && text.contains("channels_last"),
        "{text}"
    );
    let text = message(with_text(&sequential(
        r#"{"class_name": "Lambda", "config": {"name": "trick", "trainable": true}}"#,
        "[null, 4]",
    )));
    assert!(
        text.contains("'trick' (Lambda)") && text.contains(".tflite"),
        "{text}"
    );
    let text = message(with_text(
        r#"{"module": "my_code", "class_name": "MyModel", "config": {"units": 3}}"#,
    ));
    assert!(
        text.contains("MyModel") && text.contains(".tflite"),
        "{text}"
    );
}

/// A sequential model of one layer behind an input of this shape.
fn sequential(layer: &str, shape: &str) -> String {
    format!(
        r#"{{"class_name": "Sequential", "config": {{"name": "s", "layers": [
            {{"class_name": "InputLayer", "config": {{"batch_shape": {shape}, "dtype": "float32", "name": "x"}}}}, {layer}]}}}}"#
    )
}

#[test]
fn hostile_architectures_are_refused_quickly() {
    for (what, bytes) in [
        (
            "2 billion",
            with_config(|c| dense(c)["units"] = json!(2_000_000_000)),
        ),
        ("negative", with_config(|c| dense(c)["units"] = json!(-3))),
        ("words", with_config(|c| dense(c)["units"] = json!("many"))),
        (
            "no layers",
            with_config(|c| c["config"]["layers"] = json!([])),
        ),
        (
            "numbers for layers",
            with_config(|c| c["config"]["layers"] = json!([1, 2])),
        ),
        ("deep", with_text(&"[".repeat(100_000))),
        ("no JSON", with_text("{")),
    ] {
        assert!(
            matches!(
                keras::read(bytes),
                Err(Error::Malformed(_) | Error::Unsupported(_))
            ),
            "{what}"
        );
    }
    let pool = r#"{"class_name": "MaxPooling2D", "config": {"name": "p", "trainable": true, "pool_size": [2, 0]}}"#;
    let text = message(with_text(&sequential(pool, "[null, 8, 8, 1]")));
    assert!(
        text.contains("'p' (MaxPooling2D)") && text.contains("at least 1"),
        "{text}"
    );
    let flat = r#"{"class_name": "Flatten", "config": {"name": "f", "trainable": true}}"#;
    let text = message(with_text(&sequential(
        flat,
        "[null, 2000000000, 2000000000, 4]",
    )));
    assert!(text.contains("'f' (Flatten)"), "{text}");
}

#[test]
fn calls_in_a_circle_and_calls_without_end_are_refused() {
    let layer = |name: &str, from: &str| {
        json!({"class_name": "Activation", "name": name, "config": {"name": name, "trainable": true, "activation": "relu"},
            "inbound_nodes": [[[from, 0, 0, {}]]]})
    };
    let input = json!({"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
        "config": {"name": "x", "batch_input_shape": [null, 4], "dtype": "float32"}});
    let circle = json!({"class_name": "Functional", "config": {"name": "m", "layers": [input.clone(), layer("a", "b"), layer("b", "a")],
        "input_layers": [["x", 0, 0]], "output_layers": [["b", 0, 0]]}});
    let text = message(with_text(&circle.to_string()));
    assert!(text.contains("'a' (Activation)"), "{text}");

    // Each model calls the one inside it twice: 2²⁵ calls.
    let mut model = layer("a", "x");
    for depth in 0..25 {
        let name = format!("m{depth}");
        let inner = model["name"].clone();
        let mut called = model;
        called["inbound_nodes"] = json!([[["x", 0, 0, {}]], [[inner, 0, 0, {}]]]);
        model = json!({"class_name": "Functional", "name": name, "inbound_nodes": [],
            "config": {"name": name, "layers": [input.clone(), called], "input_layers": [["x", 0, 0]], "output_layers": [[inner, 1, 0]]}});
    }
    let text = message(with_text(&model.to_string()));
    assert!(text.contains("unfolds"), "{text}");
}

#[test]
fn the_command_line_converts_and_opens_keras_files() {
    let folder = Folder::new("keras");
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_zeropoint"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    for (name, format) in [("m.keras", "Keras archive"), ("m.h5", "Keras HDF5")] {
        let source = format!("dense.{}", name.rsplit('.').next().unwrap());
        std::fs::write(folder.join(name), file("conv", &source)).unwrap();
        let out = run(&["convert", name, "-o", "m.tflite"]);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let converted = std::fs::read(folder.join("m.tflite")).unwrap();
        let graph = zeropoint::tflite::read(converted.into()).unwrap();
        assert!(
            graph
                .main()
                .nodes
                .iter()
                .any(|n| n.op.name() == "FULLY_CONNECTED")
        );
        assert_eq!(graph.signatures[0].key, "serving_default");
        let shown = run(&["inspect", name]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains(format));
        let quantized = run(&["quantize", name, "--mode", "dynamic", "-o", "q.tflite"]);
        assert!(quantized.status.success());
    }
    let again = run(&["convert", "m.tflite", "-o", "n.tflite"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"));
}
