//! Training: it learns, it repeats itself to the bit, its files say the same in every format, and it fails in words.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use zeropoint::data::LabelledImages;
use zeropoint::data::demo::demo;
use zeropoint::engine::{self, Options};
use zeropoint::error::Error;
use zeropoint::graph::{Data, Graph, Op, Value};
use zeropoint::keras::{self, Container, Sequential};
use zeropoint::progress::Progress;
use zeropoint::tflite;
use zeropoint::train::{Epoch, Settings, train};

use crate::folder::Folder;

/// An IDX file of these extents.
fn idx(shape: &[usize], data: &[u8]) -> Bytes {
    assert_eq!(shape.iter().product::<usize>(), data.len());
    let mut out = vec![0, 0, 8, shape.len() as u8];
    for &extent in shape {
        out.extend_from_slice(&(extent as u32).to_be_bytes());
    }
    out.extend_from_slice(data);
    out.into()
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    let mut stream = flate2::read::GzDecoder::new(bytes);
    stream.read_to_end(&mut out).unwrap();
    out
}

/// The first `count` training digits of the embedded data: images and labels as IDX files.
fn digit_files(count: usize) -> (Bytes, Bytes) {
    let demo = demo();
    let images = unzipped(&demo.calibration.bytes);
    let labels = unzipped(&demo.calibration_labels.bytes);
    (
        idx(&[count, 28, 28], &images[16..16 + count * 784]),
        idx(&[count], &labels[8..8 + count]),
    )
}

fn read(images: &Bytes, labels: &Bytes) -> LabelledImages {
    let labels = ("labels".to_owned(), labels.clone());
    LabelledImages::read("images", images.clone(), Some(labels)).unwrap()
}

fn digits(count: usize) -> LabelledImages {
    let (images, labels) = digit_files(count);
    read(&images, &labels)
}

/// Images of noise, brighter where their class says so; `shape` is that of the file.
fn noise(shape: &[usize], classes: usize) -> LabelledImages {
    let size: usize = shape[1..].iter().product();
    let pixel = |i: usize| {
        let bright = (i / size % classes) * 255 / classes;
        (bright + i.wrapping_mul(2_654_435_761) / 7 % 40).min(255) as u8
    };
    let pixels: Vec<u8> = (0..shape[0] * size).map(pixel).collect();
    let labels: Vec<u8> = (0..shape[0]).map(|i| (i % classes) as u8).collect();
    read(&idx(shape, &pixels), &idx(&[shape[0]], &labels))
}

fn run(images: &LabelledImages, epochs: usize, seed: u64) -> (Sequential, Vec<Epoch>) {
    let mut told = vec![];
    let settings = Settings { epochs, seed };
    let mut after = |e: &Epoch| told.push(*e);
    let network = train(
        images,
        Some(images),
        &settings,
        &mut after,
        &Progress::new(),
    )
    .unwrap();
    (network, told)
}

/// What the graph answers to samples of this shape.
fn answers(graph: Graph, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let input = (0..count).map(|i| (i % 97) as f32 / 97.0).collect();
    let input = Value::new(shape.to_vec(), Data::F32(input)).unwrap();
    let shapes = [shape.to_vec()];
    let mut prepared =
        engine::prepare(Arc::new(graph), Some(&shapes), &Options::default()).unwrap();
    let outputs = prepared.run(&[input], None).unwrap();
    outputs[0].as_f32().unwrap().to_vec()
}

