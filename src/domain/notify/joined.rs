//! What differs between the before of one piece of news and the now of another.

use super::message::{MatchNews, News, Person, Status, Subject};
use crate::domain::change::{Category, Priority};

/// From the older's before to the newer's now; none if that is the same.
pub(super) fn joined(older: &News, newer: News) -> Option<News> {
    let subject = newer.subject();
    let priority = older.priority.min(newer.priority);
    if subject == Subject::Match {
        return Some(News { priority, ..newer });
    }
    if subject == Subject::Contact {
        let mut contact_fields = older.contact_fields.clone();
        contact_fields.extend(newer.contact_fields);
        contact_fields.sort_unstable();
        contact_fields.dedup();
        return Some(News {
            priority,
            contact_fields,
            ..newer
        });
    }
    let mut joined = News {
        previous_value: older.previous_value.clone(),
        previous_name: older.previous_name.clone(),
        previous_referees: older.previous_referees.clone(),
        ..newer
    };
    let is_back = joined.previous_value == joined.current_value;
    if older.field_name != joined.field_name || is_back {
        // One tells ids and the other names, or the id is what it was under another name: names are
        // what people know.
        joined = News {
            field_name: Some(name_field(subject).to_owned()),
            previous_value: older.before().map(str::to_owned),
            current_value: joined.now().map(str::to_owned),
            previous_referees: joined.previous_referees.clone(),
            ..News::of(joined.category, priority)
        };
    }
    joined.priority = priority;
    if subject == Subject::Referees && joined.category != Category::Unclassified {
        joined.category = match joined.previous_value {
            None => Category::NewAssignment,
            Some(_) => Category::RefereeChange,
        };
    }
    let [before, now] = [&joined.previous_value, &joined.current_value];
    (!is_same(subject, before.as_deref(), now.as_deref())).then_some(joined)
}

/// Whether two values mean the same: the order of referees does not matter, nor what follows a day.
fn is_same(subject: Subject, before: Option<&str>, now: Option<&str>) -> bool {
    let (Some(before), Some(now)) = (before, now) else {
        return before == now;
    };
    let referees = |list: &str| {
        let mut list: Vec<_> = list.split(", ").map(str::to_owned).collect();
        list.sort_unstable();
        list
    };
    match subject {
        Subject::Referees => referees(before) == referees(now),
        Subject::Date => before.get(..10).unwrap_or(before) == now.get(..10).unwrap_or(now),
        _ => before == now,
    }
}

const fn name_field(subject: Subject) -> &'static str {
    match subject {
        Subject::Time => "avsparkstid",
        Subject::Venue => "anlaggningnamn",
        Subject::Home => "lag1namn",
        Subject::Away => "lag2namn",
        Subject::Competition => "tavlingnamn",
        Subject::Date => "speldatum",
        Subject::Cancelled => "installd",
        Subject::Postponed => "uppskjuten",
        Subject::Interrupted => "avbruten",
        Subject::Referees | Subject::Contact | Subject::Match => "domaruppdraglista",
    }
}

/// What differs of a match that went and came back, as if it had never been away.
pub(super) fn differences(older: &MatchNews, newer: &MatchNews) -> Vec<News> {
    let texts = [
        (
            Subject::Date,
            Category::DateChange,
            &older.date,
            &newer.date,
        ),
        (
            Subject::Time,
            Category::TimeChange,
            &older.kickoff,
            &newer.kickoff,
        ),
        (
            Subject::Venue,
            Category::VenueChange,
            &older.venue,
            &newer.venue,
        ),
        (
            Subject::Home,
            Category::TeamChange,
            &older.home,
            &newer.home,
        ),
        (
            Subject::Away,
            Category::TeamChange,
            &older.away,
            &newer.away,
        ),
        (
            Subject::Competition,
            Category::CompetitionChange,
            &older.competition,
            &newer.competition,
        ),
    ];
    let priority = newer.priority();
    let of = |subject, category, before: Option<String>, now: Option<String>| {
        (!is_same(subject, before.as_deref(), now.as_deref())).then(|| News {
            field_name: Some(name_field(subject).to_owned()),
            previous_value: before,
            current_value: now,
            ..News::of(category, priority)
        })
    };
    let some = |text: &String| Some(text.clone());
    let mut found: Vec<News> = texts
        .into_iter()
        .filter_map(|(subject, category, before, now)| {
            of(subject, category, some(before), some(now))
        })
        .collect();
    let [before, now] = [older, newer].map(listed);
    let category = match before {
        None => Category::NewAssignment,
        Some(_) => Category::RefereeChange,
    };
    let referees = of(Subject::Referees, category, before, now);
    found.extend(referees.map(|news| News {
        previous_referees: older.referees.clone(),
        ..news
    }));
    for (status, subject, raised) in [
        (
            Status::Cancelled,
            Subject::Cancelled,
            Category::Cancellation,
        ),
        (
            Status::Postponed,
            Subject::Postponed,
            Category::Postponement,
        ),
        (
            Status::Interrupted,
            Subject::Interrupted,
            Category::Interruption,
        ),
    ] {
        let [before, now] = [older, newer].map(|m| m.status.contains(&status));
        let category = if now { raised } else { Category::StatusChange };
        found.extend(of(
            subject,
            category,
            Some(before.to_string()),
            Some(now.to_string()),
        ));
    }
    found
}

/// The referees as a change tells them.
fn listed(of: &MatchNews) -> Option<String> {
    let one = |p: &Person| format!("{}: {}", p.role, p.name);
    let all: Vec<String> = of.referees.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

impl News {
    /// News without values.
    pub(super) const fn of(category: Category, priority: Priority) -> Self {
        Self {
            category,
            priority,
            field_name: None,
            previous_value: None,
            current_value: None,
            previous_name: None,
            current_name: None,
            contact_fields: Vec::new(),
            previous_referees: Vec::new(),
        }
    }
}
