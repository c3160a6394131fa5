//! Bias correction: the mean error of rounded weights goes into the bias, and nothing else changes.

use std::sync::Arc;

use crate::evaluate_models::rows;
use crate::quantize_models::*;
use zeropoint::calibrate::{Calibration, calibrate};
use zeropoint::data::{self, demo};
use zeropoint::engine::{Options, prepare};
use zeropoint::evaluate;
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, Reason, Recipe, apply, plan};
use zeropoint::workbench::steps;

fn corrected(mode: Mode) -> Recipe {
    Recipe {
        bias_correction: true,
        ..recipe(mode, Io::Float32)
    }
}

fn uncorrected(mode: Mode) -> Recipe {
    Recipe {
        bias_correction: false,
        ..corrected(mode)
    }
}

/// x [1, 4] → FULLY_CONNECTED (3 outputs) → y. With a scale of 0.01, output 0 loses 0.004 at each of three weights, output 1
/// gains as much at one, output 2 is dead.
fn leaning() -> Graph {
    let w = [
        [1.27, 0.004, 0.004, 0.004],
        [1.27, -0.004, 0.0, 0.0],
        [0.0; 4],
    ]
    .concat();
    let fc = Op::FullyConnected(FullyConnected::default());
    model(
        vec![
            real("x", &[1, 4]),
            weights("w", &[3, 4], &w),
            weights("b", &[3], &[0.5, -0.25, 0.125]),
            real("y", &[1, 3]),
        ],
        &[0],
        &[3],
        vec![node(fc, &[0, 1, 2], 3)],
    )
}

const SAMPLES: [&[f32]; 3] = [
    &[-1.0, 1.0, 0.5, 0.75],
    &[0.0, 0.5, 0.75, 0.5],
    &[1.0, 0.75, 0.25, 1.0],
];

fn calibrated(graph: &Graph) -> Calibration {
    let data = rows(&SAMPLES, None);
    calibrate(&Arc::new(graph.clone()), &data, 1, &Progress::new()).unwrap()
}

#[test]
fn the_bias_takes_the_mean_error_of_the_weights() {
    let graph = leaning();
    let calibration = calibrated(&graph);
    let means = calibration.means[0].as_ref().unwrap();
    assert_eq!(means[..], [0.0, 0.75, 0.5, 0.75]);
    assert_eq!(calibration.means[3], None, "no weights meet y");
    for (mode, width) in [(Mode::Int8, 255.0), (Mode::Int16x8, 65534.0)] {
        let (off, plain) = quantized(&graph, &uncorrected(mode), &calibration);
        let (on, q) = quantized(&graph, &corrected(mode), &calibration);
        assert_eq!(off.tensors[2].reason, Reason::Bias);
        assert_eq!(on.tensors[2].reason, Reason::CorrectedBias);
        assert_eq!((off.corrections.len(), on.corrections.len()), (0, 1));
        // Scales, zero points, weights and everything else are the same.
        assert_eq!(ops(&plain), ops(&q));
        assert_eq!(input_of(&plain, 1, 1), input_of(&q, 1, 1));
        assert_eq!(step(output_of(&plain, 1)), step(output_of(&q, 1)));
        let (before, after) = (input_of(&plain, 1, 2), input_of(&q, 1, 2));
        assert_eq!(before.quantization, after.quantization);
        assert_eq!((before.dtype, &before.name), (after.dtype, &after.name));
        let scales = &after.quantization.as_ref().unwrap().scales;
        let wanted = [
            0.5 + 0.004 * (0.75 + 0.5 + 0.75),
            -0.25 - 0.004 * 0.75,
            0.125,
        ];
        for (c, (&got, wanted)) in integers(after).iter().zip(wanted).enumerate() {
            let steps = wanted / f64::from(scales[c]);
            assert!(
                (got as f64 - steps).abs() < 1.0,
                "{mode:?} {c}: {got}, {steps}"
            );
        }
        assert_eq!(
            integers(before)[2],
            integers(after)[2],
            "a dead channel loses nothing"
        );
        assert!((f64::from(step(input_of(&q, 1, 0)).0) * width - 2.0).abs() < 1e-5);
    }
}

