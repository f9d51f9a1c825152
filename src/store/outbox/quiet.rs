//! Quiet hours, as they hold for what waits: for retries, for what a person took up again, and for what
//! an earlier run left.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::Quiet;
use super::work::lossy;
use crate::store::error::StoreError;

/// Puts off what waits for these readers and is not critical, to the end of their quiet hours.
pub(super) fn put_off(
    tx: &Connection,
    (feed, lane): (&str, &str),
    quiet: &[Quiet],
) -> Result<(), StoreError> {
    let Some(latest) = quiet.iter().map(|one| one.due).reduce(f64::max) else {
        return Ok(());
    };
    let ends: HashMap<&str, &Quiet> = quiet
        .iter()
        .map(|one| (one.recipient.as_str(), one))
        .collect();
    let mut statement = tx.prepare_cached(
        "SELECT id, recipient, next_attempt FROM outbox WHERE feed = ?1 AND destination = ?2 \
         AND state = 'pending' AND priority <> 'critical' AND next_attempt < ?3 \
         AND recipient IN (SELECT value FROM json_each(?4))",
    )?;
    let rows = statement.query_map(params![feed, lane, latest, names(quiet)], |row| {
        Ok((row.get(0)?, lossy(row.get_ref(1)?), row.get(2)?))
    })?;
    let waiting: Vec<(i64, String, f64)> = rows.collect::<Result<_, _>>()?;
    let mut put_off = tx.prepare_cached(
        "UPDATE outbox SET next_attempt = ?2, not_before = max(coalesce(not_before, ?3), ?3) \
         WHERE id = ?1",
    )?;
    for (id, recipient, next) in waiting {
        if let Some(end) = ends.get(recipient.as_str())
            && next < end.due
        {
            put_off.execute(params![id, end.due, end.until])?;
        }
    }
    Ok(())
}

/// The readers as JSON, which a query takes as one value.
pub(super) fn names(quiet: &[Quiet]) -> String {
    let names: Vec<&str> = quiet.iter().map(|one| one.recipient.as_str()).collect();
    serde_json::to_string(&names).unwrap_or_else(|_| "[]".to_owned())
}
