//! The strip at the bottom: the running job with its progress and Cancel, and below it the queue and what is over.

use egui::{Align, Frame, Layout, Panel, Rect, ScrollArea, Ui, pos2, vec2};

use super::super::actions::Action;
use super::super::{Context, fonts};
use crate::gui::icons::Icon;
use crate::gui::view::jobs::{JobLine, JobsStrip, announcement, strip};
use crate::gui::widgets::{Button, at, icon_button, progress_bar, text};
use crate::workbench::Command;
use crate::workbench::jobs::JobId;

/// Where the strip and the unfolded list stand.
pub struct Places {
    strip: Rect,
    list: Option<Rect>,
}

/// Takes their room from the window's bottom, to be filled by [`ui`] when the panels above are done: the keyboard comes here last.
pub fn reserve(ui: &mut Ui, context: &mut Context<'_>) -> Places {
    let jobs = strip(context.bench);
    let theme = context.theme;
    let low = ui.ctx().content_rect().height() < 720.0;
    let panel = |ui: &mut Ui, name: &'static str, height: f32| {
        let shown = Panel::bottom(name)
            .exact_size(height)
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::new().fill(theme.panel))
            .show(ui, |_| {});
        let rect = shown.response.rect;
        ui.painter()
            .hline(rect.x_range(), rect.top() + 0.5, theme.separator());
        rect
    };
    let strip = panel(ui, "jobs", if low { 36.0 } else { 44.0 });
    let most = if low { 4 } else { 8 };
    let lines = (jobs.active.len() + jobs.past.len()).clamp(1, most) as f32;
    let list = context
        .state
        .jobs_open
        .then(|| panel(ui, "jobs list", lines * 28.0 + 20.0));
    Places { strip, list }
}

/// Shows the strip, unfolded or not.
pub fn ui(ui: &mut Ui, context: &mut Context<'_>, places: &Places) {
    let jobs = strip(context.bench);
    let whole = places.list.map_or(places.strip, |l| l.union(places.strip));
    context.state.regions.add(whole);
    if let Some(list_at) = places.list {
        at(ui, list_at.shrink2(vec2(16.0, 8.0)), |ui| {
            list(ui, context, &jobs);
        });
    }
    at(ui, places.strip.shrink2(vec2(16.0, 0.0)), |ui| {
        ui.horizontal_centered(|ui| line(ui, context, &jobs));
    });
    announce(ui, context, &jobs);
}

/// Tells a screen reader when a job starts, is half done and is over; nothing to see.
fn announce(ui: &mut Ui, context: &Context<'_>, jobs: &JobsStrip) {
    let words = announcement(context.bench, jobs);
    let nowhere = Rect::from_min_size(ui.max_rect().left_bottom(), vec2(1.0, 1.0));
    let id = ui.scope_id().with("announcement");
    let response = ui.interact(nowhere, id, egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &words));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_live(egui::accesskit::Live::Polite);
    });
}

/// The running job, or that there is none; at the right a summary and the chevron.
fn line(ui: &mut Ui, context: &mut Context<'_>, jobs: &JobsStrip) {
    let theme = context.theme;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let (icon, name) = if context.state.jobs_open {
            (Icon::ChevronDown, "Hide jobs")
        } else {
            (Icon::ChevronUp, "Show jobs")
        };
        let hint = "The queue and what is over";
        if icon_button(ui, icon, name, hint).clicked() {
            context.state.jobs_open = !context.state.jobs_open;
        }
        if !jobs.summary.is_empty() {
            text(ui, &jobs.summary, fonts::small(), theme.text3);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            match jobs.active.first() {
                None => {
                    text(ui, "No jobs running", fonts::small(), theme.text3);
                }
                Some(job) => running(ui, context, job),
            }
        });
    });
}

fn marker(ui: &mut Ui, context: &Context<'_>, look: Option<crate::gui::icons::Look>) {
    let (_, place) = ui.allocate_space(vec2(14.0, 14.0));
    match look {
        Some(look) => {
            let color = context.theme.mode(look.mode);
            look.paint_marker_sized(ui.painter(), place.center(), 0.9, color);
        }
        None => Icon::Open.paint_sized(ui.painter(), place.center(), 14.0, context.theme.text2),
    }
}

