//! Every operator alone, in every mode that has it: what comes out computes what the float operator does, within the steps of its scales.

use std::sync::Arc;

use zeropoint::calibrate::{Calibration, Range};
use zeropoint::engine::{KernelSet, Observer, Options, View, prepare};
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, NodePlan, apply, plan};
use zeropoint::tflite;

use crate::quantize_cases::{Case, Has, In, functions, movements, pairs, weighted};
use crate::quantize_models::*;

/// Uniform numbers that follow from a seed.
fn uniform(seed: &mut u64, low: f32, high: f32) -> f32 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    low + (high - low) * ((*seed >> 40) as f32 / (1u64 << 24) as f32)
}

/// The float graph of a case and what it is fed.
fn graph(case: &Case, seed: &mut u64) -> (Graph, Vec<Value>) {
    let (mut tensors, mut inputs, mut ids, mut fed) = (vec![], vec![], vec![], vec![]);
    for (slot, input) in case.inputs.iter().enumerate() {
        let name = format!("x{slot}");
        let mut random = |shape: &[usize], low, high| -> Vec<f32> {
            let n: usize = shape.iter().product();
            let mut values: Vec<f32> = (0..n).map(|_| uniform(seed, low, high)).collect();
            // The ends of the range occur, so that what calibration sees is what the gains speak of.
            if n > 2 {
                (values[0], values[n - 1]) = (low, high);
            }
            values
        };
        ids.push(Some(tensors.len()));
        match input {
            In::Fed(shape, low, high) => {
                inputs.push(tensors.len());
                fed.push(Value::new(shape.clone(), Data::F32(random(shape, *low, *high))).unwrap());
                tensors.push(real(&name, shape));
            }
            In::Constant(shape, low, high) => {
                tensors.push(weights(&name, shape, &random(shape, *low, *high)));
            }
            In::Ints(shape, values) => tensors.push(ints(&name, shape, values)),
            In::Truth(shape) => {
                inputs.push(tensors.len());
                let truths = random(shape, -1.0, 1.0).iter().map(|v| *v > 0.0).collect();
                fed.push(Value::new(shape.clone(), Data::Bool(truths)).unwrap());
                tensors.push(Tensor::new(name, DType::Bool, shape.clone()));
            }
        }
    }
    let mut outputs = vec![];
    for (i, (dtype, shape)) in case.outputs.iter().enumerate() {
        outputs.push(tensors.len());
        tensors.push(Tensor::new(format!("y{i}"), *dtype, shape.clone()));
    }
    let node = Node::new(case.op.clone(), ids, outputs.clone());
    (model(tensors, &inputs, &outputs, vec![node]), fed)
}

/// Ranges of all float tensors that a run touches.
struct Seen(Vec<Option<Range>>);

impl Observer for Seen {
    fn tensor(&mut self, id: TensorId, value: View<'_>) {
        if let zeropoint::engine::Slice::F32(values) = value.data {
            let fold = |f: fn(f32, f32) -> f32| values.iter().copied().reduce(f).unwrap();
            self.0[id] = Some(Range {
                min: fold(f32::min),
                max: fold(f32::max),
            });
        }
    }
}

fn run(graph: Graph, fed: &[Value], seen: &mut Seen) -> Result<Vec<Value>, String> {
    let options = Options {
        kernels: KernelSet::Reference,
        ..Options::default()
    };
    let name = graph.main().nodes[0].op.name().to_owned();
    prepare(Arc::new(graph), None, &options)
        .and_then(|mut model| model.run(fed, Some(seen)))
        .map_err(|e| format!("{name}: {e}"))
}

/// Largest scale by which the quantized node sees its input.
fn seen_scale(node: &Node, tensors: &[Tensor], slot: usize) -> f32 {
    let q = node
        .input(slot)
        .and_then(|t| tensors[t].quantization.as_ref());
    q.map_or(0.0, |q| q.scales.iter().fold(0f32, |m, &s| m.max(s)))
}

