//! A message in words, as a template sees it.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::news::{NewsView, headline};
use super::phrases::Speech;
use super::when;
use crate::domain::notify::clean::{cut, shown};
use crate::domain::notify::{AlertNews, MatchNews, Message, MessageKind, News, Person, Subject};

/// The variables that exist, which are the fields of [`View`].
pub(super) const VARIABLES: [&str; 9] = [
    "kind",
    "language",
    "priority",
    "priority_name",
    "title",
    "intro",
    "matches",
    "more",
    "alerts",
];

/// Most matches that one message spells out.
const MOST_MATCHES: usize = 50;

/// Most characters of a title.
const LONGEST_TITLE: usize = 60;

/// How long a title may be, in characters.
#[derive(Clone, Copy)]
struct Room {
    /// The title as a whole.
    all: usize,
    /// A team's name, if the title would be longer.
    team: usize,
    /// The same if it still were.
    team_at_least: usize,
}

/// Of a phone's notification, or a line in a list of mails.
const NARROW: Room = Room {
    all: LONGEST_TITLE,
    team: 14,
    team_at_least: 10,
};

/// Of an embed, less than Discord allows, so that some signs can be escaped.
const WIDE: Room = Room {
    all: 240,
    team: 90,
    team_at_least: 60,
};

/// A message. No value spans lines or holds invisible characters; an unknown one is empty.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    pub kind: &'static str,
    pub language: &'static str,
    pub priority: &'static str,
    pub priority_name: String,
    pub title: String,
    /// What is said before everything else, in a test message.
    pub intro: String,
    pub matches: Vec<MatchView>,
    /// How many matches are left out, in words; empty if none is.
    pub more: String,
    pub alerts: Vec<AlertView>,
}

/// A match and what is new of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MatchView {
    pub match_id: i64,
    pub number: String,
    pub title: String,
    /// The title of an embed, which is longer.
    #[serde(skip)]
    pub wide_title: String,
    pub name: String,
    pub home: String,
    pub away: String,
    pub competition: String,
    pub venue: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    pub time: String,
    /// Day and time in words.
    pub when: String,
    pub url: String,
    pub referees: Vec<Person>,
    /// What keeps it from being played, in words.
    pub status: Vec<String>,
    pub is_new: bool,
    pub is_gone: bool,
    pub priority: &'static str,
    pub found_at: String,
    pub news: Vec<NewsView>,
}

/// Something that is or was wrong.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AlertView {
    pub kind: &'static str,
    pub subject: String,
    pub title: String,
    /// What it means; empty once it is over.
    pub text: String,
    pub is_over: bool,
    pub since: String,
    pub until: String,
    pub count: u64,
    pub detail: String,
}

impl View {
    pub fn of(message: &Message, speech: Speech<'_>, zone: &TimeZone) -> Self {
        let matches = message.matches.iter().take(MOST_MATCHES);
        let left = message.matches.len().saturating_sub(MOST_MATCHES);
        let mut view = Self {
            kind: message.kind.label(),
            language: message.language.label(),
            priority: message.priority.label(),
            priority_name: speech.say(&format!("priority-{}", message.priority)),
            title: String::new(),
            intro: match message.kind {
                MessageKind::Test => speech.say("test-text"),
                _ => String::new(),
            },
            matches: matches.map(|m| MatchView::of(m, speech, zone)).collect(),
            more: more(speech, left),
            alerts: message
                .alerts
                .iter()
                .map(|a| AlertView::of(a, speech, zone))
                .collect(),
        };
        view.title = match (&view.matches[..], &view.alerts[..]) {
            ([only], _) => only.title.clone(),
            ([_, ..], _) => speech.count("digest-title", message.matches.len() as u64),
            ([], [first, ..]) => first.title.clone(),
            ([], []) => speech.say("test-title"),
        };
        view
    }

    /// The same message about its first matches, of so many in all.
    pub fn shortened(&self, matches: usize, all: usize, speech: Speech<'_>) -> Self {
        Self {
            matches: self.matches.iter().take(matches).cloned().collect(),
            more: more(speech, all.saturating_sub(matches)),
            ..self.clone()
        }
    }

    /// The same message about one of its matches only, for an embed.
    pub fn about(&self, only: &MatchView) -> Self {
        Self {
            title: only.wide_title.clone(),
            matches: vec![only.clone()],
            more: String::new(),
            alerts: Vec::new(),
            ..self.clone()
        }
    }
}

/// How many matches are left out, in words.
pub(super) fn more(speech: Speech<'_>, left: usize) -> String {
    match left {
        0 => String::new(),
        left => speech.count("more-matches", left as u64),
    }
}

