//! How long a single run takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::report::Latency;
use crate::calibrate::Feed;
use crate::data::{input_specs, synthetic};
use crate::engine::Options;
use crate::error::Result;
use crate::graph::Graph;
use crate::invalid;
use crate::progress::Progress;

/// Runs timed at least, however long they take.
const LEAST_RUNS: usize = 20;
/// Runs timed at most, which bounds memory.
const MOST_RUNS: usize = 1_000_000;

/// Times single runs at the model's default shape on synthetic inputs, for about `seconds` and at least 20 runs, after a
/// warm-up of three runs. Progress counts milliseconds.
///
/// # Errors
/// A model that cannot run, seconds that are not a number, cancellation (between two runs).
pub fn latency(
    graph: &Arc<Graph>,
    threads: usize,
    seconds: f64,
    progress: &Progress,
) -> Result<Latency> {
    let Ok(wanted) = Duration::try_from_secs_f64(seconds) else {
        return invalid!("{seconds} is no time to measure for; give seconds from 0 up");
    };
    progress.check()?;
    let specs = input_specs(graph, 0);
    let rows = specs
        .first()
        .and_then(|s| s.shape.first().copied())
        .unwrap_or(1);
    let options = Options {
        threads,
        ..Options::default()
    };
    let data = synthetic(&specs, rows.max(1), 1)?;
    let mut feed = Feed::new(graph, options, rows)?;
    feed.stop_with(progress);
    let inputs = feed.inputs(data.as_ref(), 0..rows)?;
    for _ in 0..3 {
        progress.check()?;
        feed.run_inputs(&inputs)?;
    }
    let mut times: Vec<Duration> = vec![];
    let start = Instant::now();
    while times.len() < LEAST_RUNS || (start.elapsed() < wanted && times.len() < MOST_RUNS) {
        let total = wanted.as_millis() as usize;
        progress.report((start.elapsed().as_millis() as usize).min(total), total)?;
        let run = Instant::now();
        feed.run_inputs(&inputs)?;
        times.push(run.elapsed());
    }
    times.sort_unstable();
    let ms = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e3;
    Ok(Latency {
        min_ms: ms(0),
        median_ms: (ms((times.len() - 1) / 2) + ms(times.len() / 2)) / 2.0,
        p95_ms: ms((times.len() * 95).div_ceil(100) - 1),
        threads,
        runs: times.len(),
    })
}
