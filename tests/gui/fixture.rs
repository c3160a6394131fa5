//! Experiments with measured tensors, made up without the core: figures follow from seeded values by the definitions.

use std::sync::Arc;

use zeropoint::evaluate::{ChannelReport, Histogram, TensorKind, TensorReport};
use zeropoint::graph::{
    Activation, Conv2d, DType, FullyConnected, Graph, Node, Op, Padding, Subgraph, Tensor,
};
use zeropoint::quantize::{Io, Mode, NodePlan, QuantPlan, Reason, Recipe, TensorPlan};
use zeropoint::workbench::litert::Engine;
use zeropoint::workbench::{
    Entry, Experiment, ExperimentId, Intent, ModelCard, ModelFormat, OpenModel, QuantizedFile,
    RunKey, State,
};

/// An experiment that is done and has these tensors.
pub fn experiment(id: u64, mode: Mode, tensors: Vec<TensorReport>) -> Experiment {
    Experiment {
        id: ExperimentId(id),
        intent: Intent {
            recipe: Recipe {
                mode,
                io: Io::Float32,
                ..Recipe::default()
            },
            ..Intent::default()
        },
        key: RunKey {
            recipe: Recipe {
                mode,
                io: Io::Float32,
                ..Recipe::default()
            },
            model: 1,
            calibration: 1,
            evaluation: 1,
            threads: 1,
            engine: Engine::Zeropoint,
        },
        state: State::Done,
        finished: None,
        reused: false,
        stale: false,
        random: false,
        file: None,
        evaluation: None,
        latency: None,
        profile: None,
        litert: None,
        tensors: Some(Arc::new(tensors)),
    }
}

/// A convolution, a shape operator and a dense layer, with tensors named as in [`int8_tensors`].
pub fn model() -> OpenModel {
    let float = |name: &str, shape: &[usize]| Tensor::new(name, DType::Float32, shape.to_vec());
    let constant = |name: &str, shape: &[usize]| {
        let size = shape.iter().product::<usize>() * 4;
        Tensor::constant(name, DType::Float32, shape.to_vec(), vec![0u8; size])
    };
    let tensors = vec![
        float("image", &[1, 28, 28, 1]),
        constant("sequential/conv2d_1/Conv2D", &[12, 3, 3, 1]),
        float(CONV, &[1, 26, 26, 12]),
        Tensor::new("sequential/flatten_1/Shape", DType::Int32, vec![4]),
        constant("sequential/dense_1/MatMul", &[10, 8112]),
        float("StatefulPartitionedCall_1:0", &[1, 10]),
    ];
    let conv = Op::Conv2d(Conv2d {
        padding: Padding::Valid,
        stride: [1, 1],
        dilation: [1, 1],
        activation: Activation::Relu,
        quantized_bias: None,
    });
    let nodes = vec![
        Node::new(conv, vec![Some(0), Some(1)], vec![2]),
        Node::new(
            Op::Shape {
                out_type: DType::Int32,
            },
            vec![Some(2)],
            vec![3],
        ),
        Node::new(
            Op::FullyConnected(FullyConnected::default()),
            vec![Some(2), Some(4)],
            vec![5],
        ),
    ];
    let main = Subgraph {
        tensors,
        inputs: vec![0],
        outputs: vec![5],
        nodes,
        ..Subgraph::default()
    };
    let graph = Arc::new(Graph {
        subgraphs: vec![main],
        ..Graph::default()
    });
    OpenModel {
        name: "made up".into(),
        path: None,
        format: ModelFormat::TfLite,
        bytes: vec![].into(),
        card: ModelCard::of(&graph, 0),
        file: graph.clone(),
        graph,
        entries: Arc::new([]),
        entry: Entry::default(),
        shape_obstacle: None,
        fingerprint: None,
        stamps: Default::default(),
    }
}

const CONV: &str = "sequential/conv2d_1/Relu;sequential/conv2d_1/BiasAdd";

