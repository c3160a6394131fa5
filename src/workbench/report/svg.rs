//! Charts of a report as inline SVG: bars from zero, deltas with intervals, stacked histograms. Colours come from the page.

use super::html::escape;
use crate::quantize::Mode;
use crate::workbench::format;

/// Width of every chart, in its own units; the page scales it.
const WIDTH: f64 = 420.0;
/// Room for names at the left and figures at the right.
const LEFT: f64 = 128.0;
const RIGHT: f64 = 86.0;
/// Height of a row and of its bar.
const ROW: f64 = 28.0;
const BAR: f64 = 14.0;
/// Columns of a histogram.
const BINS: usize = 41;

/// How an experiment looks: hue by mode, and from its second recipe on an outline instead of a filling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub mode: Mode,
    pub hollow: bool,
}

impl Look {
    /// Attributes of what is painted in its hue.
    fn paint(self) -> String {
        let hollow = if self.hollow { " hollow" } else { "" };
        format!("class=\"m-{}{hollow}\"", self.mode.name())
    }

    /// Its marker, 12 by 12.
    pub fn marker(self) -> String {
        let paint = self.paint();
        let shape = match self.mode {
            Mode::Float32 => format!("<circle cx=\"6\" cy=\"6\" r=\"4.5\" {paint}/>"),
            Mode::Float16 => format!("<rect x=\"2\" y=\"2\" width=\"8\" height=\"8\" {paint}/>"),
            Mode::Dynamic => format!("<path d=\"M6 1.5 11 10H1z\" {paint}/>"),
            Mode::Int8 => format!("<path d=\"M6 1 11 6 6 11 1 6z\" {paint}/>"),
            Mode::Int16x8 => format!("<path d=\"M6 10.5 11 2H1z\" {paint}/>"),
        };
        format!("<svg class=\"mark\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">{shape}</svg>")
    }
}

/// One bar.
pub(super) struct Bar<'a> {
    pub look: Look,
    pub name: &'a str,
    /// Its length.
    pub value: f64,
    /// What stands behind it.
    pub text: String,
    /// A line across, such as the 95th percentile.
    pub tick: Option<f64>,
}

/// Horizontal bars from zero. Those that are not finite have no length; a tick beyond twice the longest bar becomes an arrow at
/// the end.
pub(super) fn bars(title: &str, bars: &[Bar<'_>]) -> String {
    let longest = |values: &mut dyn Iterator<Item = f64>| {
        values.filter(|v| v.is_finite()).fold(0f64, f64::max)
    };
    let bar = longest(&mut bars.iter().map(|b| b.value));
    let tick = longest(&mut bars.iter().filter_map(|b| b.tick));
    let whole = bar.max(tick.min(bar * 2.0));
    let most = WIDTH - LEFT - RIGHT;
    let along = |v: f64| match whole > 0.0 && v.is_finite() && v > 0.0 {
        true => v / whole * most,
        false => 0.0,
    };
    let rows = bars.iter().enumerate().map(|(i, b)| {
        let (top, length) = (row_top(i), along(b.value));
        let at = b.tick.map_or(0.0, along);
        let (x, middle) = (LEFT + at.min(most), top + BAR / 2.0);
        let tick = if at > most * 1.001 {
            let (from, up, down) = (x - 5.0, middle - 4.0, middle + 4.0);
            format!("<path class=\"tick\" d=\"M{from:.1} {up:.1}L{x:.1} {middle:.1}L{from:.1} {down:.1}\"/>")
        } else if at > 0.0 {
            let (up, down) = (top - 2.0, top + BAR + 2.0);
            format!("<path class=\"tick\" d=\"M{x:.1} {up:.1}V{down:.1}\"/>")
        } else {
            String::new()
        };
        let end = LEFT + length.max(at).min(most) + 6.0;
        format!(
            "{}<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\" {}/>{tick}{}",
            name(b.name, top),
            b.look.paint(),
            words("value", end, top + 11.0, "start", &b.text),
        )
    });
    let axis = zero_line(LEFT, bars.len());
    chart(
        title,
        row_top(bars.len()),
        &(rows.collect::<String>() + &axis),
    )
}

/// One delta.
pub(super) struct Delta<'a> {
    pub look: Look,
    pub name: &'a str,
    pub delta: f64,
    pub interval: Option<(f64, f64)>,
    /// What stands behind it.
    pub text: String,
}

