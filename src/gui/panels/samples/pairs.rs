//! The samples on which a variant and the baseline disagree, as pictures with both answers and their margins.

use egui::{
    Align, Align2, Layout, Rect, ScrollArea, Sense, StrokeKind, Ui, WidgetInfo,
    accesskit::Role as Say, pos2, vec2,
};

use super::super::super::{Context, fonts};
use super::{MOST, ask_for_pictures, listed};
use crate::gui::icons::{Icon, Look};
use crate::gui::theme::ROUND_CARD;
use crate::gui::view::data::choice;
use crate::gui::view::format;
use crate::gui::view::samples::{Both, Change, Pair, class_name, margin_words};
use crate::gui::view::words::Word;
use crate::gui::widgets::picture::columns;
use crate::gui::widgets::{Button, heading, segment, text, text_wrapped, word};
use crate::workbench::{Experiment, Role};

/// Least width and height of a sample's card.
const CARD: (f32, f32) = (160.0, 104.0);

/// Fills the right side of the tab.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, variant: &Experiment, both: &Both) {
    let theme = context.theme;
    let loaded = choice(context.bench, Role::Evaluation).loaded.as_ref();
    let classes: &[String] = loaded.map_or(&[], |l| &l.classes);
    ui.spacing_mut().item_spacing.y = 8.0;
    let pairs = listed(context, both);
    let cell = context.state.samples.cell;
    ui.horizontal(|ui| {
        ui.set_min_height(24.0);
        match cell {
            Some((label, answer)) => {
                let words = format!(
                    "Label {}, answered {}",
                    class_name(classes, label),
                    class_name(classes, answer)
                );
                heading(ui, &words);
                if ui
                    .add(Button::new("Show disagreements").height(24.0))
                    .clicked()
                {
                    context.state.samples.cell = None;
                }
            }
            None => {
                heading(ui, "Disagreements");
                filter(ui, context, both);
            }
        }
        // Cut words say nothing.
        if ui.available_width() < 90.0 {
            return;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            word(
                ui,
                "Right: margin",
                fonts::small(),
                theme.text3,
                Word::Margin.meaning(),
            );
        });
    });
    let (ties, differing) = (both.samples.ties(), both.samples.differing.len());
    if ties > 0 && cell.is_none() {
        let name = variant.name();
        let words = match (ties, differing) {
            (1, 1) => format!(
                "It is a tie in {name}: the two best scores are equal and the lower class wins"
            ),
            _ => format!(
                "{} of {} are ties in {name}: the two best scores are equal and the lower class wins",
                format::count(ties),
                format::count(differing)
            ),
        };
        ui.horizontal_top(|ui| {
            let (_, place) = ui.allocate_space(vec2(16.0, 16.0));
            Icon::Info.paint_sized(ui.painter(), place.center(), 14.0, theme.text2);
            text_wrapped(ui, words, fonts::small(), theme.text2);
        });
    }
    if pairs.is_empty() {
        text(ui, "No samples here", fonts::body(), theme.text2);
        return;
    }
    ask_for_pictures(context, &pairs);
    let all = match (cell, context.state.samples.change) {
        (Some(_), _) => pairs.len(),
        (None, Some(change)) => both.samples.count(change),
        (None, None) => differing,
    };
    let bench = context.bench;
    let pictures = &mut context.state.samples.pictures;
    pictures.show(ui.ctx(), bench.pictures.version, &bench.pictures.shown);
    let current = bench.pictures.wanted.0 == bench.evaluation.version;
    let (columns, width) = columns(ui.available_width() - 8.0, CARD.0, 8.0);
    let rows = pairs.len().div_ceil(columns);
    ScrollArea::vertical()
        .id_salt("pairs")
        .auto_shrink([false, false])
        .show_rows(ui, CARD.1, rows, |ui, range| {
            ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
            for row in range {
                let line = pairs.chunks(columns).nth(row).unwrap_or_default();
                ui.horizontal(|ui| {
                    for pair in line {
                        let (rect, response) =
                            ui.allocate_exact_size(vec2(width, CARD.1), Sense::hover());
                        response.widget_info(|| {
                            WidgetInfo::labeled(
                                Say::Image,
                                true,
                                spoken(pair, variant, both, classes),
                            )
                        });
                        paint(ui, rect, theme, pair, variant, both, classes);
                        let found = bench.pictures.shown.samples.iter();
                        let at = found.clone().position(|s| s.sample == pair.sample);
                        if let (true, Some((at, sample))) = (
                            current,
                            at.zip(at.and_then(|i| bench.pictures.shown.samples.get(i))),
                        ) {
                            let place =
                                Rect::from_min_size(rect.min + vec2(8.0, 8.0), vec2(48.0, 48.0));
                            pictures.paint(ui.painter(), place, at, &sample.picture, theme);
                            if let Some(file) = &sample.file {
                                response.on_hover_text(file);
                            }
                        }
                    }
                });
            }
            if all > pairs.len() {
                let words = format!("The first {MOST} of {}", format::count(all));
                text(ui, words, fonts::small(), theme.text3);
            }
        });
}

