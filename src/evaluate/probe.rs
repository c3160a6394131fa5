//! How near a quantized model comes to the float one on the few samples that calibration kept.

use std::sync::Arc;

use super::outputs::{Noise, outputs, reals};
use super::quality::own_runner;
use crate::calibrate::Probe;
use crate::data::Dataset;
use crate::error::Result;
use crate::graph::Graph;
use crate::progress::Progress;

/// A ratio beyond this is as good as exact, dB.
const EXACT: f64 = 150.0;

/// SQNR of the outputs of `graph`, a quantized form of the model that `probe` is of, in dB: the mean over its real outputs.
/// `None` without samples or real outputs. `threads` goes to the kernels.
///
/// # Errors
/// A model that cannot run, cancellation.
pub fn probe_sqnr(
    graph: &Arc<Graph>,
    probe: &Probe,
    threads: usize,
    progress: &Progress,
) -> Result<Option<f64>> {
    if probe.is_empty() {
        return Ok(None);
    }
    let described = outputs(graph)?;
    let mut feed = own_runner(graph, threads, progress)?;
    let mut noises = vec![Noise::default(); described.len()];
    for range in feed.batches(probe.len()) {
        progress.check()?;
        let values = feed.run(probe, range.clone(), None)?;
        let each = values.iter().zip(&described).zip(&mut noises).enumerate();
        for (i, ((value, output), noise)) in each.filter(|(_, ((_, o), _))| o.real) {
            let Some(float) = probe.output(i, range.clone()) else {
                continue;
            };
            let copy = reals(output, value, range.len())?;
            for (&x, &copy) in float.iter().zip(&copy) {
                noise.add(x.into(), copy.into());
            }
        }
    }
    let seen = noises.into_iter().filter(|n| *n != Noise::default());
    let each: Vec<f64> = seen.filter_map(Noise::db).collect();
    let sum: f64 = each.iter().map(|db| db.min(EXACT)).sum();
    Ok((!each.is_empty()).then(|| sum / each.len() as f64))
}
