//! The table of tensors: thousands of rows, of which only the visible ones are laid out.

use egui::{
    Align2, Color32, FontId, Id, Rect, Response, RichText, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo, accesskit::Role, pos2, vec2,
};

use super::columns::{Place, Shows, THUMBNAIL, columns, is_left_aligned, places};
use super::toolbar::kind_name;
use super::{Context, Shown, text};
use crate::evaluate::TensorReport;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::Theme;
use crate::gui::view::tensors::{self as view, Column, Row, Source};
use crate::gui::view::{figures, format};
use crate::gui::widgets::{Button, Thumbnails};

/// Height of a row.
const ROW: f32 = 28.0;
/// Height of the column heads.
const HEAD: f32 = 26.0;

/// What holds the keyboard focus while the arrow keys walk the rows.
pub fn focus_id() -> Id {
    Id::unique("table of tensors")
}

/// Column heads and rows, down to the bottom of the card.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, shown: &Shown) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let full = ui.available_rect_before_wrap();
    let places = places(full.left(), full.width());
    heads(ui, context, full, &places);
    if shown.rows.is_empty() {
        return no_match(ui, context);
    }
    let focus = ui.interact(
        ui.available_rect_before_wrap(),
        focus_id(),
        Sense::FOCUSABLE,
    );
    focus.widget_info(|| {
        let count = format::count(shown.rows.len());
        WidgetInfo::labeled(Role::Table, true, format!("Table of tensors, {count} rows"))
    });
    let keep_arrows = egui::EventFilter {
        vertical_arrows: true,
        escape: true,
        ..Default::default()
    };
    ui.memory_mut(|m| m.set_focus_lock_filter(focus_id(), keep_arrows));
    let mut area = ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt("tensor rows");
    if let Some(row) = context.state.tensors.scroll_to.take() {
        area = scroll_into_sight(ui, area, row);
    }
    let output = area.show_rows(ui, ROW, shown.rows.len(), |ui, range| {
        for at in range {
            row(ui, context, shown, at, &places, focus.has_focus());
        }
        context.state.tensors.thumbnails.paint(ui.painter());
    });
    ui.data_mut(|d| {
        d.insert_temp(
            focus_id(),
            (output.state.clamped_offset().y, output.inner_rect.height()),
        )
    });
}

/// The least scrolling that shows the row whole.
fn scroll_into_sight(ui: &Ui, area: ScrollArea, row: usize) -> ScrollArea {
    let Some((offset, height)) = ui.data(|d| d.get_temp::<(f32, f32)>(focus_id())) else {
        return area;
    };
    let top = row as f32 * ROW;
    if top < offset {
        area.vertical_scroll_offset(top)
    } else if top + ROW > offset + height {
        area.vertical_scroll_offset(top + ROW - height)
    } else {
        area
    }
}

fn heads(ui: &mut Ui, context: &mut Context<'_>, full: Rect, places: &[Place]) {
    let theme = context.theme;
    let sort = &mut context.state.tensors.sort;
    let (rect, _) = ui.allocate_exact_size(vec2(full.width(), HEAD), Sense::hover());
    ui.painter()
        .hline(rect.x_range(), rect.top(), theme.separator());
    ui.painter()
        .hline(rect.x_range(), rect.bottom(), theme.separator());
    for place in places {
        let Some((_, head, _, explanation)) = columns().find(|c| c.0 == place.column) else {
            continue;
        };
        let cell = Rect::from_min_max(
            pos2(place.left, rect.top()),
            pos2(place.right, rect.bottom()),
        );
        let Shows::Figure(column) = place.column else {
            let at = cell.left_center();
            text(
                ui,
                at,
                Align2::LEFT_CENTER,
                head,
                fonts::small(),
                theme.text3,
            );
            continue;
        };
        let chosen = sort.column == column;
        let response = ui.interact(cell, ui.scope_id().with(("head", head)), Sense::click());
        let name = if head.is_empty() { "experiment" } else { head };
        let direction = match (chosen, sort.descending) {
            (false, _) => "",
            (true, false) => ", ascending",
            (true, true) => ", descending",
        };
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, format!("Sort by {name}{direction}"))
        });
        let color = if chosen || response.hovered() {
            theme.text
        } else {
            theme.text3
        };
        let font = if chosen {
            fonts::small_strong()
        } else {
            fonts::small()
        };
        let icon = if sort.descending {
            Icon::SortDown
        } else {
            Icon::SortUp
        };
        if is_left_aligned(place.column) {
            let drawn = text(
                ui,
                cell.left_center(),
                Align2::LEFT_CENTER,
                head,
                font,
                color,
            );
            if chosen {
                let x = if head.is_empty() {
                    cell.left() + 14.0
                } else {
                    drawn.right() + 9.0
                };
                icon.paint_sized(ui.painter(), pos2(x, cell.center().y), 12.0, color);
            }
        } else {
            let drawn = text(
                ui,
                cell.right_center(),
                Align2::RIGHT_CENTER,
                head,
                font,
                color,
            );
            if chosen {
                icon.paint_sized(
                    ui.painter(),
                    pos2(drawn.left() - 8.0, cell.center().y),
                    12.0,
                    color,
                );
            }
        }
        if response.has_focus() {
            let ring = Stroke::new(2.0, theme.focus);
            ui.painter()
                .rect_stroke(cell, 2.0, ring, egui::StrokeKind::Inside);
        }
        if response.clicked() {
            // Names from A on, errors from the largest on, SQNR from the worst on.
            let largest_first = matches!(
                column,
                Column::Shape
                    | Column::Range
                    | Column::Scale
                    | Column::ScaleError
                    | Column::ZeroPointError
                    | Column::Clipped
            );
            sort.descending = if chosen {
                !sort.descending
            } else {
                largest_first
            };
            sort.column = column;
        }
        response.on_hover_text(explanation);
    }
}

