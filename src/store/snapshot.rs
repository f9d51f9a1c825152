//! The matches that were last seen: per match its fingerprint, its day and its raw text.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::Store;
use super::error::StoreError;

/// What is known of a match without reading its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRow {
    /// The match's id.
    pub id: i64,
    /// Of its raw text.
    pub fingerprint: [u8; 16],
    /// Its day, if its text names one.
    pub date: Option<jiff::civil::Date>,
}

/// A match to be written; its raw text is a range of the fetched body, so that a large list is
/// held once.
#[derive(Clone, Debug)]
pub struct MatchWrite {
    /// The match's id.
    pub id: i64,
    /// Of its raw text.
    pub fingerprint: [u8; 16],
    /// Its day, if its text names one.
    pub date: Option<jiff::civil::Date>,
    /// Where its raw text is in the body.
    pub raw: Range<usize>,
}

/// The matches that a cycle adds, replaces and removes.
#[derive(Clone, Debug, Default)]
pub struct MatchWrites {
    /// The fetched body.
    pub body: Bytes,
    /// New matches and those whose text differs.
    pub upserts: Vec<MatchWrite>,
    /// Matches that left the list.
    pub gone: Vec<i64>,
}

impl Store {
    /// Every known match, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(&self) -> Result<Vec<KnownRow>, StoreError> {
        self.read(known).await
    }

    /// How many matches are known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count_known(&self) -> Result<usize, StoreError> {
        self.read(|c, feed| {
            let mut statement = c.prepare_cached("SELECT count(*) FROM matches WHERE feed = ?1")?;
            Ok(statement.query_row([feed], |row| row.get(0))?)
        })
        .await
    }

    /// The raw texts of these matches, in the order asked for; unknown ones are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn raw(&self, ids: Vec<i64>) -> Result<Vec<(i64, String)>, StoreError> {
        self.read(move |c, feed| {
            let mut statement =
                c.prepare_cached("SELECT body FROM raw WHERE feed = ?1 AND match_id = ?2")?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                let mut rows = statement.query(params![feed, id])?;
                if let Some(row) = rows.next()? {
                    found.push((id, row.get(0)?));
                }
            }
            Ok(found)
        })
        .await
    }
}

fn known(c: &Connection, feed: &str) -> Result<Vec<KnownRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT match_id, fingerprint, date FROM matches WHERE feed = ?1 ORDER BY match_id",
    )?;
    let mut rows = statement.query([feed])?;
    let mut known = Vec::new();
    while let Some(row) = rows.next()? {
        let date = row
            .get_ref(2)?
            .as_str_or_null()
            .map_err(|_| StoreError::Row("match date"))?;
        known.push(KnownRow {
            id: row.get(0)?,
            fingerprint: row.get(1)?,
            date: date.and_then(|text| text.parse().ok()),
        });
    }
    Ok(known)
}

/// Calls `each` with the raw text of every known match, by id, without holding them all.
pub(super) fn each_raw<E>(
    c: &Connection,
    feed: &str,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<Result<(), E>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT body FROM raw WHERE feed = ?1 ORDER BY match_id")?;
    let mut rows = statement.query([feed])?;
    while let Some(row) = rows.next()? {
        let body = row
            .get_ref(0)?
            .as_str()
            .map_err(|_| StoreError::Row("raw match"))?;
        if let Err(error) = each(body) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

pub(super) fn write(tx: &Connection, feed: &str, writes: &MatchWrites) -> Result<(), StoreError> {
    let mut index = tx.prepare_cached("INSERT OR REPLACE INTO matches VALUES (?1, ?2, ?3, ?4)")?;
    let mut raw = tx.prepare_cached(
        "INSERT INTO raw VALUES (?1, ?2, ?3) \
         ON CONFLICT (feed, match_id) DO UPDATE SET body = excluded.body",
    )?;
    for one in &writes.upserts {
        let text = std::str::from_utf8(&writes.body[one.raw.clone()])
            .map_err(|_| StoreError::Row("raw match"))?;
        let date = one.date.map(|date| date.to_string());
        index.execute(params![feed, one.id, one.fingerprint, date])?;
        raw.execute(params![feed, one.id, text])?;
    }
    for id in &writes.gone {
        for table in ["matches", "raw", "assets"] {
            tx.prepare_cached(&format!(
                "DELETE FROM {table} WHERE feed = ?1 AND match_id = ?2"
            ))?
            .execute(params![feed, id])?;
        }
    }
    Ok(())
}
