//! The side panel: model, data, modes and Run; a rail of icons where the window is narrow.

use egui::{
    Align, Align2, Area, Frame, Id, Layout, Margin, Order, Panel, ScrollArea, Ui, Vec2, pos2, vec2,
};

use super::super::actions::Action;
use super::super::{Context, State, fonts};
use super::{side_data, side_engine, side_model, side_modes};
use crate::gui::icons::Icon;
use crate::gui::view::side::run_button;
use crate::gui::widgets::{Button, at, chip, icon_button, text, text_wrapped};
use crate::workbench::Command;

/// Width of the open panel.
const WIDTH: f32 = 296.0;
/// Windows below this width show the rail until the user opens the panel.
const NARROW: f32 = 1180.0;

/// Whether the panel is open in a window of that width.
pub fn is_open(state: &State, window_width: f32) -> bool {
    state.side_open.unwrap_or(window_width >= NARROW)
}

/// Shows the panel, or the rail.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let window = ui.ctx().content_rect();
    let narrow = window.width() < NARROW;
    let open = is_open(context.state, window.width());
    let frame = Frame::new().fill(theme.panel);
    if open && !narrow {
        let shown = Panel::left("side")
            .exact_size(WIDTH)
            .resizable(false)
            .show_separator_line(false)
            .frame(frame)
            .show(ui, |ui| content(ui, context));
        let rect = shown.response.rect;
        context.state.regions.add(rect);
        ui.painter()
            .vline(rect.right() - 0.5, rect.y_range(), theme.separator());
        return;
    }
    let shown = Panel::left("rail")
        .exact_size(48.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame.inner_margin(Margin::symmetric(8, 12)))
        .show(ui, |ui| rail(ui, context, open));
    let rect = shown.response.rect;
    context.state.regions.add(rect);
    ui.painter()
        .vline(rect.right() - 0.5, rect.y_range(), theme.separator());
    if open {
        let area = Area::new(Id::unique("side overlay"))
            .order(Order::Middle)
            .fixed_pos(pos2(rect.right(), rect.top()))
            .constrain(false)
            .show(ui.ctx(), |ui| {
                Frame::new()
                    .fill(theme.panel)
                    .stroke(theme.separator())
                    .show(ui, |ui| {
                        let size = vec2(WIDTH, rect.height());
                        ui.set_min_size(size);
                        ui.set_max_size(size);
                        content(ui, context);
                    });
            });
        let elsewhere = ui.input(|i| {
            i.pointer.any_pressed()
                && i.pointer
                    .interact_pos()
                    .is_some_and(|p| !area.response.rect.contains(p) && !rect.contains(p))
        });
        if elsewhere && !egui::Popup::is_any_open(ui.ctx()) {
            context.state.side_open = None;
        }
    }
}

fn rail(ui: &mut Ui, context: &mut Context<'_>, open: bool) {
    ui.spacing_mut().item_spacing.y = 8.0;
    let keys = Action::Side.keys(ui.ctx());
    let mut toggle = false;
    let (name, verb) = if open {
        ("Hide side panel", "Hide")
    } else {
        ("Show side panel", "Show")
    };
    let hint = format!("{verb} model, data and modes ({keys})");
    toggle |= icon_button(ui, Icon::Panel, name, &hint).clicked();
    for (icon, name) in [
        (Icon::Model, "Model"),
        (Icon::Data, "Data"),
        (Icon::Modes, "Modes"),
    ] {
        toggle |= icon_button(ui, icon, name, name).clicked();
    }
    if toggle {
        context.state.side_open = Some(!open);
    }
    ui.with_layout(Layout::bottom_up(Align::Center), |ui| {
        let run = run_button(context.bench);
        let keys = Action::Run.keys(ui.ctx());
        ui.add_enabled_ui(run.enabled, |ui| {
            let (rect, response) = ui.allocate_exact_size(Vec2::splat(32.0), egui::Sense::click());
            response.widget_info(|| {
                egui::WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), &run.label)
            });
            let theme = context.theme;
            let (fill, ink) = if run.enabled {
                (theme.primary, theme.on_primary)
            } else {
                (theme.hover, theme.text3)
            };
            ui.painter()
                .rect_filled(rect, crate::gui::theme::ROUND, fill);
            Icon::Run.paint(ui.painter(), rect.center(), ink);
            crate::gui::widgets::focus_ring(ui, &response, crate::gui::theme::ROUND);
            let response = response
                .on_hover_text(format!("{} ({keys})", run.label))
                .on_disabled_hover_text(&run.hint);
            if response.clicked() {
                context.push(Command::Run);
            }
        });
    });
}

