//! The draw pad: draw, paste or drop a picture and see what every experiment answers while the pen moves.

use std::sync::Arc;

use egui::{
    Align, Align2, Event, Key, Layout, PointerButton, Pos2, Rect, Role, ScrollArea, Sense, Stroke,
    StrokeKind, TextureHandle, Ui, ViewportCommand, WidgetInfo, pos2, vec2,
};

use super::super::super::{Context, fonts};
use crate::data::{Drawing, Thumbnail};
use crate::gui::icons::Icon;
use crate::gui::theme::{FADED, ROUND};
use crate::gui::view::data::choice;
use crate::gui::view::pad::{self as view, Row};
use crate::gui::view::samples::{class_name, margin_words};
use crate::gui::view::{figures, format};
use crate::gui::widgets::picture::{paint_texture, upload};
use crate::gui::widgets::{Button, heading, hline, segment, text, text_wrapped};
use crate::workbench::{Command, Role as DataRole};

/// Side of the pad.
const SIDE: f32 = 280.0;
/// Height of an answer.
const ROW: f32 = 30.0;
/// Most classes whose scores are drawn as a strip.
const MOST_IN_STRIP: usize = 20;

/// What the pad remembers.
#[derive(Default)]
pub struct State {
    erase: bool,
    /// Where the pen was, in pixels of the picture.
    pen: Option<(f32, f32)>,
    /// Where the keyboard's pen is.
    cursor: Option<(usize, usize)>,
    shown: Option<(Arc<Drawing>, TextureHandle)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pad(erase {}, pen {:?})", self.erase, self.pen)
    }
}

/// Fills its card.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    ui.spacing_mut().item_spacing.y = 6.0;
    let input = match context.bench.image_input() {
        Ok(input) => input,
        Err(e) => {
            heading(ui, "Draw");
            text_wrapped(ui, e.to_string(), fonts::small(), theme.text2);
            return;
        }
    };
    let blank = context.bench.pad.drawing.is_none();
    ui.horizontal(|ui| {
        ui.set_min_height(24.0);
        heading(ui, "Draw");
        let erase = context.state.samples.pad.erase;
        let tools = [
            (
                "Pen",
                "Draw with the pen".to_owned(),
                "Draw in white",
                !erase,
            ),
            (
                "Erase",
                "Erase with the pen".to_owned(),
                "Draw in black",
                erase,
            ),
        ];
        if let Some(chosen) = segment(ui, &tools) {
            context.state.samples.pad.erase = chosen == 1;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let clear = ui.add_enabled(!blank, Button::bare("Clear").icon(Icon::Erase));
            if clear.on_hover_text("Empty the pad").clicked() {
                context.push(Command::Draw(None));
            }
            let paste = ui.add(Button::bare("Paste").icon(Icon::Image));
            let hint = "Paste a picture, or the path of one (Ctrl+V)";
            if paste.on_hover_text(hint).clicked() {
                ui.ctx().send_viewport_cmd(ViewportCommand::RequestPaste);
            }
        });
    });
    pasted(ui, context);
    canvas(ui, context, input.width, input.height);
    let scale = context.bench.pad_preprocess().scale_name();
    let colours = if input.channels == 1 {
        "grey"
    } else {
        "colour"
    };
    let words = format!(
        "{} × {}, {colours}, scale {scale}",
        input.width, input.height
    );
    text(ui, words, fonts::small(), theme.text3);
    if let Some(error) = &context.bench.pad.error {
        text_wrapped(ui, error.clone(), fonts::small(), theme.damage);
    }
    hline(ui, (0.0, 0.0));
    answers(ui, context);
}

/// A picture from the clipboard, or the path of one, unless somebody is typing.
fn pasted(ui: &Ui, context: &mut Context<'_>) {
    if ui.ctx().text_edit_focused() {
        return;
    }
    let events = ui.input(|i| i.events.clone());
    for event in events {
        match event {
            Event::PasteImage(image) => {
                let rgb = image.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()]);
                let drawing = Drawing {
                    width: image.size[0],
                    height: image.size[1],
                    rgb: rgb.collect(),
                };
                context.push(Command::Draw(Some(Arc::new(drawing))));
            }
            Event::Paste(path) => {
                let path = path.trim().trim_matches('"');
                let path = path.strip_prefix("file://").unwrap_or(path);
                if !path.is_empty() {
                    context.push(Command::DrawImage(path.into()));
                }
            }
            _ => {}
        }
    }
}

