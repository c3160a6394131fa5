//! The Layers tab: the graph as a list, with the error of each operator and why it stays float.

mod inspector;
mod next;
mod overview;
mod places;

use egui::{
    Align2, Color32, Rect, RichText, ScrollArea, Sense, Stroke, Ui, WidgetInfo, accesskit::Role,
    pos2, vec2,
};

use super::super::{Context, Tab};
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, ROUND_CELL, Theme};
use crate::gui::view::layers::{self as view, Cell, Column, Item, Layer, Layers};
use crate::gui::view::next::Next;
use crate::gui::view::tensors::TensorKey;
use crate::gui::view::{figures, format};
use crate::gui::widgets::{card_at, checkbox_row, text, word};
use places::{CELL, GROUP_GAP, Group, Places, WHY, WHY_ICON};

/// Height of a row.
const ROW: f32 = 45.0;
/// Height of the heads: experiments above, words below.
const HEAD: f32 = 52.0;
/// Width of the inspector, and of the tab from which on it stands beside the list.
const INSPECTOR: f32 = 352.0;
const ROOM_FOR_INSPECTOR: f32 = 1000.0;

/// Height of a row where there are many, and from how many rows on.
const DENSE_ROW: f32 = 20.0;
const MANY: usize = 200;

/// What the tab remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Place of the chosen operator.
    pub selected: Option<usize>,
    /// Whether operators that only compute shapes are listed one by one; `None` lists them where there are few operators.
    pub shape_operators: Option<bool>,
    /// Runs of shape operators that are unfolded all the same, by their first operator.
    unfolded: Vec<usize>,
    /// What the next experiment keeps float.
    pub next: Next,
    /// How far the list is scrolled down, and its height; set it with `scroll_to`.
    seen: (f32, f32),
    scroll_to: Option<f32>,
    /// What the last frame showed, kept until its inputs change.
    shown: Option<(view::Inputs, Layers)>,
}

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let inputs = view::Inputs::of(context.bench);
    let (inputs, all) = match context.state.layers.shown.take() {
        Some(shown) if shown.0 == inputs => shown,
        _ => (inputs, view::layers(context.bench)),
    };
    let whole = ui.available_rect_before_wrap();
    let chosen = context
        .state
        .layers
        .selected
        .and_then(|i| all.layers.get(i));
    let beside = whole.width() >= ROOM_FOR_INSPECTOR;
    let (mut left, mut right) = (whole, whole);
    right.min.x = (whole.right() - INSPECTOR).max(whole.left());
    if beside && chosen.is_some() {
        left.max.x = right.left() - 16.0;
    }
    card_at(ui, left, false, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        legend(ui, context, &all);
        next::strip(ui, context);
        let state = &context.state.layers;
        let fold = !state.shape_operators.unwrap_or(all.layers.len() <= MANY);
        let items = view::items(&all, fold, &state.unfolded);
        let dense = items.len() > MANY;
        let timed = view::timed(&all, context.state.selected);
        let places = Places::new(ui, &all, ui.available_width(), dense, timed);
        let across = ScrollArea::horizontal()
            .auto_shrink(false)
            .id_salt("layers across");
        across.show(ui, |ui| {
            ui.set_width(places.width);
            list(ui, context, &all, &items, &places);
        });
    });
    if let Some(layer) = chosen {
        // Over the list: it covers clicks as well as sight.
        if !beside {
            ui.interact(right, ui.scope_id().with("cover"), Sense::click());
        }
        card_at(ui, right, true, |ui| {
            inspector::ui(ui, context, &all, layer)
        });
    }
    ui.advance_cursor_after_rect(whole);
    context.state.layers.shown = Some((inputs, all));
}

/// What there is, what the colours mean, and whether shape operators are listed.
fn legend(ui: &mut Ui, context: &mut Context<'_>, all: &Layers) {
    let theme = context.theme;
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(16, 8))
        .show(ui, |ui| {
            let right = egui::Layout::right_to_left(egui::Align::Center);
            ui.allocate_ui_with_layout(vec2(ui.available_width(), 24.0), right, |ui| {
                let state = &mut context.state.layers;
                let listed = state.shape_operators.unwrap_or(all.layers.len() <= MANY);
                if checkbox_row(ui, listed, "Shape operators").clicked() {
                    state.shape_operators = Some(!listed);
                    state.unfolded.clear();
                }
                ui.add_space(12.0);
                if ui.available_width() > 480.0 {
                    heat_legend(ui, theme);
                    ui.add_space(16.0);
                }
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    text(ui, summary(all), fonts::small(), theme.text2);
                });
            });
        });
}