impl MatchView {
    fn of(m: &MatchNews, speech: Speech<'_>, zone: &TimeZone) -> Self {
        let team = |name: &str| match shown(name) {
            name if name.is_empty() => speech.say("unknown-team"),
            name => name,
        };
        let (home, away) = (team(&m.home), team(&m.away));
        let told = m.told();
        let news = told.iter().map(|news| NewsView::of(news, m, speech, zone));
        let removed = m.is_gone.then(|| speech.say("status-removed"));
        let status = m.status.iter().map(|s| speech.say(&format!("status-{s}")));
        let person = |p: &Person| Person {
            name: shown(&p.name),
            role: shown(&p.role),
        };
        Self {
            match_id: m.match_id,
            number: shown(&m.match_nr),
            title: title(m, speech, zone, ([&home, &away], NARROW)),
            wide_title: title(m, speech, zone, ([&home, &away], WIDE)),
            name: name(speech, &home, &away),
            home,
            away,
            competition: shown(&m.competition),
            venue: shown(&m.venue),
            date: shown(&m.date),
            time: shown(&m.kickoff),
            when: when(speech, &shown(&m.date), &shown(&m.kickoff)),
            url: m.url(),
            referees: m.referees.iter().map(person).collect(),
            status: status.chain(removed).collect(),
            is_new: m.is_new,
            is_gone: m.is_gone,
            priority: m.priority().label(),
            found_at: shown(&m.found_at),
            news: news.collect(),
        }
    }
}

fn name(speech: Speech<'_>, home: &str, away: &str) -> String {
    speech.with("match-name", &[("home", home), ("away", away)])
}

fn when(speech: Speech<'_>, date: &str, time: &str) -> String {
    let day = when::day(speech, date, false);
    match (day.as_str(), time) {
        (day, "") => day.to_owned(),
        ("", time) => time.to_owned(),
        (day, time) => speech.with("when", &[("day", day), ("time", time)]),
    }
}

/// What is most important, then the teams; as much as fits, and the names give way first.
fn title(
    m: &MatchNews,
    speech: Speech<'_>,
    zone: &TimeZone,
    ([home, away], room): ([&str; 2], Room),
) -> String {
    let told = m.told();
    let [long, short] = headline(&told, m, speech, zone);
    // A new day and a new time are told at once.
    let at_once = told
        .iter()
        .filter(|n| long != short && told_in_headline(n, told[0]))
        .count();
    let titled = |head: &str, told_by_it: usize, longest: usize| {
        let teams = name(speech, &cut(home, longest), &cut(away, longest));
        match told.len().saturating_sub(told_by_it) {
            0 => speech.with("title", &[("head", head), ("match", &teams)]),
            more => {
                let more = more.to_string();
                speech.with(
                    "title-more",
                    &[("head", head), ("more", &more), ("match", &teams)],
                )
            }
        }
    };
    let attempts = [
        (&long, at_once.max(1), usize::MAX),
        (&long, at_once.max(1), room.team),
        (&short, 1, usize::MAX),
        (&short, 1, room.team),
    ];
    let mut titles = attempts
        .into_iter()
        .map(|(head, by, names)| titled(head, by, names));
    let fits = |title: &String| title.chars().count() <= room.all;
    titles
        .find(fits)
        .unwrap_or_else(|| cut(&titled(&short, 1, room.team_at_least), room.all))
}

fn told_in_headline(news: &News, first: &News) -> bool {
    match first.subject() {
        // A time only if there is one to tell.
        Subject::Date if news.subject() == Subject::Time => {
            news.now().is_some_and(|time| !shown(time).is_empty())
        }
        subject => news.subject() == subject,
    }
}

impl AlertView {
    fn of(alert: &AlertNews, speech: Speech<'_>, zone: &TimeZone) -> Self {
        let is_over = alert.until.is_some();
        let key = format!("alert-{}{}", alert.kind, if is_over { "-over" } else { "" });
        let subject = shown(alert.subject.as_deref().unwrap_or_default());
        let named = if subject.is_empty() { "none" } else { &subject };
        let title = speech.about(&key, named, alert.count.unwrap_or(0));
        Self {
            kind: alert.kind.label(),
            title: cut(&title, LONGEST_TITLE),
            text: match is_over {
                true => String::new(),
                false => speech.say(&format!("alert-{}-text", alert.kind)),
            },
            subject,
            is_over,
            since: when::instant(speech, &shown(&alert.since), zone),
            until: when::instant(speech, &shown(alert.until.as_deref().unwrap_or("")), zone),
            count: alert.count.unwrap_or(0),
            detail: shown(&alert.detail),
        }
    }
}
