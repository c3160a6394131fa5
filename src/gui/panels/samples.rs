//! The Samples tab: what each class is taken for, and the samples on which a variant and the baseline disagree.

mod matrix;
mod pad;
mod pairs;

use egui::{Align, Layout, Ui, pos2, vec2};

use super::super::{Context, fonts};
use crate::gui::view::data::choice;
use crate::gui::view::format;
use crate::gui::view::samples::{Both, Change, Memo, Pair, candidates, in_cell};
use crate::gui::widgets::picture::Pictures;
use crate::gui::widgets::{Button, card_at, dropdown, text, text_wrapped};
use crate::quantize::Mode;
use crate::workbench::{Command, Experiment, Role};

/// Most samples that are shown with pictures at once.
const MOST: usize = 60;

/// Width of the draw pad's card.
const PAD: f32 = 332.0;
/// From this width on the pad stands beside the samples.
const ROOM_FOR_PAD: f32 = 1060.0;

/// What the tab remembers.
#[derive(Debug, Default)]
pub struct State {
    memo: Memo,
    pictures: Pictures,
    /// Only samples that changed so.
    pub change: Option<Change>,
    /// Only samples of that label and answer, agreeing ones too.
    pub cell: Option<(u32, u32)>,
    /// Whether the matrix shows shares of each label instead of counts.
    pub shares: bool,
    /// What the draw pad remembers.
    pub pad: pad::State,
    /// Where there is no room for both: whether the pad stands in place of the samples.
    pub pad_open: bool,
}

impl State {
    /// Takes the innermost filter away; whether there was one.
    pub fn clear_innermost(&mut self) -> bool {
        self.cell.take().is_some() || self.change.take().is_some()
    }
}

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let shown = candidates(context.bench);
    let selected = context.state.selected;
    let of = |id| shown.iter().position(|e| Some(e.id) == id);
    let at = of(selected)
        .or_else(|| shown.iter().position(|e| e.mode() == Mode::Int8))
        .unwrap_or(0);
    let both = shown
        .get(at)
        .and_then(|e| context.state.samples.memo.get(context.bench, e));
    let full = ui.available_rect_before_wrap();
    let beside = full.width() >= ROOM_FOR_PAD && context.bench.model.is_some();
    let gap = 16.0;
    let mut left = full;
    if beside {
        let place = full.with_min_x(full.right() - PAD);
        card_at(ui, place, true, |ui| pad::ui(ui, context));
        left.max.x = place.left() - gap;
    }
    let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(left));
    inside.shrink_clip_rect(left.expand(2.0));
    let ui = &mut inside;
    let (Some(variant), Some(both)) = (shown.get(at), both) else {
        if !beside && context.bench.model.is_some() {
            pad_switch(ui, context);
        }
        match !beside && context.state.samples.pad_open {
            true => narrow_pad(ui, context),
            false => empty(ui, context),
        }
        return;
    };
    head(ui, context, &shown, at, &both, beside);
    ui.add_space(4.0);
    let area = ui.available_rect_before_wrap();
    let labelled = both.samples.right.is_some();
    let width = match labelled {
        true if beside => (area.width() * 0.48).clamp(300.0, 455.0),
        true => (area.width() * 0.42).clamp(300.0, 470.0),
        false => 0.0,
    };
    if labelled {
        let left = area.with_max_x(area.left() + width);
        card_at(ui, left, true, |ui| matrix::ui(ui, context, variant, &both));
    }
    let right = match labelled {
        true => area.with_min_x(area.left() + width + gap),
        false => area,
    };
    let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(right));
    inside.shrink_clip_rect(right.expand(2.0));
    match !beside && context.state.samples.pad_open {
        true => narrow_pad(&mut inside, context),
        false => pairs::ui(&mut inside, context, variant, &both),
    }
}

/// Opens the pad in place of the samples, or closes it.
fn pad_switch(ui: &mut Ui, context: &mut Context<'_>) {
    let open = &mut context.state.samples.pad_open;
    let words = if *open { "Show samples" } else { "Draw" };
    if ui.add(Button::new(words).height(24.0)).clicked() {
        *open = !*open;
    }
}

