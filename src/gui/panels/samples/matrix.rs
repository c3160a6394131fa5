//! The confusion matrix of a variant with its change from the baseline, or the list of what is confused most.

use egui::{
    Align2, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role as Say,
    pos2, vec2,
};

use super::super::super::{Context, fonts};
use crate::gui::theme::{ROUND, ROUND_CELL, Theme};
use crate::gui::view::data::choice;
use crate::gui::view::format;
use crate::gui::view::samples::{Both, Confused, class_name};
use crate::gui::widgets::plot::text_width;
use crate::gui::widgets::{export, focus_ring, segment, text, text_wrapped};
use crate::workbench::{Experiment, Role};

/// Side of a cell where there is room.
const CELL: f32 = 38.0;

/// Fills the card.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, variant: &Experiment, both: &Both) {
    let theme = context.theme;
    let samples = &both.samples;
    ui.spacing_mut().item_spacing.y = 4.0;
    title(ui, context, !samples.matrix.is_empty());
    let shares = match context.state.samples.shares {
        true => ", % of each label",
        false => "",
    };
    let words = format!(
        "{} on {} samples{shares}, small figures are the change from {}",
        variant.name(),
        format::count(samples.samples),
        both.baseline.0
    );
    text(ui, words, fonts::small(), theme.text2);
    let loaded = choice(context.bench, Role::Evaluation).loaded.as_ref();
    let classes: &[String] = loaded.map_or(&[], |l| &l.classes);
    ScrollArea::vertical()
        .id_salt("matrix")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            if samples.matrix.is_empty() {
                let words = format!(
                    "{} classes are too many for a matrix, here is what is confused most",
                    format::count(samples.classes)
                );
                text_wrapped(ui, words, fonts::small(), theme.text3);
            } else {
                matrix(ui, context, both, classes);
            }
            ui.add_space(6.0);
            figures(ui, context, variant, both);
            ui.add_space(6.0);
            most_confused(ui, context, variant, both, classes);
        });
}

/// The heading, with the switch between counts and shares where there is a matrix.
fn title(ui: &mut Ui, context: &mut Context<'_>, switch: bool) {
    let theme = context.theme;
    ui.horizontal(|ui| {
        text(ui, "Confusion matrix", fonts::strong(), theme.text).on_hover_text(
            "Rows are labels, columns are answers; what stands beside the diagonal is wrong. Click a cell to see its samples",
        );
        if !switch {
            return;
        }
        let shares = &mut context.state.samples.shares;
        let option = |label, tooltip, on| (label, format!("Show {label}"), tooltip, on);
        let options = [
            option("Counts", "Samples in each cell", !*shares),
            option("Share", "Percent of the samples with that label", *shares),
        ];
        if let Some(which) = segment(ui, &options) {
            *shares = which == 1;
        }
    });
}

