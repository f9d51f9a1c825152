//! The checks of a daemon that has had time to do all that it owes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;

use super::book::Book;
use super::lists::Revision;
use super::receiver::{Fate, Upload};
use crate::support::Result;
use crate::support::daemon::Daemon;
use crate::support::violation::promise;

const KINDS: [&str; 3] = ["description", "info", "avatar"];

/// Everything of one sort, oldest first.
pub fn all(daemon: &Daemon, path: &str, name: &str) -> Result<Vec<Value>> {
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let page = daemon.admin(&format!("{path}?limit=1000{before}"))?;
        let rows = page[name].as_array();
        found.extend(
            rows.with_context(|| format!("odd: {page}"))?
                .iter()
                .cloned(),
        );
        match page["next"].as_i64() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    found.reverse();
    Ok(found)
}

/// The history has every cycle once, in order, and begins as it did before.
pub fn check_history(daemon: &Daemon, book: &mut Book) -> Result<BTreeMap<String, Value>> {
    let detailed = daemon.get("/status/detailed")?;
    let count = detailed["processing_count"].as_u64().context("no count")?;
    promise!(
        count >= book.cycles,
        "{count} cycles are told after {} were",
        book.cycles
    );
    book.cycles = count;
    let records = detailed["processing_history"].as_array();
    let mut by_number = BTreeMap::new();
    for record in records.context("no history")? {
        let id = record["processing_id"].as_str().context("no id")?;
        let number: u64 = id.rsplit('_').next().context("no number")?.parse()?;
        let twice = by_number.insert(number, record.clone());
        promise!(twice.is_none(), "two cycles have the number {number}");
    }
    let numbers: Vec<_> = by_number.keys().copied().collect();
    promise!(
        numbers == (1..=count).collect::<Vec<_>>(),
        "the history of {count} cycles has these: {numbers:?}"
    );
    let name = |record: &Value| {
        record["processing_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let ids: Vec<_> = by_number.values().map(name).collect();
    promise!(
        ids.starts_with(&book.history),
        "the history has changed: {:?} is now {ids:?}",
        book.history
    );
    book.history = ids;
    let records = by_number.into_values();
    Ok(records.map(|record| (name(&record), record)).collect())
}

/// Every acknowledged trigger was served, by a cycle that began after it was sent, and stays so.
pub fn check_triggers(
    daemon: &Daemon,
    book: &mut Book,
    history: &BTreeMap<String, Value>,
) -> Result<()> {
    for acknowledged in std::mem::take(&mut book.acknowledged) {
        let id = acknowledged.id;
        let known = daemon.get(&format!("/triggers/{id}"))?;
        promise!(
            known["status"] == "done",
            "{id} was acknowledged and is {known}"
        );
        let cycle = known["processing_id"].as_str().context("no cycle")?;
        let record = history.get(cycle);
        let begun = record.and_then(|record| record["timestamp"].as_f64());
        promise!(
            begun.is_some_and(|begun| begun >= acknowledged.sent),
            "{id} was sent at {} and served by {cycle}, which began at {begun:?}",
            acknowledged.sent
        );
        let twice = book.served.insert(id.clone(), cycle.to_owned());
        promise!(twice.is_none(), "{id} was given to two triggers");
    }
    Ok(())
}

/// What was served stays served by the same cycle.
pub fn check_served(daemon: &Daemon, book: &Book) -> Result<()> {
    for (id, cycle) in &book.served {
        let known = daemon.get(&format!("/triggers/{id}"))?;
        promise!(
            known["status"] == "done" && known["processing_id"] == *cycle,
            "{id} was served by {cycle} and is now {known}"
        );
    }
    Ok(())
}

/// Every change has its deliveries, and those of one match follow from each other up to the last
/// version of the list.
pub fn check_changes(changes: &[Value], deliveries: &[Value], last: &[Revision]) -> Result<()> {
    let mut planned = BTreeSet::new();
    for row in deliveries {
        planned.insert((
            text(row, "processing_id"),
            row["match_id"].as_i64(),
            text(row, "kind"),
        ));
    }
    let mut values: BTreeMap<(Option<i64>, String), String> = BTreeMap::new();
    for change in changes {
        let (id, match_id) = (text(change, "processing_id"), change["match_id"].as_i64());
        let field = text(change, "field_name");
        let kinds: &[&str] = match text(change, "category").as_str() {
            "venue_change" => &["group_description", "group_info", "message"],
            "team_change" | "new_assignment" => {
                &["group_description", "group_info", "avatar", "message"]
            }
            _ => return Err(anyhow::anyhow!("an odd change: {change}")),
        };
        for kind in kinds {
            promise!(
                planned.contains(&(id.clone(), match_id, (*kind).to_owned())),
                "a change led to no {kind}: {change}"
            );
        }
        let before = text(change, "previous_value");
        let now = values.insert((match_id, field), text(change, "current_value"));
        promise!(
            now.as_ref().is_none_or(|now| *now == before),
            "between the last change and this one another was lost: {change} after {now:?}"
        );
    }
    for ((match_id, field), value) in values {
        let revision = last.iter().find(|one| Some(one.id) == match_id);
        let revision = revision.context("an unknown match")?.json();
        promise!(
            field.is_empty() || field == "domaruppdraglista" || revision[&field] == value,
            "the last change of {field} of match {match_id:?} was to {value}: {revision}"
        );
    }
    Ok(())
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// What the receiver holds is what the last list asks for.
pub fn check_stored(uploads: &[Upload], last: &[Revision]) -> Result<()> {
    for revision in last {
        for kind in KINDS {
            let mine = |one: &&Upload| one.stored && is_file(one, kind, revision.id);
            let stored = uploads.iter().rev().find(mine);
            let (venue, team) = (revision.venue(), revision.team());
            let right = stored.is_some_and(|upload| {
                upload.folder.contains(&team)
                    && (kind == "avatar"
                        || upload.content.contains(&venue) && upload.content.contains(&team))
            });
            promise!(
                right,
                "the {kind} of match {} should tell of {venue} and {team} and is {stored:?}",
                revision.id
            );
        }
    }
    Ok(())
}

fn is_file(upload: &Upload, kind: &str, id: i64) -> bool {
    let name = format!("whatsapp_group_{kind}_match_{id}.");
    upload.file.starts_with(&name)
}

/// What the store takes for delivered was accepted by its receiver.
pub fn check_delivered(deliveries: &[Value], uploads: &[Upload]) -> Result<()> {
    let accepted = uploads.iter().filter(|one| one.fate == Fate::Answered);
    let accepted: BTreeSet<i64> = accepted.map(|one| one.id).collect();
    for row in deliveries.iter().filter(|row| row["state"] == "delivered") {
        let id = row["id"].as_i64().context("no id")?;
        promise!(
            accepted.contains(&id),
            "nobody accepted a delivery that is told to be made: {row}"
        );
    }
    Ok(())
}

/// No upload came again without need, a repeat is the same in all, and none overtook another of
/// its match. Returns the number of repeats.
pub fn check_uploads(uploads: &[Upload], book: &Book) -> Result<u32> {
    let mut last: BTreeMap<i64, &Upload> = BTreeMap::new();
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    let mut repeats = 0;
    for upload in uploads {
        let id = upload.id;
        if let Some(before) = last.insert(id, upload) {
            repeats += 1;
            let same = (&before.key, &before.folder, &before.file, &before.content)
                == (&upload.key, &upload.folder, &upload.file, &upload.content);
            promise!(same, "a repeat differs: {before:?}, {upload:?}");
            let needed =
                before.fate != Fate::Answered || book.was_in_flight(id, before.life, upload.life);
            promise!(
                needed,
                "delivery {id} was accepted and not under way at a kill, and came again: {upload:?}"
            );
        }
        let way = match upload.file.contains("_avatar_") {
            true => format!("avatar {}", upload.file),
            false => format!(
                "texts {}",
                upload.file.rsplit('_').next().unwrap_or_default()
            ),
        };
        let file = format!("file {}", upload.file);
        // What a person gives a new life comes late, but never after a newer state of its file.
        let ways = [(file, true), (way, !book.revived.contains(&id))];
        for (way, _) in ways.into_iter().filter(|(_, counts)| *counts) {
            let newest = newest.entry(way.clone()).or_default();
            promise!(id >= *newest, "{way}: delivery {id} came after {newest}");
            *newest = id;
        }
    }
    Ok(repeats)
}
