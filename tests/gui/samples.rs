//! The Samples tab: what is confused, and where a variant and float32 disagree.

use std::sync::Arc;
use std::time::Duration;

use egui::accesskit::Role as Say;
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::Tab;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Command, Role};

use crate::flow::{demo, idle};
use crate::harness::{Window, dark, picture, step_until, window};

/// float32 and int8 on 50 digits, int8's answers to samples 5 (label 1), 7 (label 9) and 9 (label 9) replaced by wrong ones.
fn disagreeing(window: Window) -> Window {
    let mut window = demo(window);
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        window
            .state_mut()
            .bench
            .apply(Command::SetMode(mode, false));
    }
    window.run();
    window.state_mut().bench.apply(Command::Run);
    idle(&mut window);
    let int8 = &mut window.state_mut().bench.experiments[1];
    let mut evaluation = (**int8.evaluation.as_ref().expect("it has run")).clone();
    assert_eq!(evaluation.margins.len(), 50);
    for (sample, answer, margin) in [(5, 7, 0.25), (7, 4, 0.0), (9, 4, 0.5)] {
        evaluation.answers[sample] = answer;
        evaluation.margins[sample] = margin;
    }
    int8.evaluation = Some(Arc::new(evaluation));
    window.get_by_label("Samples").click();
    window.run();
    assert_eq!(window.state().state.tab, Tab::Samples);
    step_until(
        &mut window,
        "the pictures are made",
        Duration::from_secs(60),
        |w| w.state().bench.jobs().is_idle() && !w.state().bench.pictures.shown.samples.is_empty(),
    );
    window.run();
    window
}

#[test]
fn disagreements_are_shown_with_both_answers_and_their_margins() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = disagreeing(window([1440.0, 900.0], theme));
        window.get_by_label("3 of 50 samples differ");
        let spoken = "Sample 7, label 9, lost: float32 answers 9, ";
        window.get_by_label_contains(spoken);
        window.get_by_label_contains("int8 answers 4, tie");
        window.get_by_label(
            "1 of 3 are ties in int8: the two best scores are equal and the lower class wins",
        );
        let made = &window.state().bench.pictures;
        assert_eq!(made.shown.samples.len(), 3);
        picture(&mut window);

        window.get_by_label("Show Gained 0").click();
        window.run();
        window.get_by_label("No samples here");
        window.key_press(egui::Key::Escape);
        window.run();
        window.get_by_label_contains(spoken);

        // A cell of the matrix, or a row below it, shows its samples, agreeing ones too.
        window
            .get_by_label("Label 9 answered 4: 2, float32 0")
            .click();
        window.run();
        window.get_by_label("Label 9, answered 4");
        assert_eq!(window.query_all_by_role(Say::Image).count(), 2);
        window.get_by_label("Show disagreements").click();
        window.run();
        window.get_by_label("1 read as 7: 1, float32 0").click();
        window.run();
        window.get_by_label("Label 1, answered 7");
    }
}

#[test]
fn the_tab_says_what_it_lacks() {
    let mut window = demo(dark());
    window.get_by_label("Samples").click();
    window.run();
    window.get_by_label("Run float32 and another mode to see where they differ");
    let bench = &mut window.state_mut().bench;
    bench.apply(Command::ClearData(Role::Evaluation));
    window.run();
    window.get_by_label("Choose labelled data to see where variants differ");
    window.get_by_label("Choose data…").click();
    window.run();
    window.get_by_label("No evaluation data, without it there is no accuracy");
}
