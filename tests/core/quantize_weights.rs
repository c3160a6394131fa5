//! float16, dynamic and the folding of shape arithmetic.

use crate::quantize_models::*;
use zeropoint::error::Error;
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, NodePlan, Reason, Recipe, apply, plan};

/// x [?,2,2] → RESHAPE by computed shape [batch, 4] → FULLY_CONNECTED with `out` units → y.
fn dense(out: usize) -> Graph {
    let mut x = real("x", &[1, 2, 2]);
    x.shape_signature = Some(vec![-1, 2, 2]);
    let kernel: Vec<f32> = (0..4 * out).map(|i| i as f32 - 3.0).collect();
    model(
        vec![
            x,
            Tensor::new("shape", DType::Int32, vec![3]),
            ints("zero", &[1], &[0]),
            ints("one", &[1], &[1]),
            Tensor::new("batch", DType::Int32, vec![]),
            ints("four", &[], &[4]),
            Tensor::new("packed", DType::Int32, vec![2]),
            real("flat", &[1, 4]),
            weights("w", &[out, 4], &kernel),
            weights("b", &[out], &vec![0.1; out]),
            real("y", &[1, out]),
            real("orphan", &[7]),
        ],
        &[0],
        &[10],
        vec![
            node(
                Op::Shape {
                    out_type: DType::Int32,
                },
                &[0],
                1,
            ),
            node(
                Op::StridedSlice(StridedSlice {
                    shrink_axis_mask: 1,
                    ..StridedSlice::default()
                }),
                &[1, 2, 3, 3],
                4,
            ),
            node(
                Op::Pack {
                    axis: 0,
                    values_count: 2,
                },
                &[4, 5],
                6,
            ),
            node(Op::Reshape { new_shape: None }, &[0, 6], 7),
            node(
                Op::FullyConnected(FullyConnected::default()),
                &[7, 8, 9],
                10,
            ),
        ],
    )
}

fn run(graph: &Graph, recipe: &Recipe) -> Graph {
    let plan = plan(graph, recipe, None).expect("a plan");
    apply(graph, &plan, &Progress::new()).expect("a graph")
}

#[test]
fn shape_arithmetic_of_the_batch_becomes_a_constant() {
    let q = run(&dense(2), &recipe(Mode::Dynamic, Io::Float32));
    assert_eq!(ops(&q), ["RESHAPE", "FULLY_CONNECTED"]);
    assert_eq!(input_of(&q, 0, 1).i32s(), Some(vec![-1, 4]));
    assert_eq!(q.main().tensors.len(), 6, "nothing unused stays");
    assert_eq!(
        q.main().tensors[q.main().inputs[0]].shape_signature,
        Some(vec![-1, 2, 2])
    );
    // Two unknown extents stay computed.
    let mut graph = dense(2);
    graph.subgraphs[0].nodes[2].inputs = vec![Some(4), Some(4)];
    let q = run(&graph, &recipe(Mode::Dynamic, Io::Float32));
    assert_eq!(
        ops(&q),
        [
            "SHAPE",
            "STRIDED_SLICE",
            "PACK",
            "RESHAPE",
            "FULLY_CONNECTED"
        ]
    );
}

#[test]
fn float32_changes_nothing() {
    let graph = dense(2);
    assert_eq!(run(&graph, &Recipe::default()), graph);
}

#[test]
fn dynamic_quantizes_weights_from_the_limit_up() {
    let graph = dense(2);
    let limit = |min_weight_elements| Recipe {
        min_weight_elements,
        ..recipe(Mode::Dynamic, Io::Float32)
    };
    let q = run(&graph, &limit(8));
    let w = input_of(&q, 1, 1);
    let wq = w.quantization.as_ref().unwrap();
    assert_eq!((w.dtype, wq.axis), (DType::Int8, 0));
    assert_eq!(wq.scales, [3.0 / 127.0, 4.0 / 127.0]);
    assert_eq!(integers(w), [-127, -85, -42, 0, 32, 64, 95, 127]);
    assert_eq!(input_of(&q, 1, 2).dtype, DType::Float32, "the bias stays");
    let Op::FullyConnected(o) = &q.main().nodes[1].op else {
        panic!()
    };
    assert!(o.asymmetric_quantize_inputs);
    let decided = plan(&graph, &limit(9), None).unwrap();
    assert_eq!(decided.nodes[4], NodePlan::Unaffected);
    assert!(
        matches!(&decided.tensors[8].reason, Reason::Untouched(why) if why.contains("8 elements"))
    );
    assert_eq!(
        input_of(&run(&graph, &limit(9)), 1, 1).dtype,
        DType::Float32
    );
}

