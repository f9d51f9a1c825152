//! What a cycle found, in numbers and in one sentence.

use std::collections::{BTreeMap, HashSet};

use super::{Diff, wording};
use crate::domain::change::{Category, Change};

/// What a cycle found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Matches that were not known.
    pub new: usize,
    /// Known matches, still in the list, with at least one change.
    pub updated: usize,
    /// Matches that left the list, whether before or after their day.
    pub removed: usize,
    /// Changes of each category.
    pub by_category: BTreeMap<Category, usize>,
}

impl Counts {
    /// Counts the `changes` that were found in `diff`.
    #[must_use]
    pub fn of(diff: &Diff, changes: &[Change]) -> Self {
        let known: HashSet<i64> = diff
            .upserts
            .iter()
            .filter(|u| !u.is_new)
            .map(|u| u.id)
            .collect();
        let touched: HashSet<i64> = changes.iter().map(|c| c.match_id).collect();
        let mut by_category = BTreeMap::new();
        for change in changes {
            *by_category.entry(change.category).or_default() += 1;
        }
        Self {
            new: diff.upserts.iter().filter(|u| u.is_new).count(),
            updated: touched.intersection(&known).count(),
            removed: diff.gone.len(),
            by_category,
        }
    }
}

/// One sentence: `10 matches updated: 2 venue changes, 1 date change`, or `No changes`.
#[must_use]
pub fn summary(counts: &Counts) -> String {
    let parts: Vec<String> = [
        (counts.new, "new match", "new matches"),
        (counts.updated, "match updated", "matches updated"),
        (counts.removed, "match removed", "matches removed"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| wording::count(number, one, many))
    .collect();
    if parts.is_empty() {
        return "No changes".to_owned();
    }
    let categories: Vec<String> = counts
        .by_category
        .iter()
        .map(|(category, number)| {
            let (one, many) = words(*category);
            wording::count(*number, one, many)
        })
        .collect();
    if categories.is_empty() {
        return parts.join(", ");
    }
    format!("{}: {}", parts.join(", "), categories.join(", "))
}

/// A category's name for one change and for several.
const fn words(category: Category) -> (&'static str, &'static str) {
    match category {
        Category::NewAssignment => ("new assignment", "new assignments"),
        Category::NewMatch => ("new match without referees", "new matches without referees"),
        Category::RefereeChange => ("referee change", "referee changes"),
        Category::ContactChange => ("contact change", "contact changes"),
        Category::DateChange => ("date change", "date changes"),
        Category::TimeChange => ("time change", "time changes"),
        Category::VenueChange => ("venue change", "venue changes"),
        Category::TeamChange => ("team change", "team changes"),
        Category::Cancellation => ("cancellation", "cancellations"),
        Category::Postponement => ("postponement", "postponements"),
        Category::Interruption => ("interruption", "interruptions"),
        Category::StatusChange => ("status change", "status changes"),
        Category::CompetitionChange => ("competition change", "competition changes"),
        Category::AssignmentRemoved => ("assignment removed", "assignments removed"),
        Category::AgedOut => ("match past its day", "matches past their day"),
        Category::Unclassified => ("change", "changes"),
    }
}