fn running(ui: &mut Ui, context: &mut Context<'_>, job: &JobLine) {
    let theme = context.theme;
    marker(ui, context, job.look);
    ui.add_space(2.0);
    let start = ui.cursor().left();
    text(ui, job.verb, fonts::strong(), theme.text);
    ui.spacing_mut().item_spacing.x = 5.0;
    text(ui, &job.subject, fonts::body(), theme.text2);
    ui.spacing_mut().item_spacing.x = 8.0;
    // The bar keeps its place whatever the words before it are.
    let bar_left = (start + 230.0).max(ui.cursor().left() + 8.0);
    ui.add_space(bar_left - ui.cursor().left());
    let width = (ui.available_width() - 330.0).clamp(80.0, 340.0);
    let (_, place) = ui.allocate_space(vec2(width, 6.0));
    let color = job.look.map_or(theme.control, |l| theme.mode(l.mode));
    progress_bar(ui.painter(), place, job.fraction, color, theme);
    let percent = format!("{:.0} %", job.fraction * 100.0);
    ui.add_space(4.0);
    fixed_text(ui, 38.0, |ui| {
        text(ui, percent, fonts::strong(), theme.text);
    });
    if ui.available_width() > 290.0 {
        fixed_text(ui, 160.0, |ui| {
            text(ui, &job.counts, fonts::small(), theme.text2);
        });
    }
    fixed_text(ui, 72.0, |ui| {
        text(ui, &job.left, fonts::small(), theme.text2);
    });
    cancel(ui, context, job.id, &job.subject);
}

/// A place of that width, so that changing words move nothing.
fn fixed_text(ui: &mut Ui, width: f32, content: impl FnOnce(&mut Ui)) {
    let height = 18.0;
    ui.allocate_ui_with_layout(
        vec2(width, height),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.set_min_width(width);
            content(ui);
        },
    );
}

fn cancel(ui: &mut Ui, context: &mut Context<'_>, id: JobId, subject: &str) {
    let keys = Action::Cancel.keys(ui.ctx());
    let button = ui
        .add(Button::bare("Cancel").icon(Icon::Close))
        .on_hover_text(format!(
            "Stop {subject}, earlier results stay ({keys} stops the running job)"
        ));
    if button.clicked() {
        context.push(Command::Cancel(id));
    }
}

/// The queue and what is over.
fn list(ui: &mut Ui, context: &mut Context<'_>, jobs: &JobsStrip) {
    let theme = context.theme;
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            if jobs.active.is_empty() && jobs.past.is_empty() {
                text(ui, "Nothing has run yet", fonts::small(), theme.text3);
            }
            for (i, job) in jobs.active.iter().enumerate() {
                ui.push_id(("active", i), |ui| active_row(ui, context, job));
            }
            for (i, job) in jobs.past.iter().enumerate() {
                ui.push_id(("past", i), |ui| {
                    row(ui, |ui| {
                        marker(ui, context, job.look);
                        fixed_text(ui, 230.0, |ui| {
                            text(ui, &job.subject, fonts::body(), theme.text2);
                        });
                        let ink = if job.failed {
                            theme.damage
                        } else {
                            theme.text3
                        };
                        text(ui, &job.outcome, fonts::small(), ink).on_hover_text(&job.outcome);
                    });
                });
            }
        });
}

fn row(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), 28.0),
        Layout::left_to_right(Align::Center),
        content,
    );
}

fn active_row(ui: &mut Ui, context: &mut Context<'_>, job: &JobLine) {
    let theme = context.theme;
    row(ui, |ui| {
        marker(ui, context, job.look);
        fixed_text(ui, 230.0, |ui| {
            text(ui, &job.subject, fonts::body(), theme.text);
        });
        let place = Rect::from_min_size(
            pos2(ui.cursor().left(), ui.max_rect().center().y - 3.0),
            vec2(160.0, 6.0),
        );
        let color = job.look.map_or(theme.control, |l| theme.mode(l.mode));
        progress_bar(ui.painter(), place, job.fraction, color, theme);
        ui.add_space(172.0);
        let words = if job.counts.is_empty() {
            job.verb.to_owned()
        } else {
            format!("{}, {}", job.verb, job.counts)
        };
        fixed_text(ui, 260.0, |ui| {
            text(ui, words, fonts::small(), theme.text2);
        });
        let name = format!("Cancel {}", job.subject);
        let button = ui.add(Button::bare("Cancel").icon(Icon::Close));
        if button.accessible_name(name).clicked() {
            context.push(Command::Cancel(job.id));
        }
    });
}
