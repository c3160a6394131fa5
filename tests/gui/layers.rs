//! The Layers tab: operators, what each experiment made of them, and why some stay float.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::graph::{DType, Graph, Node, Op, Tensor};
use zeropoint::gui::Tab;
use zeropoint::gui::view::layers;
use zeropoint::quantize::{Mode, NodePlan, OperatorRef};
use zeropoint::workbench::{Command, Experiment, ExperimentId};

use std::sync::Arc;

use crate::fixture;
use crate::flow::{demo, idle};
use crate::harness::{self, Window};

fn showing() -> Window {
    let mut window = harness::dark();
    let app = window.state_mut();
    app.state.tab = Tab::Layers;
    let model = fixture::model();
    let mut int8 = fixture::experiment(1, Mode::Int8, fixture::int8_tensors());
    int8.file = Some(fixture::file(&model, DType::Int8));
    let mut int16 = fixture::experiment(2, Mode::Int16x8, fixture::int16_tensors());
    int16.file = Some(fixture::file(&model, DType::Int16));
    app.bench.model = Some(model);
    app.bench.experiments = vec![int8, int16];
    window.run();
    window
}

fn rows(window: &Window) -> Vec<String> {
    let label = |node: egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    window.query_all_by_role(Role::Row).map(label).collect()
}

#[test]
fn operators_stand_in_execution_order_with_their_errors() {
    let rows = rows(&showing());
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("0, CONV_2D conv2d_1/Relu, output 1 × 26 × 26 × 12; int8: int8, local 46.3 dB, cumulative 44.8 dB; int16x8: int16, local 47.8 dB"), "{}", rows[0]);
    assert!(rows[1].starts_with("1, SHAPE"));
    assert!(rows[2].contains("int8: float32, local 39.6 dB, cumulative 38.1 dB, float because its weights are smaller"), "{}", rows[2]);
}

#[test]
fn local_is_the_worse_of_weights_and_output() {
    let window = showing();
    let found = layers::layers(&window.state().bench);
    // In int16x8 the output is fine and the weights, still int8, start the damage.
    let conv = &found.layers[0].cells[1];
    let weights = &fixture::int16_tensors()[1];
    assert_eq!(conv.local, weights.sqnr_local_db);
    assert_eq!(conv.tensor, Some(weights.tensor));
    assert!(conv.cumulative > conv.local);
    assert_eq!(found.columns[0].quantized, 1);
}

#[test]
fn shape_operators_can_be_left_out() {
    let mut window = showing();
    window.get_by_label("Shape operators").click();
    window.run();
    let rows = rows(&window);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|r| !r.contains("SHAPE")));
    // The run of them is one line, which unfolds.
    window
        .get_by_label("Unfold 1 shape operator from 1")
        .click();
    window.run();
    assert_eq!(self::rows(&window).len(), 3);
}

/// The window with a network of that many operators, every fourth of which only computes shapes, in int8.
fn long(count: usize) -> Window {
    let mut window = harness::dark();
    let app = window.state_mut();
    app.state.tab = Tab::Layers;
    let mut model = fixture::model();
    let mut main = model.graph.main().clone();
    main.tensors = (0..=count)
        .map(|i| {
            let name = format!("block_{}/layer_{i}/output", i / 12);
            let dtype = match i % 4 {
                3 => DType::Int32,
                _ => DType::Float32,
            };
            Tensor::new(name, dtype, vec![1, 8, 8])
        })
        .collect();
    main.nodes = (0..count)
        .map(|i| {
            let op = match i % 4 {
                2 => Op::Shape {
                    out_type: DType::Int32,
                },
                _ => Op::Relu,
            };
            Node::new(op, vec![Some(i)], vec![i + 1])
        })
        .collect();
    let plan_of = main.clone();
    let graph = Graph {
        subgraphs: vec![main],
        ..(*model.graph).clone()
    };
    model.graph = Arc::new(graph);
    let file = fixture::file(&model, DType::Int8);
    let mut plan = (*file.plan).clone();
    plan.tensors = (0..plan_of.tensors.len())
        .map(|i| {
            let mut t = plan.tensors[0].clone();
            (t.tensor, t.dtype) = (i, plan_of.tensors[i].dtype);
            t
        })
        .collect();
    plan.nodes = vec![NodePlan::Quantized; count];
    let mut int8 = fixture::experiment(1, Mode::Int8, fixture::many(count));
    int8.file = Some(Arc::new(zeropoint::workbench::QuantizedFile {
        plan: Arc::new(plan),
        graph: model.graph.clone(),
        ..(*file).clone()
    }));
    app.bench.model = Some(model);
    app.bench.experiments = vec![int8];
    window.run();
    window
}

