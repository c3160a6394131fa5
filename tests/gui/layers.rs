//! The Layers tab: operators, what each experiment made of them, and why some stay float.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::graph::DType;
use zeropoint::gui::Tab;
use zeropoint::gui::view::layers;
use zeropoint::quantize::Mode;
use zeropoint::workbench::ExperimentId;

use crate::fixture;
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
