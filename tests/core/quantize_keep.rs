//! Operators that the user keeps float: in every mode, by name and by index, to the written file and its answers.

use std::sync::Arc;

use zeropoint::calibrate::{Calibration, calibrate};
use zeropoint::data::{self, Dataset, demo};
use zeropoint::evaluate;
use zeropoint::graph::{DType, Graph};
use zeropoint::progress::Progress;
use zeropoint::quantize::{self, Io, Mode, NodePlan, OperatorRef, Recipe};
use zeropoint::tflite;

use crate::cli::{demo_files, fails, json, succeeds};
use crate::quantize_models::ops;

const CONV: usize = 4;

/// The MNIST network, calibrated.
pub struct Demo {
    pub graph: Arc<Graph>,
    pub images: Arc<dyn Dataset>,
    pub calibration: Calibration,
}

pub fn open() -> Demo {
    let demo = demo::demo();
    let graph = Arc::new(tflite::read(demo.model.bytes).unwrap());
    let specs = data::input_specs(&graph, 0);
    let labels = Some((
        demo.calibration_labels.name.to_owned(),
        demo.calibration_labels.bytes,
    ));
    let all = data::open(
        demo.calibration.name,
        demo.calibration.bytes,
        labels,
        &specs,
    )
    .unwrap();
    let images = data::take(all, 100).unwrap();
    let calibration = calibrate(&graph, images.as_ref(), 2, &Progress::new()).unwrap();
    Demo {
        graph,
        images,
        calibration,
    }
}

fn keeping(mode: Mode, io: Io, kept: &[OperatorRef]) -> Recipe {
    Recipe {
        mode,
        io,
        min_weight_elements: 0,
        keep_float: kept.to_vec(),
        ..Recipe::default()
    }
}

/// The file as it is written and read back.
pub fn written(demo: &Demo, recipe: &Recipe) -> (quantize::QuantPlan, Arc<Graph>, usize) {
    let progress = Progress::new();
    let plan = quantize::plan(&demo.graph, recipe, Some(&demo.calibration)).unwrap();
    let file = quantize::apply(&demo.graph, &plan, &progress).unwrap();
    let bytes = tflite::write(&file).unwrap();
    let size = bytes.len();
    (plan, Arc::new(tflite::read(bytes.into()).unwrap()), size)
}

#[test]
fn a_kept_operator_computes_in_float_between_conversions() {
    let demo = open();
    let conv = OperatorRef::of(demo.graph.main(), CONV).unwrap();
    let data = demo.images.as_ref();
    let baseline = evaluate::baseline(&demo.graph, data, 2, &Progress::new()).unwrap();
    for (mode, io, expected) in [
        (
            Mode::Int8,
            Io::Float32,
            "RESHAPE CONV_2D QUANTIZE MAX_POOL_2D RESHAPE FULLY_CONNECTED DEQUANTIZE",
        ),
        (
            Mode::Int8,
            Io::Uint8,
            "QUANTIZE RESHAPE DEQUANTIZE CONV_2D QUANTIZE MAX_POOL_2D RESHAPE FULLY_CONNECTED QUANTIZE",
        ),
        (
            Mode::Int16x8,
            Io::Int16,
            "RESHAPE DEQUANTIZE CONV_2D QUANTIZE MAX_POOL_2D RESHAPE FULLY_CONNECTED",
        ),
        (
            Mode::Dynamic,
            Io::Float32,
            "RESHAPE CONV_2D MAX_POOL_2D RESHAPE FULLY_CONNECTED",
        ),
        (
            Mode::Float16,
            Io::Float32,
            "DEQUANTIZE DEQUANTIZE RESHAPE CONV_2D MAX_POOL_2D RESHAPE FULLY_CONNECTED",
        ),
    ] {
        let (_, whole, all_quantized) = written(&demo, &keeping(mode, io, &[]));
        let kept = std::slice::from_ref(&conv);
        let (plan, file, bytes) = written(&demo, &keeping(mode, io, kept));
        let place = format!("{} {}", mode.name(), io.name());
        assert_eq!(ops(&file).join(" "), expected, "{place}");
        assert_eq!(
            plan.nodes[CONV],
            NodePlan::Float("kept float by you".into())
        );
        let conv = file.main().nodes.iter().find(|n| n.op.name() == "CONV_2D");
        for t in conv.unwrap().inputs.iter().flatten() {
            assert_eq!(file.main().tensors[*t].dtype, DType::Float32, "{place}");
        }
        // 108 weights grow by 3 bytes each (2 in float16); conversions come and go.
        assert!(bytes.abs_diff(all_quantized) < 1_200, "{place}: {bytes}");
        assert!(
            bytes > all_quantized || mode == Mode::Float16,
            "{place}: {bytes}"
        );
        // The operator that does the most damage is gone from it.
        let sqnr = |g: &Arc<Graph>| {
            let e = evaluate::evaluate(g, data, Some(&baseline), 2, &Progress::new()).unwrap();
            e.sqnr_db.unwrap()
        };
        assert!(
            sqnr(&file) > sqnr(&whole) - 0.5,
            "{place}: {} {}",
            sqnr(&file),
            sqnr(&whole)
        );
    }
}