/// A file of [`model`] in which the dense layer stays float; made up, so its graph is the model's.
pub fn file(model: &OpenModel, dtype: DType) -> Arc<QuantizedFile> {
    let why = "its weights are smaller than 1,024 elements".to_owned();
    let plan = QuantPlan {
        recipe: Recipe::default(),
        tensors: (0..6)
            .map(|tensor| TensorPlan {
                tensor,
                dtype: match tensor {
                    1 | 2 => dtype,
                    3 => DType::Int32,
                    _ => DType::Float32,
                },
                quantization: None,
                reason: Reason::Fixed,
            })
            .collect(),
        nodes: vec![
            NodePlan::Quantized,
            NodePlan::Unaffected,
            NodePlan::Float(why),
        ],
        uses: vec![],
        parts: vec![],
        shapes: vec![],
        borders: vec![],
        corrections: vec![],
        warnings: vec![],
    };
    Arc::new(QuantizedFile {
        bytes: model.bytes.clone(),
        graph: model.graph.clone(),
        plan: Arc::new(plan),
        convert_seconds: 0.0,
    })
}

/// The tensors of a small network in int8: per-channel weights, a bias, activations, one of them off by 4.4 steps at its zero point.
pub fn int8_tensors() -> Vec<TensorReport> {
    let weights = per_channel(bell(10 * 400, 1, 0.16), 10);
    let weights = finish(
        0,
        "sequential/dense_1/MatMul",
        TensorKind::Weights,
        "int8",
        weights,
    );
    let filter = per_channel(bell(12 * 9, 2, 0.4), 12);
    let filter = finish(
        1,
        "sequential/conv2d_1/Conv2D",
        TensorKind::Weights,
        "int8",
        filter,
    );
    let relu = |n, seed, spread| {
        bell(n, seed, spread)
            .into_iter()
            .map(|v| v.max(0.0))
            .collect()
    };
    let conv = quantized(relu(20_000, 3, 0.6), 0.009_97, -128, (-128, 127));
    let conv = finish(2, CONV, TensorKind::Activation, "int8", conv);
    let logits = quantized(bell(4_000, 4, 5.0), 0.181, 45, (-128, 127));
    let mut logits = finish(
        3,
        "StatefulPartitionedCall_1:0",
        TensorKind::Activation,
        "int8",
        logits,
    );
    logits.zero_point_error = Some(4.4);
    let bias = quantized(
        bell(10, 5, 0.05),
        8.68e-5,
        0,
        (-i64::from(i32::MAX), i64::from(i32::MAX)),
    );
    let mut bias = finish(
        4,
        "sequential/dense_1/BiasAdd",
        TensorKind::Bias,
        "int32",
        bias,
    );
    (bias.scale_error, bias.zero_point_error) = (None, None);
    vec![weights, filter, conv, logits, bias]
}

/// The same in int16x8: one activation less, symmetric.
pub fn int16_tensors() -> Vec<TensorReport> {
    let mut tensors = int8_tensors();
    tensors.truncate(2);
    let relu: Vec<f32> = bell(20_000, 3, 0.6)
        .into_iter()
        .map(|v| v.max(0.0))
        .collect();
    let conv = quantized(relu, 7.76e-5, 0, (-32767, 32767));
    let mut conv = finish(2, CONV, TensorKind::Activation, "int16", conv);
    conv.zero_point_error = None;
    tensors.push(conv);
    tensors
}

/// Many small tensors, for tables that are longer than the window.
pub fn many(count: usize) -> Vec<TensorReport> {
    (0..count)
        .map(|i| {
            let values = bell(64, i as u64, 0.5 + (i % 7) as f32);
            let name = format!("block_{}/layer_{i}/output", i / 12);
            finish(
                i,
                &name,
                TensorKind::Activation,
                "int8",
                quantized(values, 0.05, -3, (-128, 127)),
            )
        })
        .collect()
}

/// Values, and what quantization makes of them.
struct Quantized {
    values: Vec<f32>,
    after: Vec<f64>,
    scales: Vec<f32>,
    zero_point: i64,
    q_range: (i64, i64),
}

fn quantized(values: Vec<f32>, scale: f32, zero_point: i64, q_range: (i64, i64)) -> Quantized {
    let after = values
        .iter()
        .map(|&v| round_trip(v, scale, zero_point, q_range))
        .collect();
    Quantized {
        values,
        after,
        scales: vec![scale],
        zero_point,
        q_range,
    }
}

