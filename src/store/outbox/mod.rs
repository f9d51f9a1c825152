//! The outbox: what must be delivered, in order per (destination, match), until it is delivered,
//! superseded or given up.

mod beside;
mod query;
mod quiet;
mod succession;
mod work;

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::Store;
use super::error::StoreError;
use super::schema::{put_meta, remove_meta};
use crate::domain::change::Priority;
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::telemetry::labels::DeliveryResult;

/// A delivery to be stored with the cycle that plans it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// Where to.
    pub lane: Lane,
    /// To whom there, if it has more than one reader; else empty.
    pub recipient: String,
    /// About which match; 0 if about none in particular.
    pub match_id: i64,
    /// What; [`succession`](crate::domain::delivery::succession) tells what becomes of an older one.
    pub kind: String,
    /// How soon people must know.
    pub priority: Priority,
    /// Not before this time of the wall clock, Unix seconds.
    pub not_before: Option<f64>,
    /// Of the content, to tell later whether it would be the same.
    pub digest: [u8; 16],
    /// Everything that the delivery needs, as JSON.
    pub payload: String,
}

/// Where deliveries come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The cycle; empty if it was none.
    pub processing_id: &'a str,
    /// When, by the wall clock, Unix seconds.
    pub at: f64,
    /// The same by the steady clock.
    pub due: f64,
    /// The trace context of the cycle.
    pub traceparent: Option<&'a str>,
}

/// A delivery whose attempt is counted and under way. It must be settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The id, the same at each attempt.
    pub id: i64,
    /// To whom there.
    pub recipient: String,
    /// About which match.
    pub match_id: i64,
    /// What.
    pub kind: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When it was committed, Unix seconds.
    pub created: f64,
    /// When it was to go out: then, or not before a time that it had to wait for. Unix seconds.
    pub wanted: f64,
    /// The trace context of the cycle.
    pub traceparent: Option<String>,
    /// Whether it was not due yet.
    pub ahead: bool,
    /// What [`NewDelivery`] held.
    pub payload: String,
}

impl Claimed {
    /// The same at each attempt. The time keeps it apart from the keys of a store that was lost or
    /// put back from a backup, whose ids come again.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("delivery-{}-{:.0}", self.id, self.created * 1e3)
    }
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// Unix seconds of the steady clock.
    pub at: f64,
    /// Whether it was tried before.
    pub is_tried: bool,
}

/// Which deliveries are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Portion {
    /// At most so many.
    pub limit: usize,
    /// At most so many of them before they are due.
    pub ahead: usize,
    /// Only what is critical goes to these readers.
    pub quiet: Vec<Quiet>,
}

/// A reader whose quiet hours hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Quiet {
    /// What [`NewDelivery::recipient`] calls it.
    pub recipient: String,
    /// Until this time of the wall clock, Unix seconds.
    pub until: f64,
    /// The same by the steady clock.
    pub due: f64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// Delivered.
    Delivered {
        /// Where it can be looked at, if anywhere.
        url: Option<String>,
    },
    /// Failed; tried again at this time of the steady clock, Unix seconds.
    Retry {
        /// When.
        at: f64,
        /// What happened, without personal data.
        error: String,
    },
    /// Failed ahead of its schedule, which goes on as if nothing had been tried.
    Back {
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
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct DeliveryRow {
    /// The id.
    pub id: i64,
    /// Where to: the kind, with a name where there are several.
    pub destination: String,
    /// To whom there, by the stakeholder's id; empty where there is no more than one reader.
    pub recipient: String,
    /// About which match; 0 if about none in particular.
    pub match_id: i64,
    /// What.
    pub kind: String,
    /// How soon people must know.
    pub priority: String,
    /// The cycle that planned it.
    pub processing_id: String,
    /// How far it has come.
    pub state: String,
    /// Attempts so far, without those ahead of schedule that failed.
    pub attempts: u32,
    /// When it was planned, Unix seconds.
    pub created: f64,
    /// When it will be tried, Unix seconds; none once it is settled.
    pub next_attempt: Option<f64>,
    /// When it came to its end, Unix seconds; none before.
    pub settled: Option<f64>,
    /// What the last attempt failed with.
    pub last_error: Option<String>,
}

/// What became of what was under way when the last run ended, and of what it left unsorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Of each that was under way.
    pub under_way: Vec<(Destination, DeliveryState)>,
    /// How many newer ones took the place of, with those.
    pub superseded: Vec<(Destination, usize)>,
}

