//! LSTM and SVDF in int8: the random float cells of the golden files, calibrated, quantized, written, read and run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use zeropoint::calibrate::calibrate;
use zeropoint::data::Dataset;
use zeropoint::engine::{Options, Part, prepare};
use zeropoint::error::Result;
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, NodePlan, apply, plan};
use zeropoint::tflite;

use crate::golden_file::Golden;
use crate::quantize_models::recipe;

/// What a golden case feeds, by rows of the first axis.
struct Rows(Vec<Value>);

impl Dataset for Rows {
    fn name(&self) -> &str {
        "case"
    }

    fn len(&self) -> usize {
        self.0[0].shape[0]
    }

    fn batch(&self, range: Range<usize>) -> Result<Vec<Value>> {
        let rows = |value: &Value| {
            let each = value.shape[1..].iter().product::<usize>();
            let values = &value.as_f32().unwrap()[range.start * each..range.end * each];
            let shape = [&[range.len()], &value.shape[1..]].concat();
            Value::new(shape, Data::F32(values.to_vec()))
        };
        self.0.iter().map(rows).collect()
    }

    fn labels(&self) -> Option<&[u32]> {
        None
    }
}

fn run(graph: Graph, inputs: &[Value]) -> Vec<f32> {
    let mut prepared = prepare(Arc::new(graph), None, &Options::default()).unwrap();
    let outputs = prepared.run(inputs, None).unwrap();
    outputs[0].as_f32().unwrap().to_vec()
}

/// Signal to noise in dB; of silence that stays silent infinite.
fn sqnr(want: &[f32], got: &[f32]) -> f64 {
    let power = |x: f32| f64::from(x) * f64::from(x);
    let signal: f64 = want.iter().map(|&w| power(w)).sum();
    let noise: f64 = want.iter().zip(got).map(|(&w, &g)| power(w - g)).sum();
    match noise == 0.0 {
        true => f64::INFINITY,
        false => 10.0 * (signal / noise).log10(),
    }
}

/// The graph with the activation that the integer kernel computes.
fn suited(mut graph: Graph) -> Graph {
    for node in &mut graph.subgraphs[0].nodes {
        match &mut node.op {
            Op::Lstm(o) => (o.activation, o.projection_clip) = (Activation::Tanh, 0.0),
            Op::UnidirectionalSequenceLstm(o) => {
                (o.activation, o.projection_clip) = (Activation::Tanh, 0.0);
            }
            Op::Svdf(o) => o.activation = Activation::Relu,
            other => panic!("{other:?}"),
        }
    }
    graph
}

