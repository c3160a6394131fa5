//! Calibration by minimum and maximum (and means), in one streaming pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::feed::{Feed, batch_size};
use super::means::Means;
use super::{Calibration, Probe, Range};
use crate::data::Dataset;
use crate::engine::{Observer, Options, Part, Slice, View};
use crate::error::{Error, Result};
use crate::graph::{Graph, Op, TensorId};
use crate::kernels::{self, Vectorized};
use crate::progress::Progress;
use crate::{invalid, malformed};

/// Smallest and largest value of every float tensor that the main subgraph computes (or is fed) over all samples of `data`, and
/// the means of those that weights meet.
/// Memory does not grow with the samples; `threads` goes to the kernels. Progress counts samples and is reported before each
/// short run.
///
/// # Errors
/// No samples, data that does not fit the model, a tensor that becomes NaN or infinite (named), cancellation.
pub fn calibrate(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    threads: usize,
    progress: &Progress,
) -> Result<Calibration> {
    calibrate_by(graph, data, threads, batch_size(graph, 0), progress)
}

/// [`calibrate`] with a given number of samples a run; the result does not depend on it.
pub fn calibrate_by(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    threads: usize,
    rows: usize,
    progress: &Progress,
) -> Result<Calibration> {
    if data.is_empty() {
        return invalid!("{} holds no samples to calibrate on", data.name());
    }
    let samples = data.len();
    let report = |done| progress.report(done, samples);
    let more = Some((Means::of(graph.main()), Probe::of(graph)));
    let seen = observe(
        graph,
        data,
        samples,
        (threads, rows),
        progress,
        report,
        more,
    )?;
    let (means, probe) = seen.more.unzip();
    Ok(Calibration {
        samples,
        ranges: seen.ranges,
        parts: seen.parts,
        means: means.map_or(vec![], Means::finish),
        probe: probe.unwrap_or_default(),
    })
}

