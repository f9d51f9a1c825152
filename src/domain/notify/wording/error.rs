//! What is wrong with a template for messages.

use super::Template;
use super::view::VARIABLES;
use crate::domain::notify::clean::{cut, line};

/// Why a template cannot be used. It quotes the template and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordingError {
    /// Which template.
    pub template: Template,
    /// Line in the template, from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong, on one line.
    pub problem: String,
}

impl WordingError {
    /// A mistake found with invented messages, of which everything may be told.
    pub(super) fn of(template: Template, source: &str, error: &minijinja::Error) -> Self {
        let mut problem = match error.kind() {
            minijinja::ErrorKind::WriteFailure => "it makes too much text".to_owned(),
            kind => kind.to_string(),
        };
        if let Some(detail) = error.detail() {
            problem = format!("{problem}: {detail}");
        }
        if error.kind() == minijinja::ErrorKind::UndefinedError {
            problem.push_str(&exist());
        }
        let quoted = error
            .line()
            .and_then(|number| source.lines().nth(number.checked_sub(1)?));
        if let Some(quoted) = quoted {
            problem = format!("{problem} in `{}`", cut(quoted.trim(), 120));
        }
        Self {
            template,
            line: error.line(),
            problem: line(&problem),
        }
    }

    pub(super) fn unknown_variable(template: Template, source: &str, name: &str) -> Self {
        let at = source.lines().position(|line| line.contains(name));
        Self {
            template,
            line: at.map(|index| index + 1),
            problem: format!("unknown variable `{}`{}", line(name), exist()),
        }
    }
}

fn exist() -> String {
    format!(
        " (there are {}; see docs/messages.md)",
        VARIABLES.join(", ")
    )
}

impl std::fmt::Display for WordingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template {}", self.template)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for WordingError {}
