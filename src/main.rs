//! The command line: parse it, run, turn the outcome into an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use match_list_processor::commands::{self, Cli};

/// glibc's allocator keeps what thousands of connections once needed; this one gives it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where nobody reads the message, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "match-list-processor: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
