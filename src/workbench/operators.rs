//! The table of operators: what this version does with each builtin operator of the format.

use crate::engine::{self, Runs};
use crate::graph::{Activation, Graph, Lstm, Op, Svdf, UnidirectionalSequenceLstm};
use crate::quantize::{self, NodePlan, QuantPlan, Support};
use crate::tflite;

/// One operator of the format. Every one opens: what is not understood is kept and written back as it was.
#[derive(Debug, Clone)]
pub struct OperatorRow {
    /// Upper-case name as in the format.
    pub name: String,
    /// Types in which it runs.
    pub runs: Runs,
    /// Modes in which it is quantized, or why not.
    pub quantized: Support,
}

/// All builtin operators in the order of their names.
pub fn operator_table() -> Vec<OperatorRow> {
    let mut rows: Vec<_> = tflite::builtin_operators()
        .into_iter()
        .map(usual)
        .map(|op| OperatorRow {
            name: op.name().to_owned(),
            runs: engine::runs(&op),
            quantized: quantize::support(&op),
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// The operator as networks have it, where LiteRT's integer kernels take no other activation function: the schema's default is none.
fn usual(op: Op) -> Op {
    match op {
        Op::Lstm(o) => Op::Lstm(Lstm {
            activation: Activation::Tanh,
            ..o
        }),
        Op::UnidirectionalSequenceLstm(o) => {
            Op::UnidirectionalSequenceLstm(UnidirectionalSequenceLstm {
                activation: Activation::Tanh,
                ..o
            })
        }
        Op::Svdf(o) => Op::Svdf(Svdf {
            activation: Activation::Relu,
            ..o
        }),
        other => other,
    }
}

/// Operators that stay float although the mode would quantize them: index, name, reason.
pub fn float_operators(graph: &Graph, plan: &QuantPlan) -> Vec<(usize, String, String)> {
    let nodes = graph.main().nodes.iter().zip(&plan.nodes).enumerate();
    nodes
        .filter_map(|(i, (node, plan))| match plan {
            NodePlan::Float(why) => Some((i, node.op.name().to_owned(), why.clone())),
            NodePlan::Quantized
            | NodePlan::Int16
            | NodePlan::SmallerWeights
            | NodePlan::Unaffected => None,
        })
        .collect()
}
