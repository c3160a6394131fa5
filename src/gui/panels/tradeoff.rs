//! The trade-off: two figures of the user's choice against each other, with the front of variants that no other beats.

use egui::{
    Align2, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::super::{Context, fonts};
use crate::gui::theme::{FADED, ROUND_CARD};
use crate::gui::view::compare::{Answer, Comparison};
use crate::gui::view::format;
use crate::gui::view::tradeoff::{Measure, Scale, Tradeoff};
use crate::gui::view::words::Word;
use crate::gui::widgets::{at, dropdown, export, text};

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
    let plot = Tradeoff::of(comparison, context.state.tradeoff, &context.state.limits);
    let head = Rect::from_min_max(
        pos2(title.right() + 12.0, rect.top() + 10.0),
        pos2(rect.right() - 12.0, rect.top() + 34.0),
    );
    axes(ui, context, &plot, head);
    if plot.points.len() < 2 {
        let lacks = |m: Measure| m.name().to_lowercase();
        let (x, y) = (lacks(plot.measures.0), lacks(plot.measures.1));
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            format!("Waiting for {x} and {y} of two variants"),
            fonts::small(),
            theme.text3,
        );
        return;
    }
    let area = Rect::from_min_max(
        pos2(rect.left() + 62.0, rect.top() + 66.0),
        pos2(rect.right() - 26.0, rect.bottom() - 54.0),
    );
    let share = |v: f64, scale: &Scale| {
        let (low, high) = scale.range;
        ((v - low) / (high - low)) as f32
    };
    let x = |v: f64| area.left() + area.width() * share(v, &plot.x);
    let y = |v: f64| area.bottom() - area.height() * share(v, &plot.y);
    painter.text(
        pos2(rect.left() + 16.0, area.top() - 14.0),
        Align2::LEFT_CENTER,
        plot.measures.1.title(comparison.unit),
        fonts::caption(),
        theme.text2,
    );
    let grid = Stroke::new(1.0, theme.grid);
    let figure = |at: Pos2, align: Align2, value: f64, scale: &Scale| {
        let words = format::fixed(value, scale.decimals);
        painter.text(at, align, words, fonts::caption(), theme.text3);
    };
    for &tick in &plot.y.ticks {
        let at = painter.round_to_pixel_center(y(tick));
        painter.hline(area.x_range(), at, grid);
        figure(
            pos2(area.left() - 8.0, at),
            Align2::RIGHT_CENTER,
            tick,
            &plot.y,
        );
    }
    for &tick in &plot.x.ticks {
        let at = painter.round_to_pixel_center(x(tick));
        painter.vline(at, area.y_range(), grid);
        figure(
            pos2(at, area.bottom() + 12.0),
            Align2::CENTER_CENTER,
            tick,
            &plot.x,
        );
    }
    painter.text(
        pos2(area.center().x, area.bottom() + 30.0),
        Align2::CENTER_CENTER,
        plot.measures.0.title(comparison.unit),
        fonts::caption(),
        theme.text2,
    );
    if plot.without > 0 {
        let n = format::count(plot.without);
        painter.text(
            pos2(rect.right() - 16.0, area.top() - 14.0),
            Align2::RIGHT_CENTER,
            format!("{n} without these figures"),
            fonts::caption(),
            theme.text3,
        );
    }
    let mut taken: Vec<Rect> = vec![];
    // What fails a limit is tinted, up to a dashed line with the limit's value.
    let dashes = |from: Pos2, to: Pos2| {
        let stroke = Stroke::new(1.0, theme.text2);
        painter.extend(Shape::dashed_line(&[from, to], stroke, 3.0, 3.0));
    };
    let limit_words = |v: f64, m: Measure, scale: &Scale| {
        let decimals = scale.decimals.max(m.decimals());
        format!(
            "Limit {} {}",
            format::fixed(v, decimals),
            m.unit(comparison.unit)
        )
    };
    if let Some(limit) = plot.limits.0 {
        let zone = match plot.measures.0.less_is_better() {
            true => area.with_min_x(x(limit)),
            false => area.with_max_x(x(limit)),
        };
        painter.rect_filled(zone, 0.0, theme.hover);
        let at = painter.round_to_pixel_center(x(limit));
        dashes(pos2(at, area.top()), pos2(at, area.bottom()));
        let words = limit_words(limit, plot.measures.0, &plot.x);
        let (align, away) = match at > area.center().x {
            true => (Align2::RIGHT_TOP, -4.0),
            false => (Align2::LEFT_TOP, 4.0),
        };
        let place = pos2(at + away, area.top() + 2.0);
        taken.push(painter.text(place, align, words, fonts::caption(), theme.text2));
    }
    if let Some(limit) = plot.limits.1 {
        let zone = match plot.measures.1.less_is_better() {
            true => area.with_max_y(y(limit)),
            false => area.with_min_y(y(limit)),
        };
        painter.rect_filled(zone, 0.0, theme.hover);
        let at = painter.round_to_pixel_center(y(limit));
        dashes(pos2(area.left(), at), pos2(area.right(), at));
        let words = limit_words(limit, plot.measures.1, &plot.y);
        let place = pos2(area.right() - 2.0, at - 2.0);
        let words = painter.text(
            place,
            Align2::RIGHT_BOTTOM,
            words,
            fonts::caption(),
            theme.text2,
        );
        taken.push(words);
    }
    let steps: Vec<Pos2> = plot.steps().iter().map(|p| pos2(x(p.0), y(p.1))).collect();
    if let Some(&first) = steps.first() {
        painter.add(Shape::line(steps, Stroke::new(1.0, theme.control)));
        // Beside the foot of the line, on the side that has room.
        let (align, away) = if first.x < area.center().x {
            (Align2::LEFT_CENTER, 6.0)
        } else {
            (Align2::RIGHT_CENTER, -6.0)
        };
        let inwards = if first.y > area.center().y {
            -12.0
        } else {
            12.0
        };
        let foot = pos2(first.x + away, first.y + inwards);
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
        // Then those on the front.
        u8::from(!important) * 2 + u8::from(!plot.points[*i].on_front)
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
        let told = |m: Measure, v: f64| {
            let unit = m.unit(comparison.unit);
            format!("{} {unit}", format::fixed(v, m.decimals()))
        };
        let figures = format!(
            "{}: {}, {}",
            row.title(),
            told(plot.measures.0, point.x),
            told(plot.measures.1, point.y)
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
    let name_at = Rect::from_min_max(rect.min, pos2(title.right(), rect.top() + 40.0));
    let response = ui.interact(name_at, ui.scope_id().with("trade-off"), Sense::hover());
    let (across, up) = (plot.measures.0.name(), plot.measures.1.name());
    let summary = format!("Trade-off chart, {across} by {up}: {}", words.join("; "));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &summary));
    let front = Word::Pareto;
    response.on_hover_text(format!("{}: {}", front.name(), front.meaning()));
    // Below the choice of axes.
    export::offer(ui, rect.with_min_y(rect.top() + 44.0), "Trade-off");
}

/// Which figure stands across, and which upwards.
fn axes(ui: &mut Ui, context: &mut Context<'_>, plot: &Tradeoff, place: Rect) {
    let theme = context.theme;
    let names = Measure::ALL.map(Measure::name);
    let chosen = |m: Measure| Measure::ALL.iter().position(|&a| a == m).unwrap_or(0);
    let width = ((place.width() - 34.0) / 2.0).clamp(60.0, 112.0);
    let axes = &mut context.state.tradeoff;
    at(ui, place, |ui| {
        let right = egui::Layout::right_to_left(egui::Align::Center);
        ui.with_layout(right, |ui| {
            let up = "The figure that the upright axis shows";
            if let Some(i) = dropdown(
                ui,
                "Upright axis",
                up,
                width,
                &names,
                chosen(plot.measures.1),
            ) {
                axes.y = Measure::ALL.get(i).copied();
            }
            text(ui, "by", fonts::small(), theme.text2);
            let across = "The figure that the level axis shows";
            if let Some(i) = dropdown(
                ui,
                "Level axis",
                across,
                width,
                &names,
                chosen(plot.measures.0),
            ) {
                axes.x = Measure::ALL.get(i).copied();
            }
        });
    });
}
