//! LiteRT as a second engine: where its library is, the child process that runs it, and figures beside Zeropoint's own.

mod child;
mod engine;
mod find;
mod session;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evaluate::{Difference, Evaluation, Latency};
use crate::litert::Delegate;

pub use child::serve;
pub use engine::{Litert, Measure, Sides, runtime_line};
pub use find::{HOW_TO_GET, find};
pub use session::Session;
pub use words::{answers_line, difference_line, latency_line, litert_lines};

/// Which engine computes figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Zeropoint's own.
    #[default]
    Zeropoint,
    /// LiteRT's library.
    Litert,
    /// Both, and how far their outputs differ.
    Both,
}

impl Engine {
    /// Every choice, in the order a user sees them.
    pub const ALL: [Engine; 3] = [Engine::Zeropoint, Engine::Litert, Engine::Both];

    /// What a user calls it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Zeropoint => "Zeropoint",
            Engine::Litert => "LiteRT",
            Engine::Both => "Both",
        }
    }

    /// Whether LiteRT takes part.
    pub fn asks_litert(self) -> bool {
        match self {
            Engine::Zeropoint => false,
            Engine::Litert | Engine::Both => true,
        }
    }

    /// Whether Zeropoint's engine takes part.
    pub fn asks_own(self) -> bool {
        match self {
            Engine::Zeropoint | Engine::Both => true,
            Engine::Litert => false,
        }
    }
}

/// What it takes to start LiteRT's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The program whose hidden command is the child: this one.
    pub program: PathBuf,
    /// LiteRT's shared library.
    pub library: PathBuf,
    /// The package's version, where the library lies in a Python environment.
    pub version: Option<String>,
    /// How long LiteRT may be silent before its process is ended: a load, a run, or what a measurement takes longer than asked.
    pub limit: Duration,
}

/// What ran, as it stands beside every figure of LiteRT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// The package's version; `None` where nothing beside the library says it.
    pub version: Option<String>,
    /// What computed: `XNNPACK`, `no delegate`, …
    pub delegate: String,
    /// Whether the delegate took every operator.
    pub fully_delegated: bool,
    /// Threads that LiteRT was given.
    pub threads: usize,
}

/// What LiteRT made of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LitertFigures {
    /// What ran.
    pub runtime: Runtime,
    /// Latency of single runs.
    pub latency: Latency,
    /// Answers over the evaluation data; `None` without data.
    pub evaluation: Option<Evaluation>,
    /// How far its outputs lie from Zeropoint's; `None` where Zeropoint did not run.
    pub difference: Option<Difference>,
}

/// How LiteRT is asked to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Threads.
    pub threads: usize,
    /// What computes.
    pub delegate: Delegate,
}