#[test]
fn what_is_kept_is_no_failure_of_strict_and_what_is_not_there_is_named() {
    let demo = open();
    let strict = |kept: &[OperatorRef]| Recipe {
        strict: true,
        ..keeping(Mode::Int8, Io::Float32, kept)
    };
    let plan = |recipe: &Recipe| quantize::plan(&demo.graph, recipe, Some(&demo.calibration));
    let kept = plan(&strict(&[OperatorRef::Index(CONV)])).unwrap();
    assert!(matches!(&kept.nodes[CONV - 1], NodePlan::Float(why) if why.contains("only moves")));
    let error = plan(&strict(&[OperatorRef::parse("11")])).unwrap_err();
    assert!(error.to_string().contains("has 11 operators"), "{error}");
    // Shape arithmetic has no floats to keep.
    let shape = plan(&strict(&[OperatorRef::Index(0)])).unwrap();
    assert_eq!(shape.nodes[0], NodePlan::Unaffected);
}

#[test]
fn the_command_line_keeps_operators_by_name_and_index() {
    let f = demo_files("keep");
    let quantize = "quantize mnist_float.tflite --mode int8 --samples 20 \
        --calibration train-1000-images-idx3-ubyte.gz -o q.tflite --json";
    let name = "sequential_1/conv2d_1/Relu";
    let all = json(&succeeds(f.path(), "inspect mnist_float.tflite --json"));
    let made = &all["operators"][CONV]["outputs"][0];
    let tensor = &all["tensors"][made.as_u64().unwrap() as usize]["name"];
    let full = tensor.as_str().unwrap().to_owned();
    assert!(full.contains(name), "{full}");
    for kept in ["4", full.as_str()] {
        let j = json(&succeeds(
            f.path(),
            &format!("{quantize} --keep-float {kept}"),
        ));
        let float = j["float_operators"].as_array().unwrap();
        // The RESHAPE before it would only move integers that are made for it alone.
        let seen: Vec<_> = float
            .iter()
            .map(|o| o["index"].as_u64().unwrap() as usize)
            .collect();
        assert_eq!(seen, [CONV - 1, CONV], "{kept}");
        assert_eq!(float[1]["reason"], "kept float by you");
    }
    std::fs::write(f.join("r.json"), r#"{"mode": "int8", "keep_float": [4]}"#).unwrap();
    let compare = "compare --modes int8 --samples 20 --data-samples 50 --json c.json";
    succeeds(
        f.path(),
        &format!("{compare} --recipe r.json --keep-float 10"),
    );
    let j = json(&std::fs::read_to_string(f.join("c.json")).unwrap());
    let e = &j["experiments"][0];
    assert_eq!(e["name"], "int8, operator 4 and operator 10 kept float");
    assert_eq!(e["recipe"]["keep_float"], serde_json::json!([4, 10]));
    let message = fails(f.path(), &format!("{quantize} --keep-float nowhere"), 1);
    assert!(
        message.contains("no operator of this model makes a tensor named \"nowhere\""),
        "{message}"
    );
}
