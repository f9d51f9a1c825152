//! The life of an entry: stored, claimed, settled.

use std::borrow::Cow;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::beside;
use super::{Claimed, Discard, NewDelivery, Origin, Portion, Settlement, query};
use crate::domain::change::Priority;
use crate::domain::delivery::{DeliveryState, Destination, Lane, Succession, succession};
use crate::domain::notify::Stored;
use crate::domain::retry::{longest_delay, next_delay};
use crate::store::error::StoreError;

/// Nothing older of the same match and recipient waits or is under way; the entry is called `o`.
/// What is about no match in particular waits only for its own kind, and what tells of matches for all
/// that does.
pub(in crate::store) const FIRST_OF_ITS_MATCH: &str = "NOT EXISTS (SELECT 1 FROM outbox AS older \
    WHERE older.feed = o.feed AND older.destination = o.destination \
    AND older.match_id = o.match_id AND older.recipient = o.recipient AND older.id < o.id \
    AND (o.match_id <> 0 OR older.kind = o.kind OR (o.kind IN ('match_updates', 'full_state') \
    AND older.kind IN ('match_updates', 'full_state'))) \
    AND older.state IN ('pending', 'running'))";

/// No digest goes out beside an older message to the same reader that is under way, nor such a
/// message beside a digest: should the older one fail and be told again, it would come too late. What
/// merely waits tells of other matches, see `beside`. The entry is called `o`.
pub(in crate::store) const IN_TURN: &str = "(o.kind NOT IN ('message', 'digest') OR NOT EXISTS ( \
    SELECT 1 FROM outbox AS other WHERE other.state = 'running' \
    AND other.destination = o.destination AND other.feed = o.feed \
    AND other.recipient = o.recipient AND other.id < o.id \
    AND other.kind = CASE o.kind WHEN 'message' THEN 'digest' ELSE 'message' END))";

/// Settled entries of cycles that the history no longer holds.
const FORGOTTEN: &str = "DELETE FROM outbox WHERE state IN ('delivered', 'superseded', 'discarded') \
    AND NOT EXISTS (SELECT 1 FROM cycles AS c WHERE c.feed = outbox.feed \
    AND c.processing_id = outbox.processing_id)";

/// An entry that was tried may have arrived, whatever became of the answer. Retrying a dead letter
/// begins its attempts anew, and an attempt ahead of its time is not counted.
pub(super) const TRIED: &str = "(attempts <> 0 OR last_error IS NOT NULL)";

const INTERRUPTED: &str = "the program ended during the attempt";

/// The longest that a "not before" is believed: a digest of tomorrow, after quiet hours.
const LONGEST_WAIT: f64 = 2.0 * 24.0 * 3600.0;

const STRAY: &str = "the settings no longer name this destination";

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

/// An entry that is damaged holds up no other: it is tried as it is, and fails alone.
pub(super) fn lossy(text: ValueRef<'_>) -> String {
    lossy_or_none(text).unwrap_or_default()
}

