//! The Tensors tab: every quantized tensor with its errors, and the histograms of the chosen one.

mod columns;
mod inspector;
mod table;
mod toolbar;

use egui::{Align2, Key, Modifiers, Rect, Ui, UiBuilder, pos2, vec2};

use super::super::Context;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::Theme;
use crate::gui::view::format;
use crate::gui::view::tensors::{
    self as view, ErrorHistogram, Filter, Row, Sort, Source, TensorKey,
};
use crate::gui::view::words::Word;
use crate::gui::widgets::error_plot::{Series, Words, error_plot};
use crate::gui::widgets::plot::text_width;
use crate::gui::widgets::{self, Button, Thumbnails, card_at};
use crate::workbench::jobs::{JobKind, Stage};
use crate::workbench::{Command, State as Standing};

/// Gap between cards.
const GAP: f32 = 16.0;
/// Height of the two error histograms.
const ERRORS: f32 = 176.0;
/// From this width on the inspector stands beside the table; below it lies over it.
const ROOM_FOR_INSPECTOR: f32 = 900.0;

/// Most tensors that are drawn over the chosen one.
const MOST_OVER: usize = 4;

/// What the tab remembers.
#[derive(Debug, Default)]
pub struct State {
    filter: Filter,
    sort: Sort,
    selected: Option<TensorKey>,
    /// Further tensors, drawn over the chosen one's histograms.
    over: Vec<TensorKey>,
    /// Whether the user closed the inspector: then nothing is chosen for him.
    closed: bool,
    channel: Option<usize>,
    /// Whether the selection was last moved by a key: then the focus ring shows.
    by_keyboard: bool,
    /// The row to bring into sight.
    scroll_to: Option<usize>,
    shown: Option<Shown>,
    thumbnails: Thumbnails,
}

impl State {
    /// Chooses a tensor, as a click on its row does.
    pub fn select(&mut self, key: TensorKey) {
        if self.selected != Some(key) {
            self.channel = None;
            self.over.clear();
        }
        self.selected = Some(key);
        self.closed = false;
    }

    /// Draws a tensor over the chosen one, or no longer.
    pub fn overlay(&mut self, key: TensorKey) {
        match self.over.iter().position(|k| *k == key) {
            Some(at) => {
                self.over.remove(at);
            }
            None => {
                self.over.push(key);
                // More cannot be told apart.
                if self.over.len() > MOST_OVER {
                    self.over.remove(0);
                }
            }
        }
    }

    /// Clears the filter, else what is drawn over, else the selection; returns whether there was either.
    pub fn clear_innermost(&mut self) -> bool {
        if self.filter.narrows() {
            self.filter.clear();
        } else if !self.over.is_empty() {
            self.over.clear();
        } else if self.selected.is_some() {
            (self.selected, self.closed) = (None, true);
        } else {
            return false;
        }
        true
    }

    /// The chosen tensor.
    pub fn selected(&self) -> Option<TensorKey> {
        self.selected
    }
}

/// What the last frame showed, kept until its inputs change.
#[derive(Debug)]
struct Shown {
    sources: Vec<Source>,
    filter: Filter,
    sort: Sort,
    rows: Vec<Row>,
    /// Tensors of the shown experiments before the filter.
    all: usize,
    scale: ErrorHistogram,
    zero_point: ErrorHistogram,
}

impl Shown {
    fn new(sources: Vec<Source>, filter: &Filter, sort: Sort) -> Self {
        Self {
            rows: view::rows(&sources, filter, sort),
            all: sources
                .iter()
                .filter(|s| filter.shows(s))
                .map(|s| s.reports.len())
                .sum(),
            scale: view::scale_errors(&sources, filter),
            zero_point: view::zero_point_errors(&sources, filter),
            filter: filter.clone(),
            sort,
            sources,
        }
    }
}

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let sources = view::sources(context.bench);
    if sources.is_empty() {
        return nothing_yet(ui, context);
    }
    let shown = up_to_date(&mut context.state.tensors, sources);
    keep_a_selection(context, &shown);
    keyboard(ui, &mut context.state.tensors, &shown);

    let all = ui.available_rect_before_wrap();
    let chosen = context
        .state
        .tensors
        .selected
        .and_then(|key| view::find(&shown.sources, key));
    let beside = all.width() >= ROOM_FOR_INSPECTOR;
    let inspector = (all.width() * 0.365).clamp(340.0, 512.0);
    let (mut left, mut right) = (all, all);
    right.min.x = (all.right() - inspector).max(all.left());
    if beside && chosen.is_some() {
        left.max.x = right.left() - GAP;
    }
    let (errors, list) = left.split_top_bottom_at_y(left.top() + ERRORS);
    let list = list.with_min_y((errors.bottom() + GAP).min(list.bottom()));
    let (scale, zero_point) = errors.split_left_right_at_fraction(0.5);
    let scale = scale.with_max_x(scale.right() - GAP / 2.0);
    let zero_point = zero_point.with_min_x(zero_point.left() + GAP / 2.0);
    error_cards(ui, context, &shown, scale, zero_point);
    card_at(ui, list, false, |ui| {
        toolbar::ui(ui, context, &shown);
        table::ui(ui, context, &shown);
    });
    if let Some((source, report)) = chosen {
        // Over the table: it covers clicks as well as sight.
        if !beside {
            ui.interact(right, ui.scope_id().with("cover"), egui::Sense::click());
        }
        card_at(ui, right, true, |ui| {
            inspector::ui(ui, context, &shown, source, report, !beside)
        });
    }
    ui.advance_cursor_after_rect(all);
    context.state.tensors.shown = Some(shown);
}

