//! The Samples tab: what is confused, and where a variant and float32 disagree.

use std::sync::Arc;
use std::time::Duration;

use egui::accesskit::Role as Say;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use zeropoint::gui::Tab;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Command, Role};

use crate::flow::{demo, drop_in, folder, idle};
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

        // Shares of each label in place of counts, and back.
        window.get_by_label("Show Share").click();
        window.run();
        window.get_by_label_contains("% of each label");
        let share = window.get_by_label_contains("Label 9 answered 4: 2, float32 0; ");
        let told = share.accesskit_node().label().unwrap_or_default();
        assert!(told.ends_with(" % of the label"), "{told}");
        picture(&mut window);
        window.get_by_label("Show Counts").click();
        window.run();

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
fn disagreements_follow_the_chosen_baseline() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = disagreeing(window([1440.0, 900.0], theme));
        let int8 = window.state().bench.experiments[1].id;
        window
            .state_mut()
            .bench
            .apply(Command::SetBaseline(Some(int8)));
        idle(&mut window);
        // Seen from the other side: what int8 lost, float32 gains.
        window.get_by_label("and int8");
        window.get_by_label_contains("Sample 7, label 9, gained: int8 answers 4, tie; float32");
        window.get_by_label("Label 9 answered 4: 0, int8 2");
        window.get_by_label("Show Gained 3");
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

/// The pad after its answers have come.
fn answered(window: &mut Window) {
    step_until(
        window,
        "the pad is answered",
        Duration::from_secs(60),
        |w| w.state().bench.pad.is_current() && w.state().bench.jobs().is_idle(),
    );
    window.run();
}

/// Moves the pressed pointer through these points of the pad, given as shares of its sides.
fn draw(window: &mut Window, line: &[(f32, f32)], button: egui::PointerButton) {
    let pad = window
        .get_by_label_contains("Drawing, 28 × 28 pixels")
        .rect();
    let at = |&(x, y): &(f32, f32)| pad.min + egui::vec2(x * pad.width(), y * pad.height());
    let event = |window: &mut Window, event| {
        window.input_mut().events.push(event);
        window.step();
    };
    let press = |pos, pressed| egui::Event::PointerButton {
        pos,
        button,
        pressed,
        modifiers: egui::Modifiers::NONE,
    };
    let (first, last) = (at(&line[0]), at(&line[line.len() - 1]));
    event(window, egui::Event::PointerMoved(first));
    event(window, press(first, true));
    for point in &line[1..] {
        event(window, egui::Event::PointerMoved(at(point)));
    }
    event(window, press(last, false));
    event(window, egui::Event::PointerGone);
}

#[test]
fn a_drawn_digit_is_answered_by_every_experiment() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = disagreeing(window([1440.0, 900.0], theme));
        window.get_by_label("Answers of all experiments appear here");
        draw(
            &mut window,
            &[(0.52, 0.2), (0.5, 0.5), (0.48, 0.8)],
            egui::PointerButton::Primary,
        );
        answered(&mut window);
        window.get_by_label_contains("On the pad, float32 answers 1, ");
        window.get_by_label_contains("On the pad, int8 answers 1, ");
        window.get_by_label_contains("All 2 agree, in ");
        picture(&mut window);

        // Erasing all of it leaves a black picture, which is a picture too; Clear empties the pad.
        window.get_by_label("Erase with the pen").click();
        window.run();
        let rows = (0..15).map(|i| 0.05 + i as f32 * 0.065);
        let sweep: Vec<_> = rows.flat_map(|y| [(0.05, y), (0.95, y)]).collect();
        draw(&mut window, &sweep, egui::PointerButton::Primary);
        answered(&mut window);
        let black = window.state().bench.pad.drawing.clone().unwrap();
        assert!(black.rgb.iter().all(|&x| x == 0), "{black:?}");
        window.get_by_label("Clear").click();
        window.run();
        assert!(window.state().bench.pad.drawing.is_none());
        window.get_by_label("Answers of all experiments appear here");

        // By keyboard, too.
        window.get_by_label("Draw with the pen").click();
        window.run();
        window.get_by_label_contains("Drawing, 28 × 28").focus();
        window.run();
        window.key_press(egui::Key::Space);
        window.run();
        answered(&mut window);
        assert!(window.state().bench.pad.drawing.is_some());
    }
}

#[test]
fn pictures_are_pasted_and_dropped_on_the_pad() {
    let mut window = disagreeing(window([1024.0, 640.0], egui::Theme::Dark));
    window.get_by_label("Draw").click();
    window.run();
    let pasted = egui::ColorImage::filled([60, 40], egui::Color32::from_gray(90));
    let paste = egui::Event::PasteImage(Arc::new(pasted));
    window.input_mut().events.push(paste);
    window.run();
    answered(&mut window);
    let fitted = window.state().bench.pad.drawing.clone().unwrap();
    assert_eq!((fitted.width, fitted.height, fitted.rgb[0]), (28, 28, 90));
    picture(&mut window);

    let folder = folder("pad");
    let path = folder.join("white.png");
    image::RgbImage::from_pixel(8, 8, image::Rgb([255; 3]))
        .save(&path)
        .unwrap();
    drop_in(&mut window, &path);
    step_until(
        &mut window,
        "the file is on the pad",
        Duration::from_secs(60),
        |w| {
            w.state()
                .bench
                .pad
                .drawing
                .as_ref()
                .is_some_and(|d| d.rgb[0] == 255)
        },
    );
    answered(&mut window);
    let missing = egui::Event::Paste("nowhere.png".into());
    window.input_mut().events.push(missing);
    step_until(
        &mut window,
        "a path that is not there",
        Duration::from_secs(60),
        |w| w.state().bench.pad.error.is_some(),
    );
    window.run();
    window.get_by_label_contains("nowhere.png");
    window.get_by_label("Show samples").click();
    window.run();
    window.get_by_label("Disagreements");
}
