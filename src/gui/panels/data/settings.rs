//! How files become inputs, which samples and which classes: the left side of the data.

use egui::{DragValue, Key, Sense, Ui, vec2};

use super::super::super::{Ask, Context, fonts};
use super::State;
use crate::data::{self, Scale, Selection};
use crate::gui::view::data::{
    COLOURS, FITS, ORDERS, PICKS, RESIZES, SCALES, choice, class_lines, figures_text, order_index,
    parse_figures, pick_at, pick_index, scale_at, scale_index,
};
use crate::gui::view::format;
use crate::gui::widgets::{Button, dropdown, heading, hline, text, text_field, text_wrapped};
use crate::workbench::{ClassSource, Command, Loaded, Role, Source, files};

/// Width of the words before a setting.
const LABEL: f32 = 68.0;
/// Files left out that are listed one by one.
const LISTED: usize = 100;

/// Own mean and deviation as they are typed.
#[derive(Debug, Default)]
pub struct Own {
    /// The scale that the texts were made from.
    of: Option<Scale>,
    mean: String,
    deviation: String,
    error: Option<String>,
}

/// Shows all settings.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, state: &mut State) {
    ui.spacing_mut().item_spacing.y = 6.0;
    let role = state.role;
    let chosen = choice(context.bench, role);
    let loaded = chosen.loaded.as_ref();
    heading(ui, "Preprocessing");
    let is_folder = loaded.is_some_and(|l| l.preprocess.is_some());
    if is_folder
        || context.bench.reading.preprocess.is_some()
        || (loaded.is_none() && chosen.error.is_some())
    {
        preprocessing(ui, context, state, loaded);
    } else {
        let words = "Folders of images are resized and scaled, arrays are fed as they are";
        text_wrapped(ui, words, fonts::small(), context.theme.text2);
    }
    ui.add_space(4.0);
    hline(ui, (15.0, 15.0));
    ui.add_space(2.0);
    heading(ui, "Samples");
    selection(ui, context, role);
    if let Some(Source::File { path, .. }) = &chosen.source
        && data::is_table(&files::file_name(path))
    {
        ui.add_space(4.0);
        hline(ui, (15.0, 15.0));
        ui.add_space(2.0);
        heading(ui, "Labels");
        label_column(ui, context, state);
    }
    if let Some(loaded) = loaded {
        if loaded.folder.is_some() {
            ui.add_space(4.0);
            hline(ui, (15.0, 15.0));
            ui.add_space(2.0);
            heading(ui, "Classes");
            classes(ui, context, loaded);
        }
        if !loaded.skipped.is_empty() {
            ui.add_space(4.0);
            hline(ui, (15.0, 15.0));
            ui.add_space(2.0);
            skipped(ui, context, loaded);
        }
    }
}

/// Which column of a table holds the labels.
fn label_column(ui: &mut Ui, context: &mut Context<'_>, state: &mut State) {
    let now = context.bench.reading.label_column.clone();
    let typed = state
        .label_column
        .get_or_insert_with(|| now.clone().unwrap_or_default());
    let field = ui
        .horizontal(|ui| {
            before(ui, context, "Column");
            let width = ui.available_width() - 18.0;
            text_field(ui, typed, "Label column", "label, class or target", width)
        })
        .inner
        .on_hover_text("Its name, or its number from 1 where the table has no header");
    let wanted = Some(typed.trim().to_owned()).filter(|t| !t.is_empty());
    let enter = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    ui.add_enabled_ui(wanted != now, |ui| {
        let button = ui.add(Button::new("Use this column").height(24.0));
        if button.clicked() || (enter && wanted != now) {
            context.push(Command::SetLabelColumn(wanted.clone()));
        }
    });
}

/// A setting with a list to choose from.
fn row(
    ui: &mut Ui,
    context: &Context<'_>,
    label: &str,
    tooltip: &str,
    options: &[&str],
    chosen: usize,
) -> Option<usize> {
    ui.horizontal(|ui| {
        before(ui, context, label);
        let width = ui.available_width();
        dropdown(ui, label, tooltip, width, options, chosen)
    })
    .inner
}

fn before(ui: &mut Ui, context: &Context<'_>, label: &str) {
    ui.spacing_mut().item_spacing.x = 0.0;
    let (rect, _) = ui.allocate_exact_size(vec2(LABEL, 24.0), Sense::hover());
    ui.painter().text(
        rect.left_center(),
        egui::Align2::LEFT_CENTER,
        label,
        fonts::small(),
        context.theme.text2,
    );
}