pub(super) fn lossy_or_none(text: ValueRef<'_>) -> Option<String> {
    let bytes = text.as_bytes_or_null().unwrap_or_default()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// A number that no attempts lead to counts as all of them.
pub(super) fn attempts(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

pub(in crate::store) fn claim(
    tx: &Connection,
    feed: &str,
    lane: &str,
    now: f64,
    portion: Portion,
) -> Result<Vec<Claimed>, StoreError> {
    // What is critical does not stand in line behind thousands that are not.
    let urgent = "AND priority = 'critical'";
    let mut claimed = take(tx, (feed, lane), urgent, (now, now, portion.limit))?;
    mark(tx, &claimed)?;
    let horizon = if portion.ahead > 0 { f64::MAX } else { now };
    let left = portion.limit.saturating_sub(claimed.len());
    let mut others = take(tx, (feed, lane), "", (now, horizon, left))?;
    // Those ahead come last, in the order in which they will be due.
    let due = others.iter().take_while(|one| !one.ahead).count();
    others.truncate(due + portion.ahead);
    mark(tx, &others)?;
    claimed.extend(others);
    Ok(claimed)
}

/// At most `limit` entries that may be tried, due at `horizon` at the latest.
fn take(
    tx: &Connection,
    (feed, lane): (&str, &str),
    which: &str,
    (now, horizon, limit): (f64, f64, usize),
) -> Result<Vec<Claimed>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT id, match_id, kind, attempts, created, traceparent, payload, next_attempt > ?3, \
         max(created, coalesce(not_before, 0)), \
         recipient FROM outbox AS o WHERE feed = ?1 AND destination = ?2 AND state = 'pending' \
         {which} AND next_attempt <= ?4 \
         AND (next_attempt <= ?3 OR not_before IS NULL OR attempts > 0) \
         AND {FIRST_OF_ITS_MATCH} AND {IN_TURN} ORDER BY next_attempt, id LIMIT ?5"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![feed, lane, now, horizon, limit], |row| {
        Ok(Claimed {
            id: row.get(0)?,
            recipient: lossy(row.get_ref(9)?),
            match_id: row.get(1)?,
            kind: lossy(row.get_ref(2)?),
            attempt: attempts(row.get(3)?).saturating_add(1),
            created: row.get(4)?,
            wanted: row.get(8)?,
            traceparent: lossy_or_none(row.get_ref(5)?),
            payload: lossy(row.get_ref(6)?),
            ahead: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn mark(tx: &Connection, claimed: &[Claimed]) -> Result<(), StoreError> {
    let mut mark = tx.prepare_cached(
        "UPDATE outbox SET state = 'running', attempts = attempts + 1 WHERE id = ?1",
    )?;
    for one in claimed {
        mark.execute([one.id])?;
    }
    Ok(())
}

pub(in crate::store) fn settle(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<DeliveryState, StoreError> {
    let state = settled(tx, id, now, settlement)?;
    let is_told_elsewhere = state == DeliveryState::Pending && {
        beside::again(tx, id, now)?;
        is_superseded(tx, id)?
    };
    forget_if_old(tx, id)?;
    Ok(match is_told_elsewhere {
        true => DeliveryState::Superseded,
        false => state,
    })
}

/// Also where it is forgotten already.
fn is_superseded(tx: &Connection, id: i64) -> Result<bool, StoreError> {
    let state = tx
        .prepare_cached("SELECT state FROM outbox WHERE id = ?1")?
        .query_row([id], |row| Ok(lossy(row.get_ref(0)?)))
        .optional()?;
    Ok(state.is_none_or(|state| state == DeliveryState::Superseded.label()))
}

/// Forgets an entry that is settled, if the history no longer holds its cycle.
pub(super) fn forget_if_old(tx: &Connection, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached(&format!("{FORGOTTEN} AND id = ?1"))?
        .execute([id])?;
    Ok(())
}

fn settled(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<DeliveryState, StoreError> {
    let error = match settlement {
        Settlement::Delivered { url } => return delivered(tx, id, now, url.as_deref()),
        Settlement::Retry { error, .. }
        | Settlement::Back { error }
        | Settlement::Dead { error } => error,
    };
    if beside::digest(tx, id, now)? > 0 && is_superseded(tx, id)? {
        return Ok(DeliveryState::Superseded);
    }
    if gives_way(tx, id, now, settlement)? {
        end(tx, id, now, "superseded", Some(error))?;
        return Ok(DeliveryState::Superseded);
    }
    match settlement {
        Settlement::Retry { at, .. } => {
            tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', next_attempt = ?2, last_error = ?3 \
                 WHERE id = ?1",
            )?
            .execute(params![id, at, error])?;
            Ok(DeliveryState::Pending)
        }
        Settlement::Back { .. } => {
            tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', attempts = attempts - 1, last_error = ?2 \
                 WHERE id = ?1",
            )?
            .execute(params![id, error])?;
            Ok(DeliveryState::Pending)
        }
        Settlement::Delivered { .. } | Settlement::Dead { .. } => {
            end(tx, id, now, "dead", Some(error))?;
            plan_again(tx, id)?;
            Ok(DeliveryState::Dead)
        }
    }
}

/// The next change of the match plans it again.
fn plan_again(tx: &Connection, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE assets SET planned = NULL FROM outbox AS o WHERE o.id = ?1 \
         AND assets.feed = o.feed AND assets.match_id = o.match_id \
         AND assets.kind = o.kind",
    )?
    .execute([id])?;
    Ok(())
}

fn delivered(
    tx: &Connection,
    id: i64,
    now: f64,
    url: Option<&str>,
) -> Result<DeliveryState, StoreError> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 'delivered', settled = ?2, last_error = NULL, \
         payload = NULL WHERE id = ?1",
    )?
    .execute(params![id, now])?;
    tx.prepare_cached(
        "UPDATE assets SET stored = o.digest, url = ?2, stored_at = ?3 FROM outbox AS o \
         WHERE o.id = ?1 AND assets.feed = o.feed AND assets.match_id = o.match_id \
         AND assets.kind = o.kind",
    )?
    .execute(params![id, url, now])?;
    Ok(DeliveryState::Delivered)
}

/// A dead letter keeps its payload: a person may retry it.
pub(super) fn end(
    tx: &Connection,
    id: i64,
    now: f64,
    state: &str,
    error: Option<&str>,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE outbox SET state = ?2, settled = ?3, last_error = ?4, \
         payload = CASE ?2 WHEN 'dead' THEN payload END WHERE id = ?1",
    )?
    .execute(params![id, state, now, error])?;
    Ok(())
}