/// From right to left, as its caller lays out.
fn heat_legend(ui: &mut Ui, theme: &Theme) {
    const STEP: f32 = 20.0;
    text(ui, "60 or better to under 40", fonts::small(), theme.text2);
    let (strip, _) = ui.allocate_exact_size(vec2(6.0 * STEP, 14.0), Sense::hover());
    for (i, &fill) in theme.heat.iter().enumerate() {
        let at = strip.min + vec2(i as f32 * STEP, 0.0);
        let rect = Rect::from_min_size(at, vec2(STEP - 2.0, 14.0));
        ui.painter().rect_filled(rect, ROUND_CELL, fill);
    }
    let explanation = "Signal power over quantization error power in dB; every 6 dB is about one bit. \
        Local: with only this operator's weights or output quantized, the worse of the two. \
        Cumulative: error that has piled up at this point of the whole network";
    word(ui, "SQNR, dB", fonts::small(), theme.text2, explanation);
}

/// `13 operators, 6 quantized in int8`.
fn summary(all: &Layers) -> String {
    let operators = match all.layers.len() {
        1 => "1 operator".to_owned(),
        n => format!("{} operators", format::count(n)),
    };
    let parts = all.columns.iter().map(|c| {
        let added = match c.conversions {
            0 => String::new(),
            n => format!(" (+{n} conversions)"),
        };
        format!("{} in {}{added}", format::count(c.quantized), c.name)
    });
    std::iter::once(operators)
        .chain(parts)
        .collect::<Vec<_>>()
        .join(", ")
}

fn list(ui: &mut Ui, context: &mut Context<'_>, all: &Layers, items: &[Item], places: &Places) {
    let (head, _) = ui.allocate_exact_size(vec2(places.width, HEAD), Sense::hover());
    heads(ui, context, all, head, places);
    let height = places.row();
    let body = ui.available_rect_before_wrap();
    let mut area = ScrollArea::vertical().auto_shrink(false).id_salt("layers");
    if let Some(offset) = context.state.layers.scroll_to.take() {
        area = area.vertical_scroll_offset(offset);
    }
    let output = area.show_rows(ui, height, items.len(), |ui, range| {
        for item in items.get(range).unwrap_or(&[]) {
            match *item {
                Item::Operator(index) => {
                    if let Some(layer) = all.layers.get(index) {
                        row(ui, context, all, layer, places);
                    }
                }
                Item::Folded { first, count } => folded(ui, context, (first, count), places),
            }
        }
    });
    let state = &mut context.state.layers;
    state.seen = (output.state.clamped_offset().y, output.inner_rect.height());
    if places.strip > 0.0 {
        let strip = body.with_max_x(body.left() + places.strip - 2.0);
        let whole = items.len() as f32 * height;
        let seen = (state.seen.0, state.seen.1.min(whole));
        if let Some(share) = overview::ui(ui, strip, all, items, (seen, whole), context.theme) {
            let offset = (share * whole - seen.1 / 2.0).clamp(0.0, (whole - seen.1).max(0.0));
            context.state.layers.scroll_to = Some(offset);
            ui.ctx().request_repaint();
        }
    }
}

/// A run of shape operators as one line, which unfolds it.
fn folded(ui: &mut Ui, context: &mut Context<'_>, (first, count): (usize, usize), places: &Places) {
    let theme = context.theme;
    let size = vec2(ui.available_width(), places.row());
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let words = match count {
        1 => "1 shape operator".to_owned(),
        n => format!("{} shape operators", format::count(n)),
    };
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("Unfold {words} from {first}"))
    });
    if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, theme.hover);
    }
    let at = pos2(rect.left() + places.operator, rect.center().y);
    let middle = pos2(rect.left() + places.index - 6.0, rect.center().y);
    Icon::ChevronRight.paint_sized(ui.painter(), middle, 12.0, theme.text3);
    text_at(ui, at, &words, theme.text3);
    ui.painter()
        .hline(rect.x_range(), rect.bottom(), theme.separator());
    crate::gui::widgets::focus_ring(ui, &response, ROUND);
    if response.clicked() {
        context.state.layers.unfolded.push(first);
    }
    response.on_hover_text("Operators that only compute shapes; click to list them");
}

