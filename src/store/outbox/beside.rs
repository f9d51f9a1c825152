//! Messages of single matches that wait beside a digest for the same reader.
//!
//! As long as both wait, what the digest has to tell of such a match goes with the message: so no
//! reader hears of a match as it was after having heard of it as it is. `work::IN_TURN` sees to it
//! that neither goes out while an older one of the other kind is under way. What was given up goes with
//! the digest: a person who retries it after that would have it told too late.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::NewDelivery;
use super::succession::under_new_id;
use super::work::{TRIED, end, forget_if_old, lossy};
use crate::domain::delivery::{DIGEST, Destination, Lane, MESSAGE};
use crate::domain::notify::{Beside, OpenDigest, Stored};
use crate::store::error::StoreError;

/// The digests that wait for a reader. Kinds stand in it as they are, or its index is not used.
pub(in crate::store) const DIGESTS: &str = "SELECT id FROM outbox WHERE feed = ?1 \
    AND destination = ?2 AND recipient = ?3 AND kind = 'digest' AND state = 'pending' ORDER BY id";

/// The messages that do, each with its match.
pub(in crate::store) const MESSAGES: &str = "SELECT id, match_id FROM outbox WHERE feed = ?1 \
    AND destination = ?2 AND recipient = ?3 AND kind = 'message' AND state = 'pending' ORDER BY id";

/// The messages to a reader that were given up, each with its match.
pub(in crate::store) const DEAD: &str = "SELECT id, match_id FROM outbox WHERE feed = ?1 \
    AND destination = ?2 AND recipient = ?3 AND kind = 'message' AND state = 'dead' \
    AND payload NOT NULL ORDER BY id";

/// The readers for whom a digest and a message wait.
pub(in crate::store) const READERS: &str = "SELECT DISTINCT feed, destination, recipient \
    FROM outbox AS d INDEXED BY outbox_readers WHERE kind = 'digest' AND state = 'pending' AND EXISTS (SELECT 1 FROM outbox AS m \
    WHERE m.feed = d.feed AND m.destination = d.destination AND m.recipient = d.recipient \
    AND m.kind = 'message' AND m.state = 'pending')";

/// The digest as it waits.
struct Waiting {
    feed: String,
    lane: String,
    recipient: String,
    payload: String,
    due: f64,
    /// None also where it was tried already.
    not_before: Option<f64>,
    /// It may have arrived.
    tried: bool,
}

/// Sorts out what waits for those whom these deliveries, just stored, are for. Returns how many are
/// not to be delivered any more, and of which lanes.
pub(in crate::store) fn sort_out(
    tx: &Connection,
    feed: &str,
    stored: &[&NewDelivery],
    now: f64,
) -> Result<Vec<(Lane, usize)>, StoreError> {
    let is_read = |one: &&&NewDelivery| matches!(one.kind.as_str(), MESSAGE | DIGEST);
    let readers: HashSet<_> = stored
        .iter()
        .filter(is_read)
        .map(|one| (&one.lane, one.recipient.as_str()))
        .collect();
    let mut superseded = Vec::new();
    for (lane, recipient) in readers {
        let count = of_reader(tx, (feed, &lane.key(), recipient), now)?;
        superseded.push((lane.clone(), count));
    }
    Ok(superseded)
}

/// The same for one reader: a feed, a lane and a recipient.
fn of_reader(
    tx: &Connection,
    (feed, lane, recipient): (&str, &str, &str),
    now: f64,
) -> Result<usize, StoreError> {
    let mut statement = tx.prepare_cached(DIGESTS)?;
    let digests = statement.query_map(params![feed, lane, recipient], |row| row.get(0))?;
    let digests: Vec<i64> = digests.collect::<Result<_, _>>()?;
    let mut superseded = 0;
    for id in digests {
        superseded += give_away(tx, id, now)?;
        superseded += take_up_dead(tx, id, now)?;
    }
    Ok(superseded)
}

/// The same for everybody for whom both wait: a version before this one left them as they were, and may
/// be the one that ran last.
pub(super) fn sort_out_all(
    tx: &Connection,
    now: f64,
) -> Result<Vec<(Destination, usize)>, StoreError> {
    let mut statement = tx.prepare_cached(READERS)?;
    let readers = statement.query_map([], |row| {
        let text = |n| Ok::<_, rusqlite::Error>(lossy(row.get_ref(n)?));
        Ok((text(0)?, text(1)?, text(2)?))
    })?;
    let readers: Vec<_> = readers.collect::<Result<_, _>>()?;
    let mut superseded = Vec::new();
    for (feed, lane, recipient) in readers {
        let count = of_reader(tx, (&feed, &lane, &recipient), now)?;
        // What is damaged belongs to no destination.
        superseded.extend(Lane::from_key(&lane).map(|lane| (lane.kind, count)));
    }
    Ok(superseded)
}

/// The same for the reader of an entry that waits again or was given up.
pub(super) fn sort_out_for_reader_of(
    tx: &Connection,
    id: i64,
    now: f64,
) -> Result<usize, StoreError> {
    let reader = tx
        .prepare_cached(
            "SELECT feed, destination, recipient FROM outbox \
             WHERE id = ?1 AND kind IN (?2, ?3) AND state IN ('pending', 'dead')",
        )?
        .query_row(params![id, MESSAGE, DIGEST], |row| {
            let text = |n| Ok::<_, rusqlite::Error>(lossy(row.get_ref(n)?));
            Ok((text(0)?, text(1)?, text(2)?))
        })
        .optional()?;
    match reader {
        Some((feed, lane, recipient)) => of_reader(tx, (&feed, &lane, &recipient), now),
        None => Ok(0),
    }
}