#[test]
fn digits_are_learnt_and_the_same_seed_learns_the_same() {
    let images = digits(320);
    let (network, epochs) = run(&images, 6, 11);
    assert_eq!(
        epochs.iter().map(|e| e.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    assert!(
        epochs[5].loss < 0.6 * epochs[0].loss && epochs[0].loss < 2.4,
        "{epochs:?}"
    );
    let tested = epochs[5].test_accuracy.unwrap();
    assert!(tested > 0.8 && epochs[5].accuracy > 0.7, "{epochs:?}");

    // On one thread too.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    let alone = pool.build().unwrap().install(|| run(&images, 6, 11));
    assert_eq!(alone, (network.clone(), epochs));
    assert_ne!(run(&images, 6, 12).0, network);
}

#[test]
fn every_format_holds_the_same_network() {
    let (network, epochs) = run(&digits(96), 1, 5);
    let graph = network.graph().unwrap();
    let ops: Vec<&Op> = graph.main().nodes.iter().map(|n| &n.op).collect();
    let names: Vec<&str> = ops.iter().map(|op| op.name()).collect();
    let lean = [
        "RESHAPE",
        "CONV_2D",
        "MAX_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
    ];
    assert_eq!(names, lean);

    let shape = [96, 28, 28];
    let expected = answers(graph.clone(), &shape);
    assert_eq!(expected.len(), 960);
    for container in [Container::Hdf5, Container::Archive] {
        let bytes = network.write(container).unwrap();
        assert_eq!(Container::of(&bytes), Some(container));
        assert_eq!(bytes, network.write(container).unwrap());
        let reread = keras::read(bytes).unwrap();
        assert_eq!(answers(reread, &shape), expected, "{}", container.name());
    }
    let bytes = tflite::write(&graph).unwrap();
    assert_eq!(
        answers(tflite::read(bytes.into()).unwrap(), &shape),
        expected
    );

    // What was tested while training is what the graph answers.
    let images = digits(96);
    let mut pixels = vec![];
    (0..96).for_each(|i| images.append(i, &mut pixels));
    let input = Value::new(shape.to_vec(), Data::F32(pixels)).unwrap();
    let shapes = [shape.to_vec()];
    let mut prepared =
        engine::prepare(Arc::new(graph), Some(&shapes), &Options::default()).unwrap();
    let logits = prepared.run(&[input], None).unwrap();
    let best = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
    let rows = logits[0].as_f32().unwrap().chunks_exact(10);
    let right = rows.zip(images.labels());
    let right = right.filter(|(row, label)| best(row) == Some(**label as usize));
    let share = right.count() as f64 / 96.0;
    assert_eq!(epochs[0].test_accuracy, Some(share));
}

#[test]
fn extents_channels_and_classes_follow_from_the_data() {
    // A class of its own for each of 35 images takes more steps.
    for (shape, classes, outputs, count) in [
        (vec![66, 9, 6], 3, [2, 3], 20),
        (vec![40, 4, 5, 3], 2, [2, 2], 20),
        (vec![35, 5, 4, 1], 35, [2, 35], 400),
    ] {
        let images = noise(&shape, classes);
        let (network, epochs) = run(&images, count, 1);
        assert!(
            epochs[count - 1].loss < 0.9 * epochs[0].loss,
            "{shape:?} {epochs:?}"
        );
        let graph = keras::read(network.write(Container::Hdf5).unwrap()).unwrap();
        let mut sample = network.input.clone();
        sample.insert(0, 2);
        assert_eq!(
            answers(graph, &sample).len(),
            outputs.iter().product::<usize>()
        );
    }
}

#[test]
fn data_that_makes_no_network_is_refused_in_words() {
    let (images, labels) = digit_files(8);
    let named = |labels: &Bytes| Some(("train-labels-idx1-ubyte".to_owned(), labels.clone()));
    let refused = |bytes: Bytes, labels| {
        let name = "train-images-idx3-ubyte";
        LabelledImages::read(name, bytes, labels)
            .unwrap_err()
            .to_string()
    };
    for (message, wanted) in [
        (refused(images.clone(), None), "as train-labels-idx1-ubyte"),
        (refused(labels.clone(), named(&labels)), "rank 1"),
        (refused("PNG".into(), named(&labels)), "not an IDX file"),
        (refused(images.slice(..500), named(&labels)), "truncated"),
        (
            refused(idx(&[0, 28, 28], &[]), named(&idx(&[0], &[]))),
            "no images",
        ),
        (refused(idx(&[8, 0, 28], &[]), named(&labels)), "no images"),
        (
            refused(images.clone(), named(&idx(&[2], &[0, 1]))),
            "Labels count 2",
        ),
        (refused(images.clone(), named(&images)), "rank 3"),
    ] {
        assert!(
            message.contains(wanted) && !message.contains('\n'),
            "{message}"
        );
    }

    let settings = Settings { epochs: 1, seed: 0 };
    let failed = |images: &LabelledImages, test: Option<&LabelledImages>| {
        let progress = Progress::new();
        let done = train(images, test, &settings, &mut |_| {}, &progress);
        done.unwrap_err().to_string()
    };
    let digits = digits(8);
    let alike = read(&images, &idx(&[8], &[0; 8]));
    let beyond = read(&images, &idx(&[8], &[0, 1, 2, 3, 4, 5, 6, 200]));
    let wide = read(
        &idx(&[2, 2000, 2000], &vec![0; 8_000_000]),
        &idx(&[2], &[0, 9]),
    );
    for (message, wanted) in [
        (failed(&noise(&[4, 3, 28], 2), None), "at least 4 × 4"),
        (failed(&alike, None), "nothing to tell apart"),
        (failed(&wide, None), "too large"),
        (failed(&digits, Some(&noise(&[4, 28, 27], 2))), "28 × 27"),
        (failed(&digits, Some(&beyond)), "label 200 of image 7"),
    ] {
        assert!(
            message.contains(wanted) && !message.contains('\n'),
            "{message}"
        );
    }
    let none = Settings { epochs: 0, seed: 0 };
    let done = train(&digits, None, &none, &mut |_| {}, &Progress::new());
    assert!(done.unwrap_err().to_string().contains("at least 1"));
}

#[test]
fn a_cancelled_training_ends_at_the_next_batch() {
    let progress = Progress::new();
    let mut epochs = 0;
    let settings = Settings {
        epochs: 1_000_000,
        seed: 0,
    };
    let mut after = |_: &Epoch| {
        epochs += 1;
        progress.cancel();
    };
    let done = train(&digits(40), None, &settings, &mut after, &progress);
    assert_eq!((done, epochs), (Err(Error::Cancelled), 1));
    assert_eq!(progress.counts(), (40, 40_000_000));
}

/// The digits as files with the usual names.
fn digit_folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    let (images, labels) = digit_files(64);
    std::fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    std::fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
    folder
}

fn zeropoint(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zeropoint"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder);
    command
}

#[test]
fn the_command_writes_what_its_name_says() {
    let f = digit_folder("train-command");
    for name in ["a.tflite", "a.keras", "a.h5"] {
        let line = format!(
            "train --data train-images-idx3-ubyte --test train-images-idx3-ubyte --epochs 2 --seed 3 -o {name} --json"
        );
        let out = zeropoint(f.path(), &line).output().unwrap();
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{told}");
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(
            told.contains("epoch 1 of 2: loss ") && told.contains("left"),
            "{told}"
        );
        let j: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(j["bytes"], std::fs::metadata(f.join(name)).unwrap().len());
        assert_eq!(j["epochs"].as_array().unwrap().len(), 2);
        // The engine, on the file's bytes, is as often right as the training library was.
        assert_eq!(j["top1"], j["epochs"][1]["test_accuracy"]);
    }
    let graph = |name: &str| keras::read(std::fs::read(f.join(name)).unwrap().into()).unwrap();
    assert_eq!(graph("a.keras"), graph("a.h5"));

    for (line, code, wanted) in [
        (
            "train --data train-images-idx3-ubyte -o a.onnx",
            2,
            ".tflite, .keras or .h5",
        ),
        (
            "train --data train-images-idx3-ubyte -o no/a.h5",
            1,
            "no folder no",
        ),
        ("train --data train-labels-idx1-ubyte -o b.h5", 1, "rank 1"),
        ("train --data nothing -o b.h5", 1, "no such file"),
        ("train --data a.h5 -o b.h5", 1, "not an IDX file"),
    ] {
        let out = zeropoint(f.path(), line).output().unwrap();
        let message = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(code), "{line}: {message}");
        assert!(
            message.contains(wanted) && message.lines().count() == 1,
            "{message}"
        );
    }
    assert!(!f.join("b.h5").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_file() {
    let f = digit_folder("train-interrupted");
    let line = "train --data train-images-idx3-ubyte --epochs 10000 -o a.tflite";
    let mut child = zeropoint(f.path(), line)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    told.read_line(&mut first).unwrap();
    assert!(first.starts_with("epoch 1 of 10000"), "{first}");
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.ends_with("zeropoint: Cancelled\n"), "{rest}");
    let mut files: Vec<_> = std::fs::read_dir(f.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    );
}
