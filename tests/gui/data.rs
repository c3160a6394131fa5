//! Folders of images in the window: chosen, previewed before anything runs, and what is said of every wrong choice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::accesskit::Role as Say;
use egui_kittest::kittest::Queryable as _;
use zeropoint::data::{self, Preprocess, Scale, Selection};
use zeropoint::graph::Graph;
use zeropoint::quantize::Mode;
use zeropoint::tflite;
use zeropoint::workbench::{Command, Role, State};

use crate::flow::{drop_in, folder, type_into};
use crate::harness::{Window, dark, picture, screenshot, step_until, window};

const PATIENCE: Duration = Duration::from_secs(120);

/// The built-in model in a file, opened; float32 is the only mode, latency takes no time.
fn opened(mut window: Window, at: &Path) -> Window {
    window.state_mut().dialogs.typed_only = true;
    window.run();
    let file = at.join("mnist.tflite");
    std::fs::write(&file, data::demo::demo().model.bytes).expect("writable");
    let bench = &mut window.state_mut().bench;
    bench.latency_seconds = 0.02;
    for mode in Mode::ALL.into_iter().filter(|&m| m != Mode::Float32) {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.apply(Command::OpenModel(file));
    settled(&mut window);
    window
}

fn settled(window: &mut Window) {
    step_until(window, "the jobs end", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
}

/// The first `count` test digits as PNG files, a sub-folder for each class.
fn digits(at: &Path, count: usize) -> PathBuf {
    let demo = data::demo::demo();
    let model: Graph = tflite::read(demo.model.bytes).expect("the demo's model");
    let labels = Some((demo.test_labels.name.to_owned(), demo.test_labels.bytes));
    let specs = data::input_specs(&model, 0);
    let all = data::open(demo.test.name, demo.test.bytes, labels, &specs).expect("the demo's data");
    let values = all.batch(0..count).expect("there are enough");
    let pixels = values[0].as_f32().expect("reals");
    let folder = at.join("digits");
    for (i, image) in pixels.chunks_exact(28 * 28).enumerate() {
        let class = all.labels().expect("labelled")[i].to_string();
        std::fs::create_dir_all(folder.join(&class)).expect("writable");
        let grey: Vec<u8> = image.iter().map(|x| (x * 255.0).round() as u8).collect();
        let file = folder.join(class).join(format!("{i:05}.png"));
        image::save_buffer(file, &grey, 28, 28, image::ColorType::L8).expect("writable");
    }
    folder
}

/// Answers "Choose folder…" of the evaluation data by typing.
fn choose_folder(window: &mut Window, path: &Path) {
    window
        .get_by_role_and_label(Say::Button, "Choose evaluation data…")
        .click();
    window.run();
    window.get_by_label("Choose folder…").click();
    window.run();
    type_into(
        window,
        "Evaluation folder path",
        &path.display().to_string(),
    );
    window.get_by_label("Read").click();
    window.step();
    settled(window);
}

/// Picks an option of a list of settings.
fn pick(window: &mut Window, setting: &str, option: &str) {
    window.get_by_role_and_label(Say::ComboBox, setting).click();
    window.run();
    window.get_by_role_and_label(Say::MenuItem, option).click();
    window.step();
    settled(window);
}

fn preprocess(window: &Window) -> Preprocess {
    let loaded = window.state().bench.evaluation.loaded.as_ref();
    loaded
        .and_then(|l| l.preprocess.clone())
        .expect("a folder is read")
}

#[test]
fn a_folder_is_chosen_and_previewed_before_anything_runs() {
    let folder = folder("digits");
    let digits = digits(&folder, 60);
    std::fs::write(digits.join("3/broken.png"), "no picture").expect("writable");
    for (theme, name) in [
        (egui::Theme::Dark, Some("data")),
        (egui::Theme::Light, None),
    ] {
        let mut window = opened(window([1440.0, 900.0], theme), &folder);
        choose_folder(&mut window, &digits);
        window.get_by_label_contains("Values 0.00 to 1.00, mean 0.1");
        window.get_by_label("1 file cannot be read and is left out");
        window.get_by_label("Labels found, accuracy is measured");
        assert!(window.state().bench.experiments.is_empty());
        picture(&mut window);
        window.get_by_label("Preview of evaluation samples").click();
        window.run();
        assert!(window.query_all_by_role(Say::Image).count() >= 8);
        let first = "0/00003.png, class 0, 28 × 28, values 0.00 to 1.00, mean 0.19";
        window.get_by_label(first);
        window.get_by_label("1 file left out");
        window.get_by_label_contains("3/broken.png: ");
        match name {
            Some(name) => screenshot(&mut window, name),
            None => drop(picture(&mut window)),
        }

        pick(&mut window, "Values", "−1 to 1");
        assert_eq!(preprocess(&window).scale, Scale::Signed);
        window.get_by_label_contains("Values −1.00 to 1.00, mean −0.7");
        pick(&mut window, "Values", "Own mean and deviation");
        type_into(&mut window, "Mean", "100, ten");
        window.get_by_label("Use these figures").click();
        window.run();
        window.get_by_label_contains("is no list of figures");
        type_into(&mut window, "Mean", "55");
        type_into(&mut window, "Deviation", "200");
        window.get_by_label("Use these figures").click();
        window.step();
        settled(&mut window);
        window.get_by_label_contains("Values −0.28 to 1.00, mean");
        pick(&mut window, "Fit", "Letterbox");
        pick(&mut window, "Resize", "Area");
        window.get_by_label("Back to what the model says").click();
        window.step();
        settled(&mut window);
        assert_eq!(preprocess(&window), Preprocess::default());

        pick(&mut window, "Choose", "Random");
        type_into_number(&mut window, "Seed", "7");
        pick(&mut window, "Choose", "Of each class");
        let selection = window.state().bench.evaluation.selection;
        assert!(
            matches!(selection, Selection::PerClass { .. }),
            "{selection:?}"
        );
        window.key_press(egui::Key::Escape);
        window.run();
        assert!(window.query_by_label("Data as the model sees it").is_none());
        window.get_by_label("of each class");
    }
    std::fs::remove_dir_all(folder).expect("removable");
}

/// Replaces a number that is dragged or typed.
fn type_into_number(window: &mut Window, field: &str, number: &str) {
    window.get_by_role_and_label(Say::SpinButton, field).click();
    window.run();
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    window.event(egui::Event::Text(number.to_owned()));
    window.key_press(egui::Key::Enter);
    window.step();
    settled(window);
    let selection = window.state().bench.evaluation.selection;
    assert!(
        matches!(selection, Selection::Random { seed: 7, .. }),
        "{selection:?}"
    );
}

#[test]
fn every_wrong_choice_has_its_own_sentence() {
    let folder = folder("wrong-data");
    let mut window = opened(dark(), &folder);
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).expect("writable");
    choose_folder(&mut window, &empty);
    window.get_by_label_contains("The folder empty is empty");

    let notes = folder.join("notes");
    std::fs::create_dir_all(&notes).expect("writable");
    std::fs::write(notes.join("a.txt"), "words").expect("writable");
    drop_in(&mut window, &notes);
    drop_in(&mut window, &notes);
    settled(&mut window);
    assert!(
        window
            .query_all_by_label_contains("notes holds no images")
            .count()
            > 0,
        "dropping a folder chooses it"
    );

    let wide = folder.join("wide");
    std::fs::create_dir_all(&wide).expect("writable");
    for i in 0..4 {
        let grey = vec![i * 50; 12 * 6];
        let file = wide.join(format!("{i}.png"));
        image::save_buffer(file, &grey, 12, 6, image::ColorType::L8).expect("writable");
    }
    choose_folder(&mut window, &wide);
    window.get_by_label_contains("Every image is enlarged at least 4.7 times to 28 × 28");
    window.get_by_label_contains("have other proportions and are stretched");
    window.get_by_label("No labels found, agreement and SQNR only");

    // Classes in the opposite order: told once the float model has answered.
    let digits = digits(&folder, 200);
    let names: Vec<String> = (0..10).rev().map(|c: u8| c.to_string()).collect();
    let file = folder.join("names.txt");
    std::fs::write(&file, names.join("\n")).expect("writable");
    choose_folder(&mut window, &digits);
    window.get_by_label("Preview evaluation data").click();
    window.run();
    window.get_by_role_and_label(Say::ComboBox, "Order").click();
    window.run();
    window
        .get_by_role_and_label(Say::MenuItem, "A file of names…")
        .click();
    window.run();
    type_into(&mut window, "Class names path", &file.display().to_string());
    window.get_by_label("Read").click();
    window.step();
    settled(&mut window);
    window.key_press(egui::Key::Escape);
    window.run();
    run(&mut window);
    let order = "the class order looks wrong, in another one";
    assert!(window.query_all_by_label_contains(order).count() > 0);
    picture(&mut window);

    // Values far from those it was trained on: one answer to everything.
    let bench = &mut window.state_mut().bench;
    bench.apply(Command::SetClasses(zeropoint::workbench::ClassSource::Auto));
    let far = Scale::Own {
        mean: vec![-20_000.0],
        deviation: vec![1.0],
    };
    bench.apply(Command::SetPreprocess(Some(Preprocess {
        scale: far,
        ..Preprocess::default()
    })));
    settled(&mut window);
    assert_eq!(window.query_all_by_label_contains(order).count(), 0);
    run(&mut window);
    let values = "it may have been trained on other values than 20,000 to";
    assert!(window.query_all_by_label_contains(values).count() > 0);
    std::fs::remove_dir_all(folder).expect("removable");
}

fn run(window: &mut Window) {
    window.state_mut().bench.apply(Command::Run);
    window.step();
    settled(window);
    assert_eq!(window.state().bench.experiments[0].state, State::Done);
}

#[test]
fn random_values_are_marked_wherever_their_figures_show() {
    let folder = folder("random-values");
    let mut window = opened(dark(), &folder);
    let bench = &mut window.state_mut().bench;
    bench.apply(Command::SetMode(Mode::Int8, true));
    bench.apply(Command::UseRandomValues);
    settled(&mut window);
    let bench = &mut window.state_mut().bench;
    bench.apply(Command::SetSamples(Role::Calibration, Some(5)));
    run(&mut window);
    window.get_by_label("Random values, accuracy may suffer");
    // In the table, and in the list of jobs.
    window.get_by_label_contains("int8, random values, ");
    window.get_by_label("Show jobs").click();
    window.run();
    assert!(
        window
            .query_all_by_label_contains("int8, random values")
            .count()
            > 1
    );
    window.get_by_label("Preview calibration data").click();
    window.run();
    window.get_by_label("Random values stand in for data, the figures say nothing of accuracy");
    picture(&mut window);
    std::fs::remove_dir_all(folder).expect("removable");
}