fn text_at(ui: &Ui, at: egui::Pos2, words: &str, color: Color32) {
    ui.painter()
        .text(at, Align2::LEFT_CENTER, words, fonts::small(), color);
}

/// A chip that can be taken away; returns whether it was.
fn removable(ui: &mut Ui, words: &str) -> bool {
    let theme = Theme::of(ui.ctx());
    let galley = ui
        .painter()
        .layout_no_wrap(words.to_owned(), fonts::caption(), theme.text);
    let (rect, response) =
        ui.allocate_exact_size(vec2(galley.size().x + 30.0, 24.0), Sense::click());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("Do not keep {words} float"))
    });
    let chip = rect.shrink2(vec2(0.0, 2.0));
    let outline = Stroke::new(1.0, theme.line_strong);
    let fill = if response.hovered() {
        theme.hover
    } else {
        theme.raised
    };
    ui.painter()
        .rect(chip, ROUND, fill, outline, egui::StrokeKind::Inside);
    let at = chip.left_center() + vec2(8.0, -galley.size().y / 2.0);
    ui.painter().galley(at, galley, theme.text);
    let cross = chip.right_center() - vec2(11.0, 0.0);
    Icon::Close.paint_sized(ui.painter(), cross, 12.0, theme.text2);
    crate::gui::widgets::focus_ring(ui, &response, ROUND);
    response.on_hover_text("As the mode says again").clicked()
}

fn heads(ui: &Ui, context: &Context<'_>, all: &Layers, head: Rect, places: &Places) {
    let theme = context.theme;
    let y = head.bottom() - 14.0;
    let head_word = |x: f32, align: Align2, words: &str| {
        ui.painter()
            .text(pos2(x, y), align, words, fonts::small(), theme.text3)
    };
    head_word(head.left() + places.index, Align2::RIGHT_CENTER, "#");
    head_word(
        head.left() + places.operator,
        Align2::LEFT_CENTER,
        "Operator",
    );
    if let Some(output) = places.output {
        head_word(head.left() + output, Align2::LEFT_CENTER, "Output");
    }
    for (column, group) in all.columns.iter().zip(&places.groups) {
        let left = head.left() + group.left;
        let marker = pos2(left + 7.0, head.top() + 15.0);
        column
            .look
            .paint_marker_sized(ui.painter(), marker, 0.9, theme.mode(column.look.mode));
        let name = marker + vec2(14.0, 0.0);
        ui.painter().text(
            name,
            Align2::LEFT_CENTER,
            &column.name,
            fonts::body(),
            theme.text,
        );
        let under = left..=left + group.width() - GROUP_GAP;
        ui.painter().hline(
            under,
            head.top() + 27.0,
            Stroke::new(1.0, theme.line_strong),
        );
        if group.types > 0.0 {
            head_word(left, Align2::LEFT_CENTER, "Type");
        }
        for (which, name) in ["Local", "Cum."].into_iter().enumerate() {
            if group.has[which] {
                let middle = left + group.figure(which) + CELL.0 / 2.0;
                head_word(middle, Align2::CENTER_CENTER, name);
            }
        }
    }
    if let Some((left, column)) = places.time
        && let Some(column) = all.columns.get(column)
    {
        let left = head.left() + left;
        let marker = pos2(left + 7.0, head.top() + 15.0);
        let hue = theme.mode(column.look.mode);
        column
            .look
            .paint_marker_sized(ui.painter(), marker, 0.9, hue);
        let total = column.time_ms.unwrap_or(0.0);
        let total = format::TimeUnit::for_column([total]).text(total);
        text_at(
            ui,
            marker + vec2(14.0, 0.0),
            &format!("{total} in all"),
            theme.text2,
        );
        head_word(left, Align2::LEFT_CENTER, "Time");
    }
    if places.width - places.why > WHY_ICON {
        head_word(head.left() + places.why, Align2::LEFT_CENTER, "Why float");
    }
    ui.painter()
        .hline(head.x_range(), head.bottom(), theme.separator());
}