/// What became of the wish to retry a delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum Retry {
    /// It is no longer dead.
    Done {
        /// How it was.
        before: DeliveryRow,
        /// Where it is now: it waits, or others tell what it would have told, where that is still news.
        state: DeliveryState,
    },
    /// It was not dead, as this says, and nothing was done.
    Refused(DeliveryRow),
}

/// What became of the wish to discard a delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum Discard {
    /// It is discarded; this is how it was.
    Done(DeliveryRow),
    /// It is in a state, as this says, in which it cannot be or was not to be, and nothing was done.
    Refused(DeliveryRow),
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
    /// How many of them are critical.
    pub critical: usize,
    /// When the oldest was committed, or was to go out if it had to wait for a time. Unix seconds.
    pub oldest: f64,
}

/// What was given up for one destination and waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// Where to: a lane's key.
    pub lane: String,
    /// How many.
    pub count: u64,
    /// How many of them only tell operators of dead letters.
    pub about_such: u64,
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
    /// Only to this destination: a lane, or all of a kind.
    pub destination: Option<Lane>,
}

impl Store {
    /// Takes deliveries that are due, the longest due first, none whose (destination, recipient, match)
    /// has an older one that is not settled; then, if the portion allows it, the next that are to be
    /// tried again later. Their attempt is counted before this returns, so that one that brings the
    /// process down comes to an end too. What waits for a reader whose quiet hours hold is put off to
    /// their end, unless it is critical.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn claim(
        &self,
        lane: &Lane,
        now: f64,
        portion: Portion,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (feed, key) = (self.feed(), lane.key());
        self.write(move |tx, _| work::claim(tx, &feed, &key, now, &portion))
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
        let settled = self
            .write(move |tx, _| {
                let destination = work::destination(tx, id)?;
                let (state, superseded) = work::settle(tx, id, now, &settlement)?;
                Ok((state, destination.map(|one| (one, superseded))))
            })
            .await?;
        let (state, superseded) = settled;
        self.count_superseded(superseded);
        Ok(state)
    }

    /// Counts what newer ones took the place of, once that is committed.
    pub(super) fn count_superseded(
        &self,
        superseded: impl IntoIterator<Item = (Destination, usize)>,
    ) {
        for (destination, count) in superseded {
            let result = DeliveryResult::Superseded;
            let deliveries = &self.inner.metrics.deliveries;
            deliveries.add((destination, result), count as u64);
        }
    }

    /// When the next delivery to this destination is due, Unix seconds; none if none waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_due(&self, lane: &Lane) -> Result<Option<Due>, StoreError> {
        let key = lane.key();
        self.read(move |c, feed| {
            let (first, in_turn) = (work::FIRST_OF_ITS_MATCH, work::IN_TURN);
            Ok(c.prepare_cached(&format!(
                "SELECT min(next_attempt), attempts > 0 FROM outbox AS o WHERE feed = ?1 \
                 AND destination = ?2 AND state = 'pending' AND {first} AND {in_turn}"
            ))?
            .query_row(params![feed, key], |row| {
                let at: Option<f64> = row.get(0)?;
                at.map(|at| {
                    Ok(Due {
                        at,
                        is_tried: row.get(1)?,
                    })
                })
                .transpose()
            })?)
        })
        .await
    }

    /// Puts back what was under way when the last run ended, later the more often it was tried: it
    /// may be what ended the run. A "not before" further ahead than the schedule allows is what a
    /// clock left that was wrong: it is due now. Digests and messages that the last run left beside each
    /// other are sorted out. Returns what became of each that was under way.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn recover(&self, now: f64) -> Result<Vec<(Destination, DeliveryState)>, StoreError> {
        let recovered = self.write(move |tx, _| work::recover(tx, now)).await?;
        self.count_superseded(recovered.superseded);
        Ok(recovered.under_way)
    }

    /// Stores deliveries that no cycle planned, with a note under a name of its own that tells why;
    /// no note takes the one away that is there. `at` is the wall clock, `due` the steady one. Returns
    /// how many older ones they took the place of.
    ///
    /// # Errors
    /// When the store cannot write; nothing is stored then.
    pub async fn enqueue(
        &self,
        deliveries: Vec<NewDelivery>,
        note: Option<(String, Option<String>)>,
        (at, due): (f64, f64),
    ) -> Result<Vec<(Destination, usize)>, StoreError> {
        let feed = self.feed();
        let store = self.write(move |tx, _| {
            let origin = Origin {
                processing_id: "",
                at,
                due,
                traceparent: None,
            };
            if let Some((name, note)) = &note {
                match note {
                    Some(note) => put_meta(tx, name, note)?,
                    None => remove_meta(tx, name)?,
                }
            }
            let insert = |one: &NewDelivery| {
                let count = insert(tx, &feed, &origin, one)?;
                Ok((one.lane.kind, count))
            };
            deliveries.iter().map(insert).collect()
        });
        let replaced: Vec<(Destination, usize)> = store.await?;
        self.count_superseded(replaced.iter().copied());
        Ok(replaced)
    }

    /// The notes whose names begin like this.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn notes(&self, prefix: &'static str) -> Result<HashMap<String, String>, StoreError> {
        self.read(move |c, _| {
            let mut statement = c.prepare_cached(
                "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1",
            )?;
            let rows = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Gives up what waits for lanes that are not among `lanes` (by key): nobody would ever take it.
    /// Returns how many of each kind.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn give_up_strays(
        &self,
        lanes: Vec<String>,
        now: f64,
    ) -> Result<Vec<Destination>, StoreError> {
        self.write(move |tx, _| work::give_up_strays(tx, &lanes, now))
            .await
    }

    /// Gives a dead delivery a new life; none if there is no delivery with this id.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn retry_dead(&self, id: i64, now: f64) -> Result<Option<Retry>, StoreError> {
        let retried = self.write(move |tx, _| work::retry_dead(tx, id, now));
        let Some((retried, superseded)) = retried.await? else {
            return Ok(None);
        };
        let (Retry::Done { before, .. } | Retry::Refused(before)) = &retried;
        let lane = Lane::from_key(&before.destination);
        self.count_superseded(lane.map(|lane| (lane.kind, superseded)));
        Ok(Some(retried))
    }

    /// Ends a delivery that is dead or waits, as a person decided: it is never delivered, and what was
    /// to be told is gone. `only` says in which state the person saw it: it is left alone if it has moved
    /// on. None if there is no delivery with this id.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn discard(
        &self,
        id: i64,
        only: Option<DeliveryState>,
        now: f64,
    ) -> Result<Option<Discard>, StoreError> {
        self.write(move |tx, _| work::discard(tx, id, only, now))
            .await
    }

    /// Whether there is a delivery with this id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, StoreError> {
        self.read(move |c, _| {
            let mut statement = c.prepare_cached(&format!("{} WHERE id = ?1", query::DELIVERY))?;
            Ok(statement.query_row([id], query::delivery_row).optional()?)
        })
        .await
    }

    /// Deliveries with an id below `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliveries(&self, asked: DeliveryQuery) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(move |c, feed| query::deliveries(c, feed, &asked))
            .await
    }

    /// The outbox by destination and state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn outbox(&self) -> Result<Vec<OutboxCount>, StoreError> {
        self.read(query::counts).await
    }

    /// How many deliveries wait for a person, by destination and in the order of its key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetters>, StoreError> {
        self.read(query::dead_letters).await
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

/// Avatars that are kept for another use.
const KEPT_AVATARS: i64 = 200;

pub(super) use beside::sort_out;
pub(super) use succession::insert;
pub(super) use work::forget;

#[cfg(test)]
pub(super) use {
    beside::DEAD, beside::DIGESTS, beside::MESSAGES, beside::READERS, query::COUNTS,
    work::FIRST_OF_ITS_MATCH, work::IN_TURN,
};
