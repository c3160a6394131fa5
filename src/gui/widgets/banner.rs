//! What went wrong, in the panel it belongs to, with what to do about it.

use egui::{Frame, Margin, Ui, vec2};

use super::{Button, icon_button, text_wrapped};
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};

/// What the user pressed in a banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banner {
    /// The button of that index.
    Action(usize),
    /// The closing cross.
    Close,
}

/// A message with buttons; an error has the damage tint and a `Copy details` button.
pub fn banner(ui: &mut Ui, is_error: bool, message: &str, actions: &[&str]) -> Option<Banner> {
    let theme = Theme::of(ui.ctx());
    let (fill, edge, icon, ink) = if is_error {
        (
            theme.damage_tint,
            theme.damage_fill,
            Icon::Warning,
            theme.damage,
        )
    } else {
        (theme.raised, theme.control, Icon::Info, theme.text2)
    };
    let mut pressed = None;
    let frame = Frame::new()
        .fill(fill)
        .stroke(theme.separator())
        .corner_radius(ROUND)
        .inner_margin(Margin {
            left: 12,
            right: 6,
            top: 6,
            bottom: 6,
        });
    let shown = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing = vec2(6.0, 4.0);
        ui.horizontal_top(|ui| {
            let (_, place) = ui.allocate_space(vec2(16.0, 24.0));
            icon.paint(ui.painter(), place.center(), ink);
            let narrow = ui.available_width() < 420.0;
            let mut buttons = |ui: &mut Ui| {
                for (i, action) in actions.iter().enumerate() {
                    if ui.add(Button::new(action).height(24.0)).clicked() {
                        pressed = Some(Banner::Action(i));
                    }
                }
                if is_error && ui.add(Button::bare("Copy details")).clicked() {
                    ui.ctx().copy_text(message.to_owned());
                }
            };
            let wide_buttons = if narrow {
                0.0
            } else {
                110.0 * (actions.len() + usize::from(is_error)) as f32
            };
            ui.vertical(|ui| {
                ui.set_width((ui.available_width() - 34.0 - wide_buttons).max(80.0));
                ui.add_space(3.0);
                text_wrapped(ui, message, fonts::body(), theme.text);
                if narrow {
                    ui.horizontal_wrapped(&mut buttons);
                }
            });
            if !narrow {
                buttons(ui);
            }
            if icon_button(ui, Icon::Close, "Close message", "Close this message").clicked() {
                pressed = Some(Banner::Close);
            }
        });
    });
    let mut bar = shown.response.rect;
    bar.set_width(3.0);
    ui.painter().rect_filled(bar, 0.0, edge);
    pressed
}
