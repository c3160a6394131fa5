//! All about one operator: how the error runs through the network, and where its type comes from in each experiment.

use egui::{Align2, Rect, ScrollArea, Sense, Shape, Stroke, Ui, pos2, vec2};

use super::{Context, open_tensor};
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::Theme;
use crate::gui::view::axis::ticks;
use crate::gui::view::layers::{self as view, Layer, Layers};
use crate::gui::view::{figures, format};
use crate::gui::widgets::export;
use crate::gui::widgets::plot::{Plot, describe, room};
use crate::gui::widgets::{Button, heading, icon_button, text, text_wrapped};

/// SQNR from which on the plot calls it exact, dB.
const TOP: f64 = 120.0;

/// Fills its card.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, all: &Layers, layer: &Layer) {
    let theme = context.theme;
    title(ui, context, all, layer);
    ui.spacing_mut().item_spacing.y = 4.0;
    let mut fact = |name: &str, value: &str| {
        if value.is_empty() {
            return;
        }
        ui.spacing_mut().interact_size.y = 18.0;
        ui.horizontal(|ui| {
            let (left, _) = ui.allocate_exact_size(vec2(70.0, 18.0), Sense::hover());
            ui.painter().text(
                left.left_center(),
                Align2::LEFT_CENTER,
                name,
                fonts::small(),
                theme.text2,
            );
            text(ui, value, fonts::small(), theme.text);
        });
    };
    fact("Tensor", &layer.name);
    fact("Options", &layer.detail);
    fact("Output", &layer.output);
    ui.separator();
    ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt("operator")
        .show(ui, |ui| {
            let drawn = (0..all.columns.len()).any(|c| !view::path(all, c).is_empty());
            if drawn {
                ui.horizontal(|ui| {
                    heading(ui, "Error through the network");
                    text(ui, "cumulative SQNR, dB", fonts::small(), theme.text2);
                });
                error_path(ui, context, all, layer);
                ui.add_space(8.0);
            }
            if !all.columns.is_empty() {
                heading(ui, "Why this type");
            }
            for (column, cell) in all.columns.iter().zip(&layer.cells) {
                ui.horizontal(|ui| {
                    let (spot, _) = ui.allocate_exact_size(vec2(16.0, 18.0), Sense::hover());
                    let hue = theme.mode(column.look.mode);
                    column
                        .look
                        .paint_marker_sized(ui.painter(), spot.center(), 0.9, hue);
                    let why = if cell.is_folded {
                        "folded: its result is known before the model runs"
                    } else {
                        cell.why_type.as_str()
                    };
                    text_wrapped(ui, why, fonts::small(), theme.text2);
                });
            }
            ui.add_space(8.0);
            super::next::choice(ui, context, all, layer);
            let has_tensor = layer.cells.iter().any(|c| c.tensor.is_some());
            if has_tensor && ui.add(Button::new("Show its tensor")).clicked() {
                open_tensor(context, all, layer);
            }
        });
}

fn title(ui: &mut Ui, context: &mut Context<'_>, all: &Layers, layer: &Layer) {
    let theme = context.theme;
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), 28.0),
        egui::Layout::right_to_left(egui::Align::Center),
        |ui| {
            let (name, tip) = ("Close the inspector", "Close the inspector (Esc)");
            if icon_button(ui, Icon::Close, name, tip).clicked() {
                context.state.layers.selected = None;
            }
            let at = format!(
                "{} of {}",
                format::count(layer.index + 1),
                format::count(all.layers.len())
            );
            text(ui, at, fonts::small(), theme.text2);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                text(ui, &layer.op, fonts::verdict_strong(), theme.text);
            });
        },
    );
}

