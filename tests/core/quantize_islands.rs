//! Float islands, operators that clamp, and operators with several outputs.

use zeropoint::graph::*;
use zeropoint::quantize::{Io, Mode, NodePlan, Reason, plan};

use crate::quantize_models::*;

const SHAPE: [usize; 4] = [1, 2, 2, 2];

fn kernel(name: &str) -> Tensor {
    weights(name, &[2, 1, 1, 2], &[1.0, 0.5, -0.5, 1.0])
}

fn bias() -> Tensor {
    weights("b", &[2], &[0.5, -0.5])
}

fn mul() -> Op {
    Op::Mul {
        activation: Activation::None,
    }
}

/// x → CONV → c → c·c → LOG → · constant → CONV → y.
fn logarithm() -> Graph {
    model(
        vec![
            real("x", &SHAPE),
            kernel("w"),
            bias(),
            real("c", &SHAPE),
            real("square", &SHAPE),
            real("log", &SHAPE),
            weights("k", &[], &[0.1]),
            real("scaled", &SHAPE),
            real("y", &SHAPE),
        ],
        &[0],
        &[8],
        vec![
            node(conv(), &[0, 1, 2], 3),
            node(mul(), &[3, 3], 4),
            node(Op::Unary(Unary::Log), &[4], 5),
            node(mul(), &[5, 6], 7),
            node(conv(), &[7, 1, 2], 8),
        ],
    )
}

#[test]
fn what_a_logarithm_near_zero_needs_stays_float_with_it() {
    let graph = logarithm();
    let one = (-1.0, 1.0);
    let seen = |least: f32| {
        ranges(&[
            one,
            NONE,
            NONE,
            one,
            (least, 1.0),
            (least.ln(), 0.0),
            NONE,
            (-1.5, 0.0),
            one,
        ])
    };
    for mode in [Mode::Int8, Mode::Int16x8] {
        let (plan, q) = quantized(&graph, &recipe(mode, Io::Float32), &seen(1e-6));
        assert_eq!(
            ops(&q),
            [
                "QUANTIZE",
                "CONV_2D",
                "DEQUANTIZE",
                "MUL",
                "LOG",
                "MUL",
                "QUANTIZE",
                "CONV_2D",
                "DEQUANTIZE"
            ]
        );
        assert!(matches!(&plan.nodes[2], NodePlan::Float(why) if why.contains("logarithm")));
        for i in [1, 3] {
            assert!(matches!(&plan.nodes[i], NodePlan::Float(why) if why.contains("precision")));
        }
        // Away from 0 there is nothing to be careful about.
        let (_, q) = quantized(&graph, &recipe(mode, Io::Float32), &seen(0.1));
        assert_eq!(
            ops(&q),
            [
                "QUANTIZE",
                "CONV_2D",
                "MUL",
                "LOG",
                "MUL",
                "CONV_2D",
                "DEQUANTIZE"
            ]
        );
    }
}

#[test]
fn what_moves_values_between_float_operators_stays_float() {
    // x → custom → a → RESHAPE → r → custom → d → RESHAPE → e → CONV → y.
    let flat = [1, 8];
    let graph = model(
        vec![
            real("x", &SHAPE),
            real("a", &SHAPE),
            ints("flat", &[2], &[1, 8]),
            real("r", &flat),
            real("d", &flat),
            ints("square", &[4], &[1, 2, 2, 2]),
            real("e", &SHAPE),
            kernel("w"),
            bias(),
            real("y", &SHAPE),
        ],
        &[0],
        &[9],
        vec![
            node(custom(), &[0], 1),
            node(Op::Reshape { new_shape: None }, &[1, 2], 3),
            node(custom(), &[3], 4),
            node(Op::Reshape { new_shape: None }, &[4, 5], 6),
            node(conv(), &[6, 7, 8], 9),
        ],
    );
    let one = (-1.0, 1.0);
    let seen = ranges(&[one, one, NONE, one, one, NONE, one, NONE, NONE, one]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Float32), &seen);
    assert_eq!(
        ops(&q),
        [
            "Mystery",
            "RESHAPE",
            "Mystery",
            "QUANTIZE",
            "RESHAPE",
            "CONV_2D",
            "DEQUANTIZE"
        ],
        "only the second RESHAPE moves integers"
    );
    assert!(matches!(&plan.nodes[1], NodePlan::Float(why) if why.contains("only moves values")));
}