fn matrix(ui: &mut Ui, context: &mut Context<'_>, both: &Both, classes: &[String]) {
    let theme = context.theme;
    let n = both.samples.classes;
    let head = 26.0;
    let cell = ((ui.available_width() - head - 4.0) / n as f32)
        .clamp(14.0, CELL)
        .floor();
    let side = cell * n as f32;
    let (whole, _) = ui.allocate_exact_size(
        vec2(ui.available_width(), side + head + 18.0),
        Sense::empty(),
    );
    let grid = Rect::from_min_size(whole.min + vec2(head, head), vec2(side, side));
    let off_diagonal = |i: usize| i / n != i % n;
    let cells = both.samples.matrix.iter().enumerate();
    let largest = cells
        .filter(|(i, _)| off_diagonal(*i))
        .map(|(_, c)| c.0)
        .max();
    // A handful of errors is no heat.
    let largest = largest.unwrap_or(0).max(8);
    let shares = context.state.samples.shares;
    let of_label = |label: usize| {
        let row = both.samples.matrix.get(label * n..(label + 1) * n);
        row.map_or(0, |row| row.iter().map(|c| c.0).sum::<usize>())
            .max(1)
    };
    let painter = ui.painter().clone();
    let short = |class: usize| {
        let name = class_name(classes, class as u32);
        let fits = (cell / 7.0) as usize;
        match name.chars().count() <= fits.max(2) {
            true => name,
            false => class.to_string(),
        }
    };
    for class in 0..n {
        let x = grid.left() + (class as f32 + 0.5) * cell;
        let y = grid.top() + (class as f32 + 0.5) * cell;
        let above = pos2(x, grid.top() - 10.0);
        painter.text(
            above,
            Align2::CENTER_CENTER,
            short(class),
            fonts::caption(),
            theme.text3,
        );
        let beside = pos2(grid.left() - 6.0, y);
        painter.text(
            beside,
            Align2::RIGHT_CENTER,
            short(class),
            fonts::caption(),
            theme.text3,
        );
    }
    let below = pos2(grid.center().x, grid.bottom() + 10.0);
    painter.text(
        below,
        Align2::CENTER_CENTER,
        "Answer",
        fonts::caption(),
        theme.text3,
    );
    let corner = pos2(whole.left(), grid.top() - 10.0);
    painter.text(
        corner,
        Align2::LEFT_CENTER,
        "Label",
        fonts::caption(),
        theme.text3,
    );
    let mut clicked = None;
    for (i, &(ours, float)) in both.samples.matrix.iter().enumerate() {
        let (label, answer) = (i / n, i % n);
        let min = grid.min + vec2(answer as f32 * cell, label as f32 * cell);
        let rect = Rect::from_min_size(min, vec2(cell, cell)).shrink(1.0);
        if ours == 0 && float == 0 {
            painter.rect_filled(rect, ROUND_CELL, theme.hover.gamma_multiply(0.5));
            continue;
        }
        let (fill, ink) = match off_diagonal(i) {
            true => heat(theme, ours, largest),
            false => (theme.selected, theme.text2),
        };
        painter.rect_filled(rect, ROUND_CELL, fill);
        let small = cell < 26.0;
        let font = if small {
            fonts::caption()
        } else {
            fonts::small()
        };
        let change = ours as i64 - float as i64;
        let lift = if change == 0 || small { 0.0 } else { 6.0 };
        if ours > 0 {
            let at = rect.center() - vec2(0.0, lift);
            let words = match shares {
                true => percent(ours, of_label(label)),
                false => format::count(ours),
            };
            painter.text(at, Align2::CENTER_CENTER, words, font, ink);
        }
        if change != 0 && !small {
            let at = rect.center() + vec2(0.0, if ours > 0 { 8.0 } else { 0.0 });
            let words = match shares {
                true => format::signed(change as f64 / of_label(label) as f64 * 100.0, 1),
                false => format::signed(change as f64, 0),
            };
            painter.text(at, Align2::CENTER_CENTER, words, fonts::caption(), ink);
        }
        let response = ui.interact(rect, ui.scope_id().with(("cell", i)), Sense::click());
        let chosen = context.state.samples.cell == Some((label as u32, answer as u32));
        let name = format!(
            "Label {} answered {}: {}, {} {}",
            class_name(classes, label as u32),
            class_name(classes, answer as u32),
            format::count(ours),
            both.baseline.0,
            format::count(float)
        );
        let name = match shares {
            true => format!("{name}; {} % of the label", percent(ours, of_label(label))),
            false => name,
        };
        response.widget_info(|| WidgetInfo::selected(Say::Button, true, chosen, &name));
        if chosen || response.hovered() {
            let stroke = Stroke::new(if chosen { 2.0 } else { 1.0 }, theme.text);
            painter.rect_stroke(rect, ROUND_CELL, stroke, StrokeKind::Inside);
        }
        focus_ring(ui, &response, ROUND_CELL);
        if response.on_hover_text(name).clicked() {
            clicked = Some((label as u32, answer as u32));
        }
    }
    if let Some(cell) = clicked {
        toggle(context, cell);
    }
    export::offer(ui, whole, "Confusion matrix");
}

/// A share in percent, as short as a cell is wide: `98.4`, `100`.
fn percent(of: usize, all: usize) -> String {
    let share = of as f64 / all as f64 * 100.0;
    format::fixed(share, usize::from(of < all))
}

/// Chooses a cell, or no more.
fn toggle(context: &mut Context<'_>, cell: (u32, u32)) {
    let chosen = &mut context.state.samples.cell;
    *chosen = (*chosen != Some(cell)).then_some(cell);
}

/// Fill and figure of a wrong answer that was given `n` times, of at most `largest`.
fn heat(theme: &Theme, n: usize, largest: usize) -> (egui::Color32, egui::Color32) {
    let share = n as f32 / largest as f32;
    let step = (share * 5.0).ceil().clamp(0.0, 5.0) as usize;
    let ink = if step == 5 {
        theme.on_heat5
    } else {
        theme.text
    };
    (theme.heat.get(step).copied().unwrap_or(theme.hover), ink)
}

