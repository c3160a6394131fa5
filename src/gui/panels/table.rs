//! The table of experiments: one row each, cells aligned in columns that give way by importance where it is narrow.

mod columns;

use egui::{
    Align2, Color32, FontId, Painter, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use super::super::{Context, Tab, fonts};
use super::beside;
use super::experiment_menu;
use super::side::menu;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, ROUND_CARD};
use crate::gui::view::compare::{Answer, Comparison, Group, Row, Status};
use crate::gui::view::engines::{self, Beside};
use crate::gui::view::format::{self, NONE};
use crate::gui::view::limits::Limit;
use crate::gui::view::order::{Column, Order};
use crate::gui::widgets::{Button, at, focus_ring, icon_button, menu_item, progress_bar};
use crate::workbench::Command;
use columns::Columns;

/// Height of the line above the experiments of one model.
const MODEL_HEIGHT: f32 = 26.0;

/// Icon of the sorted column's head, its side.
const ARROW: f32 = 12.0;

/// Shows the table and returns its height.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, comparison: &Comparison, answer: &Answer) -> f32 {
    let theme = context.theme;
    let window = ui.ctx().content_rect();
    let (row_height, groups) = match (window.height() < 720.0, window.width() < 1180.0) {
        (true, _) => (25.0, 0.0),
        (false, true) => (28.0, 0.0),
        (false, false) => (32.0, 26.0),
    };
    let head = 26.0;
    let lines = |row: &Row| engines::beside(context.bench, row.id, comparison.unit);
    let lines: Vec<Option<Beside>> = comparison.rows.iter().map(lines).collect();
    let below = |line: &Option<Beside>| if line.is_some() { beside::HEIGHT } else { 0.0 };
    let rows = comparison.rows.len() as f32;
    let models = comparison.groups.len() as f32 * MODEL_HEIGHT;
    let height =
        groups + head + models + rows * row_height + lines.iter().map(below).sum::<f32>() + 2.0;
    let width = ui.available_width().min(1400.0);
    let (_, rect) = ui.allocate_space(vec2(width, height));
    ui.painter().rect_filled(rect, ROUND_CARD, theme.raised);
    ui.painter()
        .rect_stroke(rect, ROUND_CARD, theme.separator(), StrokeKind::Inside);
    let columns = Columns::fit(rect, context.state.last_columns);
    if groups > 0.0 {
        group_heads(ui, context, comparison, &columns, rect.top() + groups - 4.0);
    }
    let head_rect = Rect::from_min_size(rect.min + vec2(0.0, groups), vec2(width, head));
    heads(ui, context, comparison, &columns, head_rect);
    let spacing = std::mem::take(&mut ui.spacing_mut().item_spacing);
    let mut top = head_rect.bottom();
    let mut models = comparison.groups.iter();
    let mut left = 0;
    for (row, line) in comparison.rows.iter().zip(&lines) {
        while left == 0
            && let Some(model) = models.next()
        {
            let place = Rect::from_min_size(pos2(rect.left(), top), vec2(width, MODEL_HEIGHT));
            model_head(ui, context, model, &columns, place);
            top += MODEL_HEIGHT;
            left = model.rows;
        }
        left = left.saturating_sub(1);
        let place = Rect::from_min_size(pos2(rect.left(), top), vec2(width, row_height));
        ui.push_id(row.id.0, |ui| {
            ui.spacing_mut().item_spacing = spacing;
            table_row(ui, context, comparison, row, &columns, place, answer);
            if let Some(line) = line {
                let size = vec2(width, beside::HEIGHT);
                let place = Rect::from_min_size(place.left_bottom(), size);
                beside::ui(ui, context, line, &columns.beside(), place);
            }
        });
        top += row_height + below(line);
    }
    for model in models {
        let place = Rect::from_min_size(pos2(rect.left(), top), vec2(width, MODEL_HEIGHT));
        model_head(ui, context, model, &columns, place);
        top += MODEL_HEIGHT;
    }
    ui.spacing_mut().item_spacing = spacing;
    height
}

