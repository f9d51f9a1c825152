//! The outbox as people look at it.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::work::{attempts, lossy, lossy_or_none};
use super::{DeadLetters, DeliveryQuery, DeliveryRow, OutboxCount};
use crate::domain::delivery::{DEAD_LETTERS_ALERT, DeliveryState, Lane};
use crate::store::error::StoreError;

pub(super) const DELIVERY: &str = "SELECT id, destination, match_id, kind, processing_id, state, attempts, \
    CASE WHEN state IN ('pending', 'running') THEN next_attempt END, last_error, priority, \
    recipient, created, settled FROM outbox";

pub(in crate::store) fn delivery_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.get(0)?,
        destination: lossy(row.get_ref(1)?),
        match_id: row.get(2)?,
        kind: lossy(row.get_ref(3)?),
        processing_id: lossy(row.get_ref(4)?),
        state: lossy(row.get_ref(5)?),
        attempts: attempts(row.get(6)?),
        next_attempt: row.get(7)?,
        last_error: lossy_or_none(row.get_ref(8)?),
        priority: lossy(row.get_ref(9)?),
        recipient: lossy(row.get_ref(10)?),
        created: row.get(11)?,
        settled: row.get(12)?,
    })
}

pub(in crate::store) fn deliveries(
    c: &Connection,
    feed: &str,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut sql = format!("{DELIVERY} WHERE feed = ?");
    let mut values: Vec<Value> = vec![feed.to_owned().into()];
    let mut only = |clause: &str, value: Option<Value>| {
        if let Some(value) = value {
            sql.push_str(clause);
            values.push(value);
        }
    };
    only(" AND id < ?", query.before.map(Value::from));
    only(
        " AND state = ?",
        query.state.map(|x| x.label().to_owned().into()),
    );
    if let Some(lane) = &query.destination {
        only(" AND (destination = ?", Some(lane.key().into()));
        // A kind stands for all of its lanes.
        let prefix = format!("{}:", lane.key());
        only(
            " OR substr(destination, 1, length(?))",
            Some(prefix.clone().into()),
        );
        only(" = ?)", Some(prefix.into()));
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    let mut statement = c.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), delivery_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An index holds all of it: payloads can be large.
pub(in crate::store) const COUNTS: &str = "SELECT destination, state, count(*), \
    min(max(created, coalesce(not_before, 0))), sum(priority = 'critical') FROM outbox WHERE feed = ?1 GROUP BY destination, state";

/// What is damaged belongs to no destination that could be told of.
pub(super) fn dead_letters(c: &Connection, feed: &str) -> Result<Vec<DeadLetters>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT destination, count(*), sum(kind = ?2) FROM outbox WHERE feed = ?1 AND state = 'dead' \
         GROUP BY destination ORDER BY destination",
    )?;
    let rows = statement.query_map([feed, DEAD_LETTERS_ALERT], |row| {
        Ok(DeadLetters {
            lane: lossy(row.get_ref(0)?),
            count: row.get(1)?,
            about_such: row.get(2)?,
        })
    })?;
    let all: Vec<DeadLetters> = rows.collect::<Result<_, _>>()?;
    let is_known = |one: &DeadLetters| Lane::from_key(&one.lane).is_some();
    Ok(all.into_iter().filter(is_known).collect())
}

pub(in crate::store) fn counts(c: &Connection, feed: &str) -> Result<Vec<OutboxCount>, StoreError> {
    let mut statement = c.prepare_cached(COUNTS)?;
    let mut rows = statement.query([feed])?;
    let mut found: Vec<OutboxCount> = Vec::new();
    while let Some(row) = rows.next()? {
        let (destination, state) = (lossy(row.get_ref(0)?), lossy(row.get_ref(1)?));
        let destination = Lane::from_key(&destination).map(|lane| lane.kind);
        // What is damaged is counted nowhere, and hides no other.
        let Some((destination, state)) = destination.zip(DeliveryState::from_label(&state)) else {
            continue;
        };
        let this = OutboxCount {
            destination,
            state,
            count: row.get(2)?,
            critical: row.get(4)?,
            oldest: row.get(3)?,
        };
        let same = |other: &&mut OutboxCount| {
            other.destination == this.destination && other.state == this.state
        };
        match found.iter_mut().find(same) {
            None => found.push(this),
            Some(other) => {
                other.count += this.count;
                other.critical += this.critical;
                other.oldest = other.oldest.min(this.oldest);
            }
        }
    }
    Ok(found)
}
