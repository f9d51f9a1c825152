//! What a template sees of a match.

use serde::Serialize;

use crate::domain::matchlist::Match;

/// The variables that exist, which are the fields of [`Facts`].
pub(super) const VARIABLES: [&str; 10] = [
    "home",
    "away",
    "competition",
    "venue",
    "number",
    "date",
    "time",
    "match_id",
    "match_url",
    "referees",
];

/// A match in the words of a template. No value spans lines; an unknown one is empty.
#[derive(Serialize)]
pub(super) struct Facts {
    home: String,
    away: String,
    competition: String,
    venue: String,
    number: String,
    date: String,
    time: String,
    match_id: i64,
    match_url: String,
    referees: Vec<Person>,
}

#[derive(Serialize)]
struct Person {
    name: String,
    role: String,
}

impl Facts {
    /// An invented match of which everything is known, to try a template on.
    pub fn sample() -> Self {
        let referee = |name: &str, role: &str| Person {
            name: name.to_owned(),
            role: role.to_owned(),
        };
        Self {
            home: "Home Team".to_owned(),
            away: "Away Team".to_owned(),
            competition: "Some Cup".to_owned(),
            venue: "Some Field".to_owned(),
            number: "000000001".to_owned(),
            date: "2027-05-01".to_owned(),
            time: "19:00".to_owned(),
            match_id: 1,
            match_url: "https://example.com/1".to_owned(),
            referees: vec![
                referee("First Person", "Referee"),
                referee("Second", "Assistant"),
            ],
        }
    }

    pub fn of(m: &Match) -> Self {
        let referees = m.referees.iter().map(|r| Person {
            name: line(r.name().unwrap_or("?")),
            role: line(r.role.label().unwrap_or("?")),
        });
        Self {
            home: line(m.home.name.as_deref().unwrap_or_default()),
            away: line(m.away.name.as_deref().unwrap_or_default()),
            competition: line(m.competition.name.as_deref().unwrap_or_default()),
            venue: line(m.venue.name.as_deref().unwrap_or_default()),
            number: line(&m.number),
            date: m.date.map_or_else(
                || line(m.date_text.as_deref().unwrap_or_default()),
                |date| date.to_string(),
            ),
            time: line(m.kickoff.as_deref().unwrap_or_default()),
            match_id: m.id,
            match_url: format!(
                "https://www.svenskfotboll.se/matchfakta/match?matchId={}",
                m.id
            ),
            referees: referees.collect(),
        }
    }
}

/// The text on one line.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
