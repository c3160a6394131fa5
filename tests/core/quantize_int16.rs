//! Operators set to int16 in an int8 model: types, conversions and versions in the written file, its answers, and refusals.

use std::sync::Arc;

use zeropoint::engine::{KernelSet, Options, prepare};
use zeropoint::evaluate;
use zeropoint::graph::{DType, Graph};
use zeropoint::progress::Progress;
use zeropoint::quantize::{self, Io, Mode, NodePlan, OperatorRef, Recipe};

use crate::cli::{demo_files, fails, json, succeeds};
use crate::quantize_keep::{Demo, open, written};
use crate::quantize_models::ops;

const CONV: usize = 4;
const DENSE: usize = 10;

fn int16(io: Io, chosen: &[usize]) -> Recipe {
    Recipe {
        mode: Mode::Int8,
        io,
        int16: chosen.iter().map(|&i| OperatorRef::Index(i)).collect(),
        ..Recipe::default()
    }
}

fn sqnr(demo: &Demo, graph: &Arc<Graph>) -> f64 {
    let (data, progress) = (demo.images.as_ref(), Progress::new());
    let baseline = evaluate::baseline(&demo.graph, data, 2, &progress).unwrap();
    let e = evaluate::evaluate(graph, data, Some(&baseline), 2, &progress).unwrap();
    e.sqnr_db.unwrap()
}

/// Name and output type of every operator.
fn typed(graph: &Graph) -> String {
    let main = graph.main();
    let of = |n: &zeropoint::graph::Node| {
        format!("{}:{}", n.op.name(), main.tensors[n.outputs[0]].dtype)
    };
    main.nodes.iter().map(of).collect::<Vec<_>>().join(" ")
}

#[test]
fn chosen_operators_compute_on_int16_between_requantizations() {
    let demo = open();
    let (_, int8, _) = written(&demo, &int16(Io::Float32, &[]));
    let base = sqnr(&demo, &int8);
    for (io, chosen, expected) in [
        (
            Io::Float32,
            &[CONV][..],
            "QUANTIZE:int8 RESHAPE:int8 QUANTIZE:int16 CONV_2D:int16 QUANTIZE:int8 MAX_POOL_2D:int8 RESHAPE:int8 \
             FULLY_CONNECTED:int8 DEQUANTIZE:float32",
        ),
        (
            Io::Float32,
            &[DENSE],
            "QUANTIZE:int8 RESHAPE:int8 CONV_2D:int8 MAX_POOL_2D:int8 RESHAPE:int8 QUANTIZE:int16 \
             FULLY_CONNECTED:int16 DEQUANTIZE:float32",
        ),
        (
            Io::Int8,
            &[DENSE],
            "RESHAPE:int8 CONV_2D:int8 MAX_POOL_2D:int8 RESHAPE:int8 QUANTIZE:int16 FULLY_CONNECTED:int16 QUANTIZE:int8",
        ),
        (
            Io::Uint8,
            &[CONV, DENSE],
            "QUANTIZE:int8 RESHAPE:int8 QUANTIZE:int16 CONV_2D:int16 QUANTIZE:int8 MAX_POOL_2D:int8 RESHAPE:int8 \
             QUANTIZE:int16 FULLY_CONNECTED:int16 QUANTIZE:int8 QUANTIZE:uint8",
        ),
        (
            Io::Uint8,
            &[CONV - 1],
            "QUANTIZE:int8 QUANTIZE:int16 RESHAPE:int16 QUANTIZE:int8 CONV_2D:int8 MAX_POOL_2D:int8 RESHAPE:int8 \
             FULLY_CONNECTED:int8 QUANTIZE:uint8",
        ),
    ] {
        let (plan, file, _) = written(&demo, &int16(io, chosen));
        assert_eq!(typed(&file), expected.replace("             ", ""));
        let main = file.main();
        let io_types = main.inputs.iter().chain(&main.outputs);
        assert!(
            io_types
                .into_iter()
                .all(|&t| main.tensors[t].dtype.name() == io.name())
        );
        for &i in chosen {
            assert_eq!(plan.nodes[i], NodePlan::Int16);
        }
        for n in &main.nodes {
            let of = |slot: usize| n.input(slot).map(|t| &main.tensors[t]);
            let wide = main.tensors[n.outputs[0]].dtype == DType::Int16;
            if let (true, Some(bias)) = (n.op.name() != "QUANTIZE", of(2)) {
                let expected = if wide { DType::Int64 } else { DType::Int32 };
                assert_eq!((of(1).unwrap().dtype, bias.dtype), (DType::Int8, expected));
            }
            for t in n.inputs.iter().flatten().chain(&n.outputs) {
                let t = &main.tensors[*t];
                let q = t.quantization.as_ref().filter(|_| t.dtype == DType::Int16);
                assert!(q.is_none_or(|q| q.zero_points == [0]), "{}", t.name);
            }
        }
        // More bits take nothing away.
        let now = sqnr(&demo, &file);
        assert!(now > base - 0.1, "{chosen:?}: {now} dB, {base} dB in int8");
    }
    let (_, both, _) = written(&demo, &int16(Io::Float32, &[3, CONV, 5, 9, DENSE]));
    assert!(sqnr(&demo, &both) > base + 3.0);
    assert_eq!(ops(&both).iter().filter(|o| **o == "QUANTIZE").count(), 1);
    // Every instruction set and the reference compute the same integers.
    let (_, file, _) = written(&demo, &int16(Io::Float32, &[CONV, DENSE]));
    let answers = |kernels| {
        let options = Options {
            kernels,
            ..Options::default()
        };
        let mut model = prepare(file.clone(), None, &options).unwrap();
        let specs = zeropoint::data::input_specs(&file, 0);
        let set = zeropoint::data::synthetic(&specs, 8, 3).unwrap();
        let run = |i| model.run(&set.batch(i..i + 1).unwrap(), None).unwrap();
        (0..8).map(run).collect::<Vec<_>>()
    };
    assert_eq!(answers(KernelSet::Reference), answers(KernelSet::default()));
}

