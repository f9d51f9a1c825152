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
/// Names that a cycle looks at beside twice as many as triggers that it served, so that its commit
/// stays short and more can be forgotten than come.
const LOOKED_AT: i64 = 1_000;

/// The plus keeps it from going through all names of the feed by their index.
const FORGET: &str = "DELETE FROM requests WHERE seq IN (SELECT seq FROM \
    (SELECT seq, accepted FROM requests WHERE +feed = ?1 ORDER BY seq LIMIT ?4) \
    WHERE accepted <= ?2 OR seq <= ?3)";

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

/// Forgets names that are too old or too many, the oldest first. The order is that of the triggers:
/// where a clock was set, each name is still judged by its own time.
pub(super) fn forget(
    tx: &Connection,
    counters: &Counters,
    feed: &str,
    now: f64,
    served: i64,
) -> Result<(), StoreError> {
    let (before, upto) = (now - REMEMBERED, counters.next_seq - 1 - MOST);
    tx.prepare_cached(FORGET)?
        .execute(params![feed, before, upto, LOOKED_AT + 2 * served])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::MIGRATIONS;

    fn counters(next_seq: i64) -> Counters {
        Counters {
            next_seq,
            served: 0,
            limits: crate::store::Limits {
                queue_capacity: 1,
                history: 1,
            },
        }
    }

    /// What is left of names accepted at these times, by their numbers from 1.
    fn left(times: &[f64], next_seq: i64, now: f64) -> Vec<i64> {
        let tx = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            tx.execute_batch(migration).unwrap();
        }
        let insert = "INSERT INTO requests VALUES (?1, 'default', ?2, x'00', 0, ?3)";
        for (seq, time) in (1_i64..).zip(times) {
            tx.execute(insert, params![seq, seq.to_be_bytes(), time])
                .unwrap();
        }
        forget(&tx, &counters(next_seq), "default", now, 0).unwrap();
        let mut rows = tx.prepare("SELECT seq FROM requests ORDER BY seq").unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn the_oldest_are_found_without_looking_at_all() {
        let tx = Connection::open_in_memory().unwrap();
        for migration in MIGRATIONS {
            tx.execute_batch(migration).unwrap();
        }
        let mut plan = tx.prepare(&format!("EXPLAIN QUERY PLAN {FORGET}")).unwrap();
        let steps = plan
            .query_map(params!["default", 0.0, 0, 1], |row| row.get(3))
            .unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        let odd = |step: &String| step.contains("requests_by_id") || step.contains("TEMP B-TREE");
        assert!(!steps.iter().any(odd), "{steps:#?}");
        assert!(
            steps
                .iter()
                .any(|step| step.contains("requests USING INTEGER PRIMARY KEY"))
        );
    }

    #[test]
    fn a_name_is_forgotten_for_its_own_age_only() {
        let now = 10.0 * REMEMBERED;
        let (old, young) = (now - REMEMBERED, now - REMEMBERED + 1.0);
        assert_eq!(left(&[old, young, old, young], 5, now), [2, 4]);
        let clock_at_1970 = [young, 0.0, young];
        assert_eq!(left(&clock_at_1970, 4, now), [1, 3]);
        assert_eq!(left(&[young; 3], MOST + 3, now), [3], "too many came after");
        assert_eq!(left(&[young; 3], MOST + 1, now), [1, 2, 3]);
    }
}
