//! The command palette: everything that can be done now, found by typing.

use egui::{
    Align2, Area, Id, Key, Margin, Modal, Modifiers, ScrollArea, Sense, Stroke, Ui, WidgetInfo,
    accesskit::Role as Say, vec2,
};

use super::super::{Context, fonts};
use crate::gui::theme::ROUND;
use crate::gui::view::palette::{Entry, What, entries, matching};
use crate::gui::widgets::{text, text_field};

const WIDTH: f32 = 560.0;
const ROW: f32 = 30.0;
const ROWS: usize = 11;

/// The open palette.
#[derive(Debug, Default)]
pub struct State {
    typed: String,
    /// Index of the entry that Enter carries out.
    at: usize,
    focused: bool,
}

/// Shows the palette while it is open; returns what was picked.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) -> Option<What> {
    let mut state = context.state.palette.take()?;
    let theme = context.theme;
    let mut picked = None;
    let (mut step, mut enter) = (0i64, false);
    ctx.input_mut(|i| {
        step += i64::from(i.consume_key(Modifiers::NONE, Key::ArrowDown));
        step -= i64::from(i.consume_key(Modifiers::NONE, Key::ArrowUp));
        enter = i.consume_key(Modifiers::NONE, Key::Enter);
    });
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::same(10));
    let width = WIDTH.min(ctx.content_rect().width() - 40.0) - 20.0;
    let area = Area::new(Id::unique("palette area"))
        .kind(egui::UiKind::Modal)
        .sense(Sense::hover())
        .anchor(Align2::CENTER_TOP, vec2(0.0, 70.0))
        .order(egui::Order::Foreground)
        .interactable(true);
    let modal = Modal::new(Id::unique("palette"))
        .area(area)
        .frame(frame)
        .show(ctx, |ui| {
            ui.set_width(width);
            let field = text_field(ui, &mut state.typed, "Command", "Type what to do", width);
            if !std::mem::replace(&mut state.focused, true) {
                field.request_focus();
            }
            if field.changed() {
                state.at = 0;
            }
            let found = matching(entries(context.bench), &state.typed);
            state.at = (state.at as i64 + step).clamp(0, found.len().max(1) as i64 - 1) as usize;
            ui.add_space(4.0);
            if found.is_empty() {
                text(ui, "Nothing is called that", fonts::body(), theme.text2);
            }
            ui.spacing_mut().item_spacing.y = 0.0;
            ScrollArea::vertical()
                .max_height(ROW * ROWS as f32)
                .min_scrolled_height(ROW * ROWS as f32)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    for (i, entry) in found.iter().enumerate() {
                        if row(ui, entry, i == state.at, step != 0) || (enter && i == state.at) {
                            picked = Some(entry.what.clone());
                        }
                    }
                });
        });
    if picked.is_none() && !modal.should_close() {
        context.state.palette = Some(state);
    }
    picked
}

/// One entry; whether it was clicked.
fn row(ui: &mut Ui, entry: &Entry, chosen: bool, moved: bool) -> bool {
    let theme = crate::gui::theme::Theme::of(ui.ctx());
    let size = vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if chosen && moved {
        response.scroll_to_me(None);
    }
    response.widget_info(|| WidgetInfo::selected(Say::MenuItem, true, chosen, &entry.name));
    if !ui.is_rect_visible(rect) {
        return false;
    }
    if chosen || response.hovered() {
        let fill = if chosen { theme.selected } else { theme.hover };
        ui.painter().rect_filled(rect, ROUND, fill);
    }
    let left = rect.left_center() + vec2(8.0, 0.0);
    ui.painter().text(
        left,
        Align2::LEFT_CENTER,
        &entry.name,
        fonts::body(),
        theme.text,
    );
    if let What::Action(action) = entry.what {
        let right = rect.right_center() - vec2(8.0, 0.0);
        let keys = action.keys(ui.ctx());
        ui.painter().text(
            right,
            Align2::RIGHT_CENTER,
            keys,
            fonts::caption(),
            theme.text3,
        );
    }
    response.clicked()
}
