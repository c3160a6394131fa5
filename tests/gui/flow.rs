//! What people do in the window outside the two inspecting tabs: open, choose, run, cancel, save, and what goes wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::{Ask, Tab};
use zeropoint::quantize::{Io, Mode};
use zeropoint::workbench::{self, Command, State};

use crate::harness::{Window, dark, picture, screenshot, step_until, window};

const PATIENCE: Duration = Duration::from_secs(300);

/// A file of the package.
fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets")
        .join(name)
}

/// A fresh place for files of one test.
pub fn folder(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("zeropoint-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the system has a folder for temporary files");
    folder
}

/// The demo with few samples, read and ready to run, in a window that never opens a native dialog.
pub fn demo(mut window: Window) -> Window {
    window.state_mut().dialogs.typed_only = true;
    window.run();
    window.get_by_label("Try the MNIST demo").click();
    step_until(&mut window, "the demo opens", PATIENCE, |w| {
        let bench = &w.state().bench;
        bench.model.is_some() && bench.run_obstacle().is_none()
    });
    let bench = &mut window.state_mut().bench;
    bench.latency_seconds = 0.02;
    bench.apply(Command::SetSamples(workbench::Role::Evaluation, Some(50)));
    bench.apply(Command::SetSamples(workbench::Role::Calibration, Some(20)));
    window.run();
    window
}

