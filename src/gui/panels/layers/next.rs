//! Operators kept float in the next experiment: chosen in the inspector, listed above the operators, run as a new experiment.

use egui::{Align, Layout, ScrollArea, Ui};

use super::super::super::Context;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::view::layers::{Layer, Layers};
use crate::gui::view::next::{self as view, Next};
use crate::gui::widgets::{Button, dropdown, heading, text, text_wrapped};
use crate::quantize::OperatorRef;
use crate::workbench::Command;

/// In the inspector: whether this operator is kept float.
pub fn choice(ui: &mut Ui, context: &mut Context<'_>, all: &Layers, layer: &Layer) {
    let theme = context.theme;
    let Some(operator) = reference(context, layer.index) else {
        return;
    };
    if all.columns.is_empty() || layer.is_shape {
        return;
    }
    heading(ui, "In the next experiment");
    let next = &mut context.state.layers.next;
    let kept = next.keeps(&operator);
    let base = view::base(context.bench, next, context.state.selected);
    let from = base.map_or_else(String::new, |e| e.name());
    let words = match kept {
        true => format!("{} stays float32", layer.op),
        false => format!("{} as the mode says", layer.op),
    };
    text(ui, words, fonts::small(), theme.text2);
    ui.horizontal(|ui| match kept {
        true => {
            if ui.add(Button::new("As the mode says")).clicked() {
                next.remove(&operator);
            }
        }
        false => {
            let keep = ui.add(Button::new("Keep float"));
            let hint = format!(
                "A new experiment that starts from {from} and computes this operator in float32, between DEQUANTIZE and QUANTIZE"
            );
            if keep.on_hover_text(hint).clicked() {
                next.kept.push(operator);
            }
        }
    });
    if !from.is_empty() {
        let note = format!("Starts from {from}. Conversions are added where float meets integers");
        text_wrapped(ui, note, fonts::small(), theme.text3);
    }
    ui.add_space(8.0);
}

fn reference(context: &Context<'_>, index: usize) -> Option<OperatorRef> {
    let model = context.bench.model.as_ref()?;
    OperatorRef::of(model.graph.main(), index)
}

/// Above the list, once there is something in it: what is kept float, from which experiment, and the button that runs it.
pub fn strip(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    if context.state.layers.next.kept.is_empty() {
        return;
    }
    let bench = context.bench;
    let possible = view::bases(bench);
    let selected = context.state.selected;
    let next = &mut context.state.layers.next;
    let at = view::base(bench, next, selected)
        .and_then(|e| possible.iter().position(|p| p.id == e.id))
        .unwrap_or(0);
    egui::Frame::new()
        .inner_margin(egui::Margin {
            left: 16,
            right: 16,
            top: 0,
            bottom: 8,
        })
        .show(ui, |ui| {
            let right = Layout::right_to_left(Align::Center);
            ui.allocate_ui_with_layout(egui::vec2(ui.available_width(), 32.0), right, |ui| {
                let run = Button::primary("Run as new experiment")
                    .icon(Icon::Run)
                    .height(28.0);
                let recipe = possible.get(at).map(|e| next.recipe(&e.intent.recipe));
                let run = ui.add_enabled(recipe.is_some(), run);
                if let (true, Some(recipe)) = (run.clicked(), recipe) {
                    context.commands.push(Command::Add(Box::new(recipe)));
                    context.commands.push(Command::Run);
                    *next = Next::default();
                    return;
                }
                let names: Vec<String> = possible.iter().map(|e| e.name()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let hint = "The experiment whose recipe the new one starts from";
                if let Some(i) = dropdown(ui, "Start from", hint, 150.0, &names, at) {
                    next.from = possible.get(i).map(|e| e.id);
                }
                text(ui, "from", fonts::small(), theme.text2);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    text(ui, "Kept float", fonts::small(), theme.text2);
                    ScrollArea::horizontal()
                        .id_salt("kept float")
                        .show(ui, |ui| {
                            let mut gone = None;
                            for operator in &next.kept {
                                let words = view::words(operator);
                                if super::removable(ui, &words) {
                                    gone = Some(operator.clone());
                                }
                            }
                            if let Some(operator) = gone {
                                next.remove(&operator);
                            }
                        });
                });
            });
        });
}
