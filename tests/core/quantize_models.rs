//! Small graphs that the quantization tests build by hand.

use zeropoint::calibrate::{Calibration, Range};
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, QuantPlan, Recipe, apply, plan};

/// A float32 tensor that is computed or fed.
pub fn real(name: &str, shape: &[usize]) -> Tensor {
    Tensor::new(name, DType::Float32, shape.to_vec())
}

/// A float32 constant.
pub fn weights(name: &str, shape: &[usize], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::constant(name, DType::Float32, shape.to_vec(), bytes)
}

/// An int32 constant.
pub fn ints(name: &str, shape: &[usize], values: &[i32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::constant(name, DType::Int32, shape.to_vec(), bytes)
}

/// A node with these inputs and one output.
pub fn node(op: Op, inputs: &[usize], output: usize) -> Node {
    Node::new(op, inputs.iter().map(|&t| Some(t)).collect(), vec![output])
}

/// A 1×1 convolution without extras.
pub fn conv() -> Op {
    Op::Conv2d(Conv2d {
        padding: Padding::Same,
        stride: [1, 1],
        dilation: [1, 1],
        activation: Activation::None,
        quantized_bias: None,
    })
}

/// CONCATENATION along the last axis.
pub fn concat() -> Op {
    Op::Concatenation {
        axis: -1,
        activation: Activation::None,
    }
}

/// An operator that nobody quantizes.
pub fn custom() -> Op {
    Op::Custom(CustomOp {
        code: "Mystery".into(),
        options: Default::default(),
        options_format: 0,
    })
}

/// A graph of one subgraph with the signature `serve`.
pub fn model(tensors: Vec<Tensor>, inputs: &[usize], outputs: &[usize], nodes: Vec<Node>) -> Graph {
    let named = |ids: &[usize]| ids.iter().map(|&t| (tensors[t].name.clone(), t)).collect();
    let signature = Signature {
        key: "serve".into(),
        subgraph: 0,
        inputs: named(inputs),
        outputs: named(outputs),
    };
    Graph {
        signatures: vec![signature],
        subgraphs: vec![Subgraph {
            name: Some("main".into()),
            tensors,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            nodes,
            debug_metadata: -1,
        }],
        ..Graph::default()
    }
}

/// Ranges for the tensors of a graph, `None` for NaN.
pub fn ranges(pairs: &[(f32, f32)]) -> Calibration {
    Calibration {
        samples: 1,
        ranges: pairs
            .iter()
            .map(|&(min, max)| (!min.is_nan()).then_some(Range { min, max }))
            .collect(),
        ..Calibration::default()
    }
}

/// No range.
pub const NONE: (f32, f32) = (f32::NAN, f32::NAN);

/// A recipe with the settings that matter here.
pub fn recipe(mode: Mode, io: Io) -> Recipe {
    Recipe {
        mode,
        io,
        ..Recipe::default()
    }
}

/// Plan and graph, for what must work.
pub fn quantized(graph: &Graph, recipe: &Recipe, calibration: &Calibration) -> (QuantPlan, Graph) {
    let plan = plan(graph, recipe, Some(calibration)).expect("a plan");
    let graph = apply(graph, &plan, &Progress::new()).expect("a graph");
    (plan, graph)
}

/// Operator names in order.
pub fn ops(graph: &Graph) -> Vec<&str> {
    graph.main().nodes.iter().map(|n| n.op.name()).collect()
}

/// The tensor that is output `i` of the model.
pub fn output(graph: &Graph, i: usize) -> &Tensor {
    &graph.main().tensors[graph.main().outputs[i]]
}

/// The tensor that is input `slot` of node `i`.
pub fn input_of(graph: &Graph, i: usize, slot: usize) -> &Tensor {
    let id = graph.main().nodes[i].input(slot).expect("an input");
    &graph.main().tensors[id]
}

/// The tensor that node `i` makes.
pub fn output_of(graph: &Graph, i: usize) -> &Tensor {
    &graph.main().tensors[graph.main().nodes[i].outputs[0]]
}

/// Scale and zero point of a per-tensor quantization.
pub fn step(t: &Tensor) -> (f32, i64) {
    let q = t.quantization.as_ref().expect("parameters");
    assert_eq!((q.scales.len(), q.zero_points.len()), (1, 1), "{}", t.name);
    (q.scales[0], q.zero_points[0])
}

/// Integers of a constant.
pub fn integers(t: &Tensor) -> Vec<i64> {
    let data = t.data.as_ref().expect("a constant");
    match t.dtype {
        DType::Int8 => data.iter().map(|&b| (b as i8).into()).collect(),
        DType::UInt8 => data.iter().map(|&b| b.into()).collect(),
        DType::Int16 => chunks(data, |b: [u8; 2]| i16::from_le_bytes(b).into()),
        DType::Int32 => chunks(data, |b: [u8; 4]| i32::from_le_bytes(b).into()),
        DType::Int64 => chunks(data, i64::from_le_bytes),
        other => panic!("{other} is no integer"),
    }
}

fn chunks<const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> i64) -> Vec<i64> {
    let (chunks, rest) = data.as_chunks::<N>();
    assert!(rest.is_empty());
    chunks.iter().map(|&c| f(c)).collect()
}
