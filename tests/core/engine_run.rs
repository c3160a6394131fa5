//! What the engine promises beside its numbers: batches, shapes, memory, observers, and clear errors.

use std::sync::Arc;

use zeropoint::engine::{KernelSet, Observer, Options, View, batchable, prepare};
use zeropoint::error::Error;
use zeropoint::graph::{
    Activation, Conv2d, DType, Data, FullyConnected, Graph, Node, Op, OtherOp, Padding, Pool2d,
    Quantization, StridedSlice, Subgraph, Tensor, Value,
};

use crate::golden_file::Golden;

const REFERENCE: Options = Options {
    kernels: KernelSet::Reference,
    threads: 1,
    subgraph: 0,
};

fn graph(
    tensors: Vec<Tensor>,
    nodes: Vec<Node>,
    inputs: &[usize],
    outputs: &[usize],
) -> Arc<Graph> {
    Arc::new(Graph {
        subgraphs: vec![Subgraph {
            tensors,
            nodes,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            debug_metadata: -1,
            ..Subgraph::default()
        }],
        ..Graph::default()
    })
}

fn f32s(name: &str, shape: &[usize]) -> Tensor {
    Tensor::new(name, DType::Float32, shape.to_vec())
}

fn i32s(name: &str, values: &[i32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::constant(name, DType::Int32, vec![values.len()], bytes)
}

fn node(op: Op, inputs: &[usize], output: usize) -> Node {
    Node::new(op, inputs.iter().map(|&i| Some(i)).collect(), vec![output])
}

fn floats(shape: &[usize], start: f32) -> Value {
    let n = shape.iter().product::<usize>();
    let data = (0..n)
        .map(|i| start + i as f32 * 0.37 - (i % 7) as f32)
        .collect();
    Value::new(shape.to_vec(), Data::F32(data)).unwrap()
}

/// Rows of arrays one below the other.
fn stack(values: &[Value]) -> Value {
    let mut shape = values[0].shape.clone();
    shape[0] = values.len();
    macro_rules! join { ($($v:ident),*) => { match &values[0].data {
        $(Data::$v(_) => Data::$v(values.iter().flat_map(|v| match &v.data {
            Data::$v(x) => x.clone(),
            _ => panic!("mixed types"),
        }).collect()),)*
        _ => panic!("not a type of this test"),
    } } }
    Value::new(shape, join!(F32, I8, U8, I16)).unwrap()
}

#[test]
fn batches_give_what_single_runs_give() {
    let golden = Golden::open("networks_mnist.bin.gz");
    for case in &golden.cases {
        let graph = golden.graph(case).unwrap();
        assert!(batchable(&graph, 0), "{}", case.name);
        for (kernels, threads) in [
            (KernelSet::Reference, 1),
            (KernelSet::Fast, 1),
            (KernelSet::Fast, 3),
        ] {
            let options = Options {
                kernels,
                threads,
                subgraph: 0,
            };
            let image = golden.value(&case.inputs[0]);
            let images: Vec<Value> = (0..5).map(|turn| rotated(&image, 97 * turn)).collect();
            let mut shape = image.shape.clone();
            shape[0] = images.len();
            let mut single = prepare(graph.clone(), None, &options).unwrap();
            let mut batched = prepare(graph.clone(), Some(&[shape]), &options).unwrap();
            assert_eq!(batched.output_shapes(), [[5, 10]]);
            let run = |v: &Value| single.run(std::slice::from_ref(v), None).unwrap().remove(0);
            let want = stack(&images.iter().map(run).collect::<Vec<_>>());
            let got = batched.run(&[stack(&images)], None).unwrap().remove(0);
            assert!(
                same(&got, &want),
                "{} {kernels:?} {threads} threads: {got:?}, not {want:?}",
                case.name
            );
        }
    }
}

/// The same pixels, moved along.
fn rotated(image: &Value, by: usize) -> Value {
    macro_rules! turn { ($($v:ident),*) => { match &image.data {
        $(Data::$v(x) => { let mut x = x.clone(); x.rotate_left(by); Data::$v(x) })*
        _ => panic!("not a type of this test"),
    } } }
    Value::new(image.shape.clone(), turn!(F32, I8, U8, I16)).unwrap()
}

/// Equal integers; floats within 1e-6 of the peak.
fn same(got: &Value, want: &Value) -> bool {
    match (got.as_f32(), want.as_f32()) {
        (Some(g), Some(w)) => {
            let peak = w.iter().fold(0f32, |m, v| m.max(v.abs()));
            got.shape == want.shape && g.iter().zip(w).all(|(g, w)| (g - w).abs() <= 1e-6 * peak)
        }
        _ => got == want,
    }
}

#[test]
fn a_batch_that_does_not_follow_is_not_batchable() {
    let reshape = |shape: &[i32]| Op::Reshape {
        new_shape: Some(shape.to_vec()),
    };
    let model = |shape: &[i32]| {
        let tensors = vec![f32s("in", &[1, 6]), f32s("out", &[1, 6])];
        graph(tensors, vec![node(reshape(shape), &[0], 1)], &[0], &[1])
    };
    assert!(batchable(&model(&[-1, 3, 2]), 0));
    assert!(!batchable(&model(&[1, 3, 2]), 0), "fixed batch");
    assert!(!batchable(&model(&[-1, 3]), 0), "rows are cut in two");
    assert!(
        !batchable(&model(&[3, -1]), 0),
        "the batch ends up elsewhere"
    );
    assert!(!batchable(&model(&[-1, 6]), 7), "no such subgraph");
}

#[test]
fn shape_chains_become_static() {
    // RESHAPE(x, PACK(SHAPE(x)[0], -1)): Keras's Flatten.
    let slice = StridedSlice {
        shrink_axis_mask: 1,
        ..StridedSlice::default()
    };
    let minus_one = Tensor::constant("m1", DType::Int32, vec![], (-1i32).to_le_bytes().to_vec());
    let tensors = vec![
        f32s("x", &[1, 2, 3]),
        Tensor::new("shape", DType::Int32, vec![3]),
        i32s("0", &[0]),
        i32s("1", &[1]),
        Tensor::new("batch", DType::Int32, vec![]),
        minus_one,
        Tensor::new("target", DType::Int32, vec![2]),
        f32s("y", &[1, 6]),
    ];
    let pack = Op::Pack {
        axis: 0,
        values_count: 2,
    };
    let shape = Op::Shape {
        out_type: DType::Int32,
    };
    let nodes = vec![
        node(shape, &[0], 1),
        node(Op::StridedSlice(slice), &[1, 2, 3, 3], 4),
        node(pack, &[4, 5], 6),
        node(Op::Reshape { new_shape: None }, &[0, 6], 7),
    ];
    let model = graph(tensors, nodes, &[0], &[7]);
    let mut prepared = prepare(model, Some(&[vec![4, 2, 3]]), &REFERENCE).unwrap();
    assert_eq!(prepared.output_shapes(), [[4, 6]]);
    assert_eq!(prepared.memory(), 0, "nothing is left to compute");
    let x = floats(&[4, 2, 3], 0.0);
    assert_eq!(
        prepared.run(std::slice::from_ref(&x), None).unwrap()[0].data,
        x.data
    );
}

struct Order(Vec<usize>);

impl Observer for Order {
    fn tensor(&mut self, id: usize, _: View<'_>) {
        self.0.push(id);
    }
}

#[test]
fn long_chains_take_two_slots_and_observers_see_every_tensor_once_in_order() {
    let n = 1000;
    let tensors = (0..=12).map(|i| f32s(&format!("t{i}"), &[1, n])).collect();
    let nodes = (0..12).map(|i| node(Op::Relu, &[i], i + 1)).collect();
    let model = graph(tensors, nodes, &[0], &[12]);
    let mut prepared = prepare(model, None, &REFERENCE).unwrap();
    assert_eq!(prepared.memory(), 2 * n * 4);
    let mut order = Order(vec![]);
    prepared
        .run(&[floats(&[1, n], 0.0)], Some(&mut order))
        .unwrap();
    assert_eq!(order.0, (0..=12).collect::<Vec<_>>());
}

#[test]
fn a_tensor_that_is_read_late_keeps_its_place() {
    // relu -> relu6 -> tanh -> add(tanh, relu) with a reshape of the relu in between.
    let add = Op::Add {
        activation: Activation::None,
        pot_scale_int16: false,
    };
    let same_shape = Op::Reshape {
        new_shape: Some(vec![1, 6]),
    };
    let tensors = (0..6).map(|i| f32s(&format!("t{i}"), &[1, 6])).collect();
    let nodes = vec![
        node(Op::Relu, &[0], 1),
        node(same_shape, &[1], 2),
        node(Op::Relu6, &[1], 3),
        node(Op::Tanh, &[3], 4),
        node(add, &[4, 2], 5),
    ];
    let model = graph(tensors, nodes, &[0], &[5, 2]);
    let mut prepared = prepare(model, None, &REFERENCE).unwrap();
    let x = floats(&[1, 6], -2.0);
    let out = prepared.run(std::slice::from_ref(&x), None).unwrap();
    let relu: Vec<f32> = x.as_f32().unwrap().iter().map(|v| v.max(0.0)).collect();
    let sum: Vec<f32> = relu.iter().map(|v| v.min(6.0).tanh() + v).collect();
    assert_eq!(out[0].as_f32().unwrap(), sum);
    assert_eq!(out[1].as_f32().unwrap(), relu);
}

/// The error of preparing, which must be of the given kind and hold all the words.
#[track_caller]
fn refused(model: Arc<Graph>, kind: fn(String) -> Error, words: &[&str]) {
    let error = prepare(model, None, &REFERENCE).expect_err("must be refused");
    let text = error.to_string();
    assert_eq!(error, kind(text.clone()), "of another kind: {text}");
    for word in words {
        assert!(text.contains(word), "\"{text}\" does not say \"{word}\"");
    }
}

fn conv(stride: i32, padding: Padding) -> Op {
    Op::Conv2d(Conv2d {
        padding,
        stride: [stride, 1],
        dilation: [1, 1],
        activation: Activation::None,
        quantized_bias: None,
    })
}

fn conv_model(op: Op, input: &[usize], filter: &[usize]) -> Arc<Graph> {
    let bytes = vec![0; 4 * filter.iter().product::<usize>()];
    let weights = Tensor::constant("w", DType::Float32, filter.to_vec(), bytes);
    let tensors = vec![f32s("x", input), weights, f32s("y", &[1])];
    graph(tensors, vec![node(op, &[0, 1], 2)], &[0], &[2])
}

#[test]
fn what_cannot_run_says_which_node_and_why() {
    let other = Op::Other(OtherOp {
        code: 26,
        name: "SPACE_TO_DEPTH".into(),
        options: Default::default(),
    });
    let pair = || vec![f32s("x", &[1, 4]), f32s("y", &[1, 4])];
    let unknown = graph(
        pair(),
        vec![node(Op::Relu, &[0], 1), node(other, &[1], 0)],
        &[0],
        &[1],
    );
    refused(
        unknown,
        Error::Unsupported,
        &["node 1, SPACE_TO_DEPTH", "cannot run yet"],
    );

    let malformed = Error::Malformed;
    let one = |op: Op, inputs: &[usize]| graph(pair(), vec![node(op, inputs, 1)], &[0], &[1]);
    refused(
        one(Op::Relu, &[1]),
        malformed,
        &["node 0, RELU", "\"y\"", "before it is computed"],
    );
    refused(
        one(Op::Relu, &[9]),
        malformed,
        &["node 0, RELU", "tensor 9"],
    );
    refused(
        one(Op::Transpose, &[0]),
        malformed,
        &["TRANSPOSE", "input 1 is missing"],
    );
    let same = Padding::Same;
    refused(
        conv_model(conv(0, same), &[1, 4, 4, 2], &[1, 3, 3, 2]),
        malformed,
        &["stride"],
    );
    refused(
        conv_model(conv(1, same), &[1, 4, 4, 3], &[1, 3, 3, 2]),
        malformed,
        &["\"w\"", "3 input channels"],
    );
    refused(
        conv_model(conv(1, Padding::Valid), &[1, 2, 4, 2], &[1, 3, 3, 2]),
        malformed,
        &["3 pixels"],
    );
    refused(
        conv_model(conv(1, same), &[1, 4, 2], &[1, 3, 3, 2]),
        malformed,
        &["\"x\"", "4 axes"],
    );
    let never = graph(pair(), vec![], &[0], &[1]);
    refused(never, malformed, &["\"y\"", "never computed"]);
    let twice = vec![node(Op::Relu, &[0], 1), node(Op::Relu6, &[0], 1)];
    refused(
        graph(pair(), twice, &[0], &[1]),
        malformed,
        &["node 1", "defined twice"],
    );
    let outside = graph(pair(), vec![], &[0], &[5]);
    refused(outside, malformed, &["tensor 5", "does not exist"]);
}

fn int8(name: &str, scale: f32, zero_point: i64) -> Tensor {
    Tensor {
        quantization: Some(Quantization::per_tensor(scale, zero_point)),
        ..Tensor::new(name, DType::Int8, vec![1, 4, 4, 2])
    }
}

#[test]
fn quantization_that_makes_no_sense_is_refused() {
    let relu = |input: Tensor, output: Tensor| {
        graph(
            vec![input, output],
            vec![node(Op::Relu, &[0], 1)],
            &[0],
            &[1],
        )
    };
    let malformed = Error::Malformed;
    let good = || int8("y", 0.5, 0);
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        refused(
            relu(int8("x", scale, 0), good()),
            malformed,
            &["\"x\"", "scale"],
        );
    }
    refused(
        relu(int8("x", 0.5, 200), good()),
        malformed,
        &["\"x\"", "zero point 200"],
    );
    refused(
        relu(int8("x", 1e30, 0), int8("y", 1e-30, 0)),
        malformed,
        &["too large"],
    );
    let bare = Tensor::new("x", DType::Int8, vec![1, 4, 4, 2]);
    refused(relu(bare, good()), malformed, &["\"x\"", "no scale"]);
    let pool = Op::MaxPool2d(Pool2d {
        padding: Padding::Same,
        stride: [2, 2],
        filter: [2, 2],
        activation: Activation::None,
    });
    let tensors = vec![int8("x", 0.5, 0), int8("y", 0.25, 0)];
    let model = graph(tensors, vec![node(pool, &[0], 1)], &[0], &[1]);
    refused(model, malformed, &["MAX_POOL_2D", "same scale"]);
}

