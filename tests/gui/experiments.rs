//! The list of experiments in the window: menu, keys, recipe, baseline, undo; and the session that keeps it all.

use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::Tab;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Command, Experiment, SaveStatus, State};

use crate::flow::{demo, folder, idle, type_into};
use crate::harness::{Window, dark, picture, step_until, window};

/// The demo after a run of these modes.
fn ran(window: Window, modes: &[Mode]) -> Window {
    let mut window = demo(window);
    let bench = &mut window.state_mut().bench;
    for mode in Mode::ALL {
        bench.apply(Command::SetMode(mode, modes.contains(&mode)));
    }
    bench.apply(Command::Run);
    idle(&mut window);
    window
}

fn names(window: &Window) -> Vec<String> {
    let all = window.state().bench.experiments.iter();
    all.map(Experiment::name).collect()
}

/// Picks an entry of the menu of that row.
fn pick(window: &mut Window, row: &str, entry: &str) {
    window.get_by_label(&format!("More for {row}")).click();
    window.run();
    window.get_by_role_and_label(Role::MenuItem, entry).click();
    window.run();
}

/// Gives the row that reads so the keyboard focus.
fn focus(window: &mut Window, row: &str) {
    window.get_by_role_and_label(Role::Row, row).focus();
    window.run();
}

/// What the row of that title says, as a screen reader reads it.
fn sentence(window: &Window, title: &str) -> String {
    let bench = &window.state().bench;
    let comparison = zeropoint::gui::view::compare::Comparison::of(bench);
    let row = comparison.rows.iter().find(|r| r.title() == title);
    comparison.sentence(row.expect("the row is there"))
}

#[test]
fn the_menu_of_a_row_changes_the_list() {
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut window = ran(window([1440.0, 900.0], theme), &[Mode::Float32, Mode::Int8]);
        pick(&mut window, "int8", "Duplicate");
        assert_eq!(names(&window), ["float32", "int8", "int8, copy"]);
        pick(&mut window, "int8, copy", "Change recipe…");
        window.get_by_label("Recipe of int8, copy");
        window.get_by_label("Correct biases").click();
        window.run();
        picture(&mut window);
        window.get_by_label("Change recipe").click();
        window.run();
        assert_eq!(names(&window)[2], "int8, biases not corrected");
        let changed = sentence(&window, "int8, biases not corrected");
        window.get_by_role_and_label(Role::Row, &changed);
        window.get_by_label("Run 1 new experiment").click();
        window.step();
        idle(&mut window);
        let own = &window.state().bench.experiments[2];
        assert!(own.state == State::Done && !own.is_stale() && !own.reused);

        pick(&mut window, "int8, biases not corrected", "Rename");
        type_into(&mut window, "Experiment name", "Plain biases");
        window.key_press(Key::Enter);
        window.run();
        assert_eq!(names(&window)[2], "Plain biases");
        pick(
            &mut window,
            "Plain biases, int8, biases not corrected",
            "Pin to the top",
        );
        let top = zeropoint::gui::view::compare::Comparison::of(&window.state().bench);
        assert_eq!(top.rows[0].name, "Plain biases");
        picture(&mut window);

        pick(&mut window, "int8", "Use as baseline");
        assert_eq!(
            window.state().bench.baseline().map(Experiment::name),
            Some("int8".into())
        );
        idle(&mut window);
        window.get_by_label("Sort by Δ to base");
        let float = sentence(&window, "float32");
        assert!(
            float.contains("pp to int8") && float.contains("agreement ") && float.contains("SQNR "),
            "{float}"
        );
        picture(&mut window);
        pick(&mut window, "int8", "Use float32 as baseline");
        window.get_by_label("Sort by Δ to float32");

        pick(&mut window, "int8", "Delete");
        window.get_by_label("Deleted int8");
        window.get_by_label("Undo").click();
        window.run();
        assert!(names(&window).contains(&"int8".to_owned()));
        assert!(window.query_by_label("Deleted int8").is_none());
    }
}

