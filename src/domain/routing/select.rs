//! Whom a change concerns: the one place that decides it.

use std::collections::BTreeMap;

use super::notice::Subject;
use super::parts::{Role, Stakeholder};
use super::rule::{Then, concerns, teams};
use super::{Resolved, Routing};
use crate::domain::change::{Category, Change, Priority, Stakeholder as Audience};
use crate::domain::matchlist::Match;
use crate::domain::notify::Part;

/// Why somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Referees the match.
    Referee,
    /// Refereed the match until now.
    FormerReferee,
    /// Coordinates all matches.
    Coordinator,
    /// Plays the match, or did until now.
    Team,
    /// The rule with this name.
    Rule(String),
}

/// Why somebody is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is told of matches that left the list after their day.
    AgedOut,
    /// It is not active.
    Inactive,
    /// It is not active, and there is no channel by which it could be told.
    Unreachable,
    /// The change is less than its minimum priority.
    BelowMinimum(Priority),
    /// It wants to hear of other categories only.
    Unwanted,
    /// The rule with this name says that nobody is told.
    Skipped(String),
    /// The rule with this name says that others are told in its place.
    Instead(String),
    /// Changes of this category are none of its role's.
    NotOfRole(Role),
    /// It is not on this match.
    NotOnMatch,
}

/// Somebody who is told.
pub(super) struct Told {
    pub causes: Vec<Cause>,
    /// Indices of channels, each once.
    pub ways: Vec<usize>,
}

/// Whom a change concerns, by index, before what each wants to hear is asked.
pub(super) type Concerned = BTreeMap<usize, Told>;

/// What rules make of those whom a role says.
pub(super) enum ByRole<'a> {
    /// They are told.
    Told,
    /// This rule says that nobody is.
    Skipped(&'a Resolved),
    /// This rule says that others are.
    Instead(&'a Resolved),
}

impl Routing {
    /// Whom a change concerns by rules and roles.
    pub(super) fn concerned(&self, subject: &Subject<'_>) -> (Concerned, ByRole<'_>) {
        let mut found = Concerned::new();
        if subject.change.category == Category::AgedOut {
            return (found, ByRole::Told);
        }
        let by_role = self.by_rules(subject, &mut found);
        if matches!(by_role, ByRole::Told) {
            self.by_role(subject, |cause, n| self.add(&mut found, n, cause, None));
        }
        (found, by_role)
    }

    fn by_rules(&self, subject: &Subject<'_>, found: &mut Concerned) -> ByRole<'_> {
        let mut by_role = ByRole::Told;
        for one in self.rules.iter().filter(|one| one.rule.applies(subject)) {
            let Then::Notify { instead, .. } = &one.rule.then else {
                return match by_role {
                    ByRole::Told => ByRole::Skipped(one),
                    decided => decided,
                };
            };
            for &n in &one.people {
                let cause = Cause::Rule(one.rule.name.clone());
                self.add(found, n, cause, one.ways.as_deref());
            }
            if *instead && matches!(by_role, ByRole::Told) {
                by_role = ByRole::Instead(one);
            }
        }
        by_role
    }

    /// Somebody for whom several rules or roles speak is told once by each of the channels that
    /// they say together.
    fn add(&self, found: &mut Concerned, n: usize, cause: Cause, ways: Option<&[usize]>) {
        let told = found.entry(n).or_insert_with(|| Told {
            causes: Vec::new(),
            ways: Vec::new(),
        });
        if !told.causes.contains(&cause) {
            told.causes.push(cause);
        }
        for way in ways.unwrap_or(&self.people[n].ways) {
            if !told.ways.contains(way) {
                told.ways.push(*way);
            }
        }
    }

    fn by_role(&self, subject: &Subject<'_>, mut tell: impl FnMut(Cause, usize)) {
        let affected = &subject.change.affected_stakeholders;
        if concerns(affected, Audience::Referees) {
            let of = |m: Option<&Match>| -> Vec<usize> {
                let referees = m.into_iter().flat_map(|m| &m.referees);
                referees.flat_map(|one| self.index.referee(one)).collect()
            };
            let (now, before) = (of(subject.current), of(subject.previous));
            for n in before.into_iter().filter(|n| !now.contains(n)) {
                tell(Cause::FormerReferee, n);
            }
            for n in now {
                tell(Cause::Referee, n);
            }
        }
        if concerns(affected, Audience::Coordinators) {
            for &n in self.index.coordinators() {
                tell(Cause::Coordinator, n);
            }
        }
        if concerns(affected, Audience::Teams) {
            let found = subject.matches().flat_map(teams);
            for n in found.flat_map(|team| self.index.team(team)) {
                tell(Cause::Team, n);
            }
        }
    }
}

impl Routing {
    /// What became of the stakeholder with this id, if it is a referee, between two states of a match;
    /// none if nothing did.
    #[must_use]
    pub fn part(&self, id: &str, before: &Match, now: &Match) -> Option<Part> {
        let referees = |m: &Match| {
            let found = m.referees.iter().flat_map(|one| self.index.referee(one));
            found
                .into_iter()
                .any(|n| self.people[n].stakeholder.id == id)
        };
        match (referees(before), referees(now)) {
            (false, true) => Some(Part::Appointed),
            (true, false) => Some(Part::Replaced),
            _ => None,
        }
    }
}

/// What somebody whom a change concerns says against being told of it.
pub(super) fn refusal(stakeholder: &Stakeholder, change: &Change) -> Option<Refusal> {
    let wanted = stakeholder.categories.as_ref();
    if !stakeholder.is_active {
        Some(match stakeholder.channels.is_empty() {
            true => Refusal::Unreachable,
            false => Refusal::Inactive,
        })
    } else if wanted.is_some_and(|wanted| !wanted.contains(&change.category)) {
        Some(Refusal::Unwanted)
    } else if change.priority > stakeholder.minimum {
        // The most urgent one is declared first.
        Some(Refusal::BelowMinimum(stakeholder.minimum))
    } else {
        None
    }
}
