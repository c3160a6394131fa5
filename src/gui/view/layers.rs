//! What the Layers tab shows: the model's operators in execution order, and what each experiment made of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::look::Look;
use super::tensors::short_name;
use super::{figures, format};
use crate::evaluate::{OperatorTime, Profile, TensorKind, TensorReport};
use crate::graph::{Activation, DType, Graph, Node, Op, Subgraph, TensorId};
use crate::quantize::{Mode, NodePlan, QuantPlan, Reason};
use crate::workbench::{ExperimentId, QuantizedFile, Workbench, shape_text};

/// The way of the error through the network, for one column: place in [`Layers::layers`] and cumulative SQNR, in execution order.
pub fn path(layers: &Layers, column: usize) -> Vec<(usize, f64)> {
    let cell = |l: &Layer| Some((l.index, l.cells.get(column)?.cumulative?));
    layers.layers.iter().filter_map(cell).collect()
}

/// The whole list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers {
    /// Experiments whose file is written, in their order, without float32.
    pub columns: Vec<Column>,
    /// Operators of the model's main subgraph in execution order.
    pub layers: Vec<Layer>,
}

/// An experiment beside the operators.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its number.
    pub id: ExperimentId,
    /// How it is told apart.
    pub look: Look,
    /// Its name.
    pub name: String,
    /// Operators that compute on the mode's integers or with its smaller weights.
    pub quantized: usize,
    /// QUANTIZE and DEQUANTIZE operators that the file has more than the model.
    pub conversions: usize,
    /// Time of all operators in single runs, ms; `None` where it was not measured.
    pub time_ms: Option<f64>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Place in execution order.
    pub index: usize,
    /// Such as `CONV_2D`.
    pub op: String,
    /// Short name of what it computes.
    pub name: String,
    /// What else is worth knowing: size of the weights, fused activation.
    pub detail: String,
    /// Shape of its first output.
    pub output: String,
    /// Whether it only computes shapes.
    pub is_shape: bool,
    /// One per column.
    pub cells: Vec<Cell>,
}

/// A line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The operator of that place.
    Operator(usize),
    /// A run of operators that only compute shapes.
    Folded {
        /// Place of the first.
        first: usize,
        /// How many.
        count: usize,
    },
}

/// The lines of the list: with `fold`, runs of shape operators become one line, but for those that begin at `unfolded`.
pub fn items(all: &Layers, fold: bool, unfolded: &[usize]) -> Vec<Item> {
    let mut items: Vec<Item> = vec![];
    for run in all.layers.chunk_by(|a, b| a.is_shape == b.is_shape) {
        match run.first() {
            Some(first) if fold && first.is_shape && !unfolded.contains(&first.index) => {
                items.push(Item::Folded {
                    first: first.index,
                    count: run.len(),
                });
            }
            _ => items.extend(run.iter().map(|l| Item::Operator(l.index))),
        }
    }
    items
}

/// The worst figure that a line shows in any experiment: cumulative where there is one, else local.
pub fn worst(all: &Layers, item: Item) -> Option<f64> {
    let Item::Operator(index) = item else {
        return None;
    };
    let cells = all.layers.get(index)?.cells.iter();
    let figures = cells.filter_map(|c| c.cumulative.or(c.local));
    figures.min_by(f64::total_cmp)
}

/// What an experiment made of an operator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// Type it computes with, as users say it.
    pub dtype: String,
    /// Its time in a single run, ms, with the conversions of what it makes.
    pub time_ms: Option<f64>,
    /// SQNR with only this operator's weights or output quantized (the worse of them), dB.
    pub local: Option<f64>,
    /// SQNR of the whole quantized model at the operator's output, dB.
    pub cumulative: Option<f64>,
    /// Whether the file does without it, because what it computes is known before.
    pub is_folded: bool,
    /// Where its type comes from, in a sentence.
    pub why_type: String,
    /// Why it stays float, in the plan's words.
    pub why_float: Option<String>,
    /// The tensor to look at: the one that `local` speaks of.
    pub tensor: Option<TensorId>,
}

/// What the list is made from: equal inputs, equal lists.
#[derive(Debug, Clone)]
pub struct Inputs {
    model: Option<Arc<Graph>>,
    results: Vec<Results>,
}

/// Of one experiment: number, whether its file is stale, file, tensors, times.
type Results = (
    ExperimentId,
    bool,
    Option<Arc<QuantizedFile>>,
    Option<Arc<Vec<TensorReport>>>,
    Option<Arc<Profile>>,
);

