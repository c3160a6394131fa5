//! LiteRT beside Zeropoint's engine in the window, with the stand-in for its library: absent, found, both, alone, failing.

use std::path::{Path, PathBuf};

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use zeropoint::quantize::Mode;
use zeropoint::workbench::litert::Engine;
use zeropoint::workbench::{Command, State};

use crate::flow::{demo, folder, idle, type_into};
use crate::harness::{Window, dark, picture, window};
use crate::stand_in::{facts, stand_in};

/// This program with the stand-in behaving like `mode`: what LiteRT's process runs.
#[cfg(unix)]
fn program(folder: &Path, mode: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let mut script = format!("#!/bin/sh\nexport ZEROPOINT_STAND_IN={mode}\n");
    for (name, value) in facts() {
        script += &format!("export {name}='{value}'\n");
    }
    script += &format!("exec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_zeropoint"));
    let path = folder.join(format!("program-{mode}"));
    std::fs::write(&path, script).expect("writable");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("ours");
    path
}

/// Picks an engine in the side panel.
fn choose(window: &mut Window, engine: Engine) {
    window
        .get_by_role_and_label(Role::ComboBox, "Engine")
        .click();
    window.run();
    window
        .get_by_role_and_label(Role::MenuItem, engine.name())
        .click();
    window.run();
    assert_eq!(window.state().bench.engine, engine);
    idle(window);
}

#[cfg(unix)]
#[test]
fn both_engines_stand_in_one_table() {
    let folder = folder("engines");
    let mut window = demo(dark());
    let bench = &mut window.state_mut().bench;
    bench.litert_program = Some(program(&folder, "works"));
    bench.apply(Command::SetLitertPlace(Some(folder.clone())));
    for mode in [Mode::Float16, Mode::Int8, Mode::Int16x8] {
        bench.apply(Command::SetMode(mode, false));
    }
    window.run();

    // Nothing where it was said to be: a sentence, and the way to say where it is.
    choose(&mut window, Engine::Both);
    window.get_by_label_contains("holds no LiteRT library");
    picture(&mut window);
    window.get_by_label("Choose LiteRT's place…").click();
    window.run();
    window.get_by_label("Type a path").click();
    window.run();
    let library = stand_in(false).display().to_string();
    type_into(&mut window, "LiteRT path", &library);
    window.get_by_label("Use").click();
    window.step();
    idle(&mut window);
    window.get_by_label("LiteRT of unknown version, with XNNPACK");

    window.get_by_label("Run 2 experiments").click();
    window.step();
    idle(&mut window);
    let line = "LiteRT of unknown version, XNNPACK, 1 thread: median";
    assert_eq!(window.query_all_by_label_contains(line).count(), 2);
    assert_eq!(
        window
            .query_all_by_label_contains("its outputs differ from Zeropoint's by at most")
            .count(),
        2
    );
    window.get_by_label("Latency, 1 thread");
    picture(&mut window);
    window.ctx.set_theme(egui::Theme::Light);
    window.run();
    picture(&mut window);

    // Alone, LiteRT's figures are the row's.
    choose(&mut window, Engine::Litert);
    window.get_by_label("Run 2 new experiments").click();
    window.step();
    idle(&mut window);
    window.get_by_label("Latency, LiteRT, 1 thread");
    assert_eq!(window.query_all_by_label_contains(line).count(), 0);
    std::fs::remove_dir_all(folder).expect("removable");
}

#[cfg(unix)]
#[test]
fn what_litert_cannot_do_costs_its_own_line_only() {
    let folder = folder("engines-failing");
    let mut window = demo(window([1024.0, 640.0], egui::Theme::Light));
    let bench = &mut window.state_mut().bench;
    bench.litert_program = Some(program(&folder, "exit-run"));
    bench.apply(Command::SetLitertPlace(Some(stand_in(false))));
    bench.apply(Command::SetEngine(Engine::Both));
    for mode in Mode::ALL {
        bench.apply(Command::SetMode(mode, mode == Mode::Float32));
    }
    bench.apply(Command::Run);
    idle(&mut window);
    window.get_by_label_contains("exit code 3");
    window.get_by_label_contains("float32, baseline, ");
    assert_eq!(window.state().bench.experiments[0].state, State::Done);
    picture(&mut window);
    std::fs::remove_dir_all(folder).expect("removable");
}
