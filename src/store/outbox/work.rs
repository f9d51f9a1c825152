//! The life of an entry that is stored: claimed, settled, taken up again.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::beside;
use super::succession::gives_way;
use super::{Claimed, DeliveryRow, Discard, Portion, Recovered, Retry, Settlement, query, quiet};
use crate::domain::delivery::{DeliveryState, Destination, Lane};
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
/// merely waits tells of other matches, see `beside`. One that was tried, or given up and retried, is
/// told later than its id says, so it waits for newer ones as well. The entry is called `o`.
pub(in crate::store) const IN_TURN: &str = "(o.kind NOT IN ('message', 'digest') OR NOT EXISTS ( \
    SELECT 1 FROM outbox AS other WHERE other.state = 'running' \
    AND other.destination = o.destination AND other.feed = o.feed \
    AND other.recipient = o.recipient \
    AND (other.id < o.id OR o.attempts <> 0 OR o.last_error IS NOT NULL) \
    AND other.kind = CASE o.kind WHEN 'message' THEN 'digest' ELSE 'message' END))";

/// Settled entries of cycles that the history no longer holds.
pub(super) const FORGOTTEN: &str = "DELETE FROM outbox WHERE state IN ('delivered', 'superseded', 'discarded') \
    AND NOT EXISTS (SELECT 1 FROM cycles AS c WHERE c.feed = outbox.feed \
    AND c.processing_id = outbox.processing_id)";

/// An entry that was tried may have arrived, whatever became of the answer. Retrying a dead letter
/// begins its attempts anew, and an attempt ahead of its time is not counted.
pub(super) const TRIED: &str = "(attempts <> 0 OR last_error IS NOT NULL)";

const INTERRUPTED: &str = "the program ended during the attempt";

/// The longest that a "not before" is believed: a digest of tomorrow, after quiet hours.
const LONGEST_WAIT: f64 = 2.0 * 24.0 * 3600.0;

const STRAY: &str = "the settings no longer name this destination";

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
    portion: &Portion,
) -> Result<Vec<Claimed>, StoreError> {
    quiet::put_off(tx, (feed, lane), &portion.quiet)?;
    let asleep = quiet::names(&portion.quiet);
    let place = (feed, lane, asleep.as_str());
    // What is critical does not stand in line behind thousands that are not.
    let urgent = "AND priority = 'critical'";
    let mut claimed = take(tx, place, urgent, (now, now, portion.limit))?;
    mark(tx, &claimed)?;
    let horizon = if portion.ahead > 0 { f64::MAX } else { now };
    let left = portion.limit.saturating_sub(claimed.len());
    let mut others = take(tx, place, "", (now, horizon, left))?;
    // Those ahead come last, in the order in which they will be due.
    let due = others.iter().take_while(|one| !one.ahead).count();
    others.truncate(due + portion.ahead);
    mark(tx, &others)?;
    claimed.extend(others);
    Ok(claimed)
}

/// At most `limit` entries that may be tried, due at `horizon` at the latest. What is not due yet and
/// not critical is not for those who are asleep (recipients, as JSON).
fn take(
    tx: &Connection,
    (feed, lane, asleep): (&str, &str, &str),
    which: &str,
    (now, horizon, limit): (f64, f64, usize),
) -> Result<Vec<Claimed>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT id, match_id, kind, attempts, created, traceparent, payload, next_attempt > ?3, \
         max(created, coalesce(not_before, 0)), \
         recipient FROM outbox AS o WHERE feed = ?1 AND destination = ?2 AND state = 'pending' \
         {which} AND next_attempt <= ?4 \
         AND (next_attempt <= ?3 OR ((not_before IS NULL OR attempts > 0) AND (priority = 'critical' \
         OR recipient NOT IN (SELECT value FROM json_each(?6))))) \
         AND {FIRST_OF_ITS_MATCH} AND {IN_TURN} ORDER BY next_attempt, id LIMIT ?5"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![feed, lane, now, horizon, limit, asleep], |row| {
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

/// Where an entry is now, and how many of its destination were superseded on the way, with itself.
pub(in crate::store) type Settled = (DeliveryState, usize);

