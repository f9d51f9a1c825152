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
        // Long ones go on in the next line.
        let help = help.replace("\\\n", " ");
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

/// Terminals are that wide where nobody made them wider.
#[test]
fn every_help_fits_80_columns() {
    fn check(mut command: clap::Command, shown: &mut usize) {
        let name = command.get_name().to_owned();
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            let long = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{name}");
            *shown += 1;
        }
        for below in command.get_subcommands().cloned() {
            check(below, shown);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut shown = 0;
    check(command, &mut shown);
    assert!(shown > 40, "{shown}");
}