fn per_channel(values: Vec<f32>, channels: usize) -> Quantized {
    let size = values.len() / channels;
    let scale = |c: &[f32]| c.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
    let scales: Vec<f32> = values.chunks(size).map(scale).collect();
    let at = |(i, &v): (usize, &f32)| round_trip(v, scales[i / size], 0, (-127, 127));
    let after = values.iter().enumerate().map(at).collect();
    Quantized {
        after,
        scales,
        values,
        zero_point: 0,
        q_range: (-127, 127),
    }
}

fn round_trip(v: f32, scale: f32, zero_point: i64, q_range: (i64, i64)) -> f64 {
    let q = (f64::from(v) / f64::from(scale)).round() + zero_point as f64;
    (q.clamp(q_range.0 as f64, q_range.1 as f64) - zero_point as f64) * f64::from(scale)
}

fn finish(tensor: usize, name: &str, kind: TensorKind, dtype: &str, q: Quantized) -> TensorReport {
    let float: Vec<f64> = q.values.iter().map(|&v| v.into()).collect();
    let (low, high) = float
        .iter()
        .fold((0f64, 0f64), |(a, b), &v| (a.min(v), b.max(v)));
    let scale = q.scales.iter().copied().fold(0f32, f32::max);
    let size = q.values.len() / q.scales.len();
    let steps: Vec<f64> = float
        .iter()
        .zip(&q.after)
        .enumerate()
        .map(|(i, (x, y))| (x - y) / f64::from(q.scales[i / size]))
        .collect();
    let step = f64::from(scale) * ((high - low) / f64::from(scale) / 128.0).ceil().max(0.01);
    let bins = ((high - low) / step).ceil() as usize + 1;
    let start = (low / step).round() * step - step / 2.0;
    let mean_square = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    let channel = |(i, &scale): (usize, &f32)| {
        let range = i * size..(i + 1) * size;
        ChannelReport {
            scale,
            scale_error: Some(0.01 * i as f64 - 0.04),
            sqnr_db: Some(sqnr(&float[range.clone()], &q.after[range])),
        }
    };
    let channels = if q.scales.len() > 1 {
        q.scales.iter().enumerate().map(channel).collect()
    } else {
        vec![]
    };
    let local = sqnr(&float, &q.after);
    TensorReport {
        tensor,
        name: name.to_owned(),
        op: if kind == TensorKind::Activation {
            "CONV_2D"
        } else {
            "FULLY_CONNECTED"
        }
        .to_owned(),
        node: Some(tensor),
        kind,
        dtype: dtype.to_owned(),
        shape: vec![q.scales.len(), size],
        range: (low as f32, high as f32),
        scale,
        zero_point: q.zero_point,
        q_range: q.q_range,
        scale_error: Some(0.04),
        zero_point_error: (kind == TensorKind::Activation).then_some(0.3),
        clipped: steps.iter().filter(|e| e.abs() > 0.5001).count() as f64 / steps.len() as f64,
        sqnr_local_db: Some(local),
        sqnr_cumulative_db: Some(local - 1.5),
        values: histogram(&float, start, step, bins),
        dequantized: histogram(&q.after, start, step, bins),
        step_rms: mean_square(&steps).sqrt(),
        step_error: histogram(&steps, -0.75, 1.0 / 32.0, 48),
        channels,
    }
}

fn sqnr(x: &[f64], y: &[f64]) -> f64 {
    let signal: f64 = x.iter().map(|v| v * v).sum();
    let noise: f64 = x.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (signal / noise).log10()
}

fn histogram(values: &[f64], start: f64, step: f64, bins: usize) -> Histogram {
    let mut counts = vec![0; bins];
    for v in values {
        let bin = ((v - start) / step).floor().clamp(0.0, bins as f64 - 1.0);
        counts[bin as usize] += 1;
    }
    Histogram {
        start,
        step,
        counts,
    }
}

/// Values that lie round 0 like a bell: sums of four uniform ones from a seeded xorshift.
fn bell(count: usize, seed: u64, spread: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count)
        .map(|_| (0..4).map(|_| uniform()).sum::<f32>() * spread * 1.7)
        .collect()
}
