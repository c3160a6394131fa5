//! Three bar charts side by side, size, latency and accuracy, with the rows of the table.

use egui::{
    Align2, Color32, Painter, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use super::super::{Context, fonts};
use crate::gui::theme::{FADED, ROUND_CARD, Theme};
use crate::gui::view::bars::Axis;
use crate::gui::view::compare::{Comparison, Row};
use crate::gui::view::format;
use crate::gui::view::limits::Limit;
use crate::gui::widgets::export;

/// One chart's place: bars between `left` and `right`, figures beyond.
struct Chart {
    left: f32,
    right: f32,
    axis: Axis,
}

impl Chart {
    fn x(&self, value: f64) -> f32 {
        self.left + (self.right - self.left) * self.axis.place(value)
    }
}

/// What all three share.
struct Scene<'a> {
    painter: Painter,
    theme: &'static Theme,
    comparison: &'a Comparison,
    /// Top and height of the first row.
    top: f32,
    row: f32,
    /// Half the height of a bar.
    half: f32,
}

/// Shows the charts in that width and the height that is left, at least as high as their rows need; returns their place.
pub fn ui(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    width: f32,
    height: f32,
) -> Rect {
    let theme = context.theme;
    let n = comparison.rows.len() as f32;
    let (above, below) = (46.0, 34.0);
    let row = ((height - above - below) / n).clamp(19.0, 44.0);
    let height = (above + n * row + below).max(height);
    let width = width.min(1400.0);
    let (_, rect) = ui.allocate_space(vec2(width, height));
    ui.painter().rect_filled(rect, ROUND_CARD, theme.raised);
    ui.painter()
        .rect_stroke(rect, ROUND_CARD, theme.separator(), StrokeKind::Inside);
    let scene = Scene {
        painter: ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())),
        theme,
        comparison,
        top: rect.top() + above,
        row,
        half: if row < 27.0 { 6.0 } else { 7.0 },
    };
    let names = rect.left() + 16.0;
    let name_width = if rect.width() < 800.0 { 132.0 } else { 150.0 };
    let each = (rect.right() - 16.0 - names - name_width) / 3.0;
    let starts = [0.0, 1.0, 2.0].map(|i| names + name_width + each * i);
    rows(ui, context, &scene, rect, names);
    let unit = comparison.unit;
    let largest =
        |f: &dyn Fn(&Row) -> Option<f64>| comparison.rows.iter().filter_map(f).fold(0.0, f64::max);
    let (kilo, kilo_unit) = size_unit(largest(&|r| r.bytes.map(|b| b as f64)));
    let size = Chart {
        left: starts[0],
        right: starts[1] - 58.0,
        axis: Axis::from_zero(largest(&|r| r.bytes.map(|b| b as f64 / kilo))),
    };
    let limit = |l: Limit| {
        let most = context.state.limits.get(l)?;
        Some(most * l.shown_per_kept(unit))
    };
    let (loss, most_kb, most_time) = (
        limit(Limit::Loss),
        limit(Limit::Size),
        limit(Limit::Latency),
    );
    // One disturbed run must not squeeze all bars: a p95 far beyond the medians leaves the chart.
    let median = largest(&|r| r.median_ms.map(|t| unit.of(t)));
    let p95 = largest(&|r| r.p95_ms.map(|t| unit.of(t)));
    let latency_end = p95.min(median * 1.5).max(median);
    let latency = Chart {
        left: starts[1],
        right: starts[2] - 58.0,
        axis: Axis::from_zero(latency_end),
    };
    let accuracy = Chart {
        left: starts[2] + 6.0,
        right: rect.right() - 86.0,
        axis: Axis::around_zero((comparison.reach * 100.0).max(loss.unwrap_or(0.0))),
    };
    frame(
        ui,
        &scene,
        &size,
        "Size",
        kilo_unit,
        size_summary(comparison),
    );
    let latency_unit = format!("{}, tick is p95", unit.name);
    frame(
        ui,
        &scene,
        &latency,
        "Latency",
        &latency_unit,
        latency_summary(comparison),
    );
    let labelled = comparison.rows.iter().any(|r| r.top1.flatten().is_some());
    let unlabelled = comparison.rows.iter().any(|r| r.top1 == Some(None));
    let accuracy_unit = match (unlabelled && !labelled, comparison.baseline.as_str()) {
        (true, _) => "needs labelled data",
        (false, "float32") => "Δ pp to float32",
        (false, _) => "Δ pp to the baseline",
    };
    let summary = accuracy_summary(comparison);
    frame(ui, &scene, &accuracy, "Accuracy", accuracy_unit, summary);
    for (chart, at) in [
        (&size, most_kb.map(|kb| kb * 1e3 / kilo)),
        (&latency, most_time),
        (&accuracy, loss.map(|pp| -pp)),
    ] {
        if let Some(at) = at {
            limit_line(&scene, chart, at);
        }
    }
    for (i, row) in comparison.rows.iter().enumerate() {
        let y = scene.top + (i as f32 + 0.5) * scene.row;
        let ink = faded(context, row, theme.mode(row.look.mode));
        let label = faded(context, row, theme.text2);
        size_bar(&scene, &size, row, y, kilo, ink, label);
        latency_bar(&scene, &latency, row, y, ink, label);
        accuracy_bar(&scene, &accuracy, row, y, ink, label);
    }
    export::offer(ui, rect, "Bars");
    rect
}

