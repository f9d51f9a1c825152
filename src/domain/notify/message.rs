//! The messages themselves, as they are stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::change::{Category, Priority};

crate::labels! {
    /// What a message is about.
    MessageKind {
        /// Changes of one match.
        Changes => "changes",
        /// Changes of several matches, gathered over a time.
        Digest => "digest",
        /// Something is wrong with the program or its neighbours.
        Alert => "alert",
        /// What was wrong is right again.
        Recovery => "recovery",
        /// Somebody tries whether messages arrive.
        Test => "test",
    }
}

crate::labels! {
    /// A language that messages are written in.
    Language {
        /// Swedish.
        Swedish => "sv",
        /// English.
        English => "en",
    }
}

crate::labels! {
    /// What is wrong.
    AlertKind {
        /// The match list cannot be fetched.
        ListUnreachable => "list_unreachable",
        /// The login behind the match list has expired.
        LoginExpired => "login_expired",
        /// A list that cannot be true waits to be confirmed.
        ListHeld => "list_held",
        /// A destination takes nothing.
        DestinationDown => "destination_down",
        /// Deliveries were given up.
        DeadLetters => "dead_letters",
    }
}

crate::labels! {
    /// What keeps a match from being played as planned.
    Status {
        /// It was called off.
        Cancelled => "cancelled",
        /// It was postponed.
        Postponed => "postponed",
        /// It was interrupted.
        Interrupted => "interrupted",
    }
}

crate::labels! {
    /// What a change made of the referee who reads of it.
    Part {
        /// One of the match.
        Appointed => "appointed",
        /// None of the match any more.
        Replaced => "replaced",
    }
}

crate::labels! {
    /// What of a match a piece of news is about. A message has at most one for each.
    Subject {
        /// The match as a whole came or went.
        Match => "match",
        /// Whether it was called off.
        Cancelled => "cancelled",
        /// Whether it was postponed.
        Postponed => "postponed",
        /// Whether it was interrupted.
        Interrupted => "interrupted",
        /// The day.
        Date => "date",
        /// The kick-off.
        Time => "time",
        /// The pitch.
        Venue => "venue",
        /// Who referees it.
        Referees => "referees",
        /// The home team.
        Home => "home",
        /// The away team.
        Away => "away",
        /// The competition.
        Competition => "competition",
        /// How to reach its referees.
        Contact => "contact",
    }
}

/// A message to a person or a service.
///
/// It holds names of people: it belongs in the store and in what is delivered, nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What it is about.
    pub kind: MessageKind,
    /// The language that its reader wants.
    pub language: Language,
    /// The most urgent priority of what it tells.
    pub priority: Priority,
    /// What it tells of matches; one unless it is a digest, none in an alert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<MatchNews>,
    /// What is wrong or right again; usually one, and none in a message about matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertNews>,
}

/// A match as it is now, and what is new of it. An unknown name, date or time is an empty string.
///
/// Names and values are on one line, of a bounded length and without invisible characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchNews {
    /// The match's id.
    pub match_id: i64,
    /// The match number that people use, e.g. `000402010`.
    pub match_nr: String,
    /// The home team.
    pub home: String,
    /// The away team.
    pub away: String,
    /// The competition.
    pub competition: String,
    /// The day, `YYYY-MM-DD`.
    pub date: String,
    /// Local time of the kick-off, e.g. `19:00`.
    pub kickoff: String,
    /// The venue.
    pub venue: String,
    /// Who referees it, in the order of the list; at most 40.
    pub referees: Vec<Person>,
    /// What keeps it from being played as planned.
    pub status: Vec<Status>,
    /// Nobody was told of the match before.
    pub is_new: bool,
    /// The match left the list; what is told of it is what was known last.
    pub is_gone: bool,
    /// What became of its reader as a referee of the match; none where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<Part>,
    /// When the latest change was found, RFC 3339 in UTC.
    pub found_at: String,
    /// When the first one was, if that is another time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_found_at: Option<String>,
    /// Which event tells programs of it, from 1, if its digest is too long for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<usize>,
    /// What changed, at most one per [`Subject`].
    pub news: Vec<News>,
}

/// A referee of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name; `?` if the list does not tell.
    pub name: String,
    /// What the referee does; `?` if the list does not tell.
    pub role: String,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// What kind of change.
    pub category: Category,
    /// How soon people must know.
    pub priority: Priority,
    /// The raw field whose values these are; none where the match as a whole came or went.
    pub field_name: Option<String>,
    /// The value before, as it stands in the list.
    pub previous_value: Option<String>,
    /// The value now, as it stands in the list.
    pub current_value: Option<String>,
    /// What people call the value before, where `previous_value` is an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_name: Option<String>,
    /// What people call the value now, where `current_value` is an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_name: Option<String>,
    /// The raw names of the contact fields that differ; their values are never told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact_fields: Vec<String>,
    /// Who refereed the match before, where the news is about that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous_referees: Vec<Person>,
}