/// The line above the experiments of one model, where several are open; pressing it makes that the current one.
fn model_head(
    ui: &mut Ui,
    context: &mut Context<'_>,
    model: &Group,
    columns: &Columns,
    rect: Rect,
) {
    let theme = context.theme;
    let id = ui.scope_id().with(("model", model.id));
    let response = ui.interact(rect, id, Sense::click());
    let spoken = format!("Model {}, {}", model.name, model.words);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, model.current, &spoken));
    let inside = rect.shrink2(vec2(1.0, 0.0));
    let fill = match response.hovered() && !model.current {
        true => theme.hover,
        false => theme.panel,
    };
    ui.painter().rect_filled(inside, 0.0, fill);
    let line = inside.bottom() - 0.5;
    ui.painter()
        .hline(inside.x_range(), line, theme.separator());
    let at = |x: f32| pos2(x, rect.center().y);
    let icon = at(columns.name - 18.0);
    let color = if model.current {
        theme.text
    } else {
        theme.text3
    };
    Icon::Model.paint_sized(ui.painter(), icon, 14.0, color);
    let name = ui.painter().text(
        at(columns.name),
        Align2::LEFT_CENTER,
        format::elide(&model.name, 40),
        fonts::strong(),
        if model.current {
            theme.text
        } else {
            theme.text2
        },
    );
    let words = match (model.rows, model.current) {
        (0, true) => format!("{}, current, not run yet", model.words),
        (0, false) => format!("{}, not run yet", model.words),
        (_, true) => format!("{}, current", model.words),
        (_, false) => model.words.clone(),
    };
    ui.painter().text(
        at(name.right() + 8.0),
        Align2::LEFT_CENTER,
        words,
        fonts::small(),
        theme.text3,
    );
    focus_ring(ui, &response, ROUND);
    if response
        .on_hover_text(
            "The current model is the one that the side panel, Layers, Tensors and Samples show",
        )
        .clicked()
    {
        context.push(Command::SelectModel(model.id));
    }
}

fn group_heads(
    ui: &mut Ui,
    context: &Context<'_>,
    comparison: &Comparison,
    columns: &Columns,
    y: f32,
) {
    let theme = context.theme;
    let threads = engines::threads(comparison.threads.unwrap_or(context.bench.threads));
    let (engine, measured) = engines::sources(context.bench);
    let engine = if engine.is_empty() {
        String::new()
    } else {
        format!("{engine}, ")
    };
    let quality = match comparison.samples {
        Some(n) => format!("Quality on {} samples", format::count(n)),
        None => "Quality".to_owned(),
    };
    for (first, last, title, tooltip) in [
        (Column::Bytes, Column::Smaller, "Size".to_owned(), ""),
        (
            Column::Median,
            Column::Faster,
            format!("Latency, {engine}{threads}"),
            &measured,
        ),
        (Column::Top1, Column::Sqnr, quality, &measured),
    ] {
        let (Some(start), Some(end)) = (columns.edge(first), columns.edge(last)) else {
            continue;
        };
        let left = start - first.width() + 16.0;
        let line = Stroke::new(1.0, theme.line_strong);
        ui.painter().hline(left..=end, y.round() + 0.5, line);
        let cell = Rect::from_min_max(pos2(left, y - 20.0), pos2(end, y - 2.0));
        cell_label(
            ui,
            cell,
            &title,
            Align2::LEFT_CENTER,
            fonts::small(),
            theme.text2,
            tooltip,
        );
    }
}

fn heads(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    columns: &Columns,
    rect: Rect,
) {
    let theme = context.theme;
    let y = rect.bottom() - 0.5;
    ui.painter().hline(rect.x_range(), y, theme.separator());
    let name_end = columns.name + 76.0;
    let name = Rect::from_min_max(
        pos2(columns.name, rect.top()),
        pos2(name_end, rect.bottom()),
    );
    head(ui, context, comparison, Column::Name, name);
    for &(column, right) in &columns.shown {
        let left = right - column.width();
        let cell = Rect::from_min_max(pos2(left, rect.top()), pos2(right, rect.bottom()));
        head(ui, context, comparison, column, cell);
    }
    if columns.hidden > 0 || context.state.last_columns {
        let label = if context.state.last_columns {
            "First columns"
        } else {
            "Last columns"
        };
        // Between the names' head and the first column there is always room.
        let first = columns
            .shown
            .first()
            .map_or(rect.right(), |c| c.1 - c.0.width());
        let corner = Rect::from_min_max(
            pos2(first - 92.0, rect.top() + 1.0),
            pos2(first, rect.bottom()),
        );
        at(ui, corner, |ui| {
            let button = ui.add(Button::bare(label));
            if button
                .on_hover_text("Not all columns fit: show the others instead")
                .clicked()
            {
                context.state.last_columns = !context.state.last_columns;
            }
        });
    }
}

