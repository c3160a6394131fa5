//! Which engine measures, on how many threads, and where LiteRT is or how to get it.

use egui::{DragValue, Ui, vec2};

use super::super::{Ask, Context, fonts};
use super::messages::typed_path;
use super::side::{caution, menu};
use crate::gui::view::engines::{ENGINE, Place, place};
use crate::gui::widgets::{Button, dropdown, menu_item, text, word};
use crate::workbench::Command;
use crate::workbench::litert::Engine;

/// Height of the choice: it stands above Run, which does not scroll.
pub fn height(context: &Context<'_>) -> f32 {
    let typing = context.state.typing.as_ref();
    let typing = typing.is_some_and(|t| t.ask == Ask::Litert);
    let below = match place(context.bench) {
        Place::NotAsked => 0.0,
        Place::Looking | Place::Found(..) => 28.0,
        Place::Missing(why) => (why.len() as f32 / 40.0).ceil().min(6.0) * 17.0 + 34.0,
    };
    34.0 + below + if typing { 96.0 } else { 0.0 }
}

/// Shows the choice.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        word(ui, "Engine", fonts::body(), theme.text2, ENGINE);
        let names = Engine::ALL.map(Engine::name);
        let chosen = Engine::ALL.iter().position(|&e| e == context.bench.engine);
        let picked = dropdown(ui, "Engine", ENGINE, 94.0, &names, chosen.unwrap_or(0));
        if let Some(engine) = picked.and_then(|at| Engine::ALL.get(at)) {
            context.push(Command::SetEngine(*engine));
        }
        text(ui, "on", fonts::body(), theme.text2);
        threads(ui, context);
    });
    match place(context.bench) {
        Place::NotAsked => {}
        Place::Looking => {
            text(ui, "Looking for LiteRT", fonts::small(), theme.text2);
        }
        Place::Found(what, at) => {
            ui.horizontal(|ui| {
                text(ui, what, fonts::small(), theme.text2).on_hover_text(at);
                choose(ui, context, "Elsewhere…");
            });
        }
        Place::Missing(why) => {
            caution(ui, context, &why);
            choose(ui, context, "Choose LiteRT's place…");
        }
    }
    typed_path(ui, context, |ask| *ask == Ask::Litert);
}

fn threads(ui: &mut Ui, context: &mut Context<'_>) {
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let mut threads = context.bench.threads;
    ui.spacing_mut().interact_size = vec2(28.0, 22.0);
    ui.spacing_mut().button_padding = vec2(6.0, 2.0);
    let field = DragValue::new(&mut threads).range(1..=most).speed(0.05);
    let response = ui
        .add(field)
        .accessible_name("Latency threads")
        .on_hover_text("Threads that a single run may use while it is timed");
    if response.changed() && threads != context.bench.threads {
        context.push(Command::SetThreads(threads));
    }
    let unit = if threads == 1 { "thread" } else { "threads" };
    text(ui, unit, fonts::body(), context.theme.text2);
}

/// The button that says where LiteRT is.
fn choose(ui: &mut Ui, context: &mut Context<'_>, label: &str) {
    let button = ui.add(Button::bare(label));
    let button = button
        .accessible_name("Choose LiteRT's place…")
        .on_hover_text("A Python environment with ai-edge-litert, or the folder of its library");
    menu(&button, |ui| {
        if menu_item(ui, "Choose folder…").clicked() {
            context.ask(Ask::Litert);
        }
        if menu_item(ui, "Type a path").clicked() {
            context.type_path(Ask::Litert);
        }
        if menu_item(ui, "Look in the usual places").clicked() {
            context.push(Command::SetLitertPlace(None));
        }
    });
}