/// One line per experiment, over the operators whose output was measured; the chosen one is marked.
fn error_path(ui: &mut Ui, context: &Context<'_>, all: &Layers, layer: &Layer) {
    let theme = context.theme;
    let paths: Vec<Vec<(usize, f64)>> =
        (0..all.columns.len()).map(|c| view::path(all, c)).collect();
    let mut stops: Vec<usize> = paths.iter().flatten().map(|p| p.0).collect();
    stops.sort_unstable();
    stops.dedup();
    let (rect, response) = room(ui, 190.0, Sense::hover());
    describe(&response, || summary(all, &paths));
    let finite = || {
        paths
            .iter()
            .flatten()
            .map(|p| p.1)
            .filter(|db| db.is_finite())
    };
    let high = finite().fold(20.0, f64::max).min(TOP);
    let low = finite().fold(high - 10.0, f64::min).max(-20.0);
    let (low, high) = ((low / 10.0).floor() * 10.0, (high / 10.0).ceil() * 10.0);
    let area = Rect::from_min_max(rect.min + vec2(32.0, 10.0), rect.max - vec2(12.0, 26.0));
    let count = stops.len().max(1) as f64;
    let plot = Plot {
        painter: ui.painter_at(rect),
        theme,
        area,
        x: (-0.5, count - 0.5),
    };
    // What is exact stands above the highest figure.
    let height = |db: f64| ((db.min(high * 1.05) - low) / (high * 1.05 - low)) as f32;
    let place = |index: usize| stops.iter().position(|&s| s == index);
    if let Some(at) = place(layer.index) {
        plot.tint(at as f64 - 0.4, at as f64 + 0.4, theme.selected);
    }
    plot.y_axis(&ticks(low, high, 4), height);
    names(&plot, all, &stops, layer);
    let hovered = context.state.hovered;
    for (column, path) in all.columns.iter().zip(&paths) {
        let hue = theme.mode(column.look.mode);
        let dim = hovered.is_some_and(|id| id != column.id);
        let hue = if dim {
            hue.gamma_multiply(crate::gui::theme::FADED)
        } else {
            hue
        };
        let points: Vec<_> = path
            .iter()
            .filter_map(|&(index, db)| {
                Some(pos2(plot.at(place(index)? as f64), plot.height(height(db))))
            })
            .collect();
        plot.painter
            .add(Shape::line(points.clone(), Stroke::new(1.5, hue)));
        let scale = if stops.len() > 40 { 0.4 } else { 0.8 };
        for point in points {
            column
                .look
                .paint_marker_sized(&plot.painter, point, scale, hue);
        }
    }
    export::offer(ui, rect, "Error through the network");
}

/// Names below the plot: the chosen operator's, the first, the last, then as many others as there is room for.
fn names(plot: &Plot<'_>, all: &Layers, stops: &[usize], layer: &Layer) {
    let theme: &Theme = plot.theme;
    let limits = plot.area.left() - 28.0..=plot.area.right() + 10.0;
    let chosen = stops.iter().position(|&s| s == layer.index);
    let ends = [0, stops.len().saturating_sub(1)];
    // Past a few hundred operators only the ends could find room anyway.
    let others = 0..stops.len().min(200);
    let mut taken: Vec<Rect> = vec![];
    for at in chosen.into_iter().chain(ends).chain(others) {
        let Some(operator) = stops.get(at).and_then(|&index| all.layers.get(index)) else {
            continue;
        };
        let (font, color) = if Some(at) == chosen {
            (fonts::small_strong(), theme.text)
        } else {
            (fonts::caption(), theme.text3)
        };
        let words = figures::elide(&operator.op, 18);
        let size = plot
            .painter
            .layout_no_wrap(words.clone(), font.clone(), color)
            .size();
        let left = plot.at(at as f64) - size.x / 2.0;
        let left = left.min(limits.end() - size.x).max(*limits.start());
        let rect = Rect::from_min_size(pos2(left, plot.area.bottom() + 6.0), size);
        if taken
            .iter()
            .all(|t| !t.expand2(vec2(6.0, 0.0)).intersects(rect))
        {
            plot.painter
                .text(rect.left_center(), Align2::LEFT_CENTER, words, font, color);
            taken.push(rect);
        }
    }
}

fn summary(all: &Layers, paths: &[Vec<(usize, f64)>]) -> String {
    let parts = all.columns.iter().zip(paths).filter_map(|(column, path)| {
        let worst = path.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let operator = all.layers.get(worst.0)?;
        let db = format::decibel(worst.1);
        Some(format!(
            "{} is worst at {} {} with {db}",
            column.name, operator.op, operator.name
        ))
    });
    format!(
        "Error through the network: {}",
        parts.collect::<Vec<_>>().join("; ")
    )
}
