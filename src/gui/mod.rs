//! The window. Panels paint what `view` computed from the [`Workbench`] and push [`Command`]s, which [`App`] carries out.

pub mod actions;
mod app;
pub mod dialogs;
mod fonts;
pub mod icons;
mod kept;
mod pacing;
pub mod panels;
mod pointing;
mod regions;
mod start;
mod svg;
pub mod theme;
pub mod view;
pub mod widgets;

use std::path::PathBuf;

pub use app::App;
pub use start::run;

use crate::quantize::Mode;
use crate::workbench::{Command, ExperimentId, Role, Workbench};
pub use dialogs::{Ask, Dialogs, Typing};
use theme::Theme;

/// What every panel is lent for one frame.
pub struct Context<'a> {
    /// All there is to show.
    pub bench: &'a Workbench,
    /// The colours to show it in.
    pub theme: &'static Theme,
    /// What the window remembers for itself.
    pub state: &'a mut State,
    /// What the user asked for in this frame, carried out after it.
    pub commands: &'a mut Vec<Command>,
}

/// What the window remembers that is no part of the workbench.
#[derive(Debug, Default)]
pub struct State {
    /// Which model and entry showed in the last frame.
    shown_model: Option<u64>,
    /// The tab that shows.
    pub tab: Tab,
    /// The chosen experiment, the same in all tabs.
    pub selected: Option<ExperimentId>,
    /// The experiment under the pointer, as of the last frame: every panel highlights it.
    pub hovered: Option<ExperimentId>,
    /// The experiment under the pointer in this frame; panels set it with [`Context::hover`].
    pub hovering: Option<ExperimentId>,
    /// The shape fields of the model card.
    pub entry: panels::side_entry::State,
    /// How the compare table is sorted; `None` is the list's own order.
    pub order: Option<view::order::Order>,
    /// What a variant must keep to be the answer.
    pub limits: view::limits::Limits,
    /// Whether the trade-off stands in place of the bars, where there is no room for both.
    pub tradeoff_open: bool,
    /// Axes of the trade-off plot.
    pub tradeoff: view::tradeoff::Axes,
    /// Of the Tensors tab.
    pub tensors: panels::tensors::State,
    /// Of the Layers tab.
    pub layers: panels::layers::State,
    /// The data as the model sees it, while that is open.
    pub data: Option<panels::data::State>,
    /// Textures of the samples that are shown.
    pub pictures: panels::data::RolePictures,
    /// What the float model's answers say of the data.
    pub suspicion: view::suspicion::Memo,
    /// Of the Samples tab.
    pub samples: panels::samples::State,
    /// Whether help is open.
    pub help: bool,
    /// The parts of the window, for the keyboard.
    pub regions: regions::Regions,
    /// The command palette, while it is open.
    pub palette: Option<panels::palette::State>,
    /// The file whose use is explained, while that is open.
    pub usage: Option<panels::usage::Of>,
    /// The table of operators, while it is open.
    pub operators: Option<panels::operators::State>,
    /// Dialogs that panels asked for in this frame.
    pub asked: Vec<Ask>,
    /// A path being typed.
    pub typing: Option<Typing>,
    /// The path field of the start screen.
    pub start_path: String,
    /// Whether the side panel was opened or closed by hand; `None` follows the width.
    pub side_open: Option<bool>,
    /// The mode whose options are unfolded.
    pub open_mode: Option<Mode>,
    /// Whether the list of jobs is unfolded.
    pub jobs_open: bool,
    /// Whether the narrow table shows its last columns instead of the middle ones.
    pub last_columns: bool,
    /// The name of an experiment, while it is being typed.
    pub renaming: Option<panels::Renaming>,
    /// The recipe that is being changed, while it is open.
    pub recipe: Option<panels::recipe::State>,
    /// Errors that the user closed; forgotten once they are over.
    pub closed_errors: Vec<String>,
}

