//! How to use a file, over the window: scale and zero point of its integers, the line of code for each, what runtime it needs.

use egui::{Id, Margin, Modal, ScrollArea, Stroke, Ui, vec2};

use super::super::{Context, fonts};
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};
use crate::gui::view::data::choice;
use crate::gui::view::feed::{Port, Usage, usage};
use crate::gui::view::words::Word;
use crate::gui::widgets::{Button, hline, icon_button, text, text_wrapped, word};
use crate::workbench::{ExperimentId, Role};

/// Which file is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The open model.
    Model,
    /// The file of an experiment.
    Experiment(ExperimentId),
}

/// Shows the explanation while it is open.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) {
    let Some(of) = context.state.usage else {
        return;
    };
    let bench = context.bench;
    let found = match of {
        Of::Model => bench
            .model
            .as_ref()
            .map(|m| (m.name.clone(), m.graph.clone())),
        Of::Experiment(id) => bench
            .experiment(id)
            .and_then(|e| Some((e.name(), e.file.as_ref()?.graph.clone()))),
    };
    let Some((name, graph)) = found else {
        context.state.usage = None;
        return;
    };
    let preprocess = [Role::Evaluation, Role::Calibration]
        .into_iter()
        .find_map(|role| choice(bench, role).loaded.as_ref()?.preprocess.clone());
    let usage = usage(&graph, preprocess.as_ref());
    let theme = context.theme;
    let room = ctx.content_rect().size() - vec2(48.0, 48.0);
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::symmetric(16, 12));
    let mut close = false;
    let modal = Modal::new(Id::unique("usage"))
        .frame(frame)
        .show(ctx, |ui| {
            ui.set_width(680.0_f32.min(room.x - 32.0));
            ui.horizontal(|ui| {
                text(
                    ui,
                    format!("How to use {name}"),
                    fonts::strong(),
                    theme.text,
                );
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    close = icon_button(ui, Icon::Close, "Close the explanation", "Close (Esc)")
                        .clicked();
                });
            });
            ScrollArea::vertical()
                .max_height((room.y - 100.0).clamp(120.0, 560.0))
                .min_scrolled_height((room.y - 100.0).clamp(120.0, 560.0))
                .auto_shrink([false, true])
                .show(ui, |ui| ports(ui, theme, &usage));
        });
    if close || modal.should_close() {
        context.state.usage = None;
    }
}

fn ports(ui: &mut Ui, theme: &Theme, usage: &Usage) {
    ui.spacing_mut().item_spacing.y = 6.0;
    for (i, port) in usage.ports.iter().enumerate() {
        if i > 0 {
            hline(ui, (0.0, 0.0));
        }
        ui.push_id(i, |ui| one(ui, theme, port));
    }
    if !usage.runtime.is_empty() {
        hline(ui, (0.0, 0.0));
        text(ui, &usage.runtime, fonts::small(), theme.text2);
    }
    for sentence in &usage.slow {
        text_wrapped(ui, sentence, fonts::small(), theme.text2);
    }
}

fn one(ui: &mut Ui, theme: &Theme, port: &Port) {
    ui.horizontal(|ui| {
        text(ui, &port.title, fonts::strong(), theme.text);
        text(ui, &port.kind, fonts::small(), theme.text2);
    });
    if !port.quantization.is_empty() {
        let meaning = [Word::Scale, Word::ZeroPoint, Word::Step]
            .map(|w| format!("{}: {}", w.name(), w.meaning()))
            .join("\n");
        word(ui, &port.quantization, fonts::body(), theme.text, &meaning);
    }
    ui.horizontal(|ui| {
        egui::Frame::new()
            .fill(theme.bg)
            .corner_radius(ROUND)
            .inner_margin(Margin::symmetric(8, 5))
            .show(ui, |ui| {
                ui.set_width(ui.available_width() - 70.0);
                text_wrapped(ui, &port.code, fonts::code(), theme.text);
            });
        let copy = ui.add(Button::bare("Copy"));
        if copy
            .accessible_name(format!("Copy the code of {}", port.title))
            .clicked()
        {
            ui.ctx().copy_text(port.code.clone());
        }
    });
    if let Some(note) = &port.note {
        text(ui, note, fonts::small(), theme.text2);
    }
}
