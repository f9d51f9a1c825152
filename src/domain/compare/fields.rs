//! Changes of a match's own fields.

use super::finding::{Field, Finding, Value};
use super::wording::quoted;
use crate::domain::change::Category;
use crate::domain::matchlist::{Match, Named, Team};

/// Everything that differs between two versions of a match, except its referees.
pub(super) fn findings(before: &Match, now: &Match) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(date(before, now));
    found.extend(time(before, now));
    found.extend(named(
        (
            Category::VenueChange,
            "Venue",
            ["anlaggningnamn", "anlaggningid"],
        ),
        &before.venue,
        &now.venue,
    ));
    let home = ["lag1lagid", "lag1namn", "lag1foreningid"];
    found.extend(team("Home team", home, &before.home, &now.home));
    let away = ["lag2lagid", "lag2namn", "lag2foreningid"];
    found.extend(team("Away team", away, &before.away, &now.away));
    found.extend(status(before, now));
    found.extend(named(
        (
            Category::CompetitionChange,
            "Competition",
            ["tavlingnamn", "tavlingid"],
        ),
        &before.competition,
        &now.competition,
    ));
    found
}

/// The day moved. Two spellings of one day are equal.
fn date(before: &Match, now: &Match) -> Option<Finding> {
    if before.date.is_some() && before.date == now.date {
        return None;
    }
    let values = Field::text(
        "speldatum",
        before.date_text.as_deref(),
        now.date_text.as_deref(),
    )
    .difference()?;
    let sentence = moved("Date", values);
    Some(Finding::of_values(
        Category::DateChange,
        "speldatum",
        values,
        sentence,
    ))
}

/// The kick-off moved. `tid` holds day and time at once, so it counts only where neither tells.
fn time(before: &Match, now: &Match) -> Option<Finding> {
    let field = Field::text(
        "avsparkstid",
        before.kickoff.as_deref(),
        now.kickoff.as_deref(),
    );
    if let Some(values) = field.difference() {
        let sentence = moved("Kick-off", values);
        return Some(Finding::of_values(
            Category::TimeChange,
            field.name,
            values,
            sentence,
        ));
    }
    if date(before, now).is_some() {
        return None;
    }
    let values = Field::text("tid", before.tid.as_deref(), now.tid.as_deref()).difference()?;
    let sentence = "The instant of the kick-off changed.".to_owned();
    Some(Finding::of_values(
        Category::TimeChange,
        "tid",
        values,
        sentence,
    ))
}

/// A venue or a competition: its name, or else its id.
fn named(
    (category, subject, [name, id]): (Category, &str, [&'static str; 2]),
    before: &Named,
    now: &Named,
) -> Option<Finding> {
    let by_name = Field::text(name, before.name.as_deref(), now.name.as_deref());
    if let Some(values) = by_name.difference() {
        return Some(Finding::of_values(
            category,
            name,
            values,
            moved(subject, values),
        ));
    }
    let values = Field::id(id, before.id, now.id).difference()?;
    Some(Finding::of_values(
        category,
        id,
        values,
        moved(&format!("{subject} id"), values),
    ))
}

fn team(
    subject: &str,
    [team_id, name, club_id]: [&'static str; 3],
    before: &Team,
    now: &Team,
) -> Option<Finding> {
    let by_name = Field::text(name, before.name.as_deref(), now.name.as_deref());
    let fields = [
        (Field::id(team_id, before.team_id, now.team_id), "id"),
        (
            Field::text(name, before.name.as_deref(), now.name.as_deref()),
            "name",
        ),
        (Field::id(club_id, before.club_id, now.club_id), "club id"),
    ];
    let (field, what, values) = fields
        .iter()
        .find_map(|(field, what)| Some((field, what, field.difference()?)))?;
    let sentence = match by_name.difference() {
        Some(names) => moved(subject, names),
        None => moved(&format!("{subject} {what}"), values),
    };
    Some(Finding::of_values(
        Category::TeamChange,
        field.name,
        values,
        sentence,
    ))
}

/// One finding per flag that was raised, and one for all that were taken back.
fn status(before: &Match, now: &Match) -> Vec<Finding> {
    let flags = [
        (
            Category::Cancellation,
            "installd",
            "cancelled",
            before.cancelled,
            now.cancelled,
        ),
        (
            Category::Postponement,
            "uppskjuten",
            "postponed",
            before.postponed,
            now.postponed,
        ),
        (
            Category::Interruption,
            "avbruten",
            "interrupted",
            before.interrupted,
            now.interrupted,
        ),
    ];
    let mut found = Vec::new();
    let mut withdrawn = Vec::new();
    for (category, field, word, before, now) in flags {
        match (before, now) {
            // A list that did not tell before is no reason to keep a cancellation quiet.
            (Some(false) | None, Some(true)) => {
                let sentence = format!("The match was {word}.");
                found.push(Finding::of_values(
                    category,
                    field,
                    (Value::Flag(false), Value::Flag(true)),
                    sentence,
                ));
            }
            (Some(true), Some(false)) => withdrawn.push((field, word)),
            _ => {}
        }
    }
    if let Some(&(field, _)) = withdrawn.first() {
        let words: Vec<_> = withdrawn.iter().map(|(_, word)| *word).collect();
        let sentence = format!("The match is no longer {}.", words.join(" or "));
        found.push(Finding::of_values(
            Category::StatusChange,
            field,
            (Value::Flag(true), Value::Flag(false)),
            sentence,
        ));
    }
    found
}

fn moved(subject: &str, (before, now): (Value, Value)) -> String {
    format!(
        "{subject} changed from {} to {}.",
        quoted(&before),
        quoted(&now)
    )
}
