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
        let told = |(mistake, is_last): (&Mistake, bool)| {
            let Mistake {
                name,
                problem,
                expected,
                ..
            } = mistake;
            match is_last {
                true => format!("{name}: {problem}; must be: {expected}"),
                false => format!("{name}: {problem}"),
            }
        };
        self.each().map(told).collect::<Vec<_>>().join("; ")
    }

    /// Each with whether it is the last of those in a row that ask for the same: a document can have
    /// dozens, and what it must be is told once.
    fn each(&self) -> impl Iterator<Item = (&Mistake, bool)> {
        let next = self.0.iter().skip(1).map(Some).chain([None]);
        self.0.iter().zip(next).map(|(one, next)| {
            let is_same = |next: &Mistake| {
                (&next.name, &next.expected, &next.example)
                    == (&one.name, &one.expected, &one.example)
            };
            (one, !next.is_some_and(is_same))
        })
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun} in the settings; nothing was started")?;
        let mut gap = "\n";
        for (mistake, is_last) in self.each() {
            write!(f, "{gap}\n  {}: {}", mistake.name, mistake.problem)?;
            gap = "";
            if is_last {
                write!(f, "\n    must be: {}", mistake.expected)?;
                write!(f, "\n    example: {}", mistake.example)?;
                gap = "\n";
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_must_be_is_told_once() {
        let of = |name, problem| Mistake::new(name, problem, "TOML", "a = 1");
        let all = ConfigErrors(vec![
            of("A (/etc/a.toml)", "x is missing"),
            of("A (/etc/a.toml)", "y is missing"),
            Mistake::new("PORT", "\"x\" is not allowed", "a port", "8000"),
            of("B", "z is missing"),
        ]);
        insta::assert_snapshot!(all, @r#"
        4 mistakes in the settings; nothing was started

          A (/etc/a.toml): x is missing
          A (/etc/a.toml): y is missing
            must be: TOML
            example: a = 1

          PORT: "x" is not allowed
            must be: a port
            example: 8000

          B: z is missing
            must be: TOML
            example: a = 1
        "#);
        insta::assert_snapshot!(all.in_one_line(), @r#"A (/etc/a.toml): x is missing; A (/etc/a.toml): y is missing; must be: TOML; PORT: "x" is not allowed; must be: a port; B: z is missing; must be: TOML"#);
    }
}
