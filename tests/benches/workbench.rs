//! How long a whole run takes, how long the workbench keeps the window waiting, and how fast a cancel is obeyed.
//!
//! `cargo bench --bench workbench [-- MODEL.tflite [CANCELS]]`: the built-in experiment, or a model of yours on random values.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeropoint::workbench::{Command, Role, State, Workbench};

/// Cancels tried unless the command line says otherwise, spread evenly over the time of a whole run.
const CANCELS: u32 = 60;

fn open(model: Option<&PathBuf>) -> Workbench {
    let mut w = Workbench::new(Arc::new(|| {}));
    match model {
        Some(path) => w.apply(Command::OpenModel(path.clone())),
        None => w.apply(Command::OpenDemo),
    }
    settle(&mut w);
    if model.is_some() {
        w.apply(Command::UseRandomValues);
        w.apply(Command::SetSamples(Role::Calibration, Some(16)));
        settle(&mut w);
    }
    assert_eq!(w.run_obstacle(), None);
    w
}

/// Polls until idle; returns the longest single call.
fn settle(w: &mut Workbench) -> Duration {
    let mut longest = Duration::ZERO;
    while !w.jobs().is_idle() {
        let start = Instant::now();
        w.poll();
        longest = start.elapsed().max(longest);
        std::thread::sleep(Duration::from_millis(1));
    }
    longest
}

fn main() {
    // Cargo passes `--bench`; what is left is ours.
    let mut own = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let model = own.next().map(PathBuf::from);
    let cancels = own.next().and_then(|n| n.parse().ok()).unwrap_or(CANCELS);

    let mut w = open(model.as_ref());
    let start = Instant::now();
    w.apply(Command::Run);
    let apply = start.elapsed();
    let longest = settle(&mut w);
    let whole = start.elapsed();
    for e in &w.experiments {
        assert!(
            matches!(e.state, State::Done),
            "{}: {:?}",
            e.name(),
            e.state
        );
    }
    println!(
        "run, {} experiments: {:.2} s",
        w.experiments.len(),
        whole.as_secs_f64()
    );
    println!(
        "longest call on the window's thread: apply {:.2} ms, poll {:.2} ms",
        ms(apply),
        ms(longest)
    );

    let mut taken = vec![];
    for i in 0..cancels {
        let mut w = open(model.as_ref());
        w.apply(Command::Run);
        let until = Instant::now() + whole * i / cancels;
        while Instant::now() < until {
            w.poll();
            std::thread::sleep(Duration::from_millis(1));
        }
        let start = Instant::now();
        w.apply(Command::CancelAll);
        settle(&mut w);
        taken.push(start.elapsed());
    }
    taken.sort();
    let at = |share: f64| ms(taken[((taken.len() - 1) as f64 * share) as usize]);
    println!(
        "cancel to idle, {cancels} times over a run: median {:.1} ms, p95 {:.1} ms, longest {:.1} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}