/// Has this digest, which is to be told, give away what messages that wait tell. Returns how many
/// entries are superseded by that.
pub(super) fn give_away(tx: &Connection, id: i64, now: f64) -> Result<usize, StoreError> {
    let Some(waiting) = read(tx, id)? else {
        return Ok(0);
    };
    let beside = beside(tx, MESSAGES, &waiting)?;
    if beside.is_empty() {
        return Ok(0);
    }
    let Some(mut open) = OpenDigest::read(&waiting.payload) else {
        return Ok(0);
    };
    let (mut given, mut superseded) = (false, 0);
    for (single, match_id) in beside {
        if !open.tells_of(match_id) {
            continue;
        }
        let (payload, tried) = told_by(tx, single)?;
        let beside = Beside {
            payload: &payload,
            is_newer: single > id,
            heard: tried,
        };
        let Some(told) = open.give(match_id, &beside, waiting.tried) else {
            continue;
        };
        given = true;
        match told {
            None => {
                supersede(tx, single, now)?;
                superseded += 1;
            }
            Some(told) => superseded += tell(tx, (single, tried), &told, &waiting, now)?,
        }
    }
    if given {
        superseded += shrink(tx, id, open, now)?;
    }
    Ok(superseded)
}

/// Has this digest, if it waits, tell what messages had to tell of its matches that were given up. One
/// that was tried already may have arrived, and goes on under an id of its own. Returns how many
/// entries are superseded by that.
fn take_up_dead(tx: &Connection, id: i64, now: f64) -> Result<usize, StoreError> {
    let Some(waiting) = read(tx, id)? else {
        return Ok(0);
    };
    let dead = beside(tx, DEAD, &waiting)?;
    if dead.is_empty() {
        return Ok(0);
    }
    // Nothing can be read of one that gave everything away.
    let Some(mut open) = OpenDigest::read(&waiting.payload) else {
        return Ok(0);
    };
    let mut superseded = 0;
    for (single, match_id) in dead {
        if !open.tells_of(match_id) {
            continue;
        }
        let (payload, tried) = told_by(tx, single)?;
        let dead = Beside {
            payload: &payload,
            is_newer: single > id,
            heard: tried,
        };
        if open.take_up(match_id, &dead, waiting.tried) {
            supersede(tx, single, now)?;
            superseded += 1;
        }
    }
    if superseded == 0 {
        return Ok(0);
    }
    let mut telling = id;
    if waiting.tried {
        telling = under_new_id(tx, id, now)?;
        superseded += 1;
    }
    Ok(superseded + shrink(tx, telling, open, now)?)
}

/// What a message tells, as the outbox holds it, and whether it may have arrived.
fn told_by(tx: &Connection, id: i64) -> Result<(String, bool), StoreError> {
    let told = tx
        .prepare_cached(&format!(
            "SELECT payload, {TRIED} FROM outbox WHERE id = ?1"
        ))?
        .query_row([id], |row| Ok((lossy(row.get_ref(0)?), row.get(1)?)))?;
    Ok(told)
}

fn read(tx: &Connection, id: i64) -> Result<Option<Waiting>, StoreError> {
    let read = tx
        .prepare_cached(
            &format!("SELECT feed, destination, recipient, payload, next_attempt, \
             CASE attempts WHEN 0 THEN not_before END, {TRIED} FROM outbox WHERE id = ?1 AND kind = ?2"),
        )?
        .query_row(params![id, DIGEST], |row| {
            Ok(Waiting {
                feed: lossy(row.get_ref(0)?),
                lane: lossy(row.get_ref(1)?),
                recipient: lossy(row.get_ref(2)?),
                payload: lossy(row.get_ref(3)?),
                due: row.get(4)?,
                not_before: row.get(5)?,
                tried: row.get(6)?,
            })
        });
    Ok(read.optional()?)
}

/// [`MESSAGES`] or [`DEAD`] for the reader of the digest.
fn beside(tx: &Connection, which: &str, digest: &Waiting) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = tx.prepare_cached(which)?;
    let reader = params![digest.feed, digest.lane, digest.recipient];
    let rows = statement.query_map(reader, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Has a message that waits tell this, no later than the digest would have. One that was tried
/// already may have arrived: what it tells now is a message of its own, with an id of its own.
/// Returns how many that supersedes.
fn tell(
    tx: &Connection,
    (id, tried): (i64, bool),
    told: &Stored,
    digest: &Waiting,
    now: f64,
) -> Result<usize, StoreError> {
    let telling = match tried {
        true => under_new_id(tx, id, now)?,
        false => id,
    };
    tx.prepare_cached(
        "UPDATE outbox SET payload = ?2, priority = ?3, \
         not_before = CASE WHEN ?4 < next_attempt THEN ?5 ELSE not_before END, \
         next_attempt = min(next_attempt, ?4) WHERE id = ?1",
    )?
    .execute(params![
        telling,
        told.payload,
        told.priority.label(),
        digest.due,
        digest.not_before
    ])?;
    Ok(usize::from(telling != id))
}

/// Has the digest tell what is left of it. Its id stays: what it no longer tells is told elsewhere,
/// whether its receiver takes a repeat for new or not.
fn shrink(tx: &Connection, id: i64, open: OpenDigest, now: f64) -> Result<usize, StoreError> {
    let Some(Stored { payload, priority }) = open.left() else {
        supersede(tx, id, now)?;
        return Ok(1);
    };
    tx.prepare_cached("UPDATE outbox SET payload = ?2, priority = ?3 WHERE id = ?1")?
        .execute(params![id, payload, priority.label()])?;
    Ok(0)
}

fn supersede(tx: &Connection, id: i64, now: f64) -> Result<(), StoreError> {
    end(tx, id, now, "superseded", None)?;
    forget_if_old(tx, id)
}
