//! The outbox: what must be delivered, in order per (destination, match), until it is delivered,
//! superseded or given up.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::Store;
use super::error::StoreError;
use crate::domain::delivery::{DeliveryState, Destination};
use crate::domain::retry::next_delay;

/// A delivery to be stored with the cycle that plans it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Where to.
    pub destination: Destination,
    /// About which match.
    pub match_id: i64,
    /// What; a newer one of the same kind supersedes an older one of the same match.
    pub kind: String,
    /// Of the content, to tell later whether it would be the same.
    pub digest: [u8; 16],
    /// Everything that the delivery needs, as JSON.
    pub payload: String,
}

/// A delivery whose attempt is counted and under way. It must be settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The id, the same at each attempt.
    pub id: i64,
    /// Where to.
    pub destination: Destination,
    /// About which match.
    pub match_id: i64,
    /// What.
    pub kind: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When it was committed, Unix seconds.
    pub created: f64,
    /// The trace context of the cycle.
    pub traceparent: Option<String>,
    /// What [`NewDelivery`] held.
    pub payload: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// Delivered.
    Delivered {
        /// Where it can be looked at, if anywhere.
        url: Option<String>,
    },
    /// Failed; tried again at this time, Unix seconds.
    Retry {
        /// When.
        at: f64,
        /// What happened, without personal data.
        error: String,
    },
    /// Given up.
    Dead {
        /// What happened, without personal data.
        error: String,
    },
}

/// A delivery as the administration listener shows it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DeliveryRow {
    /// The id.
    pub id: i64,
    /// Where to.
    pub destination: String,
    /// About which match.
    pub match_id: i64,
    /// What.
    pub kind: String,
    /// The cycle that planned it.
    pub processing_id: String,
    /// How far it has come.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Unix seconds; none once it is settled.
    pub next_attempt: Option<f64>,
    /// What the last attempt failed with.
    pub last_error: Option<String>,
}

/// How many entries of the outbox are in a state, and since when the oldest is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutboxCount {
    /// Where to.
    pub destination: Destination,
    /// How far they have come.
    pub state: DeliveryState,
    /// How many.
    pub count: usize,
    /// When the oldest was committed, Unix seconds.
    pub oldest: f64,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// At most so many.
    pub limit: usize,
    /// Only older ones.
    pub before: Option<i64>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only to this destination.
    pub destination: Option<Destination>,
}