fn preprocessing(
    ui: &mut Ui,
    context: &mut Context<'_>,
    state: &mut State,
    loaded: Option<&Loaded>,
) {
    let theme = context.theme;
    let now = context.bench.reading.preprocess.clone();
    let by_user = now.is_some();
    let now = now
        .or_else(|| loaded.and_then(|l| l.preprocess.clone()))
        .unwrap_or_default();
    let mut wanted = now.clone();
    let tooltip = "Range of the values that the model takes, as it was trained";
    if let Some(i) = row(
        ui,
        context,
        "Values",
        tooltip,
        &SCALES,
        scale_index(&now.scale),
    ) {
        wanted.scale = scale_at(i, &now);
    }
    if let Scale::Own { mean, deviation } = &now.scale
        && let Some(scale) = own(ui, context, &mut state.own, mean, deviation)
    {
        wanted.scale = scale;
    }
    let place = |found: Option<usize>| found.unwrap_or(0);
    let at = place(RESIZES.iter().position(|r| r.1 == now.resize));
    let tooltip = "How pixels are computed when an image has another size than the model takes";
    if let Some(i) = row(ui, context, "Resize", tooltip, &RESIZES.map(|r| r.0), at) {
        wanted.resize = RESIZES[i].1;
    }
    let at = place(FITS.iter().position(|f| f.1 == now.fit));
    let tooltip = "What becomes of an image with other proportions than the model takes";
    if let Some(i) = row(ui, context, "Fit", tooltip, &FITS.map(|f| f.0), at) {
        wanted.fit = FITS[i].1;
    }
    let at = place(COLOURS.iter().position(|c| c.1 == now.colour));
    let tooltip = "Which channels the model takes, in which order";
    if let Some(i) = row(ui, context, "Colour", tooltip, &COLOURS.map(|c| c.0), at) {
        wanted.colour = COLOURS[i].1;
    }
    if wanted != now {
        context.push(Command::SetPreprocess(Some(wanted)));
    }
    match (by_user, loaded) {
        (true, _) => {
            let reset = ui.add(Button::bare("Back to what the model says"));
            if reset.clicked() {
                context.push(Command::SetPreprocess(None));
            }
        }
        (false, Some(loaded)) => {
            let words = match loaded.preprocess_from {
                crate::data::GuessedFrom::Nobody => {
                    "The model does not say which values it takes, compare with how it was trained"
                        .to_owned()
                }
                ref from => format!("Chosen {from}"),
            };
            text_wrapped(ui, words, fonts::small(), theme.text3);
        }
        (false, None) => {}
    }
}

/// Fields for the mean and the deviation; the new scale once it is confirmed.
fn own(
    ui: &mut Ui,
    context: &Context<'_>,
    own: &mut Own,
    mean: &[f64],
    deviation: &[f64],
) -> Option<Scale> {
    let now = Scale::Own {
        mean: mean.to_vec(),
        deviation: deviation.to_vec(),
    };
    if own.of.as_ref() != Some(&now) {
        *own = Own {
            mean: figures_text(mean),
            deviation: figures_text(deviation),
            of: Some(now),
            error: None,
        };
    }
    let mut confirmed = false;
    for (label, typed) in [("Mean", &mut own.mean), ("Deviation", &mut own.deviation)] {
        ui.horizontal(|ui| {
            before(ui, context, label);
            let width = ui.available_width();
            let field = text_field(ui, typed, label, "123.7, 116.3, 103.5", width);
            confirmed |= field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
            field.on_hover_text("In grey levels 0 to 255, one for all channels or one a channel; a value becomes (level − mean) / deviation");
        });
    }
    let changed = own.mean != figures_text(mean) || own.deviation != figures_text(deviation);
    let button = ui.add_enabled(changed, Button::new("Use these figures").height(24.0));
    confirmed |= button.clicked();
    let mut scale = None;
    if confirmed {
        let figures =
            parse_figures(&own.mean).and_then(|m| Ok((m, parse_figures(&own.deviation)?)));
        own.error = figures.as_ref().err().cloned();
        scale = figures
            .ok()
            .map(|(mean, deviation)| Scale::Own { mean, deviation });
    }
    if let Some(error) = &own.error {
        text_wrapped(ui, error, fonts::small(), context.theme.damage);
    }
    scale
}

