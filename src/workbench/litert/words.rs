//! Figures of one engine, and how far two differ, as lines of text for the command line and for reports.

use std::fmt::Display;

use super::{LitertFigures, runtime_line};
use crate::evaluate::{Difference, Evaluation, Latency};

/// `top-1 97.90 %, top-5 99.90 %`.
pub fn answers_line(e: &Evaluation) -> String {
    let share = |s: Option<f64>| {
        s.map_or("– (no labels)".to_owned(), |s| {
            format!("{:.2} %", s * 100.0)
        })
    };
    format!("top-1 {}, top-5 {}", share(e.top1), share(e.top5))
}

/// `min 0.1 ms, median 0.1 ms, p95 0.1 ms, 20 runs`, with `between` between the figures.
pub fn latency_line(l: &Latency, between: &str) -> String {
    format!(
        "min {:.4} ms{between}median {:.4} ms{between}p95 {:.4} ms{between}{} runs",
        l.min_ms, l.median_ms, l.p95_ms, l.runs
    )
}

/// What came of LiteRT, one line each: what ran with its figures, and how far its outputs lie from Zeropoint's.
pub fn litert_lines<E: Display>(litert: Result<&LitertFigures, E>) -> Vec<String> {
    let figures = match litert {
        Ok(figures) => figures,
        Err(e) => return vec![format!("LiteRT: {e}")],
    };
    let latency = latency_line(&figures.latency, ", ");
    let mut line = format!("{}: {latency}", runtime_line(&figures.runtime));
    if let Some(e) = figures.evaluation.as_ref().filter(|e| e.top1.is_some()) {
        line += &format!(", {}", answers_line(e));
    }
    let mut lines = vec![line];
    lines.extend(figures.difference.as_ref().map(difference_line));
    lines
}

/// `outputs differ by at most 1 step, answers on 0.00 % of 100 samples`.
pub fn difference_line(d: &Difference) -> String {
    let mut parts = vec![];
    if let Some(steps) = d.max_steps {
        let unit = if steps == 1 { "step" } else { "steps" };
        parts.push(format!("{steps} {unit}"));
    }
    if let Some(share) = d.max_of_peak {
        parts.push(format!("{share:.2e} of the peak"));
    }
    let answers = d
        .differing
        .map(|s| format!(", answers differ on {:.2} %", s * 100.0));
    format!(
        "LiteRT's outputs differ from Zeropoint's by at most {}{} of {} samples",
        parts.join(" and "),
        answers.unwrap_or_else(|| ", over all".into()),
        d.samples
    )
}