#[test]
fn without_means_or_integers_or_bias_nothing_is_corrected() {
    let graph = leaning();
    let calibration = calibrated(&graph);
    let of = |graph: &Graph, mode, calibration: &Calibration| {
        let plan = plan(graph, &corrected(mode), Some(calibration)).unwrap();
        let q = apply(graph, &plan, &Progress::new()).unwrap();
        (plan, q)
    };
    for mode in [Mode::Float32, Mode::Float16, Mode::Dynamic] {
        assert!(of(&graph, mode, &calibration).0.corrections.is_empty());
    }
    let ranges_only = Calibration {
        means: vec![],
        ..calibration.clone()
    };
    let other_channels = Calibration {
        means: vec![Some(vec![1.0; 3])],
        ..calibration.clone()
    };
    let uncorrected = quantized(&graph, &uncorrected(Mode::Int8), &calibration).1;
    for calibration in [ranges_only, other_channels] {
        let (plan, q) = of(&graph, Mode::Int8, &calibration);
        assert!(plan.corrections.is_empty());
        assert_eq!(plan.tensors[2].reason, Reason::Bias);
        assert_eq!(q, uncorrected);
    }
    let mut bare = graph.clone();
    bare.subgraphs[0].nodes[0].inputs.truncate(2);
    let (plan, q) = of(&bare, Mode::Int8, &calibration);
    assert!(plan.corrections.is_empty() && input_of(&q, 1, 1).is_constant());
}

#[test]
fn a_plan_of_other_channels_is_refused() {
    let graph = leaning();
    let mut plan = plan(&graph, &corrected(Mode::Int8), Some(&calibrated(&graph))).unwrap();
    plan.corrections[0].means.pop();
    let error = apply(&graph, &plan, &Progress::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("bias 2") && error.contains("anew"),
        "{error}"
    );
    let cancelled = Progress::new();
    cancelled.cancel();
    assert!(apply(&graph, &plan, &cancelled).is_err());
}

#[test]
fn a_shared_bias_parts_where_its_corrections_do() {
    let fc = || Op::FullyConnected(FullyConnected::default());
    let graph = model(
        vec![
            real("x", &[1, 2]),
            weights("v", &[1, 2], &[1.27, 0.004]),
            weights("w", &[1, 2], &[1.27, -0.004]),
            weights("b", &[1], &[0.5]),
            real("y", &[1, 1]),
            real("z", &[1, 1]),
        ],
        &[0],
        &[4, 5],
        vec![node(fc(), &[0, 1, 3], 4), node(fc(), &[0, 2, 3], 5)],
    );
    let data = rows(&[&[-1.0, 1.0], &[1.0, 1.0]], None);
    let calibration = calibrate(&Arc::new(graph.clone()), &data, 1, &Progress::new()).unwrap();
    let (plan, q) = quantized(&graph, &corrected(Mode::Int8), &calibration);
    assert_eq!(plan.corrections.len(), 2);
    let at = |node: usize| {
        let bias = input_of(&q, node, 2);
        let scale = bias.quantization.as_ref().unwrap().scales[0];
        integers(bias)[0] as f64 * f64::from(scale)
    };
    let nodes: Vec<_> = (0..q.main().nodes.len())
        .filter(|&i| q.main().nodes[i].op.name() == "FULLY_CONNECTED")
        .collect();
    assert!((at(nodes[0]) - 0.504).abs() < 1e-4 && (at(nodes[1]) - 0.496).abs() < 1e-4);
}

