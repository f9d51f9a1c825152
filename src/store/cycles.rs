//! The end of a cycle: everything that it found and plans, in one transaction.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::error::StoreError;
use super::outbox::{self, NewDelivery};
use super::records::CycleRecord;
use super::requests;
use super::snapshot::{self, MatchWrites};
use super::triggers::{self, TriggerState};
use super::writer::Counters;
use crate::domain::change::Change;
use crate::domain::delivery::{DIGEST, Destination};

/// Changes that are kept for `/changes`.
const KEPT_CHANGES: i64 = 100_000;

/// What is known of a feed as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedState {
    /// Cycles that ended so far, failed ones too.
    pub cycles: u64,
    /// When the last one began, Unix seconds.
    pub last_start: Option<f64>,
    /// When the last one ended.
    pub last_end: Option<f64>,
    /// When one last succeeded.
    pub last_success: Option<f64>,
    /// Whether the last one found changes.
    pub last_changed: bool,
    /// Whether a list, be it an empty one, was ever accepted.
    pub has_snapshot: bool,
    /// Of the bytes of the list that the snapshot came from.
    pub list_digest: Option<Vec<u8>>,
    /// What the list's server gave to ask again with.
    pub etag: Option<String>,
    /// The same, as a date.
    pub last_modified: Option<String>,
    /// Of the exported file as it should be.
    pub export_digest: Option<Vec<u8>>,
    /// Of the exported file before the last commit, which a crash may have left in place.
    pub export_before: Option<Vec<u8>>,
    /// A list that is held.
    pub held: Option<Held>,
}

impl FeedState {
    /// Whether this is the digest of a file that this program exported.
    pub(super) fn exported(&self, digest: &[u8]) -> bool {
        [&self.export_digest, &self.export_before]
            .into_iter()
            .any(|known| known.as_deref() == Some(digest))
    }
}

/// A list that cannot be true and waits for a second look.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Of the set of its match ids.
    pub digest: Vec<u8>,
    /// When it was first seen, Unix seconds.
    pub since: f64,
    /// Why it is held.
    pub reason: String,
    /// Whether a person has accepted it.
    pub accepted: bool,
}

/// A new snapshot.
#[derive(Clone, Debug, Default)]
pub struct SnapshotWrite {
    /// What differs.
    pub matches: MatchWrites,
    /// Of the bytes of the whole list.
    pub list_digest: Vec<u8>,
    /// Of the exported file, if it is rewritten.
    pub export_digest: Option<Vec<u8>>,
    /// Whether the file in place is still the one before, because an export failed.
    pub export_is_stale: bool,
    /// See [`FeedState`].
    pub etag: Option<String>,
    /// See [`FeedState`].
    pub last_modified: Option<String>,
}

/// How a cycle ends.
#[derive(Clone, Debug)]
pub enum CycleEnd {
    /// Its list becomes the snapshot.
    Success {
        /// The new snapshot; none if the server said that nothing is new.
        snapshot: Option<SnapshotWrite>,
        /// What was found.
        changes: Vec<Change>,
        /// What must be delivered.
        deliveries: Vec<NewDelivery>,
    },
    /// Its list cannot be true. The triggers are served, the snapshot stays.
    Held(Held),
    /// It failed. The triggers wait for the next try, unless they failed `give_up_after` times.
    Failed {
        /// Failures after which a trigger is given up.
        give_up_after: u32,
    },
}

/// The end of a cycle, to be committed.
#[derive(Clone, Debug)]
pub struct CycleWrite {
    /// What the history will say.
    pub record: CycleRecord,
    /// Triggers up to this number were served.
    pub upto: i64,
    /// When it ended, Unix seconds.
    pub ended: f64,
    /// The same by the steady clock: its deliveries are due then.
    pub due: f64,
    /// How.
    pub end: CycleEnd,
    /// The trace context of the cycle, for its deliveries.
    pub traceparent: Option<String>,
}

/// What a commit did beside what it was told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The last trigger that was given up, if a failure gave any up.
    pub given_up: Option<i64>,
    /// Older deliveries that newer ones took the place of.
    pub superseded: BTreeMap<Destination, usize>,
}

impl Store {
    /// Commits the end of a cycle: all of it or nothing.
    ///
    /// # Errors
    /// When nothing could be written; the triggers wait as before.
    pub async fn commit_cycle(&self, write: CycleWrite) -> Result<Committed, StoreError> {
        let feed = self.feed();
        let committed = self.write(move |tx, counters| commit(tx, counters, &feed, &write));
        let committed = committed.await?;
        let superseded = committed.superseded.iter();
        self.count_superseded(superseded.map(|(&destination, &count)| (destination, count)));
        Ok(committed)
    }