fn size_unit(largest: f64) -> (f64, &'static str) {
    if largest < 1e6 {
        (1e3, "kB")
    } else {
        (1e6, "MB")
    }
}

/// The colour at full strength unless the pointer is on another experiment.
fn faded(context: &Context<'_>, row: &Row, color: Color32) -> Color32 {
    match context.state.hovered {
        Some(id) if id != row.id => color.gamma_multiply(FADED),
        _ => color,
    }
}

/// Names at the left, grounds of the chosen and the hovered row, and what the pointer does.
fn rows(ui: &Ui, context: &mut Context<'_>, scene: &Scene<'_>, rect: Rect, names: f32) {
    let theme = scene.theme;
    for (i, row) in scene.comparison.rows.iter().enumerate() {
        let place = Rect::from_min_size(
            pos2(rect.left() + 8.0, scene.top + i as f32 * scene.row),
            vec2(rect.width() - 16.0, scene.row),
        );
        // The table's row is the one that the keyboard reaches; this one follows the pointer only.
        let response = ui.interact(
            place,
            ui.scope_id().with(("bar row", row.id.0)),
            Sense::CLICK,
        );
        if response.contains_pointer() {
            context.hover(row.id);
        }
        let selected = context.state.selected == Some(row.id);
        if response.clicked() {
            context.state.selected = if selected { None } else { Some(row.id) };
        }
        if selected {
            scene.painter.rect_filled(place, 0.0, theme.selected);
        } else if context.is_hovered(row.id) {
            scene.painter.rect_filled(place, 0.0, theme.hover);
        }
        let y = place.center().y;
        let color = faded(context, row, theme.mode(row.look.mode));
        row.look
            .paint_marker_sized(&scene.painter, pos2(names + 9.0, y), 0.9, color);
        let ink = faded(context, row, theme.text);
        let name = scene.painter.text(
            pos2(names + 24.0, y),
            Align2::LEFT_CENTER,
            row.label(),
            fonts::strong(),
            ink,
        );
        let is_default = row.detail.is_empty() || row.detail.starts_with("float32");
        if !is_default {
            scene.painter.text(
                pos2(name.right() + 6.0, y),
                Align2::LEFT_CENTER,
                &row.detail,
                fonts::small(),
                faded(context, row, theme.text2),
            );
        }
    }
}

/// Title, grid and axis of a chart, with its figures in words for those who cannot see it.
fn frame(ui: &Ui, scene: &Scene<'_>, chart: &Chart, title: &str, unit: &str, summary: String) {
    let (painter, theme) = (&scene.painter, scene.theme);
    let title_y = scene.top - 24.0;
    let name = painter.text(
        pos2(chart.left, title_y),
        Align2::LEFT_CENTER,
        title,
        fonts::strong(),
        theme.text,
    );
    painter.text(
        pos2(name.right() + 8.0, title_y + 0.5),
        Align2::LEFT_CENTER,
        unit,
        fonts::small(),
        theme.text2,
    );
    let rows = scene.comparison.rows.len() as f32;
    let bottom = scene.top + rows * scene.row;
    for (value, figure) in &chart.axis.ticks {
        let x = painter.round_to_pixel_center(chart.x(*value));
        let color = if *value == 0.0 {
            theme.control
        } else {
            theme.grid
        };
        painter.vline(
            x,
            (scene.top - 6.0)..=(bottom + 4.0),
            Stroke::new(1.0, color),
        );
        painter.text(
            pos2(x, bottom + 12.0),
            Align2::CENTER_CENTER,
            figure,
            fonts::caption(),
            theme.text3,
        );
    }
    let area = Rect::from_min_max(
        pos2(chart.left, scene.top - 34.0),
        pos2(chart.right, scene.top - 14.0),
    );
    let response = ui.interact(area, ui.scope_id().with(("chart", title)), Sense::hover());
    let words = format!("{title} chart: {summary}");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
}

/// A limit as a dashed line through all rows, where it lies on the axis.
fn limit_line(scene: &Scene<'_>, chart: &Chart, at: f64) {
    if !(chart.axis.start..=chart.axis.end).contains(&at) {
        return;
    }
    let (painter, theme) = (&scene.painter, scene.theme);
    let x = painter.round_to_pixel_center(chart.x(at));
    let bottom = scene.top + scene.comparison.rows.len() as f32 * scene.row;
    let line = [pos2(x, scene.top - 14.0), pos2(x, bottom + 4.0)];
    let stroke = Stroke::new(1.0, theme.text2);
    painter.extend(Shape::dashed_line(&line, stroke, 3.0, 3.0));
    let beside = pos2(x + 4.0, scene.top - 9.0);
    let font = fonts::caption();
    painter.text(beside, Align2::LEFT_CENTER, "limit", font, theme.text3);
}

