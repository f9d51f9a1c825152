//! Makes news from changes.

use super::clean::{cut, line};
use super::message::{MatchNews, News, Person, Status, Subject};
use crate::domain::change::{Category, Change};
use crate::domain::compare::contact_fields;
use crate::domain::matchlist::{Match, Referee};

/// Longest name that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// Longest value that is kept, in characters; a list of referees is one.
const LONGEST_VALUE: usize = 2000;

/// Most referees of a match that are told.
const MOST_REFEREES: usize = 40;

impl MatchNews {
    /// What the `changes` of one match tell; `previous` and `current` are its versions before and
    /// after them, none if it came or went. Names and values are cut to what is sensible.
    ///
    /// `None` if nothing is worth telling: no change is left without those that are never notified.
    #[must_use]
    pub fn of(
        previous: Option<&Match>,
        current: Option<&Match>,
        changes: &[&Change],
    ) -> Option<Self> {
        let told = || changes.iter().filter(|c| c.category != Category::AgedOut);
        let first = told().next()?;
        let unknown = Match::default();
        let before = previous.unwrap_or(&unknown);
        let now = current.unwrap_or(before);
        Some(Self {
            is_new: previous.is_none() && current.is_some(),
            is_gone: current.is_none(),
            match_id: first.match_id,
            match_nr: name(Some(&first.match_nr)),
            found_at: told()
                .map(|c| c.timestamp.clone())
                .max()
                .unwrap_or_default(),
            news: told().flat_map(|c| news(c, before, now)).collect(),
            ..facts(now)
        })
    }
}

/// What a match is, without what is new.
fn facts(m: &Match) -> MatchNews {
    let flags = [
        (Status::Cancelled, m.cancelled),
        (Status::Postponed, m.postponed),
        (Status::Interrupted, m.interrupted),
    ];
    MatchNews {
        home: name(m.home.name.as_deref()),
        away: name(m.away.name.as_deref()),
        competition: name(m.competition.name.as_deref()),
        date: m
            .date
            .map_or_else(|| name(m.date_text.as_deref()), |date| date.to_string()),
        kickoff: name(m.kickoff.as_deref()),
        venue: name(m.venue.name.as_deref()),
        referees: people(m),
        status: flags
            .into_iter()
            .filter(|(_, flag)| *flag == Some(true))
            .map(|(status, _)| status)
            .collect(),
        ..MatchNews::default()
    }
}

fn people(m: &Match) -> Vec<Person> {
    let person = |r: &Referee| Person {
        name: name(Some(r.name().unwrap_or("?"))),
        role: name(Some(r.role.label().unwrap_or("?"))),
    };
    m.referees.iter().take(MOST_REFEREES).map(person).collect()
}

/// What one change tells: one thing, but for each flag that was taken back.
fn news(change: &Change, before: &Match, now: &Match) -> Vec<News> {
    let mut first = News {
        category: change.category,
        priority: change.priority,
        field_name: change.field_name.clone(),
        previous_value: change.previous_value.as_deref().map(value),
        current_value: change.current_value.as_deref().map(value),
        previous_name: None,
        current_name: None,
        contact_fields: Vec::new(),
        previous_referees: Vec::new(),
    };
    let names = |before: &Option<String>, now: &Option<String>| {
        [before, now].map(|text| text.as_deref().map(|text| name(Some(text))))
    };
    let field = change.field_name.as_deref().unwrap_or_default();
    // `avsparkstid` is a time, and says what people know.
    let is_id = field.ends_with("id") && field != "avsparkstid";
    if first.subject() == Subject::Referees {
        first.previous_referees = people(before);
    }
    [first.previous_name, first.current_name] = match first.subject() {
        Subject::Contact => {
            let fields = contact_fields(&before.referees, &now.referees);
            first.contact_fields = fields.into_iter().map(str::to_owned).collect();
            [None, None]
        }
        Subject::Time if is_id => names(&before.kickoff, &now.kickoff),
        Subject::Venue if is_id => names(&before.venue.name, &now.venue.name),
        Subject::Home if is_id => names(&before.home.name, &now.home.name),
        Subject::Away if is_id => names(&before.away.name, &now.away.name),
        Subject::Competition if is_id => names(&before.competition.name, &now.competition.name),
        _ => [None, None],
    };
    let mut all = vec![first];
    if change.category == Category::StatusChange {
        all.extend(withdrawn(&all[0], before, now));
    }
    all
}

/// The other flags that were taken back at once; the change names only the first.
fn withdrawn(first: &News, before: &Match, now: &Match) -> Vec<News> {
    let flags = [
        ("installd", before.cancelled, now.cancelled),
        ("uppskjuten", before.postponed, now.postponed),
        ("avbruten", before.interrupted, now.interrupted),
    ];
    let more = flags.into_iter().filter(|(field, before, now)| {
        (*before, *now) == (Some(true), Some(false)) && first.field_name.as_deref() != Some(field)
    });
    more.map(|(field, ..)| News {
        field_name: Some(field.to_owned()),
        ..first.clone()
    })
    .collect()
}

fn name(text: Option<&str>) -> String {
    cut(&line(text.unwrap_or_default()), LONGEST_NAME)
}

fn value(text: &str) -> String {
    cut(&line(text), LONGEST_VALUE)
}
