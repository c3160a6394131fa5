//! The data section: what calibrates, what evaluates, and how many samples of each.

use egui::{
    Align, DragValue, Frame, Layout, Rect, Sense, Ui, WidgetInfo, accesskit::Role as Say, vec2,
};

use super::super::{Ask, Context, fonts};
use super::data;
use super::messages::typed_path;
use super::side::{caution, menu, section};
use crate::gui::icons::Icon;
use crate::gui::theme::{ROUND, ROUND_CARD};
use crate::gui::view::data::{choice, range_words, role_name};
use crate::gui::view::format;
use crate::gui::view::side::{DataLines, data_cautions, data_lines};
use crate::gui::view::words::Word;
use crate::gui::widgets::{
    Banner, Button, banner, focus_ring, hline, icon_button, menu_item, text, word,
};
use crate::workbench::{Command, Role, Source};

const EVALUATION: &str = "Evaluation: every variant answers these samples; labels give accuracy, float32's answers give agreement";

/// Shows the section.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    section(ui, "Data", |_| {});
    let dialog = context.state.data.is_some();
    for role in [Role::Calibration, Role::Evaluation] {
        typed_path(
            ui,
            context,
            // With the dialog open, it asks there.
            |ask| matches!(ask, Ask::Data(r) | Ask::Folder(r) | Ask::Labels(r) if *r == role && !dialog),
        );
    }
    Frame::new()
        .fill(theme.raised)
        .stroke(theme.separator())
        .corner_radius(ROUND_CARD)
        .inner_margin(egui::Margin {
            left: 14,
            right: 8,
            top: 8,
            bottom: 8,
        })
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.push_id("calibration", |ui| block(ui, context, Role::Calibration));
            ui.add_space(3.0);
            hline(ui, (14.0, 8.0));
            ui.add_space(3.0);
            ui.push_id("evaluation", |ui| block(ui, context, Role::Evaluation));
        });
}

fn block(ui: &mut Ui, context: &mut Context<'_>, role: Role) {
    let theme = context.theme;
    let lines = data_lines(context.bench, role);
    ui.horizontal(|ui| {
        let (_, place) = ui.allocate_space(vec2(16.0, 20.0));
        let icon = match role {
            Role::Calibration => Icon::Data,
            Role::Evaluation => Icon::Check,
        };
        icon.paint(ui.painter(), place.center(), theme.text2);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let name = match role {
                Role::Calibration => "Choose calibration data…",
                Role::Evaluation => "Choose evaluation data…",
            };
            let button = ui.add(Button::bare("Choose…")).accessible_name(name);
            menu(&button, |ui| choose_menu(ui, context, role, &lines));
            if lines.total > 0 {
                let name = format!("Preview {} data", role_name(role));
                let hint = "What the model will see of it, and how files become that";
                if icon_button(ui, Icon::Image, &name, hint).clicked() {
                    context.state.data = Some(data::State::of(role));
                }
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let ink = if lines.chosen {
                    theme.text
                } else {
                    theme.text2
                };
                let hint = match role {
                    Role::Calibration => [Word::Calibration, Word::Representative]
                        .map(|w| format!("{}: {}", w.name(), w.meaning()))
                        .join("\n"),
                    Role::Evaluation => EVALUATION.to_owned(),
                };
                word(
                    ui,
                    &lines.title,
                    fonts::body(),
                    ink,
                    &format!("{}\n{hint}", lines.full),
                );
            });
        });
    });
    ui.horizontal(|ui| {
        ui.add_space(24.0);
        ui.vertical(|ui| details(ui, context, role, &lines));
    });
    if let Some(message) = &lines.error
        && !context.is_closed(message)
    {
        let action = match role {
            Role::Calibration => vec!["Choose…", "Use random values"],
            Role::Evaluation => vec!["Choose…"],
        };
        match banner(ui, true, message, &action) {
            Some(Banner::Action(0)) if is_folder(context, role) => context.ask(Ask::Folder(role)),
            Some(Banner::Action(0)) => context.ask(Ask::Data(role)),
            Some(Banner::Action(_)) => context.push(Command::UseRandomValues),
            Some(Banner::Close) => context.close_error(message),
            None => {}
        }
    }
}