fn row(
    ui: &mut Ui,
    context: &mut Context<'_>,
    shown: &Shown,
    at: usize,
    places: &[Place],
    focused: bool,
) {
    let theme = context.theme;
    let row = shown.rows[at];
    let (source, report) = row.of(&shown.sources);
    let key = row.key(&shown.sources);
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW));
    let id = focus_id().with((row.source, row.report));
    let response = ui.interact(rect, id, Sense::CLICK);
    let selected = context.state.tensors.selected == Some(key);
    let is_over = context.state.tensors.over.contains(&key);
    response.widget_info(|| {
        let mut words = sentence(source, report);
        if is_over {
            words += ", overlaid";
        }
        WidgetInfo::selected(Role::Row, true, selected, words)
    });
    if response.hovered() {
        context.hover(source.id);
    }
    let with_others = ui.input(|i| i.modifiers.command);
    if response.clicked() && with_others && !selected {
        context.state.tensors.overlay(key);
    } else if response.clicked() {
        context.state.tensors.select(key);
        context.state.tensors.by_keyboard = false;
        context.state.selected = Some(source.id);
        ui.memory_mut(|m| m.request_focus(focus_id()));
    }
    let over = context.state.tensors.over.contains(&key);
    ground(ui, theme, rect, selected, response.hovered() || over);
    if over {
        let bar = rect.with_max_x(rect.left() + 2.0);
        let hue = theme.mode(source.look.mode);
        ui.painter().rect_filled(bar, 0.0, hue);
    }
    if selected && focused && context.state.tensors.by_keyboard {
        let ring = Stroke::new(2.0, theme.focus);
        ui.painter()
            .rect_stroke(rect.shrink(1.0), 2.0, ring, egui::StrokeKind::Inside);
    }
    for place in places {
        let cell = Rect::from_min_max(
            pos2(place.left, rect.top()),
            pos2(place.right, rect.bottom()),
        );
        let thumbnails = &mut context.state.tensors.thumbnails;
        paint_cell(ui, theme, source, report, place.column, cell, thumbnails);
    }
    hover_name(response, report);
}

fn ground(ui: &Ui, theme: &Theme, rect: Rect, selected: bool, hovered: bool) {
    let painter = ui.painter();
    if selected || hovered {
        let fill = if selected {
            theme.selected
        } else {
            theme.hover
        };
        painter.rect_filled(rect, 0.0, fill);
    }
    painter.hline(rect.x_range(), rect.bottom(), theme.separator());
    if selected {
        let bar = rect.with_max_x(rect.left() + 2.0);
        painter.rect_filled(bar, 0.0, theme.text);
    }
}

/// The whole name where the column may cut it.
fn hover_name(response: Response, report: &TensorReport) {
    let shape = figures::shape(&report.shape);
    response.on_hover_text_at_pointer(format!("{}\n{shape}, {}", report.name, report.op));
}

/// A row as a screen reader says it.
fn sentence(source: &Source, r: &TensorReport) -> String {
    let scale = format::significant(r.scale.into());
    let local = figures::or_none(r.sqnr_local_db, format::decibel);
    let cumulative = figures::or_none(r.sqnr_cumulative_db, format::decibel);
    format!(
        "{}, {}, {} {}, scale {scale}, zero point {}, local {local}, cumulative {cumulative}",
        view::short_name(&r.name),
        source.name,
        r.dtype,
        kind_name(r.kind),
        figures::integer(r.zero_point),
    )
}

