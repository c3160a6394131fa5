//! The Tensors tab: every quantized tensor with its errors, and the histograms of the chosen one.

use super::super::Context;

/// What the tab remembers.
#[derive(Debug, Default)]
pub struct State {}

/// Fills the middle of the window below the tab strip.
pub fn ui(ui: &mut egui::Ui, context: &mut Context<'_>) {
    let _ = (ui, context);
}