    /// Notes that a cycle begins at this moment (Unix seconds), for whoever starts again before it
    /// ends.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn cycle_begins(&self, at: f64) -> Result<(), StoreError> {
        let feed = self.feed();
        self.write(move |tx, _| {
            ensure_feed(tx, &feed)?;
            tx.prepare_cached("UPDATE feeds SET last_start = ?2 WHERE feed = ?1")?
                .execute(params![feed, at])?;
            Ok(())
        })
        .await
    }

    /// What is known of the feed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn feed_state(&self) -> Result<FeedState, StoreError> {
        self.read(feed_state).await
    }

    /// Accepts the held list on a person's word; false when none is held.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn accept_held(&self) -> Result<bool, StoreError> {
        let feed = self.feed();
        self.write(move |tx, _| {
            let sql = "UPDATE feeds SET held_accepted = 1 WHERE feed = ?1 AND held_digest NOT NULL";
            Ok(tx.prepare_cached(sql)?.execute([feed])? > 0)
        })
        .await
    }

    /// Notes what the exported file will hold next, and what the one in place holds, if it is
    /// this program's.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn exported(
        &self,
        digest: Vec<u8>,
        in_place: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let feed = self.feed();
        self.write(move |tx, _| {
            ensure_feed(tx, &feed)?;
            let sql = "UPDATE feeds SET export_before = coalesce(?3, export_before), \
                       export_digest = ?2 WHERE feed = ?1";
            tx.prepare_cached(sql)?
                .execute(params![feed, digest, in_place])?;
            Ok(())
        })
        .await
    }

    /// Makes a list that another program left the baseline, without changes or deliveries.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn import(&self, snapshot: SnapshotWrite) -> Result<(), StoreError> {
        let feed = self.feed();
        self.write(move |tx, _| {
            ensure_feed(tx, &feed)?;
            write_snapshot(tx, &feed, &snapshot)
        })
        .await
    }
}

fn ensure_feed(tx: &Connection, feed: &str) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR IGNORE INTO feeds (feed) VALUES (?1)")?
        .execute([feed])?;
    Ok(())
}

fn feed_state(c: &Connection, feed: &str) -> Result<FeedState, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT cycles, last_start, last_end, last_success, last_changed, has_snapshot, \
         list_digest, etag, last_modified, export_digest, export_before, \
         held_digest, held_since, held_reason, held_accepted FROM feeds WHERE feed = ?1",
    )?;
    let state = statement.query_row([feed], |row| {
        let digest: Option<Vec<u8>> = row.get(11)?;
        let held = match digest {
            None => None,
            Some(digest) => Some(Held {
                digest,
                since: row.get(12)?,
                reason: row.get(13)?,
                accepted: row.get(14)?,
            }),
        };
        Ok(FeedState {
            cycles: row.get::<_, i64>(0)?.unsigned_abs(),
            last_start: row.get(1)?,
            last_end: row.get(2)?,
            last_success: row.get(3)?,
            last_changed: row.get(4)?,
            has_snapshot: row.get(5)?,
            list_digest: row.get(6)?,
            etag: row.get(7)?,
            last_modified: row.get(8)?,
            export_digest: row.get(9)?,
            export_before: row.get(10)?,
            held,
        })
    });
    Ok(state.optional()?.unwrap_or_default())
}

fn commit(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    write: &CycleWrite,
) -> Result<Committed, StoreError> {
    ensure_feed(tx, feed)?;
    let id = &write.record.processing_id;
    let served = counters.served;
    let (mut given_up, mut superseded) = (None, BTreeMap::new());
    match &write.end {
        CycleEnd::Success {
            snapshot,
            changes,
            deliveries,
        } => {
            if let Some(snapshot) = snapshot {
                write_snapshot(tx, feed, snapshot)?;
            }
            write_changes(tx, feed, id, changes)?;
            let origin = outbox::Origin {
                processing_id: id,
                at: write.ended,
                due: write.due,
                traceparent: write.traceparent.as_deref(),
            };
            superseded = store_deliveries(tx, feed, &origin, deliveries)?;
            release(tx, feed)?;
            triggers::serve(tx, counters, feed, write.upto, id, TriggerState::Done)?;
        }
        CycleEnd::Held(held) => {
            hold(tx, feed, held)?;
            triggers::serve(tx, counters, feed, write.upto, id, TriggerState::Done)?;
        }
        CycleEnd::Failed { give_up_after } => {
            given_up = triggers::count_failure(tx, counters, feed, write.upto, id, *give_up_after)?;
        }
    }
    let served = counters.served - served;
    requests::forget(tx, counters, feed, write.ended, served)?;
    write_record(tx, feed, write, counters.limits.history)?;
    Ok(Committed {
        given_up,
        superseded,
    })
}

