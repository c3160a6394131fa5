//! Tables, sounds and arrays of several inputs from the file to the figures; open axes that the data settles.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use zeropoint::data::{Preprocess, write_npy};
use zeropoint::error::Result;
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::tflite;
use zeropoint::workbench::steps::{self, DataRequest};
use zeropoint::workbench::{Command, Loaded, Role, Source, Workbench};

use crate::cli::{fails, json as parsed, succeeds};
use crate::data_sounds::wav;
use crate::folder::Folder;

const ADD: Op = Op::Add {
    activation: Activation::None,
    pot_scale_int16: false,
};

/// A model whose inputs, named and of these signatures, are added and become probabilities over the last axis.
fn model(inputs: &[(&str, &[i32])]) -> Graph {
    let tensor = |name: &str, signature: &[i32]| {
        let shape = signature.iter().map(|&d| d.max(1) as usize).collect();
        let mut tensor = Tensor::new(name, DType::Float32, shape);
        tensor.shape_signature = signature.contains(&-1).then(|| signature.to_vec());
        tensor
    };
    let mut tensors: Vec<Tensor> = inputs.iter().map(|(n, s)| tensor(n, s)).collect();
    let mut nodes = vec![];
    let mut last = 0;
    for i in 1..inputs.len() {
        tensors.push(tensor("sum", inputs[0].1));
        let sum = tensors.len() - 1;
        nodes.push(Node::new(ADD, vec![Some(last), Some(i)], vec![sum]));
        last = sum;
    }
    tensors.push(tensor("y", inputs[0].1));
    let y = tensors.len() - 1;
    let softmax = Op::Softmax { beta: 1.0 };
    nodes.push(Node::new(softmax, vec![Some(last)], vec![y]));
    let graph = Graph {
        subgraphs: vec![Subgraph {
            tensors,
            inputs: (0..inputs.len()).collect(),
            outputs: vec![y],
            nodes,
            debug_metadata: -1,
            ..Subgraph::default()
        }],
        ..Graph::default()
    };
    graph.validate().unwrap();
    graph
}

fn save(folder: &Folder, graph: &Graph) {
    std::fs::write(folder.join("m.tflite"), tflite::write(graph).unwrap()).unwrap();
}

/// Values of −1..1 that follow from their place.
fn wave(shape: &[usize], phase: f32) -> Value {
    let n = shape.iter().product();
    let data = (0..n).map(|i| (i as f32 * 0.7 + phase).sin()).collect();
    Value::new(shape.to_vec(), Data::F32(data)).unwrap()
}

