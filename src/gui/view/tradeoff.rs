//! Two figures against each other: where each variant stands, and which no other beats on both.

use super::compare::{Comparison, Row};
use super::format::TimeUnit;
use super::limits::Limits;
use crate::workbench::ExperimentId;

/// What an axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// File size.
    Size,
    /// Median latency.
    Median,
    /// 95th percentile of latency.
    P95,
    /// Top-1 accuracy.
    Accuracy,
    /// Accuracy against the baseline's.
    Delta,
    /// Share of samples with the baseline's answer.
    Agreement,
    /// Signal to noise of the outputs.
    Sqnr,
}

impl Measure {
    /// All, in the order of their list.
    pub const ALL: [Measure; 7] = [
        Measure::Size,
        Measure::Median,
        Measure::P95,
        Measure::Accuracy,
        Measure::Delta,
        Measure::Agreement,
        Measure::Sqnr,
    ];

    /// Its name in a list.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Size => "Size",
            Measure::Median => "Latency",
            Measure::P95 => "Latency p95",
            Measure::Accuracy => "Accuracy",
            Measure::Delta => "Δ accuracy",
            Measure::Agreement => "Agreement",
            Measure::Sqnr => "SQNR",
        }
    }

    /// Its title beside an axis, with the unit.
    pub fn title(self, unit: TimeUnit) -> String {
        match self {
            Measure::Size => "File size (kB)".into(),
            Measure::Median => format!("Latency, median ({})", unit.name),
            Measure::P95 => format!("Latency, p95 ({})", unit.name),
            Measure::Accuracy => "Top-1 accuracy (%)".into(),
            Measure::Delta => "Accuracy against the baseline (pp)".into(),
            Measure::Agreement => "Agreement (%)".into(),
            Measure::Sqnr => "SQNR (dB)".into(),
        }
    }

    /// Its unit behind a figure.
    pub fn unit(self, unit: TimeUnit) -> &'static str {
        match self {
            Measure::Size => "kB",
            Measure::Median | Measure::P95 => unit.name,
            Measure::Accuracy | Measure::Agreement => "%",
            Measure::Delta => "pp",
            Measure::Sqnr => "dB",
        }
    }

    /// Decimals of a figure in words.
    pub fn decimals(self) -> usize {
        match self {
            Measure::Size | Measure::Median | Measure::P95 | Measure::Sqnr => 1,
            Measure::Accuracy | Measure::Delta | Measure::Agreement => 2,
        }
    }

    /// Whether less is better; its axis then begins at 0.
    pub fn less_is_better(self) -> bool {
        match self {
            Measure::Size | Measure::Median | Measure::P95 => true,
            Measure::Accuracy | Measure::Delta | Measure::Agreement | Measure::Sqnr => false,
        }
    }

    /// The figure of a row. Figures without end have no place on an axis.
    fn value(self, row: &Row, unit: TimeUnit) -> Option<f64> {
        let found = match self {
            Measure::Size => row.bytes.map(|b| b as f64 / 1e3),
            Measure::Median => row.median_ms.map(|ms| unit.of(ms)),
            Measure::P95 => row.p95_ms.map(|ms| unit.of(ms)),
            Measure::Accuracy => row.top1.flatten().map(|share| share * 100.0),
            Measure::Delta if row.baseline => Some(0.0),
            Measure::Delta => row.interval.as_ref().map(|i| i.delta * 100.0),
            Measure::Agreement if row.baseline => Some(100.0),
            Measure::Agreement => row.agreement_share.map(|share| share * 100.0),
            Measure::Sqnr => row.sqnr_db,
        };
        found.filter(|x| x.is_finite())
    }
}

/// What the user chose to see; `None` is latency against accuracy, or agreement where there are no labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Axes {
    /// Across.
    pub x: Option<Measure>,
    /// Upwards.
    pub y: Option<Measure>,
}