pub fn idle(window: &mut Window) {
    step_until(window, "the jobs end", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
}

/// Replaces the text of a field.
pub fn type_into(window: &mut Window, field: &str, text: &str) {
    let find = |w: &Window| w.get_by_role_and_label(Role::TextInput, field).click();
    find(window);
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window
        .get_by_role_and_label(Role::TextInput, field)
        .type_text(text);
    window.run();
}

#[test]
fn a_wrong_path_is_a_message_and_the_window_lives_on() {
    let mut window = dark();
    window.run();
    type_into(&mut window, "Model path", "/nowhere/at/all.tflite");
    window.get_by_label("Open").click();
    step_until(&mut window, "the message comes", PATIENCE, |w| {
        w.state().bench.model_error.is_some()
    });
    window.run();
    window.get_by_label_contains("there is no such file");
    window.get_by_label("Close message").click();
    window.run();
    assert!(
        window
            .query_by_label_contains("there is no such file")
            .is_none()
    );
    demo(window);
}

#[test]
fn a_damaged_model_is_named_and_the_open_one_stays() {
    let folder = folder("damaged");
    let file = folder.join("broken.tflite");
    let whole = std::fs::read(asset("mnist_float.tflite")).expect("the demo's model");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("writable");
    let mut window = demo(dark());
    window
        .state_mut()
        .bench
        .apply(Command::OpenModel(file.clone()));
    step_until(&mut window, "the message comes", PATIENCE, |w| {
        w.state().bench.model_error.is_some()
    });
    window.run();
    window.get_by_label_contains("broken.tflite");
    assert!(
        window
            .query_by_label("20,410 parameters, 85.4 kB")
            .is_some()
    );
    std::fs::remove_dir_all(folder).expect("removable");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

/// Drops a file or folder onto the window.
pub fn drop_in(window: &mut Window, path: &Path) {
    let file = Arc::new(Dropped(path.to_owned()));
    window.input_mut().dropped_files.push(file);
    window.step();
}

#[test]
fn files_are_opened_by_dropping_them() {
    let mut window = dark();
    window.run();
    drop_in(&mut window, &asset("mnist_float.tflite"));
    step_until(&mut window, "the model opens", PATIENCE, |w| {
        w.state().bench.model.is_some()
    });
    window.run();
    assert!(window.query_all_by_label("mnist_float.tflite").count() > 0);
    window.get_by_label("No calibration data");
    drop_in(&mut window, &asset("train-1000-images-idx3-ubyte.gz"));
    step_until(&mut window, "the data is read", PATIENCE, |w| {
        w.state().bench.calibration.loaded.is_some()
    });
    window.run();
    window.get_by_label("of 1,000 samples");
    drop_in(&mut window, &asset("t10k-images-idx3-ubyte.gz"));
    step_until(&mut window, "the data is read", PATIENCE, |w| {
        w.state().bench.evaluation.loaded.is_some()
    });
    window.run();
    window.get_by_label("Labels found, accuracy is measured");
}

#[test]
fn data_that_does_not_fit_is_told_where_it_was_chosen() {
    let mut window = demo(dark());
    window
        .get_by_role_and_label(Role::Button, "Choose evaluation data…")
        .click();
    window.run();
    window.get_by_label("Choose file…").click();
    window.run();
    // There is no dialog in tests: the question is asked in the panel.
    window.get_by_label("No file dialog here, type or paste a path");
    let labels = asset("t10k-labels-idx1-ubyte.gz").display().to_string();
    type_into(&mut window, "Evaluation data path", &labels);
    window.get_by_label("Read").click();
    step_until(&mut window, "the message comes", PATIENCE, |w| {
        w.state().bench.evaluation.error.is_some()
    });
    window.run();
    let error = window.state().bench.evaluation.error.clone();
    window.get_by_label(&error.expect("just seen"));
    window.get_by_label("Copy details");
}

#[test]
fn modes_inputs_outputs_and_strictness_are_switched() {
    let mut window = demo(dark());
    window
        .get_by_role_and_label(Role::CheckBox, "float16")
        .click();
    window.run();
    assert!(!window.state().bench.modes[1].chosen);
    window.get_by_label("4 of 5");
    window.get_by_label("Show options of int8").click();
    window.run();
    window.get_by_label("int8 with uint8 I/O").click();
    window.run();
    let int8 = &window.state().bench.modes[3];
    assert_eq!(
        (int8.mode, &int8.ios[..]),
        (Mode::Int8, &[Io::Float32, Io::Uint8][..])
    );
    window.get_by_label("2 files");
    window.get_by_label("Run 5 experiments");
    let strict = |w: &Window| w.get_by_label("Strict: no operator may stay float").rect();
    window
        .get_by_label("Strict: no operator may stay float")
        .scroll_to_me();
    window.run();
    assert!(strict(&window).bottom() < 780.0, "it scrolls into sight");
    window
        .get_by_label("Strict: no operator may stay float")
        .click();
    window.run();
    assert!(window.state().bench.strict);
    for mode in ["float32", "dynamic", "int8", "int16x8"] {
        window.get_by_role_and_label(Role::CheckBox, mode).click();
        window.run();
    }
    assert!(
        window
            .get_all_by_label("Choose at least one mode")
            .next()
            .is_some()
    );
}

#[test]
fn the_theme_is_switched() {
    let mut window = dark();
    window.run();
    window.get_by_label("Light theme").click();
    window.run();
    assert_eq!(window.ctx.theme(), egui::Theme::Light);
    window.get_by_label("Dark theme").click();
    window.run();
    assert_eq!(window.ctx.theme(), egui::Theme::Dark);
}

#[test]
fn a_job_is_cancelled_and_can_be_run_again() {
    let mut window = demo(dark());
    for mode in [Mode::Float16, Mode::Dynamic, Mode::Int8, Mode::Int16x8] {
        window
            .state_mut()
            .bench
            .apply(Command::SetMode(mode, false));
    }
    // Long enough that the test is always faster.
    window.state_mut().bench.latency_seconds = 3600.0;
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    step_until(&mut window, "the job runs", PATIENCE, |w| {
        w.query_by_label("Cancel").is_some()
    });
    window.get_by_label("Cancel").click();
    step_until(&mut window, "the job stops", PATIENCE, |w| {
        w.state().bench.jobs().is_idle()
    });
    window.run();
    assert_eq!(window.state().bench.experiments[0].state, State::Cancelled);
    window.get_by_label_contains("cancelled");
    window.get_by_label("Show jobs").click();
    window.run();
    window.get_by_label("Cancelled, earlier results kept");
    window.state_mut().bench.latency_seconds = 0.02;
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.step();
    idle(&mut window);
    assert_eq!(window.state().bench.experiments[0].state, State::Done);
}

#[test]
fn a_variant_is_saved_where_the_user_says() {
    let folder = folder("save");
    let file = folder.join("half.tflite");
    let mut window = demo(dark());
    for mode in [Mode::Dynamic, Mode::Int8, Mode::Int16x8] {
        window
            .state_mut()
            .bench
            .apply(Command::SetMode(mode, false));
    }
    window.run();
    window.get_by_label("Run 2 experiments").click();
    window.step();
    idle(&mut window);
    // The table tells both, the float model as the baseline.
    window.get_by_label_contains("float32, baseline, ");
    window.get_by_label_contains("agreement 100.00 %");
    window.get_by_label("More for float16").click();
    window.run();
    window.get_by_label("Save file…").click();
    window.run();
    let typing = window
        .state()
        .state
        .typing
        .as_ref()
        .expect("a path is asked for");
    assert!(matches!(&typing.ask, Ask::Save(_, name) if name == "mnist_digits_float16.tflite"));
    type_into(&mut window, "Save as path", &file.display().to_string());
    window.get_by_label("Save").click();
    window.step();
    idle(&mut window);
    window.get_by_label_contains("Saved ");
    let bench = &window.state().bench;
    let expected = bench.experiments[1].file.as_ref().expect("it has run");
    assert_eq!(std::fs::read(&file).expect("saved"), expected.bytes);
    let names: Vec<_> = std::fs::read_dir(&folder).expect("there").collect();
    assert_eq!(names.len(), 1, "nothing is left beside the file");
    std::fs::remove_dir_all(folder).expect("removable");
}

#[test]
fn the_keyboard_reaches_tabs_and_the_side_panel() {
    let mut window = demo(window([1024.0, 640.0], egui::Theme::Light));
    assert!(
        window.query_by_label("Modes").is_some(),
        "the rail names its icons"
    );
    assert!(
        window.query_by_label("5 of 5").is_none(),
        "narrow windows show the rail"
    );
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    window.get_by_label("5 of 5");
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    assert!(window.query_by_label("5 of 5").is_none());
    for (key, tab) in [
        (Key::Num2, Tab::Tensors),
        (Key::Num3, Tab::Layers),
        (Key::Num4, Tab::Samples),
        (Key::Num1, Tab::Compare),
    ] {
        window.key_press_modifiers(Modifiers::COMMAND, key);
        window.run();
        assert_eq!(window.state().state.tab, tab);
    }
}

#[test]
fn the_palette_finds_what_can_be_done_by_typing() {
    let mut window = demo(dark());
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    let find = |w: &Window| {
        w.get_by_role_and_label(Role::TextInput, "Command")
            .type_text("leave dynamic")
    };
    find(&window);
    window.run();
    assert_eq!(window.query_all_by_role(Role::MenuItem).count(), 1);
    window.key_press(Key::Enter);
    window.run();
    assert!(!window.state().bench.modes[2].chosen);
    assert!(
        window
            .query_by_role_and_label(Role::TextInput, "Command")
            .is_none()
    );

    // Arrows go through the list, Escape closes it, a click picks.
    window.get_by_label("Find a command").click();
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, "Command")
        .type_text("show ");
    window.run();
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().state.tab, Tab::Tensors);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    assert!(window.query_all_by_role(Role::MenuItem).count() > 20);
    screenshot(&mut window, "palette");
    window
        .get_by_role_and_label(Role::TextInput, "Command")
        .type_text("no such thing");
    window.run();
    window.get_by_label("Nothing is called that");
    window.key_press(Key::Escape);
    window.run();
    assert!(window.query_by_label("Nothing is called that").is_none());
}

#[test]
fn integer_files_show_how_they_are_fed() {
    let mut window = demo(dark());
    let bench = &mut window.state_mut().bench;
    for mode in [Mode::Float32, Mode::Float16, Mode::Dynamic, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    bench.apply(Command::SetIo(Mode::Int8, Io::Uint8, true));
    bench.apply(Command::SetIo(Mode::Int8, Io::Float32, false));
    bench.apply(Command::Run);
    idle(&mut window);
    window.get_by_label("More for int8, uint8 I/O").click();
    window.run();
    window.get_by_label("How to use it…").click();
    window.run();
    window.get_by_label("How to use int8, uint8 I/O");
    window.get_by_label_contains("Scale 0.00392, zero point 0");
    window.get_by_label_contains(").astype(np.uint8)");
    window.get_by_label_contains("Needs TensorFlow Lite ");
    picture(&mut window);
    window.key_press(Key::Escape);
    window.run();
    assert!(
        window
            .query_by_label("How to use int8, uint8 I/O")
            .is_none()
    );
}