/// Deltas as dots beside a zero line, with their intervals as whiskers, on one scale.
pub(super) fn deltas(title: &str, deltas: &[Delta<'_>]) -> String {
    let ends = deltas.iter().flat_map(|d| {
        let (low, high) = d.interval.unwrap_or((d.delta, d.delta));
        [d.delta, low, high]
    });
    let reach = ends
        .filter(|v| v.is_finite())
        .fold(0f64, |m, v| m.max(v.abs()));
    let half = (WIDTH - LEFT - RIGHT) / 2.0;
    let at = |v: f64| {
        let share = if reach > 0.0 && v.is_finite() {
            v / reach
        } else {
            0.0
        };
        LEFT + half + share * (half - 6.0)
    };
    let rows = deltas.iter().enumerate().map(|(i, d)| {
        let middle = row_top(i) + BAR / 2.0;
        let whisker = d.interval.map_or(String::new(), |(low, high)| {
            let (low, high) = (at(low), at(high));
            format!("<path class=\"tick\" d=\"M{low:.1} {middle:.1}H{high:.1}\"/>")
        });
        format!(
            "{}{whisker}<circle cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"4.5\" {}/>{}",
            name(d.name, row_top(i)),
            at(d.delta),
            d.look.paint(),
            words("value", WIDTH - RIGHT + 6.0, middle + 4.0, "start", &d.text),
        )
    });
    let axis = zero_line(LEFT + half, deltas.len());
    chart(
        title,
        row_top(deltas.len()),
        &(axis + &rows.collect::<String>()),
    )
}

/// Figures of the tensors of one experiment.
pub(super) struct Group {
    pub look: Look,
    pub values: Vec<f64>,
}

/// Figures over all tensors as columns around zero, stacked by experiment; those beyond `reach` stand in the outermost columns.
/// `sides` are the words at its ends.
pub(super) fn histogram(title: &str, groups: &[Group], reach: f64, sides: (&str, &str)) -> String {
    let (top, height, left) = (8.0, 120.0, 34.0);
    let width = WIDTH - left - 6.0;
    let bin = |v: f64| {
        let at = (v / reach + 1.0) / 2.0 * BINS as f64;
        // A cast saturates, so that what is far out lands at the ends.
        (at.floor() as i64).clamp(0, BINS as i64 - 1) as usize
    };
    let counts: Vec<Vec<usize>> = groups
        .iter()
        .map(|g| {
            let mut counts = vec![0; BINS];
            let finite = g.values.iter().filter(|v| v.is_finite());
            finite.for_each(|&v| counts[bin(v)] += 1);
            counts
        })
        .collect();
    let total = |column: usize| counts.iter().map(|c| c[column]).sum::<usize>();
    let tallest = (0..BINS).map(total).max().unwrap_or(0).max(1);
    let step = width / BINS as f64;
    let bottom = top + height;
    let mut columns = String::new();
    for column in 0..BINS {
        let mut y = bottom;
        for (group, counts) in groups.iter().zip(&counts).filter(|(_, c)| c[column] > 0) {
            let tall = counts[column] as f64 / tallest as f64 * height;
            y -= tall;
            columns += &format!(
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" {}/>",
                left + column as f64 * step,
                step - 1.0,
                group.look.paint(),
            );
        }
    }
    let middle = left + width / 2.0;
    let end = |v: f64| format::signed(v, if reach < 1.0 { 2 } else { 1 });
    let body = format!(
        "<path class=\"line\" d=\"M{left} {bottom}H{:.1}M{middle:.1} {top}V{bottom}\"/>{columns}{}{}{}{}{}{}",
        left + width,
        words(
            "axis",
            left - 6.0,
            top + 8.0,
            "end",
            &format::count(tallest)
        ),
        words("axis", left - 6.0, bottom, "end", "0"),
        words("axis", left, bottom + 16.0, "start", &end(-reach)),
        words("axis", middle, bottom + 16.0, "middle", "0"),
        words("axis", left + width, bottom + 16.0, "end", &end(reach)),
        words(
            "axis",
            left + width * 0.25,
            bottom + 16.0,
            "middle",
            sides.0
        ) + &words(
            "axis",
            left + width * 0.75,
            bottom + 16.0,
            "middle",
            sides.1
        ),
    );
    chart(title, bottom + 24.0, &body)
}

fn row_top(row: usize) -> f64 {
    row as f64 * ROW + 8.0
}

fn name(text: &str, top: f64) -> String {
    words("name", 0.0, top + 11.0, "start", &format::elide(text, 20))
}

fn words(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = escape(text);
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    )
}

fn zero_line(x: f64, rows: usize) -> String {
    format!(
        "<path class=\"line\" d=\"M{x:.1} 2V{:.1}\"/>",
        row_top(rows) - 2.0
    )
}

fn chart(title: &str, height: f64, body: &str) -> String {
    let title = escape(title);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\"><title>{title}</title>{body}</svg>"
    )
}
