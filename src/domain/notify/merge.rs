//! Merges a message that was not sent with a newer one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::joined::{differences, joined};
use super::message::{AlertNews, MatchNews, Message, MessageKind, News, Subject};
use super::webhook::MOST_MATCHES;
use crate::domain::change::{Category, Priority};

impl Message {
    /// One message that tells from what was before `older` to what is now after `newer`, or none if
    /// that is the same: A→B and B→A is nothing, and so is a match that came and went.
    ///
    /// What only one of them tells is kept; the matches are in the order of [`sort`](Self::sort). An alert that is over before anybody heard of it is
    /// nothing; one that comes back is told, whatever was not told before.
    #[must_use]
    pub fn merged(older: Self, newer: Self) -> Option<Self> {
        Self::merged_after(older, newer, false)
    }

    /// The same where the older one may have been `heard`: who was told that something changed has to
    /// be told that it changed back, which is no news to others, but true.
    #[must_use]
    pub fn merged_after(older: Self, newer: Self, heard: bool) -> Option<Self> {
        match (older.kind, newer.kind) {
            (MessageKind::Test, _) => return Some(newer),
            (_, MessageKind::Test) => return Some(older),
            _ => {}
        }
        let language = newer.language;
        let urgent = older.priority.min(newer.priority);
        let matches = all_matches(older.matches, newer.matches, heard);
        let alerts = all_alerts(older.alerts, newer.alerts, heard);
        let kind = match (&matches[..], &alerts[..]) {
            ([], []) => return None,
            ([_], _) if newer.kind == MessageKind::Changes => MessageKind::Changes,
            ([_, ..], _) => MessageKind::Digest,
            ([], alerts) if alerts.iter().any(|alert| alert.until.is_none()) => MessageKind::Alert,
            ([], _) => MessageKind::Recovery,
        };
        let of_matches = matches.iter().map(MatchNews::priority).min();
        let priority = match of_matches {
            Some(priority) if alerts.is_empty() => priority,
            _ => urgent,
        };
        let mut merged = Self {
            kind,
            language,
            priority,
            matches,
            alerts,
        };
        merged.sort();
        merged.divide();
        Some(merged)
    }

    /// Settles which event tells programs of which match. What is told can only shrink until it is
    /// told under another id, so what an event told once comes in no other.
    pub fn divide(&mut self) {
        let is_long = self.matches.len() > MOST_MATCHES;
        for (n, one) in self.matches.iter_mut().enumerate() {
            one.event = is_long.then_some(n / MOST_MATCHES + 1);
        }
    }

    /// Puts what matters most first, as of many only the first are told in detail: the most urgent,
    /// then by day and kick-off. A match of an unknown day comes after those of a known one.
    pub fn sort(&mut self) {
        self.matches.sort_by_cached_key(|m| {
            let day = (m.date.is_empty(), m.date.clone(), m.kickoff.clone());
            (m.priority(), day, m.match_id)
        });
    }
}

/// Merges what both tell of one match; what only one tells is kept, the older first.
fn all_matches(older: Vec<MatchNews>, newer: Vec<MatchNews>, heard: bool) -> Vec<MatchNews> {
    let mut all: Vec<Option<MatchNews>> = older.into_iter().map(Some).collect();
    let known = all.iter().flatten().map(|m| m.match_id).zip(0..);
    let mut places: HashMap<i64, usize> = known.collect();
    for next in newer {
        match places.entry(next.match_id) {
            Entry::Occupied(place) => {
                let place = &mut all[*place.get()];
                *place = match place.take() {
                    Some(older) => of_one_match(older, next, heard),
                    None => Some(next),
                };
            }
            Entry::Vacant(place) => {
                place.insert(all.len());
                all.push(Some(next));
            }
        }
    }
    all.into_iter().flatten().collect()
}

