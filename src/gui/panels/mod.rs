//! Painting, one file per panel; what to show is computed in [`view`](super::view).

pub mod bars;
mod beside;
pub mod compare;
pub mod data;
mod experiment_menu;
pub mod help;
pub mod jobs;
pub mod layers;
mod limits;
pub mod messages;
pub mod operators;
pub mod palette;
pub mod recipe;
pub mod samples;
pub mod side;
mod side_data;
mod side_engine;
pub mod side_entry;
mod side_model;
mod side_modes;
pub mod start;
mod table;
pub mod tabs;
pub mod tensors;
pub mod top;
mod tradeoff;
pub mod usage;

pub use experiment_menu::Renaming;

use egui::{Align2, LayerId, Order, Stroke, StrokeKind};

use super::{Context, fonts};

/// Covers the window while files are held over it.
pub fn drop_hint(ctx: &egui::Context, context: &Context<'_>) {
    if ctx.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let theme = context.theme;
    let painter = ctx.layer_painter(LayerId::new(
        Order::Foreground,
        egui::Id::unique("drop hint"),
    ));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, theme.bg.gamma_multiply(0.85));
    painter.rect_stroke(
        rect.shrink(16.0),
        6.0,
        Stroke::new(2.0, theme.control),
        StrokeKind::Inside,
    );
    let words = if context.bench.model.is_some() {
        "Drop a model, data, a folder or labels"
    } else {
        "Drop a model here"
    };
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        words,
        fonts::number(),
        theme.text,
    );
}