fn row(ui: &mut Ui, context: &mut Context<'_>, all: &Layers, layer: &Layer, places: &Places) {
    let theme = context.theme;
    let size = vec2(ui.available_width(), places.row());
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let selected = context.state.layers.selected == Some(layer.index);
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, selected, sentence(all, layer)));
    if selected || response.hovered() {
        let fill = if selected {
            theme.selected
        } else {
            theme.hover
        };
        ui.painter().rect_filled(rect, 0.0, fill);
    }
    if selected {
        ui.painter()
            .rect_filled(rect.with_max_x(rect.left() + 2.0), 0.0, theme.text);
    }
    ui.painter()
        .hline(rect.x_range(), rect.bottom(), theme.separator());
    if response.has_focus() {
        let ring = Stroke::new(2.0, theme.focus);
        ui.painter()
            .rect_stroke(rect.shrink(1.0), 2.0, ring, egui::StrokeKind::Inside);
    }
    names(ui, theme, layer, rect, places);
    for ((column, cell), group) in all.columns.iter().zip(&layer.cells).zip(&places.groups) {
        let at = pos2(rect.left() + group.left, rect.center().y);
        result(ui, theme, column, cell, layer.is_shape, at, group);
    }
    if let Some((left, column)) = places.time {
        let at = pos2(rect.left() + left, rect.center().y);
        time(ui, theme, all, (layer, column), at);
    }
    why(
        ui,
        theme,
        all,
        layer,
        pos2(rect.left() + places.why, rect.center().y),
        rect.right(),
    );
    if response.clicked() {
        // A second click closes the inspector; a double click goes on to the tensor.
        context.state.layers.selected = (!selected).then_some(layer.index);
    }
    let open = response.double_clicked()
        || (response.has_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)));
    if open {
        open_tensor(context, all, layer);
    }
    response.on_hover_ui(|ui| explanation(ui, theme, all, layer));
}

fn names(ui: &Ui, theme: &Theme, layer: &Layer, rect: Rect, places: &Places) {
    let y = rect.center().y;
    let write = |at: egui::Pos2, align: Align2, words: &str, font: egui::FontId, color: Color32| {
        ui.painter().text(at, align, words, font, color);
    };
    let index = pos2(rect.left() + places.index, y);
    write(
        index,
        Align2::RIGHT_CENTER,
        &format::count(layer.index),
        fonts::small(),
        theme.text2,
    );
    let (font, color) = if layer.is_shape {
        (fonts::body(), theme.text2)
    } else {
        (fonts::strong(), theme.text)
    };
    let operator = rect.left() + places.operator;
    if places.strip > 0.0 {
        // One line: the operator, then its name in what is left.
        let op = figures::elide(&layer.op, 18);
        let drawn = ui
            .painter()
            .text(pos2(operator, y), Align2::LEFT_CENTER, op, font, color);
        let left = drawn.right() + 8.0;
        let room = ((rect.left() + next_column(places) - left - 6.0) / 6.4).max(0.0) as usize;
        if room >= 4 {
            let name = figures::elide(&layer.name, room);
            write(
                pos2(left, y),
                Align2::LEFT_CENTER,
                &name,
                fonts::small(),
                theme.text2,
            );
        }
        return output(ui, theme, layer, rect, places);
    }
    let at = pos2(operator, y - 8.0);
    write(
        at,
        Align2::LEFT_CENTER,
        &figures::elide(&layer.op, 24),
        font,
        color,
    );
    let mut second = layer.name.clone();
    if !layer.detail.is_empty() {
        second = format!("{}, {}", figures::elide(&second, 18), layer.detail);
    }
    let room = ((next_column(places) - places.operator) / 6.4) as usize;
    let at = pos2(operator, y + 9.0);
    write(
        at,
        Align2::LEFT_CENTER,
        &figures::elide(&second, room),
        fonts::small(),
        theme.text2,
    );
    output(ui, theme, layer, rect, places);
}

/// Left edge of what follows the operator.
fn next_column(places: &Places) -> f32 {
    let group = places.groups.first().map(|g| g.left);
    places.output.or(group).unwrap_or(places.why)
}

