//! What a newer entry does to the older ones of its match: it replaces them, follows them, or tells what
//! they did not get to tell.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, params};

use super::work::{FORGOTTEN, TRIED, end, forget_if_old, lossy};
use super::{NewDelivery, Origin, Settlement};
use crate::domain::change::Priority;
use crate::domain::delivery::{Destination, Succession, succession};
use crate::domain::notify::Stored;
use crate::store::error::StoreError;

/// Stores a delivery. What it takes the place of and is not under way is superseded; returns how many
/// that are.
pub(in crate::store) fn insert(
    tx: &Connection,
    feed: &str,
    origin: &Origin<'_>,
    new: &NewDelivery,
) -> Result<usize, StoreError> {
    let wait = new.not_before.map_or(0.0, |at| (at - origin.at).max(0.0));
    let (mut due, mut not_before) = (origin.due + wait, new.not_before);
    let (told, superseded) = match succession(&new.kind) {
        Succession::Follows => (Some((Cow::from(&new.payload), new.priority)), 0),
        Succession::Replaces => {
            let superseded = supersede(tx, feed, origin, new, true)?;
            (Some((Cow::from(&new.payload), new.priority)), superseded)
        }
        Succession::Merges { also_dead } => {
            let older = older(tx, feed, new, also_dead)?;
            // What was to be told sooner does not wait with what may be told later.
            for one in &older {
                if one.due < due {
                    (due, not_before) = (one.due, one.not_before);
                }
            }
            let told = merged(older, new).map(|one| (Cow::from(one.payload), one.priority));
            (told, supersede(tx, feed, origin, new, also_dead)?)
        }
    };
    // What changed and changed back needs no telling.
    let Some((payload, priority)) = told else {
        return Ok(superseded);
    };
    tx.prepare_cached(
        "INSERT INTO outbox (feed, destination, recipient, match_id, kind, priority, \
         processing_id, state, created, next_attempt, not_before, traceparent, digest, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        feed,
        new.lane.key(),
        new.recipient,
        new.match_id,
        new.kind,
        priority.label(),
        origin.processing_id,
        origin.at,
        due,
        not_before,
        origin.traceparent,
        new.digest,
        payload
    ])?;
    if matches!(new.lane.kind, Destination::Assets | Destination::Avatars) {
        tx.prepare_cached(
            "INSERT INTO assets (feed, match_id, kind, planned) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET planned = excluded.planned",
        )?
        .execute(params![feed, new.match_id, new.kind, new.digest])?;
    }
    Ok(superseded)
}

/// What the newer one tells together with those before it, oldest first.
fn merged(older: Vec<Older>, new: &NewDelivery) -> Option<Stored> {
    let newest = Stored {
        payload: new.payload.clone(),
        priority: new.priority,
    };
    let (mut told, mut heard): (Option<Stored>, bool) = (None, false);
    for Older { stored, tried, .. } in older {
        told = and_then(told, stored, heard);
        heard |= tried;
    }
    and_then(told, newest, heard)
}

fn and_then(before: Option<Stored>, next: Stored, heard: bool) -> Option<Stored> {
    match before {
        Some(before) => next.after(&before.payload, heard),
        None => Some(next),
    }
}

/// What waits and a newer one takes up.
struct Older {
    stored: Stored,
    due: f64,
    /// None also where it was tried already.
    not_before: Option<f64>,
    tried: bool,
}