/// Sections that scroll, and the engine and Run, which do not.
fn content(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let foot_height = 90.0 + side_engine::height(context);
    let whole = ui.available_rect_before_wrap();
    let foot_top = whole.bottom() - foot_height;
    let mut upper = whole;
    upper.set_bottom(foot_top);
    at(ui, upper, |ui| {
        ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                Frame::new()
                    .inner_margin(Margin::symmetric(16, 8))
                    .show(ui, |ui| {
                        ui.set_width(WIDTH - 32.0);
                        ui.spacing_mut().item_spacing.y = 6.0;
                        side_model::ui(ui, context);
                        ui.add_space(4.0);
                        side_data::ui(ui, context);
                        ui.add_space(4.0);
                        side_modes::ui(ui, context);
                    });
            });
    });
    ui.painter()
        .hline(whole.x_range(), foot_top.round() + 0.5, theme.separator());
    let mut lower = whole;
    lower.set_top(foot_top);
    let lower = lower.shrink2(vec2(16.0, 12.0));
    at(ui, lower, |ui| {
        side_engine::ui(ui, context);
        run(ui, context);
    });
}

fn run(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let button = run_button(context.bench);
    let keys = Action::Run.keys(ui.ctx());
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.add_enabled_ui(button.enabled, |ui| {
        let widget = Button::primary(&button.label)
            .icon(Icon::Run)
            .width(ui.available_width());
        let response = ui
            .add(widget)
            .on_hover_text("Quantize, evaluate and time every chosen variant")
            .on_disabled_hover_text(&button.hint);
        if response.clicked() {
            context.push(Command::Run);
        }
    });
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            chip(ui, &keys, None);
            ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
                if !button.hint.is_empty() {
                    text_wrapped(ui, &button.hint, fonts::small(), theme.text2);
                }
            });
        });
    });
}

/// A section's title with what can be pressed at its right.
pub(super) fn section(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(24.0);
        crate::gui::widgets::heading(ui, title);
        ui.with_layout(Layout::right_to_left(Align::Center), right);
    });
}

/// A label of fixed width and its value, both small.
pub(super) fn labelled(
    ui: &mut Ui,
    context: &Context<'_>,
    label: &str,
    value: &str,
) -> egui::Response {
    let theme = context.theme;
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(62.0, 16.0), egui::Sense::hover());
        ui.painter().text(
            rect.left_center(),
            Align2::LEFT_CENTER,
            label,
            fonts::small(),
            theme.text3,
        );
        text(ui, value, fonts::small(), theme.text2)
    })
    .inner
}

/// Opens below a button; the content is a list of [`menu_item`](crate::gui::widgets::menu_item)s.
pub(super) fn menu(button: &egui::Response, content: impl FnOnce(&mut Ui)) {
    egui::Popup::menu(button).gap(4.0).show(|ui| {
        ui.set_width(220.0);
        ui.spacing_mut().item_spacing.y = 0.0;
        content(ui);
    });
}

/// A small text of caution.
pub(super) fn caution(ui: &mut Ui, context: &Context<'_>, words: &str) {
    let theme = context.theme;
    ui.horizontal_top(|ui| {
        let (_, place) = ui.allocate_space(vec2(14.0, 16.0));
        Icon::Warning.paint_sized(ui.painter(), place.center(), 13.0, theme.warning);
        text_wrapped(ui, words, fonts::small(), theme.warning);
    });
}
