//! Several models open: each with its own data and experiments, compared with one another, closed and had back, kept by sessions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeropoint::graph::{DType, Graph, Node, Op, Subgraph, Tensor};
use zeropoint::quantize::Mode;
use zeropoint::tflite;
use zeropoint::workbench::{Command, Role, State, Workbench};

use crate::folder::Folder;
use crate::workbench_commands::{settle, small_demo, workbench};

/// A model of one operator on digits, in a file: another network with inputs as the demo's, and outputs of another shape.
fn other_model(folder: &Folder) -> PathBuf {
    let tensor = |name| Tensor::new(name, DType::Float32, vec![1, 28, 28, 1]);
    let graph = Graph {
        subgraphs: vec![Subgraph {
            tensors: vec![tensor("x"), tensor("y")],
            inputs: vec![0],
            outputs: vec![1],
            nodes: vec![Node::new(Op::Relu, vec![Some(0)], vec![1])],
            ..Subgraph::default()
        }],
        ..Graph::default()
    };
    let path = folder.join("other.tflite");
    std::fs::write(&path, tflite::write(&graph).unwrap()).unwrap();
    path
}

/// The demo's model in a file.
fn digits(folder: &Folder) -> PathBuf {
    let path = folder.join("digits.tflite");
    std::fs::write(&path, &zeropoint::data::demo::demo().model.bytes).unwrap();
    path
}

fn only(w: &mut Workbench, modes: &[Mode]) {
    for mode in Mode::ALL {
        w.apply(Command::SetMode(mode, modes.contains(&mode)));
    }
}

/// The demo with float32 and dynamic done, and beside it the current model, the same one in a file, on the same data.
fn two(folder: &Folder) -> Workbench {
    let mut w = small_demo();
    only(&mut w, &[Mode::Float32, Mode::Dynamic]);
    w.apply(Command::Run);
    settle(&mut w);
    w.apply(Command::OpenModel(digits(folder)));
    settle(&mut w);
    // Its data is the demo's, which only the demo has.
    w.apply(Command::Run);
    settle(&mut w);
    w
}

fn names(w: &Workbench) -> Vec<&str> {
    w.models().iter().map(|d| d.name()).collect()
}

#[test]
fn a_second_model_stands_beside_the_first() {
    let folder = Folder::new("two models");
    let mut w = two(&folder);
    assert_eq!(names(&w), ["MNIST digits", "digits.tflite"]);
    let first = w.models()[0];
    assert_eq!(first.experiments.len(), 2);
    assert_eq!(w.experiments.len(), 2, "the modes are those of before");
    assert!(first.evaluation.loaded.is_some() && w.evaluation.loaded.is_none());
    let (first, second) = (first.id, w.models()[1].id);
    assert_eq!(w.id, second);

    // What is open already is just shown.
    let before = w.experiments[0].id;
    w.apply(Command::OpenDemo);
    settle(&mut w);
    assert_eq!((w.id, w.models().len()), (first, 2));
    assert_ne!(w.experiments[0].id, before);
    assert_eq!(w.new_work(), 0, "its results are still there");
    w.apply(Command::OpenModel(folder.join("digits.tflite")));
    settle(&mut w);
    assert_eq!((w.id, w.models().len()), (second, 2));

    // A command about an experiment of another model makes that current.
    let of_first = w.models()[0].experiments[1].id;
    w.apply(Command::Rename(of_first, "Phones".into()));
    assert_eq!(w.id, first);
    assert_eq!(w.experiment(of_first).unwrap().name(), "Phones");
    w.apply(Command::Undo);
    assert_eq!(w.experiment(of_first).unwrap().name(), "dynamic");
}

#[test]
fn the_baseline_may_be_of_another_model() {
    let folder = Folder::new("two baselines");
    let mut w = small_demo();
    only(&mut w, &[Mode::Float32, Mode::Dynamic]);
    w.apply(Command::Run);
    settle(&mut w);
    let base = w.experiments[0].id;
    w.apply(Command::OpenModel(other_model(&folder)));
    settle(&mut w);
    w.apply(Command::UseRandomValues);
    settle(&mut w);
    w.apply(Command::Run);
    settle(&mut w);
    // Without a chosen one each model has its own.
    let own = w.experiments[0].id;
    let baseline = |w: &Workbench, id| w.baseline_of(w.experiment(id).unwrap()).unwrap().id;
    let dynamic = w.experiments[1].id;
    assert_eq!(baseline(&w, dynamic), own);
    w.apply(Command::SetBaseline(Some(base)));
    settle(&mut w);
    assert_eq!(baseline(&w, dynamic), base);
    assert_eq!(w.baseline().unwrap().id, base);
    // Closing its model gives each model its own again; undoing that brings it back.
    let first = w.models()[0].id;
    w.apply(Command::CloseModel(first));
    assert_eq!(baseline(&w, dynamic), own);
    w.apply(Command::Undo);
    assert_eq!(baseline(&w, dynamic), base);
}