/// Something that is wrong with the program or its neighbours, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNews {
    /// What is wrong.
    pub kind: AlertKind,
    /// Which of several things it is about, e.g. the key of a destination.
    pub subject: Option<String>,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Until when, RFC 3339 in UTC; none as long as it is wrong.
    pub until: Option<String>,
    /// How many things it is about, e.g. dead letters.
    pub count: Option<u64>,
    /// A technical sentence in English, without personal data; may be empty.
    pub detail: String,
}

impl Message {
    /// A message about one match.
    #[must_use]
    pub fn changes(language: Language, news: MatchNews) -> Self {
        Self {
            kind: MessageKind::Changes,
            language,
            priority: news.priority(),
            matches: vec![news],
            alerts: Vec::new(),
        }
    }

    /// A message about something that is wrong, or right again if it has an end.
    #[must_use]
    pub fn alert(language: Language, priority: Priority, alert: AlertNews) -> Self {
        Self {
            kind: match alert.until {
                None => MessageKind::Alert,
                Some(_) => MessageKind::Recovery,
            },
            language,
            priority,
            matches: Vec::new(),
            alerts: vec![alert],
        }
    }

    /// A message that only says that messages arrive.
    #[must_use]
    pub const fn test(language: Language) -> Self {
        Self {
            kind: MessageKind::Test,
            language,
            priority: Priority::Low,
            matches: Vec::new(),
            alerts: Vec::new(),
        }
    }
}

impl MatchNews {
    /// The most urgent priority of what is new.
    #[must_use]
    pub fn priority(&self) -> Priority {
        let told = self.news.iter().map(|news| news.priority);
        told.min().unwrap_or(Priority::Low)
    }

    /// The news worth telling, what matters most first. Of a match that is gone only that it is, and
    /// that it will not be played.
    #[must_use]
    pub fn told(&self) -> Vec<&News> {
        let matters = |news: &&News| {
            !self.is_gone || news.subject() == Subject::Match || news.is_called_off()
        };
        let mut told: Vec<&News> = self.news.iter().filter(matters).collect();
        // A day and its time are told together, as soon as either must be.
        let moved = |news: &News| matches!(news.subject(), Subject::Date | Subject::Time);
        let moved_priority = told.iter().filter(|n| moved(n)).map(|n| n.priority).min();
        told.sort_by_key(|news| {
            let priority = match moved_priority {
                Some(priority) if moved(news) => priority,
                _ => news.priority,
            };
            (!news.is_called_off(), priority, news.subject())
        });
        told
    }

    /// When the first and the last of its changes were found; none if that cannot be read.
    #[must_use]
    pub fn found(&self) -> Option<(Timestamp, Timestamp)> {
        let last = self.found_at.parse().ok()?;
        let first = self.first_found_at.as_ref().map(|time| time.parse().ok());
        Some((first.unwrap_or(Some(last))?, last))
    }

    /// The public page of the match.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "https://www.svenskfotboll.se/matchfakta/match?matchId={}",
            self.match_id
        )
    }
}

impl News {
    /// Whether it says that the match is not played as planned.
    #[must_use]
    pub const fn is_called_off(&self) -> bool {
        matches!(
            self.category,
            Category::Cancellation | Category::Postponement | Category::Interruption
        )
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self.field_name.as_deref() {
            Some("installd") => Subject::Cancelled,
            Some("uppskjuten") => Subject::Postponed,
            Some("avbruten") => Subject::Interrupted,
            Some("speldatum") => Subject::Date,
            Some("avsparkstid" | "tid") => Subject::Time,
            Some(name) if name.starts_with("anlaggning") => Subject::Venue,
            Some("domaruppdraglista") if self.category == Category::ContactChange => {
                Subject::Contact
            }
            Some("domaruppdraglista") => Subject::Referees,
            Some(name) if name.starts_with("lag1") => Subject::Home,
            Some(name) if name.starts_with("lag2") => Subject::Away,
            Some(name) if name.starts_with("tavling") => Subject::Competition,
            _ => Subject::Match,
        }
    }

    /// What people call the value before.
    #[must_use]
    pub fn before(&self) -> Option<&str> {
        self.previous_name
            .as_deref()
            .or(self.previous_value.as_deref())
    }

    /// What people call the value now.
    #[must_use]
    pub fn now(&self) -> Option<&str> {
        self.current_name
            .as_deref()
            .or(self.current_value.as_deref())
    }
}
