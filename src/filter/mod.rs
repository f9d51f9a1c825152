//! Which requests trigger: rules in [CEL](https://cel.dev), asked in their order.
//!
//! Pure: text becomes rules ([`Filters::compile`]), and rules judge a request ([`Judge`]). Whatever
//! can be known of a rule is checked before any request comes: its names, its types, and how much
//! work it can be at most.

mod ast;
mod check;
mod compile;
mod errors;
mod functions;
mod judge;
mod looks;
mod operators;
mod place;
mod regexes;
mod request;
mod source;
mod types;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cel::IdedExpr;

pub use compile::{Draft, MAX_RULES, Mistaken};
pub use errors::{RuleError, RuleErrorKind};
pub use judge::{Judge, Malformed, Verdict};
pub use looks::Looks;
pub use place::{Place, Problem};
pub use request::Request;

use crate::labels;

labels! {
    /// What becomes of a request.
    Action {
        /// It triggers.
        Trigger => "trigger",
        /// It is answered well and triggers nothing.
        Ignore => "ignore",
        /// It is refused.
        Refuse => "refuse",
    }
}

/// The name that stands for the action of requests that no rule matches.
pub const DEFAULT: &str = "default";

/// One rule, ready to be asked.
#[derive(Debug)]
struct Rule {
    name: Arc<str>,
    action: Action,
    condition: IdedExpr,
    uses_body: bool,
}

/// The rules in their order; clones share them.
#[derive(Clone, Debug)]
pub struct Filters {
    rules: Arc<[Rule]>,
    regexes: Arc<[regex::Regex]>,
    default: Action,
    work: usize,
    looks: Arc<Looks>,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            rules: Arc::from([]),
            regexes: Arc::from([]),
            default: Action::Trigger,
            work: 0,
            looks: Arc::default(),
        }
    }
}

impl Filters {
    /// Whether every request triggers, whatever it is.
    #[must_use]
    pub fn let_all_through(&self) -> bool {
        self.rules.is_empty() && self.default == Action::Trigger
    }

    /// Whether these instead of `before` would open the door: they hold nothing back any more, or no
    /// longer what no rule speaks of.
    #[must_use]
    pub fn open_what_was_closed(&self, before: &Self) -> bool {
        let opens = |action: Action| action == Action::Trigger;
        let holds_nothing = |one: &Self| {
            let mut actions = one.rules.iter().map(|rule| rule.action);
            opens(one.default) && actions.all(opens)
        };
        (holds_nothing(self) && !holds_nothing(before))
            || (opens(self.default) && !opens(before.default))
    }

    /// The names of the rules with what they lead to, and what happens otherwise; for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let rules = self.rules.iter();
        let rules = rules.map(|rule| format!("{}: {}", rule.name, rule.action));
        let default = format!("{DEFAULT}: {}", self.default);
        let all: Vec<String> = rules.chain([default]).collect();
        all.join(", ")
    }

    /// What the rules look at of a request's head.
    #[must_use]
    pub fn looks(&self) -> &Looks {
        &self.looks
    }

    /// What judging one request costs at most, in walks over its body.
    #[must_use]
    pub fn work(&self) -> usize {
        self.work
    }
}
