//! Asks the rules about a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::types::CelBool;
use cel::{Context, Value};

use super::compile::LANGUAGE;
use super::errors::{RuleError, RuleErrorKind};
use super::request::Request;
use super::values::{self, Boxed};
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
        for (name, value) in [
            ("method", values::text(&request.method)),
            ("headers", values::texts(&request.headers)),
            ("query", values::texts(&request.query)),
            ("source", values::text(&request.source)),
            ("authenticated", values::text(&request.authenticated)),
        ] {
            context.add_variable_as_val(name, value);
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
    pub fn verdict(mut self, mut erred: impl FnMut(&RuleError)) -> Result<Verdict, Malformed> {
        let filters = self.filters;
        for rule in &*filters.rules {
            match self.ask(rule)? {
                Ok(true) => return Ok(rule.verdict()),
                Ok(false) => {}
                Err(error) => erred(&error),
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
        rules.map(move |rule| (rule.verdict(), self.ask(rule)))
    }

    fn ask(&mut self, rule: &Rule) -> Result<Result<bool, RuleError>, Malformed> {
        if rule.uses_body && !self.has_body {
            let value = body(self.body)?;
            self.context.add_variable_as_val("body", value);
            self.has_body = true;
        }
        // The library is not ours: a defect of it must not end the connection.
        let asked = catch_unwind(AssertUnwindSafe(|| self.answer(rule)));
        Ok(asked.unwrap_or_else(|_| {
            let told = "the program has a defect";
            Err(RuleError::new(RuleErrorKind::Defect, told))
        }))
    }

    fn answer(&self, rule: &Rule) -> Result<bool, RuleError> {
        let answer = Value::resolve_val(&rule.condition, &self.context);
        let answer = answer.map_err(|error| RuleError::of(&error))?;
        let truth = answer.downcast_ref::<CelBool>();
        truth.map(|truth| *truth.inner()).ok_or_else(|| {
            let found = answer.get_type().name();
            let told = format!("it is of type {found}, neither true nor false");
            RuleError::new(RuleErrorKind::NotBoolean, told)
        })
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

fn body(bytes: Option<&[u8]>) -> Result<Boxed, Malformed> {
    let parsed = match bytes {
        None => return Err(Malformed::TooLarge),
        Some([]) => serde_json::Value::Null,
        Some(bytes) => serde_json::from_slice(bytes).map_err(|_| Malformed::NoJson)?,
    };
    values::json(parsed).ok_or(Malformed::TooLarge)
}
