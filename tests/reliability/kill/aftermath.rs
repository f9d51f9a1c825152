//! What a killed process left on the disk, before anything else touches it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use rusqlite::Connection;
use serde_json::Value;

use super::book::Book;
use super::lists::Revision;
use super::parse::NO_MATCH;
use super::receiver::{Fate, Upload};
use crate::support::Result;
use crate::support::violation::promise;

const DATABASE: &str = "match-list-processor.db";

/// The state and the counted attempts of every delivery, by its id.
pub type Outbox = BTreeMap<i64, (String, u32)>;

/// The outbox as it is on the disk; none before there is a database. Read from a copy, since
/// reading would already repair.
pub fn outbox(folder: &Path) -> Result<Option<Outbox>> {
    let (data, copy) = (folder.join("data"), folder.join("aftermath"));
    if !data.join(DATABASE).exists() {
        return Ok(None);
    }
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy)?;
    for suffix in ["", "-wal"] {
        let name = format!("{DATABASE}{suffix}");
        if data.join(&name).exists() {
            fs::copy(data.join(&name), copy.join(&name))?;
        }
    }
    let database = Connection::open(copy.join(DATABASE))?;
    let verdict: String = database.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    promise!(verdict == "ok", "the database is damaged: {verdict}");
    let mut statement = database.prepare("SELECT id, state, attempts FROM outbox")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(Some(rows.collect::<Result<_, _>>()?))
}

/// Every attempt that the receiver saw was counted before it was made, and what somebody was told
/// is delivered is delivered.
pub fn check_outbox(outbox: &Outbox, uploads: &[Upload], book: &Book) -> Result<()> {
    let mut seen: BTreeMap<i64, u32> = BTreeMap::new();
    // One that failed ahead of its schedule is taken off the count again. Of what was told of no
    // match, such as of dead letters, nothing is kept once it is through.
    let counted = |one: &&Upload| one.fate != Fate::Failed && one.file != NO_MATCH;
    for upload in uploads.iter().filter(counted) {
        *seen.entry(upload.id).or_default() += 1;
    }
    for (id, seen) in seen {
        let row = outbox.get(&id);
        let (_, attempts) = row.with_context(|| format!("delivery {id} is not in the store"))?;
        // A person's retry counts from nothing again.
        promise!(
            seen <= *attempts || book.revived.contains(&id),
            "delivery {id} was uploaded {seen} times, of which only {attempts} were counted"
        );
    }
    for id in &book.delivered {
        let state = outbox.get(id).map(|(state, _)| state.as_str());
        promise!(
            state == Some("delivered"),
            "delivery {id} was told to be delivered and is {state:?}"
        );
    }
    Ok(())
}

/// The exported list is whole, and one that was sent; none is there before the first.
pub fn check_export(folder: &Path, versions: &[Vec<Revision>]) -> Result<()> {
    let Some(list) = exported(folder)? else {
        return Ok(());
    };
    let sent = versions.iter().any(|version| is_of(&list, version));
    promise!(sent, "the exported list was never sent: {list}");
    Ok(())
}

/// The exported list is this one.
pub fn check_exported(folder: &Path, version: &[Revision]) -> Result<()> {
    let list = exported(folder)?.unwrap_or_default();
    promise!(
        is_of(&list, version),
        "the exported list is not the last one: {list} instead of {version:?}"
    );
    Ok(())
}

fn is_of(list: &Value, version: &[Revision]) -> bool {
    let sent: Vec<_> = version.iter().map(|revision| revision.json()).collect();
    *list == Value::from(sent)
}

fn exported(folder: &Path) -> Result<Option<Value>> {
    let data = folder.join("data");
    for entry in fs::read_dir(&data)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        promise!(
            !["foreign", "corrupt", "stray"]
                .iter()
                .any(|odd| name.contains(odd)),
            "a file of its own was taken for somebody else's and set aside: {name}"
        );
    }
    let path = data.join("previous_matches.json");
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(path)?;
    let list = serde_json::from_slice(&bytes).ok();
    promise!(
        list.is_some(),
        "the exported list is not whole: {}",
        String::from_utf8_lossy(&bytes)
    );
    Ok(list)
}
