//! Messages as the JSON of a webhook.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AlertNews, MatchNews, Message, MessageKind, News, Subject};

/// Most matches of one event: some hundred kilobytes, which servers take without being told to.
pub(super) const MOST_MATCHES: usize = 500;

/// An event, as one request sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which of several events of its message it is, from 1; none if it is the only one. What its
    /// message tells can shrink between attempts: so does the event that told it then, and no other.
    pub number: Option<usize>,
    /// What is sent.
    pub body: Value,
}

/// The events of a message: `{"type", "timestamp", "data"}`, the same in every language. There is one,
/// but of a digest of more than 500 matches as many as it needs, each whole, the most urgent first.
///
/// | `type` | `data` |
/// |---|---|
/// | `match.changed` | `{"match": {…}, "changes": [{…}]}` |
/// | `matches.changed` | `{"matches": [{"match": {…}, "changes": [{…}]}], "more": 0}`: a digest |
/// | `system.alert`, `system.recovered` | `{"alerts": [{…}]}` |
/// | `test` | `{}` |
///
/// `timestamp` (RFC 3339, UTC) is when the latest change was found, or when the trouble began or
/// ended; it is `now` only in a test. A match has `match_id`, `match_nr`, `home`, `away`, `competition`,
/// `date` (`YYYY-MM-DD`), `kickoff` (Swedish local time), `venue` (empty strings if unknown),
/// `referees` (`name`, `role`), `status` (of `cancelled`, `postponed`, `interrupted`), `is_new`,
/// `is_gone` and `url`. A change has `category`, `subject`, `priority`, `field_name`, `previous_value`,
/// `current_value` (as in the list), `previous_name` and `current_name` (what people call an id), and
/// `contact_fields` (names of fields, never their values). `more` is how many matches of the digest come
/// in the events after this one. An alert has `kind`, `subject`, `since`, `until`, `count` and `detail`.
pub fn events(message: &Message, now: Timestamp) -> impl Iterator<Item = Event> {
    let mut parts: BTreeMap<Option<usize>, Vec<&MatchNews>> = BTreeMap::new();
    let of = numbers(message);
    for (n, one) in message.matches.iter().enumerate() {
        parts.entry(of(n, one)).or_default().push(one);
    }
    if parts.is_empty() {
        parts.insert(None, Vec::new());
    }
    let mut more = message.matches.len();
    parts.into_iter().map(move |(number, part)| {
        more -= part.len();
        Event {
            number,
            body: body(message, &part, more, now),
        }
    })
}

/// Tells which event tells of the nth match. What was never in the outbox is divided as it would be
/// there.
fn numbers(message: &Message) -> impl Fn(usize, &MatchNews) -> Option<usize> {
    let is_digest = message.kind == MessageKind::Digest;
    let is_long = message.matches.len() > MOST_MATCHES;
    let is_divided = message.matches.iter().any(|one| one.event.is_some());
    move |n, one| match (is_digest, is_divided) {
        (false, _) => None,
        (true, true) => one.event,
        (true, false) => is_long.then_some(n / MOST_MATCHES + 1),
    }
}

fn body(message: &Message, matches: &[&MatchNews], more: usize, now: Timestamp) -> Value {
    let (kind, data) = match (message.kind, matches) {
        (MessageKind::Test, _) => ("test", json!({})),
        (MessageKind::Alert, _) => ("system.alert", alerts(message)),
        (MessageKind::Recovery, _) => ("system.recovered", alerts(message)),
        (MessageKind::Changes, [only]) => ("match.changed", of_match(only)),
        (MessageKind::Changes | MessageKind::Digest, all) => {
            let told: Vec<Value> = all.iter().map(|one| of_match(one)).collect();
            ("matches.changed", json!({ "matches": told, "more": more }))
        }
    };
    let times = matches.iter().map(|m| &m.found_at);
    let times = times.chain(
        message
            .alerts
            .iter()
            .map(|a| a.until.as_ref().unwrap_or(&a.since)),
    );
    let latest = times
        .filter_map(|time| time.parse::<Timestamp>().ok())
        .max();
    json!({
        "type": kind,
        "timestamp": latest.unwrap_or(now).to_string(),
        "data": data,
    })
}

fn of_match(m: &MatchNews) -> Value {
    let changes: Vec<Value> = m.told().into_iter().map(of_news).collect();
    json!({
        "match": {
            "match_id": m.match_id,
            "match_nr": m.match_nr,
            "home": m.home,
            "away": m.away,
            "competition": m.competition,
            "date": m.date,
            "kickoff": m.kickoff,
            "venue": m.venue,
            "referees": m.referees,
            "status": m.status,
            "is_new": m.is_new,
            "is_gone": m.is_gone,
            "url": m.url(),
        },
        "changes": changes,
    })
}

fn of_news(news: &News) -> Value {
    let subject: Subject = news.subject();
    json!({
        "category": news.category,
        "subject": subject,
        "priority": news.priority,
        "field_name": news.field_name,
        "previous_value": news.previous_value,
        "current_value": news.current_value,
        "previous_name": news.previous_name,
        "current_name": news.current_name,
        "contact_fields": news.contact_fields,
    })
}

fn alerts(message: &Message) -> Value {
    let of = |a: &AlertNews| {
        json!({
            "kind": a.kind,
            "subject": a.subject,
            "since": a.since,
            "until": a.until,
            "count": a.count,
            "detail": a.detail,
        })
    };
    let all: Vec<Value> = message.alerts.iter().map(of).collect();
    json!({ "alerts": all })
}
