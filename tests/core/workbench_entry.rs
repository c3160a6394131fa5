//! Signatures and input shapes, chosen through the workbench: what runs, what is asked for, and whose results stay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeropoint::data::write_npy;
use zeropoint::graph::{
    DType, Data, FullyConnected, Graph, Node, Op, Signature, Subgraph, Tensor, Value,
};
use zeropoint::quantize::Mode;
use zeropoint::tflite;
use zeropoint::workbench::{Command, Role, State, Workbench};

use crate::folder::Folder;

fn settle(w: &mut Workbench) {
    let start = Instant::now();
    while !w.jobs().is_idle() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the jobs never ended"
        );
        w.poll();
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opens `graph` from a file in `folder`, float32 only.
fn open(folder: &Folder, graph: &Graph) -> Workbench {
    let file = folder.join("model.tflite");
    std::fs::write(&file, tflite::write(graph).unwrap()).unwrap();
    let mut w = Workbench::new(Arc::new(|| {}));
    w.latency_seconds = 0.01;
    for mode in Mode::ALL.into_iter().filter(|&m| m != Mode::Float32) {
        w.apply(Command::SetMode(mode, false));
    }
    w.apply(Command::OpenModel(file));
    settle(&mut w);
    assert_eq!(w.model_error, None);
    w
}

fn relu(op: Op) -> Subgraph {
    let tensor = |name| Tensor::new(name, DType::Float32, vec![1, 2]);
    Subgraph {
        tensors: vec![tensor("x"), tensor("y")],
        inputs: vec![0],
        outputs: vec![1],
        nodes: vec![Node::new(op, vec![Some(0)], vec![1])],
        debug_metadata: -1,
        ..Subgraph::default()
    }
}

/// Two signatures: `plain` is RELU, `capped` RELU6.
fn two_signatures() -> Graph {
    let signature = |key: &str, subgraph| Signature {
        key: key.into(),
        subgraph,
        inputs: vec![("x".into(), 0)],
        outputs: vec![("y".into(), 1)],
    };
    Graph {
        subgraphs: vec![relu(Op::Relu), relu(Op::Relu6)],
        signatures: vec![signature("plain", 0), signature("capped", 1)],
        ..Graph::default()
    }
}

/// A dense layer of 8 inputs whose file leaves every axis open.
fn open_axes() -> Graph {
    let mut x = Tensor::new("x", DType::Float32, vec![1, 1]);
    x.shape_signature = Some(vec![-1, -1]);
    let weights = Tensor::constant("w", DType::Float32, vec![3, 8], vec![0u8; 96]);
    let y = Tensor::new("y", DType::Float32, vec![1, 3]);
    let op = Op::FullyConnected(FullyConnected::default());
    Graph {
        subgraphs: vec![Subgraph {
            tensors: vec![x, weights, y],
            inputs: vec![0],
            outputs: vec![2],
            nodes: vec![Node::new(op, vec![Some(0), Some(1), None], vec![2])],
            debug_metadata: -1,
            ..Subgraph::default()
        }],
        ..Graph::default()
    }
}

fn npy(folder: &Folder, name: &str, shape: Vec<usize>) -> std::path::PathBuf {
    let elements = shape.iter().product::<usize>();
    let value = Value::new(shape, Data::F32((0..elements).map(|i| i as f32).collect())).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, write_npy(&value)).unwrap();
    file
}

fn shape(w: &Workbench) -> Vec<usize> {
    w.model.as_ref().unwrap().graph.main().tensors[0]
        .shape
        .clone()
}

#[test]
fn a_signature_is_chosen_and_results_belong_to_it() {
    let folder = Folder::new("signatures");
    let data = npy(&folder, "x.npy", vec![4, 2]);
    let mut w = open(&folder, &two_signatures());
    w.apply(Command::ChooseData(Role::Evaluation, data));
    settle(&mut w);
    let model = w.model.as_ref().unwrap();
    let names: Vec<_> = model.entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!((names, model.entry.subgraph), (vec!["plain", "capped"], 0));
    w.apply(Command::Run);
    settle(&mut w);
    assert_eq!(w.experiments[0].state, State::Done);
    let first = w.experiments[0].id;

    w.apply(Command::ChooseEntry(1));
    settle(&mut w);
    assert_eq!(w.entry_error, None);
    assert_eq!(
        w.model.as_ref().unwrap().graph.main().nodes[0].op,
        Op::Relu6
    );
    assert!(
        w.experiments.is_empty(),
        "the results are those of the other signature"
    );
    assert!(w.evaluation.loaded.is_some(), "the data is read again");
    w.apply(Command::Run);
    settle(&mut w);
    let file = w.experiments[0].file.clone().unwrap();
    assert_eq!(file.graph.main().nodes[0].op, Op::Relu6);

    w.apply(Command::ChooseEntry(0));
    settle(&mut w);
    assert_eq!(
        (w.experiments[0].id, w.new_work()),
        (first, 0),
        "they are back and still valid"
    );

    w.apply(Command::ChooseEntry(7));
    settle(&mut w);
    let error = w.entry_error.clone().unwrap();
    assert!(
        error.contains("2 subgraphs") && error.contains("no subgraph 7"),
        "{error}"
    );
    assert_eq!(w.experiments[0].id, first, "what was there stays");
}

