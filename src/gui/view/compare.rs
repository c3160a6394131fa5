//! The comparison: one row per experiment, and the sentence that says what ships.

use super::format::{self, NONE, TimeUnit};
use super::jobs;
use super::look::{self, Look};
use crate::evaluate::Evaluation;
use crate::quantize::Mode;
use crate::workbench::jobs::{JobView, Stage};
use crate::workbench::report::{TOLERATED_LOSS, WANTED_AGREEMENT};
use crate::workbench::{Document, Experiment, ExperimentId, ModelId, State, Workbench};

/// Where a row stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It was not run yet.
    New,
    /// All figures are there.
    Done,
    /// Its job runs (or waits, at 0).
    Running {
        /// Share of the whole job, 0..1.
        fraction: f32,
        /// `Evaluating, 6,200 of 10,000 samples`.
        words: String,
    },
    /// It ended with this message.
    Failed(String),
    /// The user stopped it.
    Cancelled,
}

/// A delta with its 95 % paired interval, shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The delta.
    pub delta: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One experiment. A cell is `None` while its figure is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which experiment.
    pub id: ExperimentId,
    /// Its marker.
    pub look: Look,
    /// The model that it is of, where several are open.
    pub model: Option<String>,
    /// What it is called: its mode's name, or what the user calls it.
    pub name: String,
    /// What sets it apart, such as `int8 I/O`.
    pub detail: String,
    /// Whether deltas are taken against it.
    pub baseline: bool,
    /// Whether it stands above the others.
    pub pinned: bool,
    /// Where it stands.
    pub status: Status,
    /// Whether its figures belong to an earlier run.
    pub stale: bool,
    /// Whether the last Run took its figures over.
    pub reused: bool,
    /// Whether there is a file to save.
    pub has_file: bool,
    /// File size.
    pub bytes: Option<usize>,
    /// Times smaller than the baseline.
    pub smaller: Option<String>,
    /// Median latency, ms.
    pub median_ms: Option<f64>,
    /// 95th percentile, ms.
    pub p95_ms: Option<f64>,
    /// Times faster than the baseline.
    pub faster: Option<String>,
    /// The same as a ratio; `None` for the baseline.
    pub speedup: Option<f64>,
    /// Top-1 accuracy, 0..1; `Some(None)` without labels.
    pub top1: Option<Option<f64>>,
    /// Delta to the baseline.
    pub delta: Option<String>,
    /// Delta with its interval.
    pub interval: Option<Interval>,
    /// Share of samples with the baseline's answer, in words.
    pub agreement: Option<String>,
    /// The same, 0..1.
    pub agreement_share: Option<f64>,
    /// Signal to noise of the outputs.
    pub sqnr: Option<String>,
    /// The same in dB; infinite where they are equal.
    pub sqnr_db: Option<f64>,
    /// Why it lacks figures against the baseline, as the end of a sentence.
    pub without: Option<&'static str>,
    /// Sentences of the plan that the user should know.
    pub warnings: Vec<String>,
    /// Operators that stay float, as `CONV_2D: reason`.
    pub kept_float: usize,
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Pinned ones first, else in the order of the workbench.
    pub rows: Vec<Row>,
    /// What all latencies are told in.
    pub unit: TimeUnit,
    /// Threads that latency was measured with, of the first row that has it.
    pub threads: Option<usize>,
    /// Samples that quality was measured on, of the first row that has it.
    pub samples: Option<usize>,
    /// Largest distance from 0 of any interval's end, for the glyphs' common scale.
    pub reach: f64,
    /// What deltas are taken against: `float32`, or the name of the chosen experiment.
    pub baseline: String,
    /// The open models, whose rows follow one another in this order; empty where there is only one.
    pub groups: Vec<Group>,
}

/// The rows of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which model.
    pub id: ModelId,
    /// What it is called.
    pub name: String,
    /// `85.4 kB, 20,410 parameters`.
    pub words: String,
    /// Whether it is the current one.
    pub current: bool,
    /// How many rows it has.
    pub rows: usize,
}

fn group(of: &Document, current: ModelId) -> Group {
    let words = of.model.as_ref().map_or_else(String::new, |m| {
        let parameters = format::count(m.card.parameters);
        format!("{}, {parameters} parameters", format::size(m.bytes.len()))
    });
    Group {
        id: of.id,
        name: of.name().to_owned(),
        words,
        current: of.id == current,
        rows: of.experiments.len(),
    }
}

