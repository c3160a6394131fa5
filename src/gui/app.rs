//! The application: takes in what jobs found, shows the panels, carries out what they ask for in one place.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::actions::{self, Action, SCALES};
use super::dialogs::{self, Answer, Ask, Dialogs, Typing};
use super::kept::Kept;
use super::pointing::Pointing;
use super::theme::{self, Theme};
use super::view::palette::What;
use super::widgets::export;
use super::{Context, State, Tab, current_errors, file_stem, panels};
use crate::workbench::{Command, Workbench};

/// How often figures of running jobs are painted anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How long jobs stand back after a click or a key: the frame that answers it needs the cores more.
const STAND_BACK: Duration = Duration::from_millis(60);

/// The window's whole state.
pub struct App {
    /// What is shown.
    pub bench: Workbench,
    /// What only the window remembers.
    pub state: State,
    /// The file dialogs.
    pub dialogs: Dialogs,
    /// How the window stands, and where that is remembered.
    pub kept: Kept,
    /// Whether this frame was cleared to the dark theme's background.
    cleared_dark: Cell<Option<bool>>,
}

impl App {
    /// An empty workbench in a window that follows the system's theme.
    pub fn new(ctx: &egui::Context) -> Self {
        theme::install(ctx);
        ctx.add_plugin(Pointing);
        ctx.options_mut(|o| o.zoom_with_keyboard = false);
        let waker = ctx.clone();
        Self {
            bench: Workbench::new(Arc::new(move || waker.request_repaint())),
            state: State::default(),
            dialogs: Dialogs::default(),
            kept: Kept::default(),
            cleared_dark: Cell::new(None),
        }
    }

    fn carry_out(&mut self, ctx: &egui::Context, commands: Vec<Command>) {
        let changed = !commands.is_empty();
        for command in commands {
            if let Command::Delete(id) = command
                && self.state.selected == Some(id)
            {
                self.state.selected = None;
            }
            self.bench.apply(command);
        }
        for ask in std::mem::take(&mut self.state.asked) {
            let folder = self.folder();
            let waker = ctx.clone();
            let answer = self
                .dialogs
                .show(ask, folder, move || waker.request_repaint());
            self.answered(answer);
        }
        if changed {
            ctx.request_repaint();
        }
    }

    fn folder(&self) -> Option<std::path::PathBuf> {
        let path = self.bench.model.as_ref()?.path.as_deref()?;
        path.parent().map(Into::into)
    }

