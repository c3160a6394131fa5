//! The bar at the top: what this is, which model is open, dark or light.

use egui::{Frame, Margin, Panel, Ui, vec2};

use super::super::actions::Action;
use super::super::{Ask, Context, fonts};
use super::side::menu;
use crate::gui::icons::Icon;
use crate::gui::view::format;
use crate::gui::view::session::{file_name, words};
use crate::gui::widgets::{Button, icon_button, menu_item, text};
use crate::workbench::Command;

/// Shows the bar.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let frame = Frame::new()
        .fill(theme.panel)
        .inner_margin(Margin::symmetric(12, 0));
    let shown = Panel::top("top")
        .exact_size(44.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame)
        .show(ui, |ui| {
            ui.horizontal_centered(|ui| {
                let (_, logo) = ui.allocate_space(vec2(18.0, 18.0));
                Icon::Logo.paint(ui.painter(), logo.center(), theme.text);
                ui.add_space(4.0);
                text(ui, "Zeropoint", fonts::strong(), theme.text);
                if let Some(model) = &context.bench.model {
                    ui.add_space(6.0);
                    let (_, bar) = ui.allocate_space(vec2(1.0, 20.0));
                    ui.painter()
                        .vline(bar.center().x, bar.y_range(), theme.separator());
                    ui.add_space(6.0);
                    let place = model.path.as_ref();
                    let place = place.map_or_else(String::new, |p| p.display().to_string());
                    models(ui, context, &place);
                }
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let (icon, name, next) = if theme.dark {
                        (Icon::ThemeLight, "Light theme", egui::Theme::Light)
                    } else {
                        (Icon::ThemeDark, "Dark theme", egui::Theme::Dark)
                    };
                    let tooltip = format!("Show the window in the {} theme", next_name(next));
                    if icon_button(ui, icon, name, &tooltip).clicked() {
                        ui.ctx().set_theme(next);
                    }
                    report(ui, context);
                    let operators = ui
                        .add(Button::bare("Operators"))
                        .on_hover_text("What this version opens, runs and quantizes");
                    if operators.clicked() {
                        context.state.operators = Some(super::operators::State::new());
                    }
                    let keys = Action::Help.keys(ui.ctx());
                    let help = ui.add(Button::bare("Help")).on_hover_text(format!(
                        "Three steps, when to choose a mode, what the words mean ({keys})"
                    ));
                    context.state.help |= help.clicked();
                    if context.bench.model.is_some() {
                        session(ui, context);
                    }
                    let keys = Action::Palette.keys(ui.ctx());
                    let find = ui
                        .add(Button::bare("Find a command").icon(Icon::Search))
                        .on_hover_text(format!(
                            "Everything that can be done now, by typing ({keys})"
                        ));
                    if find.clicked() {
                        context.state.palette = Some(super::palette::State::default());
                    }
                });
            });
        });
    let rect = shown.response.rect;
    context.state.regions.add(rect);
    ui.painter()
        .hline(rect.x_range(), rect.bottom() - 0.5, theme.separator());
}

/// The name of the current model, and the menu of all that are open.
fn models(ui: &mut Ui, context: &mut Context<'_>, place: &str) {
    let open = context.bench.models();
    let current = format::elide(context.bench.name(), 40);
    let label = match open.len() {
        0 | 1 => current,
        n => format!("{current}, {n} models open"),
    };
    let hint = match place.is_empty() {
        true => "Open models: show another, open one more, close".to_owned(),
        false => format!("{place}\nOpen models: show another, open one more, close"),
    };
    let button = ui
        .add(Button::bare(&label).icon(Icon::Model))
        .on_hover_text(hint);
    menu(&button, |ui| {
        for model in &open {
            let name = format::elide(model.name(), 26);
            if model.id != context.bench.id && menu_item(ui, &format!("Show {name}")).clicked() {
                context.push(Command::SelectModel(model.id));
            }
        }
        for model in &open {
            let name = format::elide(model.name(), 26);
            if menu_item(ui, &format!("Close {name}")).clicked() {
                context.push(Command::CloseModel(model.id));
            }
        }
        if menu_item(ui, "Open another model…").clicked() {
            context.ask(Ask::Model);
        }
    });
}

/// The button that exports a report; only once there is something to tell.
fn report(ui: &mut Ui, context: &mut Context<'_>) {
    let models = context.bench.models();
    let mut all = models.iter().flat_map(|d| &d.experiments);
    if !all.any(|e| e.file.is_some()) {
        return;
    }
    let keys = Action::Report.keys(ui.ctx());
    let hint = format!(
        "Everything that has run as one page (.html), a table (.csv) or data (.json) ({keys})"
    );
    let button = ui.add(Button::bare("Export report…").icon(Icon::Export));
    if button.on_hover_text(hint).clicked() {
        context.ask_report();
    }
}

/// Whether the session is saved, and the button that does it.
fn session(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let held = &context.bench.session;
    let (words, failed) = words(held);
    let keys = Action::Save.keys(ui.ctx());
    let place = match &held.path {
        Some(path) => format!("to {}", path.display()),
        None => "to a file: model, data, recipes and all results".to_owned(),
    };
    let save = ui.add(Button::bare("Save session"));
    if save
        .on_hover_text(format!("Write the session {place} ({keys})"))
        .clicked()
    {
        match (&held.path, &context.bench.model) {
            (Some(path), _) => context.push(Command::SaveSession(path.clone())),
            (None, Some(model)) => context.ask(Ask::SaveSession(file_name(model))),
            (None, None) => {}
        }
    }
    let ink = if failed { theme.damage } else { theme.text3 };
    let label = text(ui, words, fonts::small(), ink);
    if let crate::workbench::SaveStatus::Failed(why) = &context.bench.session.status {
        label.on_hover_text(why);
    }
}

fn next_name(theme: egui::Theme) -> &'static str {
    match theme {
        egui::Theme::Dark => "dark",
        egui::Theme::Light => "light",
    }
}
