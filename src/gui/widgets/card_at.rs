//! A card at a given place, for tabs that divide their area themselves.

use egui::{Rect, Ui, UiBuilder, vec2};

use crate::gui::theme::{CARD_MARGIN, ROUND_CARD, Theme};

/// A raised surface that fills `rect`; `padded` keeps a card's margin, else the contents reach its edges.
pub fn card_at<R>(ui: &mut Ui, rect: Rect, padded: bool, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let theme = Theme::of(ui.ctx());
    let outline = theme.separator();
    ui.painter().rect(
        rect,
        ROUND_CARD,
        theme.raised,
        outline,
        egui::StrokeKind::Inside,
    );
    let margin = if padded {
        vec2(f32::from(CARD_MARGIN.left), f32::from(CARD_MARGIN.top))
    } else {
        vec2(1.0, 1.0)
    };
    let salt = (rect.left() as i32, rect.top() as i32);
    let builder = UiBuilder::new()
        .max_rect(rect.shrink2(margin))
        .id_salt(salt);
    ui.scope_builder(builder, |ui| {
        ui.shrink_clip_rect(rect);
        contents(ui)
    })
    .inner
}
