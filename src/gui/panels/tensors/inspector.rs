//! All about one tensor: key figures, values against the quantization grid, step error, scale per channel.

use egui::{Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::toolbar::kind_name;
use super::{Context, Shown, heading, table};
use crate::evaluate::TensorReport;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::view::tensors::{self as view, Source, TensorKey};
use crate::gui::view::words::Word;
use crate::gui::view::{figures, format};
use crate::gui::widgets::tensor_plots::Over;
use crate::gui::widgets::{Button, channel_plot, chip, icon_button, tensor_plots, text, word};

/// Height of the two plots at the bottom.
const BOTTOM: f32 = 196.0;

/// Fills its card; `closable` where it lies over the table.
pub fn ui(
    ui: &mut Ui,
    context: &mut Context<'_>,
    shown: &Shown,
    source: &Source,
    report: &TensorReport,
    closable: bool,
) {
    let hue = context.theme.mode(source.look.mode);
    title(ui, context, shown, source, report, closable);
    chips(ui, source, report);
    overlay(ui, context, shown, source, report);
    let theme = context.theme;
    let over: Vec<Over<'_>> = context
        .state
        .tensors
        .over
        .iter()
        .filter_map(|&key| view::find(&shown.sources, key))
        .map(|(source, report)| Over {
            report,
            hue: theme.mode(source.look.mode),
        })
        .collect();
    ui.add_space(6.0);
    key_figures(ui, context, report);
    ui.add_space(4.0);
    ui.separator();
    ScrollArea::vertical().auto_shrink(false).id_salt("inspector").show(ui, |ui| {
        let range = format!(
            "{} to {} in {}",
            format::significant(report.range.0.into()),
            format::significant(report.range.1.into()),
            counted(report)
        );
        let explanation = "Float values as bars, what they became as an outline; beyond the dashed lines values clip";
        heading(ui, "Values", explanation, &[&range]);
        // Headings, gaps and the plots below; the rest is for the values.
        let height = (ui.available_height() - BOTTOM - 52.0).clamp(200.0, 460.0);
        tensor_plots::values(ui, height, report, hue, &over);
        ui.add_space(6.0);
        if report.channels.len() > 1 {
            ui.spacing_mut().item_spacing.x = 20.0;
            ui.columns(2, |columns| {
                for column in columns.iter_mut() {
                    column.spacing_mut().item_spacing.x = 8.0;
                }
                step_error(&mut columns[0], report, hue, &over);
                scales(&mut columns[1], context, report, hue);
            });
        } else {
            step_error(ui, report, hue, &over);
        }
    });
}

fn title(
    ui: &mut Ui,
    context: &mut Context<'_>,
    shown: &Shown,
    source: &Source,
    report: &TensorReport,
    closable: bool,
) {
    let theme = context.theme;
    ui.horizontal(|ui| {
        let (spot, _) = ui.allocate_exact_size(vec2(14.0, 20.0), Sense::hover());
        source
            .look
            .paint_marker(ui.painter(), spot.center(), theme.mode(source.look.mode));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if closable {
                let (name, tip) = ("Close the inspector", "Close the inspector (Esc)");
                if icon_button(ui, Icon::Close, name, tip).clicked() {
                    (context.state.tensors.selected, context.state.tensors.closed) = (None, true);
                }
            }
            let at = table::position(shown, |r| {
                let key = r.key(&shown.sources);
                key.experiment == source.id && key.tensor == report.tensor
            });
            if let Some(at) = at {
                let of = format!(
                    "{} of {}",
                    format::count(at),
                    format::count(shown.rows.len())
                );
                ui.label(RichText::new(of).font(fonts::small()).color(theme.text2));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let name = figures::elide(&report.name, (ui.available_width() / 8.0) as usize);
                let font = egui::FontId::new(14.0, egui::FontFamily::Monospace);
                let label =
                    egui::Label::new(RichText::new(name).font(font).color(theme.text)).truncate();
                ui.add(label).on_hover_text(&report.name);
            });
        });
    });
}

/// Type and kind, shape, operator, experiment.
fn chips(ui: &mut Ui, source: &Source, report: &TensorReport) {
    let kind = format!("{} {}", report.dtype, kind_name(report.kind));
    let experiment = format!("in {}", source.name);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 4.0);
        for words in [
            kind,
            figures::shape(&report.shape),
            report.op.clone(),
            experiment,
        ] {
            if !words.is_empty() {
                chip(ui, &words, None);
            }
        }
    });
}

/// Which other tensors are drawn over this one, and a button for the same tensor of the other experiments.
fn overlay(
    ui: &mut Ui,
    context: &mut Context<'_>,
    shown: &Shown,
    source: &Source,
    report: &TensorReport,
) {
    let theme = context.theme;
    let key = TensorKey {
        experiment: source.id,
        tensor: report.tensor,
    };
    let state = &mut context.state.tensors;
    let over = state.over.clone();
    let found = over
        .iter()
        .filter_map(|&k| Some((k, view::find(&shown.sources, k)?)));
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        let twins = view::twins(&shown.sources, &shown.filter, key);
        if twins.is_empty() {
            return;
        }
        let hint = "Draws the same tensor of the other experiments over this one; Ctrl-click a row for any other";
        let all = ui.add(Button::bare("Overlay other experiments"));
        if all.on_hover_text(hint).clicked() {
            state.over = twins.into_iter().take(super::MOST_OVER).collect();
        }
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 2.0);
        text(ui, "Over it", fonts::small(), theme.text2);
        for (key, (source, other)) in found {
            let (spot, _) = ui.allocate_exact_size(vec2(12.0, 20.0), Sense::hover());
            let hue = theme.mode(source.look.mode);
            source
                .look
                .paint_marker_sized(ui.painter(), spot.center(), 0.8, hue);
            let words = match other.name == report.name {
                true => source.name.clone(),
                false => format!(
                    "{}, {}",
                    figures::elide(view::short_name(&other.name), 18),
                    source.name
                ),
            };
            text(ui, &words, fonts::small(), theme.text2);
            let name = format!("Do not draw {words} over it");
            if icon_button(ui, Icon::Close, &name, &name).clicked() {
                state.overlay(key);
            }
        }
    });
}

