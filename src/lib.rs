//! Zeropoint: a desktop workbench for post-training quantization.
//!
//! The data flow, and the type that says where in it you stand:
//!
//! ```text
//! bytes ─tflite::read, keras::read→ Graph ─calibrate→ Calibration ─quantize::plan→ QuantPlan ─quantize::apply→ Graph
//!   ─tflite::write→ bytes ─tflite::read→ Graph ─evaluate→ Evaluation, TensorReport, Latency
//! ```
//!
//! # Who may know whom
//!
//! `graph` ← `tflite`, `keras`, `litert`; `graph` + `kernels` ← `engine` ← `calibrate`, `evaluate`; `calibrate` ← `quantize`;
//! `data`, `kernels`, `keras` ← `train`;
//! all ← `workbench` ← `gui`, `cli` ← `main`. `kernels` does not know `graph`. Everything above `workbench` takes bytes
//! and gives bytes: no files, no threads of its own but rayon's inside kernels, no egui. `tests/core/architecture.rs` holds it.
//!
//! `litert` is a second engine beside `engine`: LiteRT's own library, loaded at run time by a child process of this program that
//! `workbench` starts and ends. Unsafe code stands in `kernels::simd`, `litert::ffi` and the generated schema, nowhere else.
//!
//! # Invariants
//!
//! 1. A [`graph::Graph`] is a value: validated once, shared by `Arc`, never changed in place once published.
//! 2. The core never panics on a user's file or data. Malformed (the file is wrong) and unsupported (we cannot yet) are different
//!    errors; each names the tensor or node. Nothing unsupported is approximated silently.
//! 3. What is evaluated is what was written: evaluation runs on the re-read bytes of the exported file.
//! 4. Integer results are the same on every instruction set and thread count, equal to `kernels::reference`, and that equals
//!    LiteRT's reference kernels to the bit. In dynamic mode that holds for the floats of convolutional
//!    networks, too (but for TRANSPOSE_CONV).
//! 5. The window's thread never computes, reads files or waits: panels read [`workbench::Workbench`] and push
//!    [`workbench::Command`]s, which are carried out in one place.
//! 6. A job's result carries its number and is dropped if nobody waits for it; a panic in a job becomes a message; earlier
//!    results stay visible until new ones arrive.
//! 7. `quantize` decides before it does: the plan is data that the window shows.
//! 8. Everything a user can do is a command, so every workflow is tested without a window.
//! 9. A file appears whole or not at all.
//!
//! # Adding an operator
//!
//! 1. `graph/op.rs`: a variant of [`graph::Op`]; options in `op_options.rs`, name in `op_names.rs`. The compiler then lists every
//!    `match` that must know it.
//! 2. `tflite/options/`: read and written; `tflite/versions.rs`: the version that each type needs.
//! 3. `kernels/reference/`: the naive kernel, equal to LiteRT's reference kernel to the bit for integers.
//! 4. `engine/ops/`: how its output shape follows, and the call; `engine/operators.rs`: the types it runs in.
//! 5. `quantize/rules/`: its row in the table, or the reason why it stays float.
//! 6. `tests/golden/ops_*.py`: its cases; the golden tests replay them.
//! 7. A fast kernel where it matters, tested against the reference on every instruction set.

pub mod calibrate;
pub mod cli;
pub mod data;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod graph;
#[cfg(feature = "gui")]
pub mod gui;
pub mod keras;
pub mod kernels;
pub mod litert;
pub mod progress;
pub mod quantize;
pub mod tflite;
#[cfg(feature = "train")]
pub mod train;
pub mod workbench;
