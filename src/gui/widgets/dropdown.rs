//! One choice out of a list that opens below, and a field for a short text.

use egui::{
    Align2, Color32, Margin, Popup, Response, Role, Sense, Stroke, StrokeKind, TextEdit, Ui,
    WidgetInfo, vec2,
};

use super::{focus_ring, menu_item};
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};

/// A button of that width that shows the chosen option and opens the list of all; returns the one that was picked. A screen
/// reader says `name` and the chosen option.
pub fn dropdown(
    ui: &mut Ui,
    name: &str,
    tooltip: &str,
    width: f32,
    options: &[&str],
    chosen: usize,
) -> Option<usize> {
    let theme = Theme::of(ui.ctx());
    let current = options.get(chosen).copied().unwrap_or_default();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo {
        current_text_value: Some(current.to_owned()),
        ..WidgetInfo::labeled(Role::ComboBox, ui.is_enabled(), name)
    });
    let fill = match response.hovered() && ui.is_enabled() {
        true => theme.hover,
        false => theme.raised,
    };
    let outline = Stroke::new(1.0, theme.line_strong);
    let ink = match ui.is_enabled() {
        true => theme.text,
        false => theme.text3,
    };
    let painter = ui.painter();
    painter.rect(rect, ROUND, fill, outline, StrokeKind::Inside);
    let words = painter.with_clip_rect(rect.with_max_x(rect.right() - 22.0));
    let at = rect.left_center() + vec2(8.0, 0.0);
    words.text(at, Align2::LEFT_CENTER, current, fonts::small(), ink);
    let chevron = rect.right_center() - vec2(12.0, 0.0);
    Icon::ChevronDown.paint_sized(painter, chevron, 14.0, theme.text2);
    focus_ring(ui, &response, ROUND);
    let mut picked = None;
    Popup::menu(&response).gap(2.0).show(|ui| {
        ui.set_min_width(width.max(120.0));
        ui.spacing_mut().item_spacing.y = 0.0;
        for (i, option) in options.iter().enumerate() {
            let row = menu_item(ui, option);
            if i == chosen {
                let at = row.rect.right_center() - vec2(12.0, 0.0);
                Icon::Check.paint_sized(ui.painter(), at, 13.0, theme.text2);
            }
            if row.clicked() && i != chosen {
                picked = Some(i);
            }
        }
    });
    response.on_hover_text(tooltip);
    picked
}

/// A field for a short text, in the window's style.
pub fn text_field(ui: &mut Ui, typed: &mut String, name: &str, hint: &str, width: f32) -> Response {
    let theme = Theme::of(ui.ctx());
    let hint = egui::RichText::new(hint)
        .font(fonts::small())
        .color(theme.text3);
    let margin = Margin::symmetric(8, 3);
    let ground = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.control))
        .corner_radius(ROUND)
        .inner_margin(margin);
    let edit = TextEdit::singleline(typed)
        .font(fonts::small())
        .hint_text(hint)
        .text_color(if ui.is_enabled() {
            theme.text
        } else {
            Color32::PLACEHOLDER
        })
        .align(Align2::LEFT_CENTER)
        .margin(margin)
        .min_size(vec2(0.0, 24.0))
        .frame(ground)
        .desired_width(width.max(38.0));
    let response = ui.add(edit).accessible_name(name);
    focus_ring(ui, &response, ROUND);
    response
}
