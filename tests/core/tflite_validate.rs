//! What a graph must hold, one broken rule at a time: each is one sentence that names the tensor, node or signature.

use zeropoint::error::Error;
use zeropoint::graph::{
    Activation, DType, Graph, Node, Op, Padding, Pool2d, Quantization, Signature, Subgraph, Tensor,
};

/// x → ADD(x, c) → sum → SOFTMAX → y.
fn model() -> Graph {
    let add = Op::Add {
        activation: Activation::None,
        pot_scale_int16: true,
    };
    let subgraph = Subgraph {
        tensors: vec![
            Tensor::new("x", DType::Float32, vec![1, 4]),
            Tensor::constant("c", DType::Float32, vec![4], vec![0; 16]),
            Tensor::new("sum", DType::Float32, vec![1, 4]),
            Tensor::new("y", DType::Float32, vec![1, 4]),
        ],
        inputs: vec![0],
        outputs: vec![3],
        nodes: vec![
            Node::new(add, vec![Some(0), Some(1)], vec![2]),
            Node::new(Op::Softmax { beta: 1.0 }, vec![Some(2)], vec![3]),
        ],
        debug_metadata: -1,
        ..Subgraph::default()
    };
    Graph {
        subgraphs: vec![subgraph],
        signatures: vec![Signature {
            key: "serving_default".into(),
            subgraph: 0,
            inputs: vec![("x".into(), 0)],
            outputs: vec![("y".into(), 3)],
        }],
        ..Graph::default()
    }
}

/// What is said of the model once `change` has been made; it must contain all `words`.
fn says(change: impl FnOnce(&mut Graph), words: &[&str]) {
    let mut graph = model();
    change(&mut graph);
    let error = graph.validate().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Malformed(_)), "{text}");
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?}");
}

fn quantized(graph: &mut Graph, id: usize, dtype: DType, q: Quantization) {
    let tensor = &mut graph.subgraphs[0].tensors[id];
    tensor.dtype = dtype;
    tensor.quantization = Some(q);
    if let Some(data) = &mut tensor.data {
        *data = vec![0; 4 * dtype.bits() / 8].into();
    }
}

#[test]
fn a_right_model_is_right() {
    model().validate().unwrap();
}

#[test]
fn indices_exist() {
    says(|g| g.subgraphs.clear(), &["no subgraph"]);
    says(
        |g| g.subgraphs[0].inputs = vec![9],
        &["Input tensor 9", "4"],
    );
    says(|g| g.subgraphs[0].outputs = vec![4], &["Output tensor 4"]);
    says(
        |g| g.subgraphs[0].nodes[0].inputs[1] = Some(7),
        &["Node 0 ADD", "tensor 7"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].outputs = vec![8],
        &["Node 1 SOFTMAX", "tensor 8"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].intermediates = vec![5],
        &["tensor 5"],
    );
    says(
        |g| g.signatures[0].subgraph = 1,
        &["serving_default", "subgraph 1"],
    );
    says(
        |g| g.signatures[0].inputs[0].1 = 12,
        &["serving_default", "tensor 12", "\"x\""],
    );
    says(
        |g| g.subgraphs[0].nodes[0].mutating_inputs = vec![true],
        &["Node 0 ADD", "2"],
    );
}

#[test]
fn tensors_are_defined_once_and_before_use() {
    says(
        |g| g.subgraphs[0].nodes.swap(0, 1),
        &["Node 0 SOFTMAX", "tensor 2 \"sum\"", "nothing has computed"],
    );
    says(
        |g| g.subgraphs[0].inputs = vec![0, 0],
        &["tensor 0 \"x\"", "twice"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].outputs = vec![2],
        &["Node 1 SOFTMAX", "tensor 2 \"sum\"", "node 0 already"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].outputs = vec![1],
        &["tensor 1 \"c\"", "constant"],
    );
    says(
        |g| {
            g.subgraphs[0].nodes.pop();
        },
        &["Output tensor 3 \"y\"", "no node"],
    );
    // State may be read before it is written.
    let mut graph = model();
    graph.subgraphs[0].tensors[0].is_variable = true;
    graph.subgraphs[0].inputs.clear();
    graph.validate().unwrap();
}

