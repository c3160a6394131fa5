//! Zeropoint: a desktop workbench for post-training quantization.
//!
//! The data flow, and the type that says where in it you stand:
//!
//! ```text
//! bytes ─tflite::read→ Graph ─calibrate→ Calibration ─quantize::plan→ QuantPlan ─quantize::apply→ Graph
//!   ─tflite::write→ bytes ─tflite::read→ Graph ─evaluate→ Evaluation, TensorReport, Latency
//! ```
//!
//! Who may know whom: `graph` ← `tflite`; `graph` + `kernels` ← `engine` ← `calibrate`, `evaluate`; `calibrate` ← `quantize`;
//! all ← `workbench` ← `gui`, `cli` ← `main`. `kernels` does not know `graph`. Everything above `workbench` takes bytes
//! and gives bytes: no files, no threads of its own but rayon's inside kernels, no egui.

pub mod calibrate;
pub mod cli;
pub mod data;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod graph;
#[cfg(feature = "gui")]
pub mod gui;
pub mod kernels;
pub mod progress;
pub mod quantize;
pub mod tflite;
pub mod workbench;
