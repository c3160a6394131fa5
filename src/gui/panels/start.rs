//! The screen before a model is open: drop one, open one, type its path, take a recent one, or the demo.

use egui::{
    Align, Align2, CentralPanel, Frame, Layout, Margin, Panel, Pos2, Rect, Role, ScrollArea, Sense,
    Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::super::{Ask, Context, fonts};
use super::help::STEPS;
use crate::gui::actions::Action;
use crate::gui::icons::{Icon, Look};
use crate::gui::theme::{ROUND, ROUND_CARD};
use crate::gui::widgets::{
    Banner, Button, at, banner, focus_ring, icon_button, path_field, progress_bar, text,
};
use crate::quantize::Mode;
use crate::workbench::{Command, files};

/// Width of the content.
const WIDTH: f32 = 880.0;

/// Fills the window below the top bar.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>) {
    foot(ui, context);
    CentralPanel::default().frame(Frame::NONE).show(ui, |ui| {
        context.state.regions.add(ui.max_rect());
        ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| {
                let above = ((ui.available_height() - 640.0) / 2.0).clamp(20.0, 90.0);
                let side = ((ui.available_width() - WIDTH) / 2.0).max(16.0);
                ui.add_space(above);
                ui.horizontal_top(|ui| {
                    ui.add_space(side);
                    ui.vertical(|ui| {
                        ui.set_max_width(WIDTH.min(ui.available_width() - 16.0));
                        content(ui, context);
                        ui.add_space(16.0);
                    });
                });
            });
    });
}

fn foot(ui: &mut Ui, context: &Context<'_>) {
    let theme = context.theme;
    let frame = Frame::new()
        .fill(theme.panel)
        .inner_margin(Margin::symmetric(16, 0));
    let shown = Panel::bottom("foot")
        .exact_size(44.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame)
        .show(ui, |ui| {
            ui.horizontal_centered(|ui| {
                text(
                    ui,
                    "Everything runs on this computer",
                    fonts::small(),
                    theme.text3,
                );
            });
        });
    let rect = shown.response.rect;
    ui.painter()
        .hline(rect.x_range(), rect.top() + 0.5, theme.separator());
}

fn content(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    ui.spacing_mut().item_spacing.y = 4.0;
    text(
        ui,
        "Find the variant that ships",
        fonts::display(),
        theme.text,
    );
    text(
        ui,
        "Quantize a float model in every mode, then compare size, latency and accuracy down to the tensor",
        fonts::verdict(),
        theme.text2,
    );
    ui.add_space(24.0);
    let width = ui.available_width();
    let (_, row) = ui.allocate_space(vec2(width, 164.0));
    let demo_width = 320.0_f32.min(width * 0.4);
    let mut drop_zone = row;
    drop_zone.set_right(row.right() - demo_width - 16.0);
    let mut demo = row;
    demo.set_left(row.right() - demo_width);
    open_zone(ui, context, drop_zone);
    demo_card(ui, context, demo);
    ui.add_space(12.0);
    error(ui, context);
    steps(ui, context);
    ui.add_space(28.0);
    recent(ui, context);
}

fn error(ui: &mut Ui, context: &mut Context<'_>) {
    let Some(message) = context.bench.model_error.clone() else {
        return;
    };
    if context.is_closed(&message) {
        return;
    }
    match banner(ui, true, &message, &["Choose another file…"]) {
        Some(Banner::Action(_)) => context.ask(Ask::Model),
        Some(Banner::Close) => context.close_error(&message),
        None => {}
    }
    ui.add_space(12.0);
}

fn open_zone(ui: &mut Ui, context: &mut Context<'_>, rect: Rect) {
    let theme = context.theme;
    let painter = ui.painter();
    painter.rect_filled(rect, ROUND_CARD, theme.panel);
    dashed(ui, rect, Stroke::new(1.0, theme.control));
    let inside = rect.shrink2(vec2(28.0, 34.0));
    let icon_at = pos2(inside.left() + 12.0, inside.top() + 24.0);
    Icon::Model.paint_sized(ui.painter(), icon_at, 24.0, theme.text2);
    at(ui, inside, |ui| {
        ui.spacing_mut().item_spacing = vec2(8.0, 2.0);
        ui.horizontal(|ui| {
            ui.add_space(36.0);
            ui.vertical(|ui| {
                text(ui, "Drop a model here", fonts::number(), theme.text);
                let hint = ".tflite, .keras or .h5 with float32 weights";
                text(ui, hint, fonts::small(), theme.text2);
            });
        });
        ui.add_space(16.0);
        ui.horizontal(|ui| {
            let keys = Action::Open.keys(ui.ctx());
            let open = ui.add(Button::primary("Open model…").icon(Icon::Open));
            if open
                .on_hover_text(format!("Choose a file ({keys})"))
                .clicked()
            {
                context.ask(Ask::Model);
            }
            text(ui, "or", fonts::small(), theme.text3);
            let state = &mut context.state;
            let asked = state
                .typing
                .take_if(|t| t.ask == Ask::Model)
                .is_some_and(|t| t.take_focus);
            let typed = path_field(ui, &mut state.start_path, "Model path", "Open", asked);
            if let Some(path) = typed {
                context.push(Command::OpenModel(path));
            }
        });
    });
    if context.bench.model_pending.is_some() {
        let name = crate::gui::view::jobs::strip(context.bench)
            .active
            .first()
            .map_or_else(
                || "Reading".to_owned(),
                |j| format!("Reading {}", j.subject),
            );
        let at = pos2(inside.left(), rect.bottom() - 18.0);
        ui.painter()
            .text(at, Align2::LEFT_CENTER, name, fonts::small(), theme.text2);
        let bar = Rect::from_min_size(
            pos2(rect.left() + 1.0, rect.bottom() - 5.0),
            vec2(rect.width() - 2.0, 3.0),
        );
        progress_bar(ui.painter(), bar, 0.5, theme.control, theme);
    }
}

