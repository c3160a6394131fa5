//! Accuracy, agreement with the float model, and noise at the outputs, over a data set.

use std::sync::Arc;
use std::time::Instant;

use super::answers::{best, paired_interval, rank};
use super::doubts::doubts;
use super::outputs::{Noise, Output, outputs, reals};
use super::report::Evaluation;
use crate::calibrate::{Feed, batch_size};
use crate::data::Dataset;
use crate::engine::Options;
use crate::error::Result;
use crate::graph::Graph;
use crate::progress::Progress;
use crate::{invalid, malformed};

/// Outputs of the float model are kept up to this size, and computed again beside the other model beyond it.
const KEEP_BYTES: usize = 256 << 20;

/// The float model's outputs over a data set, which every variant is compared with.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The float model's own figures.
    pub evaluation: Evaluation,
    graph: Arc<Graph>,
    /// What it put out, sample by sample; `None` if that would need more than 256 MB.
    kept: Option<Vec<Vec<f32>>>,
    /// Elements a sample of each real output.
    sizes: Vec<usize>,
}

impl Baseline {
    /// Bytes that the kept outputs take.
    pub fn bytes(&self) -> usize {
        let floats = self.kept.iter().flatten().map(Vec::len).sum::<usize>();
        floats * size_of::<f32>()
    }
}

/// Evaluates the float model and keeps its outputs (as float32, samples × output elements) for the comparison with others.
///
/// # Errors
/// As [`evaluate`].
pub fn baseline(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    threads: usize,
    progress: &Progress,
) -> Result<Baseline> {
    baseline_within(graph, data, threads, KEEP_BYTES, progress)
}

/// [`baseline`] with another limit of the outputs kept.
fn baseline_within(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    threads: usize,
    limit: usize,
    progress: &Progress,
) -> Result<Baseline> {
    let mut kept: Option<Vec<Vec<f32>>> = Some(vec![]);
    let mut sizes = vec![];
    let sink = |rows: usize, values: &[Vec<f32>]| {
        sizes = values.iter().map(|v| v.len() / rows.max(1)).collect();
        let per = sizes.iter().sum::<usize>() * size_of::<f32>();
        if per.saturating_mul(data.len()) > limit {
            kept = None;
        }
        if let Some(kept) = &mut kept {
            kept.resize_with(values.len(), Vec::new);
            for (all, new) in kept.iter_mut().zip(values) {
                if all.is_empty() {
                    all.reserve_exact(new.len() / rows.max(1) * data.len());
                }
                all.extend_from_slice(new);
            }
        }
    };
    let evaluation = measure(graph, data, None, threads, progress, sink)?;
    Ok(Baseline {
        evaluation,
        graph: graph.clone(),
        kept,
        sizes,
    })
}

/// Runs all samples of `data` through a model: share of right answers where there are labels and a classifier-like output (the
/// first with one axis of classes), and against `baseline` agreement, SQNR over all real outputs and the change in accuracy with
/// its 95 % interval. Inputs are quantized as the model's inputs ask (halves away from zero). `threads` goes to the kernels.
///
/// # Errors
/// No samples, labels beyond the model's classes, an output that becomes NaN or infinite (named), a baseline of other data or another
/// model, cancellation.
pub fn evaluate(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    threads: usize,
    progress: &Progress,
) -> Result<Evaluation> {
    measure(graph, data, baseline, threads, progress, |_, _| ())
}

/// Running sums of an evaluation.
#[derive(Default)]
struct Sums {
    top1: usize,
    top5: usize,
    agree: usize,
    /// Samples that only this model answers correctly, and that only the baseline does.
    gained: usize,
    lost: usize,
    noise: Noise,
    answers: Vec<u32>,
}

