//! Text, cards, separators, chips and progress bars.

use egui::{
    Color32, FontId, Frame, Label, Painter, Rect, Response, RichText, Stroke, StrokeKind, Ui, pos2,
    vec2,
};

use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{CARD_MARGIN, ROUND, ROUND_CARD, Theme};

/// A raised surface with padding.
pub fn card<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let theme = Theme::of(ui.ctx());
    Frame::new()
        .fill(theme.raised)
        .stroke(theme.separator())
        .corner_radius(ROUND_CARD)
        .inner_margin(CARD_MARGIN)
        .show(ui, content)
        .inner
}

/// One line of text, cut with … where it does not fit (the tooltip then has all of it).
pub fn text(ui: &mut Ui, text: impl Into<String>, font: FontId, color: Color32) -> Response {
    ui.add(Label::new(RichText::new(text).font(font).color(color)).truncate())
}

/// Text that breaks into lines.
pub fn text_wrapped(
    ui: &mut Ui,
    text: impl Into<String>,
    font: FontId,
    color: Color32,
) -> Response {
    ui.add(Label::new(RichText::new(text).font(font).color(color)).wrap())
}

/// A jargon word with its explanation as tooltip; the keyboard can rest on it, and F1 shows the tooltip.
pub fn word(ui: &mut Ui, word: &str, font: FontId, color: Color32, tooltip: &str) -> Response {
    let words = RichText::new(word).font(font).color(color);
    let sense = egui::Sense::focusable_noninteractive();
    let response = ui.add(Label::new(words).truncate().sense(sense));
    super::focus_ring(ui, &response, ROUND);
    response.on_hover_text(tooltip)
}

/// Heading of a section.
pub fn heading(ui: &mut Ui, title: &str) -> Response {
    let theme = Theme::of(ui.ctx());
    text(ui, title, fonts::strong(), theme.text)
}

/// A separator across the card or panel, reaching this far into the margins at both sides.
pub fn hline(ui: &mut Ui, overhang: (f32, f32)) {
    let theme = Theme::of(ui.ctx());
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), 1.0));
    let y = ui.painter().round_to_pixel_center(rect.center().y);
    ui.painter().hline(
        (rect.left() - overhang.0)..=(rect.right() + overhang.1),
        y,
        theme.separator(),
    );
}

/// A small outlined word, 20 high, with an icon perhaps.
pub fn chip(ui: &mut Ui, word: &str, icon: Option<Icon>) -> Response {
    let theme = Theme::of(ui.ctx());
    let galley = ui
        .painter()
        .layout_no_wrap(word.to_owned(), fonts::caption(), theme.text2);
    let icon_width = if icon.is_some() { 18.0 } else { 0.0 };
    let size = vec2(galley.size().x + 12.0 + icon_width, 20.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, word));
    ui.painter().rect_stroke(
        rect,
        ROUND,
        Stroke::new(1.0, theme.line_strong),
        StrokeKind::Inside,
    );
    if let Some(icon) = icon {
        icon.paint_sized(
            ui.painter(),
            rect.left_center() + vec2(12.0, 0.0),
            13.0,
            theme.text2,
        );
    }
    let at = pos2(
        rect.left() + 6.0 + icon_width,
        rect.center().y - galley.size().y / 2.0,
    );
    ui.painter().galley(at, galley, theme.text2);
    response
}

/// A bar that is `fraction` full.
pub fn progress_bar(painter: &Painter, rect: Rect, fraction: f32, color: Color32, theme: &Theme) {
    let round = rect.height() / 2.0;
    painter.rect_filled(rect, round, theme.line_strong);
    let mut filled = rect;
    filled.set_width(rect.width() * fraction.clamp(0.0, 1.0));
    if filled.width() >= 1.0 {
        painter.rect_filled(filled, round, color);
    }
}

/// Content in a place that was allocated before; the layout around it does not move.
pub fn at<R>(ui: &mut Ui, rect: Rect, content: impl FnOnce(&mut Ui) -> R) -> R {
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(rect));
    content(&mut child)
}
