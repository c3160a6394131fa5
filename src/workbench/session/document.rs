//! What a session file says: settings and experiments as JSON, the figures of each experiment as CBOR.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::experiment::{Experiment, ExperimentId, Intent, QuantizedFile};
use super::super::litert::{Engine, LitertFigures};
use super::super::{DataIdentity, DataRecord, Entry, Fingerprint, ModeChoice, Reading, Source};
use crate::data::Selection;
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, Histogram, Latency, Outputs, TensorReport};
use crate::quantize::{QuantPlan, Recipe};
use crate::{invalid, malformed, tflite};

/// What the file says it is.
const FORMAT: &str = "zeropoint session";
/// Version that this program writes and reads.
const VERSION: u64 = 1;
/// Most experiments of one session.
const MOST_EXPERIMENTS: usize = 1000;
/// Most open models of one session.
const MOST_MODELS: usize = 100;
/// Most bins of one histogram, far above what is ever made.
const MOST_BINS: usize = 1 << 16;

/// Everything but figures and files. Each of those is a part of its own, named by its SHA-256.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Document {
    pub format: String,
    pub version: u64,
    /// Version of the program that wrote it.
    pub program: String,
    /// When, such as `2026-11-23 17:05 UTC`.
    pub saved: String,
    /// The model that was current.
    #[serde(flatten)]
    pub current: ModelPart,
    /// The other open models, in the order of their opening.
    #[serde(default)]
    pub others: Vec<ModelPart>,
    /// How many of them were opened before the current one.
    #[serde(default)]
    pub before: usize,
    pub threads: usize,
    pub engine: Engine,
    pub litert_place: Option<PathBuf>,
    pub baseline: Option<ExperimentId>,
}

/// What belongs to one open model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelPart {
    pub model: ModelNote,
    pub entry: Entry,
    pub calibration: DataNote,
    pub evaluation: DataNote,
    #[serde(flatten)]
    pub reading: Reading,
    pub modes: Vec<ModeChoice>,
    pub strict: bool,
    pub experiments: Vec<ExperimentNote>,
}

/// The model: where it is, and what it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ModelNote {
    pub name: String,
    /// `None` for the demo.
    pub path: Option<PathBuf>,
    pub fingerprint: Fingerprint,
}

/// Data of one role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DataNote {
    pub source: Option<Source>,
    pub selection: Selection,
    /// What it was when the session was saved, for a reader.
    pub record: Option<DataRecord>,
    pub identity: Option<DataIdentity>,
}

/// How an experiment stood. What was on its way is as if it were cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stood {
    New,
    Done,
    Failed(String),
    Cancelled,
}

/// One experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExperimentNote {
    pub id: ExperimentId,
    pub intent: Intent,
    pub state: Stood,
    pub stale: bool,
    pub random: bool,
    pub run: RunNote,
    /// SHA-256 of its file.
    pub file: Option<String>,
    /// SHA-256 of its figures.
    pub results: Option<String>,
}

/// What the figures are of, by content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunNote {
    pub recipe: Recipe,
    /// Whether it is the session's model; figures of another content of its file are old.
    pub current_model: bool,
    pub calibration: Option<DataIdentity>,
    pub evaluation: Option<DataIdentity>,
    pub threads: usize,
    pub engine: Engine,
}

/// The figures of one experiment.
#[derive(Debug, Serialize, Deserialize)]
struct Results<'a> {
    plan: Cow<'a, QuantPlan>,
    convert_seconds: f64,
    evaluation: Option<Scored<'a>>,
    latency: Option<Cow<'a, Latency>>,
    litert: Option<std::result::Result<Cow<'a, LitertFigures>, String>>,
    /// Answers and margins of LiteRT's evaluation.
    litert_answers: Option<(Vec<u32>, Vec<f32>)>,
    tensors: Option<Cow<'a, [TensorReport]>>,
}

/// An evaluation with what its JSON leaves out.
#[derive(Debug, Serialize, Deserialize)]
struct Scored<'a> {
    figures: Cow<'a, Evaluation>,
    answers: Cow<'a, [u32]>,
    margins: Cow<'a, [f32]>,
    #[serde(default)]
    outputs: Option<Cow<'a, Outputs>>,
}

impl Document {
    /// The fields that say what the file is.
    pub(super) fn stamp(saved: String) -> (String, u64, String, String) {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        (FORMAT.into(), VERSION, program, saved)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Invalid(format!("the session cannot be said as JSON: {e}")))
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// Malformed for anything that no session of this version says, unsupported for another version.
    pub(super) fn read(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u64,
        }
        let head: std::result::Result<Head, _> = serde_json::from_slice(json);
        match head {
            Ok(head) if head.format != FORMAT => return malformed!("this is no session file"),
            Ok(head) if head.version != VERSION => {
                return crate::unsupported!(
                    "this session is of version {} of the format, this program reads version {VERSION}",
                    head.version
                );
            }
            Ok(_) => {}
            Err(e) => return malformed!("this is no session file: {e}"),
        }
        let read: Self = serde_json::from_slice(json)
            .map_err(|e| Error::Malformed(format!("the session is damaged: {e}")))?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<()> {
        let parts = || std::iter::once(&self.current).chain(&self.others);
        let experiments: usize = parts().map(|p| p.experiments.len()).sum();
        if experiments > MOST_EXPERIMENTS || self.others.len() >= MOST_MODELS {
            return malformed!(
                "the session names {experiments} experiments of {} models; at most {MOST_EXPERIMENTS} of {MOST_MODELS} are read",
                self.others.len() + 1
            );
        }
        for e in parts().flat_map(|p| &p.experiments) {
            e.intent.recipe.check()?;
            e.run.recipe.check()?;
        }
        Ok(())
    }
}

