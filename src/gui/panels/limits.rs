//! The limits at the right of the tab strip: chips of those that are set, and the menu that changes them.

use egui::{Align, DragValue, Layout, Popup, PopupCloseBehavior, Rect, Response, Ui, pos2, vec2};

use super::super::{Context, fonts};
use crate::gui::icons::Icon;
use crate::gui::view::format;
use crate::gui::view::limits::{Limit, time_unit};
use crate::gui::widgets::{Button, at, checkbox_row, text};

/// From this width of the strip on every limit has its chip.
const CHIPS: f32 = 1060.0;

/// Shows them in the strip, right of `from`.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, strip: Rect, from: f32) {
    if context.bench.experiments.is_empty() {
        return;
    }
    let theme = context.theme;
    let unit = time_unit(context.bench);
    let limits = context.state.limits;
    let place = Rect::from_min_max(
        pos2(from, strip.top()),
        pos2(strip.right() - 16.0, strip.bottom() - 1.0),
    );
    at(ui, place, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let set = limits.all().count();
            let more = match (strip.width() < CHIPS, set) {
                (false, _) => "Limit".to_owned(),
                (true, 0) => "Limits".to_owned(),
                (true, 1) => "1 limit".to_owned(),
                (true, n) => format!("{n} limits"),
            };
            let icon = match strip.width() < CHIPS {
                true => Icon::Filter,
                false => Icon::Add,
            };
            let button = ui.add(Button::bare(&more).icon(icon));
            menu(&button, context);
            button.on_hover_text("What a variant must keep: accuracy, size, latency");
            if strip.width() < CHIPS {
                return;
            }
            for limit in limits.all().collect::<Vec<_>>().into_iter().rev() {
                let words = limits.words(limit, unit);
                let chip = ui.add(Button::new(&words).height(24.0));
                menu(&chip, context);
                chip.on_hover_text("Change or remove this limit");
            }
            if set > 0 {
                text(ui, "Limits", fonts::small(), theme.text3);
            }
        });
    });
}

/// A row for each limit: whether it is set, and to what.
fn menu(button: &Response, context: &mut Context<'_>) {
    let popup = Popup::menu(button).gap(4.0);
    popup
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            ui.set_width(270.0);
            for limit in Limit::ALL {
                ui.horizontal(|ui| row(ui, context, limit));
            }
        });
}

fn row(ui: &mut Ui, context: &mut Context<'_>, limit: Limit) {
    let (theme, unit) = (context.theme, time_unit(context.bench));
    let now = context.state.limits.get(limit);
    ui.add_space(4.0);
    let label = format!("{} at most", limit.name());
    if checkbox_row(ui, now.is_some(), &label).clicked() {
        let usual = limit.usual(context.bench);
        context
            .state
            .limits
            .set(limit, now.is_none().then_some(usual));
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.add_space(4.0);
        text(ui, limit.unit(unit), fonts::body(), theme.text2);
        let Some(most) = now else { return };
        let factor = limit.shown_per_kept(unit);
        let mut shown = most * factor;
        let speed = (shown / 200.0).max(0.01);
        let decimals = limit.decimals();
        ui.spacing_mut().interact_size = vec2(56.0, 24.0);
        let field = DragValue::new(&mut shown)
            .range(0.0..=1e9)
            .speed(speed)
            .update_while_editing(false)
            .custom_formatter(move |n, _| format::fixed(n, decimals))
            .custom_parser(|typed| typed.replace([',', ' '], "").parse().ok());
        if ui.add(field).accessible_name(limit.name()).changed() {
            context.state.limits.set(limit, Some(shown / factor));
        }
    });
}
