//! Triggers: accepted durably, served in runs.

use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::error::StoreError;
use super::writer::Counters;
use crate::telemetry::labels::{TriggerResult, TriggerSource};

/// Triggers whose links a cycle's span can carry.
const MAX_LINKS: usize = 128;
/// Served triggers that stay known by their id.
const KEPT: i64 = 50_000;
/// Served triggers that one cycle forgets at most, so that its commit stays short.
const FORGOTTEN_PER_CYCLE: i64 = 20_000;

/// A trigger to be stored.
#[derive(Clone, Debug)]
pub struct NewTrigger {
    /// Who asks.
    pub source: TriggerSource,
    /// Unix seconds.
    pub accepted: f64,
    /// The W3C trace context of whoever sent it.
    pub traceparent: Option<String>,
    /// The body, where it is JSON and small enough to keep.
    pub data: Option<Box<str>>,
    /// The body's size in bytes.
    pub size: usize,
}

/// A trigger that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place in the order.
    pub seq: i64,
    /// Its public id.
    pub id: String,
    /// How many others waited before it.
    pub ahead: usize,
}

impl Accepted {
    /// What became of the request, for the metrics.
    #[must_use]
    pub fn result(&self) -> TriggerResult {
        match self.ahead {
            0 => TriggerResult::Accepted,
            _ => TriggerResult::Coalesced,
        }
    }
}

crate::labels! {
    /// How far a trigger has come.
    TriggerState {
        /// Waits for a cycle.
        Pending => "pending",
        /// A cycle serves it now.
        Running => "running",
        /// A cycle has served it.
        Done => "done",
        /// Every cycle that served it failed.
        Failed => "failed",
        /// A filter decided that it asks for nothing.
        Ignored => "ignored",
    }
}

/// What is known of a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerStatus {
    /// Its place in the order.
    pub seq: i64,
    /// How far it has come; a running cycle is not known to the store.
    pub state: TriggerState,
    /// Unix seconds.
    pub accepted: f64,
    /// The cycle that served it.
    pub processing_id: Option<String>,
}

/// The triggers that wait when a cycle begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// The last of them; they are taken from the first that waits up to this one.
    pub upto: i64,
    /// How many.
    pub count: usize,
    /// When each was accepted, Unix seconds.
    pub accepted: Vec<f64>,
    /// Trace contexts of the newest, at most 128.
    pub links: Vec<String>,
    /// The body of the newest that has one.
    pub data: Option<String>,
    /// The last of them that no webhook asked for; 0 if there is none.
    pub urgent: i64,
    /// How often cycles for the oldest of them failed.
    pub failures: u32,
}

impl Store {
    /// Stores a trigger; on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`], or why nothing can be written. Nothing is stored then.
    pub async fn accept(&self, trigger: NewTrigger) -> Result<Accepted, StoreError> {
        let feed = self.feed();
        let nonce = i64::from(fastrand::u32(..));
        self.inner
            .writer
            .run_one_statement(move |tx, counters| insert(tx, counters, &feed, nonce, &trigger))
            .await
    }

    /// The triggers that wait now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn waiting(&self) -> Result<Waiting, StoreError> {
        self.read(waiting).await
    }

    /// How many triggers wait, and since when the oldest (Unix seconds).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn queue(&self) -> Result<(usize, Option<f64>), StoreError> {
        self.read(|c, feed| {
            Ok(c.prepare_cached(
                "SELECT count(*), min(accepted) FROM triggers WHERE feed = ?1 AND seq > ?2",
            )?
            .query_row(params![feed, served(c, feed)?], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?)
        })
        .await
    }

    /// What became of the trigger with this public id; none for an id that is not (or no longer)
    /// known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn trigger(&self, id: &str) -> Result<Option<TriggerStatus>, StoreError> {
        let Some((seq, nonce)) = parse_id(id) else {
            return Ok(None);
        };
        self.read(move |c, feed| status(c, feed, seq, nonce)).await
    }
}

pub(super) fn public_id(seq: i64, nonce: i64) -> String {
    format!("trg-{seq}-{nonce:08x}")
}

fn parse_id(id: &str) -> Option<(i64, i64)> {
    let (seq, nonce) = id.strip_prefix("trg-")?.split_once('-')?;
    let (seq, nonce) = (seq.parse().ok()?, i64::from_str_radix(nonce, 16).ok()?);
    (public_id(seq, nonce) == id).then_some((seq, nonce))
}

pub(super) fn insert(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    nonce: i64,
    trigger: &NewTrigger,
) -> Result<Accepted, StoreError> {
    let ahead = counters.waiting();
    if ahead >= counters.limits.queue_capacity {
        return Err(StoreError::QueueFull(ahead));
    }
    let seq = counters.next_seq;
    tx.prepare_cached("INSERT INTO triggers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            seq,
            feed,
            nonce,
            trigger.source.label(),
            trigger.accepted,
            trigger.traceparent,
            trigger.data,
            i64::try_from(trigger.size).unwrap_or(i64::MAX),
        ])?;
    counters.next_seq += 1;
    Ok(Accepted {
        seq,
        id: public_id(seq, nonce),
        ahead,
    })
}