#[test]
fn a_thousand_operators_are_readable() {
    let mut window = long(1000);
    // Runs of shape operators are folded, and only what is in sight is laid out.
    let laid_out = rows(&window).len();
    assert!((20..60).contains(&laid_out), "{laid_out}");
    assert!(rows(&window)[0].starts_with("0, RELU"));
    window.get_by_label("Unfold 1 shape operator from 2");
    let overview = "Overview of 1,000 operators: ";
    let strip = window.get_by_label_contains(overview).rect();
    assert!(strip.width() <= 12.0 && strip.height() > 400.0, "{strip:?}");
    // A click near its foot goes to the end of the network.
    let foot = strip.center_bottom() - egui::vec2(0.0, 2.0);
    window.drag_at(foot);
    window.drop_at(foot);
    window.run();
    let seen = rows(&window);
    assert!(
        seen.iter().any(|r| r.starts_with("999, ")),
        "{:?}",
        seen.last()
    );
    harness::picture(&mut window);
    window.get_by_label("Shape operators").click();
    window.run();
    assert!(rows(&window).iter().any(|r| r.contains("SHAPE")));
}

#[test]
fn an_operator_is_kept_float_in_the_next_experiment() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = demo(harness::window([1440.0, 900.0], theme));
        for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
            let bench = &mut window.state_mut().bench;
            bench.apply(Command::SetMode(mode, false));
        }
        window.state_mut().bench.apply(Command::Run);
        idle(&mut window);
        window.get_by_label("Layers").click();
        window.run();
        window
            .get_by_label_contains("4, CONV_2D conv2d_1/Relu")
            .click();
        window.run();
        window.get_by_label("Keep float").click();
        window.run();
        window.get_by_label_contains("10, FULLY_CONNECTED").click();
        window.run();
        window.get_by_label("Keep float").click();
        window.run();
        window.get_by_label("FULLY_CONNECTED stays float32");
        harness::picture(&mut window);
        // What was chosen is listed and can be taken back.
        window.get_by_label("Do not keep 4 conv2d_1 float");
        let dense = "Do not keep 10 StatefulPartitionedCall_1:0 float";
        window.get_by_label(dense).click();
        window.run();
        assert!(window.query_by_label(dense).is_none());
        window.get_by_label("FULLY_CONNECTED as the mode says");
        window.get_by_label("Run as new experiment").click();
        window.run();
        idle(&mut window);

        let all = &window.state().bench.experiments;
        let names: Vec<String> = all.iter().map(Experiment::name).collect();
        assert_eq!(names, ["float32", "int8", "int8, conv2d_1 kept float"]);
        let kept = &all[2];
        let plan = &kept.file.as_ref().expect("it has run").plan;
        assert_eq!(plan.nodes[4], NodePlan::Float("kept float by you".into()));
        assert_eq!(plan.nodes[10], NodePlan::Quantized);
        let operators = &kept.intent.recipe.keep_float;
        assert!(matches!(
            &operators[..],
            [OperatorRef::Both { index: 4, .. }]
        ));
        assert!(kept.evaluation.is_some() && kept.tensors.is_some());
        assert!(window.query_by_label("Run as new experiment").is_none());
        // Its column says why.
        let row = &rows(&window)[4];
        for told in [
            "int8, conv2d_1 kept float: float32, ",
            "float because kept float by you",
        ] {
            assert!(row.contains(told), "{row}");
        }
    }
}

#[test]
fn a_click_tells_the_whole_story_of_an_operator() {
    let mut window = showing();
    window
        .get_by_label_contains("0, CONV_2D conv2d_1/Relu")
        .click();
    window.run();
    window.get_by_label_contains("Error through the network: int8 is worst at FULLY_CONNECTED");
    window.get_by_label("int8: output range fixed by the operator");
    assert!(window.query_by_label_contains("108 elements").is_none());
    window.get_by_label("Show its tensor").click();
    window.run();
    assert_eq!(window.state().state.tab, Tab::Tensors);
    window.get_by_label("Layers").click();
    window.run();
    window.key_press(egui::Key::Escape);
    window.run();
    assert!(window.query_by_label("Show its tensor").is_none());
}

#[test]
fn a_double_click_opens_the_tensor() {
    let mut window = showing();
    let row = window
        .get_by_label_contains("2, FULLY_CONNECTED")
        .rect()
        .center();
    for _ in 0..2 {
        window.drag_at(row);
        window.drop_at(row);
    }
    window.run();
    assert_eq!(window.state().state.tab, Tab::Tensors);
    let selected = window
        .state()
        .state
        .tensors
        .selected()
        .map(|k| (k.experiment, k.tensor));
    assert_eq!(selected, Some((ExperimentId(1), 3)));
}

#[test]
fn every_theme_and_width_can_be_painted() {
    let mut window = showing();
    harness::picture(&mut window);
    window.set_size(egui::vec2(700.0, 500.0));
    window.run();
    harness::picture(&mut window);
}