#[test]
fn the_keyboard_does_the_same() {
    let mut window = ran(dark(), &[Mode::Float32, Mode::Dynamic]);
    let row = sentence(&window, "dynamic");
    focus(&mut window, &row);
    window.key_press(Key::D);
    window.run();
    assert_eq!(names(&window), ["float32", "dynamic", "dynamic, copy"]);
    window.key_press(Key::Space);
    window.run();
    assert!(window.state().bench.experiments[1].intent.pinned);
    assert_eq!(
        window.state().state.selected,
        None,
        "Space pins, it does not select"
    );
    window.key_press(Key::B);
    window.run();
    assert_eq!(
        window.state().bench.baseline().map(Experiment::name),
        Some("dynamic".into())
    );
    window.key_press(Key::F2);
    window.run();
    type_into(&mut window, "Experiment name", "Phones");
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(names(&window)[1], "Phones");

    // Escape leaves the name as it was.
    let row = sentence(&window, "float32");
    focus(&mut window, &row);
    window.key_press(Key::F2);
    window.run();
    type_into(&mut window, "Experiment name", "Nobody wants this");
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(names(&window)[0], "float32");
    assert!(window.query_by_label("Experiment name").is_none());

    let row = sentence(&window, "dynamic, copy");
    focus(&mut window, &row);
    window.key_press(Key::Delete);
    window.run();
    assert_eq!(names(&window), ["float32", "Phones"]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(names(&window).len(), 3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(names(&window)[1], "dynamic", "the name is taken back");
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    window.run();
    assert_eq!(names(&window)[1], "Phones");
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    window.run();
    assert_eq!(names(&window), ["float32", "Phones"]);

    let row = sentence(&window, "float32");
    focus(&mut window, &row);
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.tab, Tab::Layers);
}

#[test]
fn a_session_is_saved_and_opened_in_the_window() {
    let folder = folder("session");
    let file = folder.join("digits");
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let mut first = ran(
            window([1440.0, 900.0], theme),
            &[Mode::Float32, Mode::Dynamic],
        );
        first.get_by_label("Not saved yet");
        first.key_press_modifiers(Modifiers::COMMAND, Key::S);
        first.run();
        type_into(
            &mut first,
            "Save session as path",
            &file.display().to_string(),
        );
        first.get_by_role_and_label(Role::Button, "Save").click();
        first.step();
        idle(&mut first);
        let saved = file.with_extension("zps");
        assert!(saved.is_file());
        first.get_by_label_contains("Saved ");
        picture(&mut first);
        first.state_mut().bench.apply(Command::SetStrict(true));
        first.run();
        first.get_by_label_contains(", changed since");
        // The second time nothing is asked.
        first.get_by_label("Save session").click();
        first.step();
        idle(&mut first);
        assert!(matches!(
            first.state().bench.session.status,
            SaveStatus::Saved(_)
        ));

        let mut second = window([1440.0, 900.0], theme);
        second.run();
        type_into(&mut second, "Model path", &saved.display().to_string());
        second.get_by_label("Open").click();
        step_until(
            &mut second,
            "the session opens",
            Duration::from_secs(120),
            |w| w.state().bench.model.is_some() && w.state().bench.jobs().is_idle(),
        );
        second.run();
        second.get_by_label("Restored 2 finished experiments");
        let row = sentence(&second, "dynamic");
        second.get_by_role_and_label(Role::Row, &row);
        picture(&mut second);
    }
    std::fs::remove_dir_all(folder).expect("removable");
}

#[test]
fn the_label_column_of_a_table_is_typed() {
    let folder = folder("label-column");
    let file = folder.join("table.csv");
    let mut text: String = (0..784).map(|i| format!("p{i},")).collect();
    text += "digit\n";
    for row in 0..20 {
        text += &"0.5,".repeat(784);
        text += &format!("{}\n", row % 10);
    }
    std::fs::write(&file, text).expect("writable");
    let mut window = demo(dark());
    let role = zeropoint::workbench::Role::Evaluation;
    window
        .state_mut()
        .bench
        .apply(Command::ChooseData(role, file));
    idle(&mut window);
    let labels = |w: &Window| {
        let loaded = w.state().bench.evaluation.loaded.as_ref();
        loaded.and_then(|l| l.dataset.labels().map(<[u32]>::len))
    };
    assert_eq!(labels(&window), None, "digit is no usual name");
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    let command = window.get_by_role_and_label(Role::TextInput, "Command");
    command.type_text("preview evaluation");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    type_into(&mut window, "Label column", "digit");
    window.get_by_label("Use this column").click();
    window.step();
    idle(&mut window);
    assert_eq!(labels(&window), Some(20));
    picture(&mut window);
    std::fs::remove_dir_all(folder).expect("removable");
}
