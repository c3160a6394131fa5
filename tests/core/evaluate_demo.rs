//! The built-in experiment, whole: figures that LiteRT measured on the same files.

use std::sync::Arc;

use zeropoint::calibrate::calibrate;
use zeropoint::data::{self, Dataset, demo};
use zeropoint::evaluate;
use zeropoint::graph::{DType, Graph};
use zeropoint::progress::Progress;
use zeropoint::quantize::{self, Mode, Recipe};
use zeropoint::tflite;

fn model() -> Arc<Graph> {
    Arc::new(tflite::read(demo::demo().model.bytes).unwrap())
}

fn open(images: demo::File, labels: demo::File, graph: &Graph) -> Arc<dyn Dataset> {
    let labels = Some((labels.name.to_string(), labels.bytes));
    data::open(
        images.name,
        images.bytes,
        labels,
        &data::input_specs(graph, 0),
    )
    .unwrap()
}

#[test]
fn the_float_network_answers_as_in_litert() {
    let (demo, graph) = (demo::demo(), model());
    let test = open(demo.test, demo.test_labels, &graph);
    let got = evaluate::evaluate(&graph, test.as_ref(), None, 2, &Progress::new()).unwrap();
    assert_eq!((got.samples, got.answers.len()), (10_000, 10_000));
    // LiteRT 2.3.0: 9,793 right.
    assert_eq!(got.top1, Some(0.9793));
    assert!(got.top5.unwrap() > 0.999);
}

#[test]
fn quantized_files_of_tensorflow_answer_as_in_litert() {
    // Of the first 1,000 images LiteRT 2.3.0 (reference kernels) answers so many correctly.
    for (name, right) in [("int8", 0.979), ("16x8", 0.98)] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/tflite_mnist_{name}.tflite"));
        let file = Arc::new(tflite::read(std::fs::read(path).unwrap().into()).unwrap());
        let demo = demo::demo();
        let test = data::take(open(demo.test, demo.test_labels, &file), 1_000).unwrap();
        let got = evaluate::evaluate(&file, test.as_ref(), None, 2, &Progress::new()).unwrap();
        assert_eq!(got.top1, Some(right), "{name}");
    }
}

#[test]
fn calibration_sees_the_pixels_and_the_logits() {
    let (demo, graph) = (demo::demo(), model());
    let images = open(demo.calibration, demo.calibration_labels, &graph);
    let hundred = data::take(images, 100).unwrap();
    let got = calibrate(&graph, hundred.as_ref(), 2, &Progress::new()).unwrap();
    let main = graph.main();
    let input = got.ranges[main.inputs[0]].unwrap();
    assert_eq!((input.min, input.max), (0.0, 1.0));
    // TensorFlow's int8 file, calibrated on the same images, has the scale 0.18073389 here.
    let output = got.ranges[main.outputs[0]].unwrap();
    let scale = (output.max - output.min) / 255.0;
    assert!((scale / 0.180_733_89 - 1.0).abs() < 1e-6, "{output:?}");
}

#[test]
fn every_quantized_tensor_of_every_written_file_is_reported_on() {
    let (demo, graph) = (demo::demo(), model());
    let images = open(demo.calibration, demo.calibration_labels, &graph);
    let data = data::take(images, 20).unwrap();
    let progress = Progress::new();
    let calibration = calibrate(&graph, data.as_ref(), 2, &progress).unwrap();
    for mode in Mode::ALL {
        for &io in mode.ios() {
            let recipe = Recipe {
                mode,
                io,
                ..Recipe::default()
            };
            let plan = quantize::plan(&graph, &recipe, Some(&calibration)).unwrap();
            let file = quantize::apply(&graph, &plan, &progress).unwrap();
            let file = Arc::new(tflite::read(tflite::write(&file).unwrap().into()).unwrap());
            let got = evaluate::tensors(
                &graph,
                &file,
                Some(&calibration),
                data.as_ref(),
                20,
                &progress,
            )
            .unwrap();
            let place = format!("{} {}", mode.name(), io.name());
            for (id, tensor) in file.main().tensors.iter().enumerate() {
                let half = tensor.dtype == DType::Float16;
                let scaled = tensor
                    .quantization
                    .as_ref()
                    .is_some_and(|q| !q.scales.is_empty());
                let reported = got.iter().any(|r| r.tensor == id);
                assert_eq!(half || scaled, reported, "{place}: {}", tensor.name);
            }
            assert_eq!(got.is_empty(), mode == Mode::Float32, "{place}");
            for r in &got {
                // Ranges and scales come from these very samples: nothing is clipped, zero points round, every step error is
                // within half a step.
                assert_eq!(r.clipped, 0.0, "{place}: {}", r.name);
                assert!(r.step_rms <= 0.5, "{place}: {}", r.name);
                assert!(
                    r.zero_point_error.is_none_or(|e| e.abs() <= 0.5),
                    "{place}: {r:?}"
                );
                assert!(r.sqnr_local_db.unwrap() > 30.0, "{place}: {}", r.name);
                assert!(r.sqnr_cumulative_db.unwrap() > 30.0, "{place}: {}", r.name);
                let counted: u64 = r.values.counts.iter().sum();
                let each: usize = r.shape.iter().product();
                let constant = file.main().tensors[r.tensor].is_constant();
                assert_eq!(counted as usize, if constant { each } else { 20 * each });
                assert_eq!(r.step_error.counts.iter().sum::<u64>(), counted);
                assert!(r.values.counts.len() <= 256 && r.channels.len() != 1);
            }
        }
    }
}