/// A sentence in runs, strong or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The experiment that it recommends.
    pub experiment: Option<ExperimentId>,
    /// Text and whether it is strong.
    pub runs: Vec<(String, bool)>,
    /// `2.41 × faster, 3.41 × smaller, −0.03 pp accuracy, inside its 95 % interval`.
    pub detail: String,
}

impl Answer {
    /// The sentence as one string.
    pub fn text(&self) -> String {
        self.runs.iter().map(|(text, _)| text.as_str()).collect()
    }

    fn plain(text: impl Into<String>) -> Self {
        Self {
            experiment: None,
            runs: vec![(text.into(), false)],
            detail: String::new(),
        }
    }
}

impl Comparison {
    /// Everything the Compare tab shows.
    pub fn of(bench: &Workbench) -> Self {
        let active = bench.jobs().active();
        let baseline = bench.baseline().filter(|e| e.file.is_some());
        let models = bench.models();
        let several = models.len() > 1;
        let mut rows: Vec<Row> = vec![];
        for model in &models {
            let own = model.experiments.iter();
            let mut own: Vec<Row> = own.map(|e| row(bench, e, &active)).collect();
            own.sort_by_key(|r| !r.pinned);
            for row in &mut own {
                row.model = several.then(|| model.name().to_owned());
            }
            rows.extend(own);
        }
        let reach = rows
            .iter()
            .filter_map(|r| r.interval)
            .map(|i| i.low.abs().max(i.high.abs()).max(i.delta.abs()))
            .filter(|x| x.is_finite())
            .fold(0.0, f64::max);
        Self {
            unit: TimeUnit::for_column(rows.iter().filter_map(|r| r.median_ms)),
            threads: models
                .iter()
                .flat_map(|d| &d.experiments)
                .find_map(|e| e.latency.as_ref().map(|l| l.threads)),
            samples: models
                .iter()
                .flat_map(|d| &d.experiments)
                .find_map(|e| e.evaluation.as_ref().map(|e| e.samples)),
            reach,
            rows,
            baseline: match baseline {
                // Each model has its own.
                _ if several && bench.chosen_baseline.is_none() => "float32".into(),
                Some(base) => match bench.model_of(base.id).filter(|_| several) {
                    Some(home) => format!("{} of {}", base.name(), home.name()),
                    None => base.name(),
                },
                None => "float32".into(),
            },
            groups: match several {
                true => models.iter().map(|d| group(d, bench.id)).collect(),
                false => vec![],
            },
        }
    }

    /// The first message of a failed experiment, with its name.
    pub fn failures(&self) -> impl Iterator<Item = (&Row, &str)> {
        self.rows.iter().filter_map(|r| match &r.status {
            Status::Failed(message) => Some((r, message.as_str())),
            Status::New | Status::Done | Status::Running { .. } | Status::Cancelled => None,
        })
    }

    /// A row as a sentence, for screen readers.
    pub fn sentence(&self, row: &Row) -> String {
        let mut parts = vec![row.title()];
        if row.baseline {
            parts.push("baseline".into());
        }
        if let Some(bytes) = row.bytes {
            parts.push(format!("{} bytes", format::count(bytes)));
        }
        let told = |cell: &Option<String>| cell.clone().filter(|c| c != NONE);
        if let Some(x) = told(&row.smaller) {
            parts.push(format!("{x} smaller"));
        }
        if let Some(ms) = row.median_ms {
            parts.push(format!("median {}", self.unit.text(ms)));
        }
        if let Some(x) = told(&row.faster) {
            parts.push(format!("{x} faster"));
        }
        if let Some(Some(top1)) = row.top1 {
            parts.push(format!("top-1 {}", format::percent(top1)));
        }
        if let Some(x) = told(&row.delta) {
            parts.push(format!("{x} to {}", self.baseline));
        }
        if let Some(x) = told(&row.agreement) {
            parts.push(format!("agreement {x}"));
        }
        if let Some(x) = told(&row.sqnr) {
            parts.push(format!("SQNR {x}"));
        }
        match &row.status {
            Status::New => parts.push("not run yet".into()),
            Status::Done => {}
            Status::Running { words, .. } => parts.push(words.clone()),
            Status::Failed(message) => parts.push(format!("failed: {message}")),
            Status::Cancelled => parts.push("cancelled".into()),
        }
        parts.join(", ")
    }

