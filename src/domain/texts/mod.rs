//! The two texts that are made for a match, from templates that a user can replace, and where files
//! go.
//!
//! A template is written in the Jinja language. These variables exist in both:
//!
//! | variable | meaning |
//! |---|---|
//! | `home`, `away` | names of the teams |
//! | `competition` | name of the competition |
//! | `venue` | name of the venue |
//! | `number` | the match number that people use |
//! | `date`, `time` | day (`YYYY-MM-DD`) and local time of the kick-off |
//! | `match_id` | the match's id |
//! | `match_url` | the public page of the match |
//! | `referees` | the referees, each with `name` and `role` |
//!
//! What the list does not tell is an empty string. A line that holds nothing but a `{% … %}` leaves
//! no line behind.

mod error;
mod facts;
mod paths;

use std::io;
use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

pub use error::TemplateError;
use facts::Facts;
pub(super) use paths::is_invisible;
pub use paths::{file_name, folder};

use crate::domain::matchlist::Match;
use crate::domain::templates::unknown_variable;

crate::labels! {
    /// Which of the two texts.
    TextKind {
        /// The description of the chat group.
        Description => "group_description",
        /// The sheet from which a person makes the group.
        GroupInfo => "group_info",
    }
}

/// Instructions that one rendering may take; the built-in templates take about a hundred, and ten
/// more per referee.
const FUEL: u64 = 50_000;

/// Longest text, in bytes.
const LONGEST: usize = 64 * 1024;

const DESCRIPTION: &str = "\
*{{ home }} - {{ away }}*
_{{ competition }}_
{{ venue }}

Match Facts: {{ match_url }}

---
This group is for the referee team of this match: for planning, questions and late news.
";

const GROUP_INFO: &str = "\
Group Name: {{ home }} - {{ away }}
Match: {{ number }}
Competition: {{ competition }}
Date & Time: {{ date }} {{ time }}
Venue: {{ venue }}

Referees:
{% for referee in referees %}
- {{ referee.name }} ({{ referee.role }})
{% endfor %}
";

/// The compiled templates. The built-in ones are compiled when they are first used.
#[derive(Debug)]
pub struct Texts {
    environment: OnceLock<Environment<'static>>,
}

impl Texts {
    /// Compiles the given templates and renders each for an invented match; the built-in ones serve
    /// where none is given.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the template, the line, the mistake and, for an unknown variable,
    /// those that exist.
    pub fn new(
        description: Option<String>,
        group_info: Option<String>,
    ) -> Result<Self, TemplateError> {
        let texts = Self {
            environment: OnceLock::new(),
        };
        if description.is_none() && group_info.is_none() {
            return Ok(texts);
        }
        let mut environment = built_in();
        let sources = [
            (TextKind::Description, description),
            (TextKind::GroupInfo, group_info),
        ];
        let given = sources.map(|(kind, source)| source.map(|source| (kind, source)));
        for (kind, source) in given.iter().flatten() {
            environment
                .add_template_owned(kind.label(), source.clone())
                .map_err(|error| TemplateError::at_start(*kind, &error))
                .map_err(|error| error.quoting(source))?;
        }
        let texts = Self {
            environment: environment.into(),
        };
        for (kind, source) in given.iter().flatten() {
            texts
                .check(*kind, source)
                .map_err(|error| error.quoting(source))?;
        }
        Ok(texts)
    }

    fn check(&self, kind: TextKind, source: &str) -> Result<(), TemplateError> {
        let at_start = |error: minijinja::Error| TemplateError::at_start(kind, &error);
        let environment = self.environment();
        let template = environment.get_template(kind.label()).map_err(at_start)?;
        let unknown = unknown_variable(environment, &template, &facts::VARIABLES);
        if let Some(name) = &unknown {
            return Err(TemplateError::unknown_variable(kind, name, source));
        }
        self.write(kind, &Facts::sample()).map_err(at_start)?;
        Ok(())
    }

    /// Renders one text for a match.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template fails for this match: it asks for something that this
    /// match lacks, takes too long, or makes more than 64 KiB. The error holds no data of the match.
    pub fn render(&self, kind: TextKind, m: &Match) -> Result<String, TemplateError> {
        self.write(kind, &Facts::of(m))
            .map_err(|error| TemplateError::at_run(kind, &error))
    }

    fn environment(&self) -> &Environment<'static> {
        self.environment.get_or_init(built_in)
    }

    fn write(&self, kind: TextKind, facts: &Facts) -> Result<String, minijinja::Error> {
        let template = self.environment().get_template(kind.label())?;
        let mut text = Bounded::new(LONGEST);
        template.render_captured_to(minijinja::Value::from(Serde(facts)), &mut text)?;
        Ok(text.into_text())
    }
}

fn built_in() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    for (kind, source) in [
        (TextKind::Description, DESCRIPTION),
        (TextKind::GroupInfo, GROUP_INFO),
    ] {
        // A test renders both; a mistake would be told at the first use.
        let _ = environment.add_template(kind.label(), source);
    }
    environment
}

/// A writer that refuses more than so many bytes.
pub(super) struct Bounded {
    text: Vec<u8>,
    longest: usize,
}

impl Bounded {
    pub fn new(longest: usize) -> Self {
        Self {
            text: Vec::new(),
            longest,
        }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.longest {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the text is too long",
            ));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
