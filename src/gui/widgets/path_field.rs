//! A field to type or paste a path into.

use std::path::PathBuf;

use egui::{Key, Margin, Stroke, TextEdit, Ui, vec2};

use crate::gui::fonts;
use crate::gui::theme::{ROUND, Theme};

use super::Button;

/// A field of that name with a button beside it; returns the path when either Enter or the button confirms it.
pub fn path_field(
    ui: &mut Ui,
    typed: &mut String,
    name: &str,
    verb: &str,
    take_focus: bool,
) -> Option<PathBuf> {
    let theme = Theme::of(ui.ctx());
    let mut confirmed = false;
    ui.horizontal(|ui| {
        let height = 32.0_f32.min(ui.available_height().max(28.0));
        let button = 24.0 + 8.0 * verb.chars().count() as f32;
        let edit = TextEdit::singleline(typed)
            .font(fonts::code())
            .hint_text(
                egui::RichText::new("Type or paste a path")
                    .font(fonts::code())
                    .color(theme.text3),
            )
            .align(egui::Align2::LEFT_CENTER)
            .margin(Margin::symmetric(8, 4))
            .min_size(vec2(0.0, height))
            .frame(
                egui::Frame::new()
                    .fill(theme.raised)
                    .stroke(Stroke::new(1.0, theme.control))
                    .corner_radius(ROUND)
                    .inner_margin(Margin::symmetric(8, 4)),
            )
            .desired_width((ui.available_width() - button - 22.0).max(80.0));
        let response = ui.add(edit).accessible_name(name);
        if take_focus {
            response.request_focus();
        }
        super::focus_ring(ui, &response, ROUND);
        confirmed |= response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        let ready = !clean(typed).is_empty();
        let open = ui.add_enabled(ready, Button::new(verb).height(height));
        confirmed |= open.clicked();
    });
    let path = clean(typed);
    (confirmed && !path.is_empty()).then(|| PathBuf::from(path))
}

/// The path without the blanks and quotes that copying it from a file manager or a terminal brings along.
fn clean(typed: &str) -> String {
    let bare = typed.trim();
    let bare = bare.strip_prefix("file://").unwrap_or(bare);
    bare.trim_matches(|c| c == '"' || c == '\'').to_owned()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn pasted_paths_lose_their_wrapping() {
        assert_eq!(clean("  \"/a b/c.tflite\"\n"), "/a b/c.tflite");
        assert_eq!(clean("file:///a/b.tflite"), "/a/b.tflite");
        assert_eq!(clean("   "), "");
    }
}