    /// The sentence above the table.
    pub fn answer(&self) -> Answer {
        if self.rows.is_empty() {
            return Answer::plain("Run to compare variants here");
        }
        let measured: Vec<&Row> = self
            .rows
            .iter()
            .filter(|r| !r.baseline && r.look.mode != Mode::Float32)
            .filter(|r| !r.stale && r.median_ms.is_some())
            .collect();
        if measured.is_empty() {
            let running = self.rows.iter().filter(|r| r.is_running()).count();
            return Answer::plain(match running {
                0 => "No variant is measured yet".to_owned(),
                1 => "Running 1 experiment".to_owned(),
                n => format!("Running {n} experiments"),
            });
        }
        let good: Vec<&Row> = measured
            .iter()
            .copied()
            .filter(|r| r.quality() == Quality::Good)
            .collect();
        let labelled = measured.iter().any(|r| matches!(r.top1, Some(Some(_))));
        let judged = measured.iter().any(|r| r.quality() != Quality::Unknown);
        let fastest = |rows: &[&Row]| -> Option<usize> {
            let at = (0..rows.len()).min_by(|&a, &b| {
                let time = |i: usize| rows[i].median_ms.unwrap_or(f64::INFINITY);
                time(a).total_cmp(&time(b))
            })?;
            self.rows.iter().position(|r| r.id == rows[at].id)
        };
        let (lead, row, rest) = if !judged {
            let row = fastest(&measured);
            (
                String::new(),
                row,
                " is the fastest, accuracy is not measured",
            )
        } else if good.is_empty() {
            let least = measured
                .iter()
                .max_by(|a, b| a.score().total_cmp(&b.score()))
                .and_then(|best| self.rows.iter().position(|r| r.id == best.id));
            let lead = if labelled {
                "No variant keeps accuracy within 0.10 pp, "
            } else {
                &format!(
                    "No variant agrees with {} on 99 % of the samples, ",
                    self.baseline
                )
            };
            (lead.to_owned(), least, " comes nearest")
        } else {
            let n = good.len();
            let (variants, keep, agree) = if n == 1 {
                ("variant", "keeps", "agrees")
            } else {
                ("variants", "keep", "agree")
            };
            let lead = if labelled {
                format!("{n} {variants} {keep} accuracy within 0.10 pp, ")
            } else {
                format!(
                    "{n} {variants} {agree} with {} on 99 % of the samples, ",
                    self.baseline
                )
            };
            (lead, fastest(&good), " is the fastest")
        };
        let Some(row) = row.map(|at| &self.rows[at]) else {
            return Answer::plain("No variant is measured yet");
        };
        Answer {
            experiment: Some(row.id),
            runs: vec![(lead, false), (row.title(), true), (rest.to_owned(), false)],
            detail: row.gains(&self.baseline),
        }
    }
}

/// How a row's answers compare with float32's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    Bad,
    Unknown,
}

impl Row {
    /// `int8, int8 I/O`; the I/O is left off where it is float32.
    pub fn title(&self) -> String {
        let own = match self.detail.is_empty() || self.detail.starts_with("float32") {
            true => self.name.clone(),
            false => format!("{}, {}", self.name, self.detail),
        };
        match &self.model {
            Some(model) => format!("{model}: {own}"),
            None => own,
        }
    }

    /// Its name where there is little room: `digits int8` where several models are open.
    pub fn label(&self) -> String {
        match &self.model {
            Some(model) => {
                let stem = model.rsplit_once('.').map_or(model.as_str(), |m| m.0);
                format!("{} {}", format::elide(stem, 12), self.name)
            }
            None => self.name.clone(),
        }
    }

    /// Whether its job runs or waits.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running { .. })
    }

    fn quality(&self) -> Quality {
        if let Some(interval) = self.interval {
            // The delta is a ratio of counts: half a sample's worth of slack keeps 0.10 pp itself inside.
            if interval.delta >= -TOLERATED_LOSS - 1e-9 {
                Quality::Good
            } else {
                Quality::Bad
            }
        } else {
            match self.agreement_share {
                Some(share) if share >= WANTED_AGREEMENT => Quality::Good,
                Some(_) => Quality::Bad,
                None => Quality::Unknown,
            }
        }
    }

    /// Orders rows by how little they lose.
    fn score(&self) -> f64 {
        self.interval
            .map(|i| i.delta)
            .or(self.agreement_share)
            .unwrap_or(f64::NEG_INFINITY)
    }

    /// What it gains and loses, in words.
    pub(super) fn gains(&self, baseline: &str) -> String {
        let mut parts = vec![];
        let told = |cell: &Option<String>| cell.clone().filter(|c| c != NONE);
        match self.speedup {
            Some(s) if s > 1.02 => parts.push(format!("{} faster", format::times(s, 1.0))),
            Some(s) if s < 0.98 => parts.push(format!("{} slower", format::times(1.0, s))),
            Some(_) => parts.push(format!("as fast as {baseline}")),
            None => {}
        }
        if let Some(x) = told(&self.smaller) {
            parts.push(format!("{x} smaller"));
        }
        if let Some(i) = self.interval {
            parts.push(format!("{} accuracy", format::points(i.delta)));
            if i.low <= 0.0 && i.high >= 0.0 {
                parts.push("inside its 95 % interval".into());
            }
        } else if let Some(x) = told(&self.agreement) {
            parts.push(format!("{x} agreement"));
        }
        parts.join(", ")
    }
}