impl Store {
    /// Takes deliveries that are due, at most `limit`, the longest due first, none whose
    /// (destination, match) has an older one that is not settled. Their attempt is counted before
    /// this returns, so that one that brings the process down comes to an end too.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn claim(
        &self,
        destination: Destination,
        now: f64,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let feed = self.feed();
        self.write(move |tx, _| claim(tx, &feed, destination, now, limit))
            .await
    }

    /// Records how an attempt ended. Returns the state that this led to.
    ///
    /// # Errors
    /// When the store cannot write; the attempt then counts as not ended.
    pub async fn settle(
        &self,
        id: i64,
        now: f64,
        settlement: Settlement,
    ) -> Result<DeliveryState, StoreError> {
        self.write(move |tx, _| settle(tx, id, now, &settlement))
            .await
    }

    /// When the next delivery to this destination is due, Unix seconds; none if none waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_due(&self, destination: Destination) -> Result<Option<f64>, StoreError> {
        self.read(move |c, feed| {
            Ok(c.prepare_cached(&format!(
                "SELECT min(next_attempt) FROM outbox AS o WHERE feed = ?1 AND destination = ?2 \
                 AND state = 'pending' AND {FIRST_OF_ITS_MATCH}"
            ))?
            .query_row(params![feed, destination.label()], |row| row.get(0))?)
        })
        .await
    }

    /// Makes everything that waits for this destination due now.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn hasten(&self, destination: Destination, now: f64) -> Result<usize, StoreError> {
        self.write(move |tx, _| {
            Ok(tx
                .prepare_cached(
                    "UPDATE outbox SET next_attempt = ?2 WHERE state = 'pending' \
                     AND destination = ?1 AND next_attempt > ?2",
                )?
                .execute(params![destination.label(), now])?)
        })
        .await
    }

    /// Puts back what was under way when the last run ended, later the more often it was tried: it
    /// may be what ended the run. Keeps no "not before" beyond `latest`, which a clock that jumped
    /// may have left. Returns how many were put back and how many given up.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn recover(&self, now: f64, latest: f64) -> Result<(usize, usize), StoreError> {
        self.write(move |tx, _| recover(tx, now, latest)).await
    }

    /// Gives a dead delivery a new life; false if there is no dead one with this id.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn retry_dead(&self, id: i64, now: f64) -> Result<bool, StoreError> {
        self.write(move |tx, _| retry_dead(tx, id, now)).await
    }

    /// Whether there is a delivery with this id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, StoreError> {
        self.read(move |c, _| {
            let mut statement = c.prepare_cached(&format!("{DELIVERY} WHERE id = ?1"))?;
            Ok(statement.query_row([id], delivery_row).optional()?)
        })
        .await
    }

    /// Deliveries with an id below `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(move |c, feed| deliveries(c, feed, &query)).await
    }

    /// The outbox by destination and state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn outbox(&self) -> Result<Vec<OutboxCount>, StoreError> {
        self.read(counts).await
    }

    /// What was last planned for these matches: the digest, or none where it was given up. A file
    /// that was never planned is left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn planned(
        &self,
        ids: Vec<i64>,
    ) -> Result<HashMap<(i64, String), Option<[u8; 16]>>, StoreError> {
        self.read(move |c, feed| {
            let mut statement = c.prepare_cached(
                "SELECT kind, planned FROM assets WHERE feed = ?1 AND match_id = ?2",
            )?;
            let mut planned = HashMap::new();
            for id in ids {
                let mut rows = statement.query(params![feed, id])?;
                while let Some(row) = rows.next()? {
                    planned.insert((id, row.get(0)?), row.get(1)?);
                }
            }
            Ok(planned)
        })
        .await
    }

    /// An avatar that was made before for these clubs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn avatar(&self, clubs: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |c, _| {
            let mut statement = c.prepare_cached("SELECT png FROM avatars WHERE clubs = ?1")?;
            Ok(statement.query_row([clubs], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keeps an avatar, so that a failed upload does not make the avatar service draw it again.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn put_avatar(
        &self,
        clubs: String,
        png: Vec<u8>,
        now: f64,
    ) -> Result<(), StoreError> {
        self.write(move |tx, _| {
            tx.prepare_cached("INSERT OR REPLACE INTO avatars VALUES (?1, ?2, ?3)")?
                .execute(params![clubs, now, png])?;
            tx.prepare_cached(
                "DELETE FROM avatars WHERE clubs NOT IN \
                 (SELECT clubs FROM avatars ORDER BY made DESC LIMIT ?1)",
            )?
            .execute([KEPT_AVATARS])?;
            Ok(())
        })
        .await
    }
}

const INTERRUPTED: &str = "the program ended during the attempt";

/// Avatars that are kept for another use.
const KEPT_AVATARS: i64 = 200;

const FIRST_OF_ITS_MATCH: &str = "NOT EXISTS (SELECT 1 FROM outbox AS older \
    WHERE older.feed = o.feed AND older.destination = o.destination \
    AND older.match_id = o.match_id AND older.id < o.id \
    AND older.state IN ('pending', 'running'))";

const DELIVERY: &str = "SELECT id, destination, match_id, kind, processing_id, state, attempts, \
    CASE WHEN state IN ('pending', 'running') THEN next_attempt END, last_error FROM outbox";

/// Stores a delivery; what it makes obsolete and is not under way is superseded.
pub(super) fn insert(
    tx: &Connection,
    feed: &str,
    processing_id: &str,
    now: f64,
    traceparent: Option<&str>,
    new: &NewDelivery,
) -> Result<(), StoreError> {
    let destination = new.destination.label();
    tx.prepare_cached(
        "UPDATE outbox SET state = 'superseded', settled = ?5, payload = NULL \
         WHERE feed = ?1 AND destination = ?2 AND match_id = ?3 AND kind = ?4 \
         AND state IN ('pending', 'dead')",
    )?
    .execute(params![feed, destination, new.match_id, new.kind, now])?;
    tx.prepare_cached(
        "INSERT INTO outbox (feed, destination, match_id, kind, processing_id, state, created, \
         next_attempt, traceparent, digest, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        feed,
        destination,
        new.match_id,
        new.kind,
        processing_id,
        now,
        traceparent,
        new.digest,
        new.payload
    ])?;
    tx.prepare_cached(
        "INSERT INTO assets (feed, match_id, kind, planned) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET planned = excluded.planned",
    )?
    .execute(params![feed, new.match_id, new.kind, new.digest])?;
    Ok(())
}

