//! Messages that belong to the whole middle: notices, failed experiments, and where to save without a dialog.

use std::time::Duration;

use egui::{Id, Rect, Ui};

use super::super::{Ask, Context, fonts};
use crate::gui::view::compare::Comparison;
use crate::gui::widgets::{Banner, Button, banner, card, path_field, text};
use crate::workbench::{Command, Role};

/// Seconds that an offer to undo stands.
const OFFERED: f64 = 8.0;

/// Shows what there is to say above the tab's content.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    for notice in &context.bench.notices {
        let actions: &[&str] = if notice.undo { &["Undo"] } else { &[] };
        let pressed = ui.push_id(notice.id, |ui| {
            banner(ui, notice.is_error, &notice.text, actions)
        });
        let over = notice.undo && is_over(ui, notice.id, pressed.response.rect);
        match pressed.inner {
            None if over => context.commands.push(Command::Dismiss(notice.id)),
            Some(Banner::Action(_)) => context.commands.push(Command::Undo),
            Some(Banner::Close) => context.commands.push(Command::Dismiss(notice.id)),
            None => {}
        }
    }
    failures(ui, context);
    if let Some(words) = context.state.suspicion.words().map(str::to_owned)
        && !context.is_closed(&words)
    {
        match banner(ui, false, &words, &["Preview…"]) {
            Some(Banner::Action(_)) => {
                context.state.data = Some(super::data::State::of(Role::Evaluation));
            }
            Some(Banner::Close) => context.close_error(&words),
            None => {}
        }
    }
    typed_path(ui, context, |ask| {
        matches!(
            ask,
            Ask::Save(..)
                | Ask::Report(_)
                | Ask::Picture(..)
                | Ask::SaveSession(_)
                | Ask::OpenSession
        )
    });
}

/// Whether an offer to undo has stood long enough; not while the pointer rests on it.
fn is_over(ui: &Ui, notice: u64, rect: Rect) -> bool {
    let key = Id::unique("offer to undo");
    let now = ui.input(|i| i.time);
    let held = ui.data(|d| d.get_temp::<(u64, f64)>(key));
    let since = match held {
        Some((of, since)) if of == notice && !ui.rect_contains_pointer(rect) => since,
        _ => {
            ui.data_mut(|d| d.insert_temp(key, (notice, now)));
            now
        }
    };
    let left = since + OFFERED - now;
    if left > 0.0 {
        let ctx = ui.ctx();
        ctx.request_repaint_after(Duration::from_secs_f64(left));
    }
    left <= 0.0
}

fn failures(ui: &mut Ui, context: &mut Context<'_>) {
    let comparison = Comparison::of(context.bench);
    let mut shown: Vec<(String, String)> = vec![];
    for (row, message) in comparison.failures() {
        // Experiments that fail for the same reason share a banner.
        match shown.iter_mut().find(|(_, m)| m == message) {
            Some((names, _)) => {
                names.push_str(", ");
                names.push_str(&row.title());
            }
            None => shown.push((row.title(), message.to_owned())),
        }
    }
    for (names, message) in shown {
        if context.is_closed(&message) {
            continue;
        }
        let words = format!("{names} failed: {message}");
        let pressed = ui.push_id(&message, |ui| banner(ui, true, &words, &["Try again"]));
        match pressed.inner {
            Some(Banner::Action(_)) => context.push(Command::Run),
            Some(Banner::Close) => context.close_error(&message),
            None => {}
        }
    }
}

/// The field for a path that is being typed, if it is one of these; every panel offers its own.
pub fn typed_path(ui: &mut Ui, context: &mut Context<'_>, mine: impl Fn(&Ask) -> bool) {
    let theme = context.theme;
    let Some(typing) = context.state.typing.as_mut().filter(|t| mine(&t.ask)) else {
        return;
    };
    let mut done = None;
    let mut closed = false;
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            let hint = if typing.no_dialog {
                "No file dialog here, type or paste a path"
            } else {
                "Type or paste a path"
            };
            text(ui, hint, fonts::small(), theme.text2);
            closed = ui.add(Button::bare("Close")).clicked();
        });
        let take_focus = std::mem::take(&mut typing.take_focus);
        let name = typing.ask.field_name();
        if let Some(path) = path_field(ui, &mut typing.text, name, typing.ask.verb(), take_focus) {
            done = Some(typing.ask.command(path));
        }
    });
    if let Some(command) = done {
        context.push(command);
        closed = true;
    }
    if closed {
        context.state.typing = None;
    }
}