fn output(ui: &Ui, theme: &Theme, layer: &Layer, rect: Rect, places: &Places) {
    if let Some(output) = places.output {
        let at = pos2(rect.left() + output, rect.center().y);
        let font = fonts::body();
        ui.painter()
            .text(at, Align2::LEFT_CENTER, &layer.output, font, theme.text2);
    }
}

/// Type, local and cumulative SQNR of one experiment, from a point at the left on.
fn result(
    ui: &Ui,
    theme: &Theme,
    column: &Column,
    cell: &Cell,
    is_shape: bool,
    at: egui::Pos2,
    group: &Group,
) {
    if cell.is_folded {
        ui.painter().text(
            at,
            Align2::LEFT_CENTER,
            "folded",
            fonts::caption(),
            theme.text3,
        );
        return;
    }
    let hue = theme.mode(column.look.mode);
    let galley = ui
        .painter()
        .layout_no_wrap(cell.dtype.clone(), fonts::caption(), theme.text);
    let chip = Rect::from_min_size(at - vec2(0.0, 9.0), vec2(galley.size().x + 12.0, 18.0));
    let is_plain = is_shape || cell.why_float.is_some() || cell.dtype == "float32";
    let outline = if is_plain { theme.line_strong } else { hue };
    if !cell.dtype.is_empty() && group.types > 0.0 {
        ui.painter().rect_stroke(
            chip,
            ROUND,
            Stroke::new(1.0, outline),
            egui::StrokeKind::Inside,
        );
        ui.painter()
            .galley(chip.center() - galley.size() / 2.0, galley, theme.text);
    }
    for (which, figure) in [cell.local, cell.cumulative].into_iter().enumerate() {
        let Some(db) = figure else { continue };
        let size = vec2(CELL.0, group.cell);
        let corner = pos2(at.x + group.figure(which), at.y - size.y / 2.0);
        heat_cell(ui, theme, Rect::from_min_size(corner, size), db);
    }
}

/// The time of an operator in one experiment, as a bar and in words.
fn time(ui: &Ui, theme: &Theme, all: &Layers, (layer, column): (&Layer, usize), at: egui::Pos2) {
    const BAR: f32 = 44.0;
    const END: f32 = 104.0;
    let of = |l: &Layer| l.cells.get(column).and_then(|c| c.time_ms);
    let (Some(ms), Some(column)) = (of(layer), all.columns.get(column)) else {
        return;
    };
    let total = column.time_ms.unwrap_or(ms).max(1e-12);
    let width = (BAR * (ms / total) as f32).clamp(1.0, BAR);
    let bar = Rect::from_min_size(at - vec2(0.0, 5.0), vec2(width, 10.0));
    let hue = theme.mode(column.look.mode);
    column.look.paint_bar(ui.painter(), bar, hue);
    let unit = format::TimeUnit::for_column([total / 4.0]);
    let words = match unit.of(ms) {
        t if t < 0.05 => format!("< 0.1 {}", unit.name),
        _ => unit.text(ms),
    };
    let end = at + vec2(END, 0.0);
    ui.painter()
        .text(end, Align2::RIGHT_CENTER, words, fonts::small(), theme.text);
}

fn heat_cell(ui: &Ui, theme: &Theme, rect: Rect, db: f64) {
    let (fill, figure) = theme.heat(db);
    let exact = db == f64::INFINITY;
    let color = if exact { theme.text2 } else { figure };
    if exact {
        let outline = Stroke::new(1.0, theme.line_strong);
        ui.painter()
            .rect_stroke(rect, ROUND_CELL, outline, egui::StrokeKind::Inside);
    } else {
        ui.painter().rect_filled(rect, ROUND_CELL, fill);
    }
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        figures::db_short(db),
        fonts::small(),
        color,
    );
}

/// Reasons of the experiments that keep this operator float, equal ones told once.
fn reasons<'a>(all: &'a Layers, layer: &'a Layer) -> Vec<(Vec<&'a Column>, &'a str)> {
    let mut found: Vec<(Vec<&Column>, &str)> = vec![];
    for (column, cell) in all.columns.iter().zip(&layer.cells) {
        let Some(why) = cell.why_float.as_deref() else {
            continue;
        };
        match found.iter_mut().find(|(_, w)| *w == why) {
            Some((columns, _)) => columns.push(column),
            None => found.push((vec![column], why)),
        }
    }
    found
}

