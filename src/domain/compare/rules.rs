//! What of a difference is a change, how soon people must know and who.

use std::collections::HashMap;
use std::hash::BuildHasher;

use jiff::civil::Date;

use super::finding::Finding;
use super::{Diff, Upsert, fields, legacy, referees, wording};
use crate::domain::change::{Category, Change, Priority, Stakeholder};
use crate::domain::matchlist::Match;

/// How differences are judged.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The day in the configured time zone.
    pub today: Date,
    /// Whether the older, coarser rule is used, which knows no categories.
    pub legacy: bool,
    /// The priority of every change of a match that is played today.
    pub same_day: Priority,
    /// When the changes were found, RFC 3339 in UTC.
    pub timestamp: String,
}

/// Every change of the list that led to `diff`: one per match and subject, upserts in list order,
/// then those that are gone.
///
/// `old` holds the previous version of every known match in `diff.upserts` and of those gone. A
/// field that is unknown on either side makes no change; a missing list of referees is an empty
/// one. Descriptions hold no personal data; values may hold referees' names.
#[must_use]
pub fn changes<S: BuildHasher>(
    diff: &Diff,
    old: &HashMap<i64, Match, S>,
    rules: &Rules,
) -> Vec<Change> {
    let mut found = Vec::new();
    for upsert in &diff.upserts {
        let before = if upsert.is_new {
            None
        } else {
            old.get(&upsert.id)
        };
        let days = [before.and_then(|m| m.date), upsert.parsed.date];
        let number = [Some(&upsert.parsed), before]
            .into_iter()
            .flatten()
            .map(|m| m.number.as_str())
            .find(|number| !number.is_empty());
        for finding in findings(upsert, before, rules.legacy) {
            found.push(rules.change(upsert.id, number.unwrap_or_default(), days, finding));
        }
    }
    let unknown = Match::default();
    for &id in &diff.gone {
        let before = old.get(&id).unwrap_or(&unknown);
        found.push(rules.change(id, &before.number, [before.date, None], gone(before, rules)));
    }
    found
}

fn findings(upsert: &Upsert, before: Option<&Match>, legacy: bool) -> Vec<Finding> {
    let now = &upsert.parsed;
    match (before, legacy) {
        _ if upsert.is_new => vec![new(now, legacy)],
        (None, _) => Vec::new(),
        (Some(before), true) => legacy::finding(before, now).into_iter().collect(),
        (Some(before), false) => {
            let mut found = referees::findings(&before.referees, &now.referees);
            found.extend(fields::findings(before, now));
            found
        }
    }
}

fn new(now: &Match, legacy: bool) -> Finding {
    let title = wording::title(now);
    if legacy {
        Finding::whole(Category::Unclassified, format!("New match: {title}."))
    } else if now.referees.is_empty() {
        Finding::whole(
            Category::NewMatch,
            format!("New match without referees: {title}."),
        )
    } else {
        let referees = wording::count(now.referees.len(), "referee", "referees");
        let sentence = format!("New match with {referees}: {title}.");
        referees::new_assignment(&now.referees, sentence)
    }
}

/// A match that left the list. One of an unknown day may still be played.
fn gone(before: &Match, rules: &Rules) -> Finding {
    let title = wording::title(before);
    let aged_out = before.date.is_some_and(|date| date < rules.today);
    let (category, sentence) = if aged_out {
        (
            Category::AgedOut,
            format!("The match left the list after its day: {title}."),
        )
    } else {
        (
            Category::AssignmentRemoved,
            format!("The match left the list before its day: {title}."),
        )
    };
    let category = if rules.legacy {
        Category::Unclassified
    } else {
        category
    };
    Finding {
        aged_out,
        ..Finding::whole(category, sentence)
    }
}

impl Rules {
    /// Judges what was found of a match that is or was played on one of `days`.
    fn change(&self, id: i64, number: &str, days: [Option<Date>; 2], found: Finding) -> Change {
        let priority = if found.aged_out {
            Priority::Low
        } else if days.contains(&Some(self.today)) {
            self.same_day
        } else {
            priority(found.category)
        };
        let stakeholders = if found.aged_out {
            &[]
        } else {
            stakeholders(found.category)
        };
        Change {
            match_id: id,
            match_nr: number.to_owned(),
            category: found.category,
            priority,
            affected_stakeholders: stakeholders.to_vec(),
            field_name: found.field.map(str::to_owned),
            previous_value: found.previous,
            current_value: found.current,
            change_description: found.description,
            timestamp: self.timestamp.clone(),
        }
    }
}

/// The priority of a change of a match that is not played today.
const fn priority(category: Category) -> Priority {
    use Category as C;
    match category {
        C::Cancellation => Priority::Critical,
        C::NewAssignment
        | C::RefereeChange
        | C::DateChange
        | C::TimeChange
        | C::AssignmentRemoved => Priority::High,
        C::VenueChange
        | C::TeamChange
        | C::Postponement
        | C::Interruption
        | C::StatusChange
        | C::Unclassified => Priority::Medium,
        C::NewMatch | C::ContactChange | C::CompetitionChange | C::AgedOut => Priority::Low,
    }
}

const fn stakeholders(category: Category) -> &'static [Stakeholder] {
    use Category as C;
    use Stakeholder::{All, Coordinators, Referees, Teams};
    match category {
        C::NewAssignment | C::RefereeChange | C::AssignmentRemoved => &[Referees, Coordinators],
        C::NewMatch | C::ContactChange | C::CompetitionChange => &[Coordinators],
        C::TeamChange => &[Teams, Coordinators],
        C::DateChange
        | C::TimeChange
        | C::VenueChange
        | C::Cancellation
        | C::Postponement
        | C::Interruption
        | C::StatusChange
        | C::Unclassified => &[All],
        C::AgedOut => &[],
    }
}
