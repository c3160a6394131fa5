//! The Compare tab: the answer in a sentence, the table, and three bar charts.

use egui::{Align, Layout, Rect, ScrollArea, Ui, pos2, vec2};

use super::super::{Context, fonts};
use super::{bars, table, tradeoff};
use crate::gui::icons::Icon;
use crate::gui::view::compare::{Answer, Comparison};
use crate::gui::view::side::run_button;
use crate::gui::widgets::{Button, at, segment, text};
use crate::workbench::Command;

/// Width of the trade-off's card.
const TRADEOFF: f32 = 356.0;
/// From this width on bars and trade-off stand side by side.
const BOTH_CHARTS: f32 = 1040.0;

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let mut comparison = Comparison::of(context.bench);
    if let Some(order) = context.state.order {
        comparison.arrange(order);
    }
    if comparison.rows.is_empty() {
        empty(ui, context);
        return;
    }
    let answer = comparison.answer_within(&context.state.limits);
    answer_line(ui, context, &comparison, &answer);
    ui.add_space(4.0);
    let gap = if ui.available_width() < 1060.0 {
        10.0
    } else {
        16.0
    };
    let height = ui.available_height();
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = gap;
            let used = table::ui(ui, context, &comparison, &answer);
            let left = height - used - gap - 2.0;
            let width = ui.available_width();
            if width < BOTH_CHARTS {
                one_chart(ui, context, &comparison, &answer, vec2(width, left));
                return;
            }
            let width = width.min(1800.0);
            let place = bars::ui(ui, context, &comparison, width - TRADEOFF - gap, left);
            let beside = Rect::from_min_size(
                pos2(place.right() + gap, place.top()),
                vec2(TRADEOFF, place.height()),
            );
            tradeoff::ui(ui, context, &comparison, &answer, beside);
        });
}

/// Bars or trade-off, with the switch between them in the corner that both leave free.
fn one_chart(
    ui: &mut Ui,
    context: &mut Context<'_>,
    comparison: &Comparison,
    answer: &Answer,
    size: egui::Vec2,
) {
    let open = context.state.tradeoff_open;
    let place = match open {
        true => {
            let height = size.y.max(240.0);
            let (_, place) = ui.allocate_space(vec2(size.x, height));
            tradeoff::ui(ui, context, comparison, answer, place);
            place
        }
        false => bars::ui(ui, context, comparison, size.x, size.y),
    };
    let corner = Rect::from_min_size(place.min + vec2(12.0, 9.0), vec2(140.0, 24.0));
    at(ui, corner, |ui| {
        let option = |label, tooltip, on| (label, format!("Show {label}"), tooltip, on);
        let options = [
            option("Bars", "Size, latency and accuracy side by side", !open),
            option("Trade-off", "Two figures against each other", open),
        ];
        if let Some(which) = segment(ui, &options) {
            context.state.tradeoff_open = which == 1;
        }
    });
}

fn answer_line(ui: &mut Ui, context: &mut Context<'_>, comparison: &Comparison, answer: &Answer) {
    let theme = context.theme;
    ui.horizontal(|ui| {
        ui.set_min_height(30.0);
        let recommended = answer
            .experiment
            .and_then(|id| comparison.rows.iter().find(|r| r.id == id));
        if let Some(row) = recommended {
            let (_, place) = ui.allocate_space(vec2(18.0, 18.0));
            let color = theme.mode(row.look.mode);
            row.look.paint_marker(ui.painter(), place.center(), color);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let save = context
                .state
                .selected
                .or(answer.experiment)
                .and_then(|id| comparison.rows.iter().find(|r| r.id == id && r.has_file));
            if let Some(row) = save {
                let label = format!("Save {}…", row.title());
                let button = ui.add(Button::new(&label).strong());
                if button
                    .on_hover_text("Write this variant as a .tflite file")
                    .clicked()
                {
                    context.ask_save(row.id);
                }
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 0.0;
                sentence(ui, context, answer);
            });
        });
    });
}

fn sentence(ui: &mut Ui, context: &Context<'_>, answer: &Answer) {
    let theme = context.theme;
    let mut job = egui::text::LayoutJob::default();
    for (words, strong) in &answer.runs {
        let font = if *strong {
            fonts::verdict_strong()
        } else {
            fonts::verdict()
        };
        job.append(words, 0.0, egui::TextFormat::simple(font, theme.text));
    }
    ui.add(egui::Label::new(job).truncate());
    if !answer.detail.is_empty() && ui.available_width() > 60.0 {
        ui.add_space(12.0);
        text(ui, &answer.detail, fonts::body(), theme.text2);
    }
}

fn empty(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let run = run_button(context.bench);
    ui.add_space((ui.available_height() / 2.0 - 80.0).max(8.0));
    ui.vertical_centered(|ui| {
        let (_, place) = ui.allocate_space(vec2(32.0, 32.0));
        Icon::Modes.paint_sized(ui.painter(), place.center(), 28.0, theme.text3);
        ui.add_space(6.0);
        text(
            ui,
            "Run to compare variants here",
            fonts::verdict(),
            theme.text2,
        );
        if !run.enabled {
            text(ui, &run.hint, fonts::small(), theme.text3);
        }
        ui.add_space(8.0);
        ui.add_enabled_ui(run.enabled, |ui| {
            // The main button is Run in the side panel; this one repeats it where the eye is.
            let label = format!("{} now", run.label);
            if ui.add(Button::new(&label).icon(Icon::Run)).clicked() {
                context.push(Command::Run);
            }
        });
    });
}