fn all_alerts(older: Vec<AlertNews>, newer: Vec<AlertNews>, heard: bool) -> Vec<AlertNews> {
    let mut all = older;
    for next in newer {
        let same = |a: &AlertNews| (a.kind, &a.subject) == (next.kind, &next.subject);
        let Some(at) = all.iter().position(same) else {
            all.push(next);
            continue;
        };
        match (&all[at].until, &next.until) {
            // Nobody heard that it was wrong.
            (None, Some(_)) if !heard => drop(all.remove(at)),
            // It is wrong for as long as was to be told already.
            (None, None) => {
                let since = std::mem::take(&mut all[at].since);
                all[at] = AlertNews { since, ..next };
            }
            (Some(_), _) | (None, Some(_)) => all[at] = next,
        }
    }
    all
}

/// One piece of news from one that tells of changes before another and after it, and from that other
/// one, which may have been `heard`; none if nothing is left to tell.
pub(super) fn surrounded(outer: MatchNews, inner: MatchNews, heard: bool) -> Option<MatchNews> {
    if outer.is_new || outer.is_gone {
        return Some(outer);
    }
    let since = differences(&inner, &outer);
    let mut news = outer.news.clone();
    for one in inner.news {
        let subject = one.subject();
        let later = since.iter().find(|news| news.subject() == subject);
        let told = news.iter().position(|news| news.subject() == subject);
        let (joined, back) = match (told, later) {
            // It came and went, or what the outer one tells came later.
            _ if subject == Subject::Match => continue,
            (Some(_), Some(_)) => continue,
            (Some(at), None) => (joined(&news.remove(at), one.clone()), one),
            (None, Some(later)) => (joined(&one, later.clone()), later.clone()),
            (None, None) => (Some(one.clone()), one),
        };
        news.extend(joined.or_else(|| heard.then_some(back)));
    }
    (!news.is_empty()).then_some(MatchNews { news, ..outer })
}

fn of_one_match(older: MatchNews, newer: MatchNews, heard: bool) -> Option<MatchNews> {
    let newer = MatchNews {
        first_found_at: first_found(&older, &newer),
        ..newer
    };
    if older.is_new && newer.is_gone {
        return heard.then_some(newer);
    }
    let came_back = older.is_gone && newer.is_new;
    if came_back && heard {
        return Some(newer);
    }
    let is_new = older.is_new || (newer.is_new && !came_back);
    let later = if came_back {
        differences(&older, &newer)
    } else {
        newer.news.clone()
    };
    let mut news = older.news;
    if came_back {
        news.retain(|news| news.subject() != Subject::Match);
    }
    for next in later {
        match news.iter().position(|n| n.subject() == next.subject()) {
            None => news.push(next),
            Some(at) => match joined(&news[at], next.clone()) {
                Some(joined) => news[at] = joined,
                None if heard => news[at] = next,
                None => drop(news.remove(at)),
            },
        }
    }
    if is_new {
        news = of_new_match(news);
    }
    let merged = MatchNews {
        is_new,
        news,
        // The last counts: an entry that a calendar never had is taken out in vain, and no more.
        reader: newer.reader.or(older.reader),
        ..newer
    };
    (!merged.news.is_empty()).then_some(merged)
}

/// When the first change that both tell of was found, if not when the last was.
fn first_found(older: &MatchNews, newer: &MatchNews) -> Option<String> {
    let (times, text) = (
        [older, newer].map(|one| one.found().map(|(first, _)| first)),
        |one: &MatchNews| {
            one.first_found_at
                .clone()
                .unwrap_or_else(|| one.found_at.clone())
        },
    );
    let first = match times {
        [Some(older_first), Some(newer_first)] if older_first < newer_first => text(older),
        _ => text(newer),
    };
    (first != newer.found_at).then_some(first)
}

/// Who hears of a match for the first time is told what it is, and not what it was before that.
fn of_new_match(mut news: Vec<News>) -> Vec<News> {
    let has_referees = news.iter().any(|n| n.subject() == Subject::Referees);
    news.retain(|news| match news.subject() {
        Subject::Match => !(has_referees && news.category == Category::NewMatch),
        Subject::Referees => true,
        _ => news.is_called_off(),
    });
    let says_new = |n: &News| matches!(n.subject(), Subject::Match | Subject::Referees);
    if !news.iter().any(says_new) {
        // Its referees were withdrawn again.
        news.insert(0, News::of(Category::NewMatch, Priority::Low));
    }
    news
}
