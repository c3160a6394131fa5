//! F1 shows the tooltip of what has the keyboard, as if the pointer rested on it: every tooltip is reached without a mouse.

use egui::{Context, Event, Key, RawInput};

/// Watches for the key.
#[derive(Debug, Default)]
pub struct Pointing;

impl egui::Plugin for Pointing {
    fn debug_name(&self) -> &'static str {
        "tooltip of the focused word"
    }

    fn input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        let asks = |e: &Event| {
            matches!(
                e,
                Event::Key {
                    key: Key::F1,
                    pressed: true,
                    ..
                }
            )
        };
        if !input.events.iter().any(asks) {
            return;
        }
        let focused = ctx.memory(|m| m.focused());
        if let Some(response) = focused.and_then(|id| ctx.read_response(id)) {
            let at = response.rect.center();
            input.events.push(Event::PointerMoved(at));
        }
    }
}
