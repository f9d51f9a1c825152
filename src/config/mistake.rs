//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One mistake. No field holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The variable, or the file.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
    /// What it must look like.
    pub expected: String,
    /// A value that would do.
    pub example: String,
}

impl Mistake {
    /// A mistake with this variable.
    #[must_use]
    pub fn new(name: &str, problem: &str, expected: &str, example: &str) -> Self {
        Self {
            name: name.to_owned(),
            problem: problem.to_owned(),
            expected: expected.to_owned(),
            example: example.to_owned(),
        }
    }
}

/// Every mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Mistake>);

impl ConfigErrors {
    /// All of them on one line, for a log.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let told = |mistake: &Mistake| {
            let Mistake {
                name,
                problem,
                expected,
                ..
            } = mistake;
            format!("{name}: {problem}; must be: {expected}")
        };
        self.0.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun} in the settings; nothing was started")?;
        for mistake in &self.0 {
            write!(f, "\n\n  {}: {}", mistake.name, mistake.problem)?;
            write!(f, "\n    must be: {}", mistake.expected)?;
            write!(f, "\n    example: {}", mistake.example)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
