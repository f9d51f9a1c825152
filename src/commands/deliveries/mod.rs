//! `deliveries`: the outbox.

mod discard;
mod list;
mod retry;
mod which;

use clap::Subcommand;

use crate::app::Failure;

/// What is done with deliveries.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show deliveries, newest first
    List(list::Arguments),
    /// Give dead deliveries a new life
    Retry(retry::Arguments),
    /// End deliveries that nobody is to have any more
    Discard(discard::Arguments),
}

/// Does it.
///
/// # Errors
/// When it cannot be done.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Retry(arguments) => retry::run(arguments),
        Command::Discard(arguments) => discard::run(arguments),
    }
}
