//! Keras layers: tiny models of every kind and file layout against what Keras computes and how many operators TensorFlow needs.
//!
//! The golden files and their format come from `tests/golden/keras_make.py`.

use std::sync::Arc;

use zeropoint::engine::{Options, prepare};
use zeropoint::graph::Value;

use crate::golden_file::{Case, Golden};

/// Cases in which we need more operators than TensorFlow, and how many. `lstm_initial_state`: its file hands a computed tensor to
/// the decoder's LSTM operator as the state that the operator changes in place; ours loops. `ended_by_flatten`: it selects masked
/// steps where ours multiplies.
const MORE: [(&str, usize); 2] = [("lstm_initial_state.", 39), ("ended_by_flatten.", 6)];

/// What is wrong with one case, if anything.
fn check(golden: &Golden, case: &Case) -> Option<String> {
    let graph = match zeropoint::keras::read(golden.model(case)) {
        Ok(graph) => graph,
        Err(e) => return Some(format!("read: {e}")),
    };
    let operators: usize = graph.subgraphs.iter().map(|s| s.nodes.len()).sum();
    let more = MORE.iter().find(|(name, _)| case.name.starts_with(name));
    if let Some(most) = more.map(|m| m.1).or(case.operators)
        && operators > most
    {
        let names = graph
            .subgraphs
            .iter()
            .flat_map(|s| &s.nodes)
            .map(|n| n.op.name());
        let names: Vec<&str> = names.collect();
        return Some(format!(
            "{operators} operators, TensorFlow's has {most}: {names:?}"
        ));
    }
    let written =
        match zeropoint::tflite::write(&graph).and_then(|w| zeropoint::tflite::read(w.into())) {
            Ok(graph) => graph,
            Err(e) => return Some(format!("write and read back: {e}")),
        };
    let mut prepared = match prepare(Arc::new(written), None, &Options::default()) {
        Ok(prepared) => prepared,
        Err(e) => return Some(format!("prepare: {e}")),
    };
    let inputs: Vec<Value> = case.inputs.iter().map(|a| golden.value(a)).collect();
    let outputs = match prepared.run(&inputs, None) {
        Ok(outputs) => outputs,
        Err(e) => return Some(format!("run: {e}")),
    };
    if outputs.len() != case.outputs.len() {
        return Some(format!(
            "{} outputs, not {}",
            outputs.len(),
            case.outputs.len()
        ));
    }
    outputs.iter().zip(&case.outputs).find_map(|(got, want)| {
        let want = golden.value(want);
        if got.shape != want.shape {
            return Some(format!("shape {:?}, not {:?}", got.shape, want.shape));
        }
        let (Some(g), Some(w)) = (got.as_f32(), want.as_f32()) else {
            return (*got != want).then(|| "integers differ".to_owned());
        };
        let peak = w.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
        let worst = g
            .iter()
            .zip(w)
            .map(|(g, w)| (g - w).abs())
            .fold(0.0, f32::max)
            / peak;
        (worst.is_nan() || worst > 1e-4).then(|| format!("off by {worst:e} of the peak"))
    })
}

/// Replays every case of a group and lists all that is wrong before it fails.
fn replay(group: &str, least: usize) {
    let golden = Golden::open(&format!("keras/{group}.bin.gz"));
    assert!(golden.cases.len() >= least, "{group} holds too few cases");
    let wrong: Vec<String> = golden
        .cases
        .iter()
        .filter_map(|case| check(&golden, case).map(|what| format!("{}: {what}", case.name)))
        .collect();
    let all = golden.cases.len();
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn dense_and_convolutions() {
    replay("conv", 90);
}

#[test]
fn normalizations() {
    replay("norm", 40);
}

#[test]
fn pooling_padding_cropping_resizing() {
    replay("window", 90);
}

#[test]
fn shapes_and_what_only_matters_in_training() {
    replay("shape", 35);
}

#[test]
fn activations() {
    replay("activation", 140);
}

#[test]
fn merges_nested_and_shared_layers() {
    replay("merge", 100);
}

#[test]
fn recurrent_layers() {
    replay("rnn", 150);
}

#[test]
fn masked_sequences() {
    replay("mask", 30);
}

#[test]
fn attention_layers() {
    replay("attention", 40);
}

/// The message that each refused file must give: what layer of which class, why, and what to do.
const REFUSALS: [(&str, &[&str]); 13] = [
    (
        "lambda",
        &[
            "Layer 'double' (Lambda)",
            "Python code",
            "replace it by Keras' own layers",
            ".tflite",
        ],
    ),
    (
        "custom",
        &[
            "Layer 'twice' (",
            "Doubling)",
            "a layer of the model's own",
            "export the model",
        ],
    ),
    (
        "custom_activation",
        &[
            "Layer 'd' (Dense)",
            "_activation'",
            "none of Keras' own",
            "replace it",
        ],
    ),
    (
        "stateful",
        &[
            "Layer 'memory' (LSTM)",
            "stateful",
            "save the model with stateful=False",
        ],
    ),
    (
        "mask_pool",
        &[
            "Layer 'mean' (GlobalAveragePooling1D)",
            "masked",
            "save the model with mask_zero=False",
        ],
    ),
    (
        "mask_attention",
        &[
            "Layer 'look' (Attention)",
            "masked",
            "save the model with mask_zero=False",
        ],
    ),
    (
        "sparsemax",
        &["Layer 'sparse' (Activation)", "sparsemax", "use softmax"],
    ),
    (
        "conv3d",
        &[
            "Layer 'cube' (Conv3D)",
            "cannot lower",
            "or replace the layer",
        ],
    ),
    (
        "conv_lstm",
        &[
            "Layer 'weather' (ConvLSTM2D)",
            "cannot lower",
            "or replace the layer",
        ],
    ),
    (
        "resizing_bicubic",
        &[
            "Layer 'smooth' (Resizing)",
            "'bicubic'",
            "use 'bilinear' or 'nearest'",
        ],
    ),
    (
        "up_sampling_lanczos",
        &[
            "Layer 'sharp' (UpSampling2D)",
            "'lanczos5'",
            "use 'bilinear' or 'nearest'",
        ],
    ),
    (
        "text_vectors",
        &[
            "Layer 'hash' (Hashing)",
            "cannot lower",
            "or replace the layer",
        ],
    ),
    (
        "unknown_time",
        &[
            "Layer 'fold' (Reshape)",
            "several unknown extents",
            "fixed input shape",
        ],
    ),
];

#[test]
fn what_cannot_be_lowered_is_refused_by_layer_class_and_advice() {
    let golden = Golden::open("keras/refused.bin.gz");
    let mut seen = vec![];
    for case in &golden.cases {
        let name = case.name.split('.').next().unwrap_or_default();
        let (_, words) = REFUSALS
            .iter()
            .find(|(n, _)| *n == name)
            .unwrap_or_else(|| panic!("{name} has no message"));
        match zeropoint::keras::read(golden.model(case)) {
            Err(zeropoint::error::Error::Unsupported(message)) => {
                for word in *words {
                    assert!(
                        message.contains(word),
                        "{}: '{message}' lacks '{word}'",
                        case.name
                    );
                }
            }
            other => panic!("{}: {other:?}", case.name),
        }
        seen.push(name);
    }
    for (name, _) in REFUSALS {
        assert!(seen.contains(&name), "no file for {name}");
    }
}
