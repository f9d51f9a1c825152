//! Harnesses that try to make the real binary lose something, and count.
//!
//! ```text
//! cargo test --test reliability                                   those that CI runs, in their small form
//! cargo test --test reliability -- kill --rounds 500 --seed 7     one of them
//! cargo test --test reliability -- kill --report FILE             and a line of JSON for the record
//! ```
//!
//! A violation ends the program with 1 and says with which seed and round it comes again and where
//! the data folder, logs and traces are kept.

mod control;
mod edge;
mod kill;
mod power;
mod shutdown;
mod slow;
mod support;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::support::summary::Summary;
use crate::support::{Common, Result};

#[derive(Debug, Parser)]
#[command(name = "reliability")]
struct Arguments {
    #[command(subcommand)]
    harness: Harness,
    #[command(flatten)]
    common: Common,
}

/// A new harness is a folder with `Args` and `run`, and one line in each of these.
#[derive(Debug, Subcommand)]
enum Harness {
    /// Kills it under load at any moment and looks for what was lost.
    Kill(kill::Args),
    /// Cuts the power, on paper, and opens what a disk could hold then.
    Power(power::Args),
    /// Sends it what no honest client would send.
    Edge(edge::Args),
    /// Stops it under full load.
    Shutdown(shutdown::Args),
    /// Keeps thousands of connections that are slow, deaf or idle.
    Slow(slow::Args),
    /// Shows that the harnesses catch builds without the promises that they try.
    Control(control::Args),
}

impl Harness {
    fn run(&self, common: &Common) -> Result<Summary> {
        match self {
            Self::Kill(args) => kill::run(args, common),
            Self::Power(args) => power::run(args, common),
            Self::Edge(args) => edge::run(args, common),
            Self::Shutdown(args) => shutdown::run(args, common),
            Self::Slow(args) => slow::run(args, common),
            Self::Control(args) => control::run(args),
        }
    }
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let names = names();
    let chosen = match given.first() {
        Some(first) if names.contains(first) || is_help(first) => vec![Arguments::parse()],
        _ => match as_libtest(&given, &names) {
            Some(chosen) => chosen
                .iter()
                .map(|name| Arguments::parse_from(["reliability", name]))
                .collect(),
            None => return ExitCode::SUCCESS,
        },
    };
    let mut failed = false;
    for Arguments { harness, common } in chosen {
        let result = harness.run(&common).and_then(|summary| {
            println!("{summary}");
            summary.report(common.report().as_deref())
        });
        if let Err(error) = result {
            eprintln!("\n{error:#}\n");
            failed = true;
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn names() -> Vec<String> {
    let command = Arguments::command();
    let harnesses = command.get_subcommands();
    harnesses.map(|one| one.get_name().to_owned()).collect()
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "help" | "-h" | "--help")
}

/// The arguments of one harness.
fn parse(words: &[&str]) -> Result<Arguments> {
    let words = std::iter::once(&"reliability").chain(words);
    Ok(Arguments::try_parse_from(words)?)
}

/// The harnesses that `cargo test` asks for with the arguments that all its programs get: words
/// that a name must contain, and flags. None if it only wants to know their names.
fn as_libtest(given: &[String], names: &[String]) -> Option<Vec<String>> {
    if given.iter().any(|argument| argument == "--list") {
        for name in names {
            println!("{name}: test");
        }
        return None;
    }
    let words: Vec<_> = given.iter().filter(|word| !word.starts_with('-')).collect();
    let asked = |name: &&String| words.is_empty() || words.iter().any(|word| name.contains(*word));
    let ignored = given.iter().any(|argument| argument == "--ignored");
    let chosen = names.iter().filter(asked).filter(|_| !ignored);
    Some(chosen.cloned().collect())
}
