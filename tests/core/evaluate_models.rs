//! Small models and data sets whose figures are known by hand, for the tests of calibration and evaluation.

use std::ops::Range;
use std::sync::Arc;

use zeropoint::data::Dataset;
use zeropoint::error::Result;
use zeropoint::graph::{
    DType, Data, FullyConnected, Graph, Node, Op, Quantization, Subgraph, Tensor, Value,
};

/// Rows of reals with a label each.
pub struct Rows {
    pub rows: Vec<Vec<f32>>,
    pub labels: Option<Vec<u32>>,
}

impl Dataset for Rows {
    fn name(&self) -> &str {
        "rows"
    }
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        let rows = &self.rows[range];
        let width = rows.first().map_or(0, Vec::len);
        let value = Value::new(vec![rows.len(), width], Data::F32(rows.concat()))?;
        Ok(vec![value])
    }
    fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }
}

pub fn rows(rows: &[&[f32]], labels: Option<&[u32]>) -> Rows {
    Rows {
        rows: rows.iter().map(|r| r.to_vec()).collect(),
        labels: labels.map(<[u32]>::to_vec),
    }
}

fn f32s(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// y = W·x + b for x of `inputs` elements and y of `outputs`; `weights` row by row.
pub fn dense(inputs: usize, outputs: usize, weights: &[f32], bias: &[f32]) -> Arc<Graph> {
    let mut graph = Graph::default();
    graph.subgraphs.push(Subgraph {
        tensors: vec![
            Tensor::new("x", DType::Float32, vec![1, inputs]),
            Tensor::constant("w", DType::Float32, vec![outputs, inputs], f32s(weights)),
            Tensor::constant("b", DType::Float32, vec![outputs], f32s(bias)),
            Tensor::new("y", DType::Float32, vec![1, outputs]),
        ],
        inputs: vec![0],
        outputs: vec![3],
        nodes: vec![Node::new(
            Op::FullyConnected(FullyConnected::default()),
            vec![Some(0), Some(1), Some(2)],
            vec![3],
        )],
        debug_metadata: -1,
        ..Subgraph::default()
    });
    Arc::new(graph)
}

/// [`scaled_identity`] of `size` on [rows, size], with a RESHAPE that nails the number of rows.
pub fn fixed_batch(rows: usize, size: usize, factor: f32) -> Arc<Graph> {
    let mut graph = (*scaled_identity(size, factor)).clone();
    let main = &mut graph.subgraphs[0];
    main.tensors[0].shape = vec![rows, size];
    main.tensors[3].shape = vec![rows, size];
    let shape = [rows as i32, size as i32].map(i32::to_le_bytes).concat();
    main.tensors
        .push(Tensor::constant("shape", DType::Int32, vec![2], shape));
    main.tensors
        .push(Tensor::new("z", DType::Float32, vec![rows, size]));
    main.nodes.push(Node::new(
        Op::Reshape { new_shape: None },
        vec![Some(3), Some(4)],
        vec![5],
    ));
    main.outputs = vec![5];
    Arc::new(graph)
}

/// Two outputs: the first with one element a sample, the second the classes.
pub fn two_outputs(size: usize, factor: f32) -> Arc<Graph> {
    let mut graph = (*scaled_identity(size, factor)).clone();
    let main = &mut graph.subgraphs[0];
    let axis = 1i32.to_le_bytes().to_vec();
    main.tensors
        .push(Tensor::constant("axis", DType::Int32, vec![1], axis));
    main.tensors
        .push(Tensor::new("mean", DType::Float32, vec![1, 1]));
    main.nodes.push(Node::new(
        Op::Mean { keep_dims: true },
        vec![Some(3), Some(4)],
        vec![5],
    ));
    main.outputs = vec![5, 3];
    Arc::new(graph)
}

/// y = factor · x for `size` elements.
pub fn scaled_identity(size: usize, factor: f32) -> Arc<Graph> {
    let mut weights = vec![0.0; size * size];
    (0..size).for_each(|i| weights[i * size + i] = factor);
    dense(size, size, &weights, &vec![0.0; size])
}

/// The same function as [`scaled_identity`] in int8: x and y with this scale and zero point, weights per tensor. `io` says
/// whether the model takes and gives int8 (else float32 through QUANTIZE and DEQUANTIZE).
pub fn int8_identity(
    size: usize,
    factor: f32,
    x: (f32, i64),
    y: (f32, i64),
    io: bool,
) -> Arc<Graph> {
    let weight_scale = factor / 127.0;
    let mut weights = vec![0u8; size * size];
    (0..size).for_each(|i| weights[i * size + i] = 127);
    let activation = |name: &str, (scale, zero_point)| Tensor {
        quantization: Some(Quantization::per_tensor(scale, zero_point)),
        ..Tensor::new(name, DType::Int8, vec![1, size])
    };
    let mut w = Tensor::constant("w", DType::Int8, vec![size, size], weights);
    w.quantization = Some(Quantization::per_tensor(weight_scale, 0));
    let mut b = Tensor::constant("b", DType::Int32, vec![size], vec![0u8; size * 4]);
    b.quantization = Some(Quantization::per_tensor(x.0 * weight_scale, 0));
    let (x_name, y_name) = if io { ("x", "y") } else { ("x_int8", "y_int8") };
    let mut graph = Subgraph {
        tensors: vec![activation(x_name, x), w, b, activation(y_name, y)],
        inputs: vec![0],
        outputs: vec![3],
        nodes: vec![Node::new(
            Op::FullyConnected(FullyConnected::default()),
            vec![Some(0), Some(1), Some(2)],
            vec![3],
        )],
        debug_metadata: -1,
        ..Subgraph::default()
    };
    graph.nodes[0].version = 4;
    if !io {
        graph
            .tensors
            .push(Tensor::new("x", DType::Float32, vec![1, size]));
        graph
            .tensors
            .push(Tensor::new("y", DType::Float32, vec![1, size]));
        graph.inputs = vec![4];
        graph.outputs = vec![5];
        graph
            .nodes
            .insert(0, Node::new(Op::Quantize, vec![Some(4)], vec![0]));
        graph
            .nodes
            .push(Node::new(Op::Dequantize, vec![Some(3)], vec![5]));
    }
    Arc::new(Graph {
        subgraphs: vec![graph],
        ..Graph::default()
    })
}