#[test]
fn hostile_sizes_are_refused_before_anything_is_allocated() {
    let huge = 1usize << 40;
    let tensors = vec![f32s("x", &[huge, huge]), f32s("y", &[1])];
    let model = graph(tensors, vec![node(Op::Relu, &[0], 1)], &[0], &[1]);
    refused(model, Error::Invalid, &["\"x\"", "GiB"]);

    let short = Tensor::constant("c", DType::Float32, vec![huge, huge], vec![0; 4]);
    let tensors = vec![f32s("x", &[1]), short, f32s("y", &[1])];
    let model = graph(tensors, vec![node(Op::Relu, &[1], 2)], &[0], &[2]);
    refused(model, Error::Invalid, &["\"c\"", "GiB"]);
    let short = Tensor::constant("c", DType::Float32, vec![2, 2], vec![0; 4]);
    let tensors = vec![f32s("x", &[1]), short, f32s("y", &[1])];
    let model = graph(tensors, vec![node(Op::Relu, &[1], 2)], &[0], &[2]);
    refused(model, Error::Malformed, &["\"c\"", "4 bytes"]);

    let weights = Tensor::constant("w", DType::Float32, vec![1, 1], vec![0; 4]);
    let tensors = vec![f32s("x", &[1, 3]), weights, f32s("y", &[1])];
    let fc = Op::FullyConnected(FullyConnected::default());
    let pad = i32s("pad", &[0, i32::MAX, 0, i32::MAX]);
    let mut padded = tensors.clone();
    padded.push(Tensor {
        shape: vec![2, 2],
        ..pad
    });
    let model = graph(padded, vec![node(Op::Pad, &[0, 3], 2)], &[0], &[2]);
    refused(model, Error::Invalid, &["node 0, PAD", "GiB"]);
    let model = graph(tensors, vec![node(fc, &[0, 1], 2)], &[0], &[2]);
    assert_eq!(
        prepare(model, None, &REFERENCE).unwrap().output_shapes(),
        [[3, 1]]
    );
}