fn paint_cell(
    ui: &Ui,
    theme: &Theme,
    source: &Source,
    r: &TensorReport,
    column: Shows,
    cell: Rect,
    thumbnails: &mut Thumbnails,
) {
    let hue = theme.mode(source.look.mode);
    let Shows::Figure(column) = column else {
        let picture =
            Rect::from_min_size(cell.left_center() - vec2(0.0, 9.0), vec2(THUMBNAIL, 18.0));
        let heights = view::thumbnail(&r.values, 32);
        return thumbnails.show(ui.painter(), picture, &heights, hue);
    };
    let right = |words: &str, color: Color32| {
        text(
            ui,
            cell.right_center(),
            Align2::RIGHT_CENTER,
            words,
            fonts::body(),
            color,
        )
    };
    let left = |words: &str, font: FontId, color: Color32| {
        text(
            ui,
            cell.left_center(),
            Align2::LEFT_CENTER,
            words,
            font,
            color,
        );
    };
    let warned = |bad: bool| if bad { theme.damage } else { theme.text };
    let figure = |value: Option<f64>, words: &dyn Fn(f64) -> String, color: Color32| match value {
        Some(x) => right(&words(x), color),
        None => right(format::NONE, theme.text3),
    };
    match column {
        Column::Experiment => {
            source.look.paint_marker_sized(
                ui.painter(),
                cell.left_center() + vec2(14.0, 0.0),
                0.9,
                hue,
            );
        }
        Column::Tensor => {
            let most = ((cell.width() - 10.0) / code_width(ui)).max(4.0) as usize;
            left(
                &figures::elide(view::short_name(&r.name), most),
                fonts::code(),
                theme.text,
            );
        }
        Column::Operator => {
            let most = ((cell.width() - 8.0) / 7.6).max(4.0) as usize;
            left(&figures::elide(&r.op, most), fonts::small(), theme.text2);
        }
        Column::Shape => {
            let most = ((cell.width() - 6.0) / 6.6).max(4.0) as usize;
            let shape = figures::elide(&figures::shape(&r.shape), most);
            left(&shape, fonts::small(), theme.text2);
        }
        Column::Range => {
            let end = |x: f32| format::significant(x.into());
            let words = format!("{} to {}", end(r.range.0), end(r.range.1));
            right(&words, theme.text2);
        }
        Column::Kind => left(kind_name(r.kind), fonts::small(), theme.text2),
        Column::Type => left(&r.dtype, fonts::small(), theme.text2),
        Column::Scale => {
            let drawn = right(&format::significant(r.scale.into()), theme.text);
            if r.channels.len() > 1 {
                let at = pos2(drawn.left() - 4.0, cell.center().y);
                text(
                    ui,
                    at,
                    Align2::RIGHT_CENTER,
                    "max",
                    fonts::small(),
                    theme.text3,
                );
            }
        }
        Column::ZeroPoint => {
            right(&figures::integer(r.zero_point), theme.text2);
        }
        Column::ScaleError => {
            let bad = r.scale_error.is_some_and(view::is_bad_scale);
            figure(r.scale_error, &|e| format::signed(e, 2), warned(bad));
        }
        Column::ZeroPointError => {
            let bad = r.zero_point_error.is_some_and(view::is_bad_zero_point);
            figure(r.zero_point_error, &|e| format::signed(e, 1), warned(bad));
        }
        Column::Clipped => {
            let color = if view::is_bad_clipping(r.clipped) {
                theme.damage
            } else {
                theme.text2
            };
            right(&format::small_percent(r.clipped), color);
        }
        Column::Local => {
            figure(r.sqnr_local_db, &format::decibel, theme.text);
        }
        Column::Cumulative => {
            figure(r.sqnr_cumulative_db, &format::decibel, theme.text2);
        }
    }
}

fn code_width(ui: &Ui) -> f32 {
    ui.fonts_mut(|f| f.glyph_width(&fonts::code(), 'm'))
        .max(1.0)
}

fn no_match(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let filter = &mut context.state.tensors.filter;
    let words = match filter.text.trim() {
        "" => "No tensor passes these filters".to_owned(),
        text => format!("No tensor matches '{text}'"),
    };
    ui.vertical_centered(|ui| {
        ui.add_space(48.0);
        ui.label(RichText::new(words).color(theme.text2));
        ui.add_space(8.0);
        if ui.add(Button::new("Clear filter")).clicked() {
            filter.clear();
        }
    });
}

/// Where a row stands in the list, for the inspector: `1 of 21`.
pub fn position(shown: &Shown, row: impl Fn(&Row) -> bool) -> Option<usize> {
    shown.rows.iter().position(row).map(|at| at + 1)
}