fn npz(arrays: &[(&str, Value)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (i, (name, value)) in arrays.iter().enumerate() {
        let options = match i % 2 {
            0 => stored,
            _ => stored.compression_method(zip::CompressionMethod::Deflated),
        };
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(&write_npy(value)).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(graph: &Graph, path: &Path, role: Role, preprocess: Option<&Preprocess>) -> Result<Loaded> {
    let source = Source::File {
        path: path.to_owned(),
        labels: None,
    };
    let request = DataRequest {
        preprocess,
        ..DataRequest::of(&source, role, graph)
    };
    let shapes = steps::shapes_from(&request, &Progress::new())?;
    let model = graph.clone().with_input_shapes(&shapes)?;
    let request = DataRequest {
        model: &model,
        ..request
    };
    steps::open_data(&request, &Progress::new())
}

fn shapes(loaded: &Loaded) -> Vec<Vec<usize>> {
    let batch = loaded.dataset.batch(0..1).unwrap();
    batch.into_iter().map(|v| v.shape).collect()
}

#[test]
fn two_inputs_of_a_npz_or_a_table_go_through_every_command() {
    let f = Folder::new("two-inputs");
    save(
        &f,
        &model(&[("serving_default_p:0", &[1, 4]), ("q", &[1, 4])]),
    );
    let (p, q) = (wave(&[40, 4], 0.0), wave(&[40, 4], 2.0));
    // The class is where the sum is largest.
    let (a, b) = (p.as_f32().unwrap(), q.as_f32().unwrap());
    let best = |row: usize| {
        let sum = |i: &usize| a[row * 4 + i] + b[row * 4 + i];
        (0..4).max_by(|i, j| sum(i).total_cmp(&sum(j))).unwrap() as u8
    };
    let labels: Vec<u8> = (0..40).map(best).collect();
    let mut table = "q[0],q[1],q[2],q[3],kind,p[0],p[1],p[2],p[3]\n".to_owned();
    for row in 0..40 {
        let join = |x: &[f32]| {
            let cells: Vec<String> = x[row * 4..][..4].iter().map(f32::to_string).collect();
            cells.join(",")
        };
        table += &format!("{},{},{}\n", join(b), labels[row], join(a));
    }
    std::fs::write(f.join("d.csv"), table).unwrap();
    let labels = Value::new(vec![40], Data::U8(labels)).unwrap();
    let arrays = [("p", p.clone()), ("input_1", q.clone()), ("labels", labels)];
    std::fs::write(f.join("d.npz"), npz(&arrays)).unwrap();

    let mut figures = vec![];
    for data in ["d.npz", "d.csv"] {
        let reading = if data == "d.csv" {
            "--label-column kind"
        } else {
            ""
        };
        let j = parsed(&succeeds(
            f.path(),
            &format!("evaluate m.tflite --data {data} {reading} --json"),
        ));
        assert_eq!(
            (&j["samples"], &j["top1"]),
            (&json!(40), &json!(1.0)),
            "{data}"
        );
        let line = format!(
            "quantize m.tflite --mode int8 --calibration {data} {reading} -o q.tflite --json"
        );
        assert_eq!(
            parsed(&succeeds(f.path(), &line))["float_operators"],
            json!([])
        );
        let line = format!("evaluate q.tflite --data {data} {reading} --json");
        assert!(parsed(&succeeds(f.path(), &line))["top1"].as_f64().unwrap() > 0.9);
        let line = format!(
            "compare m.tflite --calibration {data} --data {data} {reading} --modes float32,int8 --json r.json"
        );
        succeeds(f.path(), &line);
        let j = parsed(&std::fs::read_to_string(f.join("r.json")).unwrap());
        assert_eq!(j["experiments"][0]["accuracy"], 1.0);
        figures.push(j["experiments"][1]["sqnr_db"].clone());
    }
    assert!(figures[0].as_f64().unwrap() > 20.0);
    assert_eq!(figures[0], figures[1], "the same samples, the same figures");
}

#[test]
fn every_kind_of_file_settles_open_axes() {
    let f = Folder::new("open-axes");
    let pair = model(&[("p", &[-1, -1]), ("q", &[-1, -1])]);
    let single = model(&[("x", &[-1, -1, 3])]);
    let row = model(&[("x", &[-1, -1])]);
    std::fs::write(f.join("one.npy"), write_npy(&wave(&[5, 4, 3], 0.0))).unwrap();
    std::fs::write(f.join("flat.npy"), write_npy(&wave(&[5, 4], 0.0))).unwrap();
    let arrays = [("p", wave(&[5, 6], 0.0)), ("q", wave(&[5, 6], 1.0))];
    std::fs::write(f.join("two.npz"), npz(&arrays)).unwrap();
    std::fs::write(f.join("d.csv"), "a,b,label\n1,2,0\n3,4,1\n").unwrap();
    std::fs::write(f.join("p.csv"), "p[0],q[1],q[0],p[1]\n1,2,0,5\n3,4,1,5\n").unwrap();
    std::fs::write(f.join("s.wav"), wav(1, 8000, 16, &[1; 50])).unwrap();
    for (graph, file, want) in [
        (&single, "one.npy", vec![vec![1, 4, 3]]),
        (&row, "flat.npy", vec![vec![1, 4]]),
        (&pair, "two.npz", vec![vec![1, 6], vec![1, 6]]),
        (&row, "d.csv", vec![vec![1, 2]]),
        (&pair, "p.csv", vec![vec![1, 2], vec![1, 2]]),
        (&row, "s.wav", vec![vec![1, 50]]),
    ] {
        let loaded = open(graph, &f.join(file), Role::Evaluation, None)
            .unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(shapes(&loaded), want, "{file}");
    }
    let slower = Preprocess::from_json(r#"{"sound": {"rate": 4000}}"#).unwrap();
    let loaded = open(&row, &f.join("s.wav"), Role::Evaluation, Some(&slower)).unwrap();
    assert_eq!(shapes(&loaded), [[1, 25]]);
    // The command line takes the same way.
    save(&f, &pair);
    for data in ["two.npz", "p.csv"] {
        let j = parsed(&succeeds(
            f.path(),
            &format!("evaluate m.tflite --data {data} --json"),
        ));
        assert!(j["samples"].as_u64().unwrap() > 1);
    }
    for (graph, file, want) in [
        (
            &single,
            "flat.npy",
            "flat.npy: samples are 4, the model takes ? × 3",
        ),
        (
            &single,
            "d.csv",
            "d.csv holds rows of 2 values, the model's input 'x' takes ? × 3",
        ),
        (
            &model(&[("x", &[1, -1, -1])]),
            "d.csv",
            "d.csv holds rows of 2 values, which do not settle the model's input 'x' (? × ?); give its shape (--shape x=1,…)",
        ),
    ] {
        let got = open(graph, &f.join(file), Role::Evaluation, None)
            .err()
            .expect(want);
        assert_eq!(got.to_string(), want);
    }
}

#[test]
fn folders_ask_for_a_size_and_take_it() {
    let f = Folder::new("open-folders");
    let pictures = model(&[("x", &[-1, -1, -1, 3])]);
    let sounds = model(&[("x", &[-1, -1])]);
    std::fs::create_dir(f.join("pictures")).unwrap();
    std::fs::create_dir(f.join("sounds")).unwrap();
    for i in 0..3u8 {
        let pixels = image::RgbImage::from_pixel(7, 5, image::Rgb([i, 50, 255]));
        pixels
            .save(f.join("pictures").join(format!("{i}.png")))
            .unwrap();
        let sound = wav(1, 8000, 16, &vec![i32::from(i) * 4096; 30]);
        std::fs::write(f.join("sounds").join(format!("{i}.wav")), sound).unwrap();
    }
    for (graph, folder, want) in [
        (
            &pictures,
            "pictures",
            "The model's input 'x' takes pictures of any size (? × ? × 3); say which, as \"size\": [rows, columns] of the preprocessing or as the input's shape (--shape x=1,…)",
        ),
        (
            &sounds,
            "sounds",
            "The model's input 'x' takes sounds of any length (?); say how many samples, as \"sound\": {\"length\": …} of the preprocessing or as the input's shape (--shape x=1,…)",
        ),
    ] {
        let got = open(graph, &f.join(folder), Role::Calibration, None)
            .err()
            .expect(want);
        assert_eq!(got.to_string(), want);
    }
    let sized = Preprocess::from_json(r#"{"size": [4, 6], "sound": {"length": 20}}"#).unwrap();
    let given = Some(&sized);
    let loaded = open(&pictures, &f.join("pictures"), Role::Calibration, given).unwrap();
    assert_eq!(shapes(&loaded), [[1, 4, 6, 3]]);
    let loaded = open(&sounds, &f.join("sounds"), Role::Calibration, given).unwrap();
    assert_eq!(shapes(&loaded), [[1, 20]]);
    let all = loaded.dataset.batch(0..3).unwrap();
    assert_eq!(all[0].as_f32().unwrap()[20..40], [0.125; 20]);
}

#[test]
fn a_folder_of_sounds_has_classes_and_skips_what_lies() {
    let f = Folder::new("sounds");
    let graph = model(&[("x", &[1, 8])]);
    for (class, level) in [("no", 100), ("yes", 200)] {
        std::fs::create_dir(f.join(class)).unwrap();
        for i in 0..60 {
            let bytes = wav(2, 8000, 16, &vec![level * 32; 2 * (4 + i % 9)]);
            std::fs::write(f.join(class).join(format!("{i:02}.wav")), bytes).unwrap();
        }
    }
    let mut lying = wav(1, 8000, 16, &[5; 10]);
    lying[40..44].copy_from_slice(&99_999u32.to_le_bytes());
    std::fs::write(f.join("yes").join("07.wav"), lying).unwrap();
    let loaded = open(&graph, f.path(), Role::Calibration, None).unwrap();
    assert_eq!(loaded.dataset.len(), 119);
    assert_eq!(loaded.skipped.len(), 1);
    assert_eq!(loaded.skipped[0].file, "yes/07.wav");
    assert_eq!(
        loaded.skipped[0].reason,
        "declares 99,999 bytes of sound, it holds 20; it is truncated or was never finished"
    );
    let first = loaded.dataset.batch(0..2).unwrap();
    let level = |x: f32| [x, x, x, x, 0.0, 0.0, 0.0, 0.0];
    let want = [level(3200.0 / 32768.0), level(6400.0 / 32768.0)].concat();
    assert_eq!(first[0].as_f32().unwrap(), want);
}

fn settle(w: &mut Workbench) {
    let start = Instant::now();
    while !w.jobs().is_idle() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "jobs never ended"
        );
        w.poll();
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn input_shape(w: &Workbench) -> Vec<usize> {
    let main = w.model.as_ref().unwrap().graph.main();
    main.tensors[main.inputs[0]].shape.clone()
}

#[test]
fn the_workbench_settles_open_axes_by_the_data() {
    let f = Folder::new("open-workbench");
    save(&f, &model(&[("x", &[-1, -1])]));
    std::fs::write(f.join("four.npy"), write_npy(&wave(&[9, 4], 0.0))).unwrap();
    std::fs::write(f.join("five.npy"), write_npy(&wave(&[9, 5], 0.0))).unwrap();
    std::fs::write(f.join("t.csv"), "a,b,c,d,kind\n1,2,3,4,0\n").unwrap();
    let mut w = Workbench::new(Arc::new(|| {}));
    w.latency_seconds = 0.01;
    w.apply(Command::OpenModel(f.join("m.tflite")));
    settle(&mut w);
    w.apply(Command::UseRandomValues);
    settle(&mut w);
    assert_eq!(input_shape(&w), [1, 1]);
    w.apply(Command::ChooseData(Role::Evaluation, f.join("four.npy")));
    settle(&mut w);
    // Random values follow the shape.
    assert_eq!(input_shape(&w), [1, 4]);
    assert_eq!(shapes(w.calibration.loaded.as_ref().unwrap()), [[1, 4]]);
    w.apply(Command::Run);
    settle(&mut w);
    let bad: Vec<_> = w
        .experiments
        .iter()
        .filter(|e| e.evaluation.is_none())
        .collect();
    assert!(bad.is_empty() && w.experiments.len() == 5, "{bad:?}");

    // New data gives a new shape, which the other data must fit.
    w.apply(Command::ChooseData(Role::Calibration, f.join("five.npy")));
    settle(&mut w);
    assert_eq!(input_shape(&w), [1, 5]);
    assert_eq!(
        w.evaluation.error.as_deref(),
        Some("four.npy: samples are 4, the model takes 5")
    );
    w.apply(Command::SetLabelColumn(Some("kind".into())));
    settle(&mut w);
    w.apply(Command::ChooseData(Role::Calibration, f.join("t.csv")));
    settle(&mut w);
    assert_eq!(input_shape(&w), [1, 4]);
    let errors = [&w.calibration, &w.evaluation].map(|c| c.error.clone());
    assert_eq!(errors, [None, None]);
    assert_eq!((w.calibration.used(), w.evaluation.used()), (1, 9));
}

#[test]
fn shapes_given_on_the_command_line_win() {
    let f = Folder::new("open-given");
    save(&f, &model(&[("x", &[-1, -1])]));
    std::fs::write(f.join("four.npy"), write_npy(&wave(&[9, 4], 0.0))).unwrap();
    succeeds(f.path(), "evaluate m.tflite --data four.npy --shape x=1,4");
    let message = fails(
        f.path(),
        "evaluate m.tflite --data four.npy --shape x=1,5",
        1,
    );
    assert!(
        message.contains("four.npy: samples are 4, the model takes 5"),
        "{message}"
    );
}

#[test]
fn random_values_are_marked_wherever_their_figures_appear() {
    let f = Folder::new("synthetic");
    save(&f, &model(&[("x", &[1, 4])]));
    let says = "Made with synthetic random data: it says nothing of accuracy on real inputs";
    let line = "quantize m.tflite --mode int8 --calibration synthetic -o q.tflite";
    assert!(succeeds(f.path(), line).contains(says));
    let j = parsed(&succeeds(f.path(), &format!("{line} --json")));
    assert_eq!(
        (&j["synthetic"], &j["warnings"][0]),
        (&json!(true), &json!(says))
    );
    assert_eq!(j["calibration"]["synthetic"], true);
    let line = "evaluate q.tflite --data synthetic";
    assert!(succeeds(f.path(), line).contains("on synthetic random data"));
    let j = parsed(&succeeds(f.path(), &format!("{line} --json")));
    assert_eq!(j["synthetic"], true);
    std::fs::write(f.join("x.npy"), write_npy(&wave(&[9, 4], 0.0))).unwrap();
    let line =
        "compare m.tflite --calibration synthetic --data x.npy --modes dynamic,int8 --json r.json";
    let text = succeeds(f.path(), line);
    assert_eq!(text.matches(says).count(), 1, "{text}");
    let j = parsed(&std::fs::read_to_string(f.join("r.json")).unwrap());
    let marked = |i: usize| j["experiments"][i]["synthetic"].clone();
    assert_eq!((marked(0), marked(1)), (json!(false), json!(true)));
    assert_eq!(j["experiments"][1]["warnings"][0], says);
    // A run without data judges by the random values too.
    let line = "compare m.tflite --calibration synthetic --modes dynamic --json r.json";
    assert!(succeeds(f.path(), line).contains(says));
}
