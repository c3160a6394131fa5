//! Where the columns of the list of operators stand, and what is left out where there is no room.

use std::collections::BTreeSet;

use egui::Ui;

use super::{DENSE_ROW, ROW};
use crate::gui::fonts;
use crate::gui::view::layers::{Layer, Layers};
use crate::gui::widgets::plot::text_width;

/// Size of a heat cell.
pub const CELL: (f32, f32) = (43.0, 22.0);
/// Height of a heat cell, and width of the overview, where there are many operators.
const DENSE_CELL: f32 = 18.0;
const STRIP: f32 = 14.0;
/// Gap between experiments.
pub const GROUP_GAP: f32 = 18.0;
/// Width of the number.
const INDEX: f32 = 36.0;
/// Widths of operator and output.
const OPERATOR: f32 = 190.0;
const OPERATOR_LEAST: f32 = 136.0;
const OUTPUT: f32 = 118.0;
/// Width of the time with its bar.
const TIME: f32 = 118.0;
/// Width of the reason in words, and of its icon alone.
pub const WHY: f32 = 190.0;
/// See [`WHY`].
pub const WHY_ICON: f32 = 44.0;

/// Where the columns stand, from the left edge of the list.
pub struct Places {
    /// All of them.
    pub width: f32,
    /// Room for the overview of the whole graph at the left; 0 where there are few operators.
    pub strip: f32,
    /// Right edge of the number.
    pub index: f32,
    /// Name of the operator.
    pub operator: f32,
    /// Shape of the output; `None` where there is no room for it.
    pub output: Option<f32>,
    /// One per experiment.
    pub groups: Vec<Group>,
    /// Time of an operator, and of which experiment; `None` where it was not measured or there is no room for it.
    pub time: Option<(f32, usize)>,
    /// Reasons.
    pub why: f32,
}

/// The columns of one experiment.
#[derive(Clone)]
pub struct Group {
    /// Left edge.
    pub left: f32,
    /// Width that the experiment's name needs.
    least: f32,
    /// Width of the type; 0 where there is no room for it.
    pub types: f32,
    /// Whether it has local and cumulative figures.
    pub has: [bool; 2],
    /// Height of a heat cell.
    pub cell: f32,
}

impl Group {
    /// With the gap behind it.
    pub fn width(&self) -> f32 {
        let cells = self.has.iter().filter(|h| **h).count() as f32;
        (self.types + cells * (CELL.0 + 3.0)).max(self.least) + GROUP_GAP
    }

    /// Left edge of the local (0) or cumulative (1) figure, from the group's own.
    pub fn figure(&self, which: usize) -> f32 {
        let before = if which == 1 && self.has[0] {
            CELL.0 + 3.0
        } else {
            0.0
        };
        self.types + before
    }
}

impl Places {
    /// Height of a row.
    pub fn row(&self) -> f32 {
        if self.strip > 0.0 { DENSE_ROW } else { ROW }
    }

    /// Gives up the output's shape first, then the words of the reason, room for the name, the types; beyond that the list
    /// scrolls sideways.
    pub fn new(ui: &Ui, all: &Layers, available: f32, dense: bool, timed: Option<usize>) -> Self {
        let (strip, cell) = if dense {
            (STRIP, DENSE_CELL)
        } else {
            (0.0, CELL.1)
        };
        let with_types: Vec<Group> = (0..all.columns.len())
            .map(|i| Group {
                cell,
                ..Group::new(ui, all, i)
            })
            .collect();
        let without: Vec<Group> = with_types
            .iter()
            .map(|g| Group { types: 0.0, ..*g })
            .collect();
        let has_why = |l: &Layer| l.is_shape || l.cells.iter().any(|c| c.why_float.is_some());
        let (why, icon) = if all.layers.iter().any(has_why) {
            (WHY, WHY_ICON)
        } else {
            (0.0, 0.0)
        };
        let time = if timed.is_some() { TIME } else { 0.0 };
        let index = INDEX + strip;
        let start = index + 14.0;
        let options = [
            (OPERATOR, OUTPUT, time, why, &with_types),
            (OPERATOR, 0.0, time, why, &with_types),
            (OPERATOR, 0.0, time, icon, &with_types),
            (OPERATOR_LEAST, 0.0, time, icon, &with_types),
            (OPERATOR_LEAST, 0.0, 0.0, icon, &with_types),
            (OPERATOR_LEAST, 0.0, 0.0, icon, &without),
        ];
        let width = |&(operator, output, time, why, groups): &(f32, f32, f32, f32, &Vec<Group>)| {
            let groups: f32 = groups.iter().map(Group::width).sum();
            start + operator + output + time + why + groups
        };
        let fits = options.into_iter().find(|o| width(o) <= available);
        let chosen = fits.unwrap_or(options[5]);
        let (operator, output, time, why, groups) = chosen;
        let mut groups = groups.clone();
        let spare = (available - width(&chosen)).max(0.0);
        let after_operator = start + operator + (spare / 3.0).min(80.0);
        let mut x = after_operator + output;
        for group in &mut groups {
            group.left = x;
            x += group.width();
        }
        let times = timed.filter(|_| time > 0.0).map(|column| (x, column));
        x += time;
        Self {
            time: times,
            width: available.max(x + why),
            strip,
            index,
            operator: start,
            output: (output > 0.0).then_some(after_operator),
            groups,
            why: x,
        }
    }
}

impl Group {
    fn new(ui: &Ui, all: &Layers, column: usize) -> Self {
        let cells = || all.layers.iter().filter_map(|l| l.cells.get(column));
        // Few different ones, however many operators there are.
        let types: BTreeSet<&str> = cells().map(|c| c.dtype.as_str()).collect();
        let width = |words: &&str| text_width(ui.painter(), words, fonts::caption()) + 12.0;
        let name = all.columns.get(column).map_or("", |c| c.name.as_str());
        Self {
            left: 0.0,
            least: text_width(ui.painter(), name, fonts::body()) + 22.0,
            types: types.iter().map(width).fold(34.0, f32::max) + 8.0,
            has: [
                cells().any(|c| c.local.is_some()),
                cells().any(|c| c.cumulative.is_some()),
            ],
            cell: CELL.1,
        }
    }
}
