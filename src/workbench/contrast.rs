//! Quality against the chosen baseline, where that is not the float model which every evaluation was compared with when it was made.

use std::sync::Arc;

use super::jobs::{JobId, JobKind};
use super::{DataChoice, Document, Event, Experiment, ExperimentId, Workbench};
use crate::data::Dataset;
use crate::evaluate::{Contrast, Evaluation, against};
use crate::quantize::Mode;

/// What is known of experiments against the chosen baseline.
#[derive(Debug, Default)]
pub(super) struct Contrasts {
    found: Vec<(Pair, Contrast)>,
    pending: Option<(JobId, Vec<Pair>)>,
}

/// An experiment's evaluation and what it is taken against.
#[derive(Clone)]
pub struct Pair {
    id: ExperimentId,
    ours: Arc<Evaluation>,
    base: Arc<Evaluation>,
    /// Data that both were measured on, as numbered; `None` where they were not measured on the same.
    data: Option<u64>,
    labels: Option<Arc<dyn Dataset>>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair({:?}, data {:?})", self.id, self.data)
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        let labels = |p: &Self| p.labels.is_some();
        (self.id, self.data, labels(self)) == (other.id, other.data, labels(other))
            && Arc::ptr_eq(&self.ours, &other.ours)
            && Arc::ptr_eq(&self.base, &other.base)
    }
}

impl Pair {
    /// `e` against `base`; `data` is what is chosen now, whose labels they can be judged by.
    pub(super) fn of(e: &Experiment, base: &Experiment, data: &DataChoice) -> Option<Self> {
        let version = e.key.evaluation;
        let loaded = data.loaded.as_ref().filter(|_| version == data.version);
        Some(Self {
            id: e.id,
            ours: e.evaluation.clone()?,
            base: base.evaluation.clone()?,
            data: (version == base.key.evaluation).then_some(version),
            labels: loaded.map(|l| l.dataset.clone()),
        })
    }

    /// The figures.
    pub(super) fn contrast(&self) -> Contrast {
        if Arc::ptr_eq(&self.ours, &self.base) {
            return Contrast::none(&self.ours, None);
        }
        if self.data.is_none() {
            return Contrast::none(&self.ours, Some("they were measured on other data"));
        }
        let labels = self.labels.as_ref().and_then(|l| l.labels());
        against(&self.ours, &self.base, labels)
    }
}

impl Workbench {
    /// The quality of an experiment against what its deltas are taken against ([`Workbench::baseline`]); `None` while it is not known.
    pub fn quality<'a>(&'a self, e: &'a Experiment) -> Option<&'a Evaluation> {
        match self.rebased(e) {
            false => e.evaluation.as_deref(),
            true => self.contrast(e).map(|c| &c.evaluation),
        }
    }

    /// Why an experiment lacks figures against the baseline, as the end of a sentence.
    pub fn without(&self, e: &Experiment) -> Option<&'static str> {
        let contrast = self.contrast(e).filter(|_| self.rebased(e));
        contrast.and_then(|c| c.without)
    }

    fn contrast(&self, e: &Experiment) -> Option<&Contrast> {
        let ours = e.evaluation.as_ref()?;
        let mut found = self.contrasts.found.iter();
        let of = |(p, _): &&(Pair, Contrast)| p.id == e.id && Arc::ptr_eq(&p.ours, ours);
        found.find(of).map(|(_, c)| c)
    }

    /// Whether figures against the float model are not those against the baseline.
    pub(super) fn rebased(&self, e: &Experiment) -> bool {
        let Some(base) = self.baseline_of(e) else {
            return false;
        };
        let home = |e: &Experiment| self.model_of(e.id).map(|d| d.id);
        base.mode() != Mode::Float32 || home(base) != home(e)
    }

    /// Pairs that figures are wanted of.
    fn pairs(&self) -> Vec<Pair> {
        if self.chosen_baseline.is_none() {
            return vec![];
        }
        let of_model = |d: &Document| -> Vec<Pair> {
            let rebased = d.experiments.iter().filter(|e| self.rebased(e));
            let pair = |e: &Experiment| Pair::of(e, self.baseline_of(e)?, &d.evaluation);
            rebased.filter_map(pair).collect()
        };
        self.models().into_iter().flat_map(of_model).collect()
    }

    /// Starts what brings the figures up to date, if they are not.
    pub(super) fn contrast_again(&mut self) {
        let wanted = self.pairs();
        let current = match &self.contrasts.pending {
            Some((_, pairs)) => *pairs == wanted,
            None => self.contrasts.found.iter().map(|(p, _)| p).eq(&wanted),
        };
        if current {
            return;
        }
        if let Some((earlier, _)) = self.contrasts.pending.take() {
            self.jobs.cancel(earlier);
        }
        if wanted.is_empty() {
            return self.contrasts.found.clear();
        }
        let pairs = wanted.clone();
        let id = self.jobs.start(JobKind::Contrasts, move |job| {
            let mut found = vec![];
            for pair in pairs {
                job.progress().check()?;
                let contrast = pair.contrast();
                found.push((pair, contrast));
            }
            job.send(Event::Contrasts(found));
            Ok(())
        });
        self.contrasts.pending = Some((id, wanted));
    }

    /// Takes in what a job found.
    pub(super) fn contrasted(&mut self, id: JobId, found: Vec<(Pair, Contrast)>) {
        if self.contrasts.pending.as_ref().is_some_and(|p| p.0 == id) {
            self.contrasts = Contrasts {
                found,
                pending: None,
            };
        }
    }
}
