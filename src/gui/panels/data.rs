//! The data over the window: what the model will see of it before anything runs, and how files become that.

mod samples;
mod settings;

use egui::{Id, Margin, Modal, Rect, ScrollArea, Stroke, Ui, vec2};

use super::super::{Ask, Context, fonts};
use super::messages::typed_path;
use crate::gui::icons::Icon;
use crate::gui::view::data::{choice, role_name, source_name};
use crate::gui::view::format;
use crate::gui::widgets::picture::Pictures;
use crate::gui::widgets::{Banner, Button, at, banner, icon_button, progress_bar, segment, text};
use crate::workbench::{Role, Workbench};

const WIDTH: f32 = 1040.0;
const HEIGHT: f32 = 680.0;
/// Width of the settings at the left.
const SETTINGS: f32 = 292.0;

/// The open dialog.
#[derive(Debug)]
pub struct State {
    /// Whose data is shown.
    pub role: Role,
    /// Mean and deviation as they are typed.
    own: settings::Own,
    /// The label column of a table as it is typed, once it is.
    label_column: Option<String>,
}

impl State {
    /// The data of this role.
    pub fn of(role: Role) -> Self {
        Self {
            role,
            own: settings::Own::default(),
            label_column: None,
        }
    }
}

/// The textures of both roles' previews.
#[derive(Debug, Default)]
pub struct RolePictures {
    calibration: Pictures,
    evaluation: Pictures,
}

impl RolePictures {
    /// Those of this role's data as it is now.
    pub fn show(&mut self, ctx: &egui::Context, bench: &Workbench, role: Role) -> &Pictures {
        let pictures = match role {
            Role::Calibration => &mut self.calibration,
            Role::Evaluation => &mut self.evaluation,
        };
        let choice = choice(bench, role);
        match &choice.loaded {
            Some(loaded) => {
                // Samples that were chosen at once have their pictures a moment later.
                let made = u64::from(loaded.previewed == loaded.selection);
                pictures.show(ctx, 2 * choice.version + made, &loaded.preview);
            }
            None => pictures.clear(),
        }
        pictures
    }
}

/// Shows the dialog while it is open.
pub fn ui(ctx: &egui::Context, context: &mut Context<'_>) {
    let theme = context.theme;
    let Some(mut state) = context.state.data.take() else {
        return;
    };
    let room = ctx.content_rect().size() - vec2(48.0, 48.0);
    let size = vec2(WIDTH.min(room.x), HEIGHT.min(room.y));
    let frame = egui::Frame::new()
        .fill(theme.raised)
        .stroke(Stroke::new(1.0, theme.line_strong))
        .corner_radius(crate::gui::theme::ROUND_CARD)
        .inner_margin(Margin::ZERO);
    let mut close = false;
    let modal = Modal::new(Id::unique("data")).frame(frame).show(ctx, |ui| {
        let (_, whole) = ui.allocate_space(size);
        let head = Rect::from_min_size(whole.min, vec2(whole.width(), 48.0));
        at(ui, head.shrink2(vec2(16.0, 12.0)), |ui| {
            close = title(ui, context, &mut state);
        });
        ui.painter()
            .hline(whole.x_range(), head.bottom() - 0.5, theme.separator());
        let body = whole.with_min_y(head.bottom());
        let left = body.with_max_x(body.left() + SETTINGS);
        ui.painter()
            .vline(left.right() - 0.5, left.y_range(), theme.separator());
        at(ui, left.shrink2(vec2(1.0, 0.0)), |ui| {
            ui.shrink_clip_rect(left);
            ScrollArea::vertical()
                .id_salt("settings")
                .auto_shrink([false, false])
                .show(ui, |ui| {
                    egui::Frame::new()
                        .inner_margin(Margin::symmetric(15, 12))
                        .show(ui, |ui| {
                            ui.set_width(SETTINGS - 32.0);
                            settings::ui(ui, context, &mut state);
                        });
                });
        });
        let right = body.with_min_x(left.right());
        at(ui, right.shrink2(vec2(16.0, 12.0)), |ui| {
            ui.shrink_clip_rect(right);
            preview(ui, context, state.role);
        });
    });
    if !close && !modal.should_close() {
        context.state.data = Some(state);
    }
}

/// What the dialog is, whose data, and the button that closes; whether that was pressed.
fn title(ui: &mut Ui, context: &mut Context<'_>, state: &mut State) -> bool {
    let theme = context.theme;
    let mut close = false;
    ui.horizontal(|ui| {
        ui.set_min_height(24.0);
        text(ui, "Data as the model sees it", fonts::strong(), theme.text);
        ui.add_space(8.0);
        let option = |words, role| {
            let name = format!("Show {} data", role_name(role));
            (
                words,
                name,
                "Preprocessing is the same for both",
                state.role == role,
            )
        };
        let roles = [Role::Calibration, Role::Evaluation];
        let options = [
            option("Calibration", roles[0]),
            option("Evaluation", roles[1]),
        ];
        if let Some(role) = segment(ui, &options).and_then(|i| roles.get(i)) {
            *state = State::of(*role);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            close = icon_button(ui, Icon::Close, "Close the data", "Close (Esc)").clicked();
        });
    });
    close
}

/// The right side: range, cautions and the samples; or what to choose.
fn preview(ui: &mut Ui, context: &mut Context<'_>, role: Role) {
    let theme = context.theme;
    typed_path(ui, context, |ask| {
        matches!(ask, Ask::Data(r) | Ask::Folder(r) | Ask::Labels(r) if *r == role)
            || *ask == Ask::Classes
    });
    let chosen = choice(context.bench, role);
    if let Some(message) = &chosen.error {
        let pressed = banner(ui, true, message, &["Choose file…", "Choose folder…"]);
        match pressed {
            Some(Banner::Action(0)) => context.ask(Ask::Data(role)),
            Some(Banner::Action(_)) => context.ask(Ask::Folder(role)),
            // It stands here until other data is chosen.
            Some(Banner::Close) | None => {}
        }
    }
    if let Some(job) = chosen.pending {
        let active = context.bench.jobs().active();
        let counts = active
            .iter()
            .find(|j| j.id == job)
            .map_or((0, 0), |j| j.counts);
        let words = match counts {
            (_, 0) => format!("Reading {}", source_name(chosen)),
            (done, total) => format!(
                "Reading {}, {} of {}",
                source_name(chosen),
                format::count(done),
                format::count(total)
            ),
        };
        text(ui, words, fonts::small(), theme.text2);
        let (_, bar) = ui.allocate_space(vec2(ui.available_width(), 4.0));
        let fraction = counts.0 as f32 / counts.1.max(1) as f32;
        progress_bar(ui.painter(), bar, fraction, theme.control, theme);
    }
    if chosen.loaded.is_some() {
        samples::ui(ui, context, role);
    } else if chosen.pending.is_none() && chosen.error.is_none() {
        ui.add_space(40.0);
        ui.vertical_centered(|ui| {
            let words = match (role, &chosen.source) {
                (_, Some(_)) => "Open a model to see its samples",
                (Role::Calibration, None) => "No calibration data, int8 and int16x8 need it",
                (Role::Evaluation, None) => "No evaluation data, without it there is no accuracy",
            };
            text(ui, words, fonts::body(), theme.text2);
            ui.add_space(8.0);
            if ui.add(Button::new("Choose file…")).clicked() {
                context.ask(Ask::Data(role));
            }
            if ui.add(Button::new("Choose folder…")).clicked() {
                context.ask(Ask::Folder(role));
            }
        });
    }
}
