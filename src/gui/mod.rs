//! The window. Panels paint what `view` computed from the [`Workbench`] and push [`Command`]s, which [`App`] carries out.

mod app;
mod fonts;
pub mod icons;
pub mod panels;
pub mod theme;
pub mod view;
pub mod widgets;

use std::path::PathBuf;

pub use app::App;

use crate::workbench::{Command, ExperimentId, Workbench};
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
    /// The tab that shows.
    pub tab: Tab,
    /// The chosen experiment, the same in all tabs.
    pub selected: Option<ExperimentId>,
    /// The experiment under the pointer, as of the last frame: every panel highlights it.
    pub hovered: Option<ExperimentId>,
    /// The experiment under the pointer in this frame; panels set it with [`Context::hover`].
    pub hovering: Option<ExperimentId>,
    /// Of the Tensors tab.
    pub tensors: panels::tensors::State,
    /// Of the Layers tab.
    pub layers: panels::layers::State,
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
}

impl Tab {
    /// All tabs in the order they show.
    pub const ALL: [Tab; 3] = [Tab::Compare, Tab::Tensors, Tab::Layers];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Compare => "Compare",
            Tab::Tensors => "Tensors",
            Tab::Layers => "Layers",
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
}

/// Opens the window and returns when it is closed; with a model, opens that first.
///
/// # Errors
/// One message that says what the system lacks to show a window.
pub fn run(model: Option<PathBuf>) -> Result<(), String> {
    app::run(model)
}
