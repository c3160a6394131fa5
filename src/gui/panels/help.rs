//! Help over the window: what to do in three steps, when to choose each mode, what the words mean, and the keys.

use egui::{Id, Margin, Modal, ScrollArea, Stroke, Ui, vec2};

use super::super::actions::Action;
use super::super::{Context, fonts};
use crate::gui::icons::{Icon, Look};
use crate::gui::theme::Theme;
use crate::gui::view::side::when;
use crate::gui::view::words::Word;
use crate::gui::widgets::{Button, chip, heading, hline, icon_button, text, text_wrapped};
use crate::quantize::Mode;
use crate::workbench::Command;

const WIDTH: f32 = 760.0;
/// Width of the first column.
const FIRST: f32 = 150.0;

/// What to do, in order: title and one sentence. The start screen shows the same.
pub const STEPS: [(&str, &str, &str); 3] = [
    (
        "Open a model",
        "A trained float32 network",
        "Drop a .tflite, .keras or .h5 file on the window, or try the MNIST demo, which needs nothing",
    ),
    (
        "Add data, choose modes",
        "About 100 samples to calibrate",
        "About 100 typical samples calibrate int8 and int16x8; labelled samples measure accuracy",
    ),
    (
        "Run and compare",
        "Every variant side by side",
        "Every variant stands side by side in Compare; double-click one to follow its error to the layer and the tensor",
    ),
];

/// What keys do in tables and plots, beside those of [`Action`].
const KEYS: [(&str, &str); 5] = [
    ("Tab, Shift+Tab", "To the next or the previous control"),
    (
        "F6, Shift+F6",
        "To the next or the previous part of the window",
    ),
    ("F1", "The tooltip of what has the keyboard, else this page"),
    ("Space or Enter", "Press what has the keyboard"),
    ("Ctrl +, Ctrl −, Ctrl 0", "Larger, smaller, normal size"),
];

/// Shows the page while it is open.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) {
    if !context.state.help {
        return;
    }
    let theme = context.theme;
    let room = ctx.content_rect().size() - vec2(48.0, 48.0);
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::symmetric(16, 12));
    let mut close = false;
    let modal = Modal::new(Id::unique("help")).frame(frame).show(ctx, |ui| {
        ui.set_width(WIDTH.min(room.x - 32.0));
        ui.horizontal(|ui| {
            text(ui, "Help", fonts::verdict_strong(), theme.text);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                close = icon_button(ui, Icon::Close, "Close help", "Close (Esc)").clicked();
            });
        });
        let height = (room.y - 90.0).clamp(120.0, 620.0);
        ScrollArea::vertical()
            .max_height(height)
            .min_scrolled_height(height)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 6.0;
                close |= steps(ui, context);
                separate(ui);
                modes(ui, theme);
                separate(ui);
                words(ui, theme);
                separate(ui);
                keys(ui, theme);
            });
    });
    if close || modal.should_close() {
        context.state.help = false;
    }
}

fn separate(ui: &mut Ui) {
    ui.add_space(4.0);
    hline(ui, (0.0, 0.0));
    ui.add_space(2.0);
}

/// A word and its explanation, in two columns.
fn line(ui: &mut Ui, theme: &Theme, first: impl FnOnce(&mut Ui), explanation: &str) {
    ui.horizontal_top(|ui| {
        ui.allocate_ui_with_layout(
            vec2(FIRST, 18.0),
            egui::Layout::left_to_right(egui::Align::Min),
            |ui| {
                ui.set_min_width(FIRST);
                first(ui);
            },
        );
        text_wrapped(ui, explanation, fonts::body(), theme.text2);
    });
}

/// The three steps; whether the demo was asked for.
fn steps(ui: &mut Ui, context: &mut Context<'_>) -> bool {
    let theme = context.theme;
    heading(ui, "In three steps");
    for (i, (title, _, sentence)) in STEPS.into_iter().enumerate() {
        let first = |ui: &mut Ui| {
            let words = format!("{}. {title}", i + 1);
            text_wrapped(ui, words, fonts::strong(), theme.text);
        };
        line(ui, theme, first, sentence);
    }
    let demo = ui.add(Button::new("Open the MNIST demo").icon(Icon::Run));
    if demo.clicked() {
        context.push(Command::OpenDemo);
    }
    demo.clicked()
}

fn modes(ui: &mut Ui, theme: &Theme) {
    heading(ui, "When to choose a mode");
    for mode in Mode::ALL {
        let first = |ui: &mut Ui| {
            let (_, place) = ui.allocate_space(vec2(16.0, 18.0));
            Look::mode(mode).paint_marker(ui.painter(), place.center(), theme.mode(mode));
            text(ui, mode.name(), fonts::strong(), theme.text);
        };
        line(ui, theme, first, when(mode).1);
    }
}

fn words(ui: &mut Ui, theme: &Theme) {
    heading(ui, "Words");
    for word in Word::ALL {
        let first = |ui: &mut Ui| {
            text(ui, word.name(), fonts::strong(), theme.text);
        };
        line(ui, theme, first, word.meaning());
    }
}

fn keys(ui: &mut Ui, theme: &Theme) {
    heading(ui, "Keys");
    let actions = Action::ALL.map(|a| (a.keys(ui.ctx()), a.name()));
    let others = KEYS.map(|(keys, what)| (keys.to_owned(), what.to_owned()));
    for (keys, what) in actions.into_iter().chain(others) {
        let first = |ui: &mut Ui| {
            chip(ui, &keys, None);
        };
        line(ui, theme, first, &what);
    }
}