fn row(bench: &Workbench, e: &Experiment, active: &[JobView]) -> Row {
    let baseline = bench.baseline_of(e);
    let (name, detail) = look::words(e);
    let is_baseline = baseline.is_some_and(|b| b.id == e.id);
    let bytes = e.file.as_ref().map(|f| f.bytes.len());
    let base_bytes = baseline
        .and_then(|b| b.file.as_ref())
        .map(|f| f.bytes.len() as f64);
    let base_median = baseline
        .and_then(|b| b.latency.as_ref())
        .map(|l| l.median_ms);
    // Against the baseline a cell is a dash for the baseline itself, else blank until both figures are there.
    let against = |base: Option<f64>, own: Option<f64>| match (is_baseline, base, own) {
        (true, _, _) => Some(NONE.to_owned()),
        (false, Some(base), Some(own)) => Some(format::times(base, own)),
        (false, _, _) => None,
    };
    let evaluation = bench.quality(e);
    let is_float = e.mode() == Mode::Float32;
    let quality = |f: &dyn Fn(&Evaluation) -> Option<String>| match evaluation {
        Some(v) => Some(f(v).unwrap_or_else(|| NONE.into())),
        None if is_float => Some(NONE.into()),
        None => None,
    };
    let interval = evaluation.and_then(|v| interval(v, baseline));
    Row {
        id: e.id,
        look: Look::of(e),
        model: None,
        name,
        detail,
        baseline: is_baseline,
        pinned: e.intent.pinned,
        status: status(e, active),
        stale: e.is_stale(),
        reused: e.reused,
        has_file: e.file.is_some(),
        bytes,
        smaller: against(base_bytes, bytes.map(|b| b as f64)),
        median_ms: e.latency.as_ref().map(|l| l.median_ms),
        p95_ms: e.latency.as_ref().map(|l| l.p95_ms),
        faster: against(base_median, e.latency.as_ref().map(|l| l.median_ms)),
        speedup: match (is_baseline, base_median, &e.latency) {
            (false, Some(base), Some(own)) if own.median_ms > 0.0 => Some(base / own.median_ms),
            _ => None,
        },
        top1: e.evaluation.as_ref().map(|v| v.top1),
        delta: quality(&|_| interval.map(|i| format::points(i.delta))),
        interval,
        agreement: quality(&|v| v.agreement.map(format::percent)),
        agreement_share: evaluation.and_then(|v| v.agreement),
        sqnr: quality(&|v| v.sqnr_db.map(format::decibel)),
        sqnr_db: evaluation.and_then(|v| v.sqnr_db),
        without: bench.without(e),
        warnings: e
            .file
            .as_ref()
            .map_or_else(Vec::new, |f| f.plan.warnings.clone()),
        kept_float: e.file.as_ref().map_or(0, |f| {
            f.plan
                .nodes
                .iter()
                .filter(|n| matches!(n, crate::quantize::NodePlan::Float(_)))
                .count()
        }),
    }
}

/// The delta of top-1 to the baseline, with its interval.
fn interval(v: &Evaluation, baseline: Option<&Experiment>) -> Option<Interval> {
    let (low, high) = v.delta_interval?;
    let base = baseline.and_then(|b| b.evaluation.as_ref()?.top1);
    let delta = match (v.top1, base) {
        (Some(own), Some(base)) => own - base,
        _ => (low + high) / 2.0,
    };
    Some(Interval { delta, low, high })
}

fn status(e: &Experiment, active: &[JobView]) -> Status {
    match &e.state {
        State::New => Status::New,
        State::Done => Status::Done,
        State::Cancelled => Status::Cancelled,
        State::Failed(message) => Status::Failed(message.clone()),
        State::Pending(id) => match active.iter().find(|j| j.id == *id) {
            Some(job) => {
                let verb = jobs::verb(job.stage, &job.kind);
                let counts = jobs::counts(job);
                Status::Running {
                    fraction: job.fraction,
                    words: match (job.stage, counts.is_empty()) {
                        (Stage::Waiting, _) => "Queued after the current job".into(),
                        (_, true) => verb.to_owned(),
                        (_, false) => format!("{verb}, {counts}"),
                    },
                }
            }
            None => Status::Running {
                fraction: 1.0,
                words: "Finishing".into(),
            },
        },
    }
}

