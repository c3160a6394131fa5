//! Files with several signatures or open shapes, in the window.

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use zeropoint::graph::{DType, FullyConnected, Graph, Node, Op, Signature, Subgraph, Tensor};
use zeropoint::tflite;
use zeropoint::workbench::Command;

use crate::flow::{folder, type_into};
use crate::harness::{Window, dark, picture, step_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A dense layer from `inputs` to 3 whose input leaves both axes open.
fn dense(inputs: usize) -> Subgraph {
    let mut x = Tensor::new("features", DType::Float32, vec![1, 1]);
    x.shape_signature = Some(vec![-1, -1]);
    let weights = vec![0u8; inputs * 12];
    let weights = Tensor::constant("w", DType::Float32, vec![3, inputs], weights);
    let op = Op::FullyConnected(FullyConnected::default());
    Subgraph {
        tensors: vec![x, weights, Tensor::new("y", DType::Float32, vec![1, 3])],
        inputs: vec![0],
        outputs: vec![2],
        nodes: vec![Node::new(op, vec![Some(0), Some(1), None], vec![2])],
        debug_metadata: -1,
        ..Subgraph::default()
    }
}

fn model(folder: &Path) -> PathBuf {
    let signature = |key: &str, subgraph| Signature {
        key: key.into(),
        subgraph,
        inputs: vec![("features".into(), 0)],
        outputs: vec![("scores".into(), 2)],
    };
    let graph = Graph {
        subgraphs: vec![dense(8), dense(5)],
        signatures: vec![signature("encode", 0), signature("decode", 1)],
        ..Graph::default()
    };
    let file = folder.join("two.tflite");
    let bytes = tflite::write(&graph).expect("the graph can be written");
    std::fs::write(&file, bytes).expect("writable");
    file
}

fn settled(window: &mut Window) {
    step_until(window, "the jobs end", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
}

#[test]
fn a_signature_and_a_shape_are_chosen_in_the_model_card() {
    let folder = folder("entry");
    let mut window = dark();
    window.run();
    let file = model(&folder);
    window.state_mut().bench.apply(Command::OpenModel(file));
    settled(&mut window);

    let ask = "Input features has open axes and cannot run as 1 × 1, type its shape such as 1, 128";
    window.get_by_label(ask);
    let run = "Type the shape of input features first";
    assert!(window.query_all_by_label(run).count() > 0);
    picture(&mut window);
    type_into(&mut window, "Shape of features", "1, eight");
    window.get_by_label("Use shape of features").click();
    window.run();
    window.get_by_label_contains("is no shape, type whole numbers from 1");
    type_into(&mut window, "Shape of features", "1 × 7");
    window.get_by_label("Use shape of features").click();
    window.step();
    settled(&mut window);
    window.get_by_label_contains("The model cannot run at this shape");
    type_into(&mut window, "Shape of features", "1, 8");
    window.key_press(egui::Key::Enter);
    window.step();
    settled(&mut window);
    assert!(window.query_by_label(ask).is_none());
    assert_eq!(window.state().bench.wanted_shape(), None);

    window
        .get_by_role_and_label(Role::ComboBox, "Signature")
        .click();
    window.run();
    window.get_by_label("decode").click();
    window.step();
    settled(&mut window);
    let entry = &window.state().bench.model.as_ref().expect("open").entry;
    assert_eq!((entry.subgraph, entry.shapes.len()), (1, 0));
    window.get_by_label(ask);
    std::fs::remove_dir_all(folder).expect("removable");
}
