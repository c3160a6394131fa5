//! dynamic and float16 over every operator with weights: which inputs become smaller, and what that costs at most.

use std::sync::Arc;

use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, NodePlan, Recipe, apply, plan};
use zeropoint::tflite;

use crate::quantize_models::*;

/// Numbers in −1..1 that follow from their place.
fn spread(n: usize, k: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 37 + k * 11 + 5) % 101) as f32 / 50.5 - 1.0)
        .collect()
}

fn constant(k: usize, shape: &[usize]) -> Tensor {
    weights(&format!("w{k}"), shape, &spread(shape.iter().product(), k))
}

fn state(shape: &[usize]) -> Tensor {
    Tensor {
        is_variable: true,
        ..real("state", shape)
    }
}

/// One operator over fed `x` (or fixed indices), weights and state; `None` is an absent input.
fn single(op: Op, x: Option<&[usize]>, inputs: Vec<Option<Tensor>>, y: &[usize]) -> Graph {
    let mut tensors = vec![real("y", y)];
    let mut ids = vec![];
    if let Some(shape) = x {
        tensors.push(real("x", shape));
    }
    for t in inputs {
        ids.push(match t {
            Some(t) if t.name == "x" => Some(1),
            Some(t) => {
                tensors.push(t);
                Some(tensors.len() - 1)
            }
            None => None,
        });
    }
    let fed: Vec<usize> = x.iter().map(|_| 1).collect();
    model(tensors, &fed, &[0], vec![Node::new(op, ids, vec![0])])
}

fn fed() -> Option<Tensor> {
    Some(real("x", &[]))
}

fn recipe_for(mode: Mode) -> Recipe {
    Recipe {
        min_weight_elements: 1,
        ..recipe(mode, Io::Float32)
    }
}

fn smaller(graph: &Graph, mode: Mode) -> (Vec<NodePlan>, Graph) {
    let plan = plan(graph, &recipe_for(mode), None).expect("a plan");
    let q = apply(graph, &plan, &Progress::new()).expect("a graph");
    let bytes = tflite::write(&q).expect("a file");
    if let Ok(folder) = std::env::var("ZEROPOINT_OPERATORS") {
        let name = graph.main().nodes[0].op.name();
        std::fs::write(format!("{folder}/{name}_{}.tflite", mode.name()), &bytes).unwrap();
        let float = tflite::write(graph).unwrap();
        std::fs::write(
            format!("{folder}/{name}_{}.float.tflite", mode.name()),
            float,
        )
        .unwrap();
    }
    (plan.nodes, tflite::read(bytes.into()).expect("a graph"))
}

fn run(graph: &Graph) -> Vec<f32> {
    let options = Options {
        kernels: KernelSet::Reference,
        ..Options::default()
    };
    let main = graph.main();
    let x = main.inputs.iter().map(|&t| {
        let shape = main.tensors[t].shape.clone();
        let values = spread(shape.iter().product(), 3);
        Value::new(shape, Data::F32(values)).unwrap()
    });
    let fed: Vec<Value> = x.collect();
    let mut model = prepare(Arc::new(graph.clone()), None, &options).expect("a runnable graph");
    let out = model.run(&fed, None).expect("a run");
    out[0].as_f32().expect("reals").to_vec()
}

fn window() -> (Padding, [i32; 2]) {
    (Padding::Same, [1, 1])
}

