//! What `--engine` asks for: LiteRT beside or instead of Zeropoint's engine, and its figures as text and JSON.

use serde_json::{Value as Json, json};

use super::args::{DelegateArg, EngineArgs};
use crate::error::Result;
use crate::evaluate::{Difference, Evaluation, Latency};
use crate::invalid;
use crate::litert::Delegate;
use crate::workbench::litert::{Asked, Engine, LitertFigures, Setup, find, runtime_line};

/// The engines of one command.
pub(super) struct Engines {
    pub(super) engine: Engine,
    /// Where LiteRT is, or why it is of no use; not looked for where it was not asked.
    pub(super) setup: Result<Setup>,
    delegate: Delegate,
}

impl Engines {
    /// Finds LiteRT where it is asked for, before any work starts.
    pub(super) fn of(a: &EngineArgs) -> Result<Self> {
        let engine: Engine = a.engine.into();
        Ok(Self {
            engine,
            setup: match engine.asks_litert() {
                true => Ok(find(None)?),
                false => invalid!("LiteRT was not asked for"),
            },
            delegate: match a.delegate {
                DelegateArg::Xnnpack => Delegate::Xnnpack,
                DelegateArg::None => Delegate::None,
            },
        })
    }

    /// How LiteRT shall compute.
    pub(super) fn asked(&self, threads: usize) -> Asked {
        Asked {
            threads,
            delegate: self.delegate,
        }
    }
}

/// `top-1 97.90 %, top-5 99.90 %`.
pub(super) fn answers_line(e: &Evaluation) -> String {
    let share = |s: Option<f64>| {
        s.map_or("– (no labels)".to_owned(), |s| {
            format!("{:.2} %", s * 100.0)
        })
    };
    format!("top-1 {}, top-5 {}", share(e.top1), share(e.top5))
}

/// `min 0.1 ms, median 0.1 ms, p95 0.1 ms, 20 runs`, with `between` between the figures.
pub(super) fn latency_line(l: &Latency, between: &str) -> String {
    format!(
        "min {:.4} ms{between}median {:.4} ms{between}p95 {:.4} ms{between}{} runs",
        l.min_ms, l.median_ms, l.p95_ms, l.runs
    )
}

/// What came of LiteRT, one line each: what ran with its figures, and how far its outputs lie from Zeropoint's.
pub(super) fn litert_lines(litert: &Result<LitertFigures>) -> Vec<String> {
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
pub(super) fn difference_line(d: &Difference) -> String {
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

/// The key `litert`: what ran and its figures, or why there are none.
pub(super) fn litert_json(litert: &Result<LitertFigures>) -> Json {
    let figures = match litert {
        Ok(figures) => figures,
        Err(e) => return json!({"error": e.to_string()}),
    };
    let (r, e) = (&figures.runtime, figures.evaluation.as_ref());
    json!({
        "version": r.version,
        "delegate": r.delegate,
        "fully_delegated": r.fully_delegated,
        "threads": r.threads,
        "samples": e.map(|e| e.samples),
        "accuracy": e.and_then(|e| e.top1),
        "top5": e.and_then(|e| e.top5),
        "agreement": e.and_then(|e| e.agreement),
        "sqnr_db": e.and_then(|e| e.sqnr_db).filter(|db| db.is_finite()),
        "seconds": e.map(|e| e.seconds),
        "latency_ms": latency_json(&figures.latency),
        "runs": figures.latency.runs,
    })
}

/// The key `difference`; null where nothing was compared.
pub(super) fn difference_json(litert: &Result<LitertFigures>) -> Json {
    json!(litert.as_ref().ok().and_then(|f| f.difference.as_ref()))
}

/// Figures of single runs.
pub(super) fn latency_json(l: &Latency) -> Json {
    json!({"min": l.min_ms, "median": l.median_ms, "p95": l.p95_ms, "threads": l.threads})
}