#[test]
fn weights_that_another_operator_reads_as_reals_are_dequantized_once() {
    let mut graph = dense(2);
    let main = &mut graph.subgraphs[0];
    main.tensors
        .extend([real("s", &[2, 4]), real("t", &[2, 4])]);
    for output in [12, 13] {
        main.nodes.push(node(
            Op::Mul {
                activation: Activation::None,
            },
            &[8, 8],
            output,
        ));
        main.outputs.push(output);
    }
    let q = run(
        &graph,
        &Recipe {
            min_weight_elements: 1,
            ..recipe(Mode::Dynamic, Io::Float32)
        },
    );
    assert_eq!(
        ops(&q),
        ["RESHAPE", "FULLY_CONNECTED", "DEQUANTIZE", "MUL", "MUL"]
    );
    assert_eq!(q.main().nodes[2].input(0), q.main().nodes[1].input(1));
    assert_eq!(input_of(&q, 3, 0).dtype, DType::Float32);
}

#[test]
fn equal_scales_of_a_hybrid_convolution_are_one_scale() {
    let graph = |op: Op, w: Tensor| {
        model(
            vec![
                real("x", &[1, 1, 1, 2]),
                w,
                weights("b", &[2], &[0.0; 2]),
                real("y", &[1, 1, 1, 2]),
            ],
            &[0],
            &[3],
            vec![node(op, &[0, 1, 2], 3)],
        )
    };
    let small = Recipe {
        min_weight_elements: 1,
        ..recipe(Mode::Dynamic, Io::Float32)
    };
    let q = run(
        &graph(conv(), weights("w", &[2, 1, 1, 2], &[1.27; 4])),
        &small,
    );
    assert_eq!(
        input_of(&q, 0, 1).quantization.as_ref().unwrap().scales,
        [0.01]
    );
    let depthwise = Op::DepthwiseConv2d(DepthwiseConv2d {
        padding: Padding::Same,
        stride: [1, 1],
        dilation: [1, 1],
        activation: Activation::None,
        depth_multiplier: 1,
    });
    let q = run(
        &graph(depthwise, weights("w", &[1, 1, 1, 2], &[1.27; 2])),
        &small,
    );
    let wq = input_of(&q, 0, 1).quantization.as_ref().unwrap();
    assert_eq!((wq.scales.len(), wq.axis), (2, 3));
}

#[test]
fn float16_shares_equal_constants_and_says_what_it_clips() {
    let mut graph = dense(2);
    let main = &mut graph.subgraphs[0];
    main.tensors.push(weights("b2", &[2], &[0.1; 2]));
    main.tensors
        .push(weights("big", &[2], &[1e6, f32::MIN_POSITIVE]));
    main.tensors.push(weights("bad", &[2], &[f32::NAN, 0.0]));
    main.tensors.push(weights("out", &[2], &[1.0, 2.0]));
    for (k, (from, with)) in [(10, 12), (16, 13), (17, 14)].into_iter().enumerate() {
        main.tensors.push(real(&format!("s{k}"), &[1, 2]));
        let add = Op::Add {
            activation: Activation::None,
            pot_scale_int16: false,
        };
        main.nodes.push(node(add, &[from, with], 16 + k));
    }
    main.outputs = vec![18, 15];
    let decided = plan(&graph, &recipe(Mode::Float16, Io::Float32), None).unwrap();
    assert!(
        decided.warnings.iter().any(|w| w.contains("big")),
        "{:?}",
        decided.warnings
    );
    let q = apply(&graph, &decided, &Progress::new()).unwrap();
    assert_eq!(
        ops(&q),
        [
            "DEQUANTIZE",
            "DEQUANTIZE",
            "DEQUANTIZE",
            "RESHAPE",
            "FULLY_CONNECTED",
            "ADD",
            "ADD",
            "ADD"
        ]
    );
    assert_eq!(input_of(&q, 0, 0).dtype, DType::Float16);
    assert_eq!(
        q.main().nodes[4].input(2),
        q.main().nodes[5].input(1),
        "b and b2 are equal"
    );
    assert_eq!(
        input_of(&q, 7, 1).dtype,
        DType::Float32,
        "NaN stays float32"
    );
    assert_eq!(
        output(&q, 1).dtype,
        DType::Float32,
        "a constant output stays float32"
    );
    let big = input_of(&q, 2, 0).data.clone().unwrap();
    assert_eq!(big[..], [0xff, 0x7b, 0, 0], "65504 and 0");
}