/// Every operator whose weights become int8, with the number of products in an output.
fn weighted() -> Vec<(Graph, usize)> {
    let (padding, stride) = window();
    let activation = Activation::None;
    let depthwise = Op::DepthwiseConv2d(DepthwiseConv2d {
        padding,
        stride,
        dilation: stride,
        activation,
        depth_multiplier: 1,
    });
    let transpose = Op::TransposeConv(TransposeConv {
        padding,
        stride: [2, 2],
        activation,
        quantized_bias: None,
    });
    let gather = Op::Gather {
        axis: 0,
        batch_dims: 0,
    };
    let x4 = Some(&[1, 4, 4, 8][..]);
    vec![
        (
            single(
                conv(),
                x4,
                vec![
                    fed(),
                    Some(constant(1, &[6, 1, 1, 8])),
                    Some(constant(2, &[6])),
                ],
                &[1, 4, 4, 6],
            ),
            8,
        ),
        (
            single(
                depthwise,
                x4,
                vec![
                    fed(),
                    Some(constant(1, &[1, 3, 3, 8])),
                    Some(constant(2, &[8])),
                ],
                &[1, 4, 4, 8],
            ),
            9,
        ),
        (
            single(
                Op::FullyConnected(FullyConnected::default()),
                Some(&[2, 16]),
                vec![fed(), Some(constant(1, &[5, 16]))],
                &[2, 5],
            ),
            16,
        ),
        (
            single(
                Op::BatchMatMul(BatchMatMul::default()),
                Some(&[2, 3, 8]),
                vec![fed(), Some(constant(1, &[2, 8, 5]))],
                &[2, 3, 5],
            ),
            8,
        ),
        (
            single(
                transpose,
                x4,
                vec![
                    Some(ints("shape", &[4], &[1, 8, 8, 3])),
                    Some(constant(1, &[3, 3, 3, 8])),
                    fed(),
                ],
                &[1, 8, 8, 3],
            ),
            72,
        ),
        (
            single(
                Op::EmbeddingLookup,
                None,
                vec![
                    Some(ints("ids", &[3], &[4, 0, 2])),
                    Some(constant(1, &[6, 8])),
                ],
                &[3, 8],
            ),
            1,
        ),
        (
            single(
                gather,
                None,
                vec![
                    Some(constant(1, &[6, 8])),
                    Some(ints("ids", &[3], &[4, 0, 2])),
                ],
                &[3, 8],
            ),
            1,
        ),
    ]
}

#[test]
fn int8_weights_cost_no_more_than_their_steps() {
    for (graph, products) in weighted() {
        let name = graph.main().nodes[0].op.name().to_owned();
        let (nodes, q) = smaller(&graph, Mode::Dynamic);
        assert!(
            matches!(nodes[0], NodePlan::SmallerWeights | NodePlan::Quantized),
            "{name}: {nodes:?}"
        );
        let int8: Vec<&Tensor> = q
            .main()
            .tensors
            .iter()
            .filter(|t| t.is_constant() && t.dtype == DType::Int8)
            .collect();
        assert_eq!(int8.len(), 1, "{name}");
        // |x| and |w| are at most 1; a product is off by half a step of the weight and half a step of the activation (of 255 over
        // a width of at most 2; the kernels that widen the weights have none).
        let scales = &int8[0].quantization.as_ref().unwrap().scales;
        let step = scales.iter().fold(0f32, |m, &s| m.max(s));
        let bound = products as f32 * (step / 2.0 + 2.0 / 127.0 / 2.0) * 1.01;
        let (wanted, got) = (run(&graph), run(&q));
        let worst = wanted.iter().zip(&got).map(|(w, g)| (w - g).abs());
        let worst = worst.fold(0f32, f32::max);
        assert!(
            worst <= bound,
            "{name}: off by {worst}, the bound is {bound}"
        );
        assert!(worst > 0.0, "{name} computed on the float weights");
    }
}

/// Operators that keep state: a graph with how many int8 weights it gets.
fn recurrent() -> Vec<(Graph, usize)> {
    let bias = || Some(weights("bias", &[4], &[0.1, -0.1, 0.2, 0.0]));
    let activation = Activation::Tanh;
    let rnn = Op::UnidirectionalSequenceRnn(SequenceRnn {
        time_major: false,
        activation,
        asymmetric_quantize_inputs: false,
    });
    let lstm = Op::UnidirectionalSequenceLstm(UnidirectionalSequenceLstm {
        activation,
        cell_clip: 0.0,
        projection_clip: 0.0,
        time_major: false,
        asymmetric_quantize_inputs: false,
        diagonal_recurrent_tensors: false,
    });
    let mut inputs = vec![fed()];
    inputs.extend((1..5).map(|k| Some(constant(k, &[4, 6]))));
    inputs.extend((5..9).map(|k| Some(constant(k, &[4, 4]))));
    inputs.extend([const { None }; 3]);
    inputs.extend((0..4).map(|_| bias()));
    inputs.extend([None, None, Some(state(&[1, 4])), Some(state(&[1, 4]))]);
    inputs.extend([const { None }; 4]);
    let x = Some(&[1, 3, 6][..]);
    vec![
        (
            single(
                rnn,
                x,
                vec![
                    fed(),
                    Some(constant(1, &[4, 6])),
                    Some(constant(2, &[4, 4])),
                    bias(),
                    Some(state(&[1, 4])),
                ],
                &[1, 3, 4],
            ),
            2,
        ),
        (single(lstm, x, inputs, &[1, 3, 4]), 8),
    ]
}

