//! The Tensors tab: choose, filter, sort, and see histograms.

use egui::accesskit::{Role, Toggled};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::evaluate::{TensorKind, TensorReport};
use zeropoint::gui::Tab;
use zeropoint::gui::view::look::Look;
use zeropoint::gui::view::tensors::{self as view, Column, Filter, Sort, Source, Span};
use zeropoint::quantize::Mode;
use zeropoint::workbench::ExperimentId;

use crate::fixture;
use crate::harness::{self, Window};

/// The window on the Tensors tab, with these tensors in int8 and the fixture's in int16x8.
fn showing(int8: Vec<TensorReport>) -> Window {
    let mut window = harness::dark();
    let app = window.state_mut();
    app.state.tab = Tab::Tensors;
    app.bench.model = Some(fixture::model());
    app.bench.experiments = vec![
        fixture::experiment(1, Mode::Int8, int8),
        fixture::experiment(2, Mode::Int16x8, fixture::int16_tensors()),
    ];
    window.run();
    window
}

fn rows(window: &Window) -> Vec<String> {
    let label = |node: egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    window.query_all_by_role(Role::Row).map(label).collect()
}

#[test]
fn the_worst_tensor_comes_first_and_its_histograms_show() {
    let window = showing(fixture::int8_tensors());
    let rows = rows(&window);
    assert_eq!(rows.len(), 8);
    assert!(
        rows[0].starts_with(
            "StatefulPartitionedCall_1:0, int8, int8 activation, scale 0.181, zero point 45"
        ),
        "{}",
        rows[0]
    );
    window.get_by_label("8 of 8 quantized tensors");
    window.get_by_label_contains("Values: 4,000 from −15.6 to 14.2");
    window.get_by_label_contains("Step error: RMS 0.288, ideal 0.289");
    window.get_by_label_contains("farthest is StatefulPartitionedCall_1:0 with +4.4");
    window.get_by_label("47 scales, channels counted");
}

#[test]
fn ten_thousand_rows_lay_out_only_those_in_sight() {
    let others = fixture::int16_tensors().len();
    let mut window = showing(fixture::many(10_000 - others));
    window.get_by_label("10,000 of 10,000 quantized tensors");
    let laid_out = rows(&window).len();
    assert!((10..40).contains(&laid_out), "{laid_out}");
    window.key_press(egui::Key::End);
    window.run();
    let end = rows(&window);
    assert!(
        end.len() < 40 && end.iter().any(|r| r.contains("conv2d_1/Conv2D, int16x8")),
        "{end:?}"
    );
}

#[test]
fn tensors_of_several_experiments_are_drawn_over_each_other() {
    let mut window = showing(fixture::int8_tensors());
    window.get_by_label_contains("dense_1/MatMul, int8").click();
    window.run();
    // The same tensor of the others by one button.
    window.get_by_label("Overlay other experiments").click();
    window.run();
    let over = rows(&window)
        .iter()
        .filter(|r| r.ends_with(", overlaid"))
        .count();
    assert_eq!(over, 1);
    window.get_by_label_contains("; over it Values: ");
    harness::picture(&mut window);
    window.get_by_label("Do not draw int16x8 over it").click();
    window.run();
    assert!(rows(&window).iter().all(|r| !r.ends_with(", overlaid")));
    // Any other by Ctrl-click; Escape takes it away before the selection.
    window
        .get_by_label_contains("conv2d_1/Conv2D, int8")
        .click_modifiers(egui::Modifiers::COMMAND);
    window.run();
    window.get_by_label("Do not draw conv2d_1/Conv2D, int8 over it");
    window.key_press(egui::Key::Escape);
    window.run();
    window.get_by_label("Overlay other experiments");
}

#[test]
fn without_the_inspector_every_column_has_room() {
    let mut window = showing(fixture::int8_tensors());
    assert!(window.query_by_label("Sort by Shape").is_none());
    window.set_size(egui::vec2(1600.0, 900.0));
    window.key_press(egui::Key::Escape);
    window.run();
    for column in ["Operator", "Shape", "Range seen", "Clipped"] {
        window.get_by_label(&format!("Sort by {column}"));
    }
    window.get_by_label("Sort by Range seen").click();
    window.run();
    harness::picture(&mut window);
    let first = &rows(&window)[0];
    assert!(first.starts_with("StatefulPartitionedCall_1:0"), "{first}");
}

#[test]
fn a_click_on_a_row_shows_that_tensor() {
    let mut window = showing(fixture::int8_tensors());
    window
        .get_by_label_contains("dense_1/MatMul, int16x8")
        .click();
    window.run();
    window.get_by_label("int8 weights");
    window.get_by_label_contains("Values: 4,000 from");
    window.get_by_label_contains("Scale per channel: 10 channels, worst is Channel");
    assert_eq!(window.state().state.selected, Some(ExperimentId(2)));
    assert!(window.query_by_label_contains("max 0.00368").is_some());
}

