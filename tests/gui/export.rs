//! What leaves the window: reports in three forms, and plots as PNG and SVG.

use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::{Ask, Tab};
use zeropoint::quantize::Mode;
use zeropoint::workbench::Command;

use crate::flow::{demo, folder, idle, type_into};
use crate::harness::{Window, dark, picture, window};

/// The demo with two experiments that are done.
fn done(mut window: Window) -> Window {
    window = demo(window);
    let bench = &mut window.state_mut().bench;
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.apply(Command::Run);
    idle(&mut window);
    window
}

#[test]
fn a_report_is_written_in_the_form_that_its_name_asks_for() {
    let folder = folder("report");
    let mut window = demo(dark());
    assert!(window.query_by_label("Export report…").is_none());
    // Nothing to report: the keys do nothing.
    window.key_press_modifiers(Modifiers::COMMAND, Key::E);
    window.run();
    assert!(window.state().state.typing.is_none());
    window = done(dark());
    for (name, sign) in [
        ("r.html", "<!DOCTYPE html>"),
        ("r.csv", "experiment,mode,io"),
        ("r.json", "\"experiments\""),
    ] {
        window.key_press_modifiers(Modifiers::COMMAND, Key::E);
        window.run();
        let file = folder.join(name);
        type_into(&mut window, "Report path", &file.display().to_string());
        window.get_by_label("Save").click();
        window.step();
        idle(&mut window);
        let text = std::fs::read_to_string(&file).expect("written");
        assert!(
            text.contains(sign) && text.contains("int8"),
            "{name}: {text}"
        );
    }
    let json = std::fs::read_to_string(folder.join("r.json")).expect("written");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["experiments"].as_array().map(Vec::len), Some(2));
    assert!(json["experiments"][1]["tensors"][0]["scale"].is_number());
    assert_eq!(json["model_sha256"].as_str().map(str::len), Some(64));
    assert!(json["experiments"][1]["accuracy"].as_f64() > Some(0.9));

    // A name that says no form is a message, and writes nothing.
    window.get_by_label("Export report…").click();
    window.run();
    let file = folder.join("r.pdf");
    type_into(&mut window, "Report path", &file.display().to_string());
    window.get_by_label("Save").click();
    window.step();
    idle(&mut window);
    window.get_by_label_contains("a report is .html, .csv or .json");
    assert!(!file.exists());
    std::fs::remove_dir_all(folder).expect("removable");
}

/// Opens the menu of a plot and picks an entry of it.
fn pick(window: &mut Window, plot: &str, entry: &str) {
    window.get_by_label(&format!("Picture of {plot}")).click();
    window.run();
    window.get_by_label(entry).click();
    window.run();
}

#[test]
fn every_plot_is_saved_as_svg_and_png() {
    let folder = folder("pictures");
    let mut window = done(dark());
    let tensor = |w: &mut Window| {
        w.get_by_label_contains("dense_1/MatMul, int8, int8 weights")
            .click();
        w.run();
    };
    let layer = |w: &mut Window| {
        w.get_by_label_contains("CONV_2D conv2d_1/Relu").click();
        w.run();
    };
    let nothing = |_: &mut Window| {};
    type Step<'a> = (Tab, &'a dyn Fn(&mut Window), &'a [(&'a str, &'a str)]);
    let tabs: [Step<'_>; 4] = [
        (
            Tab::Compare,
            &nothing,
            &[("Bars", "Latency"), ("Trade-off", "Pareto front")],
        ),
        (
            Tab::Tensors,
            &tensor,
            &[
                ("Scale error", "wastes range"),
                ("Zero-point error", "rounding"),
                ("Values", "float32"),
                ("Step error", "Error in steps"),
                ("Scale per channel", "Output channel"),
            ],
        ),
        (
            Tab::Layers,
            &layer,
            &[("Error through the network", "CONV_2D")],
        ),
        (Tab::Samples, &nothing, &[("Confusion matrix", "Answer")]),
    ];
    for (tab, prepare, plots) in tabs {
        window.state_mut().state.tab = tab;
        window.run();
        prepare(&mut window);
        for (plot, words) in plots {
            pick(&mut window, plot, "Save as SVG…");
            let asked = window.state().state.typing.as_ref().map(|t| &t.ask);
            let Some(Ask::Picture(name, bytes)) = asked else {
                panic!("{plot}: {asked:?}");
            };
            assert!(name.ends_with(".svg"), "{name}");
            let svg = String::from_utf8(bytes.to_vec()).expect("text");
            assert!(
                svg.starts_with("<svg ") && svg.contains(words),
                "{plot}: {svg}"
            );
            assert!(!svg.contains("Save as"), "the menu is no part of {plot}");
            assert!(svg.matches("<text").count() > 3, "{plot}: {svg}");
            let file = folder.join(name);
            type_into(&mut window, "Picture path", &file.display().to_string());
            window.get_by_label("Save").click();
            window.step();
            idle(&mut window);
            assert_eq!(std::fs::read_to_string(&file).expect("written"), svg);
        }
    }
    window.state_mut().state.tab = Tab::Compare;
    window.run();
    pick(&mut window, "Trade-off", "Save as PNG…");
    let asked = window.state().state.typing.as_ref().map(|t| t.ask.clone());
    let Some(Ask::Picture(name, bytes)) = asked else {
        panic!("{asked:?}");
    };
    assert_eq!(name, "trade-off.png");
    let image = image::load_from_memory(&bytes).expect("a PNG").to_rgba8();
    assert_eq!(image.width(), 356);
    // What it shows is what the window shows there: the card, and marks on it.
    let mut colors: Vec<_> = image.pixels().map(|p| p.0).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 20, "{} colours", colors.len());
    std::fs::remove_dir_all(folder).expect("removable");
}

#[test]
fn a_plot_is_copied_by_right_click() {
    let mut window = done(window([1440.0, 900.0], egui::Theme::Light));
    let plot = window.get_by_label_contains("Trade-off chart,").rect();
    let at = plot.center() + egui::vec2(0.0, 120.0);
    window.hover_at(at);
    window.run();
    for pressed in [true, false] {
        window.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Secondary,
            pressed,
            modifiers: Modifiers::NONE,
        });
    }
    window.run();
    picture(&mut window);
    window.get_by_label("Copy as PNG").click();
    let mut copied = None;
    for _ in 0..5 {
        window.step();
        let commands = &window.output().platform_output.commands;
        copied = copied.or(commands.iter().find_map(|c| match c {
            OutputCommand::CopyImage(image) => Some(image.size),
            _ => None,
        }));
    }
    assert_eq!(copied.map(|size| size[0]), Some(356));
}