fn details(ui: &mut Ui, context: &mut Context<'_>, role: Role, lines: &DataLines) {
    let theme = context.theme;
    if lines.reading {
        text(ui, "Reading", fonts::small(), theme.text2);
    }
    if lines.total > 0 {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            ui.style_mut().drag_value_text_style = egui::TextStyle::Small;
            text(ui, lines.verb, fonts::small(), theme.text2);
            let mut used = lines.used;
            let name = match role {
                Role::Calibration => "Calibration samples",
                Role::Evaluation => "Evaluation samples",
            };
            ui.spacing_mut().interact_size = vec2(30.0, 20.0);
            ui.spacing_mut().button_padding = vec2(6.0, 2.0);
            let field = DragValue::new(&mut used)
                .range(1..=lines.total)
                .speed((lines.total as f64 / 400.0).max(0.2))
                .update_while_editing(false)
                .custom_formatter(|n, _| format::count(n as usize))
                .custom_parser(|typed| typed.replace([',', ' '], "").parse().ok());
            let response = ui.add(field).accessible_name(name).on_hover_text(format!(
                "{name}; drag or click to type, choose others under Preview"
            ));
            if response.changed() && used != lines.used {
                let keeps = role == Role::Calibration || lines.keeps_number;
                let samples = (used < lines.total || keeps).then_some(used);
                context.push(Command::SetSamples(role, samples));
            }
            text(ui, &lines.rest, fonts::small(), theme.text2);
        });
    }
    strip(ui, context, role);
    for words in data_cautions(context.bench, role) {
        caution(ui, context, &words);
    }
    if let Some(words) = context
        .state
        .suspicion
        .words()
        .filter(|_| role == Role::Evaluation)
    {
        caution(ui, context, words);
    }
    if let Some(words) = lines.note {
        text(ui, words, fonts::small(), theme.text3);
    }
    if let Some(words) = &lines.caution {
        if lines.chosen {
            caution(ui, context, words);
        } else {
            crate::gui::widgets::text_wrapped(ui, words, fonts::small(), theme.text3);
        }
    }
}

/// Whether the data of that role is, or was to be, a folder.
fn is_folder(context: &Context<'_>, role: Role) -> bool {
    match &choice(context.bench, role).source {
        Some(Source::File { path, .. }) => path.extension().is_none(),
        Some(Source::Demo | Source::Synthetic) | None => false,
    }
}

/// The first samples of a folder as the model will see them, and their values; a click shows more.
fn strip(ui: &mut Ui, context: &mut Context<'_>, role: Role) {
    const GAP: f32 = 6.0;
    let theme = context.theme;
    let Some(loaded) = choice(context.bench, role)
        .loaded
        .as_ref()
        .filter(|l| l.folder.is_some())
    else {
        return;
    };
    let shown = 4;
    let width = (ui.available_width() - 6.0).min(216.0);
    let side = ((width - GAP * (shown as f32 - 1.0)) / shown as f32).floor();
    let (rect, response) = ui.allocate_exact_size(vec2(width, side), Sense::click());
    let name = format!("Preview of {} samples", role_name(role));
    response.widget_info(|| WidgetInfo::labeled(Say::Button, ui.is_enabled(), &name));
    let pictures = context.state.pictures.show(ui.ctx(), context.bench, role);
    for (i, sample) in loaded.preview.samples.iter().take(shown).enumerate() {
        let corner = rect.min + vec2(i as f32 * (side + GAP), 0.0);
        let place = Rect::from_min_size(corner, vec2(side, side));
        pictures.paint(ui.painter(), place, i, &sample.picture, theme);
    }
    focus_ring(ui, &response, ROUND);
    if response
        .on_hover_text("Show more, and how files become this")
        .clicked()
    {
        context.state.data = Some(data::State::of(role));
    }
    let values = format!("Values {}", range_words(&loaded.preview.values));
    text(ui, values, fonts::small(), theme.text2);
    let skipped = match loaded.skipped.len() {
        0 => return,
        1 => "1 file cannot be read and is left out".to_owned(),
        n => format!("{} files cannot be read and are left out", format::count(n)),
    };
    let list: Vec<String> = loaded
        .skipped
        .iter()
        .take(20)
        .map(|s| format!("{}: {}", s.file, s.reason))
        .collect();
    text(ui, skipped, fonts::small(), theme.text2).on_hover_text(list.join("\n"));
}

fn choose_menu(ui: &mut Ui, context: &mut Context<'_>, role: Role, lines: &DataLines) {
    if menu_item(ui, "Choose file…").clicked() {
        context.ask(Ask::Data(role));
    }
    if menu_item(ui, "Choose folder…").clicked() {
        context.ask(Ask::Folder(role));
    }
    if menu_item(ui, "Type a path").clicked() {
        context.type_path(Ask::Data(role));
    }
    if lines.takes_labels {
        if menu_item(ui, "Choose labels…").clicked() {
            context.ask(Ask::Labels(role));
        }
        if menu_item(ui, "Type a path of labels").clicked() {
            context.type_path(Ask::Labels(role));
        }
    }
    if role == Role::Calibration && menu_item(ui, "Use random values").clicked() {
        context.push(Command::UseRandomValues);
    }
    if lines.chosen && menu_item(ui, "Use no data").clicked() {
        context.push(Command::ClearData(role));
    }
}