/// Whether a newer one takes its place. What that one does not tell yet it does then, and no later
/// than this one would have been tried again.
fn gives_way(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<bool, StoreError> {
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
        return Ok(false);
    };
    let newer_id: i64 = newer_id;
    let again = match settlement {
        Settlement::Retry { at, .. } => *at,
        Settlement::Back { .. } => scheduled,
        Settlement::Delivered { .. } | Settlement::Dead { .. } => f64::MAX,
    };
    match succession(&kind) {
        Succession::Follows => Ok(false),
        Succession::Replaces => Ok(true),
        // The one that it could be told with is gone already.
        Succession::Merges { .. } if state != "pending" => Ok(false),
        Succession::Merges { .. } => {
            take_up(tx, newer_id, told, (now, again))?;
            Ok(true)
        }
    }
}

/// Has the newer one tell what the older one, which may have arrived, would have told, at `again` at the
/// latest.
fn take_up(
    tx: &Connection,
    newer_id: i64,
    (older, newer): (String, String),
    (now, again): (f64, f64),
) -> Result<(), StoreError> {
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
    Ok(())
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

pub(in crate::store) fn recover(
    tx: &Connection,
    now: f64,
) -> Result<Vec<(Destination, DeliveryState)>, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT id, attempts, destination FROM outbox WHERE state = 'running'")?;
    let under_way: Vec<(i64, u32, String)> = statement
        .query_map([], |row| {
            let destination = lossy(row.get_ref(2)?);
            Ok((row.get(0)?, attempts(row.get(1)?), destination))
        })?
        .collect::<Result<_, _>>()?;
    let mut recovered = Vec::new();
    for (id, attempts, destination) in under_way {
        let settlement = match next_delay(attempts, 0.0) {
            Some(delay) => Settlement::Retry {
                at: now + delay.as_secs_f64(),
                error: INTERRUPTED.to_owned(),
            },
            None => Settlement::Dead {
                error: INTERRUPTED.to_owned(),
            },
        };
        let state = settle(tx, id, now, &settlement)?;
        // A damaged name is nobody's, and holds up no start.
        if let Some(lane) = Lane::from_key(&destination) {
            recovered.push((lane.kind, state));
        }
    }
    bring_forward(tx, now)?;
    Ok(recovered)
}

