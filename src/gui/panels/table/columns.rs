//! Which columns the table of experiments shows where, how wide they are and what their heads say.

use egui::Rect;

use super::super::beside;
use crate::gui::view::order::Column;
use crate::gui::view::words::Word;

/// Where the columns stand in a table of a certain width.
pub(super) struct Columns {
    /// Left edge of the names.
    pub(super) name: f32,
    /// Each shown column with its right edge.
    pub(super) shown: Vec<(Column, f32)>,
    /// How many did not fit.
    pub(super) hidden: usize,
    /// Right edge of the menu button.
    pub(super) right: f32,
}

impl Column {
    /// All that stand right of the name.
    pub(super) const FIGURES: [Column; 10] = [
        Column::Bytes,
        Column::Smaller,
        Column::Median,
        Column::P95,
        Column::Faster,
        Column::Top1,
        Column::Delta,
        Column::Interval,
        Column::Agreement,
        Column::Sqnr,
    ];

    /// Width; of the name, the least.
    pub(super) fn width(self) -> f32 {
        match self {
            Column::Name => 165.0,
            Column::Bytes => 74.0,
            Column::Smaller => 68.0,
            Column::Median => 86.0,
            Column::P95 => 76.0,
            Column::Faster => 64.0,
            Column::Top1 => 84.0,
            Column::Delta => 86.0,
            Column::Interval => 72.0,
            Column::Agreement => 88.0,
            Column::Sqnr => 78.0,
        }
    }

    /// Title and tooltip; `baseline` is what deltas are taken against.
    pub(super) fn head(self, baseline: &str) -> (&'static str, &'static str) {
        let is_float = baseline == "float32";
        match self {
            Column::Smaller if !is_float => ("Smaller", "Times smaller than the baseline"),
            Column::Faster if !is_float => {
                ("Faster", "Times faster than the baseline, by the medians")
            }
            Column::Delta if !is_float => (
                "Δ to base",
                "Top-1 minus the baseline's, in percentage points",
            ),
            Column::Name => ("Experiment", "Its name, or its mode and what sets it apart"),
            Column::Bytes => ("Bytes", "Size of the .tflite file"),
            Column::Smaller => ("Smaller", "Times smaller than float32"),
            Column::Median => ("Median", "Half of the runs were at least this fast"),
            Column::P95 => ("p95", Word::P95.meaning()),
            Column::Faster => ("Faster", "Times faster than float32, by the medians"),
            Column::Top1 => ("Top-1", "Share of samples whose best answer is the label"),
            Column::Delta => (
                "Δ to float32",
                "Top-1 minus float32's, in percentage points",
            ),
            Column::Interval => ("95 % int.", Word::Interval.meaning()),
            Column::Agreement if !is_float => (
                "Agreement",
                "Share of samples on which this variant gives the same top answer as the baseline",
            ),
            Column::Sqnr if !is_float => (
                "SQNR",
                "Power of the baseline's outputs over that of the difference from them, in dB",
            ),
            Column::Agreement => ("Agreement", Word::Agreement.meaning()),
            Column::Sqnr => ("SQNR", Word::Sqnr.meaning()),
        }
    }
}

impl Columns {
    /// Those that fit into `rect`; with `last_first` the last ones rather than the middle ones.
    pub(super) fn fit(rect: Rect, last_first: bool) -> Self {
        let name = rect.left() + 54.0;
        let right = rect.right() - 10.0;
        let space = right - 34.0 - name;
        // First to go, first in the list.
        let order = if last_first {
            [
                Column::P95,
                Column::Faster,
                Column::Interval,
                Column::Smaller,
                Column::Delta,
            ]
        } else {
            [
                Column::Sqnr,
                Column::Agreement,
                Column::P95,
                Column::Interval,
                Column::Smaller,
            ]
        };
        let mut shown = Column::FIGURES.to_vec();
        let width = |columns: &[Column]| -> f32 { columns.iter().map(|c| c.width()).sum() };
        for column in order {
            if space - width(&shown) >= Column::Name.width() {
                break;
            }
            shown.retain(|&c| c != column);
        }
        let spare = ((space - width(&shown) - Column::Name.width()) / (shown.len() as f32 + 2.0))
            .clamp(0.0, 14.0);
        let mut edge = right - 34.0;
        let mut placed: Vec<(Column, f32)> = shown
            .iter()
            .rev()
            .map(|&c| {
                let at = (c, edge);
                edge -= c.width() + spare;
                at
            })
            .collect();
        placed.reverse();
        Self {
            name,
            hidden: Column::FIGURES.len() - placed.len(),
            shown: placed,
            right,
        }
    }

    /// Where LiteRT's line below a row has its cells.
    pub(super) fn beside(&self) -> beside::Edges {
        let quality = |(c, _): &&(Column, f32)| {
            matches!(
                c,
                Column::Delta | Column::Interval | Column::Agreement | Column::Sqnr
            )
        };
        let first = self.shown.iter().find(quality);
        let last = self.shown.iter().rev().find(quality);
        let median = self.edge(Column::Median);
        beside::Edges {
            name: self.name,
            median: median.map(|right| (right - Column::Median.width(), right)),
            p95: self.edge(Column::P95),
            faster: self.edge(Column::Faster),
            top1: self.edge(Column::Top1),
            rest: first
                .zip(last)
                .map(|(first, last)| (first.1 - first.0.width(), last.1)),
        }
    }

    /// Right edge of a column that shows.
    pub(super) fn edge(&self, column: Column) -> Option<f32> {
        self.shown.iter().find(|c| c.0 == column).map(|c| c.1)
    }
}