/// The rows and histograms for now: those of the last frame if nothing changed.
fn up_to_date(state: &mut State, sources: Vec<Source>) -> Shown {
    match state.shown.take() {
        Some(s) if s.sources == sources && s.filter == state.filter && s.sort == state.sort => s,
        _ => Shown::new(sources, &state.filter, state.sort),
    }
}

/// Until the user closes the inspector, it shows the chosen tensor, or the first of the list.
fn keep_a_selection(context: &mut Context<'_>, shown: &Shown) {
    let state = &mut context.state.tensors;
    let known = state
        .selected
        .is_some_and(|key| view::find(&shown.sources, key).is_some());
    // A filter that hides the chosen tensor asks for what it shows.
    let listed = |key| shown.rows.iter().any(|r| r.key(&shown.sources) == key);
    let hidden = !shown.rows.is_empty() && !state.selected.is_some_and(listed);
    if state.closed || (known && !hidden) {
        return;
    }
    state.selected = None;
    if let Some(first) = shown.rows.first() {
        state.select(first.key(&shown.sources));
    }
}

fn keyboard(ui: &Ui, state: &mut State, shown: &Shown) {
    let free = ui.memory(|m| m.focused().is_none());
    let table = ui.memory(|m| m.has_focus(table::focus_id()));
    if !(free || table) {
        return;
    }
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let at = |key: TensorKey| shown.rows.iter().position(|r| r.key(&shown.sources) == key);
    let now = state.selected.and_then(at);
    let Some(last) = shown.rows.len().checked_sub(1) else {
        return;
    };
    let step = |by: isize| Some(now.map_or(0, |n| n.saturating_add_signed(by).min(last)));
    let moves = [
        (Key::ArrowDown, step(1)),
        (Key::ArrowUp, step(-1)),
        (Key::PageDown, step(15)),
        (Key::PageUp, step(-15)),
        (Key::Home, Some(0)),
        (Key::End, Some(last)),
    ];
    for (key, to) in moves {
        if let Some(to) = to.filter(|_| pressed(key)) {
            state.select(shown.rows[to].key(&shown.sources));
            (state.scroll_to, state.by_keyboard) = (Some(to), true);
            ui.memory_mut(|m| m.request_focus(table::focus_id()));
        }
    }
}

/// A heading with an explanation behind its info icon, and at the right end the first of the remarks that fits.
fn heading(ui: &mut Ui, title: &str, explanation: &str, remarks: &[&str]) {
    let theme = Theme::of(ui.ctx());
    ui.horizontal(|ui| {
        ui.add(egui::Label::new(
            egui::RichText::new(title)
                .font(fonts::strong())
                .color(theme.text),
        ));
        let sense = egui::Sense::focusable_noninteractive();
        let (rect, response) = ui.allocate_exact_size(vec2(16.0, 16.0), sense);
        let name = format!("What is {title}?");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
        Icon::Info.paint_sized(ui.painter(), rect.center(), 13.0, theme.text3);
        widgets::focus_ring(ui, &response, crate::gui::theme::ROUND);
        response.on_hover_text(explanation);
        let room = ui.available_width();
        let width = |words: &str| text_width(ui.painter(), words, fonts::small());
        let Some(remark) = remarks.iter().find(|r| width(r) <= room) else {
            return;
        };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            widgets::text(ui, *remark, fonts::small(), theme.text2);
        });
    });
}