/// The head of one column: says what stands below, and sorts by it.
fn head(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    column: Column,
    cell: Rect,
) {
    let theme = context.theme;
    let (title, tooltip) = column.head(&comparison.baseline);
    let order = context.state.order.filter(|o| o.by == column);
    let response = ui.interact(cell, ui.scope_id().with(("head", title)), Sense::click());
    let direction = match order.map(|o| o.descending) {
        None => "",
        Some(false) => ", ascending",
        Some(true) => ", descending",
    };
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("Sort by {title}{direction}"))
    });
    let (font, color) = match (order, response.hovered()) {
        (Some(_), _) => (fonts::small_strong(), theme.text),
        (None, true) => (fonts::small(), theme.text),
        (None, false) => (fonts::small(), theme.text3),
    };
    let (align, side) = match column == Column::Name {
        true => (Align2::LEFT_CENTER, 1.0),
        false => (Align2::RIGHT_CENTER, -1.0),
    };
    let drawn = (ui.painter()).text(align.pos_in_rect(&cell), align, title, font, color);
    if let Some(order) = order {
        let icon = match order.descending {
            true => Icon::SortDown,
            false => Icon::SortUp,
        };
        let beside = drawn.center() + vec2(side * (drawn.width() / 2.0 + 8.0), 0.0);
        icon.paint_sized(ui.painter(), beside, ARROW, color);
    }
    focus_ring(ui, &response, ROUND);
    if response.clicked() {
        context.state.order = Order::clicked(context.state.order, column);
    }
    response.on_hover_text(tooltip);
}