fn why(ui: &Ui, theme: &Theme, all: &Layers, layer: &Layer, at: egui::Pos2, right: f32) {
    let in_words = right - at.x > WHY - 20.0;
    let reasons = reasons(all, layer);
    let Some((columns, reason)) = reasons.first() else {
        if layer.is_shape && in_words {
            let folded = layer.cells.iter().any(|c| c.is_folded);
            let words = if folded {
                "Shape known, computed once"
            } else {
                "Shapes stay integers"
            };
            ui.painter()
                .text(at, Align2::LEFT_CENTER, words, fonts::small(), theme.text3);
        }
        return;
    };
    if !in_words {
        Icon::Info.paint_sized(ui.painter(), at + vec2(10.0, 0.0), 14.0, theme.text2);
        return;
    }
    let whose: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let more = if reasons.len() > 1 { ", …" } else { "" };
    let whole = format!("{}: {reason}{more}", whose.join(", "));
    let most = (((right - at.x - 44.0) / 6.0).max(8.0) as usize).min(48);
    let mut words: String = whole.chars().take(most).collect();
    if words.len() < whole.len() {
        words.pop();
        words.push('…');
    }
    let galley = ui
        .painter()
        .layout_no_wrap(words, fonts::caption(), theme.text2);
    let chip = Rect::from_min_size(at - vec2(0.0, 9.0), vec2(galley.size().x + 32.0, 18.0));
    let outline = Stroke::new(1.0, theme.line_strong);
    ui.painter()
        .rect_stroke(chip, ROUND, outline, egui::StrokeKind::Inside);
    Icon::Info.paint_sized(
        ui.painter(),
        chip.left_center() + vec2(13.0, 0.0),
        12.0,
        theme.text3,
    );
    let text = chip.left_center() + vec2(23.0, -galley.size().y / 2.0);
    ui.painter().galley(text, galley, theme.text2);
}

/// The whole story of an operator, in the tooltip.
fn explanation(ui: &mut Ui, theme: &Theme, all: &Layers, layer: &Layer) {
    ui.set_max_width(420.0);
    ui.label(RichText::new(format!("{} {}", layer.op, layer.name)).font(fonts::strong()));
    if !layer.detail.is_empty() {
        ui.label(RichText::new(&layer.detail).color(theme.text2));
    }
    for (columns, reason) in reasons(all, layer) {
        let whose: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        ui.label(format!("{} keeps it float: {reason}", whose.join(", ")));
    }
    if layer.cells.iter().any(|c| c.tensor.is_some()) {
        ui.label(
            RichText::new("Double-click to see its tensor")
                .font(fonts::small())
                .color(theme.text3),
        );
    }
}

/// A row as a screen reader says it.
fn sentence(all: &Layers, layer: &Layer) -> String {
    let mut text = format!(
        "{}, {} {}, output {}",
        layer.index, layer.op, layer.name, layer.output
    );
    for (column, cell) in all.columns.iter().zip(&layer.cells) {
        let dtype = if cell.is_folded {
            "folded"
        } else {
            &cell.dtype
        };
        text += &format!("; {}: {dtype}", column.name);
        if let Some(db) = cell.local {
            text += &format!(", local {}", format::decibel(db));
        }
        if let Some(db) = cell.cumulative {
            text += &format!(", cumulative {}", format::decibel(db));
        }
        if let Some(ms) = cell.time_ms {
            let ms = format::TimeUnit::for_column([ms]).text(ms);
            text += &format!(", takes {ms}");
        }
        if let Some(why) = &cell.why_float {
            text += &format!(", float because {why}");
        }
    }
    text
}

/// Goes to the tensor that starts the damage, in the chosen experiment or the first that has one.
fn open_tensor(context: &mut Context<'_>, all: &Layers, layer: &Layer) {
    let with_tensor = || {
        all.columns
            .iter()
            .zip(&layer.cells)
            .filter_map(|(column, cell)| Some((column.id, cell.tensor?)))
    };
    let chosen = with_tensor().find(|(id, _)| context.state.selected == Some(*id));
    if let Some((experiment, tensor)) = chosen.or(with_tensor().next()) {
        context
            .state
            .tensors
            .select(TensorKey { experiment, tensor });
        context.state.tab = Tab::Tensors;
    }
}
