//! Histograms of one tensor: its values against the quantization grid, its step error, its scales by channel, a thumbnail.

use egui::{Align2, Color32, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::export;
use super::plot::{Plot, describe, room, text_width, y_axis_room};
use crate::evaluate::{Histogram, TensorReport};
use crate::gui::fonts;
use crate::gui::theme::Theme;
use crate::gui::view::axis::{Ticks, count_ticks, ticks};
use crate::gui::view::{figures, format, tensors as view};

/// Room left of a plot for the figures of its y axis.
const LEFT: f32 = 36.0;
/// Room below for the figures of the x axis.
const BELOW: f32 = 20.0;

/// The values of a tensor as float32 bars under the outline of what they became, below a ruler of the integers; what clips is
/// hatched, what is never used is tinted. `hue` is the experiment's.
pub fn values(ui: &mut Ui, height: f32, report: &TensorReport, hue: Color32, over: &[Over<'_>]) {
    const ABOVE: f32 = 44.0;
    const LEGEND: f32 = 18.0;
    let theme = Theme::of(ui.ctx());
    let (rect, response) = room(ui, height, Sense::hover());
    let area = Rect::from_min_max(
        rect.min + vec2(LEFT, ABOVE),
        rect.max - vec2(8.0, BELOW + LEGEND),
    );
    describe(&response, || {
        let mut words = values_summary(report);
        for o in over {
            words += &format!("; over it {}", values_summary(o.report));
        }
        words
    });
    if !ui.is_rect_visible(rect) || area.width() < 60.0 || area.height() < 20.0 {
        return;
    }
    let plot = Plot {
        painter: ui.painter_at(rect),
        theme,
        area,
        x: view::window(report),
    };
    // Bars that can be told apart, by whole multiples of the bins: they stay on the grid.
    let width = plot.points(report.values.step);
    let group = (4.5 / width.max(1e-3)).ceil().clamp(1.0, 64.0) as usize;
    let most_bins = report.values.counts.len().div_ceil(group);
    let float = view::regroup(&report.values, most_bins);
    let dequantized = view::regroup(&report.dequantized, most_bins);
    // Others have bins of their own width: their counts are told for bins as wide as these.
    let others: Vec<(Histogram, Color32)> = over
        .iter()
        .map(|o| {
            let own = &o.report.dequantized;
            let group = (float.step / own.step.max(1e-300)).clamp(1.0, 4096.0);
            let most = (own.counts.len() as f64 / group).ceil() as usize;
            let mut h = view::regroup(own, most.max(1));
            let wider = float.step / h.step.max(1e-300);
            rescale(&mut h, wider);
            (h, o.hue)
        })
        .collect();
    let counts = float.counts.iter().chain(&dequantized.counts);
    let counts = counts.chain(others.iter().flat_map(|(h, _)| &h.counts));
    let most = counts.copied().max().unwrap_or(0).max(1);

    plot.y_axis(&decades(most), |y| view::log_height(y as u64, most));
    range_marks(&plot, report);
    plot.bars(
        bins(&float).map(|(a, b, n)| (a, b, view::log_height(n, most))),
        theme.text.gamma_multiply(0.55),
    );
    for (h, hue) in &others {
        outline(&plot, h, most, *hue);
    }
    outline(&plot, &dequantized, most, hue);
    plot.base_line();
    plot.x_axis(&ticks(plot.x.0, plot.x.1, 5));
    quantized_ruler(&plot, report);
    legend(&plot, rect, hue);
    export::offer(ui, rect, "Values");

    if let Some(at) = response
        .hover_pos()
        .filter(|p| area.x_range().contains(p.x))
    {
        let x = plot.value(at.x);
        plot.painter
            .vline(at.x, area.y_range(), Stroke::new(1.0, theme.control));
        response.on_hover_text_at_pointer(read_out(x, report, &float, &dequantized));
    }
}

/// A tensor whose histograms are drawn over another's, in the colour of its experiment.
pub struct Over<'a> {
    /// What was measured.
    pub report: &'a TensorReport,
    /// Its colour.
    pub hue: Color32,
}

/// Every count times `factor`; what is there stays there.
fn rescale(h: &mut Histogram, factor: f64) {
    for n in h.counts.iter_mut().filter(|n| **n > 0) {
        // The cast saturates.
        *n = ((*n as f64 * factor).round() as u64).max(1);
    }
}

/// The values histogram in one sentence.
fn values_summary(r: &TensorReport) -> String {
    let range = format!(
        "{} to {}",
        format::significant(r.range.0.into()),
        format::significant(r.range.1.into())
    );
    let count: u64 = r.values.counts.iter().sum();
    let clip = view::representable(r).map_or_else(String::new, |(a, b)| {
        format!(
            ", representable {} to {}",
            format::significant(a),
            format::significant(b)
        )
    });
    let idle = view::never_used(r).map_or_else(String::new, |n| {
        format!(
            ", {} of {} steps never used",
            figures::integer((n.below + n.above) as i64),
            figures::integer(n.steps as i64)
        )
    });
    let clipped = format::small_percent(r.clipped);
    format!(
        "Values: {} from {range}{clip}, {clipped} clipped{idle}",
        figures::integer(count as i64)
    )
}

fn read_out(x: f64, r: &TensorReport, float: &Histogram, dequantized: &Histogram) -> String {
    let bin = (x - float.start) / float.step;
    let count = |h: &Histogram| {
        let n = if bin >= 0.0 {
            h.counts.get(bin as usize).copied()
        } else {
            None
        };
        figures::integer(n.unwrap_or(0) as i64)
    };
    let integer = match view::representable(r) {
        Some((a, b)) if (a..=b).contains(&x) => {
            let q = (x / f64::from(r.scale) + r.zero_point as f64).round();
            format!("quantized {}", figures::integer(q as i64))
        }
        Some(_) => "clips".to_owned(),
        None => String::new(),
    };
    let value = format::significant(x);
    format!(
        "{value}, {integer}\nfloat32 {}\ndequantized {}",
        count(float),
        count(dequantized)
    )
}

/// Clip lines with what lies beyond hatched, and the part of the range that no value uses.
fn range_marks(plot: &Plot<'_>, r: &TensorReport) {
    let theme = plot.theme;
    let (Some((low, high)), Some(idle)) = (view::representable(r), view::never_used(r)) else {
        return;
    };
    let scale = f64::from(r.scale);
    let (from, to) = (low + idle.below * scale, high - idle.above * scale);
    // A few idle steps at the ends are no news.
    let worth_showing = |steps: f64| steps > idle.steps / 20.0;
    let in_sight = |x: f64| (plot.x.0..=plot.x.1).contains(&x);
    for (steps, a, b) in [(idle.below, low, from), (idle.above, to, high)] {
        if !worth_showing(steps) || !in_sight(a) || !in_sight(b) {
            continue;
        }
        let rect = plot.tint(a.max(plot.x.0), b.min(plot.x.1), theme.hover);
        let of = format!(
            "{} of {} steps",
            figures::integer(steps as i64),
            figures::integer(idle.steps as i64)
        );
        let short = format!(
            "{} of {}",
            figures::integer(steps as i64),
            figures::integer(idle.steps as i64)
        );
        let fits =
            |words: &str| rect.width() > text_width(&plot.painter, words, fonts::caption()) + 8.0;
        let of = if fits(&of) { of } else { short };
        if fits(&of) && fits("Never used") {
            let at = pos2(rect.center().x, rect.top() + 10.0);
            plot.caption(at, Align2::CENTER_TOP, "Never used", theme.text2);
            plot.caption(at + vec2(0.0, 14.0), Align2::CENTER_TOP, &of, theme.text2);
        }
    }
    plot.hatch(plot.x.0, low, theme.damage_fill);
    plot.hatch(high, plot.x.1, theme.damage_fill);
    for end in [low, high] {
        if plot.x.0 < end && end < plot.x.1 {
            plot.dashed(end, theme.damage_fill);
        }
    }
}

/// Ticks and figures of the integers above the area, the ends in the colour of damage.
fn quantized_ruler(plot: &Plot<'_>, r: &TensorReport) {
    let (theme, area) = (plot.theme, plot.area);
    let Some(ruler) = view::ruler(r, plot.x, (area.width() / 48.0) as usize) else {
        return;
    };
    let (scale, zero) = (f64::from(r.scale), r.zero_point);
    let real = |q: i64| (q as f64 - zero as f64) * scale;
    let integer = |x: f64| x / scale + zero as f64;
    let first = integer(plot.x.0).max(r.q_range.0 as f64);
    let last = integer(plot.x.1).min(r.q_range.1 as f64);
    let title = match ruler.tick {
        1 => "Quantized value, one tick a step".to_owned(),
        n => format!(
            "Quantized value, one tick every {} steps",
            figures::integer(n)
        ),
    };
    plot.caption(
        area.left_top() - vec2(0.0, 44.0),
        Align2::LEFT_TOP,
        &title,
        theme.text3,
    );

    let mut mesh = Mesh::default();
    let base = area.top() - 3.0;
    let mut mark = |x: f32, length: f32, color: Color32| {
        mesh.add_colored_rect(
            Rect::from_min_max(pos2(x, base - length), pos2(x + 1.0, base)),
            color,
        );
    };
    let mut taken: Vec<Rect> = vec![];
    for (end, align) in [(r.q_range.0, 0.35), (r.q_range.1, 0.65)] {
        let x = plot.at(real(end));
        if !area.x_range().expand(2.0).contains(x) {
            continue;
        }
        mark(x, 8.0, theme.damage_fill);
        let text = format!("clip {}", signed_integer(end));
        let width = text_width(&plot.painter, &text, fonts::caption());
        let left = (x - width * align).clamp(area.left() - LEFT, area.right() + 8.0 - width);
        let rect = plot.caption(
            pos2(left, base - 22.0),
            Align2::LEFT_TOP,
            &text,
            theme.damage,
        );
        taken.push(rect.expand2(vec2(8.0, 0.0)));
    }
    let mut q = (first / ruler.tick as f64).ceil() as i64 * ruler.tick;
    let mut guard = 0;
    while (q as f64) <= last && guard < 4000 {
        let x = plot.at(real(q));
        let labelled = q % ruler.label == 0;
        mark(x, if labelled { 6.0 } else { 3.0 }, theme.control);
        if labelled {
            let text = figures::integer(q);
            let half = text_width(&plot.painter, &text, fonts::caption()) / 2.0;
            let free = |r: &Rect| x + half < r.left() || x - half > r.right();
            if taken.iter().all(free) {
                plot.caption(pos2(x, base - 22.0), Align2::CENTER_TOP, &text, theme.text3);
            }
        }
        (q, guard) = (q.saturating_add(ruler.tick), guard + 1);
    }
    plot.painter.add(Shape::mesh(mesh));
}

fn signed_integer(n: i64) -> String {
    let text = figures::integer(n);
    if n > 0 { format!("+{text}") } else { text }
}

/// The upper edge of the bins, drawn where there is something.
fn outline(plot: &Plot<'_>, h: &Histogram, most: u64, color: Color32) {
    let mut points: Vec<Pos2> = vec![];
    for (from, to, count) in bins(h) {
        let y = plot.height(view::log_height(count, most));
        points.push(pos2(plot.at(from), y));
        points.push(pos2(plot.at(to), y));
    }
    let painter = plot
        .painter
        .with_clip_rect(plot.painter.clip_rect().intersect(plot.area.expand(1.0)));
    painter.add(Shape::line(points, Stroke::new(1.5, color)));
}

fn legend(plot: &Plot<'_>, rect: Rect, hue: Color32) {
    let (theme, y) = (plot.theme, rect.bottom() - 8.0);
    let mut x = plot.area.left();
    let square = Rect::from_center_size(pos2(x + 5.0, y), vec2(9.0, 9.0));
    plot.painter
        .rect_filled(square, 0.0, theme.text.gamma_multiply(0.55));
    let text = |x: f32, text: &str| {
        plot.caption(pos2(x, y), Align2::LEFT_CENTER, text, theme.text3)
            .right()
    };
    x = text(x + 14.0, "float32") + 16.0;
    plot.painter.hline(x..=x + 12.0, y, Stroke::new(1.5, hue));
    x = text(x + 18.0, "dequantized") + 16.0;
    x = text(x, "count, log scale");
    if plot.area.right() - x > 70.0 {
        plot.caption(
            pos2(plot.area.right(), y),
            Align2::RIGHT_CENTER,
            "Real value",
            theme.text2,
        );
    }
}

/// 1, 10, 100, … up to the highest count.
fn decades(most: u64) -> Ticks {
    let all = (0..19).map(|e| 10u64.pow(e)).take_while(|&n| n <= most);
    Ticks {
        marks: all.map(|n| (n as f64, decade_text(n))).collect(),
    }
}

fn decade_text(n: u64) -> String {
    match n {
        n if n >= 1_000_000_000 => format!("{} G", n / 1_000_000_000),
        n if n >= 1_000_000 => format!("{} M", n / 1_000_000),
        n if n >= 1_000 => format!("{} k", n / 1_000),
        n => n.to_string(),
    }
}

/// Left edge, right edge and count of each bin.
fn bins(h: &Histogram) -> impl Iterator<Item = (f64, f64, u64)> + '_ {
    let edge = |i: usize| h.start + i as f64 * h.step;
    h.counts
        .iter()
        .enumerate()
        .map(move |(i, &n)| (edge(i), edge(i + 1), n))
}

