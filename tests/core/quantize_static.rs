//! int8 and int16x8: parameters, borders, float islands, shared constants.

use crate::quantize_models::*;
use zeropoint::error::Error;
use zeropoint::graph::*;
use zeropoint::quantize::{Io, Mode, NodePlan, Reason, Recipe, plan};

/// x [1,2,2,2] → CONV (2 channels, bias) → y.
fn one_conv(w: &[f32], b: &[f32]) -> Graph {
    model(
        vec![
            real("x", &[1, 2, 2, 2]),
            weights("w", &[2, 1, 1, 2], w),
            weights("b", &[2], b),
            real("y", &[1, 2, 2, 2]),
        ],
        &[0],
        &[3],
        vec![node(conv(), &[0, 1, 2], 3)],
    )
}

fn one_conv_ranges() -> zeropoint::calibrate::Calibration {
    ranges(&[(-1.0, 1.0), NONE, NONE, (0.0, 2.55)])
}

#[test]
fn int8_convolution_follows_the_formulas() {
    let graph = one_conv(&[1.27, -0.635, 0.0254, 0.0127], &[0.5, -0.25]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &one_conv_ranges());
    assert_eq!(ops(&q), ["CONV_2D"]);
    let (sx, zx) = step(input_of(&q, 0, 0));
    assert_eq!((sx, zx), (2.0 / 255.0, -1), "−0.5 rounds away from zero");
    assert_eq!(step(output(&q, 0)), (0.01, -128));
    let w = input_of(&q, 0, 1);
    let wq = w.quantization.as_ref().unwrap();
    assert_eq!(
        (w.dtype, wq.axis, &wq.zero_points),
        (DType::Int8, 0, &vec![0, 0])
    );
    assert_eq!(wq.scales, [0.01, 0.0002]);
    assert_eq!(
        integers(w),
        [127, -64, 127, 64],
        "halves round away from zero"
    );
    let b = input_of(&q, 0, 2);
    let bq = b.quantization.as_ref().unwrap();
    assert_eq!(b.dtype, DType::Int32);
    for c in 0..2 {
        let scale = f64::from(sx) * f64::from(wq.scales[c]);
        assert!((f64::from(bq.scales[c]) / scale - 1.0).abs() < 1e-6);
        let wanted = ([0.5, -0.25][c] / scale).round() as i64;
        assert!((integers(b)[c] - wanted).abs() <= 1);
    }
    assert_eq!(plan.tensors[1].reason, Reason::Weight { per_channel: true });
    assert_eq!(plan.tensors[2].reason, Reason::Bias);
    assert_eq!(
        plan.tensors[3].reason,
        Reason::Calibrated {
            min: 0.0,
            max: 2.55
        }
    );
    assert_eq!(plan.nodes, [NodePlan::Quantized]);
    // The signature names the new tensors.
    assert_eq!(q.signatures[0].inputs[0].1, q.main().inputs[0]);
    assert_eq!(q.signatures[0].outputs[0].1, q.main().outputs[0]);
}

#[test]
fn int16_convolution_is_symmetric_with_int64_bias() {
    let graph = one_conv(&[1.27, -0.635, 0.0254, 0.0127], &[0.5, -0.25]);
    let (_, q) = quantized(
        &graph,
        &recipe(Mode::Int16x8, Io::Int16),
        &one_conv_ranges(),
    );
    assert_eq!(step(input_of(&q, 0, 0)), (1.0 / 32767.0, 0));
    assert_eq!(
        step(output(&q, 0)),
        ((f64::from(2.55f32) / 32767.0) as f32, 0)
    );
    assert_eq!(input_of(&q, 0, 1).dtype, DType::Int8);
    assert_eq!(input_of(&q, 0, 2).dtype, DType::Int64);
    let Op::Conv2d(o) = &q.main().nodes[0].op else {
        panic!()
    };
    assert_eq!(o.quantized_bias, Some(DType::Int64));
}

