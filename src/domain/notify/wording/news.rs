//! One thing that changed, in words.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::phrases::Speech;
use super::when;
use crate::domain::change::Category;
use crate::domain::notify::clean::shown;
use crate::domain::notify::{MatchNews, News, Person, Subject};

/// One thing that changed, as a template sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NewsView {
    pub category: &'static str,
    pub subject: &'static str,
    pub priority: &'static str,
    /// What it is about, e.g. `Avspark`.
    pub label: String,
    /// The value before, in words; empty if it is not told or not another for people.
    pub before: String,
    /// The value now, in words; empty if it is not told.
    pub now: String,
    /// All of it in sentences, one or more.
    pub lines: Vec<String>,
}

impl NewsView {
    pub fn of(news: &News, of: &MatchNews, speech: Speech<'_>, zone: &TimeZone) -> Self {
        let subject = news.subject();
        let label = speech.say(label(subject));
        let (before, now) = values(news, speech, zone);
        let mut view = Self {
            category: news.category.label(),
            subject: subject.label(),
            priority: news.priority.label(),
            label,
            before,
            now,
            lines: Vec::new(),
        };
        view.lines = match subject {
            Subject::Referees => referees(news, of, speech),
            Subject::Contact => vec![contact(news, speech)],
            Subject::Match | Subject::Cancelled | Subject::Postponed | Subject::Interrupted => {
                vec![speech.say(&format!("line-{}", whole(news, of)))]
            }
            _ => vec![view.changed(speech)],
        };
        view
    }

    /// `Avspark: 19:00 → 18:30`.
    fn changed(&mut self, speech: Speech<'_>) -> String {
        for value in [&mut self.before, &mut self.now] {
            if value.is_empty() {
                *value = speech.say("unknown");
            }
        }
        let label = ("label", self.label.as_str());
        if self.before == self.now {
            self.before.clear();
            return speech.with("same-name", &[label, ("value", &self.now)]);
        }
        let (before, now) = (("before", &*self.before), ("now", &*self.now));
        speech.with("change", &[label, before, now])
    }
}

/// How the most important piece of news begins a title: with its value, and without where that
/// would be too long.
pub(super) fn headline(
    told: &[&News],
    of: &MatchNews,
    speech: Speech<'_>,
    zone: &TimeZone,
) -> [String; 2] {
    let Some(first) = told.first() else {
        let changed = speech.say("head-changed");
        return [changed.clone(), changed];
    };
    let (before, now) = values(first, speech, zone);
    if before == now && !now.is_empty() {
        // Only an id differs: it is not a new one for people.
        let changed = speech.say("head-changed");
        return [changed.clone(), changed];
    }
    let with = |key: &str, now: &str| {
        let short = speech.say(key);
        match now {
            "" => [short.clone(), short],
            now => [speech.with(&format!("{key}-to"), &[("now", now)]), short],
        }
    };
    if is_lost(first) {
        let lost = speech.say(&format!("head-no-{}", first.subject()));
        return [lost.clone(), lost];
    }
    match first.subject() {
        Subject::Date => {
            let date = when::short_day(speech, first.now().unwrap_or_default());
            let time = told.iter().find(|news| news.subject() == Subject::Time);
            match time.map(|news| values(news, speech, zone).1) {
                Some(time) if !time.is_empty() => {
                    let [_, short] = with("head-date", "");
                    let texts = [("date", date.as_str()), ("time", &time)];
                    [speech.with("head-date-and-time", &texts), short]
                }
                _ => with("head-date", &date),
            }
        }
        Subject::Time => with("head-time", &now),
        Subject::Venue => with("head-venue", &now),
        subject => {
            let key = match subject {
                Subject::Referees if first.category == Category::NewAssignment => "new-assignment",
                Subject::Referees => "referees",
                Subject::Home | Subject::Away => "team",
                Subject::Competition => "competition",
                Subject::Contact => "contact",
                _ => whole_head(whole(first, of)),
            };
            with(&format!("head-{key}"), "")
        }
    }
}

/// Whether there is no value any more where there was one, so that a title has nothing new to tell.
fn is_lost(news: &News) -> bool {
    let has_value = |text: Option<&str>| text.is_some_and(|text| !shown(text).is_empty());
    matches!(
        news.subject(),
        Subject::Date | Subject::Time | Subject::Venue | Subject::Competition
    ) && has_value(news.before())
        && !has_value(news.now())
}