fn older(
    tx: &Connection,
    feed: &str,
    new: &NewDelivery,
    also_dead: bool,
) -> Result<Vec<Older>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT payload, CASE state WHEN 'pending' THEN next_attempt ELSE 9e99 END, \
         CASE attempts WHEN 0 THEN not_before END, {TRIED} FROM outbox \
         WHERE feed = ?1 AND destination = ?2 AND recipient = ?3 AND match_id = ?4 \
         AND kind = ?5 AND (state = 'pending' OR (?6 AND state = 'dead')) ORDER BY id"
    ))?;
    let rows = statement.query_map(
        params![
            feed,
            new.lane.key(),
            new.recipient,
            new.match_id,
            new.kind,
            also_dead
        ],
        |row| {
            let stored = Stored {
                payload: lossy(row.get_ref(0)?),
                priority: Priority::Low,
            };
            Ok(Older {
                stored,
                due: row.get(1)?,
                not_before: row.get(2)?,
                tried: row.get(3)?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn supersede(
    tx: &Connection,
    feed: &str,
    origin: &Origin<'_>,
    new: &NewDelivery,
    also_dead: bool,
) -> Result<usize, StoreError> {
    let key = new.lane.key();
    let superseded = tx
        .prepare_cached(
            "UPDATE outbox SET state = 'superseded', settled = ?6, payload = NULL \
             WHERE feed = ?1 AND destination = ?2 AND recipient = ?3 AND match_id = ?4 \
             AND kind = ?5 AND (state = 'pending' OR (?7 AND state = 'dead'))",
        )?
        .execute(params![
            feed,
            key,
            new.recipient,
            new.match_id,
            new.kind,
            origin.at,
            also_dead
        ])?;
    if superseded > 0 {
        tx.prepare_cached(&format!(
            "{FORGOTTEN} AND feed = ?1 AND destination = ?2 AND match_id = ?3"
        ))?
        .execute(params![feed, key, new.match_id])?;
    }
    Ok(superseded)
}

/// Whether a newer one takes its place: then how many others are superseded by that. What the newer one
/// does not tell yet it does then, and no later than this one would have been tried again.
pub(super) fn gives_way(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<Option<usize>, StoreError> {
    let newer = tx
        .prepare_cached(
            "SELECT o.kind, n.id, o.payload, n.payload, n.state, o.next_attempt FROM outbox AS o JOIN outbox AS n \
             ON n.feed = o.feed AND n.destination = o.destination AND n.match_id = o.match_id \
             AND n.recipient = o.recipient AND n.kind = o.kind AND n.id > o.id \
             WHERE o.id = ?1 ORDER BY n.id DESC LIMIT 1",
        )?
        .query_row([id], |row| {
            let text = |n| Ok::<_, rusqlite::Error>(lossy(row.get_ref(n)?));
            let told = (text(2)?, text(3)?);
            Ok((text(0)?, row.get(1)?, told, text(4)?, row.get(5)?))
        })
        .optional()?;
    let Some((kind, newer_id, told, state, scheduled)) = newer else {
        return Ok(None);
    };
    let newer_id: i64 = newer_id;
    let again = match settlement {
        Settlement::Retry { at, .. } => *at,
        Settlement::Back { .. } => scheduled,
        Settlement::Delivered { .. } | Settlement::Dead { .. } => f64::MAX,
    };
    match succession(&kind) {
        Succession::Follows => Ok(None),
        Succession::Replaces => Ok(Some(0)),
        // The one that it could be told with is gone already.
        Succession::Merges { .. } if state != "pending" => Ok(None),
        Succession::Merges { .. } => take_up(tx, newer_id, told, (now, again)).map(Some),
    }
}

/// Has the newer one tell what the older one, which may have arrived, would have told, at `again` at the
/// latest. Returns how many that supersedes.
fn take_up(
    tx: &Connection,
    newer_id: i64,
    (older, newer): (String, String),
    (now, again): (f64, f64),
) -> Result<usize, StoreError> {
    let tried: bool = tx
        .prepare_cached(&format!("SELECT {TRIED} FROM outbox WHERE id = ?1"))?
        .query_row([newer_id], |row| row.get(0))?;
    let stored = Stored {
        payload: newer,
        priority: Priority::Low,
    };
    let mut telling = newer_id;
    if let Some(Stored { payload, priority }) = stored.after(&older, true) {
        if tried {
            telling = under_new_id(tx, newer_id, now)?;
        }
        tx.prepare_cached("UPDATE outbox SET payload = ?2, priority = ?3 WHERE id = ?1")?
            .execute(params![telling, payload, priority.label()])?;
    }
    tx.prepare_cached(
        "UPDATE outbox SET not_before = CASE WHEN ?2 < next_attempt THEN NULL ELSE not_before END, \
         next_attempt = min(next_attempt, ?2) WHERE id = ?1",
    )?
    .execute(params![telling, again])?;
    Ok(usize::from(telling != newer_id))
}

/// Has an entry that was tried go on as another one, whose id its receiver does not know. Returns that.
pub(super) fn under_new_id(tx: &Connection, id: i64, now: f64) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO outbox (feed, destination, recipient, match_id, kind, priority, \
         processing_id, state, created, next_attempt, not_before, traceparent, digest, payload) \
         SELECT feed, destination, recipient, match_id, kind, priority, processing_id, \
         'pending', ?2, next_attempt, NULL, traceparent, digest, payload \
         FROM outbox WHERE id = ?1",
    )?
    .execute(params![id, now])?;
    let new = tx.last_insert_rowid();
    end(tx, id, now, "superseded", None)?;
    forget_if_old(tx, id)?;
    Ok(new)
}