#[test]
fn every_input_and_output_type() {
    let graph = one_conv(&[1.0, 0.5, 0.5, 1.0], &[0.0, 0.0]);
    for (mode, io, wanted, dtype) in [
        (
            Mode::Int8,
            Io::Float32,
            vec!["QUANTIZE", "CONV_2D", "DEQUANTIZE"],
            DType::Float32,
        ),
        (Mode::Int8, Io::Int8, vec!["CONV_2D"], DType::Int8),
        (
            Mode::Int8,
            Io::Uint8,
            vec!["QUANTIZE", "CONV_2D", "QUANTIZE"],
            DType::UInt8,
        ),
        (
            Mode::Int16x8,
            Io::Float32,
            vec!["QUANTIZE", "CONV_2D", "DEQUANTIZE"],
            DType::Float32,
        ),
        (Mode::Int16x8, Io::Int16, vec!["CONV_2D"], DType::Int16),
    ] {
        let (_, q) = quantized(&graph, &recipe(mode, io), &one_conv_ranges());
        assert_eq!(ops(&q), wanted);
        let main = q.main();
        let (x, y) = (&main.tensors[main.inputs[0]], output(&q, 0));
        assert_eq!((x.dtype, y.dtype), (dtype, dtype));
        assert_eq!(
            (x.name.as_str(), y.name.as_str()),
            ("x", "y"),
            "names outside stay"
        );
        if io == Io::Uint8 {
            assert_eq!(step(x), (2.0 / 255.0, 127));
            assert_eq!(step(output_of(&q, 0)), (2.0 / 255.0, -1));
            assert_eq!(step(y), (0.01, 0));
        }
        assert_eq!(x.quantization.is_some(), io != Io::Float32);
    }
}

#[test]
fn a_dead_channel_keeps_its_bias() {
    for (mode, io) in [(Mode::Int8, Io::Int8), (Mode::Int16x8, Io::Int16)] {
        for tiny in [0.0, 1e-30, 1e-12] {
            let graph = one_conv(&[1.27, -0.635, tiny, 0.0], &[0.5, 0.3]);
            let (_, q) = quantized(&graph, &recipe(mode, io), &one_conv_ranges());
            let b = input_of(&q, 0, 2);
            let bq = b.quantization.as_ref().unwrap();
            let wq = input_of(&q, 0, 1).quantization.as_ref().unwrap();
            assert!(wq.scales.iter().all(|s| s.is_normal() && *s > 0.0));
            for c in 0..2 {
                let real = integers(b)[c] as f64 * f64::from(bq.scales[c]);
                assert!(
                    (real - [0.5, 0.3][c]).abs() < 1e-4,
                    "{mode:?} {tiny} {c}: {real}"
                );
            }
        }
    }
}

#[test]
fn a_shared_bias_and_shared_weights_are_duplicated() {
    let graph = model(
        vec![
            real("x", &[1, 1, 1, 2]),
            weights("w", &[2, 1, 1, 2], &[1.0, 2.0, 3.0, 4.0]),
            weights("b", &[2], &[5.0, -7.0]),
            real("m", &[1, 1, 1, 2]),
            real("y", &[1, 1, 1, 2]),
        ],
        &[0],
        &[4],
        vec![node(conv(), &[0, 1, 2], 3), node(conv(), &[3, 1, 2], 4)],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, NONE, (-10.0, 10.0), (-80.0, 80.0)]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    let (b0, b1) = (q.main().nodes[0].input(2), q.main().nodes[1].input(2));
    assert_ne!(b0, b1, "each has its own bias");
    assert_eq!(
        q.main().nodes[0].input(1),
        q.main().nodes[1].input(1),
        "equal weights stay shared"
    );
    for i in 0..2 {
        let sx = step(input_of(&q, i, 0)).0;
        let wq = input_of(&q, i, 1).quantization.as_ref().unwrap();
        let b = input_of(&q, i, 2);
        for c in 0..2 {
            let scale = b.quantization.as_ref().unwrap().scales[c];
            assert!((scale / (sx * wq.scales[c]) - 1.0).abs() < 1e-6);
            assert!((integers(b)[c] as f32 * scale - [5.0, -7.0][c]).abs() < scale);
        }
    }
    assert_eq!(plan.uses.len(), 1);
    assert_eq!((plan.uses[0].node, plan.uses[0].input), (1, 2));
}