#[test]
fn arrays_that_do_not_fit_the_inputs_are_refused() {
    let tensors = vec![f32s("x", &[1, 4]), f32s("y", &[1, 4])];
    let model = graph(tensors, vec![node(Op::Relu, &[0], 1)], &[0], &[1]);
    let mut prepared = prepare(model.clone(), None, &REFERENCE).unwrap();
    let bytes = Value::new(vec![1, 4], Data::I8(vec![0; 4])).unwrap();
    let lying = Value {
        shape: vec![1, 4],
        data: Data::F32(vec![0.0; 3]),
    };
    for (values, words) in [
        (vec![], "takes 1 inputs, not 0"),
        (vec![floats(&[1, 5], 0.0)], "[1, 5]"),
        (vec![bytes], "int8"),
        (vec![lying], "3 elements"),
    ] {
        let error = prepared.run(&values, None).expect_err("must be refused");
        assert!(matches!(error, Error::Invalid(_)));
        assert!(error.to_string().contains(words), "{error}");
    }
    for shapes in [vec![], vec![vec![4]], vec![vec![0, 4]]] {
        let error = prepare(model.clone(), Some(&shapes), &REFERENCE).expect_err("must be refused");
        assert!(matches!(error, Error::Invalid(_)), "{shapes:?}: {error}");
    }
}
