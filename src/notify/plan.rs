//! From what a cycle found to the messages that go into its transaction.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::StoredSet;
use crate::clock::unix_seconds;
use crate::domain::change::{Change, Priority};
use crate::domain::delivery::{DIGEST, Destination, Lane, MATCH_UPDATES, MESSAGE};
use crate::domain::matchlist::Match;
use crate::domain::notify::{MatchNews, Message, MessageKind, Stored};
use crate::domain::routing::{Notice, Routing, Subject, When};
use crate::store::NewDelivery;

/// What a cycle found.
#[derive(Debug)]
pub struct Findings<'a> {
    /// What changed.
    pub changes: &'a [Change],
    /// Matches that are new or differ: as they are now.
    pub current: HashMap<i64, &'a Match>,
    /// Matches that differ or are gone: as they were.
    pub previous: &'a HashMap<i64, Match>,
    /// One sentence.
    pub summary: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Plans what people and services are told.
#[derive(Debug)]
pub struct Planner {
    /// Which people, and how.
    pub routing: Arc<Routing>,
    /// Which services.
    pub services: Vec<Lane>,
}

impl Planner {
    /// The messages about these findings.
    #[must_use]
    pub fn plan(&self, findings: &Findings<'_>) -> Vec<NewDelivery> {
        if findings.changes.is_empty() || (self.routing.is_empty() && self.services.is_empty()) {
            return Vec::new();
        }
        let mut planned = self.services(findings);
        planned.extend(self.people(findings));
        planned
    }

    fn services(&self, findings: &Findings<'_>) -> Vec<NewDelivery> {
        if self.services.is_empty() {
            return Vec::new();
        }
        let set = StoredSet::of(findings.changes, findings.summary, findings.at);
        let Some(set) = set else {
            return Vec::new();
        };
        let priority = set.changes.iter().map(|change| change.priority).min();
        let is_there = |id: &i64| findings.current.contains_key(id);
        let has_matches = set.matches.iter().flatten().any(is_there);
        let lanes = self.services.iter();
        // The calendar service reads matches, and nothing of one that is gone.
        let lanes = lanes.filter(|lane| has_matches || lane.kind != Destination::Calendar);
        lanes
            .map(|lane| service(lane, MATCH_UPDATES, &set, priority.unwrap_or(Priority::Low)))
            .collect()
    }

    fn people(&self, findings: &Findings<'_>) -> Vec<NewDelivery> {
        let subject = |change| {
            let change: &Change = change;
            Subject {
                change,
                current: findings.current.get(&change.match_id).copied(),
                previous: findings.previous.get(&change.match_id),
            }
        };
        let subjects: Vec<_> = findings.changes.iter().map(subject).collect();
        let notices = self.routing.route(&subjects, findings.at);
        let message = |notice: Notice| message(&notice, &subjects);
        notices.into_iter().filter_map(message).collect()
    }
}

/// A set of matches as an entry of the outbox.
#[must_use]
pub fn service(lane: &Lane, kind: &str, set: &StoredSet, priority: Priority) -> NewDelivery {
    NewDelivery {
        lane: lane.clone(),
        recipient: String::new(),
        match_id: 0,
        kind: kind.to_owned(),
        priority,
        not_before: None,
        digest: [0; 16],
        payload: serde_json::to_string(set).unwrap_or_default(),
    }
}

fn message(notice: &Notice, subjects: &[Subject<'_>]) -> Option<NewDelivery> {
    let told: Vec<&Subject<'_>> = notice
        .changes
        .iter()
        .filter_map(|&index| subjects.get(index))
        .collect();
    let first = told.first()?;
    let changes: Vec<&Change> = told.iter().map(|subject| subject.change).collect();
    let news = MatchNews::of(first.previous, first.current, &changes)?;
    let mut message = Message::changes(notice.language, news);
    let (match_id, kind) = match notice.when {
        When::Digest(_) => {
            message.kind = MessageKind::Digest;
            (0, DIGEST)
        }
        When::Now | When::NotBefore(_) => (notice.match_id, MESSAGE),
    };
    let Stored { payload, priority } = Stored::of(&message);
    Some(NewDelivery {
        lane: notice.channel.clone(),
        recipient: notice.recipient.clone(),
        match_id,
        kind: kind.to_owned(),
        priority,
        not_before: notice.when.moment().map(unix_seconds),
        digest: [0; 16],
        payload,
    })
}
