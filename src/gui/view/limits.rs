//! Limits that a variant must keep to ship: how much accuracy it may lose, how large and how slow it may be.

use super::compare::{Answer, Comparison, Row};
use super::format::{self, TimeUnit};
use super::tradeoff::Measure;
use crate::quantize::Mode;
use crate::workbench::report::TOLERATED_LOSS;
use crate::workbench::{Experiment, Workbench};

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Top-1 below the baseline's, in percentage points.
    Loss,
    /// Size of the file in kB.
    Size,
    /// Median latency in ms.
    Latency,
}

impl Limit {
    /// All of them, in the order of the charts.
    pub const ALL: [Limit; 3] = [Limit::Loss, Limit::Size, Limit::Latency];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Loss => "Accuracy loss",
            Limit::Size => "Size",
            Limit::Latency => "Latency",
        }
    }

    /// What a limited value is told in; `unit` is that of all latencies.
    pub fn unit(self, unit: TimeUnit) -> &'static str {
        match self {
            Limit::Loss => "pp",
            Limit::Size => "kB",
            Limit::Latency => unit.name,
        }
    }

    /// Decimals of a limited value.
    pub fn decimals(self) -> usize {
        match self {
            Limit::Loss => 2,
            Limit::Size | Limit::Latency => 1,
        }
    }

    /// How many of the units that are shown make one that is kept.
    pub fn shown_per_kept(self, unit: TimeUnit) -> f64 {
        match self {
            Limit::Loss | Limit::Size => 1.0,
            Limit::Latency => unit.of(1.0),
        }
    }

    /// What a limit begins with: what the answer tolerates without one, half the baseline's size, its latency.
    pub fn usual(self, bench: &Workbench) -> f64 {
        let base = bench.baseline();
        let found = match self {
            Limit::Loss => Some(TOLERATED_LOSS * 100.0),
            Limit::Size => base
                .and_then(|b| b.file.as_ref())
                .map(|f| f.bytes.len() as f64 / 2e3),
            Limit::Latency => base.and_then(|b| b.latency.as_ref()).map(|l| l.median_ms),
        };
        found.unwrap_or(100.0)
    }
}

/// The limits that are set; a variant at a limit keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    loss_pp: Option<f64>,
    kilobytes: Option<f64>,
    median_ms: Option<f64>,
}

impl Limits {
    /// The value that must not be exceeded, in the unit of the limit.
    pub fn get(&self, limit: Limit) -> Option<f64> {
        match limit {
            Limit::Loss => self.loss_pp,
            Limit::Size => self.kilobytes,
            Limit::Latency => self.median_ms,
        }
    }

    /// Sets a limit, or takes it away.
    pub fn set(&mut self, limit: Limit, most: Option<f64>) {
        let place = match limit {
            Limit::Loss => &mut self.loss_pp,
            Limit::Size => &mut self.kilobytes,
            Limit::Latency => &mut self.median_ms,
        };
        *place = most.filter(|x| x.is_finite()).map(|x| x.max(0.0));
    }

    /// Those that are set.
    pub fn all(&self) -> impl Iterator<Item = Limit> + '_ {
        Limit::ALL.into_iter().filter(|&l| self.get(l).is_some())
    }

    /// Whether a row exceeds this limit; `None` without a limit or a figure. The baseline loses nothing.
    pub fn is_over(&self, limit: Limit, row: &Row) -> Option<bool> {
        let most = self.get(limit)?;
        let own = match limit {
            Limit::Loss if row.baseline => 0.0,
            Limit::Loss => -row.interval?.delta * 100.0,
            Limit::Size => row.bytes? as f64 / 1e3,
            Limit::Latency => row.median_ms?,
        };
        // A loss is a ratio of counts: the limit itself stays inside.
        Some(own > most + 1e-7)
    }

    /// Whether a row keeps all limits, as far as its figures tell.
    fn keeps(&self, row: &Row) -> bool {
        self.all().all(|l| self.is_over(l, row) == Some(false))
    }

    /// `Size ≤ 32.0 kB`.
    pub fn words(&self, limit: Limit, unit: TimeUnit) -> String {
        let most = self.get(limit).unwrap_or(0.0) * limit.shown_per_kept(unit);
        let figure = format::fixed(most, limit.decimals());
        format!("{} ≤ {figure} {}", limit.name(), limit.unit(unit))
    }

    /// Which limits a row exceeds, as sentences; empty where it keeps all.
    pub fn complaints(&self, row: &Row, unit: TimeUnit) -> Vec<String> {
        let over = |l: &Limit| self.is_over(*l, row) == Some(true);
        let words = |l| format!("Over limit: {}", self.words(l, unit));
        self.all().filter(over).map(words).collect()
    }

    /// Where a limit stands on an axis of the trade-off, in its unit.
    pub fn on_axis(&self, measure: Measure, comparison: &Comparison) -> Option<f64> {
        match measure {
            Measure::Size => self.kilobytes,
            Measure::Median => self.median_ms.map(|ms| comparison.unit.of(ms)),
            Measure::Delta => self.loss_pp.map(|pp| -pp),
            Measure::Accuracy => {
                let base = comparison.rows.iter().find(|r| r.baseline)?;
                Some(base.top1.flatten()? * 100.0 - self.loss_pp?)
            }
            Measure::P95 | Measure::Agreement | Measure::Sqnr => None,
        }
    }
}

