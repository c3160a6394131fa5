//! The order of the compare table's rows: by any column, either way, pinned rows above, rows without the figure last.

use std::cmp::Ordering;

use super::compare::{Comparison, Row};

/// A column of the table, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// What the experiment is called.
    Name,
    /// Size of its file.
    Bytes,
    /// Times smaller than the baseline.
    Smaller,
    /// Median latency.
    Median,
    /// 95th percentile of the latency.
    P95,
    /// Times faster than the baseline.
    Faster,
    /// Top-1 accuracy.
    Top1,
    /// Top-1 minus the baseline's.
    Delta,
    /// The interval of that delta, drawn; in order of its lower end.
    Interval,
    /// Share of samples with float32's answer.
    Agreement,
    /// Signal to noise of the outputs.
    Sqnr,
}

/// How the rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By this column.
    pub by: Column,
    /// From the largest on.
    pub descending: bool,
}

impl Column {
    /// Whether the best stands first when the largest does.
    fn is_better_larger(self) -> bool {
        match self {
            Column::Name | Column::Bytes | Column::Median | Column::P95 => false,
            Column::Smaller
            | Column::Faster
            | Column::Top1
            | Column::Delta
            | Column::Interval
            | Column::Agreement
            | Column::Sqnr => true,
        }
    }

    /// The figure that the cell shows; `None` where it shows none.
    fn figure(self, row: &Row) -> Option<f64> {
        let compared = |x: Option<f64>| x.filter(|_| !row.baseline);
        let found = match self {
            Column::Name => None,
            Column::Bytes => row.bytes.map(|b| b as f64),
            Column::Smaller => compared(row.bytes.map(|b| -(b as f64))),
            Column::Median => row.median_ms,
            Column::P95 => row.p95_ms,
            Column::Faster => compared(row.speedup),
            Column::Top1 => row.top1.flatten(),
            Column::Delta => compared(row.interval.map(|i| i.delta)),
            Column::Interval => compared(row.interval.map(|i| i.low)),
            Column::Agreement => row.agreement_share,
            Column::Sqnr => row.sqnr_db,
        };
        found.filter(|x| !x.is_nan())
    }
}

impl Order {
    /// What a click on the head of a column makes of the order: the best first, then the worst, then the list's own order.
    pub fn clicked(now: Option<Order>, by: Column) -> Option<Order> {
        let first = Order {
            by,
            descending: by.is_better_larger(),
        };
        match now {
            Some(order) if order == first => Some(Order {
                descending: !first.descending,
                ..first
            }),
            Some(order) if order.by == by => None,
            _ => Some(first),
        }
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let turned = |o: Ordering| if self.descending { o.reverse() } else { o };
        if self.by == Column::Name {
            return turned(a.title().cmp(&b.title()));
        }
        match (self.by.figure(a), self.by.figure(b)) {
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }
}

impl Comparison {
    /// Sorts the rows; charts that follow them are sorted along.
    pub fn arrange(&mut self, order: Order) {
        self.rows
            .sort_by(|a, b| b.pinned.cmp(&a.pinned).then_with(|| order.compare(a, b)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::view::compare::tests::{comparison, sample};
    use crate::quantize::Mode;

    fn ids(by: Column, descending: bool) -> Vec<u64> {
        let baseline = Row {
            baseline: true,
            bytes: Some(85_000),
            sqnr_db: None,
            ..sample(1, Mode::Float32)
        };
        let small = Row {
            bytes: Some(23_000),
            sqnr_db: Some(40.0),
            ..sample(2, Mode::Int8)
        };
        let broken = Row {
            bytes: Some(24_000),
            sqnr_db: Some(f64::NAN),
            ..sample(3, Mode::Int16x8)
        };
        let pinned = Row {
            pinned: true,
            bytes: Some(45_000),
            sqnr_db: Some(76.0),
            ..sample(4, Mode::Float16)
        };
        let mut all = comparison(vec![baseline, small, broken, pinned]);
        all.arrange(Order { by, descending });
        all.rows.iter().map(|r| r.id.0).collect()
    }

    #[test]
    fn what_has_no_figure_stands_last_either_way_and_pinned_rows_first() {
        assert_eq!(ids(Column::Bytes, false), [4, 2, 3, 1]);
        assert_eq!(ids(Column::Bytes, true), [4, 1, 3, 2]);
        assert_eq!(ids(Column::Smaller, true), [4, 2, 3, 1]);
        assert_eq!(ids(Column::Smaller, false), [4, 3, 2, 1]);
        assert_eq!(ids(Column::Sqnr, true), [4, 2, 1, 3]);
        assert_eq!(ids(Column::Name, true), [4, 2, 3, 1]);
    }

    #[test]
    fn three_clicks_lead_back_to_the_lists_own_order() {
        let first = Order::clicked(None, Column::Faster);
        assert_eq!(first.map(|o| o.descending), Some(true));
        let second = Order::clicked(first, Column::Faster);
        assert_eq!(second.map(|o| o.descending), Some(false));
        assert_eq!(Order::clicked(second, Column::Faster), None);
        let other = Order::clicked(second, Column::Bytes);
        assert_eq!(
            other,
            Some(Order {
                by: Column::Bytes,
                descending: false
            })
        );
    }
}