/// A convolution of some kind whose channels hold constants: the mean error is then the error, and only rounding is left.
fn image(op: Op, input: [usize; 4], filter: [usize; 4], output: [usize; 4]) -> Graph {
    let mut state = 11u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    // Small weights beside a large one a channel, leaning upwards: rounding loses much of them, in one direction.
    let depthwise = matches!(op, Op::DepthwiseConv2d(_));
    let channels = if depthwise { filter[3] } else { filter[0] };
    let all: usize = filter.iter().product();
    let values: Vec<f32> = (0..all)
        .map(|i| {
            let first = if depthwise {
                i < channels
            } else {
                i % (all / channels) == 0
            };
            if first { 1.27 } else { 0.004 * next() }
        })
        .collect();
    let bias = vec![0.1; channels];
    let transposed = matches!(op, Op::TransposeConv(_));
    let shape = output.map(|d| d as i32);
    let inputs: &[usize] = if transposed {
        &[4, 1, 0, 2]
    } else {
        &[0, 1, 2]
    };
    let tensors = vec![
        real("x", &input),
        weights("w", &filter, &values),
        weights("b", &[channels], &bias),
        real("y", &output),
        ints("shape", &[4], &shape),
    ];
    model(tensors, &[0], &[3], vec![node(op, inputs, 3)])
}

#[test]
fn windows_of_every_kind_are_corrected_in_the_mean() {
    let depthwise = |padding, stride, dilation| {
        Op::DepthwiseConv2d(DepthwiseConv2d {
            padding,
            stride,
            dilation,
            activation: Activation::None,
            depth_multiplier: 2,
        })
    };
    let convolution = |padding, stride, dilation| {
        Op::Conv2d(Conv2d {
            padding,
            stride,
            dilation,
            activation: Activation::None,
            quantized_bias: None,
        })
    };
    let transposed = |padding, stride| {
        Op::TransposeConv(TransposeConv {
            padding,
            stride,
            activation: Activation::None,
            quantized_bias: None,
        })
    };
    let (same, valid) = (Padding::Same, Padding::Valid);
    for (op, input, filter, output) in [
        (
            convolution(same, [1, 1], [1, 1]),
            [1, 5, 4, 3],
            [2, 3, 3, 3],
            [1, 5, 4, 2],
        ),
        (
            convolution(same, [2, 1], [1, 2]),
            [1, 6, 5, 3],
            [2, 3, 3, 3],
            [1, 3, 5, 2],
        ),
        (
            convolution(valid, [1, 1], [1, 1]),
            [1, 5, 4, 3],
            [2, 3, 2, 3],
            [1, 3, 3, 2],
        ),
        // Two groups of two channels.
        (
            convolution(same, [1, 1], [1, 1]),
            [1, 4, 4, 4],
            [6, 3, 3, 2],
            [1, 4, 4, 6],
        ),
        (
            depthwise(same, [1, 1], [1, 1]),
            [1, 4, 4, 2],
            [1, 3, 3, 4],
            [1, 4, 4, 4],
        ),
        (
            depthwise(same, [2, 2], [1, 1]),
            [1, 5, 6, 2],
            [1, 5, 3, 4],
            [1, 3, 3, 4],
        ),
        (
            transposed(same, [2, 2]),
            [1, 3, 4, 3],
            [2, 3, 3, 3],
            [1, 6, 8, 2],
        ),
        (
            transposed(valid, [2, 1]),
            [1, 3, 4, 3],
            [2, 3, 2, 3],
            [1, 7, 5, 2],
        ),
    ] {
        let name = format!("{} {input:?} {filter:?}", op.name());
        let graph = image(op, input, filter, output);
        let channels = input[3];
        let pixels: usize = input.iter().product::<usize>();
        // Different constants a channel, none of them 0 on average.
        let x: Vec<f32> = (0..pixels)
            .map(|i| [1.0, 0.5, 0.25, 2.0][i % channels])
            .collect();
        let value = Value::new(input.to_vec(), Data::F32(x.clone())).unwrap();
        let mean = |graph: &Graph| -> Vec<f64> {
            let mut ready = prepare(Arc::new(graph.clone()), None, &Options::default()).unwrap();
            let y = ready.run(std::slice::from_ref(&value), None).unwrap();
            let y = y[0].as_f32().unwrap();
            let count = (y.len() / output[3]) as f64;
            let of = |c| y.iter().skip(c).step_by(output[3]).map(|&v| f64::from(v));
            (0..output[3]).map(|c| of(c).sum::<f64>() / count).collect()
        };
        let data = Image(value.clone());
        let calibration = calibrate(&Arc::new(graph.clone()), &data, 1, &Progress::new()).unwrap();
        let off = quantized(&graph, &uncorrected(Mode::Int16x8), &calibration).1;
        let (plan, on) = quantized(&graph, &corrected(Mode::Int16x8), &calibration);
        assert_eq!(plan.corrections.len(), 1, "{name}");
        let (wanted, off, on) = (mean(&graph), mean(&off), mean(&on));
        let worst = |got: &[f64]| {
            let pairs = wanted.iter().zip(got);
            pairs.fold(0f64, |w, (a, b)| w.max((a - b).abs()))
        };
        let (scale, _) = step_of(&plan, 3);
        assert!(worst(&on) < 2.0 * scale, "{name}: {wanted:?} {on:?}");
        assert!(worst(&off) > 20.0 * scale, "{name}: {wanted:?} {off:?}");
    }
}

