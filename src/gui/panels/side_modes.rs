//! The modes section: which to run, with which inputs and outputs, how strictly.

use egui::{Align, Frame, Layout, Margin, Ui, vec2};

use super::super::{Context, fonts};
use super::side::section;
use crate::gui::icons::{Icon, Look};
use crate::gui::theme::ROUND_CARD;
use crate::gui::view::side::{io_words, when};
use crate::gui::widgets::{checkbox, checkbox_row, hline, icon_button, segment, text, word};
use crate::workbench::{Command, ModeChoice};

/// Shows the section.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let chosen = context.bench.modes.iter().filter(|m| m.chosen).count();
    let all = context.bench.modes.len();
    section(ui, "Modes", |ui| {
        text(
            ui,
            format!("{chosen} of {all}"),
            fonts::small(),
            theme.text2,
        );
    });
    Frame::new()
        .fill(theme.raised)
        .stroke(theme.separator())
        .corner_radius(ROUND_CARD)
        .inner_margin(Margin::symmetric(10, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 0.0;
            for (i, choice) in context.bench.modes.iter().enumerate() {
                if i > 0 {
                    ui.add_space(5.0);
                    hline(ui, (10.0, 10.0));
                    ui.add_space(2.0);
                }
                ui.push_id(i, |ui| mode(ui, context, choice));
            }
        });
    ui.add_space(4.0);
    let strict = context.bench.strict;
    let row = checkbox_row(ui, strict, "Strict: no operator may stay float").on_hover_text(
        "An operator without a kernel for the mode then stops the conversion with its name, \
         instead of staying float between DEQUANTIZE and QUANTIZE",
    );
    if row.clicked() {
        context.push(Command::SetStrict(!strict));
    }
}

fn mode(ui: &mut Ui, context: &mut Context<'_>, choice: &ModeChoice) {
    let theme = context.theme;
    let mode = choice.mode;
    let (line, tooltip) = when(mode);
    let has_options = mode.ios().len() > 1;
    let open = context.state.open_mode == Some(mode) && has_options;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if checkbox(ui, choice.chosen, mode.name()).clicked() {
            context.push(Command::SetMode(mode, !choice.chosen));
        }
        let (_, place) = ui.allocate_space(vec2(18.0, 24.0));
        Look::mode(mode).paint_marker(ui.painter(), place.center(), theme.mode(mode));
        let ink = if choice.chosen {
            theme.text
        } else {
            theme.text2
        };
        word(ui, mode.name(), fonts::strong(), ink, tooltip);
        if !has_options {
            return;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (icon, verb) = if open {
                (Icon::ChevronUp, "Hide")
            } else {
                (Icon::ChevronDown, "Show")
            };
            let name = format!("{verb} options of {}", mode.name());
            if icon_button(ui, icon, &name, "Inputs and outputs").clicked() {
                context.state.open_mode = if open { None } else { Some(mode) };
            }
            if choice.ios.len() > 1 {
                let files = format!("{} files", choice.ios.len());
                text(ui, files, fonts::small(), theme.text3);
            }
        });
    });
    ui.spacing_mut().interact_size.y = 16.0;
    ui.horizontal(|ui| {
        ui.add_space(48.0);
        let lacks_data = choice.chosen
            && mode.needs_calibration()
            && context.bench.calibration.loaded.is_none()
            && context.bench.calibration.pending.is_none();
        if lacks_data {
            text(ui, "Needs calibration data", fonts::small(), theme.warning);
        } else {
            text(ui, line, fonts::small(), theme.text2).on_hover_text(tooltip);
        }
    });
    if open {
        ui.spacing_mut().interact_size.y = 24.0;
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            ui.add_space(48.0);
            word(
                ui,
                "I/O",
                fonts::small(),
                theme.text2,
                "Type of the model's inputs and outputs; each chosen one gives a file of its own",
            );
            ui.add_space(8.0);
            let options: Vec<(&str, String, &str, bool)> = mode
                .ios()
                .iter()
                .map(|&io| {
                    let (label, meaning) = io_words(io);
                    let name = format!("{} with {} I/O", mode.name(), io.name());
                    (label, name, meaning, choice.ios.contains(&io))
                })
                .collect();
            if let Some(at) = segment(ui, &options) {
                let io = mode.ios()[at];
                context.push(Command::SetIo(mode, io, !choice.ios.contains(&io)));
            }
        });
        ui.add_space(4.0);
    }
}