/// Digests come last: what waits of one match then tells first what came first. Returns how many older
/// deliveries newer ones took the place of.
fn store_deliveries(
    tx: &Connection,
    feed: &str,
    origin: &outbox::Origin<'_>,
    deliveries: &[NewDelivery],
) -> Result<BTreeMap<Destination, usize>, StoreError> {
    let mut superseded = BTreeMap::new();
    let is_digest = |one: &&NewDelivery| one.kind == DIGEST;
    let (digests, others): (Vec<_>, Vec<_>) = deliveries.iter().partition(is_digest);
    for group in [others, digests] {
        for delivery in &group {
            let count = outbox::insert(tx, feed, origin, delivery)?;
            *superseded.entry(delivery.lane.kind).or_default() += count;
        }
        for (lane, count) in outbox::sort_out(tx, feed, &group, origin.at)? {
            *superseded.entry(lane.kind).or_default() += count;
        }
    }
    Ok(superseded)
}

fn write_snapshot(tx: &Connection, feed: &str, new: &SnapshotWrite) -> Result<(), StoreError> {
    snapshot::write(tx, feed, &new.matches)?;
    tx.prepare_cached(
        "UPDATE feeds SET has_snapshot = 1, list_digest = ?2, etag = ?3, last_modified = ?4, \
         export_before = CASE WHEN ?5 IS NULL OR ?6 THEN export_before ELSE export_digest END, \
         export_digest = coalesce(?5, export_digest) WHERE feed = ?1",
    )?
    .execute(params![
        feed,
        new.list_digest,
        new.etag,
        new.last_modified,
        new.export_digest,
        new.export_is_stale
    ])?;
    Ok(())
}

fn write_changes(
    tx: &Connection,
    feed: &str,
    processing_id: &str,
    changes: &[Change],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO changes (feed, processing_id, match_id, category, priority, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for change in changes {
        let record = serde_json::to_string(change).map_err(|_| StoreError::Row("change"))?;
        let (category, priority) = (change.category.label(), change.priority.label());
        statement.execute(params![
            feed,
            processing_id,
            change.match_id,
            category,
            priority,
            record
        ])?;
    }
    tx.prepare_cached("DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?1")?
        .execute([KEPT_CHANGES])?;
    Ok(())
}

/// What a person accepted after the cycle had begun stays accepted.
fn hold(tx: &Connection, feed: &str, held: &Held) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE feeds SET held_digest = ?2, held_since = ?3, held_reason = ?4, \
         held_accepted = ?5 OR (held_accepted AND held_digest IS ?2) WHERE feed = ?1",
    )?
    .execute(params![
        feed,
        held.digest,
        held.since,
        held.reason,
        held.accepted
    ])?;
    Ok(())
}

fn release(tx: &Connection, feed: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE feeds SET held_digest = NULL, held_accepted = 0 WHERE feed = ?1")?
        .execute([feed])?;
    Ok(())
}

fn write_record(
    tx: &Connection,
    feed: &str,
    write: &CycleWrite,
    kept: usize,
) -> Result<(), StoreError> {
    let record = &write.record;
    let success = matches!(write.end, CycleEnd::Success { .. }).then_some(write.ended);
    tx.prepare_cached(
        "UPDATE feeds SET cycles = cycles + 1, last_start = ?2, last_end = ?3, \
         last_success = coalesce(?4, last_success), last_changed = ?5 WHERE feed = ?1",
    )?
    .execute(params![
        feed,
        record.timestamp,
        write.ended,
        success,
        record.changes_detected
    ])?;
    let text = serde_json::to_string(record).map_err(|_| StoreError::Row("cycle record"))?;
    tx.prepare_cached("INSERT INTO cycles (feed, processing_id, record) VALUES (?1, ?2, ?3)")?
        .execute(params![feed, record.processing_id, text])?;
    let kept = i64::try_from(kept).unwrap_or(i64::MAX);
    let oldest: Option<i64> = tx
        .prepare_cached("SELECT id FROM cycles WHERE feed = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![feed, kept], |row| row.get(0))
        .optional()?;
    if let Some(oldest) = oldest {
        outbox::forget(tx, feed, oldest)?;
        tx.prepare_cached("DELETE FROM cycles WHERE feed = ?1 AND id <= ?2")?
            .execute(params![feed, oldest])?;
    }
    Ok(())
}
