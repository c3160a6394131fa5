//! `zeropoint inspect`: what is in a file.

use serde_json::{Value as Json, json};

use super::{Failure, args, open, operators, print, print_json};
use crate::graph::{Graph, Quantization, Subgraph, Tensor, TensorId};
use crate::tflite;
use crate::workbench::{ModelFormat, OpenModel, shape_text};

/// Carries out `inspect`.
pub(super) fn inspect(a: &args::Inspect) -> Result<(), Failure> {
    let Some(path) = &a.model else {
        operators::print_table(a.json);
        return Ok(());
    };
    let model = open(path, &a.entry, None)?;
    if a.json {
        print_json(&describe(&model));
    } else {
        print(&text(&model));
    }
    Ok(())
}

/// The file as JSON: the main subgraph's operators and tensors, and how many others there are.
fn describe(model: &OpenModel) -> Json {
    let graph = &model.graph;
    let main = graph.main();
    json!({
        "format": model.format.name(),
        "bytes": model.bytes.len(),
        "description": graph.description,
        "min_runtime_version": tflite::min_runtime_version(graph),
        "subgraphs": graph.subgraphs.len(),
        "signatures": graph.signatures.iter().map(|s| json!({
            "key": s.key, "subgraph": s.subgraph, "inputs": s.inputs, "outputs": s.outputs,
        })).collect::<Vec<_>>(),
        "metadata": graph.metadata.iter().map(|m| json!({"name": m.name, "bytes": m.data.len()})).collect::<Vec<_>>(),
        "inputs": main.inputs.iter().map(|&id| tensor(main, id)).collect::<Vec<_>>(),
        "outputs": main.outputs.iter().map(|&id| tensor(main, id)).collect::<Vec<_>>(),
        "operators": main.nodes.iter().enumerate().map(|(index, node)| json!({
            "index": index, "op": node.op.name(), "version": node.version, "inputs": node.inputs, "outputs": node.outputs,
        })).collect::<Vec<_>>(),
        "tensors": (0..main.tensors.len()).map(|id| tensor(main, id)).collect::<Vec<_>>(),
    })
}

/// One tensor; `scale` and `zero_point` are numbers per tensor, lists per channel, null without quantization.
fn tensor(main: &Subgraph, id: TensorId) -> Json {
    let t: &Tensor = &main.tensors[id];
    let q = t.quantization.as_ref().filter(|q| !q.scales.is_empty());
    let (scale, zero_point, axis) = match q {
        None => (Json::Null, Json::Null, Json::Null),
        Some(Quantization {
            scales,
            zero_points,
            ..
        }) if scales.len() == 1 => (number(scales[0]), json!(zero_points.first()), Json::Null),
        Some(q) => (
            q.scales.iter().map(|&s| number(s)).collect(),
            json!(q.zero_points),
            json!(q.axis),
        ),
    };
    json!({
        "index": id, "name": t.name, "dtype": t.dtype.name(), "shape": t.shape, "shape_signature": t.shape_signature,
        "scale": scale, "zero_point": zero_point, "axis": axis, "constant": t.is_constant(),
        "bytes": t.data.as_ref().map_or(0, |d| d.len()),
    })
}

/// A float32 such that reading it as float64 and rounding gives the same float32.
fn number(x: f32) -> Json {
    json!(f64::from(x))
}

fn text(model: &OpenModel) -> String {
    let (graph, card) = (&model.graph, &model.card);
    let main = graph.main();
    let mut lines = vec![format!(
        "{}: {}, {} bytes{}, {} parameters, {} operators, needs runtime {} or newer",
        model.name,
        model.format.name(),
        card.bytes,
        match model.format {
            ModelFormat::TfLite => "",
            ModelFormat::Keras(_) => " as .tflite",
        },
        card.parameters,
        card.operator_count(),
        tflite::min_runtime_version(graph),
    )];
    lines.extend(entries(graph));
    for (what, ids) in [("input", &main.inputs), ("output", &main.outputs)] {
        for (i, &id) in ids.iter().enumerate() {
            lines.push(format!("{what} {i}: {}", line(&main.tensors[id])));
        }
    }
    for (i, node) in main.nodes.iter().enumerate() {
        let outputs: Vec<_> = node
            .outputs
            .iter()
            .map(|&id| line(&main.tensors[id]))
            .collect();
        lines.push(format!(
            "{i:4} {} v{} -> {}",
            node.op.name(),
            node.version,
            outputs.join("; ")
        ));
    }
    lines.join("\n")
}

/// Signatures and further subgraphs, where there is something to choose; argument names stand beside the tensors they mean.
fn entries(graph: &Graph) -> Vec<String> {
    let name = |subgraph: usize, id: TensorId| {
        let found = graph
            .subgraphs
            .get(subgraph)
            .and_then(|s| s.tensors.get(id));
        found.map_or("", |t| t.name.as_str())
    };
    let mut lines = vec![];
    for s in &graph.signatures {
        let list = |ports: &[(String, TensorId)]| {
            let ports = ports
                .iter()
                .map(|(n, id)| format!("{n} = {}", name(s.subgraph, *id)));
            ports.collect::<Vec<_>>().join(", ")
        };
        lines.push(format!(
            "signature {} (subgraph {}): {} -> {}",
            s.key,
            s.subgraph,
            list(&s.inputs),
            list(&s.outputs)
        ));
    }
    for (i, s) in graph.subgraphs.iter().enumerate().skip(1) {
        lines.push(format!(
            "subgraph {i} {}: {} inputs, {} outputs, {} operators",
            s.name.as_deref().unwrap_or_default(),
            s.inputs.len(),
            s.outputs.len(),
            s.nodes.len()
        ));
    }
    lines
}

fn line(t: &Tensor) -> String {
    let q = match &t.quantization {
        Some(q) if q.scales.len() == 1 => {
            format!(
                ", scale {:.6e}, zero point {}",
                q.scales[0],
                q.zero_points.first().copied().unwrap_or(0)
            )
        }
        Some(q) if !q.scales.is_empty() => {
            format!(", {} scales along axis {}", q.scales.len(), q.axis)
        }
        _ => String::new(),
    };
    format!("{} {} [{}]{q}", t.name, t.dtype, shape_text(t))
}
