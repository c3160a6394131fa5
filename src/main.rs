//! Opens the window, or hands the arguments to `cli`.

use std::process::ExitCode;

use zeropoint::cli::{self, Outcome};

fn main() -> ExitCode {
    match cli::run() {
        Outcome::Window(_) => {
            eprintln!("zeropoint: no window yet");
            ExitCode::FAILURE
        }
        Outcome::Exit(code) => code,
    }
}
