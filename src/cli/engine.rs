//! What `--engine` asks for: LiteRT beside or instead of Zeropoint's engine, and its figures as JSON.

use serde_json::{Value as Json, json};

use super::args::{DelegateArg, EngineArgs};
use crate::error::Result;
use crate::evaluate::Latency;
use crate::invalid;
use crate::litert::Delegate;
use crate::workbench::litert::{Asked, Engine, LitertFigures, Setup, find};

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