fn error_cards(ui: &mut Ui, context: &mut Context<'_>, shown: &Shown, left: Rect, right: Rect) {
    let hovered = context
        .state
        .hovered
        .filter(|id| shown.sources.iter().any(|s| s.id == *id));
    let series: Vec<Series> = shown
        .sources
        .iter()
        .map(|s| Series {
            look: s.look,
            faded: hovered.is_some_and(|id| id != s.id),
        })
        .collect();
    let filter = &mut context.state.tensors.filter;
    let scale = Words {
        name: "Scale error",
        axis: "Log2 of scale over ideal scale",
        middle: "ideal",
        sides: Some(("clips", "wastes range")),
        decimals: 2,
    };
    card_at(ui, left, true, |ui| {
        let counted = format!(
            "{} scales, channels counted",
            format::count(shown.scale.total)
        );
        let short = format!("{} scales", format::count(shown.scale.total));
        let explanation = Word::ScaleError.meaning();
        heading(ui, "Scale error", explanation, &[&counted, &short]);
        let height = ui.available_height();
        if let Some(span) = error_plot(
            ui,
            height,
            &scale,
            &shown.scale,
            &series,
            filter.scale_error,
        ) {
            filter.scale_error = (filter.scale_error != Some(span)).then_some(span);
        }
    });
    let zero_point = Words {
        name: "Zero-point error",
        axis: "Steps from the zero point the range asks for",
        middle: "rounding",
        sides: None,
        decimals: 1,
    };
    card_at(ui, right, true, |ui| {
        let counted = format!(
            "{} asymmetric tensors",
            format::count(shown.zero_point.total)
        );
        let short = format!("{} tensors", format::count(shown.zero_point.total));
        let explanation = Word::ZeroPointError.meaning();
        heading(ui, "Zero-point error", explanation, &[&counted, &short]);
        let height = ui.available_height();
        let chosen = filter.zero_point_error;
        if let Some(span) = error_plot(ui, height, &zero_point, &shown.zero_point, &series, chosen)
        {
            filter.zero_point_error = (chosen != Some(span)).then_some(span);
        }
    });
}

/// Nothing was measured: says what belongs here, or what is on its way.
fn nothing_yet(ui: &mut Ui, context: &mut Context<'_>) {
    let (bench, theme) = (context.bench, context.theme);
    let measuring =
        bench
            .jobs()
            .active()
            .into_iter()
            .find_map(|job| match (&job.kind, job.stage) {
                (JobKind::Experiment(_), Stage::Measuring) if job.counts.1 > 0 => Some(job.counts),
                _ => None,
            });
    let running = bench.experiments.iter().any(|e| e.is_pending());
    let failed = bench.experiments.iter().find_map(|e| match &e.state {
        Standing::Failed(why) => Some(why.clone()),
        Standing::New | Standing::Done | Standing::Pending(_) | Standing::Cancelled => None,
    });
    let measured = bench.experiments.iter().any(|e| e.tensors.is_some());
    let line = match (measuring, failed) {
        (Some((done, all)), _) => format!(
            "Measuring, {} of {}",
            format::count(done),
            format::count(all)
        ),
        (None, _) if running => {
            "The tensors appear here when the first quantized experiment is measured".into()
        }
        (None, Some(why)) => why,
        (None, None) if measured => {
            "Nothing to measure: choose a quantized mode, and data to run it on".into()
        }
        (None, None) => "Quantize once to see its tensors".into(),
    };
    let area = ui.available_rect_before_wrap();
    let middle = area.center() - vec2(0.0, 24.0);
    Icon::Modes.paint_sized(ui.painter(), middle - vec2(0.0, 36.0), 28.0, theme.text3);
    let words = UiBuilder::new()
        .max_rect(Rect::from_center_size(
            middle + vec2(0.0, 24.0),
            vec2(area.width().min(520.0), 64.0),
        ))
        .layout(egui::Layout::top_down(egui::Align::Center));
    let can_run = !running && bench.run_obstacle().is_none() && bench.new_work() > 0;
    ui.scope_builder(words, |ui| {
        ui.label(
            egui::RichText::new(line)
                .font(fonts::body())
                .color(theme.text2),
        );
        ui.add_space(8.0);
        if can_run && ui.add(Button::new("Run")).clicked() {
            context.commands.push(Command::Run);
        }
    });
}

/// A line of text that starts or ends at a point, cut off at `width`.
fn text(
    ui: &Ui,
    at: egui::Pos2,
    align: Align2,
    text: &str,
    font: egui::FontId,
    color: egui::Color32,
) -> Rect {
    let at = pos2(at.x.round(), at.y);
    ui.painter().text(at, align, text, font, color)
}