fn dashed(ui: &Ui, rect: Rect, stroke: Stroke) {
    let rect = rect.shrink(0.5);
    let corners = [
        rect.left_top(),
        rect.right_top(),
        rect.right_bottom(),
        rect.left_bottom(),
        rect.left_top(),
    ];
    ui.painter()
        .extend(Shape::dashed_line(&corners, stroke, 4.0, 3.0));
}

fn demo_card(ui: &mut Ui, context: &mut Context<'_>, rect: Rect) {
    let theme = context.theme;
    ui.painter().rect_filled(rect, ROUND_CARD, theme.raised);
    ui.painter()
        .rect_stroke(rect, ROUND_CARD, theme.separator(), StrokeKind::Inside);
    let inside = rect.shrink(20.0);
    // A picture of the digits would need the data that is read only when the demo opens.
    let modes = Rect::from_min_size(inside.min, vec2(inside.width(), 24.0));
    for (i, mode) in Mode::ALL.into_iter().enumerate() {
        let at = pos2(modes.left() + 8.0 + i as f32 * 22.0, modes.center().y);
        Look::mode(mode).paint_marker(ui.painter(), at, theme.mode(mode));
    }
    let below = Rect::from_min_max(inside.min + vec2(0.0, 32.0), inside.max);
    at(ui, below, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        text(ui, "MNIST demo", fonts::strong(), theme.text);
        text(
            ui,
            "A small network and 10,000 digits, built in",
            fonts::small(),
            theme.text2,
        );
        ui.add_space(14.0);
        let button = Button::new("Try the MNIST demo")
            .icon(Icon::Run)
            .height(32.0)
            .width(below.width());
        if ui.add(button).clicked() {
            context.push(Command::OpenDemo);
        }
    });
}

fn steps(ui: &mut Ui, context: &Context<'_>) {
    let theme = context.theme;
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), 146.0));
    ui.painter().rect_filled(rect, ROUND_CARD, theme.raised);
    ui.painter()
        .rect_stroke(rect, ROUND_CARD, theme.separator(), StrokeKind::Inside);
    let third = rect.width() / 3.0;
    for (i, (title, hint, _)) in STEPS.into_iter().enumerate() {
        let left = rect.left() + third * i as f32;
        if i > 0 {
            ui.painter()
                .vline(left.round() + 0.5, rect.y_range(), theme.separator());
        }
        let number_at = pos2(left + 28.0, rect.top() + 26.0);
        ui.painter()
            .circle_stroke(number_at, 10.0, Stroke::new(1.0, theme.control));
        let figure = (i + 1).to_string();
        ui.painter().text(
            number_at,
            Align2::CENTER_CENTER,
            figure,
            fonts::small(),
            theme.text,
        );
        for (text, font, color, y) in [
            (title, fonts::strong(), theme.text, 26.0),
            (hint, fonts::body(), theme.text2, 50.0),
        ] {
            let at = pos2(left + 46.0, rect.top() + y);
            ui.painter()
                .text(at, Align2::LEFT_CENTER, text, font, color);
        }
        let sketch = pos2(left + 46.0, rect.top() + 84.0);
        match i {
            0 => layers_sketch(ui, context, sketch),
            1 => modes_sketch(ui, context, sketch),
            _ => bars_sketch(ui, context, sketch),
        }
    }
}

