//! `completions`: for shells.

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::output::print;
use crate::app::Failure;

const HELP: &str = "\
Examples:
  match-list-processor completions bash > \\
      /etc/bash_completion.d/match-list-processor
  match-list-processor completions zsh > ~/.zfunc/_match-list-processor
  match-list-processor completions fish > \\
      ~/.config/fish/completions/match-list-processor.fish";

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    if arguments.shell != Shell::Bash {
        return print(&script(arguments.shell, &mut command, &name));
    }
    // In a script for bash, a name with hyphens is spelt in one way where a subcommand is found
    // and in another where it is looked up (clap_complete 4.6.11).
    let plain = name.replace('-', "_");
    let script = script(Shell::Bash, &mut command, &plain);
    print(&script.replace(
        &format!(" default {plain}\n"),
        &format!(" default {name}\n"),
    ))
}

fn script(shell: Shell, command: &mut Command, name: &str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