/// Painted text that screen readers can read, with a tooltip where there is one.
fn cell_label(
    ui: &Ui,
    rect: Rect,
    words: &str,
    align: Align2,
    font: FontId,
    color: Color32,
    tooltip: &str,
) {
    let anchor = align.pos_in_rect(&rect);
    let painted = ui.painter().text(anchor, align, words, font, color);
    let sense = match tooltip.is_empty() {
        true => Sense::hover(),
        // The keyboard rests on words that are explained.
        false => Sense::focusable_noninteractive(),
    };
    let response = ui.interact(painted, ui.scope_id().with((words, "cell")), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    focus_ring(ui, &response, ROUND);
    if !tooltip.is_empty() {
        response.on_hover_text(tooltip);
    }
}

fn table_row(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    row: &Row,
    columns: &Columns,
    rect: Rect,
    answer: &Answer,
) {
    let theme = context.theme;
    let selected = context.state.selected == Some(row.id);
    let id = ui.scope_id().with("row");
    if ui.memory(|m| m.has_focus(id)) {
        // Before the row takes Space and Enter for a click.
        experiment_menu::keys(ui, context, row);
    }
    let response = ui.interact(rect, id, Sense::click());
    let over = context.state.limits.complaints(row, comparison.unit);
    response.widget_info(|| {
        let mut words = comparison.sentence(row);
        for complaint in &over {
            words += ", ";
            words += complaint;
        }
        WidgetInfo::selected(Role::Row, true, selected, words)
    });
    if response.contains_pointer() {
        context.hover(row.id);
    }
    let painter = ui.painter().clone();
    let inside = rect.shrink2(vec2(1.0, 0.0));
    if selected {
        painter.rect_filled(inside, 0.0, theme.selected);
        let mut edge = inside;
        edge.set_width(2.0);
        painter.rect_filled(edge, 0.0, theme.text);
    } else if context.is_hovered(row.id) {
        painter.rect_filled(inside, 0.0, theme.hover);
    }
    if comparison.rows.last().is_none_or(|last| last.id != row.id) {
        painter.hline(inside.x_range(), rect.bottom() - 0.5, theme.separator());
    }
    if response.clicked() {
        context.state.selected = if selected { None } else { Some(row.id) };
        // Side panel and tabs follow the selection.
        let home = context.bench.model_of(row.id).map(|d| d.id);
        if let Some(home) = home.filter(|&id| id != context.bench.id) {
            context.push(Command::SelectModel(home));
        }
    }
    if response.double_clicked() {
        context.state.selected = Some(row.id);
        context.state.tab = Tab::Layers;
    }
    focus_ring(ui, &response, ROUND);
    name_cell(&painter, context, row, columns, rect, answer);
    experiment_menu::rename_field(ui, context, row, pos2(columns.name - 4.0, rect.center().y));
    let y = rect.center().y;
    cells(&painter, context, comparison, row, columns, y);
    status_cells(&painter, context, row, columns, y);
    let mut notes = over;
    notes.extend(row.warnings.iter().cloned());
    let source = context.bench.experiment(row.id).and_then(engines::source);
    notes.extend(source.map(|by| format!("Measured by {by}")));
    if row.kept_float > 0 {
        notes.push(format!(
            "{} operators stay float, see Layers",
            row.kept_float
        ));
    }
    if let Some(why) = row.without {
        notes.push(format!(
            "Not all figures can be taken against {}: {why}",
            comparison.baseline
        ));
    }
    if row.reused {
        notes.push("Reused, nothing it depends on has changed".into());
    }
    if row.stale {
        notes.push("Figures of an earlier run".into());
    }
    if let Status::Failed(message) = &row.status {
        notes.push(message.clone());
    }
    if !notes.is_empty() {
        response.on_hover_text(notes.join("\n"));
    }
    let corner = Rect::from_center_size(pos2(columns.right - 14.0, y), vec2(28.0, 24.0));
    at(ui, corner, |ui| {
        let name = format!("More for {}", row.title());
        let button = icon_button(ui, Icon::More, &name, "Save, show, change, delete");
        menu(&button, |ui| {
            row_menu(ui, context, row);
            experiment_menu::items(ui, context, row);
        });
    });
}

fn row_menu(ui: &mut Ui, context: &mut Context<'_>, row: &Row) {
    ui.add_enabled_ui(row.has_file, |ui| {
        if menu_item(ui, "Save file…").clicked() {
            context.ask_save(row.id);
        }
        if menu_item(ui, "Save to a typed path").clicked()
            && let Some(name) = context.file_name(row.id)
        {
            context.type_path(crate::gui::Ask::Save(row.id, name));
        }
    });
    ui.add_enabled_ui(row.has_file, |ui| {
        if menu_item(ui, "How to use it…").clicked() {
            context.state.usage = Some(super::usage::Of::Experiment(row.id));
        }
    });
    if menu_item(ui, "Show its tensors").clicked() {
        context.state.selected = Some(row.id);
        context.state.tab = Tab::Tensors;
    }
    if menu_item(ui, "Show its layers").clicked() {
        context.state.selected = Some(row.id);
        context.state.tab = Tab::Layers;
    }
}

fn name_cell(
    painter: &Painter,
    context: &Context<'_>,
    row: &Row,
    columns: &Columns,
    rect: Rect,
    answer: &Answer,
) {
    let theme = context.theme;
    let y = rect.center().y;
    let marker = pos2(columns.name - 18.0, y);
    row.look
        .paint_marker(painter, marker, theme.mode(row.look.mode));
    if row.pinned {
        let at = pos2(columns.name - 40.0, y);
        Icon::Pin.paint_sized(painter, at, 13.0, theme.text);
    } else if answer.experiment == Some(row.id) {
        let at = pos2(columns.name - 40.0, y);
        Icon::Check.paint_sized(painter, at, 13.0, theme.text2);
    }
    let first = columns
        .shown
        .first()
        .map_or(rect.right(), |c| c.1 - c.0.width());
    let clip = painter.with_clip_rect(Rect::from_min_max(
        pos2(columns.name, rect.top()),
        pos2(first + 14.0, rect.bottom()),
    ));
    let name = clip.text(
        pos2(columns.name, y),
        Align2::LEFT_CENTER,
        &row.name,
        fonts::strong(),
        theme.text,
    );
    let after = pos2(name.right() + 8.0, y);
    if row.baseline {
        let galley = clip.layout_no_wrap("Baseline".into(), fonts::caption(), theme.text2);
        let chip = Rect::from_min_size(
            pos2(after.x + 2.0, y - 9.0),
            vec2(galley.size().x + 12.0, 18.0),
        );
        clip.rect_stroke(
            chip,
            ROUND,
            Stroke::new(1.0, theme.line_strong),
            StrokeKind::Inside,
        );
        clip.galley(chip.center() - galley.size() / 2.0, galley, theme.text2);
    } else {
        let words = if row.stale {
            format!("{}, earlier run", row.detail)
        } else {
            row.detail.clone()
        };
        clip.text(
            after,
            Align2::LEFT_CENTER,
            words,
            fonts::small(),
            theme.text2,
        );
    }
}

fn cells(
    painter: &Painter,
    context: &Context<'_>,
    comparison: &Comparison,
    row: &Row,
    columns: &Columns,
    y: f32,
) {
    let theme = context.theme;
    let waiting = row.is_running() && row.top1.is_none();
    for &(column, right) in &columns.shown {
        let is_known_early = matches!(column, Column::Bytes | Column::Smaller);
        if waiting && !is_known_early {
            continue;
        }
        let unit = comparison.unit;
        let (words, ink) = match column {
            Column::Name => continue,
            Column::Bytes => (row.bytes.map(format::count), theme.text),
            Column::Smaller => (row.smaller.clone(), theme.text2),
            Column::Median => (row.median_ms.map(|t| unit.text(t)), theme.text),
            Column::P95 => (row.p95_ms.map(|t| unit.text(t)), theme.text2),
            Column::Faster => (row.faster.clone(), theme.text2),
            Column::Top1 => {
                let words = row
                    .top1
                    .map(|t| t.map_or_else(|| NONE.to_owned(), format::percent));
                (words, theme.text)
            }
            Column::Delta => {
                let words = if row.baseline {
                    None
                } else {
                    row.delta.clone()
                };
                (words, theme.text2)
            }
            Column::Interval => {
                glyph(painter, context, comparison, row, right, y);
                continue;
            }
            Column::Agreement => (row.agreement.clone(), theme.text2),
            Column::Sqnr => (row.sqnr.clone(), theme.text2),
        };
        let Some(words) = words else { continue };
        let limit = match column {
            Column::Bytes => Some(Limit::Size),
            Column::Median => Some(Limit::Latency),
            Column::Delta => Some(Limit::Loss),
            Column::Name
            | Column::Smaller
            | Column::P95
            | Column::Faster
            | Column::Top1
            | Column::Interval
            | Column::Agreement
            | Column::Sqnr => None,
        };
        let over = limit.and_then(|l| context.state.limits.is_over(l, row));
        let ink = match words == NONE {
            true => theme.text3,
            false if over == Some(true) => theme.damage,
            false => ink,
        };
        painter.text(
            pos2(right, y),
            Align2::RIGHT_CENTER,
            words,
            fonts::body(),
            ink,
        );
    }
}

/// The delta as a dot on its 95 % interval, 56 points wide, all rows to one scale.
fn glyph(
    painter: &Painter,
    context: &Context<'_>,
    comparison: &Comparison,
    row: &Row,
    right: f32,
    y: f32,
) {
    let theme = context.theme;
    if row.top1.flatten().is_none() {
        return;
    }
    let center = right - 30.0;
    let zero = painter.round_to_pixel_center(center);
    painter.vline(zero, (y - 7.0)..=(y + 7.0), Stroke::new(1.0, theme.control));
    let Some(interval) = row.interval.filter(|_| comparison.reach > 0.0) else {
        return;
    };
    let place = |v: f64| center + (v / comparison.reach) as f32 * 28.0;
    let whisker = Stroke::new(1.5, theme.text);
    let (low, high) = (place(interval.low), place(interval.high));
    if high > low {
        painter.hline(low..=high, y, whisker);
    }
    painter.circle_filled(pos2(place(interval.delta), y), 2.6, theme.text);
}

/// Over the cells to come: how far the job is, or how it ended.
fn status_cells(painter: &Painter, context: &Context<'_>, row: &Row, columns: &Columns, y: f32) {
    let theme = context.theme;
    let Some(median) = columns.edge(Column::Median) else {
        return;
    };
    if row.median_ms.is_some() && row.top1.is_some() && !row.is_running() {
        return;
    }
    // What is known keeps its place; the words stand where the next figure will be.
    let from = median - Column::Median.width() + 24.0;
    let to = columns.edge(Column::Faster).or(Some(median));
    match &row.status {
        Status::Done => {}
        Status::New => {
            let words = "Not run yet";
            let at = pos2(from, y);
            painter.text(at, Align2::LEFT_CENTER, words, fonts::small(), theme.text3);
        }
        Status::Running { fraction, words } => {
            if row.median_ms.is_some() {
                return;
            }
            let wide = row.top1.is_none();
            let bar_width = if wide { 110.0 } else { 60.0 };
            let bar = Rect::from_min_size(pos2(from, y - 2.0), vec2(bar_width, 4.0));
            let color = theme.mode(row.look.mode);
            progress_bar(painter, bar, *fraction, color, theme);
            let words_at = pos2(bar.right() + 10.0, y);
            let end = if wide {
                columns.right - 40.0
            } else {
                to.unwrap_or(bar.right())
            };
            let clip = Rect::from_min_max(pos2(words_at.x, y - 12.0), pos2(end, y + 12.0));
            let words = if wide {
                words.clone()
            } else {
                words.split(',').next().unwrap_or_default().to_owned()
            };
            painter.with_clip_rect(clip).text(
                words_at,
                Align2::LEFT_CENTER,
                words,
                fonts::small(),
                theme.text2,
            );
        }
        Status::Failed(_) | Status::Cancelled => {
            if row.median_ms.is_some() {
                return;
            }
            let (words, ink) = if row.status == Status::Cancelled {
                ("Cancelled", theme.text3)
            } else {
                ("Failed", theme.damage)
            };
            painter.text(
                pos2(from, y),
                Align2::LEFT_CENTER,
                words,
                fonts::small(),
                ink,
            );
        }
    }
}