fn layers_sketch(ui: &Ui, context: &Context<'_>, at: Pos2) {
    let theme = context.theme;
    let stroke = Stroke::new(1.0, theme.line_strong);
    for (i, name) in ["Reshape", "Conv2D", "MaxPool", "Dense"].iter().enumerate() {
        let block = Rect::from_min_size(at + vec2(54.0 * i as f32, 4.0), vec2(42.0, 24.0));
        ui.painter()
            .rect_stroke(block, ROUND, stroke, StrokeKind::Inside);
        if i > 0 {
            let y = block.center().y;
            ui.painter()
                .hline((block.left() - 12.0)..=block.left(), y, stroke);
        }
        ui.painter().text(
            block.center_bottom() + vec2(0.0, 12.0),
            Align2::CENTER_CENTER,
            name,
            fonts::caption(),
            theme.text2,
        );
    }
}

fn modes_sketch(ui: &Ui, context: &Context<'_>, at: Pos2) {
    let theme = context.theme;
    for (i, mode) in Mode::ALL.into_iter().enumerate() {
        let center = at + vec2(16.0 + 46.0 * i as f32, 12.0);
        Look::mode(mode).paint_marker(ui.painter(), center, theme.mode(mode));
        ui.painter().text(
            center + vec2(0.0, 28.0),
            Align2::CENTER_CENTER,
            mode.name(),
            fonts::caption(),
            theme.text2,
        );
    }
}

/// A sketch of the bars to come, without figures: lengths as weights of 32, 16 and 8 bits have them.
fn bars_sketch(ui: &Ui, context: &Context<'_>, at: Pos2) {
    let theme = context.theme;
    for (i, mode) in Mode::ALL.into_iter().enumerate() {
        let bits = match mode {
            Mode::Float32 => 32.0,
            Mode::Float16 => 16.0,
            Mode::Dynamic | Mode::Int8 | Mode::Int16x8 => 8.0,
        };
        let corner = at + vec2(0.0, -8.0 + 11.0 * i as f32);
        let bar = Rect::from_min_size(corner, vec2(bits * 4.5, 8.0));
        ui.painter().rect_filled(bar, 0.0, theme.mode(mode));
    }
}

fn recent(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    if context.bench.recent.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        text(ui, "Recent", fonts::strong(), theme.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let clear = ui.add(Button::bare("Clear list"));
            if clear
                .on_hover_text("Forget these files; they stay where they are")
                .clicked()
            {
                let all = context.bench.recent.iter().cloned();
                context.commands.extend(all.map(Command::ForgetRecent));
            }
        });
    });
    ui.add_space(2.0);
    ui.spacing_mut().item_spacing.y = 0.0;
    for path in &context.bench.recent {
        let (_, rect) = ui.allocate_space(vec2(ui.available_width(), 32.0));
        ui.painter()
            .hline(rect.x_range(), rect.top() + 0.5, theme.separator());
        let name = files::file_name(path);
        let gone = context.bench.recent_gone.contains(path);
        let mut body = rect;
        body.set_right(rect.right() - 32.0);
        let response = ui.interact(body, ui.scope_id().with(path), Sense::click());
        response.widget_info(|| {
            let words = match gone {
                true => format!("Open {name}, file is gone"),
                false => format!("Open {name}"),
            };
            WidgetInfo::labeled(Role::Button, true, words)
        });
        if response.hovered() {
            ui.painter()
                .rect_filled(body.shrink2(vec2(0.0, 2.0)), ROUND, theme.hover);
        }
        Icon::Model.paint(
            ui.painter(),
            rect.left_center() + vec2(10.0, 0.0),
            theme.text2,
        );
        let clip = ui.painter().with_clip_rect(body);
        clip.text(
            rect.left_center() + vec2(28.0, 0.0),
            Align2::LEFT_CENTER,
            &name,
            fonts::body(),
            if gone { theme.text3 } else { theme.text },
        );
        let folder = path
            .parent()
            .map(files::file_name)
            .filter(|f| !f.is_empty())
            .map_or_else(String::new, |f| format!("in {f}"));
        clip.text(
            rect.left_center() + vec2(330.0, 0.0),
            Align2::LEFT_CENTER,
            folder,
            fonts::body(),
            theme.text2,
        );
        if gone {
            let end = body.right_center() - vec2(8.0, 0.0);
            let font = fonts::small();
            clip.text(
                end,
                Align2::RIGHT_CENTER,
                "File is gone",
                font,
                theme.damage,
            );
        }
        focus_ring(ui, &response, ROUND);
        if response.on_hover_text(path.display().to_string()).clicked() {
            context.commands.push(Command::OpenModel(path.clone()));
        }
        let corner = Rect::from_min_max(pos2(rect.right() - 30.0, rect.top() + 2.0), rect.max);
        at(ui, corner, |ui| {
            let name = format!("Remove {name} from the list");
            if icon_button(ui, Icon::Close, &name, "Remove from the list").clicked() {
                context.commands.push(Command::ForgetRecent(path.clone()));
            }
        });
    }
}
