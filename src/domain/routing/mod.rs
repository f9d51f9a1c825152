//! Who is told of a change, by which channel and when.
//!
//! [`Routing`] is made once of what the settings say ([`Parts`]). [`Routing::route`] turns the changes
//! of a cycle into notices, [`Routing::explain`] says why somebody gets one and somebody else does not,
//! [`Routing::alert`] who is told how the program itself does. All three ask the same rules.

mod alert;
mod asleep;
mod check;
mod explain;
mod index;
mod notice;
mod parts;
mod route;
mod rule;
mod select;
mod when;

#[cfg(test)]
mod tests;

pub use alert::AlertNotice;
pub use explain::{Explained, Outcome, RuleAnswer, Verdict};
pub use notice::{Notice, Subject, When};
pub use parts::{Channel, ChannelKind, Group, Identity, MAIL, Pace, Parts, Role, Stakeholder};
pub use rule::{Rule, Target, Then};
pub use select::{Cause, Refusal};

use index::Index;
use when::Clockwork;

/// Who is told what, and how. Made by [`Routing::new`].
#[derive(Clone, Debug, Default)]
pub struct Routing {
    channels: Vec<Channel>,
    people: Vec<Person>,
    rules: Vec<Resolved>,
    index: Index,
}

/// A stakeholder with what was made of its settings.
#[derive(Clone, Debug)]
struct Person {
    stakeholder: Stakeholder,
    clockwork: Clockwork,
    /// Indices of its channels.
    ways: Vec<usize>,
}

/// A rule with the indices of those whom it names.
#[derive(Clone, Debug)]
struct Resolved {
    rule: Rule,
    people: Vec<usize>,
    /// Channels in place of a stakeholder's own.
    ways: Option<Vec<usize>>,
}

impl Routing {
    /// Whether nobody is ever told anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Every stakeholder, in the order of the settings.
    pub fn stakeholders(&self) -> impl Iterator<Item = &Stakeholder> {
        self.people.iter().map(|person| &person.stakeholder)
    }

    /// The stakeholder with this id.
    #[must_use]
    pub fn stakeholder(&self, id: &str) -> Option<&Stakeholder> {
        self.stakeholders().find(|one| one.id == id)
    }

    /// Where the mail of a notice's recipient goes; none for one that is no longer in the settings,
    /// or has no mail address.
    #[must_use]
    pub fn address(&self, recipient: &str) -> Option<&str> {
        self.stakeholder(recipient)?.mail.as_deref()
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Every channel, in the order of the settings.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }
}