#[test]
fn a_float_island_gets_one_conversion_a_tensor() {
    // x → conv → m → custom → f → two convs; m also feeds a second custom.
    let graph = model(
        vec![
            real("x", &[1, 1, 1, 1]),
            weights("w", &[1, 1, 1, 1], &[1.0]),
            weights("b", &[1], &[1.0]),
            real("m", &[1, 1, 1, 1]),
            real("f", &[1, 1, 1, 1]),
            real("g", &[1, 1, 1, 1]),
            real("y0", &[1, 1, 1, 1]),
            real("y1", &[1, 1, 1, 1]),
        ],
        &[0],
        &[6, 7, 5],
        vec![
            node(conv(), &[0, 1, 2], 3),
            node(custom(), &[3], 4),
            node(custom(), &[3, 1], 5),
            node(conv(), &[4, 1, 2], 6),
            node(conv(), &[4, 1, 2], 7),
        ],
    );
    let one = (-1.0, 1.0);
    let seen = ranges(&[one, NONE, NONE, one, one, one, one, one]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Float32), &seen);
    assert_eq!(
        ops(&q),
        [
            "QUANTIZE",
            "CONV_2D",
            "DEQUANTIZE",
            "Mystery",
            "Mystery",
            "QUANTIZE",
            "CONV_2D",
            "CONV_2D",
            "DEQUANTIZE",
            "DEQUANTIZE"
        ]
    );
    assert_eq!(output(&q, 2).name, "g");
    assert_eq!(
        output(&q, 2).dtype,
        DType::Float32,
        "an island's output needs no conversion"
    );
    assert_eq!(
        input_of(&q, 4, 1).dtype,
        DType::Float32,
        "the island keeps the float weights"
    );
    assert!(matches!(&plan.nodes[1], NodePlan::Float(why) if why.contains("Mystery")));
    // As int8 the same output is quantized at the end.
    let (_, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    assert_eq!(output(&q, 2).dtype, DType::Int8);
    assert_eq!(ops(&q).iter().filter(|o| **o == "QUANTIZE").count(), 2);
    // strict names every one of them.
    let strict = Recipe {
        strict: true,
        ..recipe(Mode::Int8, Io::Float32)
    };
    let Err(Error::Invalid(text)) = plan_error(&graph, &strict, &seen) else {
        panic!()
    };
    assert!(
        text.contains("2 operators") && text.contains("1 Mystery") && text.contains("2 Mystery"),
        "{text}"
    );
}

fn plan_error(g: &Graph, r: &Recipe, c: &zeropoint::calibrate::Calibration) -> Result<(), Error> {
    plan(g, r, Some(c)).map(|_| ())
}

#[test]
fn concatenation_pushes_its_scale_back_where_it_can() {
    // a = relu(x) only feeds the concatenation; x itself is also concatenated and an output of relu.
    let graph = model(
        vec![
            real("x", &[1, 2]),
            real("a", &[1, 2]),
            weights("k", &[1, 1], &[9.0]),
            real("y", &[1, 5]),
        ],
        &[0],
        &[3],
        vec![node(Op::Relu, &[0], 1), node(concat(), &[1, 0, 2], 3)],
    );
    let seen = ranges(&[(-4.0, 4.0), (0.0, 4.0), NONE, (-4.0, 9.0)]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    assert_eq!(ops(&q), ["RELU", "QUANTIZE", "CONCATENATION"]);
    let y = step(output(&q, 0));
    assert_eq!(y, ((13.0f64 / 255.0) as f32, -50));
    for slot in 0..3 {
        assert_eq!(step(input_of(&q, 2, slot)), y);
    }
    assert_eq!(plan.tensors[1].reason, Reason::SameAs(3));
    assert_eq!(plan.uses[0].reason, Reason::SameAs(3));
    assert_eq!(
        integers(input_of(&q, 2, 2)),
        [((9.0 / y.0).round() as i64) + y.1]
    );
}

#[test]
fn fixed_ranges_and_data_movement() {
    for (mode, io, logistic, tanh) in [
        (Mode::Int8, Io::Int8, (1.0 / 256.0, -128), (1.0 / 128.0, 0)),
        (
            Mode::Int16x8,
            Io::Int16,
            (1.0 / 32768.0, 0),
            (1.0 / 32768.0, 0),
        ),
    ] {
        let graph = model(
            vec![
                real("x", &[1, 4]),
                real("l", &[1, 4]),
                ints("shape", &[2], &[2, 2]),
                real("r", &[2, 2]),
                real("t", &[1, 4]),
                real("l2", &[1, 4]),
                real("y", &[1, 8]),
            ],
            &[0],
            &[3, 4, 6],
            vec![
                node(Op::Logistic, &[0], 1),
                node(Op::Reshape { new_shape: None }, &[1, 2], 3),
                node(Op::Tanh, &[0], 4),
                node(Op::Logistic, &[4], 5),
                node(concat(), &[1, 5], 6),
            ],
        );
        let seen = ranges(&[
            (-3.0, 3.0),
            (0.05, 0.95),
            NONE,
            (0.05, 0.95),
            (-0.99, 0.99),
            (0.3, 0.7),
            (0.05, 0.95),
        ]);
        let (plan, q) = quantized(&graph, &recipe(mode, io), &seen);
        assert_eq!(
            ops(&q),
            ["LOGISTIC", "RESHAPE", "TANH", "LOGISTIC", "CONCATENATION"],
            "equal fixed ranges need no conversion"
        );
        assert_eq!(step(output(&q, 0)), logistic);
        assert_eq!(step(output(&q, 1)), tanh);
        assert_eq!(step(output(&q, 2)), logistic);
        assert_eq!(plan.tensors[1].reason, Reason::Fixed);
        assert_eq!(plan.tensors[3].reason, Reason::SameAs(1));
        assert_eq!(input_of(&q, 1, 1).dtype, DType::Int32, "shapes stay int32");
    }
}

#[test]
fn constant_operands_and_missing_int16_kernels() {
    let graph = model(
        vec![
            real("x", &[1, 2]),
            weights("k", &[2], &[-1.0, 3.0]),
            real("s", &[1, 2]),
            real("y", &[1, 2]),
        ],
        &[0],
        &[3],
        vec![
            node(
                Op::Add {
                    activation: Activation::None,
                    pot_scale_int16: true,
                },
                &[0, 1],
                2,
            ),
            node(Op::HardSwish, &[2], 3),
        ],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, (-2.0, 4.0), (-0.4, 4.0)]);
    let (plan8, q8) = quantized(&graph, &recipe(Mode::Int8, Io::Float32), &seen);
    assert_eq!(ops(&q8), ["QUANTIZE", "ADD", "HARD_SWISH", "DEQUANTIZE"]);
    assert_eq!(step(input_of(&q8, 1, 1)), ((4.0f64 / 255.0) as f32, -64));
    assert_eq!(integers(input_of(&q8, 1, 1)), [-128, 127]);
    assert_eq!(plan8.tensors[1].reason, Reason::Constant);
    let (plan16, q16) = quantized(&graph, &recipe(Mode::Int16x8, Io::Float32), &seen);
    assert_eq!(ops(&q16), ["QUANTIZE", "ADD", "DEQUANTIZE", "HARD_SWISH"]);
    assert_eq!(integers(input_of(&q16, 1, 1)), [-10922, 32767]);
    assert!(matches!(&plan16.nodes[1], NodePlan::Float(why) if why.contains("int16")));
    let Op::Add {
        pot_scale_int16, ..
    } = q16.main().nodes[1].op
    else {
        panic!()
    };
    assert!(!pot_scale_int16);
}

