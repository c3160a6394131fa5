//! Quantization of whole files: TensorFlow's parameters on the built-in network, sizes, and the two known regressions, run in the engine.

use std::sync::Arc;

use zeropoint::calibrate::{Calibration, calibrate};
use zeropoint::data::{self, Dataset, demo};
use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::graph::*;
use zeropoint::progress::Progress;
use zeropoint::quantize::{Io, Mode, Recipe, apply, plan};
use zeropoint::tflite;

use crate::quantize_models::{integers, recipe};

fn read(bytes: Vec<u8>) -> Arc<Graph> {
    Arc::new(tflite::read(bytes.into()).expect("a model"))
}

fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/quantize/");
    std::fs::read(format!("{folder}{name}")).expect(name)
}

/// The built-in network and its calibration on the first 100 training images, as TensorFlow's files had it.
fn mnist() -> (Arc<Graph>, Calibration) {
    let demo = demo::demo();
    let graph = read(demo.model.bytes.to_vec());
    let specs = data::input_specs(&graph, 0);
    let images = data::open(demo.calibration.name, demo.calibration.bytes, None, &specs).unwrap();
    let images = data::take(images, 100).unwrap();
    let calibration = calibrate(&graph, images.as_ref(), 1, &Progress::new()).unwrap();
    (graph, calibration)
}

/// The written file.
fn written(graph: &Graph, mode: Mode, io: Io, calibration: &Calibration) -> Vec<u8> {
    written_by(graph, &recipe(mode, io), calibration)
}

fn written_by(graph: &Graph, recipe: &Recipe, calibration: &Calibration) -> Vec<u8> {
    let plan = plan(graph, recipe, Some(calibration)).expect("a plan");
    let quantized = apply(graph, &plan, &Progress::new()).expect("a graph");
    tflite::write(&quantized).expect("a file")
}

#[test]
fn tensorflows_parameters_are_met() {
    let (graph, calibration) = mnist();
    for (mode, file) in [
        (Mode::Int8, "mnist_tensorflow_int8.tflite"),
        (Mode::Int16x8, "mnist_tensorflow_16x8.tflite"),
    ] {
        let theirs = read(golden(file));
        // TensorFlow's biases are the float model's.
        let plain = Recipe {
            bias_correction: false,
            ..recipe(mode, Io::Float32)
        };
        let ours = read(written_by(&graph, &plain, &calibration));
        // TensorFlow's names of what its own conversions make.
        let aliases = [
            ("serving_default_keras_tensor:0_int8", "tfl.quantize"),
            (
                "StatefulPartitionedCall_1:0_int8",
                "StatefulPartitionedCall_1:01",
            ),
        ];
        let mut compared = 0;
        for tensor in &ours.main().tensors {
            let Some(q) = &tensor.quantization else {
                continue;
            };
            let alias = aliases.iter().find(|(name, _)| *name == tensor.name);
            let name = alias.map_or(tensor.name.as_str(), |(_, theirs)| theirs);
            let twins = &theirs.main().tensors;
            let twin = twins
                .iter()
                .find(|t| t.name == name && t.shape == tensor.shape);
            let twin = twin.unwrap_or_else(|| panic!("{name} is not in TensorFlow's file"));
            let wanted = twin.quantization.as_ref().unwrap();
            assert_eq!((tensor.dtype, q.axis), (twin.dtype, wanted.axis), "{name}");
            assert_eq!(q.zero_points, wanted.zero_points, "{name}");
            assert_eq!(q.scales.len(), wanted.scales.len(), "{name}");
            for (ours, theirs) in q.scales.iter().zip(&wanted.scales) {
                let error = (f64::from(*ours) / f64::from(*theirs) - 1.0).abs();
                assert!(error <= 1e-6, "{name}: {ours} instead of {theirs}");
            }
            if tensor.is_constant() {
                assert_eq!(integers(tensor), integers(twin), "{name}");
            }
            compared += 1;
        }
        assert_eq!(compared, 10, "activations, weights and biases");
    }
}

