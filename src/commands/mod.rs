//! What the program can be told to do.

mod check_config;
mod demo;
mod healthcheck;
mod serve;

use clap::{Parser, Subcommand};

use crate::app::Failure;

/// Watches a football match list, records every change durably and makes what the referee team
/// needs. Without a command it runs as the settings say (`PROCESSOR_MODE`, `RUN_MODE`).
#[derive(Debug, Parser)]
#[command(name = "match-list-processor", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Start without a baseline although the exported match list is damaged; the file is kept
    #[arg(long)]
    accept_empty_baseline: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run as the settings say (the default)
    Run,
    /// Print the effective settings without secrets, or every mistake in them
    CheckConfig,
    /// Ask a running daemon on this machine whether it is healthy; for container health checks
    Healthcheck,
    /// Show the whole daemon at work on a match list of its own, without settings or network
    Demo(demo::Arguments),
}

/// Does what the command line says.
///
/// # Errors
/// [`Failure`] says what went wrong and which exit code it leads to.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        None | Some(Command::Run) => serve::run(cli.accept_empty_baseline),
        Some(Command::CheckConfig) => check_config::run(),
        Some(Command::Healthcheck) => healthcheck::run(),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
    }
}
