//! The built-in experiment from end to end in the window: open, run, look.

use std::time::Duration;

use zeropoint::gui::Tab;
use zeropoint::workbench::{Command, Role};

use crate::harness;

#[test]
fn scratch() {
    let mut window = harness::window([1144.0, 780.0], egui::Theme::Light);
    let bench = &mut window.state_mut().bench;
    bench.latency_seconds = 0.02;
    bench.apply(Command::SetSamples(Role::Evaluation, Some(60)));
    bench.apply(Command::OpenDemo);
    harness::step_until(
        &mut window,
        "the demo opens",
        Duration::from_secs(30),
        |w| w.state().bench.model.is_some() && w.state().bench.run_obstacle().is_none(),
    );
    window.state_mut().bench.apply(Command::Run);
    let start = std::time::Instant::now();
    harness::step_until(&mut window, "all is run", Duration::from_secs(120), |w| {
        w.state().bench.jobs().is_idle()
    });
    eprintln!("run {:?}", start.elapsed());
    for e in &window.state().bench.experiments {
        eprintln!(
            "{} {:?} {:?}",
            e.name(),
            e.state,
            e.tensors.as_ref().map(|t| t.len())
        );
    }
    window.state_mut().state.tab = Tab::Tensors;
    window.run();
    harness::screenshot(&mut window, "scratch-tensors");
    window.state_mut().state.tab = Tab::Layers;
    window.run();
    let start = std::time::Instant::now();
    harness::screenshot(&mut window, "scratch-layers");
    eprintln!("{:?}", start.elapsed());
    for t in window.state().bench.experiments[3]
        .tensors
        .as_ref()
        .unwrap()
        .iter()
    {
        eprintln!(
            "{:?}",
            (
                t.tensor,
                &t.name,
                &t.op,
                t.node,
                t.kind,
                &t.dtype,
                t.values.counts.len(),
                t.step_error.counts.len(),
                t.sqnr_local_db,
                t.sqnr_cumulative_db
            )
        );
    }
}