#[test]
fn a_maximum_with_a_constant_clamps_its_producer() {
    let graph = model(
        vec![
            real("x", &SHAPE),
            kernel("w"),
            bias(),
            real("c", &SHAPE),
            weights("zero", &[], &[0.0]),
            real("y", &SHAPE),
        ],
        &[0],
        &[5],
        vec![
            node(conv(), &[0, 1, 2], 3),
            node(Op::Binary(Binary::Maximum), &[3, 4], 5),
        ],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, NONE, (-50.0, 2.55), NONE, (0.0, 2.55)]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    assert_eq!(ops(&q), ["CONV_2D", "MAXIMUM"]);
    assert_eq!(
        step(output_of(&q, 0)),
        (0.01, -128),
        "what lies below 0 never shows"
    );
    assert_eq!(step(output(&q, 0)), (0.01, -128));
    assert_eq!(integers(input_of(&q, 1, 1)), [-128]);
    assert_eq!(plan.tensors[3].reason, Reason::SameAs(5));
}

#[test]
fn all_parts_of_a_split_have_its_scale() {
    let half = [1, 2, 2, 1];
    let graph = model(
        vec![
            real("x", &SHAPE),
            ints("axis", &[], &[3]),
            real("a", &half),
            real("b", &half),
            real("y", &half),
        ],
        &[0],
        &[4],
        vec![
            Node::new(Op::Split { count: 2 }, vec![Some(1), Some(0)], vec![2, 3]),
            node(
                Op::Sub {
                    activation: Activation::None,
                    pot_scale_int16: true,
                },
                &[2, 3],
                4,
            ),
        ],
    );
    let seen = ranges(&[(-1.0, 1.55), NONE, (-1.0, 1.0), (0.0, 1.55), (-2.0, 1.0)]);
    for (mode, io) in [(Mode::Int8, Io::Int8), (Mode::Int16x8, Io::Int16)] {
        let (_, q) = quantized(&graph, &recipe(mode, io), &seen);
        assert_eq!(ops(&q), ["SPLIT", "SUB"]);
        let input = step(input_of(&q, 0, 1));
        for &t in &q.main().nodes[0].outputs {
            assert_eq!(step(&q.main().tensors[t]), input);
        }
        assert_eq!(
            input_of(&q, 0, 0).dtype,
            DType::Int32,
            "the axis stays int32"
        );
    }
}

#[test]
fn compared_int16_operands_get_one_scale() {
    let flat = [1, 4];
    let graph = model(
        vec![
            real("x", &flat),
            real("z", &flat),
            Tensor::new("y", DType::Bool, flat.to_vec()),
        ],
        &[0, 1],
        &[2],
        vec![node(Op::Compare(Comparison::Less), &[0, 1], 2)],
    );
    let seen = ranges(&[(-1.0, 1.0), (-3.0, 2.0), NONE]);
    let (_, q) = quantized(&graph, &recipe(Mode::Int16x8, Io::Int16), &seen);
    assert_eq!(
        ops(&q),
        ["QUANTIZE", "LESS"],
        "the finer operand is rescaled"
    );
    assert_eq!(step(input_of(&q, 1, 0)), step(input_of(&q, 1, 1)));
    let (_, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    assert_eq!(ops(&q), ["LESS"], "int8 kernels rescale by themselves");
}

#[test]
fn further_subgraphs_stay_and_are_spoken_of() {
    let mut graph = logarithm();
    let other = graph.subgraphs[0].clone();
    graph.subgraphs.push(other);
    let plan = plan(&graph, &recipe(Mode::Float16, Io::Float32), None).unwrap();
    assert!(
        plan.warnings
            .iter()
            .any(|w| w.contains("Only the main subgraph"))
    );
}
