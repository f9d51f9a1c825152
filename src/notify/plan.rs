//! From what a cycle found to the messages that go into its transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

/// So many messages of one cycle a person reads one by one; more come as one.
const MOST_AT_ONCE: usize = 20;

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
        let told = notices
            .into_iter()
            .filter_map(|notice| Some((self.message(&notice, &subjects)?, notice)));
        gathered(told.collect())
    }

    fn message(&self, notice: &Notice, subjects: &[Subject<'_>]) -> Option<Message> {
        let told: Vec<&Subject<'_>> = notice
            .changes
            .iter()
            .filter_map(|&index| subjects.get(index))
            .collect();
        let first = told.first()?;
        let changes: Vec<&Change> = told.iter().map(|subject| subject.change).collect();
        let mut news = MatchNews::of(first.previous, first.current, &changes)?;
        news.reader = match (first.previous, first.current) {
            (Some(before), Some(now)) => self.routing.part(&notice.recipient, before, now),
            _ => None,
        };
        Some(Message::changes(notice.language, news))
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

/// One entry for each match, but one for all that a reader wants in a digest or cannot read one by
/// one: a new season is one message. Programs can, and what is critical must not be overlooked.
fn gathered(told: Vec<(Message, Notice)>) -> Vec<NewDelivery> {
    let alone = |one: &(Message, Notice)| !matches!(one.1.when, When::Digest(_));
    let is_read_slowly = |(message, notice): &(Message, Notice)| {
        message.priority != Priority::Critical && notice.channel.kind != Destination::Webhook
    };
    let mut waiting: HashMap<(Lane, String), usize> = HashMap::new();
    for one in told.iter().filter(|one| alone(one) && is_read_slowly(one)) {
        *waiting.entry(reader(&one.1)).or_default() += 1;
    }
    let mut planned: Vec<(Message, Notice)> = Vec::new();
    let mut digests: HashMap<(Lane, String), usize> = HashMap::new();
    for one in told {
        let reader = reader(&one.1);
        let is_flood = waiting.get(&reader).is_some_and(|&n| n > MOST_AT_ONCE);
        if alone(&one) && !(is_flood && is_read_slowly(&one)) {
            planned.push(one);
            continue;
        }
        let (message, notice) = one;
        let moment = notice.when.moment();
        match digests.entry(reader) {
            Entry::Occupied(place) => {
                let (digest, first) = &mut planned[*place.get()];
                digest.priority = digest.priority.min(message.priority);
                digest.matches.extend(message.matches);
                if moment < first.when.moment() {
                    first.when = notice.when;
                }
            }
            Entry::Vacant(place) => {
                place.insert(planned.len());
                let kind = MessageKind::Digest;
                planned.push((Message { kind, ..message }, notice));
            }
        }
    }
    planned.into_iter().map(entry).collect()
}

fn reader(notice: &Notice) -> (Lane, String) {
    (notice.channel.clone(), notice.recipient.clone())
}

fn entry((mut message, notice): (Message, Notice)) -> NewDelivery {
    let (match_id, kind) = match message.kind {
        MessageKind::Digest => (0, DIGEST),
        _ => (notice.match_id, MESSAGE),
    };
    message.sort();
    message.divide();
    let Stored { payload, priority } = Stored::of(&message);
    NewDelivery {
        lane: notice.channel,
        recipient: notice.recipient,
        match_id,
        kind: kind.to_owned(),
        priority,
        not_before: notice.when.moment().map(unix_seconds),
        digest: [0; 16],
        payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notify::Language;

    fn told(channel: &str, match_id: i64, priority: Priority, when: When) -> (Message, Notice) {
        use crate::domain::change::Category;
        use crate::domain::notify::News;
        let news = News {
            category: Category::TimeChange,
            priority,
            field_name: Some("avsparkstid".to_owned()),
            previous_value: Some("18:00".to_owned()),
            current_value: Some("19:00".to_owned()),
            previous_name: None,
            current_name: None,
            contact_fields: Vec::new(),
            previous_referees: Vec::new(),
        };
        let news = MatchNews {
            match_id,
            news: vec![news],
            ..MatchNews::default()
        };
        let notice = Notice {
            channel: Lane::from_key(channel).unwrap(),
            recipient: "anna".to_owned(),
            language: Language::English,
            when,
            match_id,
            changes: vec![0],
        };
        (Message::changes(Language::English, news), notice)
    }

    /// The matches that each entry tells of.
    fn matches(planned: &[NewDelivery]) -> Vec<(&str, usize)> {
        let one = |entry| {
            let entry: &NewDelivery = entry;
            let message: Message = serde_json::from_str(&entry.payload).unwrap();
            (entry.kind.as_str(), message.matches.len())
        };
        planned.iter().map(one).collect()
    }

    #[test]
    fn a_flood_for_a_person_is_one_message_and_what_is_critical_is_told_alone() {
        let flood = |channel: &str, many: usize| {
            let ids = 1..=i64::try_from(many).unwrap();
            let mut all: Vec<_> = ids
                .map(|id| told(channel, id, Priority::Medium, When::Now))
                .collect();
            all.push(told(channel, 9_999, Priority::Critical, When::Now));
            gathered(all)
        };
        let few = flood("mail", MOST_AT_ONCE);
        assert_eq!(matches(&few), [(MESSAGE, 1); MOST_AT_ONCE + 1]);
        let many = flood("mail", 1_000);
        assert_eq!(matches(&many), [(DIGEST, 1_000), (MESSAGE, 1)]);
        assert_eq!((many[0].not_before, many[1].match_id), (None, 9_999));
        let program = flood("webhook:club", 1_000);
        assert_eq!(program.len(), 1_001, "programs read them one by one");
    }

    #[test]
    fn a_digest_is_one_entry_and_begins_with_what_matters_most() {
        let evening = When::Digest(Timestamp::from_second(7_200).unwrap());
        let all = [Priority::Low, Priority::High, Priority::Low];
        let all = (1..).zip(all);
        let all = all.map(|(id, priority)| told("mail", id, priority, evening));
        let planned = gathered(all.collect());
        assert_eq!(matches(&planned), [(DIGEST, 3)]);
        let message: Message = serde_json::from_str(&planned[0].payload).unwrap();
        let ids: Vec<i64> = message.matches.iter().map(|one| one.match_id).collect();
        assert_eq!(ids, [2, 1, 3]);
        assert_eq!(planned[0].priority, Priority::High);
        assert_eq!(planned[0].not_before, Some(7_200.0));
    }
}