impl Inputs {
    /// Those of the workbench as it is now.
    pub fn of(workbench: &Workbench) -> Self {
        let all = workbench.experiments.iter();
        Self {
            model: workbench.model.as_ref().map(|m| m.graph.clone()),
            results: all
                .map(|e| {
                    (
                        e.id,
                        e.is_stale(),
                        e.file.clone(),
                        e.tensors.clone(),
                        e.profile.clone(),
                    )
                })
                .collect(),
        }
    }
}

impl PartialEq for Inputs {
    /// By identity: results are shared, never changed in place.
    fn eq(&self, other: &Self) -> bool {
        fn same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
            a.as_ref().map(Arc::as_ptr) == b.as_ref().map(Arc::as_ptr)
        }
        same(&self.model, &other.model)
            && self.results.len() == other.results.len()
            && self.results.iter().zip(&other.results).all(|(a, b)| {
                (a.0, a.1) == (b.0, b.1) && same(&a.2, &b.2) && same(&a.3, &b.3) && same(&a.4, &b.4)
            })
    }
}

/// The list for what is open and done now.
pub fn layers(workbench: &Workbench) -> Layers {
    let Some(model) = &workbench.model else {
        return Layers::default();
    };
    let main = model.graph.main();
    let mut found = Layers {
        columns: vec![],
        layers: main
            .nodes
            .iter()
            .enumerate()
            .map(|(i, n)| layer(main, i, n))
            .collect(),
    };
    for e in &workbench.experiments {
        let Some(file) = e
            .file
            .as_ref()
            .filter(|_| e.mode() != Mode::Float32 && !e.is_stale())
        else {
            continue;
        };
        // A plan of another model would name the wrong operators.
        if file.plan.nodes.len() != main.nodes.len()
            || file.plan.tensors.len() != main.tensors.len()
        {
            continue;
        }
        let reports = Reports::new(e.tensors.as_ref().map_or(&[], |t| t.as_slice()));
        let computed = file
            .graph
            .main()
            .tensors
            .iter()
            .filter(|t| !t.is_constant());
        let names = computed.map(|t| t.name.as_str()).collect();
        let times = e.profile.as_ref().map(|p| Times::new(&p.operators));
        for (index, node) in main.nodes.iter().enumerate() {
            let mut cell = cell(main, node, &file.plan, index, &reports);
            cell.is_folded = is_folded(main, node, &names);
            cell.time_ms = times.as_ref().and_then(|t| t.of(main, node));
            found.layers[index].cells.push(cell);
        }
        found.columns.push(Column {
            id: e.id,
            look: Look::of(e),
            name: e.name(),
            time_ms: times.map(|t| t.0.values().sum()),
            quantized: file.plan.nodes.iter().filter(|n| is_quantized(n)).count(),
            conversions: conversions(&file.graph).saturating_sub(conversions(&model.graph)),
        });
    }
    found
}

/// Times of a file's operators by the name of what they make, the form behind it left off.
struct Times<'a>(HashMap<&'a str, f64>);

impl<'a> Times<'a> {
    fn new(operators: &'a [OperatorTime]) -> Self {
        let mut all = HashMap::<&str, f64>::new();
        for operator in operators {
            let Some(ms) = operator.median_ms else {
                continue;
            };
            *all.entry(stem(&operator.output)).or_default() += ms;
        }
        Self(all)
    }

    fn of(&self, main: &Subgraph, node: &Node) -> Option<f64> {
        let made = main.tensors.get(*node.outputs.first()?)?;
        self.0.get(stem(&made.name)).copied()
    }
}

/// The name of a tensor without the form behind it.
fn stem(name: &str) -> &str {
    let cut = |form: &&str| name.strip_suffix(form)?.strip_suffix('_');
    FORMS.iter().find_map(cut).unwrap_or(name)
}

/// The experiment whose times the list shows: the chosen one, else int8, else the first that has any.
pub fn timed(layers: &Layers, chosen: Option<ExperimentId>) -> Option<usize> {
    let has = |c: &Column| c.time_ms.is_some();
    let by =
        |wanted: &dyn Fn(&Column) -> bool| layers.columns.iter().position(|c| has(c) && wanted(c));
    by(&|c| Some(c.id) == chosen)
        .or_else(|| by(&|c| c.look.mode == Mode::Int8))
        .or_else(|| by(&|_| true))
}

fn is_quantized(node: &NodePlan) -> bool {
    match node {
        NodePlan::Quantized | NodePlan::Int16 | NodePlan::SmallerWeights => true,
        NodePlan::Unaffected | NodePlan::Float(_) => false,
    }
}

/// Types that the file's writer puts behind a tensor's name where it has several forms of it.
const FORMS: [&str; 5] = ["int8", "uint8", "int16", "float32", "float16"];