#[test]
fn what_cannot_be_set_to_int16_is_named() {
    let demo = open();
    let refused = |recipe: &Recipe| {
        let plan = quantize::plan(&demo.graph, recipe, Some(&demo.calibration));
        plan.unwrap_err().to_string()
    };
    let both = Recipe {
        keep_float: vec![OperatorRef::Index(CONV)],
        ..int16(Io::Float32, &[CONV])
    };
    let told = refused(&both);
    assert!(
        told.contains("Operator 4 (CONV_2D) is both kept float and set to int16"),
        "{told}"
    );
    let told = refused(&int16(Io::Float32, &[99]));
    assert!(
        told.contains("Operator 99 cannot be set to int16: this model has 11"),
        "{told}"
    );
    let mut other = (*demo.graph).clone();
    other.subgraphs[0].nodes[CONV + 1].op = zeropoint::graph::Op::HardSwish;
    let hard = quantize::plan(
        &other,
        &int16(Io::Float32, &[CONV + 1]),
        Some(&demo.calibration),
    );
    let told = hard.unwrap_err().to_string();
    let words = "Operator 5 (HARD_SWISH) cannot be set to int16: LiteRT has no int16 kernel for HARD_SWISH.";
    assert_eq!(told, words);
    // In other modes the field has no effect.
    let wide = |chosen: &[usize]| Recipe {
        mode: Mode::Int16x8,
        ..int16(Io::Float32, chosen)
    };
    let nodes = |recipe| written(&demo, &recipe).0.nodes;
    assert_eq!(nodes(wide(&[CONV])), nodes(wide(&[])));
}

#[test]
fn the_command_line_sets_operators_to_int16() {
    let f = demo_files("int16");
    let quantize = "quantize mnist_float.tflite --samples 20 --calibration train-1000-images-idx3-ubyte.gz -o q.tflite --json";
    let j = json(&succeeds(
        f.path(),
        &format!("{quantize} --mode int8 --int16 4,10"),
    ));
    assert_eq!(j["float_operators"].as_array().unwrap().len(), 0);
    let all = json(&succeeds(f.path(), "inspect q.tflite --json"));
    let types = all["tensors"].as_array().unwrap().iter();
    let int64 = types.filter(|t| t["dtype"] == "int64").count();
    assert_eq!(int64, 2, "the biases of both");
    let compare =
        "compare --modes int8,dynamic --samples 20 --data-samples 50 --json c.json --int16 4";
    succeeds(f.path(), compare);
    let j = json(&std::fs::read_to_string(f.join("c.json")).unwrap());
    assert_eq!(j["experiments"][1]["name"], "int8, operator 4 in int16");
    assert_eq!(
        j["experiments"][1]["recipe"]["int16"],
        serde_json::json!([4])
    );
    let told = fails(f.path(), &format!("{quantize} --mode dynamic --int16 4"), 1);
    assert!(told.contains("the mode is dynamic"), "{told}");
}
