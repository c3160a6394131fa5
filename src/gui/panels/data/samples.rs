//! Samples as the model will see them: their range first, what looks wrong, then thumbnails.

use egui::{
    Align2, Rect, ScrollArea, Sense, StrokeKind, Ui, WidgetInfo, accesskit::Role as Say, vec2,
};

use super::super::super::{Context, fonts};
use crate::gui::panels::side::caution;
use crate::gui::view::data::{
    SampleLines, cautions, choice, input_pixels, range_words, sample_lines, source_name,
};
use crate::gui::view::format;
use crate::gui::widgets::picture::columns;
use crate::gui::widgets::{chip, text, word};
use crate::workbench::Role;

/// Lines of text below a thumbnail, and their height.
const TEXT: f32 = 66.0;

/// Shows the samples of that role, which are read.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, role: Role) {
    let theme = context.theme;
    let chosen = choice(context.bench, role);
    let Some(loaded) = &chosen.loaded else { return };
    let sees = input_pixels(context.bench);
    ui.horizontal(|ui| {
        text(ui, source_name(chosen), fonts::verdict_strong(), theme.text);
        let used = format::count(loaded.dataset.len());
        let words = format!("{used} of {} samples", format::count(loaded.total));
        text(ui, words, fonts::body(), theme.text2);
        if loaded.synthetic {
            chip(ui, "Random values", None);
        }
    });
    ui.horizontal(|ui| {
        text(ui, "Values", fonts::body(), theme.text2);
        word(
            ui,
            &range_words(&loaded.preview.values),
            fonts::number(),
            theme.text,
            "Smallest, largest and mean value that goes into the model over the samples below; it must be the range that the \
             model was trained on",
        );
        if let Some(preprocess) = &loaded.preprocess {
            let words = format!("{}, {}", preprocess.scale_name(), loaded.preprocess_from);
            text(ui, words, fonts::small(), theme.text3);
        }
    });
    let suspicion = context
        .state
        .suspicion
        .words()
        .filter(|_| role == Role::Evaluation);
    for words in cautions(loaded, sees)
        .into_iter()
        .chain(suspicion.map(str::to_owned))
    {
        caution(ui, context, &words);
    }
    ui.add_space(4.0);
    let (columns, width) = columns(ui.available_width() - 8.0, 136.0, 12.0);
    let pictures = context.state.pictures.show(ui.ctx(), context.bench, role);
    ScrollArea::vertical()
        .id_salt("samples")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(12.0, 12.0);
            let samples = &loaded.preview.samples;
            for (row, line) in samples.chunks(columns).enumerate() {
                ui.horizontal(|ui| {
                    for (i, sample) in line.iter().enumerate() {
                        let lines = sample_lines(sample, &loaded.classes, sees);
                        let size = vec2(width, width + TEXT);
                        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
                        if !ui.is_rect_visible(rect) {
                            continue;
                        }
                        let picture = Rect::from_min_size(rect.min, vec2(width, width));
                        let at = row * columns + i;
                        pictures.paint(ui.painter(), picture, at, &sample.picture, theme);
                        let outline = theme.separator();
                        ui.painter()
                            .rect_stroke(picture, 0.0, outline, StrokeKind::Outside);
                        response
                            .widget_info(|| WidgetInfo::labeled(Say::Image, true, spoken(&lines)));
                        words(
                            ui,
                            rect.with_min_y(picture.bottom() + 4.0),
                            &lines,
                            context.theme,
                        );
                        response.on_hover_text(&lines.full);
                    }
                });
            }
        });
}

/// The sample as a sentence.
fn spoken(lines: &SampleLines) -> String {
    let class = match lines.class.as_str() {
        "" => String::new(),
        class => format!(", class {class}"),
    };
    format!(
        "{}{class}, {}, values {}",
        lines.full, lines.size, lines.values
    )
}

fn words(ui: &Ui, rect: Rect, lines: &SampleLines, theme: &crate::gui::theme::Theme) {
    let painter = ui.painter().with_clip_rect(rect.expand2(vec2(0.0, 2.0)));
    let mut y = rect.top();
    let characters = (rect.width() / 6.4) as usize;
    let mut line = |words: &str, font, color| {
        if !words.is_empty() {
            let at = egui::pos2(rect.left(), y);
            painter.text(at, Align2::LEFT_TOP, words, font, color);
            y += 15.0;
        }
    };
    let first = match lines.class.is_empty() {
        true => &lines.name,
        false => &lines.class,
    };
    line(
        &format::elide(first, characters),
        fonts::small_strong(),
        theme.text,
    );
    if !lines.class.is_empty() {
        line(
            &format::elide(&lines.name, characters),
            fonts::caption(),
            theme.text2,
        );
    }
    line(&lines.size, fonts::caption(), theme.text3);
    line(&lines.values, fonts::caption(), theme.text3);
}