/// Evaluates, and hands each batch's real outputs (rows, then one array an output) to `sink`.
fn measure(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    threads: usize,
    progress: &Progress,
    mut sink: impl FnMut(usize, &[Vec<f32>]),
) -> Result<Evaluation> {
    let start = Instant::now();
    let samples = data.len();
    if samples == 0 {
        return invalid!("{} holds no samples to evaluate on", data.name());
    }
    progress.report(0, samples)?;
    let outputs = outputs(graph)?;
    let classifier = outputs.iter().position(|o| o.classes.is_some());
    let classes = classifier.and_then(|i| outputs[i].classes).unwrap_or(0);
    let labels = data.labels().filter(|_| classifier.is_some());
    check_labels(labels.unwrap_or(&[]), classes, data.name())?;
    if let Some(baseline) = baseline
        && (baseline.evaluation.samples != samples || baseline.sizes.len() != real_count(&outputs))
    {
        return invalid!("The float model was evaluated on other data or has other outputs");
    }

    let options = Options {
        threads,
        ..Options::default()
    };
    let mut feed = Feed::new(graph, options, batch_size(graph, 0))?;
    let mut beside = match baseline {
        Some(b) if b.kept.is_none() => Some((
            Feed::new(&b.graph, options, feed.rows())?,
            self::outputs(&b.graph)?,
        )),
        _ => None,
    };
    if beside.as_ref().is_some_and(|(f, _)| f.rows() < feed.rows()) {
        feed = Feed::new(graph, options, beside.as_ref().map_or(1, |(f, _)| f.rows()))?;
    }
    feed.stop_with(progress);
    if let Some((other, _)) = &mut beside {
        other.stop_with(progress);
    }
    let mut sums = Sums::default();
    for range in feed.batches(samples) {
        progress.report(range.start, samples)?;
        let rows = range.len();
        let values = feed.run(data, range.clone(), None)?;
        let values = real_outputs(&outputs, &values, rows, range.start)?;
        // Where the classifier's answer lies among the real outputs.
        let answer = classifier.map(|i| real_count(&outputs[..i]));
        let float: Option<Vec<Vec<f32>>> = match (baseline, &mut beside) {
            (Some(_), Some((other, outputs))) => {
                progress.check()?;
                let values = other.run(data, range.clone(), None)?;
                Some(real_outputs(outputs, &values, rows, range.start)?)
            }
            (Some(b), None) => b.kept.as_ref().map(|kept| {
                let part = |(all, &size): (&Vec<f32>, &usize)| {
                    all.get(range.start * size..range.end * size)
                        .unwrap_or(&[])
                        .to_vec()
                };
                kept.iter().zip(&b.sizes).map(part).collect()
            }),
            (None, _) => None,
        };
        if let Some(float) = &float {
            for ((ours, theirs), output) in values
                .iter()
                .zip(float)
                .zip(outputs.iter().filter(|o| o.real))
            {
                if ours.len() != theirs.len() {
                    return invalid!(
                        "Output '{}' holds {} elements a sample, the float model's {}",
                        output.name,
                        ours.len() / rows,
                        theirs.len() / rows
                    );
                }
                let pairs = theirs.iter().zip(ours);
                pairs.for_each(|(&x, &copy)| sums.noise.add(x.into(), copy.into()));
            }
        }
        if let Some(answer) = answer {
            let labels = labels.and_then(|l| l.get(range.clone()));
            let float = float.as_ref().and_then(|f| f.get(answer));
            sums.classify(&values[answer], float.map(Vec::as_slice), labels, classes);
        }
        sink(rows, &values);
    }
    progress.report(samples, samples)?;
    let share = |n: usize| n as f64 / samples as f64;
    let compared = baseline.is_some();
    let labelled = labels.is_some();
    Ok(Evaluation {
        samples,
        top1: labelled.then(|| share(sums.top1)),
        top5: (labelled && classes >= 5).then(|| share(sums.top5)),
        agreement: (compared && classifier.is_some()).then(|| share(sums.agree)),
        sqnr_db: sums
            .noise
            .db()
            .filter(|_| compared && real_count(&outputs) > 0),
        delta_interval: (compared && labelled)
            .then(|| paired_interval(sums.gained, sums.lost, samples)),
        seconds: start.elapsed().as_secs_f64(),
        warnings: labels.map_or(vec![], |l| doubts(&sums.answers, l, classes)),
        answers: sums.answers,
    })
}

