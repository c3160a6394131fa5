//! F6 goes from one part of the window to the next: top bar, side panel, tabs, the tab, jobs.

use egui::{Context, Id, LayerId, Rect};

/// The parts of the window in the order of the keyboard, as they stood in the last frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Regions(Vec<Rect>);

impl Regions {
    /// Starts over.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The next part.
    pub fn add(&mut self, rect: Rect) {
        self.0.push(rect);
    }

    /// Gives the keyboard to the first control of the next part that has one, or of the one before.
    pub fn jump(&self, ctx: &Context, back: bool) {
        let controls = controls(ctx);
        let at = |id: Id| {
            controls
                .iter()
                .find(|c| c.0 == id)
                .and_then(|c| self.of(c.1))
        };
        let n = self.0.len();
        let now = ctx.memory(|m| m.focused()).and_then(at);
        // Without a focus the first part is next.
        let start = now.unwrap_or(if back { 0 } else { n.wrapping_sub(1) });
        for step in 1..=n {
            let part = match back {
                true => (start + n - step) % n,
                false => start.wrapping_add(step) % n,
            };
            let first = controls.iter().find(|c| self.of(c.1) == Some(part));
            if let Some((id, _)) = first {
                return ctx.memory_mut(|m| m.request_focus(*id));
            }
        }
    }

    /// The part that a control lies in.
    fn of(&self, rect: Rect) -> Option<usize> {
        self.0.iter().position(|r| r.contains(rect.center()))
    }
}

/// What could be focused in the last frame, in the order of the keyboard.
fn controls(ctx: &Context) -> Vec<(Id, Rect)> {
    ctx.viewport(|viewport| {
        let widgets = &viewport.prev_pass.widgets;
        let all = widgets.get_layer(LayerId::background());
        all.filter(|w| w.enabled && w.sense.is_focusable() && w.interact_rect.is_positive())
            .map(|w| (w.id, w.interact_rect))
            .collect()
    })
}