/// Whether no tensor that the operator makes is computed in the file, in any form.
fn is_folded(main: &Subgraph, node: &Node, names: &HashSet<&str>) -> bool {
    let is_there = |name: &str| {
        names.contains(name)
            || FORMS
                .iter()
                .any(|form| names.contains(format!("{name}_{form}").as_str()))
    };
    let made = node.outputs.iter().filter_map(|&id| main.tensors.get(id));
    !node.outputs.is_empty() && !made.map(|t| t.name.as_str()).any(is_there)
}

fn conversions(graph: &Graph) -> usize {
    let is = |n: &&Node| matches!(n.op, Op::Quantize | Op::Dequantize);
    graph.main().nodes.iter().filter(is).count()
}

fn layer(main: &Subgraph, index: usize, node: &Node) -> Layer {
    let output = node.outputs.first().and_then(|&id| main.tensors.get(id));
    let integers = |id: &TensorId| {
        let t = main.tensors.get(*id);
        t.is_some_and(|t| {
            matches!(t.dtype, DType::Int32 | DType::Int64) && t.quantization.is_none()
        })
    };
    Layer {
        index,
        op: node.op.name().to_owned(),
        name: output.map_or_else(String::new, |t| short_name(&t.name).to_owned()),
        detail: detail(main, node),
        output: output.map_or_else(String::new, shape_text),
        is_shape: !node.outputs.is_empty() && node.outputs.iter().all(integers),
        cells: vec![],
    }
}

/// Weights or window, and the fused activation: `12 × 3 × 3 × 1, ReLU`.
fn detail(main: &Subgraph, node: &Node) -> String {
    let weights = || {
        let t = node.input(1).and_then(|id| main.tensors.get(id))?;
        t.is_constant().then(|| figures::shape(&t.shape))
    };
    let window = |f: [i32; 2]| Some(format!("{} × {}", f[0], f[1]));
    let (size, activation) = match &node.op {
        Op::Conv2d(o) => (weights(), o.activation),
        Op::DepthwiseConv2d(o) => (weights(), o.activation),
        Op::FullyConnected(o) => (weights(), o.activation),
        Op::MaxPool2d(o) | Op::AveragePool2d(o) => (window(o.filter), o.activation),
        Op::Add { activation, .. }
        | Op::Sub { activation, .. }
        | Op::Mul { activation }
        | Op::Concatenation { activation, .. } => (None, *activation),
        _ => (None, Activation::None),
    };
    let activation = match activation {
        Activation::None => None,
        Activation::Relu => Some("ReLU"),
        Activation::ReluN1To1 => Some("ReLU −1 to 1"),
        Activation::Relu6 => Some("ReLU6"),
        Activation::Tanh => Some("tanh"),
        Activation::SignBit => Some("sign bit"),
    };
    let parts: Vec<String> = size
        .into_iter()
        .chain(activation.map(str::to_owned))
        .collect();
    parts.join(", ")
}