fn real_count(outputs: &[Output]) -> usize {
    outputs.iter().filter(|o| o.real).count()
}

/// Whether a value is NaN, infinite, or the end of float32 that kernels clamp an overflow to.
fn overflown(x: f32) -> bool {
    !x.is_finite() || x.abs() == f32::MAX
}

/// The real outputs of one run; fails if one holds NaN or an overflow.
fn real_outputs(
    outputs: &[Output],
    values: &[crate::graph::Value],
    rows: usize,
    first: usize,
) -> Result<Vec<Vec<f32>>> {
    let mut all = vec![];
    for (output, value) in outputs.iter().zip(values).filter(|(o, _)| o.real) {
        let reals = reals(output, value, rows)?;
        if let Some(at) = reals.iter().position(|x| overflown(*x)) {
            return malformed!(
                "Output '{}' becomes NaN or infinite on sample {}",
                output.name,
                first + at / (reals.len() / rows).max(1)
            );
        }
        all.push(reals);
    }
    Ok(all)
}

/// Fails if a label is none of the model's classes.
fn check_labels(labels: &[u32], classes: usize, data: &str) -> Result<()> {
    match labels.iter().position(|&l| l as usize >= classes) {
        None => Ok(()),
        Some(at) => invalid!(
            "Label {} of sample {at} of {data} is none of the model's {classes} classes (0 to {})",
            labels[at],
            classes - 1
        ),
    }
}

impl Sums {
    /// Counts one batch of answers; all arrays hold `classes` values a sample.
    fn classify(
        &mut self,
        values: &[f32],
        float: Option<&[f32]>,
        labels: Option<&[u32]>,
        classes: usize,
    ) {
        for (i, row) in values.chunks_exact(classes.max(1)).enumerate() {
            let answer = best(row);
            self.answers.push(answer);
            let float = float
                .and_then(|f| f.get(i * classes..(i + 1) * classes))
                .map(best);
            self.agree += usize::from(float == Some(answer));
            let Some(&label) = labels.and_then(|l| l.get(i)) else {
                continue;
            };
            let right = answer == label;
            self.top1 += usize::from(right);
            self.top5 += usize::from(rank(row, label as usize) < 5);
            let float_right = float == Some(label);
            self.gained += usize::from(right && !float_right);
            self.lost += usize::from(!right && float_right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{input_specs, synthetic};
    use crate::graph::{DType, Node, Op, Subgraph, Tensor};

    /// One operator on four elements.
    fn graph(op: Op) -> Arc<Graph> {
        let tensor = |name| Tensor::new(name, DType::Float32, vec![1, 4]);
        Arc::new(Graph {
            subgraphs: vec![Subgraph {
                tensors: vec![tensor("x"), tensor("y")],
                inputs: vec![0],
                outputs: vec![1],
                nodes: vec![Node::new(op, vec![Some(0)], vec![1])],
                ..Subgraph::default()
            }],
            ..Graph::default()
        })
    }

    #[test]
    fn a_baseline_too_large_to_keep_is_computed_again() {
        let (float, other) = (graph(Op::Relu), graph(Op::Logistic));
        let data = synthetic(&input_specs(&float, 0), 300, 5).unwrap();
        let progress = Progress::new();
        // 300 samples of 4 outputs take 4,800 bytes.
        let [kept, dropped] = [4_800, 4_799]
            .map(|limit| baseline_within(&float, data.as_ref(), 1, limit, &progress).unwrap());
        assert_eq!((kept.bytes(), dropped.bytes()), (4_800, 0));
        let [a, b] = [kept, dropped]
            .map(|b| evaluate(&other, data.as_ref(), Some(&b), 1, &progress).unwrap());
        assert_eq!((a.sqnr_db, a.agreement), (b.sqnr_db, b.agreement));
        assert!(a.sqnr_db.is_some_and(f64::is_finite) && a.agreement == Some(1.0));
    }
}
