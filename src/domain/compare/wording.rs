//! The small parts of sentences.

use crate::domain::matchlist::Match;

/// Longest value that a sentence quotes, in characters.
const QUOTED: usize = 80;

/// `3 referees`, `1 referee`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A value on one line and of a bounded length, in words if it is empty.
pub(super) fn quoted(value: &impl ToString) -> String {
    let value = value.to_string();
    let mut line: String = value
        .chars()
        .take(QUOTED)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.trim().is_empty() {
        return "nothing".to_owned();
    }
    if line.len() < value.len() {
        line.push('…');
    }
    line
}

/// The two teams and the day, as far as they are known.
pub(super) fn title(of: &Match) -> String {
    let name = |team: &Option<String>| {
        team.as_ref()
            .map_or_else(|| "unknown team".to_owned(), quoted)
    };
    let teams = format!("{} - {}", name(&of.home.name), name(&of.away.name));
    match of.date {
        Some(date) => format!("{teams} on {date}"),
        None => teams,
    }
}
