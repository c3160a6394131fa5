//! Where the time of a run goes, operator by operator.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::latency::{WARM_UP_RUNS, latency_of, timed_runs};
use super::report::Latency;
use crate::calibrate::Feed;
use crate::error::Result;
use crate::graph::{DType, Graph, Node, TensorId, Value};
use crate::kernels::Isa;
use crate::malformed;
use crate::progress::Progress;

/// What [`profile`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Of the runs in which the operators were timed.
    pub latency: Latency,
    /// The instruction set that the fast kernels used.
    pub isa: Cow<'static, str>,
    /// In the order of the file.
    pub operators: Vec<OperatorTime>,
}

/// The figures of a [`Profile`]; what else it says is in the file that it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileFigures {
    latency: Latency,
    isa: String,
    /// Of each operator its median, ms, and the shape of its first output.
    operators: Vec<(Option<f64>, Vec<usize>)>,
}

/// How long one operator takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperatorTime {
    /// Index of the node.
    pub index: usize,
    /// Name of the operator.
    pub op: String,
    /// Types of the first input, of the weights if they are constant, and of the first output.
    #[serde(rename = "types", serialize_with = "names")]
    pub dtypes: Vec<DType>,
    /// Shape of the first output.
    pub shape: Vec<usize>,
    /// Name of the first output.
    pub output: String,
    /// Median over the runs, ms; `None` where nothing is left to compute while running.
    pub median_ms: Option<f64>,
    /// Of the sum of all medians, 0..1.
    pub share: Option<f64>,
}

fn names<S: serde::Serializer>(dtypes: &[DType], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(dtypes.iter().map(|d| d.name()))
}

/// Times every node of the main subgraph in single runs, as many as [`latency`](super::latency) times.
///
/// # Errors
/// As [`latency`](super::latency).
pub fn profile(
    graph: &Arc<Graph>,
    threads: usize,
    seconds: f64,
    progress: &Progress,
) -> Result<Profile> {
    let nodes = &graph.main().nodes;
    let mut times: Vec<Vec<f32>> = vec![vec![]; nodes.len()];
    let run = |feed: &mut Feed, inputs: &[Value]| {
        let (_, taken) = feed.run_timed(inputs)?;
        for (times, taken) in times.iter_mut().zip(taken) {
            times.extend(taken.map(|t| t.as_secs_f32() * 1e3));
        }
        Ok(())
    };
    let (feed, runs) = timed_runs(graph, threads, seconds, progress, run)?;
    let latency = latency_of(runs, threads)?;
    let medians: Vec<Option<f64>> = times
        .into_iter()
        .map(|t| median(t.get(WARM_UP_RUNS..).unwrap_or(&[])))
        .collect();
    let tensors = &graph.main().tensors;
    let shape = |node: &Node| -> Vec<usize> {
        let output = node.outputs.first().copied();
        let planned = output.and_then(|id| feed.shape(id));
        let stored = output.and_then(|id| Some(&tensors.get(id)?.shape[..]));
        planned.or(stored).unwrap_or_default().to_vec()
    };
    let operators = medians.into_iter().zip(nodes.iter().map(shape)).collect();
    Ok(of_figures(
        graph,
        latency,
        Isa::best()?.name().into(),
        operators,
    ))
}

impl Profile {
    /// Its figures alone.
    pub fn figures(&self) -> ProfileFigures {
        let of = |o: &OperatorTime| (o.median_ms, o.shape.clone());
        ProfileFigures {
            latency: self.latency.clone(),
            isa: self.isa.clone().into_owned(),
            operators: self.operators.iter().map(of).collect(),
        }
    }

    /// The profile of `graph` with these figures.
    ///
    /// # Errors
    /// Malformed for figures of another model, or times that are none.
    pub fn of(graph: &Graph, figures: ProfileFigures) -> Result<Self> {
        let nodes = graph.main().nodes.len();
        let mut times = figures.operators.iter().filter_map(|o| o.0);
        if figures.operators.len() != nodes || !times.all(|ms| ms.is_finite() && ms >= 0.0) {
            return malformed!("its times of operators are not those of {nodes} operators");
        }
        let isa = Cow::Owned(figures.isa);
        Ok(of_figures(graph, figures.latency, isa, figures.operators))
    }
}

fn of_figures(
    graph: &Graph,
    latency: Latency,
    isa: Cow<'static, str>,
    figures: Vec<(Option<f64>, Vec<usize>)>,
) -> Profile {
    let all: f64 = figures.iter().filter_map(|f| f.0).sum();
    let (nodes, tensors) = (&graph.main().nodes, &graph.main().tensors);
    let operators = nodes.iter().zip(figures).enumerate();
    let operators = operators.map(|(index, (node, (median_ms, shape)))| {
        let tensor = |id: TensorId| tensors.get(id);
        let output = node.outputs.first().copied();
        let weights = node.input(1).and_then(tensor).filter(|t| t.is_constant());
        let read = [node.input(0).and_then(tensor), weights];
        let output = output.and_then(tensor);
        OperatorTime {
            index,
            op: node.op.name().to_owned(),
            dtypes: read
                .iter()
                .chain([&output])
                .flatten()
                .map(|t| t.dtype)
                .collect(),
            shape,
            output: output.map_or_else(String::new, |t| t.name.clone()),
            median_ms,
            share: median_ms.map(|ms| if all > 0.0 { ms / all } else { 0.0 }),
        }
    });
    Profile {
        latency,
        isa,
        operators: operators.collect(),
    }
}

fn median(times: &[f32]) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_unstable_by(f32::total_cmp);
    let at = |i: usize| times.get(i).copied().map(f64::from);
    Some((at(times.len().checked_sub(1)? / 2)? + at(times.len() / 2)?) / 2.0)
}