#[test]
fn outputs_that_are_inputs_or_constants_or_read_inside() {
    let graph = model(
        vec![
            real("x", &[1, 2]),
            real("h", &[1, 2]),
            real("y", &[1, 2]),
            weights("k", &[2], &[-1.0, 1.0]),
            Tensor::new("tokens", DType::Int32, vec![1]),
        ],
        &[0, 4],
        &[0, 1, 2, 3, 4],
        vec![node(Op::Relu, &[0], 1), node(Op::Relu6, &[1], 2)],
    );
    let seen = ranges(&[(-1.0, 1.0), (0.0, 1.0), (0.0, 1.0), NONE, NONE]);
    for (io, dtype, wanted) in [
        (
            Io::Float32,
            DType::Float32,
            vec!["QUANTIZE", "RELU", "RELU6", "DEQUANTIZE", "DEQUANTIZE"],
        ),
        (Io::Int8, DType::Int8, vec!["RELU", "RELU6"]),
        (
            Io::Uint8,
            DType::UInt8,
            vec!["QUANTIZE", "RELU", "RELU6", "QUANTIZE", "QUANTIZE"],
        ),
    ] {
        let (_, q) = quantized(&graph, &recipe(Mode::Int8, io), &seen);
        assert_eq!(ops(&q), wanted);
        for i in 0..4 {
            assert_eq!(output(&q, i).dtype, dtype, "{io:?} output {i}");
            assert_eq!(output(&q, i).name, graph.main().tensors[i].name);
        }
        assert_eq!(output(&q, 4).dtype, DType::Int32, "tokens stay");
        assert_eq!(q.main().outputs[0], q.main().inputs[0]);
    }
}