/// Quantizes the float cases of an operator in int8, changed by `change`: SQNR of those that were, and how often each reason
/// keeps one float.
fn quantized(
    operator: &str,
    change: impl Fn(Graph) -> Graph,
) -> (Vec<f64>, BTreeMap<String, usize>) {
    let golden = Golden::open(&format!("ops_{operator}.bin.gz"));
    let (mut quality, mut reasons) = (vec![], BTreeMap::new());
    let float = |c: &&crate::golden_file::Case| c.name.starts_with("float32 ");
    for (number, case) in golden.cases.iter().filter(float).enumerate() {
        let graph = Arc::new(change((*golden.graph(case).unwrap()).clone()));
        let inputs: Vec<Value> = case.inputs.iter().map(|a| golden.value(a)).collect();
        let data = Rows(inputs.clone());
        let calibration = calibrate(&graph, &data, 1, &Progress::new()).unwrap();
        let io = recipe(Mode::Int8, Io::Float32);
        let plan = plan(&graph, &io, Some(&calibration)).unwrap();
        match &plan.nodes[0] {
            NodePlan::Quantized | NodePlan::Int16 => {}
            NodePlan::Float(why) => {
                *reasons.entry(why.clone()).or_default() += 1;
                continue;
            }
            other => panic!("{}: {other:?}", case.name),
        }
        let q = apply(&graph, &plan, &Progress::new()).unwrap();
        let bytes = tflite::write(&q).unwrap();
        if let Ok(folder) = std::env::var("ZEROPOINT_OPERATORS") {
            let base = format!("{folder}/{operator}_{number}");
            std::fs::write(format!("{base}.tflite"), &bytes).unwrap();
            let float = tflite::write(&graph).unwrap();
            std::fs::write(format!("{base}.float.tflite"), float).unwrap();
        }
        let read = tflite::read(bytes.into()).unwrap();
        let main = read.main();
        let node = &main.nodes[1];
        let dtype = |slot: usize| node.input(slot).map(|t| main.tensors[t].dtype);
        assert_eq!(
            main.nodes.len(),
            3,
            "{}: QUANTIZE, cell, DEQUANTIZE",
            case.name
        );
        assert_eq!(dtype(0), Some(DType::Int8), "{}", case.name);
        match node.op {
            Op::Svdf(_) => assert_eq!(dtype(2), Some(DType::Int16), "{}", case.name),
            _ => {
                assert_eq!(node.intermediates.len(), 5, "{}", case.name);
                assert_eq!(dtype(18), Some(DType::Int8), "{}", case.name);
                assert_eq!(dtype(19), Some(DType::Int16), "{}", case.name);
                assert_eq!(dtype(13), Some(DType::Int32), "{}", case.name);
            }
        }
        let (want, got) = (run((*graph).clone(), &inputs), run(read, &inputs));
        let db = sqnr(&want, &got);
        println!("{db:5.1} dB {}", case.name);
        quality.push(db);
    }
    (quality, reasons)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Cells of a few values, of which each is rounded to int8 at every step: at least so many, the worst and the middle of them
/// better than so many dB, and only these reasons to stay float, each with its count.
fn check(operator: &str, least: usize, worst: f64, middle: f64, reasons: &[(&str, usize)]) {
    let (mut quality, mut float) = quantized(operator, suited);
    assert!(quality.len() >= least, "{} {float:?}", quality.len());
    let median = median(&mut quality);
    assert!(quality[0] > worst && median > middle, "{quality:?}");
    for (part, least) in reasons {
        let found: Vec<String> = float.keys().filter(|k| k.contains(part)).cloned().collect();
        let count: usize = found.iter().filter_map(|k| float.remove(k)).sum();
        assert!(count >= *least, "{part}: {count}");
    }
    assert!(float.is_empty(), "{float:?}");
}

const PEEPHOLES: (&str, usize) = ("gives peepholes to as many cells as there are outputs", 1);

#[test]
fn lstm_computes_in_int8_what_it_computes_in_float() {
    check("lstm", 15, 15.0, 35.0, &[PEEPHOLES]);
}

#[test]
fn sequence_lstm_computes_in_int8_what_it_computes_in_float() {
    check("unidirectional_sequence_lstm", 15, 15.0, 35.0, &[PEEPHOLES]);
}

#[test]
fn svdf_computes_in_int8_what_it_computes_in_float() {
    check("svdf", 20, 20.0, 35.0, &[]);
}

#[test]
fn what_the_integer_kernel_does_not_compute_stays_float() {
    let lstm = quantized("unidirectional_sequence_lstm", |g| g).1;
    let svdf = quantized("svdf", |g| g).1;
    for (reasons, part) in [
        (&lstm, "always computes tanh"),
        (&lstm, "clips the projection without its zero point"),
        (&svdf, "takes no activation function but RELU"),
    ] {
        assert!(reasons.keys().any(|k| k.contains(part)), "{reasons:?}");
    }
}

#[test]
fn calibration_sees_what_a_cell_computes_on_the_way() {
    let golden = Golden::open("ops_unidirectional_sequence_lstm.bin.gz");
    let mut normalized = 0;
    for case in golden
        .cases
        .iter()
        .filter(|c| c.name.starts_with("float32 "))
    {
        let graph = golden.graph(case).unwrap();
        let data = Rows(case.inputs.iter().map(|a| golden.value(a)).collect());
        let calibration = calibrate(&graph, &data, 1, &Progress::new()).unwrap();
        let node = &graph.main().nodes[0];
        let part = |part| calibration.parts.get(&(0, part)).copied();
        let cell = part(Part::State(19)).unwrap();
        let output = calibration.ranges[node.outputs[0]].unwrap();
        let hidden = part(Part::Intermediate(4)).unwrap();
        assert!(cell.min <= cell.max, "{}", case.name);
        if node.input(16).is_none() {
            assert_eq!(hidden, output, "{}", case.name);
        }
        // Sums of gates are asked for only where they are normalized, and the input gate only where there is one.
        for k in 0..4 {
            let there = node.input(21).is_some() && node.input(1 + k).is_some();
            normalized += usize::from(there);
            let sums = part(Part::Intermediate(k));
            assert_eq!(sums.is_some(), there, "{} gate {k}", case.name);
        }
    }
    assert!(normalized > 10);
}