/// The name of what happened to the match as a whole.
fn whole(news: &News, of: &MatchNews) -> &'static str {
    let raised = news.current_value.as_deref() != Some("false");
    match (news.subject(), raised) {
        (Subject::Cancelled, true) => "cancelled",
        (Subject::Cancelled, false) => "not-cancelled",
        (Subject::Postponed, true) => "postponed",
        (Subject::Postponed, false) => "not-postponed",
        (Subject::Interrupted, true) => "interrupted",
        (Subject::Interrupted, false) => "not-interrupted",
        _ => match news.category {
            Category::NewMatch => "new-match",
            Category::NewAssignment => "new-assignment",
            _ if of.is_gone => "removed",
            _ if of.is_new => "new",
            _ => "changed",
        },
    }
}

/// A match that is new without more being known of it has the headline of a new match.
const fn whole_head(whole: &'static str) -> &'static str {
    match whole.as_bytes() {
        b"new" => "new-match",
        _ => whole,
    }
}

const fn label(subject: Subject) -> &'static str {
    match subject {
        Subject::Match => "label-match",
        Subject::Cancelled | Subject::Postponed | Subject::Interrupted => "label-status",
        Subject::Date => "label-date",
        Subject::Time => "label-time",
        Subject::Venue => "label-venue",
        Subject::Referees => "label-referees",
        Subject::Home => "label-home",
        Subject::Away => "label-away",
        Subject::Competition => "label-competition",
        Subject::Contact => "label-contact",
    }
}

/// Both values in words; empty where a value is unknown or says nothing to people.
fn values(news: &News, speech: Speech<'_>, zone: &TimeZone) -> (String, String) {
    let [before, now] = [news.before(), news.now()].map(|text| shown(text.unwrap_or_default()));
    match news.subject() {
        Subject::Date => {
            let years = [&before, &now].map(|text| when::date(text).map(jiff::civil::Date::year));
            let with_year = years[0] != years[1];
            let [before, now] = [before, now].map(|text| when::day(speech, &text, with_year));
            (before, now)
        }
        Subject::Time => {
            let [before, now] = [before, now].map(|text| when::kickoff(speech, &text, zone));
            (before, now)
        }
        Subject::Venue | Subject::Home | Subject::Away | Subject::Competition
            if news
                .field_name
                .as_deref()
                .is_some_and(|f| f.ends_with("id")) =>
        {
            // The ids themselves say nothing.
            let [before, now] = [&news.previous_name, &news.current_name]
                .map(|n| shown(n.as_deref().unwrap_or("")));
            (before, now)
        }
        Subject::Venue | Subject::Home | Subject::Away | Subject::Competition => (before, now),
        _ => (String::new(), String::new()),
    }
}

/// Who came and who went; those who came to a match without referees are among its facts.
fn referees(news: &News, of: &MatchNews, speech: Speech<'_>) -> Vec<String> {
    if news.category == Category::NewAssignment {
        let key = if of.is_new {
            "line-new-assignment"
        } else {
            "line-assigned"
        };
        return vec![speech.say(key)];
    }
    let missing = |from: &[Person], other: &[Person], key: &str| -> Vec<String> {
        let mut other = other.to_vec();
        let mut missing = Vec::new();
        for person in from {
            match other.iter().position(|p| p == person) {
                Some(at) => drop(other.remove(at)),
                None => missing.push(person.clone()),
            }
        }
        let say = |p: Person| {
            let (name, role) = (shown(&p.name), shown(&p.role));
            speech.with(key, &[("name", &name), ("role", &role)])
        };
        missing.into_iter().map(say).collect()
    };
    let mut lines = missing(&of.referees, &news.previous_referees, "line-referee-new");
    lines.extend(missing(
        &news.previous_referees,
        &of.referees,
        "line-referee-gone",
    ));
    if lines.is_empty() {
        lines.push(speech.say("line-referees"));
    }
    lines
}

fn contact(news: &News, speech: Speech<'_>) -> String {
    let mut fields: Vec<String> = news
        .contact_fields
        .iter()
        .map(|field| speech.say(&format!("contact-{field}")))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    if fields.is_empty() {
        return speech.say("head-contact");
    }
    speech.with("line-contact", &[("fields", &fields.join(", "))])
}
