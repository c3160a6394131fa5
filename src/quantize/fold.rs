//! Constants that a file stores packed (float16 behind DEQUANTIZE, sparse behind DENSIFY) as the float32 constants they stand for.

use std::borrow::Cow;

use super::params::from_f16;
use crate::graph::{DType, Node, Op, Subgraph, Tensor, TensorId};

/// `main` with every float16 constant that only DEQUANTIZE nodes read widened to float32, and its readers reading it directly.
/// Tensors and nodes keep their numbers; what unpacked the constant stays behind as a node that nobody reads.
pub fn unpacked(main: &Subgraph) -> Cow<'_, Subgraph> {
    // For what is unpacked: the constant it comes from.
    let mut sources: Vec<Option<TensorId>> = vec![None; main.tensors.len()];
    let mut fixed = vec![false; main.tensors.len()];
    for node in &main.nodes {
        match unpacks(main, node) {
            Some((packed, unpacked)) => sources[unpacked] = Some(packed),
            None => node.inputs.iter().flatten().for_each(|&t| fixed[t] = true),
        }
    }
    // Constants that something else reads too, and what the model gives away, stay.
    for &t in &main.outputs {
        fixed[t] = true;
        if let Some(packed) = sources[t] {
            fixed[packed] = true;
        }
    }
    let mut graph = Cow::Borrowed(main);
    for source in &mut sources {
        let Some(packed) = *source else { continue };
        let wide = match fixed[packed] {
            true => None,
            false => widened(&main.tensors[packed]),
        };
        match wide {
            Some(wide) => graph.to_mut().tensors[packed] = wide,
            None => *source = None,
        }
    }
    if let Cow::Owned(graph) = &mut graph {
        for t in graph.nodes.iter_mut().flat_map(|n| &mut n.inputs) {
            *t = t.map(|t| sources[t].unwrap_or(t));
        }
    }
    graph
}

/// Whether `node` is what [`unpacked`] left behind.
pub fn is_left_behind(main: &Subgraph, node: &Node) -> bool {
    let input = node.input(0).and_then(|t| main.tensors.get(t));
    matches!(node.op, Op::Dequantize | Op::Densify)
        && input.is_some_and(|t| t.dtype == DType::Float32 && t.is_constant() && t.extra.is_none())
}

/// The packed constant that a node reads and the float32 tensor that it makes of it.
fn unpacks(main: &Subgraph, node: &Node) -> Option<(TensorId, TensorId)> {
    let (&Op::Dequantize, &[output]) = (&node.op, &node.outputs[..]) else {
        return None;
    };
    let input = node.input(0)?;
    let (from, to) = (main.tensors.get(input)?, main.tensors.get(output)?);
    let half = from.dtype == DType::Float16 && from.is_constant() && from.extra.is_none();
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
