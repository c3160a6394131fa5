//! Computes once what several nodes compute from the same inputs.

use std::collections::HashMap;

use super::net::Net;
use crate::graph::{Op, Subgraph, TensorId};

/// Keeps the first of every group of equal nodes.
pub(super) fn merge(subgraph: Subgraph) -> Subgraph {
    let mut net = Net::new(subgraph);
    let mut seen = HashMap::<(String, Vec<Option<TensorId>>), TensorId>::new();
    for i in 0..net.nodes.len() {
        let Some(node) = net.node(i) else { continue };
        let &[out] = node.outputs.as_slice() else {
            continue;
        };
        let state = |&id: &TensorId| net.tensor(id).is_variable;
        let pure = node.mutating_inputs.is_empty() && !node.inputs.iter().flatten().any(state);
        if !pure || node.inputs.is_empty() || matches!(node.op, Op::Custom(_) | Op::Other(_)) {
            continue;
        }
        let first = *seen
            .entry((format!("{:?}", node.op), node.inputs.clone()))
            .or_insert(out);
        if first != out && net.tensor(first).dtype == net.tensor(out).dtype {
            net.bypass(i, first);
        }
    }
    net.finish()
}
