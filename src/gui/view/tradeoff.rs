//! Latency against accuracy: where each variant stands, and which no other beats on both.

use super::compare::{Comparison, Row};
use crate::workbench::ExperimentId;

/// What the vertical axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Top-1 accuracy.
    Top1,
    /// Agreement with float32, where there are no labels.
    Agreement,
}

/// One variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Which.
    pub id: ExperimentId,
    /// Median latency in the table's unit.
    pub x: f64,
    /// The measure in percent.
    pub y: f64,
    /// Whether no other variant is at least as fast and as good.
    pub on_front: bool,
}

/// The whole plot; `None` until two variants have both figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Tradeoff {
    /// What `y` is.
    pub measure: Measure,
    /// In the order of the rows.
    pub points: Vec<Point>,
    /// Lower and upper end of the vertical axis, percent.
    pub y_range: (f64, f64),
    /// Round values within it.
    pub y_ticks: Vec<f64>,
    /// Decimals that tell them apart.
    pub y_decimals: usize,
}

impl Tradeoff {
    /// The plot of these rows.
    pub fn of(comparison: &Comparison) -> Option<Self> {
        let labelled = comparison.rows.iter().any(|r| r.top1.flatten().is_some());
        let measure = if labelled {
            Measure::Top1
        } else {
            Measure::Agreement
        };
        let value = |r: &Row| match measure {
            Measure::Top1 => r.top1.flatten(),
            Measure::Agreement if r.baseline => Some(1.0),
            Measure::Agreement => r.agreement_share,
        };
        let mut points: Vec<Point> = comparison
            .rows
            .iter()
            .filter_map(|r| {
                Some(Point {
                    id: r.id,
                    x: comparison.unit.of(r.median_ms?),
                    y: value(r)? * 100.0,
                    on_front: false,
                })
            })
            .filter(|p| p.x.is_finite() && p.y.is_finite())
            .collect();
        if points.len() < 2 {
            return None;
        }
        for i in 0..points.len() {
            let own = points[i];
            let beaten = points
                .iter()
                .any(|p| p.x <= own.x && p.y >= own.y && (p.x < own.x || p.y > own.y));
            points[i].on_front = !beaten;
        }
        let low = points.iter().map(|p| p.y).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
        let step = tick_step((high - low).max(0.1));
        let start = ((low - step * 0.3) / step).floor() * step;
        let end = ((high + step * 0.3) / step).ceil() * step;
        let count = ((end - start) / step).round().clamp(1.0, 20.0) as usize;
        Some(Self {
            measure,
            points,
            y_range: (start, end),
            y_decimals: super::bars::decimals_of(step),
            y_ticks: (0..=count).map(|i| start + i as f64 * step).collect(),
        })
    }

    /// The front from the fastest to the best.
    pub fn front(&self) -> Vec<Point> {
        let mut front: Vec<Point> = self.points.iter().copied().filter(|p| p.on_front).collect();
        front.sort_by(|a, b| a.x.total_cmp(&b.x));
        front
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

    #[test]
    fn the_front_is_what_nobody_beats() {
        let row = |id: u64, ms: f64, top1: f64| Row {
            median_ms: Some(ms),
            top1: Some(Some(top1)),
            ..crate::gui::view::compare::tests::sample(id, crate::quantize::Mode::Int8)
        };
        let rows = vec![
            row(1, 0.040, 0.9793),
            row(2, 0.041, 0.9793),
            row(3, 0.017, 0.9790),
            row(4, 0.030, 0.9785),
        ];
        let comparison = crate::gui::view::compare::tests::comparison(rows);
        let plot = Tradeoff::of(&comparison).expect("four points");
        let front: Vec<u64> = plot.front().iter().map(|p| p.id.0).collect();
        assert_eq!(front, [3, 1]);
        let (low, high) = plot.y_range;
        assert!(plot.points.iter().all(|p| p.y > low && p.y < high));
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