pub(in crate::store) fn settle(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<Settled, StoreError> {
    let (mut state, mut superseded) = settled(tx, id, now, settlement)?;
    if matches!(state, DeliveryState::Pending | DeliveryState::Dead) {
        superseded += beside::sort_out_for_reader_of(tx, id, now)?;
        if is_superseded(tx, id)? {
            state = DeliveryState::Superseded;
        }
    }
    forget_if_old(tx, id)?;
    Ok((state, superseded))
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
) -> Result<Settled, StoreError> {
    let error = match settlement {
        Settlement::Delivered { url } => {
            delivered(tx, id, now, url.as_deref())?;
            return Ok((DeliveryState::Delivered, 0));
        }
        Settlement::Retry { error, .. }
        | Settlement::Back { error }
        | Settlement::Dead { error } => error,
    };
    let superseded = beside::give_away(tx, id, now)?;
    if superseded > 0 && is_superseded(tx, id)? {
        return Ok((DeliveryState::Superseded, superseded));
    }
    if let Some(others) = gives_way(tx, id, now, settlement)? {
        end(tx, id, now, "superseded", Some(error))?;
        return Ok((DeliveryState::Superseded, superseded + others + 1));
    }
    let state = match settlement {
        Settlement::Retry { at, .. } => {
            tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', next_attempt = ?2, last_error = ?3 \
                 WHERE id = ?1",
            )?
            .execute(params![id, at, error])?;
            DeliveryState::Pending
        }
        Settlement::Back { .. } => {
            tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', attempts = attempts - 1, last_error = ?2 \
                 WHERE id = ?1",
            )?
            .execute(params![id, error])?;
            DeliveryState::Pending
        }
        Settlement::Delivered { .. } | Settlement::Dead { .. } => {
            end(tx, id, now, "dead", Some(error))?;
            plan_again(tx, id)?;
            DeliveryState::Dead
        }
    };
    Ok((state, superseded))
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

fn delivered(tx: &Connection, id: i64, now: f64, url: Option<&str>) -> Result<(), StoreError> {
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
    Ok(())
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

pub(in crate::store) fn recover(tx: &Connection, now: f64) -> Result<Recovered, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT id, attempts, destination FROM outbox WHERE state = 'running'")?;
    let under_way: Vec<(i64, u32, String)> = statement
        .query_map([], |row| {
            let destination = lossy(row.get_ref(2)?);
            Ok((row.get(0)?, attempts(row.get(1)?), destination))
        })?
        .collect::<Result<_, _>>()?;
    let mut recovered = Recovered::default();
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
        let (state, superseded) = settle(tx, id, now, &settlement)?;
        // A damaged name is nobody's, and holds up no start.
        if let Some(lane) = Lane::from_key(&destination) {
            recovered.under_way.push((lane.kind, state));
            recovered.superseded.push((lane.kind, superseded));
        }
    }
    recovered.superseded.extend(beside::sort_out_all(tx, now)?);
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

/// What became of it, if it is there, and how many of its destination were superseded by that.
pub(in crate::store) fn retry_dead(
    tx: &Connection,
    id: i64,
    now: f64,
) -> Result<Option<(Retry, usize)>, StoreError> {
    let Some(before) = row(tx, id)? else {
        return Ok(None);
    };
    let revived = tx
        .prepare_cached(
            "UPDATE outbox SET state = 'pending', attempts = 0, next_attempt = ?2, settled = NULL \
             WHERE id = ?1 AND state = 'dead' AND payload NOT NULL",
        )?
        .execute(params![id, now])?;
    if revived == 0 {
        return Ok(Some((Retry::Refused(before), 0)));
    }
    tx.prepare_cached(
        "UPDATE assets SET planned = o.digest FROM outbox AS o WHERE o.id = ?1 \
         AND o.state = 'pending' AND assets.feed = o.feed AND assets.match_id = o.match_id \
         AND assets.kind = o.kind",
    )?
    .execute([id])?;
    let superseded = beside::sort_out_for_reader_of(tx, id, now)?;
    let state = match is_superseded(tx, id)? {
        true => DeliveryState::Superseded,
        false => DeliveryState::Pending,
    };
    Ok(Some((Retry::Done { before, state }, superseded)))
}

/// Where an entry goes; none if it is not there, or its name is damaged.
pub(in crate::store) fn destination(
    tx: &Connection,
    id: i64,
) -> Result<Option<Destination>, StoreError> {
    let key = tx
        .prepare_cached("SELECT destination FROM outbox WHERE id = ?1")?
        .query_row([id], |row| Ok(lossy(row.get_ref(0)?)))
        .optional()?;
    let lane = key.as_deref().and_then(Lane::from_key);
    Ok(lane.map(|lane| lane.kind))
}

fn row(tx: &Connection, id: i64) -> Result<Option<DeliveryRow>, StoreError> {
    let mut statement = tx.prepare_cached(&format!("{} WHERE id = ?1", query::DELIVERY))?;
    Ok(statement.query_row([id], query::delivery_row).optional()?)
}

pub(in crate::store) fn discard(
    tx: &Connection,
    id: i64,
    only: Option<DeliveryState>,
    now: f64,
) -> Result<Option<Discard>, StoreError> {
    let Some(before) = row(tx, id)? else {
        return Ok(None);
    };
    let state = DeliveryState::from_label(&before.state);
    let can_be = matches!(state, Some(DeliveryState::Dead | DeliveryState::Pending));
    if !can_be || only.is_some_and(|only| state != Some(only)) {
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