fn narrow_pad(ui: &mut Ui, context: &mut Context<'_>) {
    let area = ui.available_rect_before_wrap();
    let place = area.with_max_x(area.right().min(area.left() + 480.0));
    card_at(ui, place, true, |ui| {
        egui::ScrollArea::vertical()
            .id_salt("narrow pad")
            .show(ui, |ui| pad::ui(ui, context));
    });
}

/// Which variant, and in how many samples it differs.
fn head(
    ui: &mut Ui,
    context: &mut Context<'_>,
    shown: &[&Experiment],
    at: usize,
    both: &Both,
    beside: bool,
) {
    let theme = context.theme;
    ui.horizontal(|ui| {
        ui.set_min_height(28.0);
        text(ui, "Answers of", fonts::body(), theme.text2);
        let names: Vec<String> = shown.iter().map(|e| e.name()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tooltip = "The variant whose answers are compared with the baseline's";
        if let Some(i) = dropdown(ui, "Variant", tooltip, 180.0, &names, at) {
            context.state.selected = shown.get(i).map(|e| e.id);
            context.state.samples.clear_innermost();
        }
        let base = format!("and {}", format::elide(&both.baseline.0, 24));
        text(ui, base, fonts::body(), theme.text2).on_hover_text("The baseline, chosen in Compare");
        ui.add_space(12.0);
        let (differ, all) = (
            both.samples.differing.len(),
            format::count(both.samples.samples),
        );
        let words = match differ {
            0 => format!("Both answer all {all} samples alike"),
            1 => format!("1 of {all} samples differs"),
            n => format!("{} of {all} samples differ", format::count(n)),
        };
        text(ui, words, fonts::verdict(), theme.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if !beside {
                pad_switch(ui, context);
            }
            let preview = ui.add(Button::bare("Data…"));
            if preview
                .on_hover_text("How the samples become inputs")
                .clicked()
            {
                context.state.data = Some(super::data::State::of(Role::Evaluation));
            }
        });
    });
}

/// The samples to show: of the chosen cell, else those that differ in the chosen way.
fn listed(context: &Context<'_>, both: &Both) -> Vec<Pair> {
    let state = &context.state.samples;
    let loaded = choice(context.bench, Role::Evaluation).loaded.as_ref();
    let labels = loaded.and_then(|l| l.dataset.labels());
    match (state.cell, labels) {
        (Some(cell), Some(labels)) => in_cell(&both.base, &both.ours, labels, cell, MOST),
        _ => {
            let wanted = |p: &&Pair| state.change.is_none_or(|c| c == p.change);
            both.samples
                .differing
                .iter()
                .filter(wanted)
                .take(MOST)
                .copied()
                .collect()
        }
    }
}

/// Asks for pictures of these samples, once.
fn ask_for_pictures(context: &mut Context<'_>, pairs: &[Pair]) {
    let which: Vec<usize> = pairs.iter().map(|p| p.sample).collect();
    let wanted = (context.bench.evaluation.version, which);
    if !wanted.1.is_empty() && context.bench.pictures.wanted != wanted {
        context.push(Command::ShowSamples(wanted.1));
    }
}

fn empty(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let bench = context.bench;
    let evaluated = |e: &&Experiment| e.evaluation.is_some() && !e.is_stale();
    let silent = |e: &&Experiment| e.evaluation.as_ref().is_some_and(|e| e.answers.is_empty());
    let running = bench.experiments.iter().any(Experiment::is_pending);
    let words = if bench.evaluation.source.is_none() {
        "Choose labelled data to see where variants differ"
    } else if running {
        "Waiting for the evaluation"
    } else if bench
        .experiments
        .iter()
        .filter(evaluated)
        .any(|e| silent(&e))
    {
        "The output is not a list of classes"
    } else {
        "Run float32 and another mode to see where they differ"
    };
    let area = ui.available_rect_before_wrap();
    let place = egui::Rect::from_center_size(
        pos2(area.center().x, area.top() + 120.0),
        vec2(area.width().min(420.0), 90.0),
    );
    let mut inside = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(place)
            .layout(Layout::top_down(Align::Center)),
    );
    text_wrapped(&mut inside, words, fonts::body(), theme.text2);
    inside.add_space(6.0);
    if bench.evaluation.source.is_none() && inside.add(Button::new("Choose data…")).clicked() {
        context.state.data = Some(super::data::State::of(Role::Evaluation));
    }
}
