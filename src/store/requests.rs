//! Requests by the name that their sender gave them, so that a repeat triggers nothing.

use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::error::StoreError;
use super::triggers::{Accepted, NewTrigger, insert, public_id};
use super::writer::Counters;

/// Seconds for which a name is remembered.
const REMEMBERED: f64 = 7.0 * 24.0 * 3600.0;
/// Triggers back to which names are remembered at most: some 100 MB.
const MOST: i64 = 1_000_000;
/// Every so many triggers, names that are too old are forgotten.
const SWEEP_EVERY: i64 = 512;
/// How many at most at a time, so that a commit stays short.
const SWEPT: i64 = 4 * SWEEP_EVERY;

/// A request's name and what came with it, as digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestName {
    /// Of the header and its value.
    pub id: [u8; 16],
    /// Of the body.
    pub body: [u8; 16],
}

/// What became of a request that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new; its trigger is on disk.
    New(Accepted),
    /// It was accepted before; this is the trigger of that time.
    Repeat(Accepted),
    /// The name was accepted before, with another body. Nothing is stored.
    Conflict,
}

impl Store {
    /// Stores a trigger and its request's name in one transaction, unless the name is known.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn accept_once(
        &self,
        name: RequestName,
        trigger: NewTrigger,
    ) -> Result<Taken, StoreError> {
        let feed = self.feed();
        let nonce = i64::from(fastrand::u32(..));
        self.write(move |tx, counters| take(tx, counters, &feed, nonce, &name, &trigger))
            .await
    }
}

fn take(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    nonce: i64,
    name: &RequestName,
    trigger: &NewTrigger,
) -> Result<Taken, StoreError> {
    if let Some((seq, nonce, body)) = known(tx, feed, name, trigger.accepted)? {
        return Ok(match body == name.body {
            true => Taken::Repeat(Accepted {
                seq,
                id: public_id(seq, nonce),
                ahead: 0,
            }),
            false => Taken::Conflict,
        });
    }
    let accepted = insert(tx, counters, feed, nonce, trigger)?;
    tx.prepare_cached("INSERT OR REPLACE INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            accepted.seq,
            feed,
            name.id,
            name.body,
            nonce,
            trigger.accepted
        ])?;
    if accepted.seq % SWEEP_EVERY == 0 {
        sweep(tx, feed, accepted.seq, trigger.accepted)?;
    }
    Ok(Taken::New(accepted))
}

type Known = (i64, i64, [u8; 16]);

fn known(
    tx: &Connection,
    feed: &str,
    name: &RequestName,
    now: f64,
) -> Result<Option<Known>, StoreError> {
    Ok(tx
        .prepare_cached(
            "SELECT seq, nonce, body FROM requests WHERE feed = ?1 AND id = ?2 AND accepted > ?3",
        )?
        .query_row(params![feed, name.id, now - REMEMBERED], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?)
}

/// Forgets the oldest names that are too old or too many.
fn sweep(tx: &Connection, feed: &str, newest: i64, now: f64) -> Result<(), StoreError> {
    let last: Option<i64> = tx
        .prepare_cached(
            "SELECT max(seq) FROM \
             (SELECT seq, accepted FROM requests WHERE feed = ?1 ORDER BY seq LIMIT ?2) \
             WHERE accepted <= ?3 OR seq <= ?4",
        )?
        .query_row(
            params![feed, SWEPT, now - REMEMBERED, newest - MOST],
            |row| row.get(0),
        )?;
    if let Some(last) = last {
        tx.prepare_cached("DELETE FROM requests WHERE feed = ?1 AND seq <= ?2")?
            .execute(params![feed, last])?;
    }
    Ok(())
}
