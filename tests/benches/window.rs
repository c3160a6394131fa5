//! How long the window's thread takes for a frame (input, panels, layout; painting is the GPU's) while the demo runs in every mode.
//!
//! `cargo bench --bench window`

use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use zeropoint::gui::{App, Tab};
use zeropoint::workbench::Command;

fn main() {
    let mut window = Harness::builder()
        .with_size([1440.0, 900.0])
        .with_theme(egui::Theme::Dark)
        .build_eframe(|cc| App::new(&cc.egui_ctx));
    window.state_mut().bench.apply(Command::OpenDemo);
    wait(&mut window);
    window.state_mut().bench.apply(Command::Run);
    let start = Instant::now();
    let mut frames = vec![];
    while !window.state().bench.jobs().is_idle() {
        // Somebody walks through the tabs all the while.
        let tab = Tab::ALL[frames.len() / 20 % Tab::ALL.len()];
        if frames.len() % 20 == 0 {
            window.get_by_label(tab.name()).click();
        }
        let begin = Instant::now();
        window.step();
        frames.push(begin.elapsed());
        std::thread::sleep(Duration::from_millis(8));
    }
    let took = start.elapsed();
    frames.sort();
    let at = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{} frames in {:.1} s: median {:.1} ms, p95 {:.1} ms, longest {:.1} ms",
        frames.len(),
        took.as_secs_f64(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

fn wait(window: &mut Harness<'_, App>) {
    loop {
        window.step();
        if window.state().bench.jobs().is_idle() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
