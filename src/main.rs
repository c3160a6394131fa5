//! Opens the window, or hands the arguments to `cli`.

use std::path::PathBuf;
use std::process::ExitCode;

use zeropoint::cli::{self, Outcome};

fn main() -> ExitCode {
    match cli::run() {
        Outcome::Window(model) => window(model),
        Outcome::Exit(code) => code,
    }
}

#[cfg(feature = "gui")]
fn window(model: Option<PathBuf>) -> ExitCode {
    match zeropoint::gui::run(model) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("zeropoint: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(feature = "gui"))]
fn window(_: Option<PathBuf>) -> ExitCode {
    // This build has no window. Nothing more can be done if the terminal is gone.
    let _ = <cli::Cli as clap::CommandFactory>::command().print_help();
    ExitCode::from(2)
}