#[test]
fn files_are_smaller_than_other_converters_make_them() {
    let (graph, calibration) = mnist();
    for (mode, io, below) in [
        (Mode::Float16, Io::Float32, 45_244),
        (Mode::Dynamic, Io::Float32, 24_400),
        (Mode::Int8, Io::Int8, 25_048),
        (Mode::Int8, Io::Float32, 25_360),
        (Mode::Int8, Io::Uint8, 25_384),
        (Mode::Int16x8, Io::Int16, 25_272),
        (Mode::Int16x8, Io::Float32, 25_824),
    ] {
        let bytes = written(&graph, mode, io, &calibration);
        assert!(bytes.len() < below, "{mode:?} {io:?}: {}", bytes.len());
        let main = read(bytes);
        let main = main.main();
        let used = |id| {
            let by = |n: &Node| n.inputs.contains(&Some(id)) || n.outputs.contains(&id);
            main.nodes.iter().any(by) || main.inputs.contains(&id)
        };
        assert!(
            (0..main.tensors.len()).all(used),
            "{mode:?} {io:?} has orphans"
        );
    }
}

/// Outputs of all samples, one after the other.
fn run(graph: &Arc<Graph>, data: &dyn Dataset, kernels: KernelSet) -> Vec<Vec<f32>> {
    let options = Options {
        kernels,
        ..Options::default()
    };
    let mut model = prepare(graph.clone(), None, &options).expect("a runnable model");
    (0..data.len())
        .map(|i| {
            let outputs = model.run(&data.batch(i..i + 1).unwrap(), None).unwrap();
            outputs[0].as_f32().expect("float32 outputs").to_vec()
        })
        .collect()
}

/// Largest error of each sample over the elements that `of` selects.
fn errors(name: &str, mode: Mode, kernels: KernelSet, of: impl Fn(usize) -> bool) -> Vec<f32> {
    let graph = read(golden(&format!("{name}.tflite")));
    let specs = data::input_specs(&graph, 0);
    let array = golden(&format!("{name}.npy"));
    let data = data::open("inputs.npy", array.into(), None, &specs).unwrap();
    let calibration = calibrate(&graph, data.as_ref(), 1, &Progress::new()).unwrap();
    let quantized = read(written(&graph, mode, Io::Float32, &calibration));
    let wanted = run(&graph, data.as_ref(), kernels);
    let got = run(&quantized, data.as_ref(), kernels);
    wanted
        .iter()
        .zip(&got)
        .map(|(w, g)| {
            let pairs = w.iter().zip(g).enumerate().filter(|(i, _)| of(*i));
            pairs.fold(0f32, |worst, (_, (w, g))| worst.max((w - g).abs()))
        })
        .collect()
}

#[test]
fn a_dead_channel_keeps_its_bias_in_the_file() {
    for kernels in [KernelSet::Reference, KernelSet::Fast] {
        for (mode, limit) in [(Mode::Int8, 0.00122), (Mode::Int16x8, 0.000_008_4)] {
            // Channel 1 of 4 is dead.
            let worst = errors("dead_channel", mode, kernels, |i| i % 4 == 1);
            assert!(
                worst.iter().all(|&e| e <= limit),
                "{mode:?} {kernels:?}: {worst:?}"
            );
        }
    }
}

#[test]
fn a_shared_bias_is_right_in_both_convolutions() {
    for kernels in [KernelSet::Reference, KernelSet::Fast] {
        for (mode, first, all) in [(Mode::Int8, 0.135, 0.135), (Mode::Int16x8, 0.032, 0.042)] {
            let worst = errors("shared_bias", mode, kernels, |_| true);
            assert!(worst[0] <= first, "{mode:?} {kernels:?}: {worst:?}");
            assert!(
                worst.iter().all(|&e| e <= all),
                "{mode:?} {kernels:?}: {worst:?}"
            );
        }
    }
}
