//! Checkboxes and segments.

use egui::{
    Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    vec2,
};

use super::focus_ring;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, ROUND_CHECK, Theme};

/// A checkbox without a label of its own, 24 square to hit; `name` is what it switches.
pub fn checkbox(ui: &mut Ui, on: bool, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(18.0, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), on, name));
    let square = Rect::from_center_size(rect.center(), Vec2::splat(14.0));
    paint_box(ui, square, on, &response);
    response
}

/// A checkbox with its label, both to hit.
pub fn checkbox_row(ui: &mut Ui, on: bool, label: &str) -> Response {
    let theme = Theme::of(ui.ctx());
    let galley = ui
        .painter()
        .layout_no_wrap(label.to_owned(), fonts::body(), Color32::PLACEHOLDER);
    let (rect, response) =
        ui.allocate_exact_size(vec2(26.0 + galley.size().x, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), on, label));
    let square = Rect::from_center_size(rect.left_center() + vec2(9.0, 0.0), Vec2::splat(14.0));
    paint_box(ui, square, on, &response);
    let at = rect.left_center() + vec2(26.0, -galley.size().y / 2.0);
    ui.painter().galley(at, galley, theme.text2);
    response
}

fn paint_box(ui: &Ui, square: Rect, on: bool, response: &Response) {
    let theme = Theme::of(ui.ctx());
    let painter = ui.painter();
    let ink = if ui.is_enabled() {
        theme.primary
    } else {
        theme.text3
    };
    if on {
        painter.rect_filled(square, ROUND_CHECK, ink);
        Icon::Check.paint_sized(painter, square.center(), 13.0, theme.on_primary);
    } else {
        let fill = if response.hovered() {
            theme.hover
        } else {
            theme.raised
        };
        painter.rect_filled(square, ROUND_CHECK, fill);
        painter.rect_stroke(
            square,
            ROUND_CHECK,
            Stroke::new(1.0, theme.control),
            StrokeKind::Inside,
        );
    }
    if response.has_focus() {
        painter.rect_stroke(
            square.expand(1.0),
            ROUND_CHECK,
            Stroke::new(2.0, theme.focus),
            StrokeKind::Outside,
        );
    }
}

/// Options side by side, each on or off: (label, name for screen readers, tooltip, on). Returns the one that was pressed.
pub fn segment(ui: &mut Ui, options: &[(&str, String, &str, bool)]) -> Option<usize> {
    let theme = Theme::of(ui.ctx());
    let mut pressed = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.horizontal(|ui| {
            let last = options.len().saturating_sub(1);
            let mut whole = Rect::NOTHING;
            for (i, (label, name, tooltip, on)) in options.iter().enumerate() {
                let font = if *on {
                    fonts::small_strong()
                } else {
                    fonts::small()
                };
                let galley =
                    ui.painter()
                        .layout_no_wrap((*label).to_owned(), font, Color32::PLACEHOLDER);
                let size = vec2(galley.size().x + 18.0, 24.0);
                let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                response.widget_info(|| {
                    WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), *on, name)
                });
                let round = CornerRadius {
                    nw: if i == 0 { 4 } else { 0 },
                    sw: if i == 0 { 4 } else { 0 },
                    ne: if i == last { 4 } else { 0 },
                    se: if i == last { 4 } else { 0 },
                };
                let fill = match (*on, response.hovered()) {
                    (true, _) => theme.selected,
                    (false, true) => theme.hover,
                    (false, false) => theme.raised,
                };
                ui.painter().rect_filled(rect, round, fill);
                let ink = if *on { theme.text } else { theme.text2 };
                let at = rect.center() - galley.size() / 2.0;
                ui.painter().galley(at, galley, ink);
                if i > 0 {
                    let x = ui.painter().round_to_pixel_center(rect.left());
                    ui.painter()
                        .vline(x, rect.y_range(), Stroke::new(1.0, theme.line_strong));
                }
                focus_ring(ui, &response, round);
                whole = whole.union(rect);
                if response.on_hover_text(*tooltip).clicked() {
                    pressed = Some(i);
                }
            }
            ui.painter().rect_stroke(
                whole,
                ROUND,
                Stroke::new(1.0, theme.line_strong),
                StrokeKind::Inside,
            );
        });
    });
    pressed
}
