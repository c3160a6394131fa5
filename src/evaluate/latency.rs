//! How long a single run takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::report::Latency;
use crate::calibrate::{Batches, Feed};
use crate::data::{input_specs, synthetic};
use crate::engine::Options;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::invalid;
use crate::progress::Progress;

/// Runs that are not timed.
pub const WARM_UP_RUNS: usize = 3;
/// Runs timed at least, however long they take.
pub const LEAST_RUNS: usize = 20;
/// Runs timed at most, which bounds memory.
pub const MOST_RUNS: usize = 1_000_000;

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
    let run = |feed: &mut Feed, inputs: &[Value]| feed.run_inputs(inputs, None).map(drop);
    let (_, times) = timed_runs(graph, threads, seconds, progress, run)?;
    latency_of(times, threads)
}

/// [`WARM_UP_RUNS`] calls of `run`, then as many as [`latency`] says, each timed.
pub(super) fn timed_runs(
    graph: &Arc<Graph>,
    threads: usize,
    seconds: f64,
    progress: &Progress,
    mut run: impl FnMut(&mut Feed, &[Value]) -> Result<()>,
) -> Result<(Feed, Vec<Duration>)> {
    let Ok(wanted) = Duration::try_from_secs_f64(seconds) else {
        return invalid!("{seconds} is no time to measure for; give seconds from 0 up");
    };
    progress.check()?;
    let rows = declared_rows(graph);
    let options = Options {
        threads,
        ..Options::default()
    };
    let mut feed = Feed::new(graph, options, rows)?;
    feed.stop_with(progress);
    let inputs = latency_inputs(graph)?;
    for _ in 0..WARM_UP_RUNS {
        progress.check()?;
        run(&mut feed, &inputs)?;
    }
    let mut times: Vec<Duration> = vec![];
    let start = Instant::now();
    while times.len() < LEAST_RUNS || (start.elapsed() < wanted && times.len() < MOST_RUNS) {
        let total = wanted.as_millis() as usize;
        progress.report((start.elapsed().as_millis() as usize).min(total), total)?;
        let begun = Instant::now();
        run(&mut feed, &inputs)?;
        times.push(begun.elapsed());
    }
    Ok((feed, times))
}

/// The inputs that latency is measured on: random values at the model's default shape.
///
/// # Errors
/// A model that cannot be fed from data.
pub fn latency_inputs(graph: &Arc<Graph>) -> Result<Vec<Value>> {
    let rows = declared_rows(graph);
    let data = synthetic(&input_specs(graph, 0), rows.max(1), 1)?;
    Batches::new(graph, 0, rows)?.inputs(data.as_ref(), 0..rows)
}

fn declared_rows(graph: &Graph) -> usize {
    let specs = input_specs(graph, 0);
    let first = specs.first().and_then(|s| s.shape.first().copied());
    first.unwrap_or(1)
}

/// Figures of runs that took these times.
///
/// # Errors
/// No runs.
pub fn latency_of(mut times: Vec<Duration>, threads: usize) -> Result<Latency> {
    if times.is_empty() {
        return invalid!("No run was timed");
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
