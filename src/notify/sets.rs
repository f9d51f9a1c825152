//! Matches that changed, as services are told of them: an entry of the outbox.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::change::{Category, Change};

/// What is stored of matches that changed. The raw objects are read when the set is sent: so a set that
/// comes late, because it was given up and retried, tells what is true then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSet {
    /// Which matches; none if all of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<i64>>,
    /// The changes of these matches.
    pub changes: Vec<Change>,
    /// One sentence.
    pub summary: String,
    /// When the changes were found.
    pub found: Timestamp,
}

impl StoredSet {
    /// The matches that `changes` speak of. `None` if there are no changes that services are told of.
    #[must_use]
    pub fn of(changes: &[Change], summary: &str, found: Timestamp) -> Option<Self> {
        let told = |change: &&Change| change.category != Category::AgedOut;
        let changes: Vec<Change> = changes.iter().filter(told).cloned().collect();
        if changes.is_empty() {
            return None;
        }
        let mut seen = HashSet::new();
        let ids = changes.iter().map(|change| change.match_id);
        Some(Self {
            matches: Some(ids.filter(|&id| seen.insert(id)).collect()),
            changes,
            summary: summary.to_owned(),
            found,
        })
    }

    /// The whole list, as it will be when it is sent.
    #[must_use]
    pub fn whole(found: Timestamp) -> Self {
        Self {
            matches: None,
            changes: Vec::new(),
            summary: "The whole list.".to_owned(),
            found,
        }
    }
}
