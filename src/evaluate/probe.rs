//! How near a quantized model comes to the float one on the few samples that calibration kept.

use std::sync::Arc;

use super::outputs::{Noise, outputs, reals};
use crate::calibrate::{Feed, Probe};
use crate::engine::Options;
use crate::error::Result;
use crate::graph::Graph;
use crate::invalid;
use crate::progress::Progress;

/// A ratio beyond this is as good as exact, dB.
const EXACT: f64 = 150.0;

/// SQNR of the outputs of `graph`, a quantized form of the model that `probe` is of, in dB: the mean over its real outputs.
/// `None` without samples or real outputs. `threads` goes to the kernels.
///
/// # Errors
/// A model that cannot run or has other outputs, cancellation.
pub fn probe_sqnr(
    graph: &Arc<Graph>,
    probe: &Probe,
    threads: usize,
    progress: &Progress,
) -> Result<Option<f64>> {
    let Some((first, floats)) = probe.runs().next() else {
        return Ok(None);
    };
    let described = outputs(graph)?;
    if floats.len() != described.len() {
        return invalid!(
            "The model has {} outputs, its float form has {}",
            described.len(),
            floats.len()
        );
    }
    let options = Options {
        threads,
        ..Options::default()
    };
    let mut feed = Feed::new(graph, options, first.len())?;
    feed.stop_with(progress);
    let mut noises = vec![Noise::default(); described.len()];
    for (range, floats) in probe.runs() {
        progress.check()?;
        let samples = range.len();
        let values = feed.run(probe, range, None)?;
        let pairs = values.iter().zip(floats).zip(&described).zip(&mut noises);
        for (((value, float), output), noise) in pairs.filter(|((_, output), _)| output.real) {
            let copy = reals(output, value, samples)?;
            let Some(float) = float.as_f32() else {
                continue;
            };
            for (&x, &copy) in float.iter().zip(&copy) {
                noise.add(x.into(), copy.into());
            }
        }
    }
    let each: Vec<f64> = noises.into_iter().filter_map(Noise::db).collect();
    let sum: f64 = each.iter().map(|db| db.min(EXACT)).sum();
    Ok((!each.is_empty()).then(|| sum / each.len() as f64))
}
