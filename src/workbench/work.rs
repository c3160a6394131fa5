//! The work of one experiment's job, and what such jobs share.

use std::sync::{Arc, Mutex, PoisonError};

use super::experiment::{ExperimentId, Finding};
use super::jobs::{JobHandle, Stage};
use super::litert::{Asked, Engine, Measure, Setup, Sides};
use super::{Event, OpenModel, steps};
use crate::calibrate::{self, Calibration};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::{self, Baseline};
use crate::litert::Delegate;
use crate::quantize::{Mode, Recipe};

/// Samples that the per-tensor measurement runs, of window and command line.
pub const TENSOR_SAMPLES: usize = 400;

/// What experiments of one model and data share: made by the first job that needs it, kept until its inputs change.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    calibration: Cell<Calibration>,
    baseline: Cell<Baseline>,
}

/// A result, shared by the jobs that need it.
#[derive(Debug)]
struct Cell<T>(Arc<Mutex<Held<T>>>);

/// A result with the versions of model and data that it was made from.
type Held<T> = Option<(Versions, Arc<T>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub model: u64,
    pub data: u64,
}

impl<T> Clone for Cell<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Cell<T> {
    /// The result for these versions, made now if it is not there. Made outside the lock: a failure leaves nothing behind.
    fn get(&self, versions: Versions, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let held = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((_, value)) = held.filter(|(of, _)| *of == versions) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((versions, value.clone()));
        Ok(value)
    }
}

/// All that one experiment's job needs.
pub(super) struct Work {
    pub id: ExperimentId,
    pub model: Arc<OpenModel>,
    pub recipe: Recipe,
    pub calibration: Option<Arc<dyn Dataset>>,
    pub evaluation: Option<Arc<dyn Dataset>>,
    /// Of calibration and evaluation.
    pub versions: [Versions; 2],
    pub shared: Shared,
    pub threads: usize,
    pub engine: Engine,
    /// Finds LiteRT.
    pub litert: Box<dyn Fn() -> Result<Setup> + Send>,
    pub latency_seconds: f64,
}

impl Work {
    /// Runs every step, handing over each result as it comes.
    pub(super) fn run(self, job: &JobHandle<Event>) -> Result<()> {
        let progress = job.progress();
        let found = |finding| job.send(Event::Finding(self.id, finding));
        let jobs_threads = std::thread::available_parallelism().map_or(1, usize::from);

        let calibration = match (&self.calibration, self.recipe.mode.needs_calibration()) {
            (Some(data), true) => {
                job.stage(Stage::Calibrating)?;
                let make = || {
                    calibrate::calibrate(&self.model.graph, data.as_ref(), jobs_threads, progress)
                };
                Some(self.shared.calibration.get(self.versions[0], make)?)
            }
            _ => None,
        };

        job.stage(Stage::Quantizing)?;
        let file = Arc::new(steps::convert(
            &self.model,
            &self.recipe,
            calibration.as_deref(),
            jobs_threads,
            progress,
        )?);
        found(Finding::File(file.clone()));

        let is_float = self.recipe.mode == Mode::Float32;
        let baseline = match &self.evaluation {
            Some(data) => {
                job.stage(Stage::Evaluating)?;
                let make =
                    || evaluate::baseline(&self.model.graph, data.as_ref(), jobs_threads, progress);
                Some(self.shared.baseline.get(self.versions[1], make)?)
            }
            None => None,
        };
        let compared = baseline.as_deref().filter(|_| !is_float);
        let mut sides = match self.engine.asks_litert() {
            true => {
                let file = Measure {
                    bytes: &file.bytes,
                    graph: &file.graph,
                    baseline: compared,
                    own: self.engine.asks_own(),
                    litert: Asked {
                        threads: self.threads,
                        delegate: Delegate::default(),
                    },
                    jobs_threads,
                };
                Some(Sides::open(&(self.litert)(), file, progress)?)
            }
            false => None,
        };
        if let Some(data) = self.evaluation.as_deref() {
            let evaluation = match &mut sides {
                Some(sides) => sides.evaluate(data, progress)?,
                None => Some(evaluate::evaluate(
                    &file.graph,
                    data,
                    compared,
                    jobs_threads,
                    progress,
                )?),
            };
            if let Some(evaluation) = evaluation {
                found(Finding::Evaluation(Arc::new(evaluation)));
            }
        } else if let Some(sides) = &mut sides {
            sides.compare_on_random(progress)?;
        }

        job.stage(Stage::Measuring)?;
        let tensors = match self.evaluation.as_ref().or(self.calibration.as_ref()) {
            Some(data) if !is_float => {
                let samples = TENSOR_SAMPLES.min(data.len());
                evaluate::tensors(
                    &self.model.graph,
                    &file.graph,
                    calibration.as_deref(),
                    data.as_ref(),
                    samples,
                    progress,
                )?
            }
            _ => vec![],
        };
        found(Finding::Tensors(Arc::new(tensors)));

        job.stage(Stage::Timing)?;
        let seconds = self.latency_seconds;
        if self.engine.asks_own() {
            let latency = evaluate::latency(&file.graph, self.threads, seconds, progress)?;
            found(Finding::Latency(latency));
            // Timers between operators cost time themselves, so these are runs of their own.
            let profile = evaluate::profile(&file.graph, self.threads, seconds / 4.0, progress)?;
            found(Finding::Profile(Arc::new(profile)));
        }
        let Some(sides) = sides else { return Ok(()) };
        let litert = sides.finish(seconds)?;
        if !self.engine.asks_own() {
            // Alone it stands for the experiment: what it cannot do is the experiment's failure.
            let figures = litert.as_ref().map_err(Error::clone)?;
            if let Some(evaluation) = &figures.evaluation {
                found(Finding::Evaluation(Arc::new(evaluation.clone())));
            }
            found(Finding::Latency(figures.latency.clone()));
        }
        let kept = litert.map(|mut figures| {
            // Outputs are compared by the experiment's own evaluation.
            let evaluation = figures.evaluation.as_mut();
            evaluation.into_iter().for_each(|e| e.outputs = None);
            Arc::new(figures)
        });
        found(Finding::Litert(kept.map_err(|e| e.to_string())));
        Ok(())
    }
}