#[test]
fn what_cannot_be_planned_is_said_clearly() {
    let graph = one_conv(&[1.0, 0.5, 0.5, 1.0], &[0.0, 0.0]);
    let int8 = recipe(Mode::Int8, Io::Int8);
    let text = |r: Result<_, Error>| match r {
        Err(Error::Invalid(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(text(plan(&graph, &int8, None).map(|_| ())).contains("needs calibration"));
    assert!(text(plan_error(&graph, &int8, &ranges(&[NONE]))).contains("another model"));
    assert!(
        text(plan_error(
            &graph,
            &recipe(Mode::Int16x8, Io::Uint8),
            &one_conv_ranges()
        ))
        .contains("possible: float32, int16")
    );
    let no_output = ranges(&[(-1.0, 1.0), NONE, NONE, NONE]);
    let border = text(plan_error(&graph, &int8, &no_output));
    assert!(
        border.contains("Tensor 3 (\"y\") cannot be int8"),
        "{border}"
    );
    let (_, q) = quantized(&graph, &int8, &one_conv_ranges());
    let mut again = one_conv_ranges();
    again.ranges.resize(q.main().tensors.len(), None);
    assert!(text(plan_error(&q, &int8, &again)).contains("already quantized (int8)"));
    assert!(
        text(plan(&q, &recipe(Mode::Dynamic, Io::Float32), None).map(|_| ()))
            .contains("already quantized")
    );
}

#[test]
fn an_operator_without_a_usable_range_stays_float() {
    let graph = one_conv(&[1.0, 0.5, f32::NAN, 1.0], &[0.0, 0.0]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Float32), &one_conv_ranges());
    assert_eq!(ops(&q), ["CONV_2D"]);
    assert!(
        matches!(&plan.nodes[0], NodePlan::Float(why) if why.contains("\"w\"") && why.contains("NaN"))
    );
    let graph = one_conv(&[1.0, 0.5, 0.5, 1.0], &[0.0, 0.0]);
    for (range, word) in [(NONE, "no range"), ((0.0, f32::INFINITY), "infinite")] {
        let seen = ranges(&[(-1.0, 1.0), NONE, NONE, range]);
        let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Float32), &seen);
        assert_eq!(ops(&q), ["CONV_2D"]);
        assert!(
            matches!(&plan.nodes[0], NodePlan::Float(why) if why.contains(word) && why.contains("\"y\""))
        );
    }
}

#[test]
fn an_output_too_narrow_for_its_products_stays_float() {
    // Weights of 1000 whose products cancel in calibration: LiteRT's delegate would not load the int8 form.
    let graph = one_conv(&[1000.0, -1000.0, 1.0, 1.0], &[0.0, 0.0]);
    for (mode, io) in [(Mode::Int8, Io::Float32), (Mode::Int16x8, Io::Float32)] {
        let seen = ranges(&[(-1.0, 1.0), NONE, NONE, (0.0, 1e-7)]);
        let (plan, q) = quantized(&graph, &recipe(mode, io), &seen);
        assert_eq!(ops(&q), ["CONV_2D"]);
        assert!(matches!(&plan.nodes[0], NodePlan::Float(why) if why.contains("too narrow")));
        let seen = ranges(&[(-1.0, 1.0), NONE, NONE, (-1000.0, 1000.0)]);
        let (plan, _) = quantized(&graph, &recipe(mode, io), &seen);
        assert_eq!(plan.nodes[0], NodePlan::Quantized);
    }
}

#[test]
fn shared_weights_part_where_their_scales_do() {
    // Channel 1 is so small that each convolution enlarges its scale for its own bias and input.
    let graph = model(
        vec![
            real("x", &[1, 1, 1, 2]),
            weights("w", &[2, 1, 1, 2], &[1.27, 0.5, 1e-20, 0.0]),
            weights("b0", &[2], &[0.0, 0.5]),
            weights("b1", &[2], &[0.0, -0.25]),
            real("m", &[1, 1, 1, 2]),
            real("y", &[1, 1, 1, 2]),
        ],
        &[0],
        &[5],
        vec![node(conv(), &[0, 1, 2], 4), node(conv(), &[4, 1, 3], 5)],
    );
    let seen = ranges(&[(-1.0, 1.0), NONE, NONE, NONE, (-3.0, 3.0), (-5.0, 5.0)]);
    let (plan, q) = quantized(&graph, &recipe(Mode::Int8, Io::Int8), &seen);
    let scales = |i| {
        let q = input_of(&q, i, 1).quantization.as_ref().unwrap();
        q.scales.clone()
    };
    assert_eq!((scales(0)[0], scales(1)[0]), (0.01, 0.01));
    assert!(scales(0)[1] > 1e-9 && scales(0)[1] != scales(1)[1]);
    assert_ne!(q.main().nodes[0].input(1), q.main().nodes[1].input(1));
    assert_eq!(
        plan.use_of(1, 1).map(|u| &u.reason),
        Some(&Reason::Weight { per_channel: true })
    );
    for (i, wanted) in [(0, 0.5), (1, -0.25)] {
        let b = input_of(&q, i, 2);
        let real = integers(b)[1] as f64 * f64::from(b.quantization.as_ref().unwrap().scales[1]);
        assert!((real - wanted).abs() < 1e-6, "{real}");
    }
}