fn step_of(plan: &zeropoint::quantize::QuantPlan, t: usize) -> (f64, i64) {
    let q = plan.tensors[t].quantization.as_ref().unwrap();
    (q.scales[0].into(), q.zero_points[0])
}

/// One image.
struct Image(Value);

impl data::Dataset for Image {
    fn name(&self) -> &str {
        "image"
    }
    fn len(&self) -> usize {
        1
    }
    fn batch(&self, _: std::ops::Range<usize>) -> zeropoint::error::Result<Vec<Value>> {
        Ok(vec![self.0.clone()])
    }
    fn labels(&self) -> Option<&[u32]> {
        None
    }
}

#[test]
fn the_demo_gains_signal_and_no_bytes() {
    let files = demo::demo();
    let graph = Arc::new(zeropoint::tflite::read(files.model.bytes).unwrap());
    let specs = data::input_specs(&graph, 0);
    let images = data::open(
        files.calibration.name,
        files.calibration.bytes,
        None,
        &specs,
    )
    .unwrap();
    let (learn, all) = (
        data::take(images.clone(), 100).unwrap(),
        data::take(images, 400).unwrap(),
    );
    let progress = Progress::new();
    let calibration = calibrate(&graph, learn.as_ref(), 2, &progress).unwrap();
    let float = evaluate::baseline(&graph, all.as_ref(), 2, &progress).unwrap();
    for mode in [Mode::Int8, Mode::Int16x8] {
        let measured = |recipe: &Recipe| {
            let q = quantized(&graph, recipe, &calibration).1;
            let bytes = zeropoint::tflite::write(&q).unwrap();
            let size = bytes.len();
            let q = Arc::new(zeropoint::tflite::read(bytes.into()).unwrap());
            let got = evaluate::evaluate(&q, all.as_ref(), Some(&float), 2, &progress).unwrap();
            (got.sqnr_db.unwrap(), size)
        };
        let off = measured(&uncorrected(mode));
        let on = measured(&corrected(mode));
        assert!(on.0 > off.0, "{mode:?}: {on:?} {off:?}");
        assert_eq!(on.1, off.1);
    }
}

#[test]
fn a_corrected_bias_is_reported_by_what_it_should_be() {
    let graph = Arc::new(leaning());
    let (data, progress) = (rows(&SAMPLES, None), Progress::new());
    let calibration = calibrated(&graph);
    let (_, q) = quantized(&graph, &corrected(Mode::Int8), &calibration);
    let q = Arc::new(q);
    let bias = |calibration| {
        let all = evaluate::tensors(&graph, &q, calibration, &data, 3, &progress).unwrap();
        all.into_iter().find(|t| t.name == "b").unwrap()
    };
    let known = bias(Some(&calibration));
    assert!(
        known.step_rms <= 0.5 && known.sqnr_local_db.unwrap() > 60.0,
        "{known:?}"
    );
    // Without the means all that can be said is how far it lies from the float model's.
    assert!(bias(None).step_rms > 1.0);
    // A bias that was not corrected is compared with itself, whatever is known.
    let (_, plain) = quantized(&graph, &uncorrected(Mode::Int8), &calibration);
    let all = evaluate::tensors(
        &graph,
        &Arc::new(plain),
        Some(&calibration),
        &data,
        3,
        &progress,
    );
    let plain = all.unwrap().into_iter().find(|t| t.name == "b").unwrap();
    assert!(
        plain.step_rms <= 0.5 && plain.range == (-0.25, 0.5),
        "{plain:?}"
    );
}