#[test]
fn weights_of_recurrent_operators_become_int8_together_or_not_at_all() {
    for (graph, count) in recurrent() {
        let name = graph.main().nodes[0].op.name().to_owned();
        let (nodes, q) = smaller(&graph, Mode::Dynamic);
        assert_eq!(nodes[0], NodePlan::SmallerWeights, "{name}");
        let int8 = |g: &Graph| {
            let tensors = g.main().tensors.iter();
            tensors.filter(|t| t.dtype == DType::Int8).count()
        };
        assert_eq!(int8(&q), count, "{name}");
        assert_eq!(q.main().nodes.len(), 1, "{name}: no conversions");
        let asymmetric = match &q.main().nodes[0].op {
            Op::UnidirectionalSequenceRnn(o) => o.asymmetric_quantize_inputs,
            Op::UnidirectionalSequenceLstm(o) => o.asymmetric_quantize_inputs,
            other => panic!("{other:?}"),
        };
        assert!(asymmetric, "{name}");
        // 24 elements are the largest weight: one more is asked for, and all stay float.
        let recipe = Recipe {
            min_weight_elements: 25,
            ..recipe_for(Mode::Dynamic)
        };
        let plan = plan(&graph, &recipe, None).unwrap();
        assert_eq!(plan.nodes[0], NodePlan::Unaffected, "{name}");
        // States, gates and outputs lie in −1..1, and int8 rounds inputs, states and weights to 1/127 of that.
        let (wanted, got) = (run(&graph), run(&q));
        assert!(got.iter().all(|v| v.abs() <= 1.0), "{name}");
        let energy = |v: &mut dyn Iterator<Item = f32>| v.map(|x| x * x).sum::<f32>();
        let noise = energy(&mut wanted.iter().zip(&got).map(|(w, g)| w - g));
        let signal = energy(&mut wanted.iter().copied());
        assert!(
            noise > 0.0 && signal > 1000.0 * noise,
            "{name}: {signal} {noise}"
        );
    }
}

#[test]
fn float16_takes_every_constant_of_every_operator() {
    let single_ones = weighted().into_iter().chain(recurrent());
    for (graph, _) in single_ones {
        let name = graph.main().nodes[0].op.name().to_owned();
        let (nodes, q) = smaller(&graph, Mode::Float16);
        assert_eq!(nodes[0], NodePlan::SmallerWeights, "{name}");
        let constants = q.main().tensors.iter().filter(|t| t.is_constant());
        let (mut halves, mut floats) = (0, 0);
        for t in constants {
            halves += usize::from(t.dtype == DType::Float16);
            floats += usize::from(t.dtype == DType::Float32);
        }
        assert!(halves > 0 && floats == 0, "{name}: {halves} and {floats}");
        let (wanted, got) = (run(&graph), run(&q));
        let peak = wanted.iter().fold(0f32, |m, v| m.max(v.abs()));
        for (w, g) in wanted.iter().zip(&got) {
            assert!((w - g).abs() <= peak * 0.01, "{name}: {g} instead of {w}");
        }
    }
}

#[test]
fn what_stays_float_in_dynamic_says_why() {
    let graph = single(
        custom(),
        Some(&[1, 8]),
        vec![fed(), Some(constant(1, &[8, 8]))],
        &[1, 8],
    );
    let (nodes, _) = smaller(&graph, Mode::Dynamic);
    assert!(matches!(&nodes[0], NodePlan::Float(why) if why.contains("Mystery")));
}