fn served(c: &Connection, feed: &str) -> Result<i64, StoreError> {
    Ok(
        c.prepare_cached("SELECT coalesce(max(upto), 0) FROM served WHERE feed = ?1")?
            .query_row([feed], |row| row.get(0))?,
    )
}

fn waiting(c: &Connection, feed: &str) -> Result<Waiting, StoreError> {
    let from = served(c, feed)?;
    let mut all = Waiting::default();
    let mut statement = c.prepare_cached(
        "SELECT seq, accepted, traceparent, source <> ?3 FROM triggers \
         WHERE feed = ?1 AND seq > ?2 ORDER BY seq DESC",
    )?;
    let webhook = TriggerSource::Webhook.label();
    let mut rows = statement.query(params![feed, from, webhook])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        all.upto = all.upto.max(seq);
        if row.get(3)? {
            all.urgent = all.urgent.max(seq);
        }
        all.accepted.push(row.get(1)?);
        let link: Option<String> = row.get(2)?;
        if let Some(link) = link.filter(|_| all.links.len() < MAX_LINKS) {
            all.links.push(link);
        }
    }
    all.count = all.accepted.len();
    all.data = c
        .prepare_cached(
            "SELECT data FROM triggers WHERE feed = ?1 AND seq > ?2 AND seq <= ?3 \
             AND data IS NOT NULL ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![feed, from, all.upto], |row| row.get(0))
        .optional()?;
    all.failures = c
        .prepare_cached("SELECT coalesce(max(failures), 0) FROM tries WHERE feed = ?1")?
        .query_row([feed], |row| row.get(0))?;
    Ok(all)
}

fn status(
    c: &Connection,
    feed: &str,
    seq: i64,
    nonce: i64,
) -> Result<Option<TriggerStatus>, StoreError> {
    let accepted: Option<f64> = c
        .prepare_cached(
            "SELECT accepted FROM triggers WHERE seq = ?1 AND feed = ?2 AND nonce = ?3",
        )?
        .query_row(params![seq, feed, nonce], |row| row.get(0))
        .optional()?;
    let Some(accepted) = accepted else {
        return Ok(None);
    };
    let run: Option<(String, String)> = c
        .prepare_cached(
            "SELECT state, processing_id FROM served WHERE feed = ?1 AND upto >= ?2 \
             ORDER BY upto LIMIT 1",
        )?
        .query_row(params![feed, seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (state, processing_id) = match run {
        None => (TriggerState::Pending, None),
        Some((state, id)) => (
            TriggerState::from_label(&state).ok_or(StoreError::Row("trigger state"))?,
            Some(id),
        ),
    };
    Ok(Some(TriggerStatus {
        seq,
        state,
        accepted,
        processing_id,
    }))
}

/// Marks every trigger up to `upto` as served by a cycle.
pub(super) fn serve(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    upto: i64,
    processing_id: &str,
    state: TriggerState,
) -> Result<(), StoreError> {
    if upto <= counters.served {
        return Ok(());
    }
    tx.prepare_cached("INSERT INTO served VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![feed, upto, processing_id, state.label()])?;
    tx.prepare_cached("DELETE FROM tries WHERE feed = ?1 AND upto <= ?2")?
        .execute(params![feed, upto])?;
    counters.served = upto;
    forget(tx, feed, upto)
}

/// Counts a failure for every waiting trigger up to `upto`. Those that failed `limit` times are
/// given up; returns the last of these.
pub(super) fn count_failure(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    upto: i64,
    processing_id: &str,
    limit: u32,
) -> Result<Option<i64>, StoreError> {
    tx.prepare_cached("UPDATE tries SET failures = failures + 1 WHERE feed = ?1 AND upto <= ?2")?
        .execute(params![feed, upto])?;
    tx.prepare_cached("INSERT OR IGNORE INTO tries VALUES (?1, ?2, 1)")?
        .execute(params![feed, upto])?;
    let given_up: Option<i64> = tx
        .prepare_cached("SELECT max(upto) FROM tries WHERE feed = ?1 AND failures >= ?2")?
        .query_row(params![feed, limit], |row| row.get(0))?;
    if let Some(last) = given_up {
        serve(
            tx,
            counters,
            feed,
            last,
            processing_id,
            TriggerState::Failed,
        )?;
    }
    Ok(given_up)
}

fn forget(tx: &Connection, feed: &str, upto: i64) -> Result<(), StoreError> {
    let first: Option<i64> = tx
        .prepare_cached("SELECT min(seq) FROM triggers WHERE feed = ?1")?
        .query_row([feed], |row| row.get(0))?;
    let Some(first) = first else { return Ok(()) };
    let last = (upto - KEPT).min(first + FORGOTTEN_PER_CYCLE);
    if last >= first {
        tx.prepare_cached("DELETE FROM triggers WHERE seq <= ?1 AND feed = ?2")?
            .execute(params![last, feed])?;
        // The newest run stays: it holds the mark up to which all is served.
        tx.prepare_cached("DELETE FROM served WHERE feed = ?1 AND upto < ?2")?
            .execute(params![feed, last])?;
    }
    Ok(())
}
