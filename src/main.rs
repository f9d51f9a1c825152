//! The command line: parse it, run, turn the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use match_list_processor::commands::{self, Cli};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("match-list-processor: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
