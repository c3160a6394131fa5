//! Scale, theme and side panel: changed by keys, remembered, and every tab at every size.

use std::time::Duration;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use zeropoint::gui::Tab;
use zeropoint::quantize::Mode;
use zeropoint::workbench::{Command, Layout};

use crate::flow::{demo, folder, idle};
use crate::harness::{
    dark, is_for_readme, picture, screenshot, step_until, updates_screenshots, window,
};

#[test]
fn the_window_comes_back_as_it_was_left() {
    let folder = folder("layout");
    let file = folder.join("layout.json");
    let mut window = demo(dark());
    window.state_mut().kept.file = Some(file.clone());
    for _ in 0..3 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Plus);
        window.run();
    }
    window.key_press_modifiers(Modifiers::COMMAND, Key::Minus);
    window.run();
    assert_eq!(window.ctx.zoom_factor(), 1.25);
    window.get_by_label("Light theme").click();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::B);
    window.run();
    step_until(
        &mut window,
        "the layout is written",
        Duration::from_secs(60),
        |w| {
            w.ctx.request_repaint();
            let kept = Layout::load(&file);
            kept.dark == Some(false) && kept.side_open.is_some()
        },
    );
    let kept = Layout::load(&file);
    assert_eq!((kept.scale, kept.dark), (Some(1.25), Some(false)));
    for (key, scale) in [(Key::Num0, 1.0), (Key::Minus, 1.0)] {
        window.key_press_modifiers(Modifiers::COMMAND, key);
        window.run();
        assert_eq!(window.ctx.zoom_factor(), scale);
    }
    for _ in 0..12 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Equals);
        window.run();
    }
    assert_eq!(window.ctx.zoom_factor(), 3.0);
    picture(&mut window);
    std::fs::remove_dir_all(folder).expect("removable");
}

#[test]
fn every_tab_fits_small_and_large_windows() {
    let mut window = demo(window([1024.0, 640.0], egui::Theme::Light));
    for mode in [Mode::Float16, Mode::Dynamic] {
        window
            .state_mut()
            .bench
            .apply(Command::SetMode(mode, false));
    }
    window.state_mut().bench.apply(Command::Run);
    idle(&mut window);
    let sizes = match updates_screenshots() && !is_for_readme() {
        true => vec![[1024.0, 640.0], [3840.0, 2160.0]],
        false => vec![[1024.0, 640.0]],
    };
    for size in sizes {
        for theme in [egui::Theme::Light, egui::Theme::Dark] {
            window.ctx.set_theme(theme);
            window.set_size(size.into());
            for tab in Tab::ALL {
                window.state_mut().state.tab = tab;
                idle(&mut window);
                picture(&mut window);
                // For a look by eye; none of them is the README's.
                if updates_screenshots() && !is_for_readme() {
                    screenshot(
                        &mut window,
                        &format!("look-{}-{theme:?}-{}", size[0], tab.name()),
                    );
                }
            }
        }
    }
    window.get_by_label("Compare");
}
