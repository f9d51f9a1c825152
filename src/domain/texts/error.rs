//! What is wrong with a template.

use super::TextKind;
use super::facts::{self, VARIABLES};

/// Why a text could not be made.
///
/// An error of [`Texts::new`](super::Texts::new) quotes the template; one of
/// [`Texts::render`](super::Texts::render) holds nothing of the template nor of the match, which
/// may be personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Which text.
    pub kind: TextKind,
    /// Line in the template, from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong, on one line.
    pub problem: String,
}

impl TemplateError {
    /// A mistake found with invented data, of which everything may be told.
    pub(super) fn at_start(kind: TextKind, error: &minijinja::Error) -> Self {
        let mut found = Self::at_run(kind, error);
        if let Some(detail) = error.detail() {
            found.problem = format!("{}: {detail}", found.problem);
        }
        if error.kind() == minijinja::ErrorKind::UndefinedError {
            found.problem.push_str(&exists());
        }
        found
    }

    /// A mistake found with a match's data: the detail could quote it.
    pub(super) fn at_run(kind: TextKind, error: &minijinja::Error) -> Self {
        Self {
            kind,
            line: error.line(),
            problem: error.kind().to_string(),
        }
    }

    pub(super) fn unknown_variable(kind: TextKind, name: &str, source: &str) -> Self {
        let line = source
            .lines()
            .position(|line| line.contains(name))
            .map(|index| index + 1);
        Self {
            kind,
            line,
            problem: format!("unknown variable `{name}`{}", exists()),
        }
    }

    /// Adds the line of the template.
    pub(super) fn quoting(mut self, source: &str) -> Self {
        let line = self
            .line
            .and_then(|line| source.lines().nth(line.checked_sub(1)?));
        if let Some(line) = line {
            let line: String = line.trim().chars().take(120).collect();
            self.problem = format!("{} in `{line}`", self.problem);
        }
        // The engine's words and the template itself may span lines.
        self.problem = facts::line(&self.problem);
        self
    }
}

fn exists() -> String {
    format!(
        " (there are {}; a referee has name, role)",
        VARIABLES.join(", ")
    )
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template {}", self.kind)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for TemplateError {}