/// Of the whole tensor, or of the channel that was clicked.
fn key_figures(ui: &mut Ui, context: &mut Context<'_>, report: &TensorReport) {
    let theme = context.theme;
    let channel = context
        .state
        .tensors
        .channel
        .and_then(|i| Some((i, report.channels.get(i)?)));
    let several = report.channels.len() > 1;
    let (scale, scale_error, sqnr) = match channel {
        Some((_, c)) => (c.scale, c.scale_error, c.sqnr_db),
        None => (report.scale, report.scale_error, report.sqnr_local_db),
    };
    let scale_head = match channel {
        Some((i, _)) => format!("Scale, channel {}", format::count(i)),
        None => "Scale".to_owned(),
    };
    let roomy = ui.available_width() > 370.0;
    let of_all = |word: &str, value: String| match channel {
        None if several && roomy && value != format::NONE => format!("{word} {value}"),
        _ => value,
    };
    let bad_scale = scale_error.is_some_and(view::is_bad_scale);
    let bad_zero = report.zero_point_error.is_some_and(view::is_bad_zero_point);
    let zero_error = report.zero_point_error.filter(|_| bad_zero);
    let zero = match zero_error {
        Some(e) => format!(
            "{} ({})",
            figures::integer(report.zero_point),
            format::signed(e, 1)
        ),
        None => figures::integer(report.zero_point),
    };
    let cells = [
        (
            scale_head,
            of_all("max", format::significant(scale.into())),
            false,
        ),
        (
            if roomy { "Zero point" } else { "Zero" }.to_owned(),
            zero,
            bad_zero,
        ),
        (
            "Scale error".to_owned(),
            of_all(
                "worst",
                figures::or_none(scale_error, |e| format::signed(e, 2)),
            ),
            bad_scale,
        ),
        (
            "Clipped".to_owned(),
            format::small_percent(report.clipped),
            view::is_bad_clipping(report.clipped),
        ),
        (
            "SQNR".to_owned(),
            figures::or_none(sqnr, format::decibel),
            false,
        ),
    ];
    let meanings = [
        Word::Scale,
        Word::ZeroPoint,
        Word::ScaleError,
        Word::Clipped,
        Word::Sqnr,
    ]
    .map(Word::meaning);
    // Shares of the width: the longest words stand in the middle.
    let widths = [0.23, 0.18, 0.24, 0.18, 0.17];
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 38.0), Sense::hover());
    let mut left = rect.left();
    let explained = cells.into_iter().zip(meanings);
    for (((head, value, bad), meaning), share) in explained.zip(widths) {
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(rect.width() * share, 38.0));
        left = cell.right();
        let builder = UiBuilder::new().max_rect(cell.with_max_x(left - 4.0));
        ui.scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            word(ui, &head, fonts::small(), theme.text2, meaning);
            let color = if bad { theme.damage } else { theme.text };
            text(ui, value, fonts::body(), color);
        });
    }
}

/// `2,028 weights`.
fn counted(report: &TensorReport) -> String {
    let count: u64 = report.values.counts.iter().sum();
    let what = match report.kind {
        crate::evaluate::TensorKind::Weights => "weights",
        crate::evaluate::TensorKind::Bias => "biases",
        crate::evaluate::TensorKind::Activation => "values",
    };
    format!(
        "{} {what}",
        figures::integer(i64::try_from(count).unwrap_or(i64::MAX))
    )
}

fn step_error(ui: &mut Ui, report: &TensorReport, hue: egui::Color32, over: &[Over<'_>]) {
    let short = format!("RMS {:.3}", report.step_rms);
    let rms = format!("RMS {:.3}, ideal {:.3}", report.step_rms, view::IDEAL_RMS);
    let explanation = Word::StepError.meaning();
    heading(ui, "Step error", explanation, &[&rms, &short]);
    tensor_plots::step_error(ui, BOTTOM, report, hue, over);
}

fn scales(ui: &mut Ui, context: &mut Context<'_>, report: &TensorReport, hue: egui::Color32) {
    let channels = format!("{} channels", format::count(report.channels.len()));
    let explanation = "One scale for each output channel instead of one for the whole tensor; click a bar for its figures";
    heading(ui, "Scale per channel", explanation, &[&channels]);
    let chosen = context.state.tensors.channel;
    if let Some(i) = channel_plot::scales(ui, BOTTOM, &report.channels, chosen, hue) {
        context.state.tensors.channel = (chosen != Some(i)).then_some(i);
    }
}