/// The parts of an experiment that go into the session beside the document.
pub(super) struct Held {
    pub file: Arc<QuantizedFile>,
    pub evaluation: Option<Arc<Evaluation>>,
    pub latency: Option<Latency>,
    pub litert: Option<std::result::Result<Arc<LitertFigures>, String>>,
    pub tensors: Option<Arc<Vec<TensorReport>>>,
}

impl Held {
    /// Those of an experiment whose file is written; the others have none.
    /// Of one that is being run again, those of before.
    pub(super) fn of(e: &Experiment) -> Option<Self> {
        let earlier = e.finished.as_deref().filter(|_| e.is_pending());
        let held = earlier.cloned().unwrap_or_else(|| e.figures());
        Some(Self {
            file: held.file?,
            evaluation: held.evaluation,
            latency: held.latency,
            litert: held.litert,
            tensors: held.tensors,
        })
    }

    /// The figures as CBOR.
    pub(super) fn to_cbor(&self) -> Result<Vec<u8>> {
        let scored = self.evaluation.as_deref().map(|figures| Scored {
            figures: Cow::Borrowed(figures),
            answers: Cow::Borrowed(&figures.answers),
            margins: Cow::Borrowed(&figures.margins),
            outputs: figures.outputs.as_deref().map(Cow::Borrowed),
        });
        let theirs = self.litert.as_ref().and_then(|l| l.as_ref().ok());
        let theirs = theirs.and_then(|l| l.evaluation.as_ref());
        let results = Results {
            plan: Cow::Borrowed(self.file.plan.as_ref()),
            convert_seconds: self.file.convert_seconds,
            evaluation: scored,
            latency: self.latency.as_ref().map(Cow::Borrowed),
            litert: self.litert.as_ref().map(|l| match l {
                Ok(figures) => Ok(Cow::Borrowed(figures.as_ref())),
                Err(why) => Err(why.clone()),
            }),
            litert_answers: theirs.map(|e| (e.answers.clone(), e.margins.clone())),
            tensors: self.tensors.as_ref().map(|t| Cow::Borrowed(t.as_slice())),
        };
        let mut bytes = vec![];
        ciborium::into_writer(&results, &mut bytes)
            .map_err(|e| Error::Invalid(format!("the figures cannot be said as CBOR: {e}")))?;
        Ok(bytes)
    }

    /// Reads the figures and the file that they are of.
    ///
    /// # Errors
    /// Malformed for anything that is no figures, or figures that no run makes; what is wrong with the file.
    pub(super) fn read(cbor: &[u8], file: Bytes) -> Result<Self> {
        let results: Results<'_> = ciborium::from_reader(cbor)
            .map_err(|e| Error::Malformed(format!("its figures are damaged: {e}")))?;
        let graph = Arc::new(tflite::read(file.clone())?);
        let evaluation = results.evaluation.map(|scored| Evaluation {
            answers: scored.answers.into_owned(),
            margins: scored.margins.into_owned(),
            outputs: scored.outputs.map(|o| Arc::new(o.into_owned())),
            ..scored.figures.into_owned()
        });
        let litert = results.litert.map(|l| {
            l.map(|figures| {
                let mut figures = figures.into_owned();
                let theirs = figures.evaluation.as_mut();
                if let (Some(e), Some((answers, margins))) = (theirs, results.litert_answers) {
                    (e.answers, e.margins) = (answers, margins);
                }
                Arc::new(figures)
            })
        });
        let tensors = results.tensors.map(Cow::into_owned);
        let latency = results.latency.map(Cow::into_owned);
        let main = graph.main();
        for t in tensors.iter().flatten() {
            let there =
                t.tensor < main.tensors.len() && t.node.is_none_or(|n| n < main.nodes.len());
            if !there
                || ![&t.values, &t.dequantized, &t.step_error]
                    .into_iter()
                    .all(is_sound)
            {
                return malformed!("its figures of tensor {:?} are no such figures", t.name);
            }
        }
        let theirs = litert.as_ref().and_then(|l| l.as_ref().ok());
        let latencies = latency.iter().chain(theirs.map(|l| &l.latency));
        for l in latencies {
            let all = [l.min_ms, l.median_ms, l.p95_ms];
            if !all.iter().all(|ms| ms.is_finite() && *ms >= 0.0) {
                return malformed!("its latency is no time");
            }
        }
        let scores = evaluation
            .iter()
            .chain(theirs.and_then(|l| l.evaluation.as_ref()));
        for e in scores {
            let answers = e.answers.len();
            if answers != e.margins.len() || (answers != e.samples && answers != 0) {
                return malformed!(
                    "its evaluation of {} samples has {answers} answers and {} margins",
                    e.samples,
                    e.margins.len()
                );
            }
            if (e.outputs.as_ref()).is_some_and(|o| !o.is_sound(e.samples)) {
                return malformed!("its outputs are not those of {} samples", e.samples);
            }
        }
        let plan = Arc::new(results.plan.into_owned());
        Ok(Self {
            file: Arc::new(QuantizedFile {
                bytes: file,
                graph,
                plan,
                convert_seconds: results.convert_seconds,
            }),
            evaluation: evaluation.map(Arc::new),
            latency,
            litert,
            tensors: tensors.map(Arc::new),
        })
    }
}

/// Whether plots can be drawn of it.
fn is_sound(h: &Histogram) -> bool {
    h.start.is_finite() && h.step.is_finite() && h.step >= 0.0 && h.counts.len() <= MOST_BINS
}

/// Fails unless it is the name of a part: a SHA-256 in hexadecimal.
pub(super) fn check_name(name: &str) -> Result<()> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    match name.len() == 64 && name.chars().all(hex) {
        true => Ok(()),
        false => invalid!("the session names {name:?} as a part, which is no SHA-256"),
    }
}
