//! Small controls in the window's style; each has a name that a screen reader can say.

mod banner;
mod button;
mod card;
mod card_at;
pub mod channel_plot;
mod dropdown;
pub mod error_plot;
pub mod export;
mod path_field;
pub mod picture;
pub mod plot;
pub mod tensor_plots;
mod thumbnails;
mod toggle;

pub use banner::{Banner, banner};
pub use button::{Button, Kind, icon_button, menu_item};
pub use card::{at, card, chip, heading, hline, progress_bar, text, text_wrapped, word};
pub use card_at::card_at;
pub use dropdown::{dropdown, text_field};
pub use path_field::path_field;
pub use thumbnails::Thumbnails;
pub use toggle::{checkbox, checkbox_row, segment};

use egui::{CornerRadius, Response, Stroke, StrokeKind, Ui};

use super::theme::Theme;

/// The keyboard focus ring: 2 points, 1 point outside the widget.
pub fn focus_ring(ui: &Ui, response: &Response, round: CornerRadius) {
    if response.has_focus() {
        let theme = Theme::of(ui.ctx());
        ui.painter().rect_stroke(
            response.rect.expand(1.0),
            round,
            Stroke::new(2.0, theme.focus),
            StrokeKind::Outside,
        );
    }
}
