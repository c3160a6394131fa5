//! Several models open: the menu of the top bar, the rows of each in Compare, closing and having back.

use std::path::Path;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::view::compare::Comparison;
use zeropoint::quantize::Mode;
use zeropoint::workbench::Command;

use crate::flow::{demo, idle};
use crate::harness::{Window, picture, window};

/// The demo after float32 and int8, and beside it its model as a file, which is the current one and was run in float32.
fn two(window: Window) -> Window {
    let mut window = demo(window);
    let bench = &mut window.state_mut().bench;
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.apply(Command::Run);
    idle(&mut window);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist_float.tflite");
    window.state_mut().bench.apply(Command::OpenModel(file));
    idle(&mut window);
    let bench = &mut window.state_mut().bench;
    bench.apply(Command::SetMode(Mode::Int8, false));
    bench.apply(Command::Run);
    idle(&mut window);
    window
}

fn current(window: &Window) -> String {
    window.state().bench.name().to_owned()
}

fn pick(window: &mut Window, button: &str, entry: &str) {
    window.get_by_label(button).click();
    window.run();
    window.get_by_role_and_label(Role::MenuItem, entry).click();
    window.run();
}

#[test]
fn the_top_bar_lists_the_open_models_and_compare_shows_the_rows_of_each() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = two(window([1440.0, 900.0], theme));
        assert_eq!(current(&window), "mnist_float.tflite");
        window.get_by_label_contains("Model MNIST digits, 85.4 kB, ");
        window.get_by_label_contains("Model mnist_float.tflite, 85.4 kB, ");
        let titles: Vec<String> = Comparison::of(&window.state().bench)
            .rows
            .iter()
            .map(|r| r.title())
            .collect();
        assert_eq!(
            titles,
            [
                "MNIST digits: float32",
                "MNIST digits: int8",
                "mnist_float.tflite: float32"
            ]
        );
        picture(&mut window);

        pick(
            &mut window,
            "mnist_float.tflite, 2 models open",
            "Show MNIST digits",
        );
        assert_eq!(current(&window), "MNIST digits");
        window
            .get_by_label_contains("Model mnist_float.tflite")
            .click();
        window.run();
        assert_eq!(current(&window), "mnist_float.tflite");
        // A row of another model brings that model with it.
        let row = Comparison::of(&window.state().bench);
        let sentence = row.sentence(&row.rows[1]);
        window.get_by_role_and_label(Role::Row, &sentence).click();
        window.run();
        assert_eq!(current(&window), "MNIST digits");
        let selected = window.state().state.selected;
        assert_eq!(selected, Some(row.rows[1].id));

        pick(
            &mut window,
            "MNIST digits, 2 models open",
            "Close mnist_float.tflite",
        );
        window.get_by_label("Closed mnist_float.tflite");
        assert!(window.query_by_label_contains("models open").is_none());
        window.get_by_label("Undo").click();
        window.run();
        window.get_by_label("mnist_float.tflite, 2 models open");
        assert_eq!(Comparison::of(&window.state().bench).rows.len(), 3);
    }
}

#[test]
fn the_offer_to_undo_goes_by_itself() {
    let mut window = two(window([1440.0, 900.0], egui::Theme::Dark));
    let id = window.state().bench.id;
    window.state_mut().bench.apply(Command::CloseModel(id));
    window.run();
    window.get_by_label("Closed mnist_float.tflite");
    for _ in 0..500 {
        window.step();
    }
    // Eight seconds of the window's own time have passed.
    assert!(window.query_by_label("Closed mnist_float.tflite").is_none());
    assert!(
        window
            .state()
            .bench
            .undo_name()
            .is_none_or(|u| !u.contains("closing"))
    );
}
