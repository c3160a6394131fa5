//! Accuracy, agreement with the float model, and noise at the outputs, over a data set.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use super::answers::{best, margin, paired_interval, rank};
use super::difference::{Apart, Difference};
use super::doubts::doubts;
use super::outputs::{Noise, Output, outputs, reals};
use super::report::{Evaluation, Outputs};
use crate::calibrate::{Batches, Feed, Lanes};
use crate::data::Dataset;
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
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
    /// The kept outputs of some samples.
    fn kept_of(&self, range: &Range<usize>) -> Option<Vec<Vec<f32>>> {
        let part = |(all, &size): (&Vec<f32>, &usize)| {
            let part = all.get(range.start * size..range.end * size);
            part.unwrap_or(&[]).to_vec()
        };
        let kept = self.kept.as_ref()?;
        Some(kept.iter().zip(&self.sizes).map(part).collect())
    }

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
    let evaluation = measure_own(graph, data, None, threads, progress, sink)?;
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
    measure_own(graph, data, baseline, threads, progress, |_, _| ())
}

/// What runs a model: Zeropoint's engine or another.
pub trait Runner {
    /// Runs one batch: one value per input with the samples along axis 0, one value per output back. State begins anew.
    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>>;
}

impl Runner for Feed {
    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>> {
        self.run_inputs(inputs, None)
    }
}

/// Zeropoint's engine for the batches of an evaluation.
///
/// # Errors
/// A model that it cannot run.
pub fn own_runner(graph: &Arc<Graph>, threads: usize, progress: &Progress) -> Result<Feed> {
    let options = Options {
        threads,
        ..Options::default()
    };
    let mut feed = Feed::of(graph, options, Batches::sized(graph, 0)?)?;
    feed.stop_with(progress);
    Ok(feed)
}

/// What several engines make of one file over the same samples.
#[derive(Debug)]
pub struct SideBySide {
    /// Each engine's figures, in order; one that fails leaves the others alone.
    pub evaluations: Vec<Result<Evaluation>>,
    /// How far the second engine's outputs lie from the first's, where both came through.
    pub difference: Option<Difference>,
}

/// [`evaluate`] with each of `runners` on the same batches. `threads` goes to the float model where it must run again.
///
/// # Errors
/// As [`evaluate`], but for what an engine does: that stands in its place.
pub fn evaluate_with(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    threads: usize,
    runners: &mut [&mut dyn Runner],
    progress: &Progress,
) -> Result<SideBySide> {
    measure(graph, data, baseline, threads, runners, progress, |_, _| ())
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
    margins: Vec<f32>,
    /// Real outputs; their values go where they become too large.
    outputs: Outputs,
    /// Time in the engine.
    ran: Duration,
}

/// What stays the same over all batches of an evaluation.
struct Judge<'a> {
    outputs: Vec<Output>,
    classifier: Option<usize>,
    classes: usize,
    labels: Option<&'a [u32]>,
    compared: bool,
    samples: usize,
}

impl<'a> Judge<'a> {
    fn new(graph: &Graph, data: &'a dyn Dataset, baseline: Option<&Baseline>) -> Result<Self> {
        let outputs = outputs(graph)?;
        let classifier = outputs.iter().position(|o| o.classes.is_some());
        let classes = classifier.and_then(|i| outputs[i].classes).unwrap_or(0);
        let labels = data.labels().filter(|_| classifier.is_some());
        check_labels(labels.unwrap_or(&[]), classes, data.name())?;
        if let Some(baseline) = baseline
            && (baseline.evaluation.samples != data.len()
                || baseline.sizes.len() != real_count(&outputs))
        {
            return invalid!("The float model was evaluated on other data or has other outputs");
        }
        Ok(Self {
            outputs,
            classifier,
            classes,
            labels,
            compared: baseline.is_some(),
            samples: data.len(),
        })
    }

