//! The help is true: each command has an example, and each example is a command line.

use clap::{CommandFactory, Parser};

use super::Cli;

/// Every command that does something, with its names and its help.
fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
    if command.get_subcommands().next().is_none() {
        let help = command.get_after_help().map(ToString::to_string);
        found.push((path.to_owned(), help.unwrap_or_default()));
    }
    for inner in command.get_subcommands() {
        leaves(inner, &format!("{path} {}", inner.get_name()), found);
    }
}

/// The arguments of an example, without what a shell does around it.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let own = line.split(" | ").next()?.split(" > ").next()?;
    // Every other piece stands between quotes.
    let pieces = own.split('\'').enumerate();
    let words: Vec<&str> = pieces
        .flat_map(|(n, piece)| match n % 2 {
            0 => piece.split_whitespace().collect(),
            _ => vec![piece],
        })
        .collect();
    let start = words.iter().position(|word| !word.contains('='))?;
    (words[start] == "match-list-processor").then(|| words[start..].to_vec())
}

#[test]
fn every_command_has_an_example_that_it_understands() {
    let command = Cli::command();
    let mut all = Vec::new();
    leaves(&command, command.get_name(), &mut all);
    assert!(all.len() >= 13, "{all:#?}");
    for (path, help) in all {
        let (_, examples) = help.split_once("Examples:\n").expect(&path);
        let examples = examples.lines().take_while(|line| !line.is_empty());
        let mut count = 0;
        for line in examples {
            let words = arguments(line).unwrap_or_else(|| panic!("{path}: {line}"));
            assert!(words.join(" ").starts_with(&path), "{path}: {line}");
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{line}: {error}");
            }
            count += 1;
        }
        assert!(count > 0, "{path}");
    }
}

#[test]
fn the_help_fits_a_terminal() {
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    leaves(&command, command.get_name(), &mut all);
    for (path, help) in all {
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{path}: {line}");
        }
    }
}
