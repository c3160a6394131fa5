//! What stays from one start to the next: the window's size, scale, theme, side panel and engine; and the window's title.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, ThemePreference, ViewportCommand};

use super::State;
use crate::workbench::{Layout, Workbench};

/// How long a changed layout must stand before it is written: a window being dragged changes it with every frame.
const SETTLED: Duration = Duration::from_millis(700);

/// The layout as written, and as it stands.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where it is remembered; `None` remembers nothing (tests).
    pub file: Option<PathBuf>,
    /// What the file holds.
    written: Option<Layout>,
    /// What is to be written, since when.
    changed: Option<(Layout, Instant)>,
    /// The title that the window has.
    title: String,
}

impl Kept {
    /// Takes up a layout that was remembered.
    pub fn take_up(
        &mut self,
        layout: Layout,
        ctx: &Context,
        bench: &mut Workbench,
        state: &mut State,
    ) {
        if let Some(dark) = layout.dark {
            ctx.set_theme(match dark {
                true => egui::Theme::Dark,
                false => egui::Theme::Light,
            });
        }
        ctx.set_zoom_factor(layout.scale.unwrap_or(1.0));
        state.side_open = layout.side_open;
        bench.litert_place.clone_from(&layout.litert_place);
        bench.apply(crate::workbench::Command::SetEngine(layout.engine));
        self.written = Some(layout);
    }

    /// Keeps title and file up with the window, at the end of a frame.
    pub fn follow(&mut self, ctx: &Context, bench: &mut Workbench, state: &State) {
        let title = title(bench, state);
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
        let Some(file) = &self.file else { return };
        let now = layout(ctx, bench, state);
        if self.written.as_ref() == Some(&now) {
            self.changed = None;
            return;
        }
        match &self.changed {
            Some((same, since)) if *same == now => {
                if since.elapsed() >= SETTLED {
                    bench.remember_layout(file, now.clone());
                    self.written = Some(now);
                    self.changed = None;
                }
            }
            _ => {
                self.changed = Some((now, Instant::now()));
                ctx.request_repaint_after(SETTLED + Duration::from_millis(50));
            }
        }
    }
}

fn layout(ctx: &Context, bench: &Workbench, state: &State) -> Layout {
    let scale = ctx.zoom_factor();
    // A maximised window says nothing of the size that it has otherwise.
    let free = ctx
        .input(|i| i.viewport().maximized != Some(true) && i.viewport().fullscreen != Some(true));
    let size = ctx.content_rect().size() * scale;
    Layout {
        size: free.then_some((size.x.round(), size.y.round())),
        scale: Some(scale),
        dark: match ctx.options(|o| o.theme_preference) {
            ThemePreference::Dark => Some(true),
            ThemePreference::Light => Some(false),
            ThemePreference::System => None,
        },
        side_open: state.side_open,
        engine: bench.engine,
        litert_place: bench.litert_place.clone(),
    }
}

/// `Tensors – mobilenet.tflite – Zeropoint`; while jobs run, how many are done comes first.
fn title(bench: &Workbench, state: &State) -> String {
    let Some(model) = &bench.model else {
        return "Zeropoint".into();
    };
    let pending = bench.experiments.iter().filter(|e| e.is_pending()).count();
    let all = bench.experiments.len();
    let done = match pending {
        0 => String::new(),
        n => format!("{} of {all} – ", all - n),
    };
    format!("{done}{} – {} – Zeropoint", state.tab.name(), model.name)
}
