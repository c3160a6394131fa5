//! Constants that a file stores packed (float16 behind DEQUANTIZE, sparse behind DENSIFY) as the float32 constants they stand for.

use std::borrow::Cow;

use super::params::from_f16;
use crate::error::Result;
use crate::graph::{DType, Node, Op, Subgraph, Tensor, TensorId};

/// `main` with every sparse float constant dense, every float16 constant that only DEQUANTIZE nodes read widened to float32,
/// and what read their unpacked form reading them directly. Tensors and nodes keep their numbers; what unpacked a constant
/// stays behind as a node that nobody reads.
///
/// # Errors
/// Malformed if a sparse constant contradicts itself, naming it.
pub fn unpacked(main: &Subgraph) -> Result<Cow<'_, Subgraph>> {
    let mut graph = Cow::Borrowed(main);
    for (t, tensor) in main.tensors.iter().enumerate() {
        let real = matches!(tensor.dtype, DType::Float32 | DType::Float16);
        let dense = match real {
            true => tensor.densified(),
            false => Ok(None),
        };
        let dense = dense.map_err(|e| e.at(format_args!("Tensor {t} {:?}", tensor.name)))?;
        if let Some(dense) = dense {
            let tensor = &mut graph.to_mut().tensors[t];
            tensor.data = Some(dense.into());
            tensor.sparsity = None;
        }
    }
    replace(&mut graph, |main, node| {
        let (Op::Densify, from, to) = (&node.op, node.input(0)?, *node.outputs.first()?) else {
            return None;
        };
        let (dense, same) = (main.tensors.get(from)?, main.tensors.get(to)?);
        (is_plain(dense) && dense.dtype == same.dtype).then_some((from, to))
    });
    widen(&mut graph);
    Ok(graph)
}

/// Whether a tensor is a constant whose bytes are its elements.
fn is_plain(t: &Tensor) -> bool {
    t.is_constant() && t.extra.is_none() && t.sparsity.is_none()
}

/// Where `unpacks` says that a node makes the second of two tensors of the first, lets all readers read the first.
fn replace(
    graph: &mut Cow<'_, Subgraph>,
    unpacks: impl Fn(&Subgraph, &Node) -> Option<(TensorId, TensorId)>,
) {
    let mut sources: Vec<Option<TensorId>> = vec![None; graph.tensors.len()];
    for node in &graph.nodes {
        if let Some((from, to)) = unpacks(graph, node)
            && !graph.outputs.contains(&to)
        {
            sources[to] = Some(from);
        }
    }
    if sources.iter().all(Option::is_none) {
        return;
    }
    for t in graph.to_mut().nodes.iter_mut().flat_map(|n| &mut n.inputs) {
        *t = t.map(|t| sources[t].unwrap_or(t));
    }
}

/// Float16 constants that only DEQUANTIZE nodes read become float32.
fn widen(graph: &mut Cow<'_, Subgraph>) {
    let mut read = vec![false; graph.tensors.len()];
    let mut halves = vec![false; graph.tensors.len()];
    for node in &graph.nodes {
        match widens(graph, node) {
            Some((half, wide)) => {
                halves[half] = true;
                // What the model gives away stays as it is.
                read[half] |= graph.outputs.contains(&wide);
            }
            None if node.op == Op::Densify => {}
            None => node.inputs.iter().flatten().for_each(|&t| read[t] = true),
        }
    }
    graph.outputs.iter().for_each(|&t| read[t] = true);
    let mut wide: Vec<(TensorId, Tensor)> = vec![];
    for (t, tensor) in graph.tensors.iter().enumerate() {
        if halves[t] && !read[t] {
            wide.extend(widened(tensor).map(|tensor| (t, tensor)));
        }
    }
    let ids: Vec<TensorId> = wide.iter().map(|(t, _)| *t).collect();
    replace(graph, |main, node| {
        widens(main, node).filter(|(half, _)| ids.binary_search(half).is_ok())
    });
    for (t, tensor) in wide {
        graph.to_mut().tensors[t] = tensor;
    }
}

/// Whether `node` is what [`unpacked`] left behind.
pub fn is_left_behind(main: &Subgraph, node: &Node) -> bool {
    let input = node.input(0).and_then(|t| main.tensors.get(t));
    matches!(node.op, Op::Dequantize | Op::Densify)
        && input.is_some_and(|t| t.dtype == DType::Float32 && is_plain(t))
}

/// The float16 constant that a node reads and the float32 tensor that it makes of it.
fn widens(main: &Subgraph, node: &Node) -> Option<(TensorId, TensorId)> {
    let (&Op::Dequantize, &[output]) = (&node.op, &node.outputs[..]) else {
        return None;
    };
    let input = node.input(0)?;
    let (from, to) = (main.tensors.get(input)?, main.tensors.get(output)?);
    let half = from.dtype == DType::Float16 && is_plain(from);
    (half && to.dtype == DType::Float32).then_some((input, output))
}

/// The float32 constant that a float16 constant stands for.
fn widened(t: &Tensor) -> Option<Tensor> {
    let data: Vec<u8> = from_f16(t.data.as_ref()?)
        .flat_map(f32::to_le_bytes)
        .collect();
    Some(Tensor {
        dtype: DType::Float32,
        quantization: None,
        data: Some(data.into()),
        ..t.clone()
    })
}