/// Quantizes a case, writes and reads it back, runs both and compares.
fn check(case: &Case, mode: Mode, seed: &mut u64) -> Result<(), String> {
    let (float, fed) = graph(case, seed);
    let name = case.op.name().to_owned();
    let mut seen = Seen(vec![None; float.main().tensors.len()]);
    let wanted = run(float.clone(), &fed, &mut seen)?;
    let calibration = Calibration {
        samples: 1,
        ranges: seen.0,
        ..Calibration::default()
    };
    let plan =
        plan(&float, &recipe(mode, Io::Float32), Some(&calibration)).map_err(|e| e.to_string())?;
    if plan.nodes[0] != NodePlan::Quantized {
        return Err(format!("{name} {}: {:?}", mode.name(), plan.nodes[0]));
    }
    let q = apply(&float, &plan, &Progress::new()).map_err(|e| e.to_string())?;
    let bytes = tflite::write(&q).map_err(|e| e.to_string())?;
    if let Ok(folder) = std::env::var("ZEROPOINT_OPERATORS") {
        let base = format!("{folder}/{name}_{}_{seed}", mode.name());
        std::fs::write(format!("{base}.tflite"), &bytes).unwrap();
        std::fs::write(
            format!("{base}.float.tflite"),
            tflite::write(&float).unwrap(),
        )
        .unwrap();
    }
    let read = tflite::read(bytes.into()).map_err(|e| e.to_string())?;
    let main = read.main();
    let node = main.nodes.iter().find(|n| n.op.name() == name).unwrap();
    let inside: f32 = (0..case.inputs.len())
        .map(|slot| {
            case.gains.get(slot).unwrap_or(&1.0) * seen_scale(node, &main.tensors, slot) / 2.0
        })
        .sum();
    let out: Vec<Option<f32>> = node
        .outputs
        .iter()
        .map(|&t| Some(*main.tensors[t].quantization.as_ref()?.scales.first()?))
        .collect();
    let mut nothing = Seen(vec![None; main.tensors.len()]);
    let got = run(read, &fed, &mut nothing)?;
    let steps = if mode == Mode::Int8 {
        case.kernel.0
    } else {
        case.kernel.1
    };
    for (i, (w, g)) in wanted.iter().zip(&got).enumerate() {
        let (Some(w), Some(g)) = (w.as_f32(), g.as_f32()) else {
            // Truth values and indices may differ only where values are closer than the steps.
            let same = (w.data == g.data) as usize;
            let differing = count_differing(&w.data, &g.data);
            if same == 0 && differing * 4 > w.data.len() {
                return Err(format!(
                    "{name} {}: {differing} of {} differ",
                    mode.name(),
                    w.data.len()
                ));
            }
            continue;
        };
        let bound = inside + steps * out[i].unwrap_or(0.0);
        let worst = w
            .iter()
            .zip(g)
            .map(|(w, g)| (w - g).abs())
            .fold(0f32, f32::max);
        if worst > bound * 1.001 + 1e-6 {
            return Err(format!(
                "{name} {} output {i}: off by {worst}, {} steps; the bound is {bound}",
                mode.name(),
                worst / out[i].unwrap_or(1.0)
            ));
        }
    }
    Ok(())
}

fn count_differing(a: &Data, b: &Data) -> usize {
    match (a, b) {
        (Data::Bool(a), Data::Bool(b)) => a.iter().zip(b).filter(|(a, b)| a != b).count(),
        (Data::I32(a), Data::I32(b)) => a.iter().zip(b).filter(|(a, b)| a != b).count(),
        _ => usize::MAX / 8,
    }
}

fn check_all(cases: Vec<Case>) {
    let mut seed = 7;
    let mut failed = vec![];
    for case in &cases {
        for (mode, has) in [(Mode::Int8, Has::Int8), (Mode::Int16x8, Has::Int16)] {
            for _ in 0..3 {
                let (float, _) = graph(case, &mut seed);
                let found = if case.has == Has::Both || case.has == has {
                    check(case, mode, &mut seed)
                } else {
                    stays_float(&float, mode)
                };
                failed.extend(found.err());
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A mode that has no kernel keeps the operator, and says so.
fn stays_float(float: &Graph, mode: Mode) -> Result<(), String> {
    let main = float.main();
    let ranges = main.tensors.iter().map(|_| {
        Some(Range {
            min: -1.0,
            max: 2.0,
        })
    });
    let calibration = Calibration {
        samples: 1,
        ranges: ranges.collect(),
        ..Calibration::default()
    };
    let plan =
        plan(float, &recipe(mode, Io::Float32), Some(&calibration)).map_err(|e| e.to_string())?;
    match &plan.nodes[0] {
        NodePlan::Float(why) if why.contains("kernel") => {
            let q = apply(float, &plan, &Progress::new()).map_err(|e| e.to_string())?;
            match q.main().nodes.len() {
                1 => Ok(()),
                n => Err(format!(
                    "{n} nodes around a float {}",
                    main.nodes[0].op.name()
                )),
            }
        }
        other => Err(format!(
            "{} {}: {other:?}",
            main.nodes[0].op.name(),
            mode.name()
        )),
    }
}

#[test]
fn functions_of_one_input() {
    check_all(functions());
}

#[test]
fn functions_of_two_inputs() {
    check_all(pairs());
}

#[test]
fn operators_with_weights() {
    check_all(weighted());
}

#[test]
fn operators_that_move_values() {
    check_all(movements());
}
