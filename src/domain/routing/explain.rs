//! Why somebody is told of a change and somebody else is not.

use super::notice::Subject;
use super::parts::{Role, Stakeholder};
use super::rule::{Then, concerns};
use super::select::{ByRole, Cause, Concerned, Refusal, refusal};
use super::{Person, Resolved, Routing};
use crate::domain::change::{Category, Stakeholder as Audience};
use crate::domain::delivery::Lane;

/// What becomes of one change.
#[derive(Clone, Debug)]
pub struct Explained<'a> {
    /// Each rule in its order.
    pub rules: Vec<RuleAnswer<'a>>,
    /// Each stakeholder in the order of the settings.
    pub verdicts: Vec<Verdict<'a>>,
}

/// What a rule says of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleAnswer<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it leads to.
    pub then: &'a Then,
    /// Whether it applies.
    pub applies: bool,
    /// Whether it is asked at all: none is below one that says that nobody is told.
    pub is_asked: bool,
}

/// What becomes of a change for one stakeholder.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// For whom.
    pub stakeholder: &'a Stakeholder,
    /// What.
    pub outcome: Outcome,
}

/// Whether somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Told {
        /// Why.
        causes: Vec<Cause>,
        /// By which channels.
        channels: Vec<Lane>,
    },
    /// It is not.
    NotTold(Refusal),
}

impl Routing {
    /// Who is told of a change, by which channel and why; and who is not, and why not. When, the
    /// notices say that [`Routing::route`] makes of it.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>) -> Explained<'_> {
        let (mut concerned, by_role) = self.concerned(subject);
        let each = self.people.iter().enumerate();
        let verdicts = each.map(|(n, person)| Verdict {
            stakeholder: &person.stakeholder,
            outcome: self.outcome(subject, (n, person), &mut concerned, &by_role),
        });
        Explained {
            verdicts: verdicts.collect(),
            rules: self.rule_answers(subject),
        }
    }

    fn outcome(
        &self,
        subject: &Subject<'_>,
        (n, person): (usize, &Person),
        concerned: &mut Concerned,
        by_role: &ByRole<'_>,
    ) -> Outcome {
        let stakeholder = &person.stakeholder;
        let told = concerned.remove(&n);
        let refused = match &told {
            Some(_) => refusal(stakeholder, subject.change),
            None => Some(unconcerned(stakeholder, subject, by_role)),
        };
        match (told, refused) {
            (Some(told), None) => {
                let channel = |way: &usize| self.channels[*way].lane();
                Outcome::Told {
                    channels: told.ways.iter().map(channel).collect(),
                    causes: told.causes,
                }
            }
            (_, refused) => Outcome::NotTold(refused.unwrap_or(Refusal::NotOnMatch)),
        }
    }

    fn rule_answers(&self, subject: &Subject<'_>) -> Vec<RuleAnswer<'_>> {
        let mut is_asked = subject.change.category != Category::AgedOut;
        let mut answers = Vec::with_capacity(self.rules.len());
        for Resolved { rule, .. } in &self.rules {
            let applies = rule.applies(subject);
            answers.push(RuleAnswer {
                name: &rule.name,
                then: &rule.then,
                applies,
                is_asked,
            });
            is_asked &= !(applies && rule.then == Then::Skip);
        }
        answers
    }
}

/// Why a change does not concern somebody.
fn unconcerned(stakeholder: &Stakeholder, subject: &Subject<'_>, by_role: &ByRole<'_>) -> Refusal {
    let change = subject.change;
    let role = stakeholder.role;
    if change.category == Category::AgedOut {
        return Refusal::AgedOut;
    }
    if !stakeholder.is_active {
        return Refusal::Inactive;
    }
    let rule = match by_role {
        ByRole::Told => None,
        ByRole::Skipped(one) => Some(Refusal::Skipped(one.rule.name.clone())),
        ByRole::Instead(one) => Some(Refusal::Instead(one.rule.name.clone())),
    };
    let audience = match role {
        Role::Referee => Audience::Referees,
        Role::Coordinator => Audience::Coordinators,
        Role::Team => Audience::Teams,
        Role::Operator => return Refusal::NotOfRole(role),
    };
    match (concerns(&change.affected_stakeholders, audience), rule) {
        (false, _) => Refusal::NotOfRole(role),
        (true, Some(rule)) => rule,
        (true, None) => Refusal::NotOnMatch,
    }
}