/// The tabs of the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Variants side by side.
    #[default]
    Compare,
    /// What quantization did to each tensor.
    Tensors,
    /// The graph as a list of operators.
    Layers,
    /// Where variants answer differently.
    Samples,
}

impl Tab {
    /// All tabs in the order they show.
    pub const ALL: [Tab; 4] = [Tab::Compare, Tab::Tensors, Tab::Layers, Tab::Samples];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Compare => "Compare",
            Tab::Tensors => "Tensors",
            Tab::Layers => "Layers",
            Tab::Samples => "Samples",
        }
    }
}

impl Context<'_> {
    /// Says that this experiment is under the pointer now.
    pub fn hover(&mut self, id: ExperimentId) {
        self.state.hovering = Some(id);
    }

    /// Whether this experiment is to be highlighted because the pointer is on it somewhere.
    pub fn is_hovered(&self, id: ExperimentId) -> bool {
        self.state.hovered == Some(id)
    }

    /// Asks for a command.
    pub fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Asks for a file dialog.
    pub fn ask(&mut self, ask: Ask) {
        self.state.asked.push(ask);
    }

    /// Offers a field to type a path into.
    pub fn type_path(&mut self, ask: Ask) {
        self.state.typing = Some(Typing::new(ask, self.folder().as_deref(), false));
    }

    /// Asks where to save an experiment's file.
    pub fn ask_save(&mut self, id: ExperimentId) {
        if let Some(name) = self.file_name(id) {
            self.ask(Ask::Save(id, name));
        }
    }

    /// Asks where to write a report.
    pub fn ask_report(&mut self) {
        let name = format!("{}_report.html", file_stem(self.bench));
        self.ask(Ask::Report(name));
    }

    /// The name proposed for an experiment's file, such as `mobilenet_int8_int8_io.tflite`.
    pub fn file_name(&self, id: ExperimentId) -> Option<String> {
        let experiment = self.bench.experiment(id)?;
        let stem = file_stem(self.bench);
        let io = match experiment.io() {
            crate::quantize::Io::Float32 => String::new(),
            other => format!("_{}_io", other.name()),
        };
        Some(format!("{stem}_{}{io}.tflite", experiment.mode().name()))
    }

    /// The folder that the model came from.
    pub fn folder(&self) -> Option<PathBuf> {
        let path = self.bench.model.as_ref()?.path.as_deref()?;
        path.parent().map(PathBuf::from)
    }

    /// Whether the user closed the banner of this error.
    pub fn is_closed(&self, error: &str) -> bool {
        self.state.closed_errors.iter().any(|e| e == error)
    }

    /// Closes the banner of this error.
    pub fn close_error(&mut self, error: &str) {
        self.state.closed_errors.push(error.to_owned());
    }
}

/// What names of files about the open model begin with, such as `mobilenet`.
fn file_stem(bench: &Workbench) -> String {
    let model = bench.model.as_ref();
    model.map_or_else(
        || "model".to_owned(),
        |m| match m.path.as_deref().and_then(std::path::Path::file_stem) {
            Some(stem) => stem.to_string_lossy().into_owned(),
            None => m.name.to_lowercase().replace(' ', "_"),
        },
    )
}

/// What the workbench complains about now; closed banners of other errors are forgotten.
fn current_errors(bench: &Workbench) -> Vec<&str> {
    let data = |role| match role {
        Role::Calibration => bench.calibration.error.as_deref(),
        Role::Evaluation => bench.evaluation.error.as_deref(),
    };
    let failed = bench.experiments.iter().filter_map(|e| match &e.state {
        crate::workbench::State::Failed(message) => Some(message.as_str()),
        _ => None,
    });
    [
        bench.model_error.as_deref(),
        bench.entry_error.as_deref(),
        data(Role::Calibration),
        data(Role::Evaluation),
    ]
    .into_iter()
    .flatten()
    .chain(failed)
    .collect()
}
