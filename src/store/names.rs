//! Where the row of each remembered name is.
//!
//! In memory, because names come in no order: an index of the table would have one more page to write
//! for every request, where the rows themselves share pages.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Statement};

use super::keyed::Keyed;

/// A name as [`super::requests`] makes it.
type Id = [u8; 16];

/// Rows that one statement inserts. It takes less time than one each.
const TOGETHER: usize = 16;
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insertion(TOGETHER));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insertion(1));

/// A statement for so many rows: the feed is its first parameter, five of each row follow.
fn insertion(rows: usize) -> String {
    let row = |first: usize| {
        let [seq, id, body, nonce, accepted] = [0, 1, 2, 3, 4].map(|n| first + n);
        format!("(?{seq}, ?1, ?{id}, ?{body}, ?{nonce}, ?{accepted})")
    };
    let rows: Vec<_> = (0..rows).map(|n| row(2 + 5 * n)).collect();
    format!("INSERT INTO requests VALUES {}", rows.join(", "))
}

fn insert(
    statement: &mut Statement<'_>,
    feed: &str,
    rows: &[(usize, Id, Remembered)],
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, feed)?;
    for ((_, id, row), first) in rows.iter().zip((2..).step_by(5)) {
        statement.raw_bind_parameter(first, row.seq)?;
        statement.raw_bind_parameter(first + 1, id)?;
        statement.raw_bind_parameter(first + 2, row.body)?;
        statement.raw_bind_parameter(first + 3, row.nonce)?;
        statement.raw_bind_parameter(first + 4, row.accepted)?;
    }
    statement.raw_execute().map(|_| ())
}

/// Rows by name.
type Rows = HashMap<Id, i64, Keyed>;

/// What is remembered of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Remembered {
    /// Its trigger.
    pub seq: i64,
    /// Of the trigger's public id.
    pub nonce: i64,
    /// Of the body.
    pub body: [u8; 16],
    /// Unix seconds.
    pub accepted: f64,
}

/// Rows by feed and name. What a transaction changes can be undone with it.
#[derive(Debug, Default)]
pub(super) struct Names {
    feeds: Vec<(String, Rows)>,
    /// What this transaction changed, by the feed's place, and what stood there before.
    changed: Vec<(usize, Id, Option<i64>)>,
    /// Rows that this transaction has yet to write, by the feed's place.
    unwritten: Vec<(usize, Id, Remembered)>,
}

/// A state of the names, to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamesMark {
    changed: usize,
    unwritten: usize,
}

