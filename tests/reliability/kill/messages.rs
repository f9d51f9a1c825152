//! What a person hears of the matches, over everything that went wrong meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;

use super::lists::Revision;
use super::receiver::Upload;
use super::settled::text;
use crate::support::Result;
use crate::support::violation::promise;

/// The fields of a match that change in the lists, and where a message tells what they are now.
const FIELDS: [(&str, &str); 2] = [("anlaggningnamn", "venue"), ("lag1namn", "home")];

/// The messages that count, one after the other, tell every change: each begins where the one before
/// it ended, and the last of each match ends with the last version of the list. Those that count are
/// the delivered ones: what another one took up was to be told by that. Returns how many changes they
/// tell.
pub fn check(messages: &[Upload], deliveries: &[Value], last: &[Revision]) -> Result<u32> {
    let rows = deliveries.iter().filter(|row| row["kind"] == "message");
    let delivered = rows.filter(|row| row["state"] == "delivered");
    let delivered: BTreeSet<_> = delivered.filter_map(|row| row["id"].as_i64()).collect();
    let events: BTreeMap<i64, &str> = messages
        .iter()
        .filter(|one| delivered.contains(&one.id))
        .map(|one| (one.id, one.content.as_str()))
        .collect();
    let mut known: BTreeMap<(i64, &str), String> = BTreeMap::new();
    let mut told = 0;
    for (id, event) in events {
        let event: Value = serde_json::from_str(event)?;
        match event["type"].as_str() {
            Some("match.changed") => told += hear(id, &event, &mut known)?,
            // Deliveries that were given up, say.
            Some("system.alert" | "system.recovered") => {}
            _ => promise!(false, "an odd message {id}: {event}"),
        }
    }
    for revision in last {
        for ((field, _), now) in FIELDS.iter().zip([revision.venue(), revision.team()]) {
            let heard = known.get(&(revision.id, *field));
            promise!(
                heard == Some(&now),
                "{field} of match {} is {now:?}, and its messages end with {heard:?}",
                revision.id
            );
        }
    }
    Ok(told)
}

fn hear(id: i64, event: &Value, known: &mut BTreeMap<(i64, &str), String>) -> Result<u32> {
    let game = &event["data"]["match"];
    let of = game["match_id"].as_i64().context("a message of no match")?;
    let changes = event["data"]["changes"].as_array().context("no changes")?;
    let is_first = !known.contains_key(&(of, FIELDS[0].0));
    promise!(
        is_first == (game["is_new"] == true),
        "message {id} tells of match {of} as new, or not, and before it {known:?} was told: {event}"
    );
    let mut told = 0;
    for (field, place) in FIELDS {
        let change = changes.iter().find(|one| one["field_name"] == field);
        let before = match change {
            Some(change) => {
                let from = text(change, "previous_value");
                let heard = known.get(&(of, field));
                promise!(
                    is_first || heard == Some(&from),
                    "between message {id} and the one before it a change was lost: {field} was \
                     {from:?}, and {heard:?} was told: {event}"
                );
                told += 1;
                Some(text(change, "current_value"))
            }
            None => known.get(&(of, field)).cloned(),
        };
        let now = text(game, place);
        promise!(
            is_first || before.as_ref() == Some(&now),
            "message {id} says that {field} is {now:?}, and no change to it was told since \
             {before:?}: {event}"
        );
        known.insert((of, field), now);
    }
    Ok(told + u32::from(is_first))
}