#[test]
fn data_that_changes_meanwhile_makes_the_results_old() {
    let folder = Folder::new("signature-data");
    let (one, other) = (
        npy(&folder, "one.npy", vec![4, 2]),
        npy(&folder, "other.npy", vec![3, 2]),
    );
    let mut w = open(&folder, &two_signatures());
    w.apply(Command::ChooseData(Role::Evaluation, one));
    settle(&mut w);
    w.apply(Command::Run);
    settle(&mut w);
    w.apply(Command::ChooseEntry(1));
    settle(&mut w);
    w.apply(Command::ChooseData(Role::Evaluation, other));
    settle(&mut w);
    w.apply(Command::ChooseEntry(0));
    settle(&mut w);
    assert_eq!((w.evaluation.used(), w.new_work()), (3, 1));
}

#[test]
fn an_input_that_cannot_run_at_its_default_shape_asks_for_one() {
    let folder = Folder::new("shape");
    let mut w = open(&folder, &open_axes());
    let model = w.model.as_ref().unwrap();
    assert!(model.shape_obstacle.is_some());
    let input = &model.open_inputs()[0];
    assert_eq!(
        (input.name.as_str(), input.declared.as_str()),
        ("x", "[?, ?]")
    );
    assert_eq!(w.run_obstacle().unwrap(), "Type the shape of input x first");

    w.apply(Command::SetInputShape("x".into(), Some(vec![1, 7])));
    settle(&mut w);
    let error = w.entry_error.clone().unwrap();
    assert!(
        error.contains("cannot run at this shape") && error.contains("FULLY_CONNECTED"),
        "{error}"
    );
    assert_eq!(shape(&w), [1, 1]);
    w.apply(Command::SetInputShape(
        "x".into(),
        Some(vec![1 << 20, 1 << 20]),
    ));
    settle(&mut w);
    assert!(
        w.entry_error
            .clone()
            .unwrap()
            .contains("choose a smaller one")
    );

    w.apply(Command::SetInputShape("x".into(), Some(vec![1, 8])));
    settle(&mut w);
    assert_eq!(
        (shape(&w), w.entry_error.clone(), w.run_obstacle()),
        (vec![1, 8], None, None)
    );
    w.apply(Command::Run);
    settle(&mut w);
    assert_eq!(w.experiments[0].state, State::Done);
    w.apply(Command::SetInputShape("x".into(), None));
    settle(&mut w);
    assert_eq!(shape(&w), [1, 1]);
    assert!(w.experiments.is_empty() && w.run_obstacle().is_some());
}

#[test]
fn open_axes_are_resolved_from_the_data() {
    let folder = Folder::new("shape-data");
    let (right, wrong) = (
        npy(&folder, "right.npy", vec![5, 8]),
        npy(&folder, "wrong.npy", vec![5, 7]),
    );
    let mut w = open(&folder, &open_axes());
    w.apply(Command::ChooseData(Role::Evaluation, wrong.clone()));
    settle(&mut w);
    assert!(
        w.entry_error
            .clone()
            .unwrap()
            .contains("cannot run at this shape")
    );
    w.apply(Command::ChooseData(Role::Evaluation, right));
    settle(&mut w);
    assert_eq!(
        (shape(&w), w.evaluation.used(), w.entry_error.clone()),
        (vec![1, 8], 5, None)
    );
    assert_eq!(w.run_obstacle(), None);
    // What the user types is not overruled.
    w.apply(Command::SetInputShape("x".into(), Some(vec![2, 8])));
    settle(&mut w);
    w.apply(Command::ChooseData(Role::Evaluation, wrong));
    settle(&mut w);
    assert_eq!(shape(&w), [2, 8]);
    assert!(w.evaluation.error.is_some());
}