/// Makes due what the schedule does not have wait for so long: the clock was ahead when it was put
/// off, or is behind now.
fn bring_forward(tx: &Connection, now: f64) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT attempts FROM outbox WHERE state = 'pending' AND next_attempt > ?1",
    )?;
    let tried = statement.query_map([now], |row| row.get(0))?;
    let tried: Vec<i64> = tried.collect::<Result<_, _>>()?;
    let mut bring = tx.prepare_cached(
        "UPDATE outbox SET next_attempt = ?1 \
         WHERE state = 'pending' AND attempts = ?2 AND next_attempt > ?3",
    )?;
    for stored in tried {
        if stored == 0 {
            continue;
        }
        let latest = now + longest_delay(attempts(stored)).as_secs_f64();
        bring.execute(params![now, stored, latest])?;
    }
    tx.prepare_cached(
        "UPDATE outbox SET next_attempt = CASE WHEN not_before BETWEEN ?1 AND ?2 \
         THEN not_before ELSE ?1 END \
         WHERE state = 'pending' AND attempts = 0 AND next_attempt > ?1",
    )?
    .execute([now, now + LONGEST_WAIT])?;
    Ok(())
}

pub(in crate::store) fn give_up_strays(
    tx: &Connection,
    lanes: &[String],
    now: f64,
) -> Result<Vec<Destination>, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT id, destination FROM outbox WHERE state = 'pending'")?;
    let waiting: Vec<(i64, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, lossy(row.get_ref(1)?))))?
        .collect::<Result<_, _>>()?;
    let mut strays = Vec::new();
    for (id, key) in waiting {
        if !lanes.contains(&key)
            && let Some(lane) = Lane::from_key(&key)
        {
            end(tx, id, now, "dead", Some(STRAY))?;
            strays.push(lane.kind);
        }
    }
    Ok(strays)
}

pub(in crate::store) fn retry_dead(tx: &Connection, id: i64, now: f64) -> Result<bool, StoreError> {
    let revived = tx
        .prepare_cached(
            "UPDATE outbox SET state = 'pending', attempts = 0, next_attempt = ?2, settled = NULL \
             WHERE id = ?1 AND state = 'dead' AND payload NOT NULL",
        )?
        .execute(params![id, now])?;
    tx.prepare_cached(
        "UPDATE assets SET planned = o.digest FROM outbox AS o WHERE o.id = ?1 \
         AND o.state = 'pending' AND assets.feed = o.feed AND assets.match_id = o.match_id \
         AND assets.kind = o.kind",
    )?
    .execute([id])?;
    beside::again(tx, id, now)?;
    Ok(revived > 0)
}

pub(in crate::store) fn discard(
    tx: &Connection,
    id: i64,
    now: f64,
) -> Result<Option<Discard>, StoreError> {
    let before = tx
        .prepare_cached(&format!("{} WHERE id = ?1", query::DELIVERY))?
        .query_row([id], query::delivery_row)
        .optional()?;
    let Some(before) = before else {
        return Ok(None);
    };
    let state = DeliveryState::from_label(&before.state);
    if !matches!(state, Some(DeliveryState::Dead | DeliveryState::Pending)) {
        return Ok(Some(Discard::Refused(before)));
    }
    tx.prepare_cached(
        "UPDATE outbox SET state = 'discarded', settled = ?2, payload = NULL WHERE id = ?1",
    )?
    .execute(params![id, now])?;
    plan_again(tx, id)?;
    tx.prepare_cached(&format!("{FORGOTTEN} AND id = ?1"))?
        .execute([id])?;
    Ok(Some(Discard::Done(before)))
}

/// Forgets what was settled by cycles that the history no longer holds; dead letters stay.
pub(in crate::store) fn forget(
    tx: &Connection,
    feed: &str,
    oldest_cycle: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM outbox WHERE state IN ('delivered', 'superseded', 'discarded') AND processing_id IN \
         (SELECT processing_id FROM cycles WHERE feed = ?1 AND id <= ?2)",
    )?
    .execute(params![feed, oldest_cycle])?;
    Ok(())
}
