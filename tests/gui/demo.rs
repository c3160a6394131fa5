//! The built-in experiment from end to end in the window: open, run, look; and the README's pictures.

use std::time::Duration;

use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::Tab;
use zeropoint::workbench::{Command, Role, State};

use crate::harness::{self, Window, step_until};

const PATIENCE: Duration = Duration::from_secs(600);

/// The demo, opened from the start screen.
fn opened() -> Window {
    let mut window = harness::dark();
    window.run();
    harness::screenshot(&mut window, "start");
    window.get_by_label("Try the MNIST demo").click();
    step_until(&mut window, "the demo opens", PATIENCE, |w| {
        let bench = &w.state().bench;
        bench.model.is_some() && bench.run_obstacle().is_none()
    });
    window
}

/// One run of all modes, looked at in every tab: the figures stay, so one test tells the whole story.
#[test]
fn open_run_and_look_at_every_tab() {
    let mut window = opened();
    // Figures of the README's pictures are over all images; else few are enough.
    if !harness::is_for_readme() {
        let bench = &mut window.state_mut().bench;
        bench.latency_seconds = 0.02;
        bench.apply(Command::SetSamples(Role::Evaluation, Some(50)));
        bench.apply(Command::SetSamples(Role::Calibration, Some(20)));
    }
    window.step();
    let run = |w: &Window| {
        w.get_all_by_label("Run 5 experiments")
            .next()
            .map(|b| b.click())
    };
    run(&window).expect("Run is offered");
    step_until(&mut window, "the jobs start", PATIENCE, |w| {
        !w.state().bench.jobs().is_idle()
    });
    step_until(&mut window, "all modes are run", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
    let bench = &window.state().bench;
    assert_eq!(bench.experiments.len(), 5);
    assert!(
        bench.experiments.iter().all(|e| e.state == State::Done),
        "{:?}",
        bench.experiments
    );
    harness::screenshot(&mut window, "compare-dark");
    window.ctx.set_theme(egui::Theme::Light);
    window.run();
    harness::screenshot(&mut window, "compare-light");

    // More room for tables: the side panel folds to its rail.
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::B);
    window.run();
    window.get_by_label("Layers").click();
    window.run();
    assert_eq!(window.state().state.tab, Tab::Layers);
    window
        .get_by_label_contains("CONV_2D conv2d_1/Relu")
        .click();
    window.run();
    window.get_by_label_contains("Error through the network: int8 is worst at");
    harness::screenshot(&mut window, "layers");

    window.ctx.set_theme(egui::Theme::Dark);
    window.get_by_label("Tensors").click();
    window.run();
    window.get_by_label_contains("Scale error histogram");
    window
        .get_by_label_contains("dense_1/MatMul, int8, int8 weights")
        .click();
    window.run();
    window.get_by_label_contains("Values: 20,280 from −1.11 to 0.620");
    window.get_by_label_contains("Step error: RMS 0.28");
    window.get_by_label_contains("Scale per channel: 10 channels");
    harness::screenshot(&mut window, "tensors");

    window.get_by_label("Samples").click();
    window.run();
    window.get_by_label("Confusion matrix");
    step_until(&mut window, "the pictures are made", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
    harness::screenshot(&mut window, "samples");

    window.set_size(egui::vec2(1024.0, 640.0));
    window.run();
    harness::picture(&mut window);
    window.get_by_label("Compare").click();
    window.run();
    harness::screenshot(&mut window, "narrow");
}
