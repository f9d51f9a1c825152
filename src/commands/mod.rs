//! What the program can be told to do.

mod changes;
mod check_config;
mod check_observability;
mod completions;
mod control;
mod cycle_view;
mod deliveries;
mod demo;
mod explain_filter;
mod explain_routing;
mod healthcheck;
mod output;
mod page;
mod place;
mod refusal;
mod remote;
mod republish;
mod screen;
mod serve;
mod sign;
mod status;
mod table;
mod test_notification;
mod trigger;

#[cfg(test)]
mod tests;

use clap::{Args, Parser, Subcommand};

use crate::app::Failure;
use crate::config::Config;
use control::Order;

const AFTER_HELP: &str = "\
Settings come from environment variables, from .env and from the TOML file that
CONFIG_FILE names; `check-config` prints what takes effect, README.md describes
each. Commands that ask a running daemon find it, its token and the time zone
by the same settings.

Exit codes: 0 done; 1 a oneshot cycle failed or is held, the stop took too
long, or the daemon that was asked says no or is unhealthy; 2 the command line;
69 the daemon that was asked is not there or cannot do it now; 71 the system
refused something, such as the port; 74 the disk failed; 75 the data folder is
in use; 77 the daemon that was asked does not know who asks; 78 the settings,
the store or the list in it cannot be used.";

/// How a command that asks the daemon ends.
macro_rules! exit_codes {
    () => {
        "\
Exit codes: 0 done; 1 the daemon says no, or what it did failed; 2 the command
line; 69 the daemon is not there, or cannot do it now; 77 it does not know who
asks; 78 mistakes in the settings."
    };
}
use exit_codes;

/// Watches a football match list, records every change durably and makes what the referee team
/// needs. Without a command it runs as the settings say (`PROCESSOR_MODE`, `RUN_MODE`).
#[derive(Debug, Parser)]
#[command(name = "match-list-processor", version, after_help = AFTER_HELP, max_term_width = 80)]
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
    #[command(after_help = "Examples:\n  PROCESSOR_MODE=event-driven match-list-processor run")]
    Run(RunArguments),
    /// Print the effective settings without secrets, or every mistake in them, and try their folders
    #[command(after_help = "Examples:\n  match-list-processor check-config | grep TZ")]
    CheckConfig,
    /// Tell whether metrics, alerts and traces of the daemon reach somebody, and what is missing
    CheckObservability(check_observability::Arguments),
    /// Ask the daemon on this machine whether it is there; for container health checks
    #[command(after_help = "Examples:\n  match-list-processor healthcheck")]
    Healthcheck,
    /// Show the whole daemon at work on a match list of its own, without settings or network
    #[command(after_help = "Examples:\n  match-list-processor demo --once")]
    Demo(demo::Arguments),
    /// Ask the running daemon for a look at the list
    Trigger(trigger::Arguments),
    /// Print the headers with which a body may trigger
    #[command(after_help = sign::SIGN)]
    Sign(sign::SignArguments),
    /// Judge whether a request may trigger
    #[command(after_help = sign::VERIFY)]
    Verify(sign::VerifyArguments),
    /// Tell what the filters say of a request
    ExplainFilter(explain_filter::Arguments),
    /// Tell who would be told of a change, by which channel, when and why
    ExplainRouting(explain_routing::Arguments),
    /// Show how the running daemon is
    Status(status::Arguments),
    /// Show what changed, newest first
    Changes(changes::Arguments),
    /// Show deliveries; retry those that were given up, or discard them
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Have services told again what changed, or the whole list
    Republish(republish::Arguments),
    /// Send one message to a channel of the settings and show what came of it
    TestNotification(test_notification::Arguments),
    /// Stop cycles and deliveries of the running daemon until `resume`
    #[command(after_help = control::PAUSE)]
    Pause(control::Arguments),
    /// Let cycles and deliveries go on
    #[command(after_help = control::RESUME)]
    Resume(control::Arguments),
    /// Accept the list that is held
    #[command(after_help = control::ACCEPT)]
    Accept(control::Arguments),
    /// Print a script that lets a shell complete this command line
    Completions(completions::Arguments),
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
        Some(Command::CheckObservability(arguments)) => check_observability::run(&arguments),
        Some(Command::Healthcheck) => healthcheck::run(),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
        Some(Command::Trigger(arguments)) => trigger::run(&arguments),
        Some(Command::Sign(arguments)) => sign::sign(&arguments),
        Some(Command::Verify(arguments)) => sign::verify(&arguments),
        Some(Command::ExplainFilter(arguments)) => explain_filter::run(&arguments),
        Some(Command::ExplainRouting(arguments)) => explain_routing::run(&arguments),
        Some(Command::Status(arguments)) => status::run(&arguments),
        Some(Command::Changes(arguments)) => changes::run(&arguments),
        Some(Command::Deliveries(command)) => deliveries::run(&command),
        Some(Command::Republish(arguments)) => republish::run(&arguments),
        Some(Command::TestNotification(arguments)) => test_notification::run(&arguments),
        Some(Command::Pause(arguments)) => control::run(Order::Pause, &arguments),
        Some(Command::Resume(arguments)) => control::run(Order::Resume, &arguments),
        Some(Command::Accept(arguments)) => control::run(Order::Accept, &arguments),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
    }
}

/// The settings of this process.
fn settings() -> Result<Config, Failure> {
    Config::from_env().map_err(|errors| Failure::Unusable(errors.to_string()))
}