fn cell(main: &Subgraph, node: &Node, plan: &QuantPlan, index: usize, reports: &Reports) -> Cell {
    let type_of = |id: TensorId| plan.tensors.get(id).map_or("", |t| t.dtype.name());
    let output = node.outputs.first().copied();
    let output_type = output.map_or("", type_of);
    let (dtype, why_float) = match &plan.nodes[index] {
        NodePlan::Quantized | NodePlan::Int16 => (output_type.to_owned(), None),
        NodePlan::Unaffected => (output_type.to_owned(), weights_stay(main, node, plan)),
        NodePlan::SmallerWeights => {
            let smaller =
                |&id: &TensorId| type_of(id) != main.tensors.get(id).map_or("", |t| t.dtype.name());
            let weights = node.inputs.iter().flatten().find(|id| smaller(id));
            let weights = weights.map_or(output_type, |&id| type_of(id));
            (format!("{weights} weights"), None)
        }
        // Those who read its output may see it as integers.
        NodePlan::Float(reason) => {
            let made = output.and_then(|id| main.tensors.get(id));
            let own = made.map_or("", |t| t.dtype.name());
            (own.to_owned(), Some(reason.clone()))
        }
    };
    let constants = node.inputs.iter().flatten().copied();
    let constants = constants.filter(|&id| main.tensors.get(id).is_some_and(|t| t.is_constant()));
    let made = output.and_then(|id| reports.of(main, id));
    let local = constants
        .filter_map(|id| reports.of(main, id))
        .filter(|r| r.kind != TensorKind::Bias)
        .chain(made)
        .filter_map(|r| r.sqnr_local_db.map(|db| (db, r.tensor)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    Cell {
        why_type: why_type(main, node, plan, index, &dtype),
        dtype,
        local: local.map(|l| l.0),
        cumulative: made.and_then(|r| r.sqnr_cumulative_db),
        is_folded: false,
        time_ms: None,
        why_float,
        tensor: local.map(|l| l.1).or(made.map(|r| r.tensor)),
    }
}

/// Where the type of an operator comes from, in a sentence.
fn why_type(main: &Subgraph, node: &Node, plan: &QuantPlan, index: usize, dtype: &str) -> String {
    let weights = node
        .inputs
        .iter()
        .flatten()
        .filter_map(|&id| plan.tensors.get(id));
    let weights = weights.map(|t| &t.reason).find_map(|reason| match reason {
        Reason::Weight { per_channel: true } => Some("weights per channel"),
        Reason::Weight { per_channel: false } => Some("weights per tensor"),
        Reason::Constant => Some("constant from its own values"),
        Reason::Untouched(_) | Reason::Bias | Reason::CorrectedBias => None,
        Reason::Calibrated { .. } => None,
        Reason::Fixed | Reason::SameAs(_) => None,
    });
    let output = node.outputs.first().and_then(|&id| plan.tensors.get(id));
    let output = output.and_then(|t| match &t.reason {
        Reason::Calibrated { min, max } => {
            let end = |x: f32| format::significant(x.into());
            Some(format!(
                "output calibrated from {} to {}",
                end(*min),
                end(*max)
            ))
        }
        Reason::Fixed => Some("output range fixed by the operator".to_owned()),
        Reason::SameAs(other) => {
            let name = main
                .tensors
                .get(*other)
                .map_or("its input", |t| short_name(&t.name));
            Some(format!("shares the scale of {name}"))
        }
        Reason::Untouched(_) | Reason::Weight { .. } | Reason::Constant => None,
        Reason::Bias | Reason::CorrectedBias => None,
    });
    match &plan.nodes[index] {
        NodePlan::Float(why) => format!("float32: {why}"),
        NodePlan::Unaffected => match weights_stay(main, node, plan) {
            Some(why) => format!("{dtype}: {why}"),
            None => format!("{dtype}: nothing in it to quantize"),
        },
        NodePlan::SmallerWeights if plan.recipe.mode == Mode::Dynamic => {
            format!("{dtype}, activations are quantized while running")
        }
        NodePlan::SmallerWeights => format!("{dtype}, computed in float32"),
        NodePlan::Quantized | NodePlan::Int16 => {
            let chosen = plan.nodes[index] == NodePlan::Int16;
            let chosen = chosen.then(|| "int16 because chosen".to_owned());
            let corrected = plan.corrections.iter().any(|c| c.node == index);
            let bias = corrected.then(|| "bias corrected for their rounding".to_owned());
            let parts: Vec<String> = chosen
                .into_iter()
                .chain(weights.map(str::to_owned))
                .chain(bias)
                .chain(output)
                .collect();
            format!("{dtype}: {}", parts.join(", "))
        }
    }
}

/// Why the float weights of an operator that the mode leaves alone stay as they are.
fn weights_stay(main: &Subgraph, node: &Node, plan: &QuantPlan) -> Option<String> {
    let weights = node.inputs.iter().flatten().find(|&&id| {
        let t = main.tensors.get(id);
        t.is_some_and(|t| t.is_constant() && t.dtype == DType::Float32)
    })?;
    match &plan.tensors.get(*weights)?.reason {
        Reason::Untouched(why) => Some(why.clone()),
        Reason::Weight { .. } | Reason::Constant => None,
        Reason::Bias | Reason::CorrectedBias => None,
        Reason::Calibrated { .. } | Reason::Fixed | Reason::SameAs(_) => None,
    }
}

/// Reports by the name of their tensor: ids differ between the model and the quantized file, names stay but for
/// the form behind them.
struct Reports<'a>(HashMap<&'a str, Vec<&'a TensorReport>>);

impl<'a> Reports<'a> {
    fn new(reports: &'a [TensorReport]) -> Self {
        let mut by_name = HashMap::<&str, Vec<&TensorReport>>::new();
        for report in reports {
            by_name.entry(&report.name).or_default().push(report);
        }
        Self(by_name)
    }

    /// Of several tensors of that name the one with the same id, else the first.
    fn of(&self, main: &Subgraph, id: TensorId) -> Option<&'a TensorReport> {
        let name = main.tensors.get(id)?.name.as_str();
        let form = |form: &&str| self.0.get(format!("{name}_{form}").as_str());
        let found = self.0.get(name).or_else(|| FORMS.iter().find_map(form))?;
        let same = found.iter().find(|r| r.tensor == id);
        same.or(found.first()).copied()
    }
}
