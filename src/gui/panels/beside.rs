//! The line below a row of the table where both engines ran: LiteRT's figures in the same columns, and how far its outputs differ.

use egui::{Align2, Rect, Role, Sense, Ui, WidgetInfo, pos2};

use super::super::{Context, fonts};
use crate::gui::view::engines::Beside;

/// Height of the line.
pub const HEIGHT: f32 = 22.0;

/// Right edges of the columns that it fills; `None` for those that do not show.
pub struct Edges {
    /// Left edge of the names.
    pub name: f32,
    /// Median, with its left edge.
    pub median: Option<(f32, f32)>,
    /// 95th percentile.
    pub p95: Option<f32>,
    /// Times faster.
    pub faster: Option<f32>,
    /// Top-1.
    pub top1: Option<f32>,
    /// Right edge of the last column of quality, and left edge of the room for how far the outputs differ.
    pub rest: Option<(f32, f32)>,
}

/// Paints the line into this place.
pub fn ui(ui: &Ui, context: &Context<'_>, line: &Beside, edges: &Edges, rect: Rect) {
    let theme = context.theme;
    let y = rect.center().y - 2.0;
    let painter = ui.painter();
    let say = |left: f32, right: f32, align: Align2, words: &str, ink| {
        let room = Rect::from_x_y_ranges(left..=right, rect.y_range());
        let at = if align == Align2::RIGHT_CENTER {
            right
        } else {
            left
        };
        let clip = painter.with_clip_rect(room.intersect(painter.clip_rect()));
        clip.text(pos2(at, y), align, words, fonts::small(), ink);
    };
    let first = edges.median.map_or(rect.right() - 40.0, |m| m.0);
    let figures = |words: Option<&String>, edge: Option<f32>| {
        if let (Some(words), Some(edge)) = (words, edge) {
            say(edge - 84.0, edge, Align2::RIGHT_CENTER, words, theme.text2);
        }
    };
    if line.failed {
        say(
            edges.name,
            rect.right() - 40.0,
            Align2::LEFT_CENTER,
            &line.sentence,
            theme.damage,
        );
    } else {
        say(
            edges.name,
            first,
            Align2::LEFT_CENTER,
            &line.title,
            theme.text3,
        );
        figures(
            line.latency.as_ref().map(|l| &l.0),
            edges.median.map(|m| m.1),
        );
        figures(line.latency.as_ref().map(|l| &l.1), edges.p95);
        figures(line.faster.as_ref(), edges.faster);
        figures(line.top1.as_ref(), edges.top1);
        if let Some((left, right)) = edges.rest {
            say(left, right, Align2::RIGHT_CENTER, &line.short, theme.text2);
        }
    }
    let response = ui.interact(rect, ui.scope_id().with("litert"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &line.sentence));
    response.on_hover_text(&line.sentence);
}