/// The step error as bars, with the frame that an ideal uniform error would fill.
pub fn step_error(
    ui: &mut Ui,
    height: f32,
    report: &TensorReport,
    hue: Color32,
    over: &[Over<'_>],
) {
    /// Room right of the plot for the word "ideal".
    const RIGHT: f32 = 30.0;
    let theme = Theme::of(ui.ctx());
    let (rect, response) = room(ui, height, Sense::hover());
    describe(&response, || {
        let beyond = beyond_half(&report.step_error);
        let tails = format::small_percent(beyond);
        format!(
            "Step error: RMS {:.3}, ideal 0.289, {tails} of the values off by more than half a step",
            report.step_rms
        )
    });
    let plot_width = rect.width() - LEFT - RIGHT;
    if !ui.is_rect_visible(rect) || plot_width < 40.0 {
        return;
    }
    let h = view::regroup(&report.step_error, (plot_width / 2.0) as usize);
    let filled = || bins(&h).filter(|b| b.2 > 0);
    let x = (
        filled().next().map_or(-0.75, |b| b.0.min(-0.75)),
        filled().last().map_or(0.75, |b| b.1.max(0.75)),
    );
    let total: u64 = h.counts.iter().sum();
    let ideal = if h.step > 0.0 {
        total as f64 * h.step
    } else {
        0.0
    };
    let most = h
        .counts
        .iter()
        .copied()
        .max()
        .unwrap_or(0)
        .max(ideal.ceil() as u64)
        .max(1);
    let counts = count_ticks(most, 3);
    let left = y_axis_room(ui.painter(), &counts);
    let area = Rect::from_min_max(
        rect.min + vec2(left, 10.0),
        rect.max - vec2(RIGHT, BELOW + 18.0),
    );
    let plot = Plot {
        painter: ui.painter_at(rect),
        theme,
        area,
        x,
    };
    let share = |n: f64| (n / most as f64 / 1.08) as f32;
    plot.y_axis(&counts, share);
    plot.bars(bins(&h).map(|(a, b, n)| (a, b, share(n as f64))), hue);
    for o in over {
        let most = (o.report.step_error.counts.len() as f64 * o.report.step_error.step
            / h.step.max(1e-300))
        .ceil()
        .clamp(1.0, 1e6);
        let other = view::regroup(&o.report.step_error, most as usize);
        let sum: u64 = other.counts.iter().sum();
        // As many values as this tensor has, in bins as wide.
        let factor = total as f64 / sum.max(1) as f64 * h.step / other.step.max(1e-300);
        let mut line: Vec<Pos2> = vec![];
        for (from, to, n) in bins(&other) {
            let y = plot.height(share(n as f64 * factor).min(1.0));
            line.extend([pos2(plot.at(from), y), pos2(plot.at(to), y)]);
        }
        let clip = plot.painter.clip_rect().intersect(area.expand(1.0));
        let stroke = Stroke::new(1.5, o.hue);
        plot.painter
            .with_clip_rect(clip)
            .add(Shape::line(line, stroke));
    }
    plot.base_line();
    if ideal > 0.0 {
        let (left, right, top) = (plot.at(-0.5), plot.at(0.5), plot.height(share(ideal)));
        let frame = [
            pos2(left, area.bottom()),
            pos2(left, top),
            pos2(right, top),
            pos2(right, area.bottom()),
        ];
        plot.painter.extend(Shape::dashed_line(
            &frame,
            Stroke::new(1.0, theme.text),
            3.0,
            3.0,
        ));
        let width = text_width(&plot.painter, "ideal", fonts::caption());
        let x = (right + 4.0).min(rect.right() - width);
        plot.caption(pos2(x, top), Align2::LEFT_CENTER, "ideal", theme.text2);
    }
    let marks = if x.1 - x.0 < 3.0 {
        ticks(-0.5, 0.5, 2)
    } else {
        ticks(x.0, x.1, 4)
    };
    plot.x_axis(&marks);
    plot.caption(
        pos2(area.center().x, rect.bottom()),
        Align2::CENTER_BOTTOM,
        "Error in steps",
        theme.text2,
    );
    export::offer(ui, rect, "Step error");
    if let Some(at) = response
        .hover_pos()
        .filter(|p| area.x_range().contains(p.x))
    {
        let bin = (plot.value(at.x) - h.start) / h.step;
        let n = if bin >= 0.0 {
            h.counts.get(bin as usize).copied()
        } else {
            None
        };
        let text = format!(
            "{} steps\n{} values",
            format::signed(plot.value(at.x), 2),
            figures::integer(n.unwrap_or(0) as i64)
        );
        response.on_hover_text_at_pointer(text);
    }
}

/// Share of a step-error histogram outside ±0.5 (by the middles of its bins).
fn beyond_half(h: &Histogram) -> f64 {
    let total: u64 = h.counts.iter().sum();
    let beyond = bins(h)
        .filter(|(a, b, _)| ((a + b) / 2.0).abs() > 0.5)
        .map(|b| b.2);
    beyond.sum::<u64>() as f64 / total.max(1) as f64
}