#[test]
fn a_conversion_keeps_the_correction_only_where_the_outputs_gain() {
    let model = |graph: &Graph| {
        let bytes = zeropoint::tflite::write(graph).unwrap();
        steps::read_model("leaning", None, bytes.into()).unwrap()
    };
    let model = model(&leaning());
    let progress = Progress::new();
    let convert = |samples: &[&[f32]], recipe: &Recipe| {
        let data = rows(samples, None);
        let calibration = calibrate(&model.graph, &data, 1, &progress).unwrap();
        steps::convert(&model, recipe, Some(&calibration), 1, &progress).unwrap()
    };
    let recipe = corrected(Mode::Int16x8);
    // All samples are alike: their mean says what each loses.
    let kept = convert(&SAMPLES, &recipe);
    assert_eq!(kept.plan.corrections.len(), 1);
    // The first run's samples lose nothing, later ones far more than those do: the mean of all is the error of none.
    let few: &[f32] = &[1.0, 0.0, 0.0, 0.0];
    let many: &[f32] = &[-1.0, 9.0, 9.0, 9.0];
    let mut mixed = vec![few; 128];
    mixed.extend([many; 128]);
    let dropped = convert(&mixed, &recipe);
    assert!(dropped.plan.corrections.is_empty());
    let told = dropped.plan.warnings.iter();
    let told: Vec<_> = told
        .filter(|w| w.contains("Biases are not corrected"))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", dropped.plan.warnings);
    assert_eq!(dropped.plan.recipe, recipe);
    let plain = convert(&mixed, &uncorrected(Mode::Int16x8));
    assert_eq!(dropped.bytes, plain.bytes);
    assert!(
        plain
            .plan
            .warnings
            .iter()
            .all(|w| !w.contains("not corrected"))
    );
}

#[test]
fn taking_corrections_back_gives_what_a_plan_without_them_computes() {
    let files = demo::demo();
    let graph = Arc::new(zeropoint::tflite::read(files.model.bytes).unwrap());
    let specs = data::input_specs(&graph, 0);
    let calibration = files.calibration;
    let images = data::open(calibration.name, calibration.bytes, None, &specs).unwrap();
    let images = data::take(images, 100).unwrap();
    let calibration = calibrate(&graph, images.as_ref(), 1, &Progress::new()).unwrap();
    let inputs = images.batch(0..1).unwrap();
    let answer = |graph: Graph| {
        let mut prepared = prepare(Arc::new(graph), None, &Options::default()).unwrap();
        prepared.run(&inputs, None).unwrap().remove(0)
    };
    for mode in [Mode::Int8, Mode::Int16x8] {
        let made = |recipe: &Recipe| {
            let plan = plan(&graph, recipe, Some(&calibration)).unwrap();
            let made = apply(&graph, &plan, &Progress::new()).unwrap();
            (plan, made)
        };
        let (with, corrected) = made(&corrected(mode));
        assert!(!with.corrections.is_empty());
        let (_, want) = made(&uncorrected(mode));
        let got = zeropoint::quantize::uncorrected(&graph, &with, &corrected, &Progress::new());
        let got = got.unwrap().unwrap();
        assert_ne!(answer(corrected), answer(want.clone()), "{mode:?}");
        assert_eq!(answer(got), answer(want), "{mode:?}");
    }
}