/// Right answers and the delta, as three key figures.
fn figures(ui: &mut Ui, context: &Context<'_>, variant: &Experiment, both: &Both) {
    let theme = context.theme;
    let Some((ours, float)) = both.samples.right else {
        return;
    };
    let share = |n: usize| n as f64 / both.samples.samples.max(1) as f64;
    let delta = share(ours) - share(float);
    let interval = (context.bench.quality(variant)).and_then(|e| e.delta_interval);
    let half = interval.map_or_else(String::new, |(low, high)| {
        format!(" ± {}", format::fixed((high - low) * 50.0, 2))
    });
    let agree = both.samples.samples - both.samples.differing.len();
    let more = ours as i64 - float as i64;
    let base = &both.baseline.0;
    let fewer = match more {
        0 => format!("as many as {base}"),
        1.. => format!(
            "{} more than {base}",
            format::count(more.unsigned_abs() as usize)
        ),
        _ => format!(
            "{} fewer than {base}",
            format::count(more.unsigned_abs() as usize)
        ),
    };
    let columns = [
        (
            "Top-1",
            format::percent(share(ours)),
            format!("{}{half} pp", format::signed(delta * 100.0, 2)),
        ),
        ("Correct", format::count(ours), fewer),
        (
            "Agreement",
            format::percent(share(agree)),
            format!("{} differ", format::count(both.samples.differing.len())),
        ),
    ];
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 58.0), Sense::empty());
    ui.painter()
        .hline(rect.x_range(), rect.top(), theme.separator());
    let width = rect.width() / 3.0;
    for (i, (head, figure, below)) in columns.into_iter().enumerate() {
        let x = rect.left() + width * i as f32;
        let say = |y: f32, words: String, font, color| {
            let at = pos2(x, rect.top() + y);
            ui.painter()
                .text(at, Align2::LEFT_CENTER, words, font, color);
        };
        say(14.0, head.to_owned(), fonts::small(), theme.text3);
        say(32.0, figure, fonts::number(), theme.text);
        // Where the column is too narrow for all of it: what stands before "than".
        let fits = text_width(ui.painter(), &below, fonts::small()) < width - 8.0;
        let short = below.split(" than ").next().unwrap_or_default();
        let below = if fits {
            below.clone()
        } else {
            short.to_owned()
        };
        say(50.0, below, fonts::small(), theme.text2);
    }
}

fn most_confused(
    ui: &mut Ui,
    context: &mut Context<'_>,
    variant: &Experiment,
    both: &Both,
    classes: &[String],
) {
    let theme = context.theme;
    let rows = match both.samples.matrix.is_empty() {
        true => 40,
        false => 5,
    };
    let shown: Vec<Confused> = both.samples.confused.iter().take(rows).copied().collect();
    if shown.is_empty() {
        return;
    }
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::empty());
    ui.painter()
        .hline(rect.x_range(), rect.top(), theme.separator());
    let columns = [rect.right() - 76.0, rect.right()];
    let line = |ui: &Ui, rect: Rect, words: [&str; 3], font: egui::FontId, color| {
        let painter = ui.painter();
        let clip = painter.with_clip_rect(rect.with_max_x(columns[0] - 60.0));
        clip.text(
            rect.left_center(),
            Align2::LEFT_CENTER,
            words[0],
            font.clone(),
            color,
        );
        for (x, words) in columns.iter().zip(&words[1..]) {
            let at = pos2(*x, rect.center().y);
            painter.text(at, Align2::RIGHT_CENTER, *words, font.clone(), color);
        }
    };
    let base = &both.baseline.0;
    let head = ["Most confused", variant.mode().name(), base];
    line(ui, rect, head, fonts::small(), theme.text3);
    let mut clicked = None;
    for confused in shown {
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), 22.0), Sense::click());
        let name = format!(
            "{} read as {}",
            class_name(classes, confused.label),
            class_name(classes, confused.answer)
        );
        let counts = (
            format::count(confused.counts.0),
            format::count(confused.counts.1),
        );
        response.widget_info(|| {
            WidgetInfo::labeled(
                Say::Button,
                true,
                format!("{name}: {}, {base} {}", counts.0, counts.1),
            )
        });
        let chosen = context.state.samples.cell == Some((confused.label, confused.answer));
        if chosen || response.hovered() {
            let fill = if chosen { theme.selected } else { theme.hover };
            ui.painter()
                .rect_filled(rect.expand2(vec2(6.0, 0.0)), ROUND, fill);
        }
        line(
            ui,
            rect,
            [&name, &counts.0, &counts.1],
            fonts::body(),
            theme.text,
        );
        focus_ring(ui, &response, ROUND);
        if response.on_hover_text("Show these samples").clicked() {
            clicked = Some((confused.label, confused.answer));
        }
    }
    if let Some(cell) = clicked {
        toggle(context, cell);
    }
}
