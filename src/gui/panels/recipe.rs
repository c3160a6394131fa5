//! The recipe of an experiment, to be changed.

use egui::{DragValue, Id, Margin, Modal, Stroke, Ui, vec2};

use super::super::{Context, fonts};
use crate::gui::icons::Icon;
use crate::gui::view::side::{io_words, when};
use crate::gui::widgets::{Button, checkbox_row, dropdown, icon_button, text, text_wrapped};
use crate::quantize::{Io, Mode, Recipe};
use crate::workbench::{Command, ExperimentId, Workbench};

const WIDTH: f32 = 380.0;
/// Width of the words before a setting.
const LABEL: f32 = 120.0;

/// A recipe as it is being changed.
#[derive(Debug, Clone)]
pub struct State {
    id: ExperimentId,
    recipe: Recipe,
}

impl State {
    /// The recipe of that experiment; `None` if there is no such one.
    pub fn of(bench: &Workbench, id: ExperimentId) -> Option<Self> {
        let recipe = bench.experiment(id)?.intent.recipe.clone();
        Some(Self { id, recipe })
    }
}

/// Shows the recipe while it is open.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) {
    let Some(mut state) = context.state.recipe.take() else {
        return;
    };
    let Some(e) = context.bench.experiment(state.id) else {
        return;
    };
    let (name, before) = (e.name(), e.intent.recipe.clone());
    let theme = context.theme;
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::symmetric(16, 12));
    let (mut close, mut done) = (false, false);
    let modal = Modal::new(Id::unique("recipe"))
        .frame(frame)
        .show(ctx, |ui| {
            ui.set_width(WIDTH);
            ui.spacing_mut().item_spacing.y = 8.0;
            ui.horizontal(|ui| {
                text(ui, format!("Recipe of {name}"), fonts::strong(), theme.text);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    close =
                        icon_button(ui, Icon::Close, "Close the recipe", "Close (Esc)").clicked();
                });
            });
            settings(ui, context, &mut state.recipe);
            ui.add_space(4.0);
            ui.horizontal(|ui| {
                ui.add_enabled_ui(state.recipe != before, |ui| {
                    let hint = "Its figures stay, marked as an earlier run, until it is run";
                    done = ui
                        .add(Button::primary("Change recipe"))
                        .on_hover_text(hint)
                        .on_disabled_hover_text("Nothing is changed")
                        .clicked();
                });
                close |= ui.add(Button::bare("Keep it as it was")).clicked();
            });
        });
    if done {
        context.push(Command::SetRecipe(state.id, Box::new(state.recipe)));
    } else if !close && !modal.should_close() {
        context.state.recipe = Some(state);
    }
}

fn settings(ui: &mut Ui, context: &Context<'_>, recipe: &mut Recipe) {
    let theme = context.theme;
    let modes: Vec<&str> = Mode::ALL.iter().map(|m| m.name()).collect();
    let at = Mode::ALL
        .iter()
        .position(|&m| m == recipe.mode)
        .unwrap_or(0);
    let picked = labelled(ui, context, "Mode", |ui, width| {
        dropdown(
            ui,
            "Mode",
            "How weights and activations are kept",
            width,
            &modes,
            at,
        )
    });
    if let Some(&mode) = picked.and_then(|at| Mode::ALL.get(at)) {
        recipe.mode = mode;
        if !mode.ios().contains(&recipe.io) {
            recipe.io = Io::Float32;
        }
    }
    text_wrapped(ui, when(recipe.mode).1, fonts::small(), theme.text2);
    let ios = recipe.mode.ios();
    if ios.len() > 1 {
        let names: Vec<&str> = ios.iter().map(|io| io.name()).collect();
        let at = ios.iter().position(|&io| io == recipe.io).unwrap_or(0);
        let picked = labelled(ui, context, "Inputs and outputs", |ui, width| {
            dropdown(
                ui,
                "Inputs and outputs",
                io_words(recipe.io).1,
                width,
                &names,
                at,
            )
        });
        if let Some(&io) = picked.and_then(|at| ios.get(at)) {
            recipe.io = io;
        }
    }
    if recipe.mode == Mode::Dynamic {
        labelled(ui, context, "Quantize weights from", |ui, _| {
            let field = DragValue::new(&mut recipe.min_weight_elements)
                .range(0..=1usize << 31)
                .suffix(" elements");
            ui.add(field)
                .accessible_name("Quantize weights from")
                .on_hover_text("Smaller weights stay float: they cost little and lose much");
        });
    }
    if recipe.mode.needs_calibration() {
        let on = recipe.bias_correction;
        let row = checkbox_row(ui, on, "Correct biases").on_hover_text(
            "Biases take back the mean error that rounding the weights leaves, by the means that calibration saw",
        );
        if row.clicked() {
            recipe.bias_correction = !on;
        }
    }
    let strict = recipe.strict;
    let row = checkbox_row(ui, strict, "No operator may stay float here").on_hover_text(
        "An operator without a kernel for the mode then stops the conversion with its name",
    );
    if row.clicked() {
        recipe.strict = !strict;
    }
}

/// A setting with words before it.
fn labelled<R>(
    ui: &mut Ui,
    context: &Context<'_>,
    label: &str,
    setting: impl FnOnce(&mut Ui, f32) -> R,
) -> R {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(LABEL, 24.0), egui::Sense::hover());
        ui.painter().text(
            rect.left_center(),
            egui::Align2::LEFT_CENTER,
            label,
            fonts::small(),
            context.theme.text2,
        );
        let width = ui.available_width();
        setting(ui, width)
    })
    .inner
}