fn claim(
    tx: &Connection,
    feed: &str,
    destination: Destination,
    now: f64,
    limit: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT id, match_id, kind, attempts, created, traceparent, payload FROM outbox AS o \
         WHERE feed = ?1 AND destination = ?2 AND state = 'pending' AND next_attempt <= ?3 \
         AND {FIRST_OF_ITS_MATCH} ORDER BY next_attempt, id LIMIT ?4"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let claimed: Vec<Claimed> = statement
        .query_map(params![feed, destination.label(), now, limit], |row| {
            Ok(Claimed {
                id: row.get(0)?,
                destination,
                match_id: row.get(1)?,
                kind: row.get(2)?,
                attempt: row.get::<_, u32>(3)?.saturating_add(1),
                created: row.get(4)?,
                traceparent: row.get(5)?,
                payload: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut mark = tx.prepare_cached(
        "UPDATE outbox SET state = 'running', attempts = attempts + 1 WHERE id = ?1",
    )?;
    for one in &claimed {
        mark.execute([one.id])?;
    }
    Ok(claimed)
}

fn settle(
    tx: &Connection,
    id: i64,
    now: f64,
    settlement: &Settlement,
) -> Result<DeliveryState, StoreError> {
    match settlement {
        Settlement::Delivered { url } => {
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
        Settlement::Retry { at, error } => {
            if has_newer(tx, id)? {
                end(tx, id, now, "superseded", error)?;
                return Ok(DeliveryState::Superseded);
            }
            tx.prepare_cached(
                "UPDATE outbox SET state = 'pending', next_attempt = ?2, last_error = ?3 \
                 WHERE id = ?1",
            )?
            .execute(params![id, at, error])?;
            Ok(DeliveryState::Pending)
        }
        Settlement::Dead { error } => {
            if has_newer(tx, id)? {
                end(tx, id, now, "superseded", error)?;
                return Ok(DeliveryState::Superseded);
            }
            end(tx, id, now, "dead", error)?;
            // The next change of the match plans it again.
            tx.prepare_cached(
                "UPDATE assets SET planned = NULL FROM outbox AS o WHERE o.id = ?1 \
                 AND assets.feed = o.feed AND assets.match_id = o.match_id \
                 AND assets.kind = o.kind",
            )?
            .execute([id])?;
            Ok(DeliveryState::Dead)
        }
    }
}

/// A dead letter keeps its payload: a person may retry it.
fn end(tx: &Connection, id: i64, now: f64, state: &str, error: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE outbox SET state = ?2, settled = ?3, last_error = ?4 WHERE id = ?1")?
        .execute(params![id, state, now, error])?;
    Ok(())
}

fn has_newer(tx: &Connection, id: i64) -> Result<bool, StoreError> {
    Ok(tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outbox AS o JOIN outbox AS n \
             ON n.feed = o.feed AND n.destination = o.destination AND n.match_id = o.match_id \
             AND n.kind = o.kind AND n.id > o.id WHERE o.id = ?1)",
        )?
        .query_row([id], |row| row.get(0))?)
}

fn recover(tx: &Connection, now: f64, latest: f64) -> Result<(usize, usize), StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT id, attempts FROM outbox WHERE state = 'running'")?;
    let under_way: Vec<(i64, u32)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (mut back, mut given_up) = (0, 0);
    for (id, attempts) in under_way {
        let settlement = match next_delay(attempts, 0.0) {
            Some(delay) => Settlement::Retry {
                at: now + delay.as_secs_f64(),
                error: INTERRUPTED.to_owned(),
            },
            None => Settlement::Dead {
                error: INTERRUPTED.to_owned(),
            },
        };
        match settle(tx, id, now, &settlement)? {
            DeliveryState::Dead => given_up += 1,
            _ => back += 1,
        }
    }
    let sql = "UPDATE outbox SET next_attempt = ?1 WHERE state = 'pending' AND next_attempt > ?1";
    tx.prepare_cached(sql)?.execute([latest])?;
    Ok((back, given_up))
}

fn retry_dead(tx: &Connection, id: i64, now: f64) -> Result<bool, StoreError> {
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
    Ok(revived > 0)
}

/// Forgets what was settled by cycles that the history no longer holds; dead letters stay.
pub(super) fn forget(tx: &Connection, feed: &str, oldest_cycle: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM outbox WHERE state IN ('delivered', 'superseded') AND processing_id IN \
         (SELECT processing_id FROM cycles WHERE feed = ?1 AND id <= ?2)",
    )?
    .execute(params![feed, oldest_cycle])?;
    Ok(())
}

fn delivery_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.get(0)?,
        destination: row.get(1)?,
        match_id: row.get(2)?,
        kind: row.get(3)?,
        processing_id: row.get(4)?,
        state: row.get(5)?,
        attempts: row.get(6)?,
        next_attempt: row.get(7)?,
        last_error: row.get(8)?,
    })
}

fn deliveries(
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
    only(
        " AND destination = ?",
        query.destination.map(|x| x.label().to_owned().into()),
    );
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    let mut statement = c.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), delivery_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn counts(c: &Connection, feed: &str) -> Result<Vec<OutboxCount>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT destination, state, count(*), min(created) FROM outbox WHERE feed = ?1 \
         GROUP BY destination, state",
    )?;
    let mut rows = statement.query([feed])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (destination, state): (String, String) = (row.get(0)?, row.get(1)?);
        found.push(OutboxCount {
            destination: Destination::from_label(&destination)
                .ok_or(StoreError::Row("destination"))?,
            state: DeliveryState::from_label(&state).ok_or(StoreError::Row("delivery state"))?,
            count: row.get(2)?,
            oldest: row.get(3)?,
        });
    }
    Ok(found)
}
