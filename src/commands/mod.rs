//! What the program can be told to do.

mod check_config;
mod demo;
mod healthcheck;
mod serve;

use clap::{Args, Parser, Subcommand};

use crate::app::Failure;

const AFTER_HELP: &str = "\
Settings come from environment variables, from .env and from the TOML file that CONFIG_FILE names;
`check-config` prints what takes effect, README.md describes each.

Exit codes: 0 done; 1 a oneshot cycle failed or is held, the stop took too long, or unhealthy;
2 the command line; 71 the system refused something, such as the port; 74 the disk failed;
75 the data folder is in use; 78 the settings, the store or the list in it cannot be used.";

/// Watches a football match list, records every change durably and makes what the referee team
/// needs. Without a command it runs as the settings say (`PROCESSOR_MODE`, `RUN_MODE`).
#[derive(Debug, Parser)]
#[command(name = "match-list-processor", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Start without a baseline although the exported match list is damaged; the file is kept
    #[arg(long)]
    accept_empty_baseline: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run as the settings say (the default)
    Run(RunArguments),
    /// Print the effective settings without secrets, or every mistake in them
    CheckConfig,
    /// Ask the daemon on this machine whether it is there; for container health checks
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
        None => serve::run(cli.run.accept_empty_baseline),
        Some(Command::Run(run)) => {
            serve::run(run.accept_empty_baseline || cli.run.accept_empty_baseline)
        }
        Some(Command::CheckConfig) => check_config::run(),
        Some(Command::Healthcheck) => healthcheck::run(),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
    }
}
