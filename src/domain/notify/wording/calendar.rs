//! Matches as calendar entries (RFC 5545).
//!
//! Written here, because the crate for it leaves a last line of 76 octets, asks the clock for what it
//! is not told, and brings another parser.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::phrases::Speech;
use super::when;
use crate::domain::change::Category;
use crate::domain::notify::clean::shown;
use crate::domain::notify::{MatchNews, Message, News, Part, Status, Subject};

/// Most matches in one file.
const MOST_MATCHES: usize = 50;

/// How long a match takes in a calendar: two halves, the break, and what is added.
const HOURS: &str = "PT2H";

/// Sequence numbers count seconds from here, so that they fit into 31 bits for long.
const EPOCH: i64 = 1_577_836_800;

crate::labels! {
    /// What a calendar is asked to do, for the header of the attachment.
    Method {
        /// To enter or change.
        Publish => "PUBLISH",
        /// To take out.
        Cancel => "CANCEL",
    }
}

/// A calendar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// What it asks for; it stands in the file, too.
    pub method: Method,
    /// The file, its lines ending in CR LF and folded at 75 octets.
    pub text: String,
}

/// The entries of the matches whose day, time, venue or being played changed, that are new with their
/// referees, or whose reader came or went as a referee; none if there is no such match. A match of an unknown day has no entry.
pub(super) fn of(
    message: &Message,
    speech: Speech<'_>,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Calendar> {
    let entries: Vec<(&MatchNews, Date)> = message
        .matches
        .iter()
        .filter(|m| m.reader.is_some() || m.told().iter().any(|news| moves(news)))
        .filter_map(|m| Some((m, when::date(&m.date)?)))
        .take(MOST_MATCHES)
        .collect();
    if entries.is_empty() {
        return None;
    }
    // One file asks for one thing; among several matches a status tells those that are off.
    let method = match entries.iter().all(|(m, _)| is_off(m)) {
        true => Method::Cancel,
        false => Method::Publish,
    };
    let mut lines = Lines::default();
    lines.add("BEGIN", "VCALENDAR");
    lines.add("VERSION", "2.0");
    lines.add("PRODID", "-//match-list-processor//EN");
    lines.add("CALSCALE", "GREGORIAN");
    lines.add("METHOD", method.label());
    for (m, day) in entries {
        event(&mut lines, (m, day), speech, zone, now);
    }
    lines.add("END", "VCALENDAR");
    Some(Calendar {
        method,
        text: lines.0,
    })
}

/// Whether a calendar shows it.
fn moves(news: &News) -> bool {
    matches!(
        news.subject(),
        Subject::Date
            | Subject::Time
            | Subject::Venue
            | Subject::Cancelled
            | Subject::Postponed
            | Subject::Interrupted
    ) || matches!(
        news.category,
        Category::NewAssignment | Category::AssignmentRemoved
    )
}

/// Whether it is not played when and where it was to be, or its reader has no part in it any more.
fn is_off(m: &MatchNews) -> bool {
    m.is_gone || m.reader == Some(Part::Replaced) || m.status.contains(&Status::Cancelled)
}

fn event(
    lines: &mut Lines,
    (m, day): (&MatchNews, Date),
    speech: Speech<'_>,
    zone: &TimeZone,
    now: Timestamp,
) {
    lines.add("BEGIN", "VEVENT");
    // The same for as long as the match is known, so that a calendar finds its entry again.
    lines.add("UID", &format!("match-{}@match-list-processor", m.match_id));
    lines.add("DTSTAMP", &utc(now));
    lines.add("SEQUENCE", &sequence(m, now).to_string());
    let status = match (is_off(m), m.status.contains(&Status::Postponed)) {
        (true, _) => "CANCELLED",
        (false, true) => "TENTATIVE",
        (false, false) => "CONFIRMED",
    };
    lines.add("STATUS", status);
    match when::kicks_off(&m.date, &m.kickoff, zone) {
        Some(at) => {
            lines.add("DTSTART", &utc(at));
            lines.add("DURATION", HOURS);
        }
        None => lines.add("DTSTART;VALUE=DATE", &day.strftime("%Y%m%d").to_string()),
    }
    // Who publishes an entry must be named, and nobody must be answered.
    lines.add(
        "ORGANIZER;CN=match-list-processor",
        "mailto:nobody@match-list-processor.invalid",
    );
    let (home, away) = (team(speech, &m.home), team(speech, &m.away));
    let name = speech.with("match-name", &[("home", &home), ("away", &away)]);
    lines.add_text("SUMMARY", &name);
    lines.add_text("LOCATION", &shown(&m.venue));
    lines.add_text("DESCRIPTION", &description(m, speech));
    lines.add("URL", &m.url());
    lines.add("END", "VEVENT");
}

/// The lines of a file.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Longest line, in octets, without its end.
    const LONGEST: usize = 75;

    /// A property, folded between characters.
    fn add(&mut self, name: &str, value: &str) {
        let mut length = 0;
        for c in name.chars().chain([':']).chain(value.chars()) {
            if length + c.len_utf8() > Self::LONGEST {
                self.0.push_str("\r\n ");
                length = 1;
            }
            self.0.push(c);
            length += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// A property that is a text; one without a value is left out.
    fn add_text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut value = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            match c {
                '\n' => value.push_str("\\n"),
                '\\' | ';' | ',' => value.extend(['\\', c]),
                c => value.push(c),
            }
        }
        self.add(name, &value);
    }
}

/// Grows with each change, and is the same when the same change is sent again.
fn sequence(m: &MatchNews, now: Timestamp) -> i64 {
    let at = m.found_at.parse().unwrap_or(now);
    (at.as_second() - EPOCH).max(0)
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn team(speech: Speech<'_>, name: &str) -> String {
    match shown(name) {
        name if name.is_empty() => speech.say("unknown-team"),
        name => name,
    }
}

/// Everything that is not a property of its own, a line each.
fn description(m: &MatchNews, speech: Speech<'_>) -> String {
    let mut lines = Vec::new();
    let number = shown(&m.match_nr);
    if !number.is_empty() {
        let label = speech.say("label-number");
        lines.push(speech.with("fact", &[("label", &label), ("value", &number)]));
    }
    lines.push(shown(&m.competition));
    for person in &m.referees {
        let (role, name) = (shown(&person.role), shown(&person.name));
        lines.push(speech.with("fact", &[("label", &role), ("value", &name)]));
    }
    lines.push(m.url());
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