#[test]
fn broken_graphs_and_foreign_plans_are_errors() {
    let graph = dense(2);
    let mut broken = graph.clone();
    broken.subgraphs[0].nodes[3].inputs[1] = Some(99);
    let Err(Error::Malformed(text)) = plan(&broken, &recipe(Mode::Float16, Io::Float32), None)
    else {
        panic!()
    };
    assert!(
        text.contains("Operator 3 (RESHAPE) names tensor 99"),
        "{text}"
    );
    let decided = plan(&graph, &recipe(Mode::Float16, Io::Float32), None).unwrap();
    let mut other = graph.clone();
    other.subgraphs[0].nodes.pop();
    assert!(matches!(
        apply(&other, &decided, &Progress::new()),
        Err(Error::Invalid(_))
    ));
    let cancelled = Progress::new();
    cancelled.cancel();
    assert_eq!(apply(&graph, &decided, &cancelled), Err(Error::Cancelled));
    assert!(matches!(
        plan(&Graph::default(), &recipe(Mode::Dynamic, Io::Float32), None),
        Err(Error::Malformed(_))
    ));
}

#[test]
fn float16_files_are_quantized_like_float_ones() {
    let values: Vec<f32> = (0..4).map(|i| i as f32 / 8.0 - 0.25).collect();
    let half: Vec<u8> = values
        .iter()
        .flat_map(|&v| half::f16::from_f32(v).to_le_bytes())
        .collect();
    let graph = model(
        vec![
            real("x", &[1, 2, 2, 2]),
            Tensor::constant("w", DType::Float16, vec![2, 1, 1, 2], half),
            real("w_wide", &[2, 1, 1, 2]),
            real("y", &[1, 2, 2, 2]),
        ],
        &[0],
        &[3],
        vec![node(Op::Dequantize, &[1], 2), node(conv(), &[0, 2], 3)],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, (-0.25, 0.125), (-1.0, 1.0)]);
    for (mode, wanted) in [
        (Mode::Float16, vec!["DEQUANTIZE", "CONV_2D"]),
        (Mode::Int8, vec!["QUANTIZE", "CONV_2D", "DEQUANTIZE"]),
        (Mode::Int16x8, vec!["QUANTIZE", "CONV_2D", "DEQUANTIZE"]),
    ] {
        let strict = Recipe {
            strict: true,
            ..recipe(mode, Io::Float32)
        };
        let (plan, q) = quantized(&graph, &strict, &seen);
        assert_eq!(ops(&q), wanted);
        assert_eq!(plan.nodes[0], NodePlan::Unaffected);
        let stored = q.main().tensors.iter().find(|t| t.name == "w").unwrap();
        let dtype = if mode == Mode::Float16 {
            DType::Float16
        } else {
            DType::Int8
        };
        assert_eq!(stored.dtype, dtype);
    }
    // As an output of the model the constant stays what it is.
    let mut given = graph.clone();
    given.subgraphs[0].outputs.push(2);
    let (_, q) = quantized(&given, &recipe(Mode::Float16, Io::Float32), &seen);
    assert_eq!(ops(&q), ["DEQUANTIZE", "CONV_2D"]);
}

#[test]
fn sparse_files_are_quantized_like_dense_ones() {
    // [[0, 1], [0.5, 0]] of a 1×1 convolution, rows dense, columns sparse.
    let mut sparse = weights("w", &[2, 1, 1, 2], &[1.0, 0.5]);
    let dense = Level::Dense { extent: 1 };
    sparse.sparsity = Some(std::sync::Arc::new(Sparsity {
        traversal_order: vec![0, 1, 2, 3],
        block_map: vec![],
        levels: vec![
            Level::Dense { extent: 2 },
            dense.clone(),
            dense,
            Level::Sparse {
                segments: vec![0, 1, 2],
                indices: vec![1, 0],
            },
        ],
    }));
    let graph = model(
        vec![
            real("x", &[1, 2, 2, 2]),
            sparse,
            real("w_dense", &[2, 1, 1, 2]),
            real("y", &[1, 2, 2, 2]),
        ],
        &[0],
        &[3],
        vec![node(Op::Densify, &[1], 2), node(conv(), &[0, 2], 3)],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, (0.0, 1.0), (-1.0, 1.0)]);
    let (_, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    assert_eq!(ops(&q), ["CONV_2D"]);
    assert_eq!(integers(input_of(&q, 0, 1)), [0, 127, 127, 0]);
    let small = Recipe {
        min_weight_elements: 1,
        ..recipe(Mode::Dynamic, Io::Float32)
    };
    let (_, q) = quantized(&graph, &small, &seen);
    assert_eq!(ops(&q), ["CONV_2D"]);
    assert_eq!(integers(input_of(&q, 0, 1)), [0, 127, 127, 0]);
    // A description that contradicts itself is an error that names the tensor.
    let mut wrong = graph.clone();
    wrong.subgraphs[0].tensors[1].data = Some(vec![0; 4].into());
    let error = plan(&wrong, &small, None).unwrap_err();
    assert!(
        matches!(&error, Error::Malformed(text) if text.contains("Tensor 1 \"w\"")),
        "{error}"
    );
}
