//! The Compare tab in the window: sorted by any column, highlighted everywhere at once, charts that follow; with made-up figures.

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::evaluate::{Evaluation, Latency};
use zeropoint::graph::DType;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Experiment, ExperimentId};

use crate::fixture;
use crate::harness::{Window, picture, window};

/// Three experiments, float32 the slowest, with latency and accuracy.
pub fn measured(mut window: Window) -> Window {
    let model = fixture::model();
    let experiment = |id: u64, mode: Mode, median_ms: f64, right: usize, bytes: usize| {
        let mut file = fixture::file(&model, DType::Float32).as_ref().clone();
        file.bytes = vec![0; bytes].into();
        let top1 = right as f64 / 1000.0;
        Experiment {
            file: Some(Arc::new(file)),
            latency: Some(Latency {
                min_ms: median_ms * 0.9,
                median_ms,
                p95_ms: median_ms * 1.1,
                threads: 1,
                runs: 100,
            }),
            evaluation: Some(Arc::new(Evaluation {
                outputs: Default::default(),
                samples: 1000,
                top1: Some(top1),
                top5: None,
                agreement: (id > 1).then_some(0.99 + id as f64 / 1000.0),
                sqnr_db: (id > 1).then_some(40.0 + id as f64),
                delta_interval: (id > 1).then_some((top1 - 0.982, top1 - 0.978)),
                seconds: 1.0,
                answers: vec![],
                warnings: vec![],
                margins: vec![],
            })),
            ..fixture::experiment(id, mode, vec![])
        }
    };
    let experiments = vec![
        experiment(1, Mode::Float32, 0.040, 980, 85_000),
        experiment(2, Mode::Int8, 0.017, 979, 25_000),
        experiment(3, Mode::Dynamic, 0.033, 981, 24_000),
    ];
    let bench = &mut window.state_mut().bench;
    bench.model = Some(model);
    bench.experiments = experiments;
    window.run();
    window
}

/// The first word of each row, from the top.
fn rows(window: &Window) -> Vec<String> {
    let mut all: Vec<(f32, String)> = window
        .query_all_by_role(Role::Row)
        .map(|n| {
            (
                n.rect().top(),
                n.accesskit_node().label().unwrap_or_default(),
            )
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = |s: String| s.split(',').next().unwrap_or_default().to_owned();
    all.into_iter().map(|(_, label)| first(label)).collect()
}

#[test]
fn every_column_sorts_both_ways_and_back() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = measured(window([1440.0, 900.0], theme));
        let own = ["float32", "int8", "dynamic"];
        assert_eq!(rows(&window), own);
        for (column, best) in [
            ("Experiment", ["dynamic", "float32", "int8"]),
            ("Bytes", ["dynamic", "int8", "float32"]),
            ("Smaller", ["dynamic", "int8", "float32"]),
            ("Median", ["int8", "dynamic", "float32"]),
            ("p95", ["int8", "dynamic", "float32"]),
            ("Faster", ["int8", "dynamic", "float32"]),
            ("Top-1", ["dynamic", "float32", "int8"]),
            ("Δ to float32", ["dynamic", "int8", "float32"]),
            ("95 % int.", ["dynamic", "int8", "float32"]),
            ("Agreement", ["dynamic", "int8", "float32"]),
            ("SQNR", ["dynamic", "int8", "float32"]),
        ] {
            let names = ["", ", ascending", ", descending"].map(|d| format!("Sort by {column}{d}"));
            window.get_by_label(&names[0]).click();
            window.run();
            assert_eq!(rows(&window), best, "{column}");
            let (first, second) = match window.query_by_label(&names[1]).is_some() {
                true => (&names[1], &names[2]),
                false => (&names[2], &names[1]),
            };
            window.get_by_label(first).click();
            window.run();
            assert_ne!(rows(&window), best, "{column}");
            window.get_by_label(second).click();
            window.run();
            assert_eq!(rows(&window), own, "{column}");
        }
        picture(&mut window);
    }
}

#[test]
fn what_the_pointer_is_on_is_highlighted_everywhere() {
    let mut window = measured(window([1440.0, 900.0], egui::Theme::Dark));
    let plain = picture(&mut window);
    let row = label(&window, "int8");
    let place = window.get_by_role_and_label(Role::Row, &row).rect();
    window.hover_at(place.center());
    window.run();
    assert_eq!(window.state().state.hovered, Some(ExperimentId(2)));
    let pointed = picture(&mut window);
    // Below the table: bars and points of the others fade.
    let below = 290;
    let changed = (below..900)
        .flat_map(|y| (300..1440).map(move |x| (x, y)))
        .filter(|&(x, y)| plain.get_pixel(x, y) != pointed.get_pixel(x, y))
        .count();
    assert!(changed > 500, "only {changed} pixels of the charts changed");
    window.remove_cursor();
    window.run();
    assert_eq!(window.state().state.hovered, None);
}

/// The whole sentence of the row that begins so.
fn label(window: &Window, first: &str) -> String {
    window
        .query_all_by_role(Role::Row)
        .filter_map(|n| n.accesskit_node().label())
        .find(|l| l.starts_with(first))
        .expect("the row is there")
}

#[test]
fn limits_choose_the_answer_and_mark_what_exceeds_them() {
    for (size, button) in [([1440.0, 900.0], "Limit"), ([1024.0, 640.0], "Limits")] {
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            let mut window = measured(window(size, theme));
            window.get_by_label_contains("2 variants keep accuracy within 0.10 pp");
            window.get_by_label(button).click();
            window.run();
            window.get_by_label("Size at most").click();
            window.run();
            window.get_by_label("Accuracy loss at most").click();
            window.run();
            type_number(&mut window, "Accuracy loss", "0.05");
            type_number(&mut window, "Size", "30");
            picture(&mut window);
            window.key_press(Key::Escape);
            window.run();
            window.get_by_label_contains("is the fastest within your limits");
            let over = label(&window, "int8");
            assert!(
                over.contains("Over limit: Accuracy loss ≤ 0.05 pp"),
                "{over}"
            );
            assert!(!over.contains("Size"), "{over}");
            let over = label(&window, "float32");
            assert!(over.contains("Over limit: Size ≤ 30.0 kB"), "{over}");
            picture(&mut window);
            let chip = match size[0] > 1100.0 {
                true => "Size ≤ 30.0 kB",
                false => "2 limits",
            };
            window.get_by_label(chip).click();
            window.run();
            window.get_by_label("Accuracy loss at most").click();
            window.run();
            window.get_by_label("Size at most").click();
            window.run();
            window.key_press(Key::Escape);
            window.run();
            window.get_by_label_contains("2 variants keep accuracy within 0.10 pp");
        }
    }
}

/// Types into the number of that name.
fn type_number(window: &mut Window, name: &str, number: &str) {
    window.get_by_role_and_label(Role::SpinButton, name).click();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.event(egui::Event::Text(number.to_owned()));
    window.key_press(Key::Enter);
    window.run();
}

#[test]
fn narrow_windows_switch_between_bars_and_trade_off() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = measured(window([1024.0, 640.0], theme));
        window.get_by_label_contains("Size chart:");
        window.get_by_label("Show Trade-off").click();
        window.run();
        window.get_by_label_contains("Trade-off chart, Latency by Accuracy");
        assert!(window.query_by_label_contains("Size chart:").is_none());
        picture(&mut window);
        window.get_by_label("Show Bars").click();
        window.run();
        window.get_by_label_contains("Size chart:");
        picture(&mut window);
    }
}