fn canvas(ui: &mut Ui, context: &mut Context<'_>, width: usize, height: usize) {
    let theme = context.theme;
    let side = SIDE.min(ui.available_width());
    let longest = width.max(height) as f32;
    let size = vec2(width as f32, height as f32) * (side / longest);
    let (place, _) = ui.allocate_exact_size(vec2(ui.available_width(), side), Sense::hover());
    let rect = Rect::from_center_size(place.center(), size);
    let id = ui.scope_id().with("draw pad");
    let response = ui.interact(rect, id, Sense::click_and_drag());
    response.widget_info(|| {
        WidgetInfo::labeled(
            Role::Canvas,
            true,
            format!("Drawing, {width} × {height} pixels; arrow keys move the pen, Space draws"),
        )
    });
    ui.memory_mut(|m| {
        let keep = egui::EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..Default::default()
        };
        m.set_focus_lock_filter(id, keep);
    });
    let drawing = context.bench.pad.drawing.clone();
    let painter = ui.painter().clone();
    painter.rect_filled(rect, 0.0, egui::Color32::BLACK);
    let state = &mut context.state.samples.pad;
    match &drawing {
        None => state.shown = None,
        Some(drawing) => {
            let same = |(of, _): &(Arc<Drawing>, TextureHandle)| Arc::ptr_eq(of, drawing);
            if !state.shown.as_ref().is_some_and(same) {
                let picture = Thumbnail {
                    width: drawing.width,
                    height: drawing.height,
                    rgb: drawing.rgb.clone(),
                };
                let texture = upload(ui.ctx(), "draw pad", &picture);
                state.shown = Some((drawing.clone(), texture));
            }
            if let Some((_, texture)) = &state.shown {
                paint_texture(&painter, rect, texture);
            }
        }
    }
    if drawing.is_none() {
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            "Draw here, or drop or paste an image",
            fonts::small(),
            egui::Color32::from_gray(170),
        );
    }
    let pixel = size.x / width as f32;
    let at = |p: Pos2| ((p.x - rect.left()) / pixel, (p.y - rect.top()) / pixel);
    let mut line = None;
    // A second mouse button erases.
    let right = ui.input(|i| i.pointer.button_down(PointerButton::Secondary));
    let pressed = response.is_pointer_button_down_on();
    match response.interact_pointer_pos().filter(|_| pressed) {
        Some(pointer) => {
            let to = at(pointer);
            line = Some((state.pen.unwrap_or(to), to, state.erase || right));
            state.pen = Some(to);
        }
        None => state.pen = None,
    }
    if response.has_focus() {
        let cursor = state.cursor.get_or_insert((width / 2, height / 2));
        let key = |key| ui.input(|i| i.key_pressed(key));
        let step = |now: usize, less, more, most: usize| {
            (now + usize::from(key(more)))
                .saturating_sub(usize::from(key(less)))
                .min(most - 1)
        };
        *cursor = (
            step(cursor.0, Key::ArrowLeft, Key::ArrowRight, width),
            step(cursor.1, Key::ArrowUp, Key::ArrowDown, height),
        );
        let corner = rect.min + vec2(cursor.0 as f32, cursor.1 as f32) * pixel;
        let mark = Rect::from_min_size(corner, vec2(pixel, pixel)).expand(1.0);
        painter.rect_stroke(
            mark,
            0.0,
            Stroke::new(2.0, theme.focus),
            StrokeKind::Outside,
        );
        if ui.input(|i| i.key_down(Key::Space) || i.key_pressed(Key::Space)) {
            let to = (cursor.0 as f32 + 0.5, cursor.1 as f32 + 0.5);
            line = Some((to, to, state.erase));
        }
    }
    if let Some((from, to, erase)) = line {
        let empty = || Drawing {
            width,
            height,
            rgb: vec![0; width * height * 3],
        };
        let mut changed = drawing.as_deref().map_or_else(empty, Drawing::clone);
        if view::stroke(&mut changed, from, to, erase) {
            context.push(Command::Draw(Some(Arc::new(changed))));
        }
    }
    let outline = match response.has_focus() {
        true => Stroke::new(2.0, theme.focus),
        false => Stroke::new(1.0, theme.control),
    };
    painter.rect_stroke(rect, 0.0, outline, StrokeKind::Outside);
}

