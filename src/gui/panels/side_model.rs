//! The model section: what is open, and how to open another.

use egui::Ui;

use super::super::actions::Action;
use super::super::{Ask, Context, fonts};
use super::messages::typed_path;
use super::side::{labelled, menu, section};
use super::side_entry;
use crate::gui::icons::Icon;
use crate::gui::view::feed::has_integers;
use crate::gui::view::{format, side};
use crate::gui::widgets::{Banner, Button, banner, card, chip, menu_item, text};
use crate::workbench::{Command, files};

/// Shows the section.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    section(ui, "Model", |ui| {
        let keys = Action::Open.keys(ui.ctx());
        let button = ui
            .add(Button::bare("Open…").strong())
            .on_hover_text(format!("Open another model ({keys})"));
        let button = button.accessible_name("Open model…");
        menu(&button, |ui| open_menu(ui, context));
    });
    typed_path(ui, context, |ask| *ask == Ask::Model);
    if context.bench.model_pending.is_some() {
        text(ui, "Reading the model", fonts::small(), context.theme.text2);
    }
    if let Some(message) = context.bench.model_error.clone()
        && !context.is_closed(&message)
    {
        match banner(ui, true, &message, &["Choose another file…"]) {
            Some(Banner::Action(_)) => context.ask(Ask::Model),
            Some(Banner::Close) => context.close_error(&message),
            None => {}
        }
    }
    let Some(model) = &context.bench.model else {
        return;
    };
    let theme = context.theme;
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        ui.horizontal(|ui| {
            let (_, place) = ui.allocate_space(egui::vec2(16.0, 20.0));
            Icon::Model.paint(ui.painter(), place.center(), theme.text2);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                chip(ui, &side::extension(model), None);
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    let name = format::elide(&model.name, 24);
                    let full = model
                        .path
                        .as_ref()
                        .map_or_else(|| model.name.clone(), |p| p.display().to_string());
                    text(ui, name, fonts::strong(), theme.text).on_hover_text(full);
                });
            });
        });
        ui.add_space(2.0);
        ui.spacing_mut().interact_size.y = 16.0;
        for (label, value) in side::model_lines(model) {
            let response = labelled(ui, context, &label, &value);
            if label == "Operators" {
                response.on_hover_text(side::operator_list(model));
            }
        }
        side_entry::ui(ui, context);
        if has_integers(&model.graph) {
            let button = ui.add(Button::bare("How to feed it…"));
            let hint = "Scale and zero point of its integers, and the line of code for each";
            if button.on_hover_text(hint).clicked() {
                context.state.usage = Some(super::usage::Of::Model);
            }
        }
    });
}

fn open_menu(ui: &mut Ui, context: &mut Context<'_>) {
    if menu_item(ui, "Open file…").clicked() {
        context.ask(Ask::Model);
    }
    if menu_item(ui, "Type a path").clicked() {
        context.type_path(Ask::Model);
    }
    if menu_item(ui, "MNIST demo").clicked() {
        context.push(Command::OpenDemo);
    }
    for path in context.bench.recent.iter().take(5) {
        let name = format::elide(&files::file_name(path), 32);
        if menu_item(ui, &name)
            .on_hover_text(path.display().to_string())
            .clicked()
        {
            context.commands.push(Command::OpenModel(path.clone()));
        }
    }
}
