//! What is asked about: changes and matches in files.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::trigger::read;
use crate::app::Failure;
use crate::domain::change::{Category, Change, Priority, Stakeholder};
use crate::domain::matchlist::{List, Match};
use crate::domain::routing::Subject;

/// Matches by id.
pub(super) type Matches = HashMap<i64, Match>;

/// A change as the daemon shows it, or as much of it as routing looks at.
#[derive(Deserialize)]
struct Given {
    match_id: i64,
    category: Category,
    priority: Priority,
    affected_stakeholders: Vec<Stakeholder>,
    #[serde(default)]
    match_nr: String,
    #[serde(default)]
    change_description: String,
}

/// The changes in a file: at least one.
pub(super) fn changes(path: &Path) -> Result<Vec<Change>, Failure> {
    let text = read(path)?;
    let unusable = |problem: String| {
        Failure::Usage(format!(
            "{}: {problem}; it must hold what `changes --json` prints",
            path.display()
        ))
    };
    // One after the other: a list, a page, or lines of single ones.
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&text)
        .into_iter()
        .collect();
    let values = values.map_err(|error| unusable(format!("is no JSON: {error}")))?;
    let changes: Result<Vec<Change>, _> = values.into_iter().flat_map(each).map(change).collect();
    let changes = changes.map_err(|error| unusable(format!("holds no change: {error}")))?;
    match changes.is_empty() {
        true => Err(unusable("holds no change".to_owned())),
        false => Ok(changes),
    }
}

/// The single changes of a list or a page.
fn each(value: Value) -> Vec<Value> {
    match value {
        Value::Array(changes) => changes,
        Value::Object(mut page) if page.get("changes").is_some_and(Value::is_array) => {
            page.remove("changes").map_or_else(Vec::new, each)
        }
        one => vec![one],
    }
}

fn change(value: Value) -> Result<Change, serde_json::Error> {
    let given: Given = serde_json::from_value(value)?;
    Ok(Change {
        match_id: given.match_id,
        match_nr: given.match_nr,
        category: given.category,
        priority: given.priority,
        affected_stakeholders: given.affected_stakeholders,
        change_description: given.change_description,
        field_name: None,
        previous_value: None,
        current_value: None,
        timestamp: String::new(),
    })
}

/// The matches in a file: a list of any form, or one match.
pub(super) fn matches(path: Option<&Path>) -> Result<Matches, Failure> {
    let Some(path) = path else {
        return Ok(Matches::new());
    };
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let one = || Match::parse(text.trim()).map(|one| vec![one]);
    let found = match List::split(&bytes) {
        // Entries that are no matches are none of a list either.
        Ok(list) => list
            .entries
            .iter()
            .flat_map(|entry| Match::parse(entry.get()))
            .collect(),
        Err(error) => one().map_err(|_| {
            Failure::Usage(format!(
                "{}: {error}; it must hold a match as the list has it, or a list",
                path.display()
            ))
        })?,
    };
    Ok(found.into_iter().map(|one| (one.id, one)).collect())
}

/// A change with what is known of its match.
pub(super) fn subject<'a>(
    change: &'a Change,
    current: &'a Matches,
    previous: &'a Matches,
) -> Subject<'a> {
    let now = current.get(&change.match_id);
    let before = previous.get(&change.match_id);
    let is_gone = matches!(
        change.category,
        Category::AssignmentRemoved | Category::AgedOut
    );
    match is_gone {
        true => Subject {
            change,
            current: None,
            previous: before.or(now),
        },
        false => Subject {
            change,
            current: now,
            previous: before,
        },
    }
}