#[test]
fn a_click_on_a_channel_shows_its_figures() {
    let mut window = showing(fixture::int8_tensors());
    window.get_by_label_contains("dense_1/MatMul, int8").click();
    window.run();
    let plot = window.get_by_label_contains("Scale per channel:").rect();
    let at = plot.center() + egui::vec2(0.0, 20.0);
    window.drag_at(at);
    window.drop_at(at);
    window.run();
    assert!(window.query_by_label_contains("Scale, channel").is_some());
}

#[test]
fn typing_filters_by_name_and_clearing_shows_all() {
    let mut window = showing(fixture::int8_tensors());
    window.key_press(egui::Key::Slash);
    window.run();
    let field = window.get_by_role(Role::TextInput);
    assert!(field.is_focused());
    field.type_text("CONV2D_1/relu");
    window.run();
    assert_eq!(rows(&window).len(), 2);
    window.get_by_label("2 of 8 quantized tensors");
    window.get_by_role(Role::TextInput).type_text("gru");
    window.run();
    window.get_by_label("No tensor matches 'CONV2D_1/relugru'");
    window.get_by_label("Clear filter").click();
    window.run();
    assert_eq!(rows(&window).len(), 8);
}

#[test]
fn a_click_on_a_bar_filters_and_the_chip_takes_it_back() {
    let mut window = showing(fixture::int8_tensors());
    window
        .get_by_label_contains("Zero-point error +3.5 to +4.5")
        .click();
    window.run();
    let shown = rows(&window);
    assert_eq!(shown.len(), 1);
    assert!(shown[0].starts_with("StatefulPartitionedCall_1:0"));
    window
        .get_by_label_contains("Remove filter Zero-point error")
        .click();
    window.run();
    assert_eq!(rows(&window).len(), 8);
}

#[test]
fn kinds_and_experiments_are_chosen_from_lists() {
    let mut window = showing(fixture::int8_tensors());
    window.get_by_label("Kind of tensor").click();
    window.run();
    window
        .get_by_role_and_label(Role::Button, "Weights")
        .click();
    window.run();
    assert_eq!(rows(&window).len(), 4);
    window
        .get_by_label("Experiments shown: 2 experiments")
        .click();
    window.run();
    // The side panel has one of that name too; the list's comes last.
    let boxes = window.get_all_by_role_and_label(Role::CheckBox, "int16x8");
    boxes.last().expect("the list is open").click();
    window.run();
    let shown = rows(&window);
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|r| r.contains(", int8, int8 weights")));
    window.get_by_label("Experiments shown: 1 experiment");
    // The histograms speak of the shown experiments only.
    window.get_by_label("24 scales, channels counted");
}

#[test]
fn the_inspector_follows_the_filter_and_escape_takes_back_step_by_step() {
    let mut window = showing(fixture::int8_tensors());
    let chosen = |w: &Window| w.state().state.tensors.selected().map(|k| k.tensor);
    assert_eq!(chosen(&window), Some(3));
    window.key_press(egui::Key::Slash);
    window.run();
    window.get_by_role(Role::TextInput).type_text("bias");
    window.run();
    assert_eq!(
        chosen(&window),
        Some(2),
        "the first that has bias in its name"
    );
    window.key_press(egui::Key::Escape);
    window.run();
    assert_eq!(rows(&window).len(), 8);
    assert!(chosen(&window).is_some());
    window.key_press(egui::Key::Escape);
    window.run();
    assert_eq!(chosen(&window), None);
    assert!(window.query_by_label_contains("Step error: RMS").is_none());
}

#[test]
fn a_click_on_a_head_sorts_and_a_second_turns_it_round() {
    let mut window = showing(fixture::int8_tensors());
    window.get_by_label("Sort by Scale").click();
    window.run();
    assert!(rows(&window)[0].contains("scale 0.181"));
    window.get_by_label("Sort by Scale, descending").click();
    window.run();
    assert!(rows(&window)[0].contains("scale 7.76e−5"));
}

#[test]
fn the_arrow_keys_walk_the_rows() {
    let mut window = showing(fixture::many(3000));
    let shown = rows(&window);
    assert!(shown.len() < 60, "{} rows are laid out", shown.len());
    window.key_press(egui::Key::End);
    window.run();
    window.get_by_label("3,003 of 3,003");
    window.key_press(egui::Key::ArrowUp);
    window.run();
    window.get_by_label("3,002 of 3,003");
    let selected = window
        .query_all_by_role(Role::Row)
        .filter(|n| n.accesskit_node().toggled() == Some(Toggled::True))
        .count();
    assert_eq!(selected, 1, "the chosen row is in sight");
}

#[test]
fn without_results_the_tab_says_what_belongs_there() {
    let mut window = harness::dark();
    window.state_mut().state.tab = Tab::Tensors;
    window.state_mut().bench.model = Some(fixture::model());
    window.run();
    window.get_by_label("Quantize once to see its tensors");
}

