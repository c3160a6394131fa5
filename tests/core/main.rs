//! Tests of everything but the window, one module per topic, one binary.

mod architecture;
mod calibrate;
mod cli;
mod data_errors;
mod data_files;
mod engine_golden;
mod engine_run;
mod evaluate_demo;
mod evaluate_models;
mod evaluate_quality;
mod evaluate_tensors;
mod folder;
mod golden_file;
mod kernels_fast;
mod kernels_fast_depthwise;
mod kernels_fast_elementwise;
mod quantize_files;
mod quantize_models;
mod quantize_random;
mod quantize_static;
mod quantize_weights;
mod tflite_damage;
mod tflite_files;
mod tflite_validate;
mod workbench_commands;
mod workbench_jobs;