    /// The sums of one engine's outputs of the samples of `range`, given as reals.
    fn judge(
        &self,
        values: &[Vec<f32>],
        float: Option<&[Vec<f32>]>,
        range: Range<usize>,
    ) -> Result<Sums> {
        let mut sums = Sums::default();
        let rows = range.len();
        sums.keep(values, rows, self.samples);
        // Where the classifier's answer lies among the real outputs.
        let answer = self.classifier.map(|i| real_count(&self.outputs[..i]));
        if let Some(float) = float {
            let real = self.outputs.iter().filter(|o| o.real);
            for ((ours, theirs), output) in values.iter().zip(float).zip(real) {
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
        if let Some(answer) = answer.and_then(|i| Some((i, values.get(i)?))) {
            let labels = self.labels.and_then(|l| l.get(range));
            let float = float.and_then(|f| f.get(answer.0));
            sums.classify(answer.1, float.map(Vec::as_slice), labels, self.classes);
        }
        Ok(sums)
    }

    /// The figures; `shared` is the time that no engine took.
    fn finish(&self, sums: Sums, samples: usize, shared: Duration) -> Evaluation {
        let share = |n: usize| n as f64 / samples as f64;
        let labelled = self.labels.is_some();
        Evaluation {
            samples,
            top1: labelled.then(|| share(sums.top1)),
            top5: (labelled && self.classes >= 5).then(|| share(sums.top5)),
            agreement: (self.compared && self.classifier.is_some()).then(|| share(sums.agree)),
            sqnr_db: sums
                .noise
                .db()
                .filter(|_| self.compared && real_count(&self.outputs) > 0),
            delta_interval: (self.compared && labelled)
                .then(|| paired_interval(sums.gained, sums.lost, samples)),
            seconds: (shared + sums.ran).as_secs_f64(),
            warnings: self
                .labels
                .map_or(vec![], |l| doubts(&sums.answers, l, self.classes)),
            answers: sums.answers,
            margins: sums.margins,
            outputs: Some(Arc::new(sums.outputs)),
        }
    }
}

/// Evaluates Zeropoint's engine alone, and hands each batch's real outputs (rows, then one array an output) to `sink`.
fn measure_own(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    threads: usize,
    progress: &Progress,
    sink: impl FnMut(usize, &[Vec<f32>]),
) -> Result<Evaluation> {
    // What is wrong with the data is said before the model is prepared.
    check_samples(data)?;
    let judge = Judge::new(graph, data, baseline)?;
    let batches = Batches::sized(graph, 0)?;
    if baseline.is_none_or(|b| b.kept.is_some())
        && let Some(lanes) = Lanes::new(graph, &batches, threads, progress)?
    {
        return measure_in_lanes(&judge, data, baseline, &batches, &lanes, progress, sink);
    }
    let mut own = own_runner(graph, threads, progress)?;
    let runners: &mut [&mut dyn Runner] = &mut [&mut own];
    let found = measure(graph, data, baseline, threads, runners, progress, sink)?;
    match found.evaluations.into_iter().next() {
        Some(evaluation) => evaluation,
        None => invalid!("No engine to evaluate with"),
    }
}

/// [`measure_own`] of a small model, a batch on each thread.
fn measure_in_lanes(
    judge: &Judge<'_>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    batches: &Batches,
    lanes: &Lanes,
    progress: &Progress,
    mut sink: impl FnMut(usize, &[Vec<f32>]),
) -> Result<Evaluation> {
    /// Batches whose outputs are held until they are summed, in order.
    const HELD: usize = 64;
    let start = Instant::now();
    let samples = data.len();
    let ranges: Vec<_> = batches.ranges(samples).collect();
    let done = AtomicUsize::new(0);
    let mut sums = Sums::default();
    for ranges in ranges.chunks(HELD) {
        let judged = lanes.map(data, ranges, &done, |range, values| {
            let reals = real_outputs(&judge.outputs, &values, range.len(), range.start)?;
            let float = baseline.and_then(|b| b.kept_of(range));
            let sums = judge.judge(&reals, float.as_deref(), range.clone())?;
            Ok((range.len(), sums, reals))
        })?;
        for (rows, part, reals) in judged {
            sums.join(part);
            sink(rows, &reals);
        }
    }
    progress.report(samples, samples)?;
    Ok(judge.finish(sums, samples, start.elapsed()))
}

fn check_samples(data: &dyn Dataset) -> Result<()> {
    match data.is_empty() {
        true => invalid!("{} holds no samples to evaluate on", data.name()),
        false => Ok(()),
    }
}

/// Evaluates with every runner, and hands each batch's real outputs of the first to `sink`.
fn measure(
    graph: &Arc<Graph>,
    data: &dyn Dataset,
    baseline: Option<&Baseline>,
    threads: usize,
    runners: &mut [&mut dyn Runner],
    progress: &Progress,
    mut sink: impl FnMut(usize, &[Vec<f32>]),
) -> Result<SideBySide> {
    let start = Instant::now();
    let samples = data.len();
    check_samples(data)?;
    progress.report(0, samples)?;
    let judge = Judge::new(graph, data, baseline)?;
    let mut batches = Batches::sized(graph, 0)?;
    let mut beside = match baseline {
        Some(b) if b.kept.is_none() => {
            let options = Options {
                threads,
                ..Options::default()
            };
            let mut other = Feed::new(&b.graph, options, batches.rows())?;
            other.stop_with(progress);
            batches = Batches::new(graph, 0, batches.rows().min(other.rows()))?;
            Some((other, outputs(&b.graph)?))
        }
        _ => None,
    };
    let mut all: Vec<Result<Sums>> = runners.iter().map(|_| Ok(Sums::default())).collect();
    let mut apart = (runners.len() >= 2).then(Apart::default);
    for range in batches.ranges(samples) {
        progress.report(range.start, samples)?;
        let rows = range.len();
        let inputs = batches.inputs(data, range.clone())?;
        let float: Option<Vec<Vec<f32>>> = match (baseline, &mut beside) {
            (Some(_), Some((other, outputs))) => {
                let values = other.run(data, range.clone(), None)?;
                Some(real_outputs(outputs, &values, rows, range.start)?)
            }
            (Some(b), None) => b.kept_of(&range),
            (None, _) => None,
        };
        let mut given: Vec<Vec<Value>> = vec![];
        for (i, (runner, sums)) in runners.iter_mut().zip(&mut all).enumerate() {
            let Ok(running) = sums else { continue };
            progress.check()?;
            let began = Instant::now();
            let done = runner.run(&inputs).and_then(|values| {
                running.ran += began.elapsed();
                let reals = real_outputs(&judge.outputs, &values, rows, range.start)?;
                running.join(judge.judge(&reals, float.as_deref(), range.clone())?);
                if i == 0 {
                    sink(rows, &reals);
                }
                Ok(values)
            });
            match done {
                Ok(values) => given.push(values),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(e) => *sums = Err(e),
            }
        }
        if let (Some(sums), [ours, theirs, ..]) = (&mut apart, given.as_slice()) {
            if let Err(e) = sums.add(&judge.outputs, ours, theirs, rows) {
                all[1] = Err(e);
            }
        } else {
            apart = None;
        }
        if all.iter().all(Result::is_err) {
            break;
        }
    }
    progress.report(samples, samples)?;
    let ran: Duration = all.iter().flatten().map(|s| s.ran).sum();
    let shared = start.elapsed().saturating_sub(ran);
    let evaluations: Vec<Result<Evaluation>> = all
        .into_iter()
        .map(|sums| Ok(judge.finish(sums?, samples, shared)))
        .collect();
    let difference = match (apart, evaluations.as_slice()) {
        (Some(apart), [Ok(a), Ok(b), ..]) => Some(apart.finish(samples, &a.answers, &b.answers)),
        _ => None,
    };
    Ok(SideBySide {
        evaluations,
        difference,
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
    values: &[Value],
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
    /// Adds the sums of the batch that follows.
    fn join(&mut self, next: Sums) {
        self.top1 += next.top1;
        self.top5 += next.top5;
        self.agree += next.agree;
        self.gained += next.gained;
        self.lost += next.lost;
        self.noise.join(next.noise);
        self.answers.extend(next.answers);
        self.margins.extend(next.margins);
        self.ran += next.ran;
        if self.outputs.sizes.is_empty() {
            self.outputs = next.outputs;
        } else {
            let both = self.outputs.values.take().zip(next.outputs.values);
            self.outputs.values = both.map(|(mut all, new)| {
                let pairs = all.iter_mut().zip(new);
                pairs.for_each(|(all, new)| all.extend(new));
                all
            });
        }
    }

    /// Keeps one batch of outputs, unless all `samples` together would be too large.
    fn keep(&mut self, values: &[Vec<f32>], rows: usize, samples: usize) {
        let kept = &mut self.outputs;
        if kept.sizes.is_empty() {
            kept.sizes = values.iter().map(|v| v.len() / rows.max(1)).collect();
            let elements = kept.sizes.iter().sum::<usize>().saturating_mul(samples);
            let fits = elements <= Outputs::MOST_KEPT;
            kept.values = fits.then(|| vec![vec![]; values.len()]);
        }
        if let Some(all) = &mut kept.values {
            let pairs = all.iter_mut().zip(values);
            pairs.for_each(|(all, new)| all.extend_from_slice(new));
        }
    }

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
            self.margins.push(margin(row));
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