fn selection(ui: &mut Ui, context: &mut Context<'_>, role: Role) {
    let theme = context.theme;
    let chosen = choice(context.bench, role);
    let (now, total) = (chosen.selection, chosen.total());
    let mut wanted = now;
    let tooltip = "Which samples are used; folders of classes take turns, so that the first are of all classes";
    if let Some(i) = row(ui, context, "Choose", tooltip, &PICKS, pick_index(&now)) {
        wanted = pick_at(i, &now, total);
    }
    if let Some(samples) = now.samples() {
        let number = figure(
            ui,
            context,
            "Number",
            samples,
            1..=total.max(samples).max(1),
        );
        if number != samples {
            wanted = now.with_samples(Some(number));
        }
    }
    if let Selection::Random { samples, seed } = now {
        let typed = figure(ui, context, "Seed", seed as usize, 0..=u32::MAX as usize) as u64;
        if typed != seed {
            wanted = Selection::Random {
                samples,
                seed: typed,
            };
        }
    }
    if wanted != now {
        context.push(Command::SetSelection(role, wanted));
    }
    if total > 0 {
        let words = format!(
            "{} of {}",
            format::count(chosen.used()),
            format::count(total)
        );
        text(ui, words, fonts::small(), theme.text3);
    }
}

/// A whole number to drag or type.
fn figure(
    ui: &mut Ui,
    context: &Context<'_>,
    label: &str,
    now: usize,
    range: std::ops::RangeInclusive<usize>,
) -> usize {
    let mut value = now;
    ui.horizontal(|ui| {
        before(ui, context, label);
        ui.spacing_mut().interact_size = vec2(64.0, 22.0);
        ui.style_mut().drag_value_text_style = egui::TextStyle::Small;
        let speed = (*range.end() as f64 / 400.0).clamp(0.05, 20.0);
        let field = DragValue::new(&mut value)
            .range(range)
            .speed(speed)
            .update_while_editing(false)
            .custom_formatter(|n, _| format::count(n as usize))
            .custom_parser(|typed| typed.replace([',', ' '], "").parse().ok());
        ui.add(field)
            .accessible_name(label)
            .on_hover_text("Drag or click to type");
    });
    value
}

fn classes(ui: &mut Ui, context: &mut Context<'_>, loaded: &Loaded) {
    let theme = context.theme;
    let now = order_index(&context.bench.reading.classes);
    let tooltip = "Which class of the folder is which output of the model";
    if let Some(i) = row(ui, context, "Order", tooltip, &ORDERS, now) {
        match i {
            0 => context.push(Command::SetClasses(ClassSource::Auto)),
            1 => context.push(Command::SetClasses(ClassSource::Sorted)),
            2 => context.push(Command::SetClasses(ClassSource::Model)),
            _ => context.ask(Ask::Classes),
        }
    }
    if loaded.classes.is_empty() {
        let words = match loaded.dataset.labels() {
            Some(_) => "Labels are numbers, their names are not known",
            None => "No labels, agreement and SQNR only",
        };
        text_wrapped(ui, words, fonts::small(), theme.text2);
        return;
    }
    if !loaded.class_order.is_empty() {
        text_wrapped(ui, &loaded.class_order, fonts::small(), theme.text3);
    }
    let (lines, more) = class_lines(&loaded.classes);
    ui.spacing_mut().item_spacing.y = 1.0;
    for line in lines {
        text(ui, line, fonts::small(), theme.text2);
    }
    if more > 0 {
        text(
            ui,
            format!("and {} more", format::count(more)),
            fonts::small(),
            theme.text3,
        );
    }
    ui.spacing_mut().item_spacing.y = 6.0;
}

fn skipped(ui: &mut Ui, context: &Context<'_>, loaded: &Loaded) {
    let theme = context.theme;
    let words = match loaded.skipped.len() {
        1 => "1 file left out".to_owned(),
        n => format!("{} files left out", format::count(n)),
    };
    heading(ui, &words);
    ui.spacing_mut().item_spacing.y = 1.0;
    for skipped in loaded.skipped.iter().take(LISTED) {
        let line = format!("{}: {}", skipped.file, skipped.reason);
        text(ui, line, fonts::small(), theme.text2);
    }
    if loaded.skipped.len() > LISTED {
        let more = format::count(loaded.skipped.len() - LISTED);
        text(ui, format!("and {more} more"), fonts::small(), theme.text3);
    }
}
