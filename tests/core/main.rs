//! Tests of everything but the window, one module per topic, one binary.

mod architecture;
mod data_errors;
mod data_files;
mod engine_golden;
mod kernels_fast;
mod quantize_models;
mod quantize_static;
mod quantize_weights;