fn size_bar(
    scene: &Scene<'_>,
    chart: &Chart,
    row: &Row,
    y: f32,
    kilo: f64,
    ink: Color32,
    label: Color32,
) {
    let Some(bytes) = row.bytes else { return };
    let value = bytes as f64 / kilo;
    let end = bar(scene, chart, row, value, y, ink);
    value_label(scene, end + 6.0, y, &format::fixed(value, 1), label);
}

fn latency_bar(scene: &Scene<'_>, chart: &Chart, row: &Row, y: f32, ink: Color32, label: Color32) {
    let (Some(median), Some(p95)) = (row.median_ms, row.p95_ms) else {
        if row.is_running() {
            value_label(scene, chart.left + 6.0, y, "Waiting", scene.theme.text3);
        }
        return;
    };
    let unit = scene.comparison.unit;
    let end = bar(scene, chart, row, unit.of(median), y, ink);
    let tick = scene.painter.round_to_pixel_center(chart.x(unit.of(p95)));
    let stroke = Stroke::new(1.0, faded_like(ink, scene.theme.text));
    if tick > end {
        scene.painter.hline(end..=tick, y, stroke);
    }
    if unit.of(p95) <= chart.axis.end {
        scene.painter.vline(tick, (y - 4.0)..=(y + 4.0), stroke);
    }
    let figure = format::fixed(unit.of(median), 1);
    value_label(scene, tick.max(end) + 6.0, y, &figure, label);
}

fn accuracy_bar(scene: &Scene<'_>, chart: &Chart, row: &Row, y: f32, ink: Color32, label: Color32) {
    let theme = scene.theme;
    let zero = chart.x(0.0);
    let figure_at = chart.right + 74.0;
    let figure = |words: &str, color: Color32| {
        scene.painter.text(
            pos2(figure_at, y),
            Align2::RIGHT_CENTER,
            words,
            fonts::small(),
            color,
        );
    };
    if row.baseline {
        if let Some(Some(top1)) = row.top1 {
            row.look
                .paint_marker_sized(&scene.painter, pos2(zero, y), 0.8, ink);
            figure(&format::percent(top1), label);
        }
        return;
    }
    let Some(interval) = row.interval else {
        if row.is_running() && row.top1.is_none() {
            value_label(scene, zero + 6.0, y, "Waiting", theme.text3);
        }
        return;
    };
    let at = chart.x(interval.delta * 100.0);
    let (left, right) = if at < zero { (at, zero) } else { (zero, at) };
    let place = Rect::from_min_max(
        pos2(left.min(zero - 1.0), y - scene.half),
        pos2(right.max(zero + 1.0), y + scene.half),
    );
    row.look.paint_bar(&scene.painter, place, ink);
    let whisker = Stroke::new(1.5, faded_like(ink, theme.text));
    let (low, high) = (
        chart.x(interval.low * 100.0),
        chart.x(interval.high * 100.0),
    );
    scene.painter.hline(low..=high, y, whisker);
    for end in [low, high] {
        scene.painter.vline(end, (y - 4.0)..=(y + 4.0), whisker);
    }
    figure(&format::fixed(interval.delta * 100.0, 2), label);
}

/// `color` as faded as `like` is.
fn faded_like(like: Color32, color: Color32) -> Color32 {
    color.gamma_multiply(f32::from(like.a()) / 255.0)
}

/// A bar from zero; returns its right end.
fn bar(scene: &Scene<'_>, chart: &Chart, row: &Row, value: f64, y: f32, ink: Color32) -> f32 {
    let end = scene
        .painter
        .round_to_pixel_center(chart.x(value))
        .max(chart.left + 1.0);
    let place = Rect::from_min_max(
        pos2(chart.left, (y - scene.half).round()),
        pos2(end, (y + scene.half).round()),
    );
    row.look.paint_bar(&scene.painter, place, ink);
    end
}

fn value_label(scene: &Scene<'_>, x: f32, y: f32, words: &str, color: Color32) {
    let at = pos2(x, y);
    scene
        .painter
        .text(at, Align2::LEFT_CENTER, words, fonts::small(), color);
}

fn joined(comparison: &Comparison, figure: impl Fn(&Row) -> Option<String>) -> String {
    let parts: Vec<String> = comparison
        .rows
        .iter()
        .filter_map(|r| Some(format!("{} {}", r.title(), figure(r)?)))
        .collect();
    if parts.is_empty() {
        "no figures yet".into()
    } else {
        parts.join("; ")
    }
}

fn size_summary(comparison: &Comparison) -> String {
    joined(comparison, |r| r.bytes.map(format::size))
}

fn latency_summary(comparison: &Comparison) -> String {
    joined(comparison, |r| r.median_ms.map(|t| comparison.unit.text(t)))
}

fn accuracy_summary(comparison: &Comparison) -> String {
    joined(comparison, |r| match (r.baseline, r.top1.flatten()) {
        (true, Some(top1)) => Some(format::percent(top1)),
        (_, Some(_)) => r.delta.clone(),
        (_, None) => None,
    })
}
