//! In the model card: which signature or subgraph to work on, and the shapes of inputs that the file leaves open.

use egui::{Key, Sense, Ui, vec2};

use super::super::{Context, fonts};
use super::side::caution;
use crate::gui::view::entry::{EntryLines, ShapeLine, entry_lines};
use crate::gui::widgets::{Banner, Button, banner, dropdown, text, text_field, text_wrapped};
use crate::workbench::{Command, parse_shape};

/// What is typed into the shape fields, for one entry of one model.
#[derive(Debug, Default)]
pub struct State {
    /// The model and entry that the fields belong to.
    version: Option<u64>,
    /// One per open input.
    fields: Vec<Field>,
}

#[derive(Debug, Default)]
struct Field {
    text: String,
    /// Why the last text is no shape.
    error: Option<String>,
}

/// Shows the choices; nothing where the file leaves none.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let lines = entry_lines(context.bench);
    if !lines.names.is_empty() {
        signature(ui, context, &lines);
    }
    let version = Some(context.bench.model_version());
    if context.state.entry.version != version {
        let typed = |line: &ShapeLine| Field {
            text: line.typed.clone(),
            error: None,
        };
        let fields = lines.shapes.iter().map(typed).collect();
        context.state.entry = State { version, fields };
    }
    for (i, line) in lines.shapes.iter().enumerate() {
        let named = lines.shapes.len() > 1;
        ui.push_id(("shape", i), |ui| shape(ui, context, i, line, named));
    }
    if lines.pending {
        text(ui, "Preparing", fonts::small(), context.theme.text2);
    }
    if let Some(message) = &lines.error
        && !context.is_closed(message)
        && banner(ui, true, message, &[]) == Some(Banner::Close)
    {
        context.close_error(message);
    }
}

/// A label in the card's first column.
fn label(ui: &mut Ui, context: &Context<'_>, words: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(62.0, 24.0), Sense::hover());
    ui.painter().text(
        rect.left_center(),
        egui::Align2::LEFT_CENTER,
        words,
        fonts::small(),
        context.theme.text3,
    );
}

fn signature(ui: &mut Ui, context: &mut Context<'_>, lines: &EntryLines) {
    ui.horizontal(|ui| {
        label(ui, context, "Signature");
        let names: Vec<&str> = lines.names.iter().map(String::as_str).collect();
        let tooltip = "Part of the file that is run, quantized and saved first; results of the others come back with them";
        let width = ui.available_width();
        let picked = dropdown(ui, "Signature", tooltip, width, &names, lines.chosen);
        let entries = context.bench.model.as_ref().map(|m| m.entries.clone());
        if let Some(entry) = picked.and_then(|i| entries?.get(i).cloned()) {
            context.push(Command::ChooseEntry(entry.subgraph));
        }
    });
}

fn shape(ui: &mut Ui, context: &mut Context<'_>, at: usize, line: &ShapeLine, named: bool) {
    let theme = context.theme;
    if named {
        text(ui, &line.name, fonts::small(), theme.text2);
    }
    let mut confirmed = false;
    let Some(field) = context.state.entry.fields.get_mut(at) else {
        return;
    };
    let mut typed = std::mem::take(&mut field.text);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        label(ui, context, "Shape");
        let name = format!("Shape of {}", line.name);
        let width = ui.available_width() - 46.0;
        let edit = text_field(ui, &mut typed, &name, &line.hint, width);
        confirmed |= edit.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        edit.on_hover_text(&line.tooltip);
        let changed = typed.trim() != line.typed;
        let button = Button::new("Use").height(24.0).width(40.0);
        let button = ui.add_enabled(changed, button);
        let button = button.accessible_name(format!("Use shape of {}", line.name));
        confirmed |= button.clicked();
    });
    let mut command = None;
    if let Some(field) = context.state.entry.fields.get_mut(at) {
        if confirmed {
            let shape = match typed.trim() {
                "" => Ok(None),
                words => parse_shape(words).map(Some),
            };
            field.error = shape.as_ref().err().map(ToString::to_string);
            command = shape.ok();
        }
        field.text = typed;
    }
    let error = context
        .state
        .entry
        .fields
        .get(at)
        .and_then(|f| f.error.clone());
    if let Some(shape) = command {
        context.push(Command::SetInputShape(line.name.clone(), shape));
    }
    match (error, &line.ask) {
        (Some(error), _) => {
            text_wrapped(ui, error, fonts::small(), theme.damage);
        }
        (None, Some(ask)) => caution(ui, context, ask),
        (None, None) => {}
    }
}