#[test]
fn answers_of_two_models_are_compared_on_the_same_data() {
    let folder = Folder::new("two answers");
    let images = images(&folder);
    let mut w = workbench();
    let pair = [digits(&folder), other_model(&folder)];
    let copy = folder.join("copy.tflite");
    std::fs::copy(&pair[0], &copy).unwrap();
    for path in [&pair[0], &copy, &pair[1]] {
        w.apply(Command::OpenModel(path.clone()));
        settle(&mut w);
        w.apply(Command::ChooseData(Role::Evaluation, images.clone()));
        settle(&mut w);
        only(&mut w, &[Mode::Float32]);
        w.apply(Command::Run);
        settle(&mut w);
        assert_eq!(w.experiments[0].state, State::Done);
    }
    let ids: Vec<_> = w.models().iter().map(|d| d.experiments[0].id).collect();
    w.apply(Command::SetBaseline(Some(ids[0])));
    settle(&mut w);
    let copy = w.quality(w.experiment(ids[1]).unwrap()).unwrap();
    assert_eq!(
        (copy.agreement, copy.sqnr_db),
        (Some(1.0), Some(f64::INFINITY))
    );
    let other = w.experiment(ids[2]).unwrap();
    let figures = w.quality(other).unwrap();
    assert_eq!((figures.agreement, figures.sqnr_db), (None, None));
    assert_eq!(w.without(other), Some("their outputs have other shapes"));
}

/// Twenty pictures of the digits' size, without labels.
fn images(folder: &Folder) -> PathBuf {
    let path = folder.join("pictures-idx3-ubyte");
    let mut file: Vec<u8> = vec![0, 0, 8, 3];
    for extent in [20u32, 28, 28] {
        file.extend(extent.to_be_bytes());
    }
    file.extend((0..20 * 784).map(|i| (i * i / 97 % 256) as u8));
    std::fs::write(&path, file).unwrap();
    path
}

#[test]
fn a_closed_model_stops_its_jobs_and_frees_its_memory() {
    let folder = Folder::new("closing");
    let mut w = two(&folder);
    let (first, second) = (w.models()[0].id, w.models()[1].id);
    w.apply(Command::SelectModel(first));
    w.apply(Command::SetSamples(Role::Evaluation, None));
    w.apply(Command::Run);
    assert!(w.experiments.iter().any(|e| e.is_pending()));
    let graph = Arc::downgrade(&w.model.as_ref().unwrap().graph);
    w.apply(Command::CloseModel(first));
    assert_eq!((w.id, names(&w)), (second, vec!["digits.tflite"]));
    settle(&mut w);
    assert!(graph.upgrade().is_some(), "it can still be had back");

    w.apply(Command::Undo);
    settle(&mut w);
    assert_eq!(names(&w), ["MNIST digits", "digits.tflite"]);
    assert_eq!(w.id, first);
    assert!(w.experiments.iter().all(|e| e.state == State::Cancelled));

    w.apply(Command::CloseModel(first));
    let message = w.notices.last().unwrap();
    assert!(message.undo && message.text == "Closed MNIST digits");
    w.apply(Command::Dismiss(message.id));
    settle(&mut w);
    assert!(graph.upgrade().is_none(), "nothing holds the model");
    w.apply(Command::CloseModel(second));
    assert!(w.models().is_empty() && w.model.is_none() && w.experiments.is_empty());
}

#[test]
fn results_find_their_model_while_another_is_current() {
    let folder = Folder::new("elsewhere");
    let mut w = small_demo();
    only(&mut w, &[Mode::Float32, Mode::Int8]);
    w.apply(Command::Run);
    w.apply(Command::OpenModel(digits(&folder)));
    settle(&mut w);
    assert_eq!(names(&w).len(), 2);
    assert!(w.experiments.is_empty());
    let first = w.models()[0];
    assert!(first.experiments.iter().all(|e| e.state == State::Done));
    assert_eq!(first.experiments.len(), 2);
}

fn saved(w: &mut Workbench, path: &Path) {
    w.autosave_pause = Duration::ZERO;
    w.apply(Command::SaveSession(path.to_owned()));
    settle(w);
    assert!(path.is_file(), "{:?}", w.notices);
}

#[test]
fn a_session_keeps_all_models() {
    let folder = Folder::new("models session");
    let mut w = two(&folder);
    let first = w.models()[0].id;
    w.apply(Command::SelectModel(first));
    let base = w.models()[1].experiments[0].id;
    w.apply(Command::SetBaseline(Some(base)));
    settle(&mut w);
    let path = folder.join("both.zps");
    saved(&mut w, &path);

    let mut back = workbench();
    back.apply(Command::OpenSession(path.clone()));
    settle(&mut back);
    assert_eq!(names(&back), ["MNIST digits", "digits.tflite"]);
    assert_eq!(back.id, back.models()[0].id, "the current one is current");
    assert_eq!(back.new_work(), 0);
    let home = back.model_of(back.chosen_baseline.unwrap()).unwrap();
    assert_eq!(home.name(), "digits.tflite");
    for (a, b) in w.models().iter().zip(back.models()) {
        let figures = |d: &zeropoint::workbench::Document| -> Vec<_> {
            let all = d.experiments.iter();
            all.map(|e| (e.name(), e.evaluation.clone(), e.latency.clone()))
                .collect()
        };
        assert_eq!(figures(a), figures(b));
        assert_eq!(a.modes, b.modes);
    }

    // A model that is gone costs its own experiments only.
    std::fs::remove_file(folder.join("digits.tflite")).unwrap();
    let mut back = workbench();
    back.apply(Command::OpenSession(path));
    settle(&mut back);
    assert_eq!(names(&back), ["MNIST digits"]);
    let told = &back.notices.last().unwrap().text;
    assert!(
        told.contains("is gone") && told.contains("digits.tflite"),
        "{told}"
    );
}