/// What latencies of this workbench are told in.
pub fn time_unit(bench: &Workbench) -> TimeUnit {
    let median = |e: &Experiment| e.latency.as_ref().map(|l| l.median_ms);
    TimeUnit::for_column(bench.experiments.iter().filter_map(median))
}

impl Comparison {
    /// The sentence above the table: the fastest variant that keeps the limits, or the usual answer without any.
    pub fn answer_within(&self, limits: &Limits) -> Answer {
        if limits.all().next().is_none() {
            return self.answer();
        }
        let measured = self
            .rows
            .iter()
            .filter(|r| !r.baseline && r.look.mode != Mode::Float32)
            .filter(|r| !r.stale && r.median_ms.is_some());
        if measured.clone().next().is_none() {
            return self.answer();
        }
        let time = |r: &Row| r.median_ms.unwrap_or(f64::INFINITY);
        let fastest = measured
            .filter(|r| limits.keeps(r))
            .min_by(|a, b| time(a).total_cmp(&time(b)));
        match fastest {
            Some(row) => Answer {
                experiment: Some(row.id),
                runs: vec![
                    (row.title(), true),
                    (" is the fastest within your limits".into(), false),
                ],
                detail: row.gains(&self.baseline),
            },
            None => Answer {
                experiment: None,
                runs: vec![("No variant keeps your limits".into(), false)],
                detail: String::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::view::compare::Interval;
    use crate::gui::view::compare::tests::{comparison, sample};

    fn row(id: u64, mode: Mode, kilobytes: usize, ms: f64, delta: f64) -> Row {
        Row {
            bytes: Some(kilobytes * 1000),
            median_ms: Some(ms),
            interval: Some(Interval {
                delta,
                low: delta - 1e-3,
                high: delta + 1e-3,
            }),
            ..sample(id, mode)
        }
    }

    fn answer(limits: &Limits) -> String {
        let rows = vec![
            row(1, Mode::Float16, 45, 0.041, 0.0),
            row(2, Mode::Dynamic, 25, 0.033, -0.0001),
            row(3, Mode::Int8, 24, 0.017, -0.003),
        ];
        comparison(rows).answer_within(limits).text()
    }

    #[test]
    fn the_fastest_within_the_limits_is_the_answer() {
        let mut limits = Limits::default();
        assert!(answer(&limits).contains("keep accuracy within 0.10 pp"));
        limits.set(Limit::Size, Some(32.0));
        assert_eq!(answer(&limits), "int8 is the fastest within your limits");
        limits.set(Limit::Loss, Some(0.01));
        assert_eq!(answer(&limits), "dynamic is the fastest within your limits");
        limits.set(Limit::Size, None);
        limits.set(Limit::Latency, Some(0.001));
        assert_eq!(answer(&limits), "No variant keeps your limits");
    }

    #[test]
    fn what_is_not_known_keeps_no_limit_and_exceeds_none() {
        let mut limits = Limits::default();
        limits.set(Limit::Loss, Some(0.5));
        let unknown = Row {
            interval: None,
            ..sample(1, Mode::Int8)
        };
        assert_eq!(limits.is_over(Limit::Loss, &unknown), None);
        assert!(!limits.keeps(&unknown));
        limits.set(Limit::Size, Some(f64::NAN));
        assert_eq!(limits.get(Limit::Size), None);
        limits.set(Limit::Size, Some(25.047));
        let unit = comparison(vec![]).unit;
        let over = limits.complaints(&sample(1, Mode::Int8), unit);
        assert_eq!(over, ["Over limit: Size ≤ 25.0 kB"]);
    }
}