/// One variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Which.
    pub id: ExperimentId,
    /// Across, in the unit of its axis.
    pub x: f64,
    /// Upwards.
    pub y: f64,
    /// Whether no other variant is at least as good on both.
    pub on_front: bool,
}

/// Ends and round values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Lower and upper end.
    pub range: (f64, f64),
    /// Round values within it.
    pub ticks: Vec<f64>,
    /// Decimals that tell them apart.
    pub decimals: usize,
}

/// The whole plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Tradeoff {
    /// What `x` and `y` are.
    pub measures: (Measure, Measure),
    /// In the order of the rows; fewer than two have nothing to trade.
    pub points: Vec<Point>,
    /// Rows that have no finite figure for one of the axes.
    pub without: usize,
    /// Across.
    pub x: Scale,
    /// Upwards.
    pub y: Scale,
    /// Where limits stand on the axes.
    pub limits: (Option<f64>, Option<f64>),
}

impl Tradeoff {
    /// The plot of these rows.
    pub fn of(comparison: &Comparison, axes: Axes, limits: &Limits) -> Self {
        let labelled = comparison.rows.iter().any(|r| r.top1.flatten().is_some());
        let usual = match labelled {
            true => Measure::Accuracy,
            false => Measure::Agreement,
        };
        let measures = (axes.x.unwrap_or(Measure::Median), axes.y.unwrap_or(usual));
        let on_axis = |m: Measure| limits.on_axis(m, comparison);
        let limits = (on_axis(measures.0), on_axis(measures.1));
        let point = |r: &Row| {
            let value = |m: Measure| m.value(r, comparison.unit);
            Some(Point {
                id: r.id,
                x: value(measures.0)?,
                y: value(measures.1)?,
                on_front: false,
            })
        };
        let mut points: Vec<Point> = comparison.rows.iter().filter_map(point).collect();
        let better = |measure: Measure, a: f64, b: f64| match measure.less_is_better() {
            true => a < b,
            false => a > b,
        };
        for i in 0..points.len() {
            let own = points[i];
            let beaten = points.iter().any(|p| {
                let (x, y) = ((measures.0, p.x, own.x), (measures.1, p.y, own.y));
                let worse = |(m, a, b): (Measure, f64, f64)| better(m, b, a);
                let wins = |(m, a, b): (Measure, f64, f64)| better(m, a, b);
                !worse(x) && !worse(y) && (wins(x) || wins(y))
            });
            points[i].on_front = !beaten;
        }
        Self {
            without: comparison.rows.len() - points.len(),
            x: Scale::of(measures.0, points.iter().map(|p| p.x).chain(limits.0)),
            y: Scale::of(measures.1, points.iter().map(|p| p.y).chain(limits.1)),
            limits,
            measures,
            points,
        }
    }

    /// The front from the best across to the best upwards.
    pub fn front(&self) -> Vec<Point> {
        let mut front: Vec<Point> = self.points.iter().copied().filter(|p| p.on_front).collect();
        front.sort_by(|a, b| match self.measures.0.less_is_better() {
            true => a.x.total_cmp(&b.x),
            false => b.x.total_cmp(&a.x),
        });
        front
    }

    /// The line that bounds what the front beats, as corners in the units of the axes, edge to edge; empty without a front.
    pub fn steps(&self) -> Vec<(f64, f64)> {
        let front = self.front();
        let worst = |measure: Measure, scale: &Scale| match measure.less_is_better() {
            true => scale.range.1,
            false => scale.range.0,
        };
        let (Some(first), Some(last)) = (front.first(), front.last()) else {
            return vec![];
        };
        let mut steps = vec![(first.x, worst(self.measures.1, &self.y))];
        let mut level = first.y;
        for point in &front {
            steps.push((point.x, level));
            steps.push((point.x, point.y));
            level = point.y;
        }
        steps.push((worst(self.measures.0, &self.x), last.y));
        steps
    }
}

