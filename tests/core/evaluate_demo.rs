//! The built-in experiment, whole: figures that LiteRT measured on the same files.

use std::sync::Arc;

use zeropoint::calibrate::calibrate;
use zeropoint::data::{self, Dataset, demo};
use zeropoint::evaluate;
use zeropoint::graph::Graph;
use zeropoint::progress::Progress;
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
    let test = data::take(open(demo.test, demo.test_labels, &graph), 1_000).unwrap();
    let got = evaluate::evaluate(&graph, test.as_ref(), None, 2, &Progress::new()).unwrap();
    assert_eq!((got.samples, got.answers.len()), (1_000, 1_000));
    // LiteRT 2.3.0 answers 980 of the first 1,000 correctly.
    assert_eq!(got.top1, Some(0.98));
    assert!(got.top5.unwrap() > 0.999);
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
