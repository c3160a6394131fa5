//! Above the table of tensors: filter by name, kind, experiment, and chips of the bars that were clicked.

use egui::{
    Popup, PopupCloseBehavior, RichText, Sense, TextEdit, Ui, WidgetInfo, accesskit::Role, vec2,
};

use super::{Context, Shown};
use crate::evaluate::TensorKind;
use crate::gui::fonts;
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, Theme};
use crate::gui::view::format;
use crate::gui::view::tensors::Span;
use crate::gui::widgets::plot::text_width;
use crate::gui::widgets::{checkbox_row, focus_ring};

/// One line of controls.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, shown: &Shown) {
    let theme = context.theme;
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(12, 8))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_height(28.0);
                search(ui, context);
                kinds(ui, context);
                experiments(ui, context, shown);
                let filter = &mut context.state.tensors.filter;
                if let Some(span) = filter.scale_error
                    && chip(ui, &span_text("Scale error", span, 2))
                {
                    filter.scale_error = None;
                }
                if let Some(span) = filter.zero_point_error
                    && chip(ui, &span_text("Zero-point error", span, 1))
                {
                    filter.zero_point_error = None;
                }
                let short = format!(
                    "{} of {}",
                    format::count(shown.rows.len()),
                    format::count(shown.all)
                );
                let count = format!("{short} quantized tensors");
                let width = text_width(ui.painter(), &count, fonts::small());
                let count = if width <= ui.available_width() {
                    count
                } else {
                    short
                };
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.add(
                        egui::Label::new(
                            RichText::new(count).font(fonts::small()).color(theme.text2),
                        )
                        .truncate(),
                    );
                });
            });
        });
}

fn span_text(name: &str, span: Span, decimals: usize) -> String {
    let edge = |x| format::signed(x, decimals);
    format!("{name} {} to {}", edge(span.from), edge(span.to))
}

fn search(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let filter = &mut context.state.tensors.filter;
    let field = TextEdit::singleline(&mut filter.text)
        .hint_text("Filter by name")
        .desired_width(150.0)
        .margin(egui::Margin {
            left: 28,
            right: 8,
            top: 5,
            bottom: 5,
        });
    let response = ui.add(field);
    let icon = response.rect.left_center() + vec2(15.0, 0.0);
    Icon::Search.paint_sized(ui.painter(), icon, 14.0, theme.text3);
    let free = ui.memory(|m| m.focused().is_none());
    let asked = ui.input_mut(|i| {
        (free && i.consume_key(egui::Modifiers::NONE, egui::Key::Slash))
            || i.consume_key(egui::Modifiers::COMMAND, egui::Key::F)
    });
    if asked {
        response.request_focus();
    }
    response.on_hover_text("Filter by name or operator (/)");
}

fn kinds(ui: &mut Ui, context: &mut Context<'_>) {
    let kind = &mut context.state.tensors.filter.kind;
    let combo = egui::ComboBox::from_id_salt("tensor kind")
        .selected_text(kind.map_or("All kinds", kind_plural))
        .width(92.0)
        .icon(|ui, rect, visuals, _open| {
            Icon::ChevronDown.paint_sized(
                ui.painter(),
                rect.center(),
                14.0,
                visuals.fg_stroke.color,
            );
        });
    let choices = [
        None,
        Some(TensorKind::Weights),
        Some(TensorKind::Bias),
        Some(TensorKind::Activation),
    ];
    let response = combo.show_ui(ui, |ui| {
        for choice in choices {
            ui.selectable_value(kind, choice, choice.map_or("All kinds", kind_plural));
        }
    });
    ui.ctx()
        .accesskit_node_builder(response.response.id, |node| {
            node.set_label("Kind of tensor")
        });
}

/// The word for a kind in a sentence about several.
fn kind_plural(kind: TensorKind) -> &'static str {
    match kind {
        TensorKind::Weights => "Weights",
        TensorKind::Bias => "Biases",
        TensorKind::Activation => "Activations",
    }
}

/// The word for a kind in a row.
pub fn kind_name(kind: TensorKind) -> &'static str {
    match kind {
        TensorKind::Weights => "weights",
        TensorKind::Bias => "bias",
        TensorKind::Activation => "activation",
    }
}

/// A button with the markers of the shown experiments that opens the list of all.
fn experiments(ui: &mut Ui, context: &mut Context<'_>, shown: &Shown) {
    const MARKERS: usize = 5;
    let theme = context.theme;
    let visible: Vec<_> = shown
        .sources
        .iter()
        .filter(|s| shown.filter.shows(s))
        .collect();
    let words = match visible.len() {
        1 => "1 experiment".to_owned(),
        n => format!("{n} experiments"),
    };
    let markers = visible.len().min(MARKERS) as f32;
    let galley = ui
        .painter()
        .layout_no_wrap(words.clone(), fonts::body(), theme.text);
    let width = 12.0 + markers * 18.0 + 4.0 + galley.size().x + 26.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, 24.0), Sense::click());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("Experiments shown: {words}"))
    });
    button_ground(ui, &response, rect);
    for (i, source) in visible.iter().take(MARKERS).enumerate() {
        let center = rect.left_center() + vec2(18.0 + i as f32 * 18.0, 0.0);
        source
            .look
            .paint_marker_sized(ui.painter(), center, 0.9, theme.mode(source.look.mode));
    }
    let at = rect.left_center() + vec2(12.0 + markers * 18.0 + 4.0, -galley.size().y / 2.0);
    ui.painter().galley(at, galley, theme.text);
    Icon::ChevronDown.paint_sized(
        ui.painter(),
        rect.right_center() - vec2(14.0, 0.0),
        14.0,
        theme.text2,
    );
    let filter = &mut context.state.tensors.filter;
    Popup::menu(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            for source in &shown.sources {
                let mut on = filter.shows(source);
                ui.horizontal(|ui| {
                    let (spot, _) = ui.allocate_exact_size(vec2(16.0, 20.0), Sense::hover());
                    source.look.paint_marker(
                        ui.painter(),
                        spot.center(),
                        theme.mode(source.look.mode),
                    );
                    if checkbox_row(ui, on, &source.name).clicked() {
                        on = !on;
                        filter.hidden.retain(|id| *id != source.id);
                        if !on {
                            filter.hidden.push(source.id);
                        }
                    }
                });
            }
        });
}

/// The ground of a labelled button, with focus ring.
fn button_ground(ui: &Ui, response: &egui::Response, rect: egui::Rect) {
    let visuals = ui.style().interact(response);
    ui.painter().rect(
        rect,
        ROUND,
        visuals.bg_fill,
        visuals.bg_stroke,
        egui::StrokeKind::Inside,
    );
    focus_ring(ui, response, ROUND);
}

/// A filter that can be taken away; returns whether it was.
fn chip(ui: &mut Ui, words: &str) -> bool {
    let theme = Theme::of(ui.ctx());
    let galley = ui
        .painter()
        .layout_no_wrap(words.to_owned(), fonts::caption(), theme.text);
    let (rect, response) =
        ui.allocate_exact_size(vec2(galley.size().x + 30.0, 20.0), Sense::click());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Remove filter {words}")));
    button_ground(ui, &response, rect);
    let at = rect.left_center() + vec2(8.0, -galley.size().y / 2.0);
    ui.painter().galley(at, galley, theme.text);
    Icon::Close.paint_sized(
        ui.painter(),
        rect.right_center() - vec2(11.0, 0.0),
        12.0,
        theme.text2,
    );
    response.on_hover_text("Remove this filter").clicked()
}
