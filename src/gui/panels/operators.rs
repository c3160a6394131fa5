//! The table of operators over the window: what this version opens, runs and quantizes.

use egui::{Align2, Id, Key, Margin, Modal, Rect, ScrollArea, Sense, Stroke, TextEdit, Ui};
use egui::{WidgetInfo, accesskit::Role, pos2, vec2};

use super::super::{Context, fonts};
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};
use crate::gui::widgets::{focus_ring, icon_button, text};
use crate::workbench::{OperatorRow, operator_table};

const WIDTH: f32 = 860.0;
const ROW: f32 = 26.0;
/// Left edges of the columns behind the name: runs in three types, is quantized in three modes.
const COLUMNS: [(f32, &str); 6] = [
    (330.0, "float32"),
    (410.0, "int8"),
    (480.0, "int16x8"),
    (590.0, "int8"),
    (660.0, "int16x8"),
    (750.0, "dynamic"),
];

/// The open table; computed once when it opens.
#[derive(Debug)]
pub struct State {
    /// The table.
    pub rows: Vec<OperatorRow>,
    /// Part of the names that are listed.
    pub filter: String,
    /// Whether the filter has had the keyboard once.
    pub focused: bool,
}

impl State {
    /// All operators, nothing filtered.
    pub fn new() -> Self {
        Self {
            rows: operator_table(),
            filter: String::new(),
            focused: false,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the table while it is open.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) {
    let theme = context.theme;
    let Some(mut state) = context.state.operators.take() else {
        return;
    };
    let room = ctx.content_rect().size() - vec2(48.0, 48.0);
    let mut close = false;
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::symmetric(16, 12));
    let modal = Modal::new(Id::unique("operators"))
        .frame(frame)
        .show(ctx, |ui| {
            ui.set_width((WIDTH - 32.0).min(room.x - 32.0));
            ui.spacing_mut().item_spacing.y = 0.0;
            close = head(ui, theme, &mut state);
            ui.add_space(8.0);
            ScrollArea::horizontal()
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.set_min_width(WIDTH - 32.0);
                    columns(ui, theme);
                    list(ui, theme, &state, (room.y - 150.0).clamp(120.0, 620.0));
                });
        });
    let close = close || modal.should_close();
    if !close {
        context.state.operators = Some(state);
    }
}

/// Title, filter and the button that closes; whether that was pressed.
fn head(ui: &mut Ui, theme: &Theme, state: &mut State) -> bool {
    let mut close = false;
    ui.horizontal(|ui| {
        text(ui, "Operators", fonts::strong(), theme.text);
        ui.add_space(8.0);
        let field = TextEdit::singleline(&mut state.filter)
            .font(fonts::code())
            .hint_text(
                egui::RichText::new("Filter by name")
                    .font(fonts::code())
                    .color(theme.text3),
            )
            .margin(Margin::symmetric(8, 4))
            .desired_width(220.0);
        let field = ui.add(field).accessible_name("Filter operators by name");
        if !std::mem::replace(&mut state.focused, true) {
            field.request_focus();
        }
        focus_ring(ui, &field, ROUND);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            close = icon_button(ui, Icon::Close, "Close the table", "Close").clicked();
        });
    });
    ui.add_space(6.0);
    text(
        ui,
        "Every operator opens and is kept as it is. Point at a dash to read why an operator is not quantized",
        fonts::small(),
        theme.text2,
    );
    close || (ui.input(|i| i.key_pressed(Key::Escape)) && !ui.ctx().text_edit_focused())
}

fn columns(ui: &mut Ui, theme: &Theme) {
    let (rect, _) = ui.allocate_exact_size(vec2(WIDTH - 32.0, 44.0), Sense::empty());
    let say = |x: f32, y: f32, words: &str| {
        let at = pos2(rect.left() + x, rect.top() + y);
        ui.painter().text(
            at,
            Align2::LEFT_CENTER,
            words,
            fonts::caption(),
            theme.text3,
        );
    };
    say(COLUMNS[0].0, 10.0, "Runs in");
    say(COLUMNS[3].0, 10.0, "Quantized in");
    say(0.0, 30.0, "Operator");
    for (x, name) in COLUMNS {
        say(x, 30.0, name);
    }
    ui.painter()
        .hline(rect.x_range(), rect.bottom() - 0.5, theme.separator());
}

fn list(ui: &mut Ui, theme: &Theme, state: &State, height: f32) {
    let wanted = state.filter.trim().to_uppercase();
    let shown: Vec<_> = state
        .rows
        .iter()
        .filter(|r| r.name.contains(&wanted))
        .collect();
    if shown.is_empty() {
        ui.add_space(12.0);
        text(
            ui,
            "No operator has that in its name",
            fonts::body(),
            theme.text2,
        );
        return;
    }
    ScrollArea::vertical()
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, false])
        .show_rows(ui, ROW, shown.len(), |ui, range| {
            for row in shown.get(range).unwrap_or_default() {
                operator(ui, theme, row);
            }
        });
}

fn operator(ui: &mut Ui, theme: &Theme, row: &OperatorRow) {
    let (rect, response) = ui.allocate_exact_size(vec2(WIDTH - 32.0, ROW), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, spoken(row)));
    if response.hovered() {
        ui.painter().rect_filled(rect, ROUND, theme.hover);
    }
    let middle = rect.center().y;
    ui.painter().text(
        pos2(rect.left(), middle),
        Align2::LEFT_CENTER,
        &row.name,
        fonts::code(),
        theme.text,
    );
    let q = &row.quantized;
    let runs = [row.runs.float32, row.runs.int8, row.runs.int16x8];
    let modes = [&q.int8, &q.int16x8, &q.dynamic];
    for ((x, _), yes) in COLUMNS.iter().zip(runs) {
        mark(ui, theme, pos2(rect.left() + x, middle), yes);
    }
    for ((x, name), mode) in COLUMNS[3..].iter().zip(modes) {
        let at = pos2(rect.left() + x, middle);
        mark(ui, theme, at, mode.is_ok());
        if let Err(why) = mode {
            let cell = Rect::from_min_max(at - vec2(6.0, 12.0), at + vec2(60.0, 12.0));
            let id = ui.scope_id().with((&row.name, x.to_bits()));
            ui.interact(cell, id, Sense::hover())
                .on_hover_text(format!("Not quantized in {name}: {why}"));
        }
    }
}

fn mark(ui: &Ui, theme: &Theme, at: egui::Pos2, yes: bool) {
    if yes {
        Icon::Check.paint(ui.painter(), at + vec2(7.0, 0.0), theme.text);
    } else {
        ui.painter().text(
            at + vec2(4.0, 0.0),
            Align2::LEFT_CENTER,
            "–",
            fonts::body(),
            theme.text3,
        );
    }
}

/// The row in words.
fn spoken(row: &OperatorRow) -> String {
    let list = |of: [(&str, bool); 3]| {
        let names: Vec<_> = of
            .iter()
            .filter(|(_, yes)| *yes)
            .map(|(name, _)| *name)
            .collect();
        match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        }
    };
    let (r, q) = (&row.runs, &row.quantized);
    format!(
        "{}: runs in {}; quantized in {}",
        row.name,
        list([
            ("float32", r.float32),
            ("int8", r.int8),
            ("int16x8", r.int16x8)
        ]),
        list([
            ("int8", q.int8.is_ok()),
            ("int16x8", q.int16x8.is_ok()),
            ("dynamic", q.dynamic.is_ok())
        ]),
    )
}
