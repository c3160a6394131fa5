//! What can be done with an experiment of the table: menu entries, keys, and the field for its name.

use egui::{Key, Modifiers, Pos2, Rect, Ui, vec2};

use super::super::{Context, Tab};
use super::recipe;
use crate::gui::view::compare::{Row, Status};
use crate::gui::widgets::{at, hline, menu_item, text_field};
use crate::workbench::{Command, ExperimentId};

/// Width of the field for a name.
const NAME_WIDTH: f32 = 150.0;

/// A name being typed.
#[derive(Debug)]
pub struct Renaming {
    /// Whose name.
    pub id: ExperimentId,
    typed: String,
    focused: bool,
}

/// The entries that change the list, below those that show and save.
pub(super) fn items(ui: &mut Ui, context: &mut Context<'_>, row: &Row) {
    let id = row.id;
    ui.add_space(4.0);
    hline(ui, (0.0, 0.0));
    ui.add_space(4.0);
    let again = match row.status {
        Status::New => "Run it",
        Status::Done | Status::Running { .. } | Status::Failed(_) | Status::Cancelled => {
            "Run again"
        }
    };
    if menu_item(ui, again).clicked() {
        context.push(Command::Rerun(id));
    }
    if menu_item(ui, "Change recipe…").clicked() {
        context.state.recipe = recipe::State::of(context.bench, id);
    }
    if menu_item(ui, "Duplicate").clicked() {
        context.push(Command::Duplicate(id));
    }
    if menu_item(ui, "Rename").clicked() {
        rename(context, id);
    }
    let pin = if row.pinned {
        "Unpin"
    } else {
        "Pin to the top"
    };
    if menu_item(ui, pin).clicked() {
        context.push(Command::Pin(id, !row.pinned));
    }
    let baseline = match row.baseline {
        true => "Use float32 as baseline",
        false => "Use as baseline",
    };
    if menu_item(ui, baseline).clicked() {
        context.push(baseline_command(row));
    }
    if menu_item(ui, "Delete").clicked() {
        context.push(Command::Delete(id));
    }
}

/// Pressed again on the baseline, it is float32 again.
fn baseline_command(row: &Row) -> Command {
    Command::SetBaseline((!row.baseline).then_some(row.id))
}

/// What the keyboard does with the row that has the focus.
pub(super) fn keys(ui: &Ui, context: &mut Context<'_>, row: &Row) {
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    if pressed(Key::Space) {
        context.push(Command::Pin(row.id, !row.pinned));
    }
    if pressed(Key::B) {
        context.push(baseline_command(row));
    }
    if pressed(Key::D) {
        context.push(Command::Duplicate(row.id));
    }
    if pressed(Key::F2) {
        rename(context, row.id);
    }
    if pressed(Key::Delete) {
        context.push(Command::Delete(row.id));
    }
    if pressed(Key::Enter) {
        context.state.selected = Some(row.id);
        context.state.tab = Tab::Layers;
    }
}

fn rename(context: &mut Context<'_>, id: ExperimentId) {
    let e = context.bench.experiment(id);
    context.state.renaming = e.map(|e| Renaming {
        id,
        typed: e.intent.name.clone().unwrap_or_default(),
        focused: false,
    });
}

/// The field for the name of that row, while it is being typed; its left middle is `place`.
pub(super) fn rename_field(ui: &mut Ui, context: &mut Context<'_>, row: &Row, place: Pos2) {
    let Some(renaming) = context.state.renaming.as_mut().filter(|r| r.id == row.id) else {
        return;
    };
    let rect = Rect::from_min_size(place - vec2(0.0, 12.0), vec2(NAME_WIDTH + 18.0, 24.0));
    ui.painter().rect_filled(rect, 0.0, context.theme.raised);
    let title = row.title();
    let field = at(ui, rect, |ui| {
        text_field(
            ui,
            &mut renaming.typed,
            "Experiment name",
            &title,
            NAME_WIDTH,
        )
    });
    if !std::mem::replace(&mut renaming.focused, true) {
        field.request_focus();
        return;
    }
    if field.lost_focus() {
        // Escape has closed it before this; clicking elsewhere keeps what was typed, as Enter does.
        let typed = std::mem::take(&mut renaming.typed);
        context.push(Command::Rename(row.id, typed));
        context.state.renaming = None;
    }
}