/// All, or only those that changed in one way.
fn filter(ui: &mut Ui, context: &mut Context<'_>, both: &Both) {
    let ways = [
        None,
        Some(Change::Lost),
        Some(Change::Gained),
        Some(Change::BothWrong),
    ];
    if both.samples.right.is_none() {
        return;
    }
    let now = context.state.samples.change;
    let labels = ways.map(|way| match way {
        None => format!("All {}", format::count(both.samples.differing.len())),
        Some(change) => format!(
            "{} {}",
            change.name(),
            format::count(both.samples.count(change))
        ),
    });
    let options: Vec<(&str, String, &str, bool)> = ways
        .iter()
        .zip(&labels)
        .map(|(way, label)| {
            let meaning = match way {
                None => "Every sample that is answered differently",
                Some(Change::Lost) => "Only the baseline is right",
                Some(Change::Gained) => "Only the variant is right",
                Some(_) => "Neither is right, and they differ",
            };
            (
                label.as_str(),
                format!("Show {label}"),
                meaning,
                *way == now,
            )
        })
        .collect();
    if let Some(way) = segment(ui, &options).and_then(|i| ways.get(i)) {
        context.state.samples.change = *way;
    }
}

/// The pair as a sentence.
fn spoken(pair: &Pair, variant: &Experiment, both: &Both, classes: &[String]) -> String {
    let label = pair.label.map_or_else(String::new, |label| {
        format!(
            ", label {}, {}",
            class_name(classes, label),
            pair.change.name().to_lowercase()
        )
    });
    let told = |(answer, margin): (u32, f32)| {
        format!("{}, {}", class_name(classes, answer), margin_words(margin))
    };
    format!(
        "Sample {}{label}: {} answers {}; {} answers {}",
        format::count(pair.sample),
        both.baseline.0,
        told(pair.base),
        variant.name(),
        told(pair.ours)
    )
}

fn paint(
    ui: &Ui,
    rect: Rect,
    theme: &crate::gui::theme::Theme,
    pair: &Pair,
    variant: &Experiment,
    both: &Both,
    classes: &[String],
) {
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect(
        rect,
        ROUND_CARD,
        theme.raised,
        theme.separator(),
        StrokeKind::Inside,
    );
    let picture = Rect::from_min_size(rect.min + vec2(8.0, 8.0), vec2(48.0, 48.0));
    painter.rect_filled(picture, 0.0, theme.hover);
    let room = ((rect.width() - 76.0) / 6.6) as usize;
    let say = |y: f32, words: &str, font, color| {
        let at = pos2(picture.right() + 8.0, rect.top() + y);
        painter.text(at, Align2::LEFT_CENTER, words, font, color);
    };
    say(
        14.0,
        &format!("#{}", format::count(pair.sample)),
        fonts::small(),
        theme.text3,
    );
    if let Some(label) = pair.label {
        let name = format::elide(&class_name(classes, label), room.saturating_sub(6).max(4));
        say(
            32.0,
            &format!("Label {name}"),
            fonts::small_strong(),
            theme.text,
        );
    }
    let color = match pair.change {
        Change::Lost => theme.damage,
        Change::Gained | Change::BothWrong | Change::Differs | Change::Agrees => theme.text2,
    };
    say(50.0, pair.change.name(), fonts::small(), color);
    let answers = [(both.baseline.1, pair.base), (Look::of(variant), pair.ours)];
    for (i, (look, (answer, margin))) in answers.into_iter().enumerate() {
        let y = rect.top() + 71.0 + 20.0 * i as f32;
        let marker = pos2(rect.left() + 16.0, y);
        look.paint_marker_sized(&painter, marker, 0.85, theme.mode(look.mode));
        let name = format::elide(&class_name(classes, answer), (room + 2).max(4));
        let at = pos2(rect.left() + 30.0, y);
        let words = painter.text(
            at,
            Align2::LEFT_CENTER,
            name,
            fonts::small_strong(),
            theme.text,
        );
        if pair.label == Some(answer) {
            let check = pos2(words.right() + 10.0, y);
            Icon::Check.paint_sized(&painter, check, 12.0, theme.text2);
        }
        let at = pos2(rect.right() - 8.0, y);
        painter.text(
            at,
            Align2::RIGHT_CENTER,
            margin_words(margin),
            fonts::small(),
            theme.text2,
        );
    }
}