    fn answered(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer::Chosen(ask, path)) => self.bench.apply(ask.command(path)),
            Some(Answer::NoDialog(ask)) => {
                self.state.typing = Some(Typing::new(ask, self.folder().as_deref(), true));
            }
            None => {}
        }
    }

    /// The field that is being typed into, else what the tab has to clear, else the selection.
    fn clear_innermost(&mut self) {
        let state = &mut self.state;
        let cleared = state.palette.take().is_some()
            || std::mem::take(&mut state.help)
            || state.typing.take().is_some()
            || state.usage.take().is_some()
            || state.operators.take().is_some()
            || state.data.take().is_some()
            || state.recipe.take().is_some()
            || state.renaming.take().is_some()
            || match state.tab {
                Tab::Compare => false,
                Tab::Tensors => state.tensors.clear_innermost(),
                Tab::Layers => state.layers.selected.take().is_some(),
                Tab::Samples => state.samples.clear_innermost(),
            };
        if !cleared {
            state.selected = None;
        }
    }

    fn take_in_input(&mut self, ctx: &egui::Context, commands: &mut Vec<Command>) {
        let files = ctx.input(|i| i.raw.dropped_files.clone());
        for file in files {
            let model_open = self.bench.model.is_some() || self.bench.model_pending.is_some();
            let calibration = self.bench.calibration.source.is_some();
            let picture = crate::data::FileKind::of(&file.path().to_string_lossy())
                == Some(crate::data::FileKind::Image);
            // On the Samples tab a picture goes to the pad; folders of pictures are data everywhere.
            if model_open && picture && self.state.tab == Tab::Samples {
                commands.push(Command::DrawImage(file.path().to_owned()));
                continue;
            }
            commands.push(dialogs::dropped(file.path(), model_open, calibration));
        }
        // Files may have changed while the user was elsewhere.
        let back = |e: &egui::Event| matches!(e, egui::Event::WindowFocused(true));
        if self.bench.model.is_some() && ctx.input(|i| i.events.iter().any(back)) {
            commands.push(Command::Recheck);
        }
        for action in actions::pressed(ctx) {
            self.act(ctx, action, commands);
        }
    }

    fn act(&mut self, ctx: &egui::Context, action: Action, commands: &mut Vec<Command>) {
        match action {
            Action::Open => self.state.asked.push(Ask::Model),
            Action::Run => {
                if super::view::side::run_button(&self.bench).enabled {
                    commands.push(Command::Run);
                }
            }
            Action::Cancel => {
                if let Some(job) = self.bench.jobs().active().first() {
                    commands.push(Command::Cancel(job.id));
                }
            }
            Action::Report => {
                if self.bench.experiments.iter().any(|e| e.file.is_some()) {
                    let name = format!("{}_report.html", file_stem(&self.bench));
                    self.state.asked.push(Ask::Report(name));
                }
            }
            Action::Side => {
                let open = panels::side::is_open(&self.state, ctx.content_rect().width());
                self.state.side_open = Some(!open);
            }
            Action::Tab(tab) => self.state.tab = tab,
            Action::Palette => {
                let open = self.state.palette.is_none();
                self.state.palette = open.then(panels::palette::State::default);
            }
            Action::Help => {
                // With the keyboard somewhere, its tooltip is shown instead.
                if self.state.help || ctx.memory(|m| m.focused()).is_none() {
                    self.state.help = !self.state.help;
                }
            }
            Action::NextPart => self.state.regions.jump(ctx, false),
            Action::PartBefore => self.state.regions.jump(ctx, true),
            Action::Larger => {
                let now = ctx.zoom_factor();
                let next = SCALES.into_iter().find(|s| *s > now + 0.01);
                ctx.set_zoom_factor(next.unwrap_or(now));
            }
            Action::Smaller => {
                let now = ctx.zoom_factor();
                let next = SCALES.into_iter().rev().find(|s| *s < now - 0.01);
                ctx.set_zoom_factor(next.unwrap_or(now));
            }
            Action::NormalSize => ctx.set_zoom_factor(1.0),
            Action::Save => self.save(commands),
            Action::Undo => commands.push(Command::Undo),
            Action::Redo => commands.push(Command::Redo),
            Action::Escape => self.clear_innermost(),
        }
    }

    /// Saves the session where it was saved before, or asks where.
    fn save(&mut self, commands: &mut Vec<Command>) {
        match (&self.bench.session.path, &self.bench.model) {
            (_, None) => {}
            (Some(path), _) => commands.push(Command::SaveSession(path.clone())),
            (None, Some(model)) => {
                let name = super::view::session::file_name(model);
                self.state.asked.push(Ask::SaveSession(name));
            }
        }
    }

    /// What was picked in the palette.
    fn carry_out_picked(&mut self, ctx: &egui::Context, what: What, commands: &mut Vec<Command>) {
        match what {
            What::Action(action) => self.act(ctx, action, commands),
            What::Commands(several) => commands.extend(several),
            What::Ask(ask) => {
                // Where there is no dialog the path is asked for in the side panel, or in the data.
                if let Ask::Data(role) | Ask::Folder(role) = &ask {
                    self.state.data = Some(panels::data::State::of(*role));
                }
                self.state.asked.push(ask);
            }
            What::Data(role) => self.state.data = Some(panels::data::State::of(role)),
            What::Usage(of) => self.state.usage = Some(of),
            What::Operators => self.state.operators = Some(panels::operators::State::new()),
            What::Theme => ctx.set_theme(match ctx.theme() {
                egui::Theme::Dark => egui::Theme::Light,
                egui::Theme::Light => egui::Theme::Dark,
            }),
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, _ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.bench.poll();
        let shown = Some(self.bench.model_version());
        if std::mem::replace(&mut self.state.shown_model, shown) != shown {
            // Another model or entry: what was chosen of the old one means nothing now.
            let own = |id| self.bench.experiments.iter().any(|e| e.id == id);
            self.state.selected = self.state.selected.filter(|&id| own(id));
            self.state.layers.selected = None;
            self.state.typing = None;
            self.state.start_path.clear();
        }
        let answer = self.dialogs.poll();
        self.answered(answer);
        self.state.suspicion.update(&self.bench);
        let errors = current_errors(&self.bench);
        self.state
            .closed_errors
            .retain(|e| errors.contains(&e.as_str()) || self.state.suspicion.words() == Some(e));
        if let Some(id) = self.state.selected
            && self.bench.experiment(id).is_none()
        {
            self.state.selected = None;
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let mut commands: Vec<Command> = vec![];
        let shown = (self.state.tab, self.state.selected, ctx.theme());
        if ctx.input(|i| i.events.iter().any(acts)) {
            self.bench.jobs().pause(STAND_BACK);
        }
        self.take_in_input(&ctx, &mut commands);
        let dark = ctx.theme() == egui::Theme::Dark;
        if self
            .cleared_dark
            .get()
            .is_some_and(|cleared| cleared != dark)
        {
            // The frame was cleared before the theme changed in it.
            let bg = Theme::of(&ctx).bg;
            ui.painter().rect_filled(ctx.content_rect(), 0.0, bg);
        }
        let mut context = Context {
            bench: &self.bench,
            theme: Theme::of(&ctx),
            state: &mut self.state,
            commands: &mut commands,
        };
        context.state.regions.clear();
        panels::top::ui(ui, &mut context);
        if self.bench.model.is_none() {
            panels::start::ui(ui, &mut context);
        } else {
            // The keyboard comes to the jobs last.
            let jobs = panels::jobs::reserve(ui, &mut context);
            panels::side::ui(ui, &mut context);
            egui::CentralPanel::default()
                .frame(egui::Frame::NONE)
                .show(ui, |ui| middle(ui, &mut context));
            panels::jobs::ui(ui, &mut context, &jobs);
        }
        panels::help::ui(&ctx, &mut context);
        panels::operators::ui(&ctx, &mut context);
        panels::data::ui(&ctx, &mut context);
        panels::usage::ui(&ctx, &mut context);
        panels::recipe::ui(&ctx, &mut context);
        let picked = panels::palette::ui(&ctx, &mut context);
        panels::drop_hint(&ctx, &context);
        self.state.asked.extend(export::asked(&ctx));
        let hovering = self.state.hovering.take();
        if hovering != self.state.hovered {
            self.state.hovered = hovering;
            ctx.request_repaint();
        }
        let acted = !commands.is_empty()
            || picked.is_some()
            || ctx.input(|i| i.pointer.any_click() || i.events.iter().any(is_key));
        if let Some(what) = picked {
            self.carry_out_picked(&ctx, what, &mut commands);
        }
        self.carry_out(&ctx, commands);
        if acted || shown != (self.state.tab, self.state.selected, ctx.theme()) {
            // Lay the answer out at once instead of painting what was true before the click: without a GPU that saves a slow frame.
            ctx.request_discard("the user acted");
        }
        self.kept.follow(&ctx, &mut self.bench, &self.state);
        if !self.bench.jobs().is_idle() {
            ctx.request_repaint_after(PROGRESS_EVERY);
        }
    }

    /// The background of the window, so that no panel has to paint it: without a GPU every layer of pixels counts.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        self.cleared_dark.set(Some(visuals.dark_mode));
        Theme::dark_or_light(visuals.dark_mode)
            .bg
            .to_normalized_gamma_f32()
    }
}

/// Whether an event is something the user waits for an answer to.
fn acts(event: &egui::Event) -> bool {
    matches!(event, egui::Event::PointerButton { .. }) || is_key(event)
}

fn is_key(event: &egui::Event) -> bool {
    matches!(event, egui::Event::Key { .. } | egui::Event::Text(_))
}

/// The tab strip and the tab below it.
fn middle(ui: &mut egui::Ui, context: &mut Context<'_>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    panels::tabs::ui(ui, context);
    let body = ui.available_rect_before_wrap();
    context.state.regions.add(body);
    let margin = if ui.available_width() < 1100.0 {
        14
    } else {
        16
    };
    egui::Frame::new()
        .inner_margin(egui::Margin::same(margin))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 6.0;
            panels::messages::ui(ui, context);
            match context.state.tab {
                Tab::Compare => panels::compare::ui(ui, context),
                Tab::Tensors => panels::tensors::ui(ui, context),
                Tab::Layers => panels::layers::ui(ui, context),
                Tab::Samples => panels::samples::ui(ui, context),
            }
        });
}
