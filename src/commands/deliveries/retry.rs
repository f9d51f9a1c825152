//! `deliveries retry`.

use clap::Args;

use super::which::{Chosen, Order, give};
use crate::app::Failure;

const USAGE: &str = "\
match-list-processor deliveries retry [OPTIONS] <ID>...
       match-list-processor deliveries retry [OPTIONS] --all-dead
       match-list-processor deliveries retry [OPTIONS] --destination <TO>";

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor deliveries retry 17 18
  match-list-processor deliveries retry --destination webhook:club
  match-list-processor deliveries retry --all-dead

Those that can be retried are, also if others cannot; then the
exit code is 1. Of --all-dead and --destination, what somebody has
retried or discarded meanwhile is left alone.

",
    crate::commands::exit_codes!()
);

const RETRY: Order = Order {
    path: "retry",
    if_dead: None,
    state: "pending again",
    done: "retried",
};

/// Which deliveries are retried.
#[derive(Debug, Args)]
#[command(after_help = HELP, override_usage = USAGE)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
}

/// Retries them, one after the other.
///
/// # Errors
/// When one of them cannot be retried.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = &arguments.chosen;
    let (remote, meant) = chosen.open()?;
    give(RETRY, &meant, &remote, chosen.asking.json)
}
