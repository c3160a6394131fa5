//! The Layers tab: the graph as a list, with the error of each operator and why it stays float.

use super::super::Context;

/// What the tab remembers.
#[derive(Debug, Default)]
pub struct State {}

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut egui::Ui, context: &mut Context<'_>) {
    let _ = (ui, context);
}
