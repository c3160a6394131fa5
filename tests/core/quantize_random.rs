//! Random networks through plan and apply: the graphs that come out are sound, keep their rules, run, and compute what the float one does.

use std::sync::Arc;

use proptest::prelude::*;
use zeropoint::calibrate::{Calibration, calibrate};
use zeropoint::data;
use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, NodePlan, OperatorRef, Reason, Recipe, apply, plan, support};
use zeropoint::tflite;

use crate::quantize_models::*;

const SHAPE: [usize; 4] = [1, 2, 2, 2];

/// A network from a list of (operator, first operand, second operand); operands count back over what is there already.
fn network(steps: &[(u8, u8, u8)], more_outputs: u8) -> Graph {
    let mut tensors = vec![real("x", &SHAPE), real("x2", &SHAPE)];
    let mut nodes = vec![];
    let mut reals = vec![0, 1];
    let bias = tensors.len();
    tensors.push(weights("bias", &[2], &[0.25, -0.125]));
    for (k, &(op, a, b)) in steps.iter().enumerate() {
        let pick = |n: u8| reals[reals.len() - 1 - usize::from(n) % reals.len()];
        let (a, b) = (pick(a), pick(b));
        let mut constant = |shape: &[usize], n: usize| {
            let values: Vec<f32> = (0..n)
                .map(|i| ((i * 7 + k * 3) % 11) as f32 / 8.0 - 0.6)
                .collect();
            tensors.push(weights(&format!("c{k}"), shape, &values));
            tensors.len() - 1
        };
        let activation = [Activation::None, Activation::Relu, Activation::Relu6][k % 3];
        let (op, inputs) = match op {
            0 => (conv(), vec![a, constant(&[2, 1, 1, 2], 4), bias]),
            1 => (
                Op::Add {
                    activation,
                    pot_scale_int16: true,
                },
                vec![a, b],
            ),
            2 => (
                Op::Sub {
                    activation,
                    pot_scale_int16: true,
                },
                vec![a, constant(&[2], 2)],
            ),
            3 => (
                Op::Mul {
                    activation: Activation::None,
                },
                vec![a, constant(&[1, 2, 1, 2], 4)],
            ),
            4 => (Op::Relu6, vec![a]),
            5 => (Op::HardSwish, vec![a]),
            6 => (Op::Logistic, vec![a]),
            7 => (Op::Tanh, vec![a]),
            8 => {
                // Concatenate two, then mix the channels back.
                let kernel = constant(&[2, 1, 1, 4], 8);
                tensors.push(real(&format!("cat{k}"), &[1, 2, 2, 4]));
                nodes.push(node(concat(), &[a, b], tensors.len() - 1));
                (conv(), vec![tensors.len() - 1, kernel, bias])
            }
            9 => {
                tensors.push(ints(&format!("perm{k}"), &[4], &[0, 2, 1, 3]));
                (Op::Transpose, vec![a, tensors.len() - 1])
            }
            _ => {
                // Concatenate with a constant, cut the middle out.
                let other = constant(&[1, 2, 1, 2], 4);
                let wide = [1, 2, 3, 2];
                tensors.push(real(&format!("cat{k}"), &wide));
                let cat = tensors.len() - 1;
                nodes.push(node(
                    Op::Concatenation {
                        axis: 2,
                        activation: Activation::None,
                    },
                    &[a, other],
                    cat,
                ));
                let first = tensors.len();
                tensors.push(ints(&format!("begin{k}"), &[4], &[0, 0, 1, 0]));
                tensors.push(ints(&format!("end{k}"), &[4], &[1, 2, 3, 2]));
                tensors.push(ints(&format!("stride{k}"), &[4], &[1, 1, 1, 1]));
                (
                    Op::StridedSlice(StridedSlice::default()),
                    vec![cat, first, first + 1, first + 2],
                )
            }
        };
        tensors.push(real(&format!("t{k}"), &SHAPE));
        let output = tensors.len() - 1;
        nodes.push(node(op, &inputs, output));
        reals.push(output);
    }
    let mut outputs = vec![*reals.last().unwrap()];
    for (i, &t) in reals.iter().enumerate().take(8) {
        if more_outputs & (1 << i) != 0 {
            outputs.push(t);
        }
    }
    model(tensors, &[0, 1], &outputs, nodes)
}

