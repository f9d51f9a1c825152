//! Asks the rules about a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::{Context, ExecutionError, Value};

use super::compile::LANGUAGE;
use super::errors::{RuleError, RuleErrorKind};
use super::looks::Headers;
use super::request::Request;
use super::values;
use super::{Action, DEFAULT, Filters, Rule, regexes};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The rule that decided, or [`DEFAULT`].
    pub rule: Arc<str>,
}

/// A rule asks for the body, and the body cannot be shown to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is none.
    #[error("A filter looks at the body, which is no JSON")]
    NoJson,
    /// It has too many bytes or values.
    #[error(
        "A filter looks at the body, which has more than 64 KiB or {} values",
        values::MAX_VALUES
    )]
    TooLarge,
}

/// Asks rules about one request.
pub struct Judge<'a> {
    filters: &'a Filters,
    body: Option<&'a [u8]>,
    context: Context<'a, 'a>,
    has_body: bool,
}

impl<'a> Judge<'a> {
    /// About this request.
    #[must_use]
    pub fn new(filters: &'a Filters, request: &'a Request) -> Self {
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        let looks = filters.looks();
        let mut offer = |name, text| context.add_variable_as_val(name, values::text(text));
        if looks.method {
            offer("method", &request.method);
        }
        if looks.source {
            offer("source", &request.source);
        }
        if looks.authenticated {
            offer("authenticated", &request.authenticated);
        }
        let mut offer = |name, pairs| context.add_variable_as_val(name, values::texts(pairs));
        if looks.headers != Headers::None {
            offer("headers", &request.headers);
        }
        if looks.query {
            offer("query", &request.query);
        }
        regexes::offer(&mut context, &filters.regexes);
        Self {
            filters,
            body: request.body.as_deref(),
            context,
            has_body: false,
        }
    }

    /// Asks the rules in their order until one matches. Tells `erred` of each that could not be
    /// asked, which counts as one that does not match.
    ///
    /// # Errors
    /// When a rule that is asked looks at a body that is none.
    pub fn verdict(mut self, mut erred: impl FnMut(RuleErrorKind)) -> Result<Verdict, Malformed> {
        let filters = self.filters;
        for rule in &*filters.rules {
            match self.ask(rule)? {
                Ok(true) => return Ok(rule.verdict()),
                Ok(false) => {}
                Err(failed) => erred(failed.kind()),
            }
        }
        Ok(Verdict {
            action: filters.default,
            rule: DEFAULT.into(),
        })
    }

    /// Asks every rule, also those behind the one that decides: its name, its action, and whether
    /// it matches.
    pub fn each(
        mut self,
    ) -> impl Iterator<Item = (Verdict, Result<Result<bool, RuleError>, Malformed>)> {
        let filters = self.filters;
        let rules = filters.rules.iter();
        rules.map(move |rule| {
            let answer = self.ask(rule);
            let told = answer.map(|answer| answer.map_err(Failed::told));
            (rule.verdict(), told)
        })
    }

    fn ask(&mut self, rule: &Rule) -> Result<Result<bool, Failed>, Malformed> {
        if rule.uses_body && !self.has_body {
            let value = values::body(self.body)?;
            self.context.add_variable_as_val("body", value);
            self.has_body = true;
        }
        // The library is not ours: a defect of it must not end the connection.
        let asked = catch_unwind(AssertUnwindSafe(|| self.answer(rule)));
        Ok(asked.unwrap_or(Err(Failed::Defect)))
    }

    fn answer(&self, rule: &Rule) -> Result<bool, Failed> {
        let answer = Value::resolve_val(&rule.condition, &self.context);
        let answer = answer.map_err(Failed::Asked)?;
        let truth = answer.downcast_ref::<CelBool>();
        truth
            .map(|truth| *truth.inner())
            .ok_or_else(|| Failed::NotBoolean(answer.get_type().name().to_owned()))
    }
}

/// Why a rule could not be asked, before it is put into words: where requests are served, nobody
/// reads them.
enum Failed {
    Asked(ExecutionError),
    /// It is of this type.
    NotBoolean(String),
    Defect,
}

impl Failed {
    fn kind(&self) -> RuleErrorKind {
        match self {
            Self::Asked(error) => RuleErrorKind::of(error),
            Self::NotBoolean(_) => RuleErrorKind::NotBoolean,
            Self::Defect => RuleErrorKind::Defect,
        }
    }

    fn told(self) -> RuleError {
        match &self {
            Self::Asked(error) => RuleError::of(error),
            Self::NotBoolean(found) => {
                let told = format!("it is of type {found}, neither true nor false");
                RuleError::new(self.kind(), told)
            }
            Self::Defect => RuleError::new(self.kind(), "the program has a defect"),
        }
    }
}

impl Rule {
    fn verdict(&self) -> Verdict {
        Verdict {
            action: self.action,
            rule: Arc::clone(&self.name),
        }
    }
}
