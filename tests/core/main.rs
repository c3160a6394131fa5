//! Tests of everything but the window, one module per topic, one binary.

mod architecture;
mod data_errors;
mod data_files;