impl Names {
    /// Reads the table; where a name has two rows, the younger counts.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut names = Self::default();
        let mut statement =
            connection.prepare("SELECT feed, id, seq FROM requests ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            // A damaged row is nobody's name.
            let Ok((feed, id)) = row.get(0).and_then(|feed: String| Ok((feed, row.get(1)?))) else {
                continue;
            };
            let place = names.place(&feed);
            names.set(place, id, Some(row.get(2)?));
        }
        Ok(names)
    }

    /// The row of a name.
    pub fn get(&self, feed: &str, id: &Id) -> Option<i64> {
        let (_, rows) = self.feeds.iter().find(|(name, _)| name == feed)?;
        rows.get(id).copied()
    }

    /// What is remembered of a name.
    pub fn remembered(
        &self,
        connection: &Connection,
        feed: &str,
        id: &Id,
    ) -> rusqlite::Result<Option<Remembered>> {
        let Some(seq) = self.get(feed, id) else {
            return Ok(None);
        };
        let unwritten = self.unwritten.iter().find(|(_, _, row)| row.seq == seq);
        if let Some((_, _, row)) = unwritten {
            return Ok(Some(*row));
        }
        let mut statement = connection
            .prepare_cached("SELECT seq, nonce, body, accepted FROM requests WHERE seq = ?1")?;
        let row = statement.query_row([seq], |row| {
            Ok(Remembered {
                seq: row.get(0)?,
                nonce: row.get(1)?,
                body: row.get(2).unwrap_or_default(),
                accepted: row.get(3)?,
            })
        });
        row.optional()
    }

    /// Remembers a name, instead of what was remembered of it. Its row waits for [`Self::write`].
    pub fn put(&mut self, feed: &str, id: Id, row: Remembered) {
        let place = self.place(feed);
        let before = self.set(place, id, Some(row.seq));
        self.changed.push((place, id, before));
        self.unwritten.push((place, id, row));
    }

    /// Writes the rows of this transaction, all at once: that takes less time than each with its
    /// trigger.
    pub fn write(&mut self, tx: &Connection) -> rusqlite::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        for rows in self
            .unwritten
            .chunk_by(|(one, ..), (other, ..)| one == other)
        {
            let (feed, _) = &self.feeds[rows[0].0];
            let many = rows.chunks_exact(TOGETHER);
            let few = many.remainder().chunks(1);
            for rows in many {
                insert(&mut *tx.prepare_cached(&INSERT_MANY)?, feed, rows)?;
            }
            for row in few {
                insert(&mut *tx.prepare_cached(&INSERT_ONE)?, feed, row)?;
            }
        }
        self.unwritten.clear();
        Ok(())
    }

    /// Forgets a row, unless the name has another one by now.
    pub fn forget(&mut self, feed: &str, id: Id, seq: i64) {
        if self.get(feed, &id) == Some(seq) {
            let place = self.place(feed);
            self.set(place, id, None);
            self.changed.push((place, id, Some(seq)));
        }
    }

    /// The state as it is.
    pub fn mark(&self) -> NamesMark {
        NamesMark {
            changed: self.changed.len(),
            unwritten: self.unwritten.len(),
        }
    }

    /// Undoes every change after a mark of this transaction.
    pub fn undo(&mut self, mark: NamesMark) {
        for (place, id, before) in self.changed.split_off(mark.changed).into_iter().rev() {
            self.set(place, id, before);
        }
        self.unwritten.truncate(mark.unwritten);
    }

    /// Makes every change final.
    pub fn keep(&mut self) {
        self.changed.clear();
        self.unwritten.clear();
    }

    fn place(&mut self, feed: &str) -> usize {
        let known = self.feeds.iter().position(|(name, _)| name == feed);
        known.unwrap_or_else(|| {
            self.feeds.push((feed.to_owned(), Rows::default()));
            self.feeds.len() - 1
        })
    }

    fn set(&mut self, place: usize, id: Id, row: Option<i64>) -> Option<i64> {
        let rows = &mut self.feeds[place].1;
        match row {
            Some(seq) => rows.insert(id, seq),
            None => rows.remove(&id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> Id {
        [byte; 16]
    }

    fn row(seq: i64) -> Remembered {
        Remembered {
            seq,
            nonce: 10 * seq,
            body: [7; 16],
            accepted: 1.5,
        }
    }

    #[test]
    fn what_is_undone_was_never_there() {
        let mut names = Names::default();
        names.put("a", id(1), row(1));
        names.put("a", id(2), row(2));
        names.keep();
        let mark = names.mark();
        names.put("a", id(2), row(3));
        names.put("b", id(2), row(4));
        names.put("a", id(3), row(5));
        names.forget("a", id(1), 1);
        names.put("a", id(1), row(6));
        let inner = names.mark();
        names.forget("a", id(3), 5);
        names.undo(inner);
        assert_eq!(names.get("a", &id(3)), Some(5));
        names.undo(mark);
        let rows = |feed| [1, 2, 3].map(|byte| names.get(feed, &id(byte)));
        assert_eq!(rows("a"), [Some(1), Some(2), None]);
        assert_eq!(rows("b"), [None; 3]);
    }

    #[test]
    fn a_name_with_a_younger_row_is_not_forgotten_with_the_older() {
        let mut names = Names::default();
        names.put("a", id(1), row(1));
        names.put("a", id(1), row(9));
        names.forget("a", id(1), 1);
        names.forget("b", id(1), 9);
        assert_eq!(names.get("a", &id(1)), Some(9));
        names.forget("a", id(1), 9);
        assert_eq!(names.get("a", &id(1)), None);
    }

    #[test]
    fn every_row_is_written_once_however_many_there_are() {
        for count in [1, 15, 16, 17, 40] {
            let tx = Connection::open_in_memory().unwrap();
            for migration in crate::store::schema::MIGRATIONS {
                tx.execute_batch(migration).unwrap();
            }
            let mut names = Names::default();
            for seq in 1..=count {
                let feed = if seq % 20 == 7 { "b" } else { "a" };
                names.put(feed, i128::from(seq).to_be_bytes(), row(seq));
            }
            let before = names.unwritten.clone();
            names.write(&tx).unwrap();
            names.keep();
            let loaded = Names::load(&tx).unwrap();
            for (place, id, row) in before {
                let feed = &names.feeds[place].0;
                assert_eq!(loaded.remembered(&tx, feed, &id).unwrap(), Some(row));
            }
            let rows: i64 = tx
                .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
                .unwrap();
            assert_eq!(rows, count);
        }
    }

    #[test]
    fn a_name_is_remembered_before_and_after_its_row_is_written() {
        let tx = Connection::open_in_memory().unwrap();
        for migration in crate::store::schema::MIGRATIONS {
            tx.execute_batch(migration).unwrap();
        }
        let mut names = Names::default();
        names.put("a", id(1), row(1));
        let mark = names.mark();
        names.put("a", id(2), row(2));
        names.undo(mark);
        let known = |names: &Names, byte| names.remembered(&tx, "a", &id(byte)).unwrap();
        assert_eq!(known(&names, 1), Some(row(1)));
        names.write(&tx).unwrap();
        names.keep();
        assert_eq!(known(&names, 1), Some(row(1)));
        assert_eq!(known(&names, 2), None);
        let loaded = Names::load(&tx).unwrap();
        assert_eq!(known(&loaded, 1), Some(row(1)));
        let rows: i64 = tx
            .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "what was undone is not written");
    }
}
