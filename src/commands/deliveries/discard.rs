//! `deliveries discard`.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;

use super::which::{Chosen, Order, give};
use crate::app::Failure;

const USAGE: &str = "\
match-list-processor deliveries discard [OPTIONS] <ID>...
       match-list-processor deliveries discard [OPTIONS] --all-dead
       match-list-processor deliveries discard [OPTIONS] --destination <TO>";

const HELP: &str = concat!(
    "\
A delivery that is dead or still waits is never made then, and what it would
have told is gone: for what cannot arrive any more, or those concerned know by
other means. One that is under way is left alone. The daemon's log keeps which
they were.

Examples:
  match-list-processor deliveries discard 17 18
  match-list-processor deliveries discard --destination webhook:club
  match-list-processor deliveries discard --all-dead --yes

Those that can be discarded are, also if others cannot; then the
exit code is 1. Of --all-dead and --destination only what is dead
still is discarded: what somebody has retried is left alone.

",
    crate::commands::exit_codes!()
);

const DISCARD: Order = Order {
    path: "discard",
    if_dead: Some("state=dead"),
    state: "discarded",
    done: "discarded",
};

/// Which deliveries are discarded.
#[derive(Debug, Args)]
#[command(after_help = HELP, override_usage = USAGE)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Do not ask on a terminal before several are discarded; a script is never asked
    #[arg(long)]
    yes: bool,
}

/// Discards them, one after the other.
///
/// # Errors
/// When one of them cannot be discarded, or the person at the terminal thinks better of it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = &arguments.chosen;
    let (remote, meant) = chosen.open()?;
    // Whoever names them one by one has looked at them.
    let is_asked = meant.are_found && !meant.ids.is_empty() && !arguments.yes;
    if is_asked && std::io::stdin().is_terminal() {
        let (question, answer) = (std::io::stderr(), std::io::stdin().lock());
        if !is_sure(meant.ids.len(), question, answer) {
            return Err(Failure::Refused("nothing was discarded".to_owned()));
        }
    }
    give(DISCARD, &meant, &remote, chosen.asking.json)
}

/// Asks the person at the terminal; silence is a no.
fn is_sure(count: usize, mut question: impl Write, mut answer: impl BufRead) -> bool {
    let noun = match count {
        1 => "dead delivery",
        _ => "dead deliveries",
    };
    let asked = write!(
        question,
        "Discard {count} {noun}? What they would have told is gone then. [y/N] "
    );
    let mut line = String::new();
    let is_heard =
        asked.and_then(|()| question.flush()).is_ok() && answer.read_line(&mut line).is_ok();
    is_heard && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_discards() {
        for (answer, sure) in [
            ("y\n", true),
            (" YES \n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yeah\n", false),
        ] {
            let mut question = Vec::new();
            assert_eq!(
                is_sure(2, &mut question, answer.as_bytes()),
                sure,
                "{answer:?}"
            );
            let question = String::from_utf8(question).unwrap();
            assert!(
                question.starts_with("Discard 2 dead deliveries?"),
                "{question}"
            );
        }
    }
}