impl Scale {
    /// From zero where less is better, else around the values.
    fn of(measure: Measure, values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let low = values.fold(f64::INFINITY, f64::min);
        let (low, high) = match low <= high {
            true => (low, high),
            false => (0.0, 1.0),
        };
        let (low, least) = match measure.less_is_better() {
            true => (0.0, 1e-6),
            false => (low, 0.1),
        };
        let step = tick_step((high - low).max(least));
        let start = match measure.less_is_better() {
            true => 0.0,
            false => ((low - step * 0.3) / step).floor() * step,
        };
        let end = ((high + step * 0.3) / step).ceil() * step;
        let count = ((end - start) / step).round().clamp(1.0, 20.0) as usize;
        Self {
            range: (start, end),
            ticks: (0..=count).map(|i| start + i as f64 * step).collect(),
            decimals: super::bars::decimals_of(step),
        }
    }
}

/// A round step that makes three to six ticks over `span`.
fn tick_step(span: f64) -> f64 {
    let power = 10f64.powf((span / 4.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|f| f * power)
        .find(|&step| span / step <= 4.5)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::view::compare::tests::{comparison, sample};
    use crate::quantize::Mode;

    fn rows() -> Comparison {
        let row = |id: u64, ms: f64, top1: f64, bytes: usize| Row {
            median_ms: Some(ms),
            top1: Some(Some(top1)),
            bytes: Some(bytes),
            sqnr_db: (id > 1).then_some(40.0 - id as f64),
            ..sample(id, Mode::Int8)
        };
        comparison(vec![
            row(1, 0.040, 0.9793, 85_000),
            row(2, 0.041, 0.9793, 45_000),
            row(3, 0.017, 0.9790, 24_000),
            row(4, 0.030, 0.9785, 23_000),
        ])
    }

    fn front(plot: &Tradeoff) -> Vec<u64> {
        plot.front().iter().map(|p| p.id.0).collect()
    }

    #[test]
    fn the_front_is_what_nobody_beats() {
        let plot = Tradeoff::of(&rows(), Axes::default(), &Limits::default());
        assert_eq!(plot.measures, (Measure::Median, Measure::Accuracy));
        assert_eq!(front(&plot), [3, 1]);
        let (low, high) = plot.y.range;
        assert!(plot.points.iter().all(|p| p.y > low && p.y < high));
        // From the foot up, over each point, to the edge where everything is slower.
        let steps = plot.steps();
        assert_eq!(steps.len(), 6);
        assert_eq!((steps[0].1, steps[5].0), (low, plot.x.range.1));
    }

    #[test]
    fn axes_are_chosen_and_turned_where_more_is_better() {
        let axes = |x, y| Axes {
            x: Some(x),
            y: Some(y),
        };
        let by = |x, y| Tradeoff::of(&rows(), axes(x, y), &Limits::default());
        assert_eq!(front(&by(Measure::Size, Measure::Accuracy)), [4, 3, 2]);
        // Accuracy across: from the most accurate on, what is smaller or faster.
        assert_eq!(front(&by(Measure::Accuracy, Measure::Median)), [1, 3]);
        let sqnr = by(Measure::Sqnr, Measure::Size);
        assert_eq!((sqnr.without, sqnr.points.len()), (1, 3));
        assert_eq!(front(&sqnr), [2, 3, 4]);
        let steps = sqnr.steps();
        assert_eq!(steps[0].1, sqnr.y.range.1, "larger files are worse");
        assert_eq!(steps.last().unwrap().0, sqnr.x.range.0);
        assert!(
            Tradeoff::of(&comparison(vec![]), Axes::default(), &Limits::default())
                .steps()
                .is_empty()
        );
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (span, step) in [(0.02, 0.005), (0.07, 0.02), (1.3, 0.5), (40.0, 10.0)] {
            assert!(
                (tick_step(span) - step).abs() < 1e-9,
                "{span}: {}",
                tick_step(span)
            );
        }
    }
}