/// The ranges of [`Calibration`] over the first `samples` samples, with `threads` threads and `rows` samples a run, calling `report`
/// with the samples done before each run; a run stops once `progress` is cancelled.
pub fn ranges(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    samples: usize,
    how: (usize, usize),
    progress: &Progress,
    report: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<Option<Range>>> {
    Ok(observe(graph, data, samples, how, progress, report, None)?.ranges)
}

/// One pass over the first `samples` samples, with means and a probe filled if given.
fn observe(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    samples: usize,
    (threads, rows): (usize, usize),
    progress: &Progress,
    mut report: impl FnMut(usize) -> Result<()>,
    more: Option<(Means, Probe)>,
) -> Result<Extremes> {
    report(0)?;
    let options = Options {
        threads,
        ..Options::default()
    };
    let mut feed = Feed::new(graph, options, rows).map_err(|e| unknown(graph).unwrap_or(e))?;
    feed.stop_with(progress);
    let tensors = &graph.main().tensors;
    let mut extremes = Extremes {
        ranges: vec![None; tensors.len()],
        parts: BTreeMap::new(),
        more,
        bad: None,
    };
    for range in feed.batches(samples) {
        report(range.start)?;
        let outputs = feed.run(data, range.clone(), Some(&mut extremes))?;
        if let Some((_, probe)) = &mut extremes.more {
            probe.add(data, range.clone(), &outputs)?;
        }
        if let Some(id) = extremes.bad {
            let name = tensors.get(id).map_or("", |t| t.name.as_str());
            return malformed!(
                "Tensor {id} '{name}' becomes NaN or infinite on samples {} to {} of {}; the model cannot be calibrated with them",
                range.start,
                range.end - 1,
                data.name()
            );
        }
    }
    report(samples)?;
    Ok(extremes)
}

/// What to say of a model that an operator without a kernel keeps from running; `None` if it has none.
fn unknown(graph: &Graph) -> Option<Error> {
    let mut nodes = graph.main().nodes.iter().enumerate();
    let (i, node) = nodes.find(|(_, n)| matches!(n.op, Op::Custom(_) | Op::Other(_)))?;
    let kind = match node.op {
        Op::Custom(_) => "custom operator",
        _ => "operator",
    };
    Some(Error::Unsupported(format!(
        "Node {i} is the {kind} {:?}, which Zeropoint cannot run, so the model cannot be calibrated; modes dynamic and float16 need no calibration",
        node.op.name()
    )))
}

/// Values from which a second thread helps to look at them: some 10 µs.
const WORTH_SHARING: usize = 1 << 16;

/// Keeps the extremes of what it sees, and what else was asked for.
struct Extremes {
    ranges: Vec<Option<Range>>,
    parts: BTreeMap<(usize, Part), Range>,
    more: Option<(Means, Probe)>,
    /// The first tensor that was not finite.
    bad: Option<TensorId>,
}

impl Observer for Extremes {
    fn tensor(&mut self, id: TensorId, value: View<'_>) {
        let Slice::F32(values) = value.data else {
            return;
        };
        let Some(slot) = self.ranges.get_mut(id) else {
            return;
        };
        if values.is_empty() {
            return;
        }
        let means = self.more.as_mut().map(|(means, _)| means);
        let add = || means.map(|m| m.add(id, value.shape.last().copied(), values));
        let shared = rayon::current_thread_index().is_some() && values.len() >= WORTH_SHARING;
        let (first, second) = values.split_at(match shared {
            true => values.len() / 2,
            false => values.len(),
        });
        let both = match shared {
            true => rayon::join(|| extremes(first), || (add(), extremes(second)).1),
            false => (add(), extremes(first))
                .1
                .map_or((None, None), |r| (Some(r), Some(r))),
        };
        let (Some(one), Some(other)) = both else {
            self.bad.get_or_insert(id);
            return;
        };
        let range = slot.get_or_insert(one);
        range.min = range.min.min(one.min).min(other.min);
        range.max = range.max.max(one.max).max(other.max);
    }

    fn part(&mut self, node: usize, part: Part, min: f32, max: f32) {
        let range = self.parts.entry((node, part)).or_insert(Range { min, max });
        range.min = range.min.min(min);
        range.max = range.max.max(max);
    }
}

/// [`finite_range`]; `None`, too, if a value is as large as float32 can be.
fn extremes(values: &[f32]) -> Option<Range> {
    // Kernels clamp to the range of float32, which makes this of an overflow.
    finite_range(values).filter(|r| r.min > f32::MIN && r.max < f32::MAX)
}

/// Smallest and largest of some values, 0 without a sign; `None` if there are none or one is NaN or infinite.
pub fn finite_range(values: &[f32]) -> Option<Range> {
    let mut range = None;
    let out = &mut range;
    kernels::vectorized(kernels::Isa::chosen(), Look { values, out });
    range
}

struct Look<'a> {
    values: &'a [f32],
    out: &'a mut Option<Range>,
}

impl Vectorized for Look<'_> {
    #[inline(always)]
    fn run(self) {
        const LANES: usize = 64;
        let Some(&first) = self.values.first() else {
            return;
        };
        let (mut min, mut max) = ([first; LANES], [first; LANES]);
        // 0 · x is 0 for finite x and NaN for all others, so one sum finds them.
        let mut odd = [0f32; LANES];
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        for v in chunks {
            for j in 0..LANES {
                // Unlike `f32::min` one instruction.
                min[j] = if v[j] < min[j] { v[j] } else { min[j] };
                max[j] = if v[j] > max[j] { v[j] } else { max[j] };
                odd[j] += v[j] * 0.0;
            }
        }
        let odd = odd.into_iter().chain(rest.iter().map(|x| x * 0.0));
        if odd.sum::<f32>() != 0.0 {
            return;
        }
        // Adding 0 turns −0 into 0, so that the order of equal zeros leaves no trace.
        *self.out = Some(Range {
            min: min.iter().chain(rest).fold(first, |m, &x| m.min(x)) + 0.0,
            max: max.iter().chain(rest).fold(first, |m, &x| m.max(x)) + 0.0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_found_at_every_position() {
        for length in 1..140 {
            for at in 0..length {
                let mut values = vec![1.0; length];
                values[at] = -3.0;
                let range = extremes(&values).unwrap();
                assert_eq!(range.min, -3.0);
                assert_eq!(range.max, if length == 1 { -3.0 } else { 1.0 });
                for bad in [
                    f32::NAN,
                    f32::INFINITY,
                    f32::NEG_INFINITY,
                    f32::MIN,
                    f32::MAX,
                ] {
                    values[at] = bad;
                    assert_eq!(extremes(&values), None);
                }
            }
        }
    }
}
