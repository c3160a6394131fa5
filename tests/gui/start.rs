//! The start screen: three steps, the demo, and the files opened before, of which some are gone.

use std::path::PathBuf;
use std::time::Duration;

use egui_kittest::kittest::Queryable as _;

use crate::flow::folder;
use crate::harness::{picture, step_until, window};

#[test]
fn recent_files_say_when_they_are_gone_and_are_forgotten() {
    for (n, theme) in [egui::Theme::Dark, egui::Theme::Light]
        .into_iter()
        .enumerate()
    {
        let folder = folder(&format!("recent-{n}"));
        let list = folder.join("recent.json");
        let model = folder.join("there.tflite");
        std::fs::write(&model, zeropoint::data::demo::demo().model.bytes).expect("writable");
        let files = [model, folder.join("gone.keras")];
        let names: Vec<&PathBuf> = files.iter().collect();
        let text = serde_json::to_string(&names).expect("plain paths");
        std::fs::write(&list, text).expect("writable");

        let mut window = window([1024.0, 640.0], theme);
        for step in ["Try the MNIST demo", "Open model…"] {
            window.get_by_label(step);
        }
        assert!(window.query_by_label("Clear list").is_none());
        window.state_mut().bench.remember_recent_in(&list);
        let patience = Duration::from_secs(60);
        step_until(&mut window, "the list is read", patience, |w| {
            w.state().bench.jobs().is_idle()
        });
        window.run();
        window.get_by_label("Open there.tflite");
        window.get_by_label("Open gone.keras, file is gone");
        picture(&mut window);
        window
            .get_by_label("Remove gone.keras from the list")
            .click();
        window.run();
        assert!(window.query_by_label_contains("gone.keras").is_none());
        window.get_by_label("Clear list").click();
        window.run();
        assert!(window.query_by_label_contains("there.tflite").is_none());
        step_until(&mut window, "the list is written", patience, |w| {
            w.state().bench.jobs().is_idle()
        });
        std::fs::remove_dir_all(folder).expect("removable");
    }
}