fn answers(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    let bench = context.bench;
    if bench.pad.drawing.is_none() {
        let words = match bench.experiments.iter().any(|e| e.file.is_some()) {
            true => "Answers of all experiments appear here",
            false => "Run to see what each experiment answers",
        };
        text_wrapped(ui, words, fonts::small(), theme.text3);
        return;
    }
    let loaded = choice(bench, DataRole::Evaluation).loaded.as_ref();
    let classes: &[String] = loaded.map_or(&[], |l| &l.classes);
    let name = |class| class_name(classes, class);
    let rows = view::rows(bench);
    let strip = rows
        .iter()
        .find_map(|r| Some(r.answer.as_ref().ok()?.shares.len()));
    let strip = strip.filter(|&n| n <= MOST_IN_STRIP);
    let verdict = view::verdict(&bench.pad.answers, name);
    let bottom = 22.0;
    let room = (ui.available_height() - bottom - 20.0).max(ROW);
    let (head, _) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
    let say = |at: Pos2, align, words: &str| {
        ui.painter()
            .text(at, align, words, fonts::small(), theme.text3);
    };
    say(head.left_center(), Align2::LEFT_CENTER, "Answers");
    say(head.right_center(), Align2::RIGHT_CENTER, "Softmax");
    if let Some(n) = strip.filter(|&n| n <= 10) {
        for class in 0..n {
            let x = strip_cell(head, n, class).center().x;
            say(
                pos2(x, head.center().y),
                Align2::CENTER_CENTER,
                &class.to_string(),
            );
        }
    }
    ScrollArea::vertical()
        .id_salt("pad answers")
        .max_height(room)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for row in &rows {
                answer(ui, context, row, strip, &name(row_class(row)));
            }
        });
    if let Some(verdict) = verdict {
        let response = text(ui, verdict, fonts::small(), theme.text2);
        response.on_hover_text("Time of the runs alone, one thread, one after the other");
    }
}

fn row_class(row: &Row) -> u32 {
    row.answer.as_ref().map_or(0, |a| a.class)
}

/// Where the score of a class stands in a row.
fn strip_cell(row: Rect, classes: usize, class: usize) -> Rect {
    let (left, right) = (row.right() - 170.0, row.right() - 56.0);
    let width = (right - left) / classes as f32;
    let x = left + class as f32 * width;
    Rect::from_x_y_ranges(x..=x + width, row.y_range())
}

fn answer(ui: &mut Ui, context: &mut Context<'_>, row: &Row, strip: Option<usize>, class: &str) {
    let theme = context.theme;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let told = match &row.answer {
        Ok(a) => format!(
            "On the pad, {} answers {class}, {}, margin {}",
            row.name,
            format::percent(f64::from(view::share(a))),
            margin_words(a.margin)
        ),
        Err(why) => format!("On the pad, {} has no answer: {why}", row.name),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &told));
    if response.contains_pointer() {
        context.hover(row.id);
    }
    let painter = ui.painter().clone();
    let fade = match context.state.hovered {
        Some(id) if id != row.id => FADED,
        _ => 1.0,
    };
    if context.state.hovered == Some(row.id) {
        painter.rect_filled(rect, ROUND, theme.hover);
    }
    let hue = theme.mode(row.look.mode).gamma_multiply(fade);
    let y = rect.center().y;
    row.look
        .paint_marker(&painter, pos2(rect.left() + 8.0, y), hue);
    let name_room = ((rect.width() - 218.0) / 6.8).max(4.0) as usize;
    let say = |x: f32, align, words: &str, font, color: egui::Color32| {
        painter.text(pos2(x, y), align, words, font, color.gamma_multiply(fade));
    };
    let name = figures::elide(&row.name, name_room);
    say(
        rect.left() + 22.0,
        Align2::LEFT_CENTER,
        &name,
        fonts::body(),
        theme.text,
    );
    painter.hline(rect.x_range(), rect.bottom(), theme.separator());
    match &row.answer {
        Err(_) => say(
            rect.right(),
            Align2::RIGHT_CENTER,
            format::NONE,
            fonts::body(),
            theme.text3,
        ),
        Ok(a) => {
            let left = rect.right() - 178.0;
            let class_words = figures::elide(class, if strip.is_some() { 6 } else { 24 });
            match strip {
                Some(n) => {
                    say(
                        left,
                        Align2::RIGHT_CENTER,
                        &class_words,
                        fonts::strong(),
                        theme.text,
                    );
                    for (i, &s) in a.shares.iter().enumerate().take(n) {
                        let cell = strip_cell(rect, n, i).shrink2(vec2(1.0, 7.0));
                        let top = cell.bottom() - (cell.height() * s.clamp(0.0, 1.0)).max(1.0);
                        let ink = if i == a.class as usize {
                            hue
                        } else {
                            theme.text3
                        };
                        painter.rect_filled(cell.with_min_y(top), 0.0, ink);
                    }
                }
                None => {
                    let x = rect.right() - 60.0;
                    say(
                        x,
                        Align2::RIGHT_CENTER,
                        &class_words,
                        fonts::strong(),
                        theme.text,
                    );
                }
            }
            let share = format!("{} %", format::fixed(f64::from(view::share(a)) * 100.0, 1));
            say(
                rect.right(),
                Align2::RIGHT_CENTER,
                &share,
                fonts::body(),
                theme.text,
            );
        }
    }
    response.on_hover_text(told);
}
