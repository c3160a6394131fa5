//! A report as CSV (RFC 4180): one line an experiment, plain numbers, every unit in the column's name.

use super::Report;

const COLUMNS: [&str; 23] = [
    "experiment",
    "mode",
    "io",
    "bytes",
    "times_smaller",
    "median_ms",
    "p95_ms",
    "times_faster",
    "threads",
    "top1",
    "top1_delta",
    "top1_delta_low",
    "top1_delta_high",
    "agreement",
    "sqnr_db",
    "samples",
    "convert_seconds",
    "file_sha256",
    "model",
    "model_sha256",
    "calibration_sha256",
    "data_sha256",
    "baseline",
];

/// The report as a table. Cells of figures that were not measured, or are not finite, are empty.
pub fn csv(report: &Report) -> String {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    let baseline = report.baseline();
    let median = |e: &super::Entry| e.latency.as_ref().map(|l| l.median_ms);
    for e in &report.experiments {
        let quality = e.evaluation.as_ref();
        let delta = e.delta(baseline).filter(|_| baseline != Some(e));
        let interval = delta.and_then(|d| d.1);
        let hash = |d: &Option<super::DataNote>| {
            let hash = d.as_ref().and_then(|d| d.sha256.clone());
            hash.unwrap_or_default()
        };
        let latency = e.latency.as_ref();
        let cells = [
            quoted(&e.name),
            e.recipe.mode.name().into(),
            e.recipe.io.name().into(),
            e.file.bytes.to_string(),
            figure(baseline.map(|b| b.file.bytes as f64 / e.file.bytes as f64)),
            figure(latency.map(|l| l.median_ms)),
            figure(latency.map(|l| l.p95_ms)),
            figure(
                baseline
                    .and_then(median)
                    .zip(median(e))
                    .map(|(b, own)| b / own),
            ),
            latency.map_or(String::new(), |l| l.threads.to_string()),
            figure(quality.and_then(|q| q.top1)),
            figure(delta.map(|d| d.0)),
            figure(interval.map(|i| i.0)),
            figure(interval.map(|i| i.1)),
            figure(quality.and_then(|q| q.agreement)),
            figure(quality.and_then(|q| q.sqnr_db)),
            quality.map_or(String::new(), |q| q.samples.to_string()),
            figure(Some(e.convert_seconds)),
            e.file.sha256.clone(),
            quoted(&e.model.as_ref().unwrap_or(&report.model).name),
            e.model.as_ref().unwrap_or(&report.model).sha256.clone(),
            hash(&report.calibration),
            hash(&report.data),
            quoted(report.baseline_name()),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn figure(x: Option<f64>) -> String {
    x.filter(|x| x.is_finite())
        .map_or(String::new(), |x| x.to_string())
}

/// Text as a cell: quoted where it must be; what a spreadsheet would take for a formula gets an apostrophe in front.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
