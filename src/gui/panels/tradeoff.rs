//! The trade-off: latency against accuracy, with the front of variants that no other beats.

use egui::{
    Align2, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::super::{Context, fonts};
use crate::gui::theme::{FADED, ROUND_CARD};
use crate::gui::view::bars::Axis;
use crate::gui::view::compare::{Answer, Comparison};
use crate::gui::view::format;
use crate::gui::view::tradeoff::{Measure, Tradeoff};
use crate::gui::view::words::Word;
use crate::gui::widgets::export;

/// Paints the card into this place.
pub fn ui(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    answer: &Answer,
    rect: Rect,
) {
    let theme = context.theme;
    let painter = ui.painter().clone();
    painter.rect_filled(rect, ROUND_CARD, theme.raised);
    painter.rect_stroke(rect, ROUND_CARD, theme.separator(), StrokeKind::Inside);
    let title_at = pos2(rect.left() + 16.0, rect.top() + 22.0);
    let title = painter.text(
        title_at,
        Align2::LEFT_CENTER,
        "Trade-off",
        fonts::strong(),
        theme.text,
    );
    let Some(plot) = Tradeoff::of(comparison) else {
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            "Waiting for latency and accuracy",
            fonts::small(),
            theme.text3,
        );
        return;
    };
    let (measure, axis_title) = match plot.measure {
        Measure::Top1 => ("accuracy", "Top-1 accuracy (%)"),
        Measure::Agreement => ("agreement", "Agreement with float32 (%)"),
    };
    painter.text(
        pos2(title.right() + 8.0, title_at.y + 0.5),
        Align2::LEFT_CENTER,
        format!("latency by {measure}"),
        fonts::small(),
        theme.text2,
    );
    let area = Rect::from_min_max(
        pos2(rect.left() + 62.0, rect.top() + 66.0),
        pos2(rect.right() - 26.0, rect.bottom() - 54.0),
    );
    let largest = plot.points.iter().map(|p| p.x).fold(0.0, f64::max);
    let x_axis = Axis::from_zero(largest * 1.05);
    let x = |v: f64| area.left() + area.width() * x_axis.place(v);
    let (low, high) = plot.y_range;
    let y = |v: f64| area.bottom() - area.height() * ((v - low) / (high - low)) as f32;
    painter.text(
        pos2(area.left(), area.top() - 14.0),
        Align2::LEFT_CENTER,
        axis_title,
        fonts::caption(),
        theme.text2,
    );
    let grid = Stroke::new(1.0, theme.grid);
    for &tick in &plot.y_ticks {
        let at = painter.round_to_pixel_center(y(tick));
        painter.hline(area.x_range(), at, grid);
        painter.text(
            pos2(area.left() - 8.0, at),
            Align2::RIGHT_CENTER,
            format::fixed(tick, plot.y_decimals),
            fonts::caption(),
            theme.text3,
        );
    }
    for (value, figure) in &x_axis.ticks {
        let at = painter.round_to_pixel_center(x(*value));
        painter.vline(at, area.y_range(), grid);
        painter.text(
            pos2(at, area.bottom() + 12.0),
            Align2::CENTER_CENTER,
            figure,
            fonts::caption(),
            theme.text3,
        );
    }
    painter.text(
        pos2(area.center().x, area.bottom() + 30.0),
        Align2::CENTER_CENTER,
        format!("Latency, median ({})", comparison.unit.name),
        fonts::caption(),
        theme.text2,
    );
    let mut taken: Vec<Rect> = vec![];
    let front: Vec<Pos2> = plot.front().iter().map(|p| pos2(x(p.x), y(p.y))).collect();
    if let (Some(first), Some(last)) = (front.first(), front.last()) {
        let mut steps = vec![pos2(first.x, area.bottom())];
        let mut level = first.y;
        steps.push(*first);
        for point in &front[1..] {
            steps.push(pos2(point.x, level));
            steps.push(*point);
            level = point.y;
        }
        steps.push(pos2(area.right(), last.y));
        painter.add(Shape::line(steps, Stroke::new(1.0, theme.control)));
        // Beside the foot of the line, on the side that has room.
        let (align, away) = if first.x < area.center().x {
            (Align2::LEFT_BOTTOM, 6.0)
        } else {
            (Align2::RIGHT_BOTTOM, -6.0)
        };
        let foot = pos2(first.x + away, area.bottom() - 5.0);
        let caption = fonts::caption();
        taken.push(painter.text(foot, align, "Pareto front", caption, theme.text3));
    }
    let mut words = vec![];
    // Names of the chosen, the recommended and the baseline go first; others give way.
    let mut order: Vec<usize> = (0..plot.points.len()).collect();
    let rank = |i: &usize| {
        let id = plot.points[*i].id;
        let row = comparison.rows.iter().find(|r| r.id == id);
        let important = context.state.selected == Some(id)
            || answer.experiment == Some(id)
            || row.is_some_and(|r| r.baseline);
        u8::from(!important)
    };
    order.sort_by_key(rank);
    for i in order {
        let point = plot.points[i];
        let Some(row) = comparison.rows.iter().find(|r| r.id == point.id) else {
            continue;
        };
        let at = pos2(x(point.x), y(point.y));
        let fade = match context.state.hovered {
            Some(id) if id != point.id => FADED,
            _ => 1.0,
        };
        let color = theme.mode(row.look.mode).gamma_multiply(fade);
        let hit = Rect::from_center_size(at, vec2(24.0, 24.0));
        let response = ui.interact(hit, ui.scope_id().with(("point", point.id.0)), Sense::CLICK);
        if response.contains_pointer() {
            context.hover(point.id);
        }
        if response.clicked() {
            context.state.selected = Some(point.id);
        }
        let figures = format!(
            "{}: {} {}, {} %",
            row.title(),
            format::fixed(point.x, 1),
            comparison.unit.name,
            format::fixed(point.y, 2)
        );
        response.on_hover_text(&figures);
        words.push(figures);
        row.look.paint_marker(&painter, at, color);
        if context.state.selected == Some(point.id) {
            painter.circle_stroke(at, 10.0, Stroke::new(1.5, theme.text));
        }
        let galley = painter.layout_no_wrap(row.title(), fonts::caption(), theme.text2);
        let size = galley.size();
        let places = [
            pos2(at.x + 10.0, at.y - size.y - 2.0),
            pos2(at.x - size.x - 10.0, at.y - size.y - 2.0),
            pos2(at.x + 10.0, at.y + 3.0),
            pos2(at.x - size.x - 10.0, at.y + 3.0),
        ];
        let free = places.into_iter().find(|&p| {
            let name = Rect::from_min_size(p, size);
            let inside = rect.shrink(6.0).contains_rect(name);
            inside && !taken.iter().any(|t| t.intersects(name))
        });
        if let Some(place) = free {
            taken.push(Rect::from_min_size(place, size).expand(1.0));
            painter.galley(place, galley, theme.text2.gamma_multiply(fade));
        }
    }
    let name_at = Rect::from_min_max(rect.min, pos2(rect.right(), rect.top() + 40.0));
    let response = ui.interact(name_at, ui.scope_id().with("trade-off"), Sense::hover());
    let summary = format!("Trade-off chart: {}", words.join("; "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &summary));
    let front = Word::Pareto;
    response.on_hover_text(format!("{}: {}", front.name(), front.meaning()));
    export::offer(ui, rect, "Trade-off");
}