#[test]
fn data_fill_shapes() {
    says(
        |g| g.subgraphs[0].tensors[1].shape = vec![5],
        &["Tensor 1 \"c\"", "16 bytes", "20"],
    );
    says(
        |g| g.subgraphs[0].tensors[0].shape = vec![1 << 30, 1 << 30, 1 << 30],
        &["Tensor 0 \"x\"", "address"],
    );
    says(
        |g| g.subgraphs[0].tensors[0].shape = vec![1 << 33],
        &["axis 0", "32 bits"],
    );
    says(
        |g| g.subgraphs[0].tensors[0].shape_signature = Some(vec![-1]),
        &["Tensor 0 \"x\"", "signature [-1]"],
    );
    let mut packed = model();
    packed.subgraphs[0].tensors[1] = Tensor::constant("c", DType::Int4, vec![3], vec![0; 2]);
    packed.validate().unwrap();
}

#[test]
fn quantization_makes_sense() {
    let per_tensor = Quantization::per_tensor;
    says(
        |g| quantized(g, 2, DType::Int8, per_tensor(f32::NAN, 0)),
        &["\"sum\"", "NaN"],
    );
    says(
        |g| quantized(g, 2, DType::Int8, per_tensor(-1.0, 0)),
        &["\"sum\"", "-1"],
    );
    says(
        |g| quantized(g, 2, DType::Int8, per_tensor(0.0, 0)),
        &["\"sum\"", "scale 0 is 0"],
    );
    says(
        |g| quantized(g, 2, DType::Int8, per_tensor(1.0, 128)),
        &["zero point", "128", "int8"],
    );
    says(
        |g| quantized(g, 2, DType::UInt8, per_tensor(1.0, -1)),
        &["zero point", "-1"],
    );
    says(
        |g| {
            quantized(
                g,
                1,
                DType::Int8,
                Quantization::per_channel(vec![1.0; 3], 0),
            )
        },
        &["Tensor 1 \"c\"", "3 scales", "axis 0"],
    );
    says(
        |g| {
            quantized(
                g,
                1,
                DType::Int8,
                Quantization::per_channel(vec![1.0; 4], 1),
            )
        },
        &["4 scales", "axis 1"],
    );
    says(
        |g| {
            let q = Quantization {
                scales: vec![1.0],
                ..Quantization::default()
            };
            quantized(g, 1, DType::Int8, q);
        },
        &["1 scales", "0 zero points"],
    );
    // A dead channel's scale.
    let mut dead = model();
    let scales = Quantization::per_channel(vec![1.0, 0.0, 1.0, 1.0], 0);
    quantized(&mut dead, 1, DType::Int8, scales);
    dead.validate().unwrap();
}

#[test]
fn operators_have_what_they_need() {
    says(
        |g| g.subgraphs[0].nodes[0].inputs[1] = None,
        &["Node 0 ADD", "input 1 is missing"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].outputs.clear(),
        &["Node 1 SOFTMAX", "no output"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].op = Op::Softmax { beta: f32::NAN },
        &["Node 1 SOFTMAX", "beta"],
    );
    let pool = |stride, filter| {
        Op::MaxPool2d(Pool2d {
            padding: Padding::Same,
            stride,
            filter,
            activation: Activation::None,
        })
    };
    says(
        |g| g.subgraphs[0].nodes[1].op = pool([0, 1], [1, 1]),
        &["stride 0×1"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].op = pool([1, 1], [2, -1]),
        &["window 2×-1"],
    );
    let concatenation = |axis| Op::Concatenation {
        axis,
        activation: Activation::None,
    };
    says(
        |g| g.subgraphs[0].nodes[1].op = concatenation(2),
        &["axis 2", "2 axes"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].op = concatenation(-3),
        &["axis -3"],
    );
    let pack = |axis, values_count| Op::Pack { axis, values_count };
    says(
        |g| g.subgraphs[0].nodes[1].op = pack(3, 1),
        &["axis 3", "3 axes"],
    );
    says(
        |g| g.subgraphs[0].nodes[1].op = pack(0, 2),
        &["packs 2 tensors", "has 1"],
    );
    let mut right = model();
    right.subgraphs[0].nodes[1].op = pack(2, 1);
    right.validate().unwrap();
}

#[test]
fn odd_names_do_not_break_the_sentence() {
    says(
        |g| {
            g.subgraphs[0].tensors[1].name = "two\nlines".into();
            g.subgraphs[0].tensors[1].shape = vec![5];
        },
        &["Tensor 1 \"two\\nlines\""],
    );
}

#[test]
fn several_subgraphs_are_told_apart() {
    says(
        |g| {
            let mut second = g.subgraphs[0].clone();
            second.nodes.swap(0, 1);
            g.subgraphs.push(second);
        },
        &["Subgraph 1", "Node 0 SOFTMAX"],
    );
}