#[cfg(test)]
pub(in crate::gui::view) mod tests {
    use super::*;

    pub fn sample(id: u64, mode: Mode) -> Row {
        Row {
            id: ExperimentId(id),
            look: Look::mode(mode),
            model: None,
            name: mode.name().into(),
            detail: "float32 I/O".into(),
            baseline: false,
            pinned: false,
            status: Status::Done,
            stale: false,
            reused: false,
            has_file: true,
            bytes: Some(25_048),
            smaller: Some("3.41 ×".into()),
            median_ms: Some(0.0171),
            p95_ms: Some(0.0186),
            faster: Some("2.41 ×".into()),
            speedup: Some(2.41),
            top1: Some(Some(0.979)),
            delta: Some("−0.03 pp".into()),
            interval: Some(Interval {
                delta: -0.0003,
                low: -0.0009,
                high: 0.0003,
            }),
            agreement: Some("99.86 %".into()),
            agreement_share: Some(0.9986),
            sqnr: Some("42.8 dB".into()),
            sqnr_db: Some(42.8),
            without: None,
            warnings: vec![],
            kept_float: 0,
        }
    }

    pub fn comparison(rows: Vec<Row>) -> Comparison {
        Comparison {
            unit: TimeUnit::for_column(rows.iter().filter_map(|r| r.median_ms)),
            threads: Some(1),
            samples: Some(10_000),
            reach: 0.0009,
            baseline: "float32".into(),
            groups: vec![],
            rows,
        }
    }

    #[test]
    fn the_fastest_that_keeps_accuracy_is_the_answer() {
        let mut slower = sample(2, Mode::Dynamic);
        slower.median_ms = Some(0.03);
        let mut fast_but_bad = sample(3, Mode::Int8);
        fast_but_bad.median_ms = Some(0.001);
        fast_but_bad.interval = Some(Interval {
            delta: -0.02,
            low: -0.03,
            high: -0.01,
        });
        let mut best = sample(4, Mode::Int8);
        best.detail = "int8 I/O".into();
        let answer = comparison(vec![slower, fast_but_bad, best]).answer();
        assert_eq!(
            answer.text(),
            "2 variants keep accuracy within 0.10 pp, int8, int8 I/O is the fastest"
        );
        assert_eq!(answer.experiment, Some(ExperimentId(4)));
        assert_eq!(
            answer.detail,
            "2.41 × faster, 3.41 × smaller, −0.03 pp accuracy, inside its 95 % interval"
        );
    }

    #[test]
    fn without_a_good_variant_the_least_loss_is_named() {
        let mut bad = sample(1, Mode::Int8);
        bad.interval = Some(Interval {
            delta: -0.02,
            low: -0.03,
            high: -0.01,
        });
        let answer = comparison(vec![bad]).answer();
        assert_eq!(
            answer.text(),
            "No variant keeps accuracy within 0.10 pp, int8 comes nearest"
        );
    }

    #[test]
    fn without_labels_agreement_decides_and_without_data_only_speed() {
        let mut unlabelled = sample(1, Mode::Int8);
        (unlabelled.top1, unlabelled.interval) = (Some(None), None);
        let answer = comparison(vec![unlabelled.clone()]).answer();
        assert_eq!(
            answer.text(),
            "1 variant agrees with float32 on 99 % of the samples, int8 is the fastest"
        );
        (unlabelled.top1, unlabelled.agreement_share) = (None, None);
        let answer = comparison(vec![unlabelled]).answer();
        assert_eq!(
            answer.text(),
            "int8 is the fastest, accuracy is not measured"
        );
    }

    #[test]
    fn a_row_reads_as_a_sentence() {
        let all = comparison(vec![sample(1, Mode::Int8)]);
        assert_eq!(
            all.sentence(&all.rows[0]),
            "int8, 25,048 bytes, 3.41 × smaller, median 17.1 µs, 2.41 × faster, top-1 97.90 %, −0.03 pp to float32, \
             agreement 99.86 %, SQNR 42.8 dB"
        );
    }

    #[test]
    fn nothing_yet_invites_to_run() {
        assert_eq!(
            comparison(vec![]).answer().text(),
            "Run to compare variants here"
        );
    }
}