/// What must hold of every graph that apply makes.
fn check(float: &Graph, q: &Graph, mode: Mode) -> Result<(), TestCaseError> {
    let main = q.main();
    let mut made = vec![false; main.tensors.len()];
    for (id, t) in main.tensors.iter().enumerate() {
        made[id] = t.is_constant() || main.inputs.contains(&id);
        if let Some(p) = &t.quantization {
            prop_assert!(
                p.scales.iter().all(|s| s.is_normal() && *s > 0.0),
                "{}",
                t.name
            );
            prop_assert!(
                (mode == Mode::Int8 && t.dtype != DType::Int16)
                    || p.zero_points.iter().all(|z| *z == 0),
                "{}",
                t.name
            );
        }
    }
    let mut conversions = vec![];
    for n in &main.nodes {
        for &t in n.inputs.iter().flatten() {
            prop_assert!(
                made[t],
                "{} reads {} before it is made",
                n.op.name(),
                main.tensors[t].name
            );
        }
        for &t in &n.outputs {
            prop_assert!(!made[t], "{} is made twice", main.tensors[t].name);
            made[t] = true;
        }
        let of = |t: usize| (main.tensors[t].dtype, main.tensors[t].quantization.clone());
        let (first, output) = (of(n.input(0).unwrap()), of(n.outputs[0]));
        match &n.op {
            Op::Quantize | Op::Dequantize => {
                prop_assert!(first != output, "an idle conversion");
                let key = (n.input(0), output);
                prop_assert!(!conversions.contains(&key), "a conversion twice");
                conversions.push(key);
            }
            Op::Transpose | Op::StridedSlice(_) => prop_assert_eq!(first, output),
            Op::Concatenation { .. } => {
                for &t in n.inputs.iter().flatten() {
                    prop_assert_eq!(of(t), output.clone());
                }
            }
            _ => prop_assert_eq!(first.0, output.0, "{}", n.op.name()),
        }
    }
    prop_assert!(main.outputs.iter().all(|&t| made[t]));
    for (ours, theirs) in [
        (&main.inputs, &float.main().inputs),
        (&main.outputs, &float.main().outputs),
    ] {
        let names = |ids: &[usize], g: &Graph| {
            ids.iter()
                .map(|&t| g.main().tensors[t].name.clone())
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(names(ours, q), names(theirs, float));
    }
    Ok(())
}

/// Outputs as float32 of the model on inputs 0, 1, … of `set`.
fn run(graph: &Arc<Graph>, set: &dyn data::Dataset) -> Vec<f32> {
    let options = Options {
        kernels: KernelSet::Reference,
        ..Options::default()
    };
    let mut model = prepare(graph.clone(), None, &options).expect("a runnable graph");
    let mut all = vec![];
    for i in 0..set.len() {
        for output in model.run(&set.batch(i..i + 1).unwrap(), None).unwrap() {
            all.extend_from_slice(output.as_f32().unwrap());
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn graphs_that_come_out_are_sound(
        steps in prop::collection::vec((0..11u8, any::<u8>(), any::<u8>()), 1..10),
        more_outputs in any::<u8>(),
        unknown in prop::collection::vec(any::<u8>(), 0..3),
        choice in 0..5usize,
        int16 in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let (mode, io) = [
            (Mode::Int8, Io::Float32),
            (Mode::Int8, Io::Int8),
            (Mode::Int8, Io::Uint8),
            (Mode::Int16x8, Io::Float32),
            (Mode::Int16x8, Io::Int16),
        ][choice];
        let float = network(&steps, more_outputs);
        let set = data::synthetic(&data::input_specs(&float, 0), 4, 1).unwrap();
        let shared = Arc::new(float.clone());
        let mut seen: Calibration = calibrate(&shared, set.as_ref(), 1, &Progress::new()).unwrap();
        if io == Io::Float32 {
            for u in unknown {
                let at = usize::from(u) % seen.ranges.len();
                seen.ranges[at] = None;
            }
        }
        let count = float.main().nodes.len();
        let has_int16 = |i: &usize| support(&float.main().nodes[*i].op).int16x8.is_ok();
        let int16: Vec<usize> = int16.iter().map(|&i| usize::from(i) % count).filter(has_int16).collect();
        let asked = Recipe {
            int16: int16.iter().map(|&i| OperatorRef::Index(i)).collect(),
            ..recipe(mode, io)
        };
        let decided = plan(&float, &asked, Some(&seen)).unwrap();
        for (i, node) in decided.nodes.iter().enumerate() {
            let wide = mode == Mode::Int8 && int16.contains(&i);
            let other = if wide { NodePlan::Quantized } else { NodePlan::Int16 };
            prop_assert!(*node != other, "{:?}", node);
            let made = decided.tensors[float.main().nodes[i].outputs[0]].dtype;
            if *node == NodePlan::Int16 {
                prop_assert_eq!(made, DType::Int16);
            } else if *node == NodePlan::Quantized && mode == Mode::Int8 {
                prop_assert_eq!(made, DType::Int8);
            }
        }
        for t in &decided.tensors {
            let same = matches!(t.reason, Reason::Untouched(_)) == t.quantization.is_none();
            prop_assert!(same, "{:?}", t);
        }
        let q = apply(&float, &decided, &Progress::new()).unwrap();
        check(&float, &q, mode)?;
        let read = Arc::new(tflite::read(tflite::write(&q).unwrap().into()).unwrap());
        if io != Io::Float32 {
            for t in read.main().inputs.iter().chain(&read.main().outputs) {
                prop_assert_eq!(read.main().tensors[*t].dtype.name(), io.name());
            }
            prop_assert!(prepare(read, None, &Options::default()).is_ok());
            return Ok(());
        }
        let (wanted, got) = (run(&shared, set.as_ref()), run(&read, set.as_ref()));
        // Every value the network takes lies in a calibrated range; errors are small against the widest of them.
        let widest = seen.ranges.iter().flatten().fold(1f32, |m, r| m.max(r.max.abs()).max(r.min.abs()));
        let limit = if mode == Mode::Int8 { 0.04 } else { 0.01 } * widest;
        for (w, g) in wanted.iter().zip(&got) {
            prop_assert!((w - g).abs() <= limit, "{} instead of {}, nodes {:?}", g, w, ops(&q));
        }
    }
}
