//! A report as JSON: the keys of `compare --json`, and where everything comes from.

use serde_json::{Value, json};

use super::{DataNote, Entry, Report};
use crate::evaluate::TensorReport;

/// The report as JSON. Figures that were not measured, or are not finite, are null.
pub fn json(report: &Report) -> String {
    let machine = &report.machine;
    let value = json!({
        "model": report.model.name,
        "model_bytes": report.model.bytes,
        "model_sha256": report.model.sha256,
        "calibration": report.calibration.as_ref().map(data),
        "data": report.data.as_ref().map(data),
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "system": machine.system,
            "kernels": machine.kernels,
        },
        "zeropoint": machine.version,
        "made": report.made,
        "baseline": report.baseline().map(|b| &b.name),
        "experiments": report.experiments.iter().map(|e| entry(report, e)).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn data(d: &DataNote) -> Value {
    json!({"name": d.name, "samples": d.samples, "sha256": d.sha256})
}

fn entry(report: &Report, e: &Entry) -> Value {
    let model = e.model.as_ref().unwrap_or(&report.model);
    let quality = e.evaluation.as_ref();
    json!({
        "name": e.name,
        "model": model.name,
        "model_sha256": model.sha256,
        "mode": e.recipe.mode.name(),
        "io": e.recipe.io.name(),
        "recipe": e.recipe,
        "file": e.file.name,
        "bytes": e.file.bytes,
        "sha256": e.file.sha256,
        "runtime": e.runtime,
        "accuracy": quality.and_then(|q| q.top1),
        "top5": quality.and_then(|q| q.top5),
        "delta_interval": quality.and_then(|q| q.delta_interval),
        "agreement": quality.and_then(|q| q.agreement),
        // JSON has no infinity: an exact copy has null here and agreement 1.
        "sqnr_db": finite(quality.and_then(|q| q.sqnr_db)),
        "samples": quality.map(|q| q.samples),
        "latency_ms": e.latency.as_ref().map(|l| {
            json!({"min": l.min_ms, "median": l.median_ms, "p95": l.p95_ms, "threads": l.threads})
        }),
        "convert_seconds": e.convert_seconds,
        "evaluate_seconds": quality.map(|q| q.seconds),
        "warnings": e.warnings,
        "tensors": e.tensors.iter().map(tensor).collect::<Vec<_>>(),
    })
}

/// A tensor's figures, without its histograms.
fn tensor(t: &TensorReport) -> Value {
    json!({
        "name": t.name,
        "op": t.op,
        "node": t.node,
        "kind": t.kind,
        "type": t.dtype,
        "shape": t.shape,
        "range": [t.range.0, t.range.1],
        "scale": t.scale,
        "zero_point": t.zero_point,
        "scale_error": finite(t.scale_error),
        "zero_point_error": finite(t.zero_point_error),
        "clipped": t.clipped,
        "sqnr_local_db": finite(t.sqnr_local_db),
        "sqnr_cumulative_db": finite(t.sqnr_cumulative_db),
        "step_rms": t.step_rms,
        "channels": t.channels.len(),
    })
}

fn finite(x: Option<f64>) -> Option<f64> {
    x.filter(|x| x.is_finite())
}
