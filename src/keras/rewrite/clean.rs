//! Removes what nothing reads, and keeps equal constants once.

use std::collections::HashMap;

use bytes::Bytes;

use crate::graph::{DType, Graph, Subgraph, TensorId};

/// Removes dead nodes and tensors and shares equal constants.
pub(super) fn sweep(graph: Graph) -> Graph {
    let mut maps = vec![];
    let mut subgraphs = vec![];
    for subgraph in graph.subgraphs {
        let (subgraph, map) = sweep_one(live(subgraph));
        subgraphs.push(subgraph);
        maps.push(map);
    }
    let mut signatures = graph.signatures;
    for signature in &mut signatures {
        let ports = signature.inputs.iter_mut().chain(&mut signature.outputs);
        for (_, id) in ports {
            let map = maps.get(signature.subgraph);
            if let Some(Some(new)) = map.and_then(|m| m.get(*id)) {
                *id = *new;
            }
        }
    }
    Graph {
        subgraphs,
        signatures,
        ..graph
    }
}

/// Without the nodes whose outputs nothing reads; those that change state stay.
fn live(mut subgraph: Subgraph) -> Subgraph {
    let mut needed = vec![false; subgraph.tensors.len()];
    subgraph.outputs.iter().for_each(|&id| needed[id] = true);
    let mut kept = vec![];
    for node in subgraph.nodes.into_iter().rev() {
        let writes = node.mutating_inputs.contains(&true) || node.outputs.is_empty();
        if writes || node.outputs.iter().any(|&id| needed[id]) {
            node.inputs
                .iter()
                .flatten()
                .for_each(|&id| needed[id] = true);
            kept.push(node);
        }
    }
    kept.reverse();
    subgraph.nodes = kept;
    subgraph
}

/// Without the tensors that nothing names and the second of equal constants; and where each tensor went.
fn sweep_one(subgraph: Subgraph) -> (Subgraph, Vec<Option<TensorId>>) {
    let mut named = vec![false; subgraph.tensors.len()];
    let of_nodes = subgraph.nodes.iter().flat_map(|n| {
        let inputs = n.inputs.iter().flatten();
        inputs.chain(&n.outputs).chain(&n.intermediates)
    });
    let ends = subgraph.inputs.iter().chain(&subgraph.outputs);
    of_nodes.chain(ends).for_each(|&id| named[id] = true);
    let mut map = vec![None; subgraph.tensors.len()];
    let mut constants = HashMap::<(DType, Vec<usize>, Bytes), TensorId>::new();
    let mut tensors = vec![];
    for (id, tensor) in subgraph.tensors.into_iter().enumerate() {
        if !named[id] {
            continue;
        }
        let new = match &tensor.data {
            None => tensors.len(),
            Some(data) => *constants
                .entry((tensor.dtype, tensor.shape.clone(), data.clone()))
                .or_insert(tensors.len()),
        };
        map[id] = Some(new);
        if new == tensors.len() {
            tensors.push(tensor);
        }
    }
    let to = |id: &mut TensorId| *id = map[*id].unwrap_or(*id);
    let mut out = Subgraph {
        tensors,
        ..subgraph
    };
    out.inputs.iter_mut().chain(&mut out.outputs).for_each(to);
    for node in &mut out.nodes {
        node.inputs.iter_mut().flatten().for_each(to);
        node.outputs.iter_mut().for_each(to);
        node.intermediates.iter_mut().for_each(to);
    }
    (out, map)
}
