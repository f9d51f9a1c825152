//! Requests by the name that their sender gave them, so that a repeat triggers nothing.

use rusqlite::{Connection, params};

use super::Store;
use super::error::StoreError;
use super::names::Remembered;
use super::triggers::{Accepted, NewTrigger, insert, public_id};
use super::writer::Counters;

/// Seconds for which a name is remembered.
const REMEMBERED: f64 = 7.0 * 24.0 * 3600.0;
/// Triggers back to which names are remembered at most: some 100 MB of disk and 50 MB of memory.
const MOST: i64 = 1_000_000;
/// Names that a cycle looks at to see whether there is anything to forget.
const GLANCED_AT: i64 = 100;
/// Names that a cycle looks at, if there is, beside twice as many as triggers that it served, so that
/// its commit stays short and more can be forgotten than come.
const LOOKED_AT: i64 = 1_000;

const FORGET: &str = "DELETE FROM requests WHERE seq IN (SELECT seq FROM \
    (SELECT seq, accepted FROM requests WHERE feed = ?1 ORDER BY seq LIMIT ?4) \
    WHERE accepted <= ?2 OR seq <= ?3) RETURNING seq, id";

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
        let take = move |tx: &Connection, counters: &mut Counters| {
            take(tx, counters, &feed, nonce, &name, &trigger)
        };
        self.inner.writer.run_one_statement(take).await
    }
}

/// Writes by one statement: the name's row is written with all others of the transaction.
fn take(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    nonce: i64,
    name: &RequestName,
    trigger: &NewTrigger,
) -> Result<Taken, StoreError> {
    let known = counters.names.remembered(tx, feed, &name.id)?;
    let oldest = trigger.accepted - REMEMBERED;
    if let Some(known) = known.filter(|known| known.accepted > oldest) {
        return Ok(match known.body == name.body {
            true => Taken::Repeat(Accepted {
                seq: known.seq,
                id: public_id(known.seq, known.nonce),
                ahead: 0,
            }),
            false => Taken::Conflict,
        });
    }
    let accepted = insert(tx, counters, feed, nonce, trigger)?;
    let row = Remembered {
        seq: accepted.seq,
        nonce,
        body: name.body,
        accepted: trigger.accepted,
    };
    counters.names.put(feed, name.id, row);
    Ok(Taken::New(accepted))
}

/// Forgets names that are too old or too many, the oldest first. The order is that of the triggers:
/// where a clock was set, each name is still judged by its own time.
pub(super) fn forget(
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    now: f64,
    served: i64,
) -> Result<(), StoreError> {
    if forget_among(GLANCED_AT, tx, counters, feed, now)? {
        forget_among(LOOKED_AT + 2 * served, tx, counters, feed, now)?;
    }
    Ok(())
}

/// Forgets what can be among the first names. Whether there was any.
fn forget_among(
    first: i64,
    tx: &Connection,
    counters: &mut Counters,
    feed: &str,
    now: f64,
) -> Result<bool, StoreError> {
    let (before, upto) = (now - REMEMBERED, counters.next_seq - 1 - MOST);
    let mut statement = tx.prepare_cached(FORGET)?;
    let mut rows = statement.query(params![feed, before, upto, first])?;
    let mut any = false;
    while let Some(row) = rows.next()? {
        any = true;
        if let Ok(id) = row.get(1) {
            counters.names.forget(feed, id, row.get(0)?);
        }
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::names::Names;
    use crate::store::schema::MIGRATIONS;

    fn counters(tx: &Connection, next_seq: i64) -> Counters {
        Counters {
            names: Names::load(tx).unwrap(),
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
            tx.execute(insert, params![seq, id(seq), time]).unwrap();
        }
        let mut counters = counters(&tx, next_seq);
        forget(&tx, &mut counters, "default", now, 0).unwrap();
        let mut rows = tx.prepare("SELECT seq FROM requests ORDER BY seq").unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        let rows: Vec<i64> = rows.map(Result::unwrap).collect();
        let known = (1_i64..)
            .take(times.len())
            .filter(|&seq| counters.names.get("default", &id(seq)).is_some());
        assert_eq!(rows, known.collect::<Vec<_>>(), "memory and table agree");
        rows
    }

    fn id(seq: i64) -> [u8; 16] {
        i128::from(seq).to_be_bytes()
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
        assert!(
            !steps.iter().any(|step| step.contains("TEMP B-TREE")),
            "{steps:#?}"
        );
        let direct = |step: &String| step.contains("requests USING INTEGER PRIMARY KEY");
        assert!(steps.iter().any(direct), "{steps:#?}");
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
        let many = [vec![old; 600], vec![young; 2]].concat();
        assert_eq!(
            left(&many, 603, now),
            [601, 602],
            "one glance leads to more"
        );
    }
}
