//! The application: takes in what jobs found, shows the panels, carries out what they ask for.

use std::path::PathBuf;
use std::sync::Arc;

use super::theme::{self, Theme};
use super::{Context, State, Tab, panels};
use crate::workbench::{Command, Workbench};

/// The window's whole state.
pub struct App {
    /// What is shown.
    pub bench: Workbench,
    /// What only the window remembers.
    pub state: State,
}

impl App {
    /// An empty workbench in a window that follows the system's theme.
    pub fn new(ctx: &egui::Context) -> Self {
        theme::install(ctx);
        let waker = ctx.clone();
        Self {
            bench: Workbench::new(Arc::new(move || waker.request_repaint())),
            state: State::default(),
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, _ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.bench.poll();
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let theme = Theme::of(ui.ctx());
        let mut commands: Vec<Command> = vec![];
        let mut context = Context {
            bench: &self.bench,
            theme,
            state: &mut self.state,
            commands: &mut commands,
        };
        egui::CentralPanel::default()
            .frame(egui::Frame::new().fill(theme.bg).inner_margin(16))
            .show(ui, |ui| match context.state.tab {
                Tab::Compare => {}
                Tab::Tensors => panels::tensors::ui(ui, &mut context),
                Tab::Layers => panels::layers::ui(ui, &mut context),
            });
        for command in commands {
            self.bench.apply(command);
        }
    }
}

/// See [`super::run`].
pub(super) fn run(_model: Option<PathBuf>) -> Result<(), String> {
    eframe::run_native(
        "Zeropoint",
        eframe::NativeOptions::default(),
        Box::new(|cc| Ok(Box::new(App::new(&cc.egui_ctx)))),
    )
    .map_err(|e| e.to_string())
}