#[test]
fn every_theme_and_width_can_be_painted() {
    for (size, theme) in [
        ([1440.0, 900.0], egui::Theme::Light),
        ([1024.0, 640.0], egui::Theme::Dark),
    ] {
        let mut window = harness::window(size, theme);
        window.state_mut().state.tab = Tab::Tensors;
        window.state_mut().bench.model = Some(fixture::model());
        let experiment = fixture::experiment(1, Mode::Int8, fixture::int8_tensors());
        window.state_mut().bench.experiments = vec![experiment];
        window.run();
        harness::picture(&mut window);
    }
}

fn sources() -> Vec<Source> {
    let source = |id, mode: Mode, reports| Source {
        id: ExperimentId(id),
        look: Look::mode(mode),
        name: mode.name().into(),
        reports: std::sync::Arc::new(reports),
    };
    vec![
        source(1, Mode::Int8, fixture::int8_tensors()),
        source(2, Mode::Int16x8, fixture::int16_tensors()),
    ]
}

#[test]
fn what_has_no_figure_stands_last_in_both_directions() {
    let sources = sources();
    for descending in [false, true] {
        let sort = Sort {
            column: Column::ZeroPointError,
            descending,
        };
        let rows = view::rows(&sources, &Filter::default(), sort);
        let errors: Vec<_> = rows
            .iter()
            .map(|r| r.of(&sources).1.zero_point_error)
            .collect();
        let expected = if descending {
            [Some(4.4), Some(0.3)]
        } else {
            [Some(0.3), Some(4.4)]
        };
        assert_eq!(errors[..2], expected);
        assert!(errors[2..].iter().all(Option::is_none));
    }
}

#[test]
fn filters_hold_together() {
    let sources = sources();
    let count = |filter: &Filter| view::rows(&sources, filter, Sort::default()).len();
    let mut filter = Filter {
        kind: Some(TensorKind::Weights),
        ..Filter::default()
    };
    assert_eq!(count(&filter), 4);
    filter.hidden.push(ExperimentId(2));
    assert_eq!(count(&filter), 2);
    filter.text = " dense ".into();
    assert_eq!(count(&filter), 1);
    // A channel's error counts, not only the tensor's own: channels have −0.04 to 0.05.
    filter.scale_error = Some(Span {
        from: -0.045,
        to: -0.035,
    });
    assert_eq!(count(&filter), 1);
    filter.scale_error = Some(Span { from: 0.2, to: 0.3 });
    assert_eq!(count(&filter), 0);
}

#[test]
fn error_histograms_count_channels_and_name_outliers() {
    let sources = sources();
    let scale = view::scale_errors(&sources, &Filter::default());
    // Twice 10 and 12 channels, and three activations.
    assert_eq!(scale.total, 47);
    assert_eq!(scale.bins.iter().flatten().sum::<u32>(), 47);
    let zero = view::zero_point_errors(&sources, &Filter::default());
    assert_eq!(zero.total, 2);
    let middle = zero.span(zero.bins.len() / 2);
    assert_eq!((middle.from, middle.to), (-0.5, 0.5));
    assert_eq!(zero.count_at(4.4), 1);
    assert_eq!(zero.outliers.len(), 1);
    assert!((zero.outliers[0].real - 4.4 * f64::from(0.181f32)).abs() < 1e-9);
}

#[test]
fn enormous_and_broken_errors_keep_the_bins_few() {
    let mut sources = sources();
    let mut reports = fixture::int8_tensors();
    reports[2].scale_error = Some(1e6);
    reports[2].zero_point_error = Some(-1e9);
    reports[3].scale_error = Some(f64::NAN);
    reports[3].zero_point_error = Some(f64::INFINITY);
    sources[0].reports = std::sync::Arc::new(reports);
    let scale = view::scale_errors(&sources, &Filter::default());
    let zero = view::zero_point_errors(&sources, &Filter::default());
    assert!(scale.bins.len() < 60 && zero.bins.len() < 60);
    assert_eq!(scale.total, 46);
    assert_eq!(zero.total, 1);
}

#[test]
fn never_used_counts_the_integers_outside_the_values() {
    let mut report = fixture::int8_tensors().remove(0);
    (report.scale, report.zero_point, report.q_range) = (0.01, 0, (-127, 127));
    report.range = (-1.27, 0.57);
    let idle = view::never_used(&report).expect("the scale is positive");
    assert_eq!((idle.below, idle.above, idle.steps), (0.0, 70.0, 255.0));
    report.scale = f32::NAN;
    assert_eq!(view::never_used(&report), None);
    assert_eq!(view::representable(&report), None);
    let window = view::window(&report);
    assert!(window.0 < window.1);
}

#[test]
fn names_are_cut_to_the_last_two_parts_of_the_first() {
    assert_eq!(view::short_name("a/b/c/d;e/f/g"), "c/d");
    assert_eq!(view::short_name("b/c"), "b/c");
    assert_eq!(view::short_name("plain"), "plain");
    assert_eq!(view::short_name(""), "");
}

#[test]
fn log_heights_rise_with_the_count() {
    let heights = [0, 1, 10, 100, 1000].map(|n| view::log_height(n, 1000));
    assert_eq!(heights[0], 0.0);
    assert!(heights[1] > 0.05);
    assert!(heights.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(heights[4], 1.0);
}
