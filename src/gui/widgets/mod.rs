//! Small controls in the window's style; each has a name that a screen reader can say.

pub mod error_plot;
pub mod plot;
pub mod tensor_plots;
