//! What the history keeps of a cycle, and the changes that it committed.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use crate::domain::change::{Category, Change, Priority};

/// How many matches a cycle found new, updated and gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedChanges {
    /// Matches that were not known.
    pub new: usize,
    /// Known matches with at least one change.
    pub updated: usize,
    /// Matches that left the list.
    pub removed: usize,
    /// Changes by category.
    pub by_category: BTreeMap<Category, usize>,
}

/// Entries of a list that were odd, by kind; the others were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OddEntries {
    /// Overruled by a later entry with the same id.
    pub duplicate: usize,
    /// Objects without an id; skipped.
    pub no_id: usize,
    /// No objects; skipped.
    pub not_object: usize,
    /// New or changed matches in the shorter form.
    pub short: usize,
}

/// One cycle in the history; the JSON form is the public contract.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CycleRecord {
    /// `webhook_<unix>_<n>`, n being the cycle's number.
    pub processing_id: String,
    /// When it began, Unix seconds.
    pub timestamp: f64,
    /// Seconds.
    pub duration: f64,
    /// Whether anything was found.
    pub changes_detected: bool,
    /// One sentence.
    pub summary: String,
    /// The body of the newest trigger that it served.
    pub trigger_data: serde_json::Value,
    /// `success` or `error`.
    pub status: String,
    /// `success`, `failure` or `held`.
    pub outcome: String,
    /// What failed, or why the list is held.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The trace of the cycle.
    pub trace_id: Option<String>,
    /// How many it found.
    pub changes: RecordedChanges,
    /// What was odd about the list; left out if nothing was, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub odd_entries: Option<OddEntries>,
    /// How many triggers it served.
    pub triggers: usize,
    /// How many deliveries it planned.
    #[serde(default)]
    pub deliveries: Deliveries,
}

/// How far the deliveries of a cycle have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliveries {
    /// All that the cycle planned.
    pub total: usize,
    /// Delivered.
    pub delivered: usize,
    /// Waiting or under way.
    pub pending: usize,
    /// Given up.
    pub dead: usize,
    /// Replaced by a newer state before they were delivered.
    #[serde(default)]
    pub superseded: usize,
    /// Not to be delivered, as a person decided.
    #[serde(default)]
    pub discarded: usize,
}

/// A change with its place in the store.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChangeRow {
    /// Grows with time.
    pub id: i64,
    /// The cycle that committed it.
    pub processing_id: String,
    /// The change, as it was stored.
    #[serde(flatten)]
    pub change: Change,
}

impl Store {
    /// The last `limit` cycles, oldest first, with how far their deliveries have come.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<CycleRecord>, StoreError> {
        self.read(move |c, feed| {
            let mut statement = c.prepare_cached(
                "SELECT record FROM cycles WHERE feed = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let texts: Vec<String> = statement
                .query_map(params![feed, limit], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            texts
                .iter()
                .rev()
                .map(|text| with_deliveries(c, text))
                .collect()
        })
        .await
    }

    /// The record of one cycle.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn record(&self, processing_id: &str) -> Result<Option<CycleRecord>, StoreError> {
        let id = processing_id.to_owned();
        self.read(move |c, feed| {
            let mut statement = c.prepare_cached(
                "SELECT record FROM cycles WHERE feed = ?1 AND processing_id = ?2",
            )?;
            let mut rows = statement.query(params![feed, id])?;
            match rows.next()? {
                None => Ok(None),
                Some(row) => with_deliveries(c, &row.get::<_, String>(0)?).map(Some),
            }
        })
        .await
    }

    /// Changes with an id below `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn changes(&self, query: ChangeQuery) -> Result<Vec<ChangeRow>, StoreError> {
        self.read(move |c, feed| changes(c, feed, &query)).await
    }
}

/// Which changes are asked for.
#[derive(Clone, Debug, Default)]
pub struct ChangeQuery {
    /// At most so many.
    pub limit: usize,
    /// Only older ones.
    pub before: Option<i64>,
    /// Only of this category.
    pub category: Option<Category>,
    /// Only of this priority.
    pub priority: Option<Priority>,
    /// Only of this match.
    pub match_id: Option<i64>,
}

fn with_deliveries(c: &Connection, text: &str) -> Result<CycleRecord, StoreError> {
    let mut record: CycleRecord =
        serde_json::from_str(text).map_err(|_| StoreError::Row("cycle record"))?;
    if record.deliveries.total == 0 {
        return Ok(record);
    }
    let mut statement = c.prepare_cached(
        "SELECT state, count(*) FROM outbox WHERE processing_id = ?1 GROUP BY state",
    )?;
    let mut rows = statement.query([&record.processing_id])?;
    while let Some(row) = rows.next()? {
        let (state, count): (String, usize) = (row.get(0)?, row.get(1)?);
        match state.as_str() {
            "delivered" => record.deliveries.delivered += count,
            "dead" => record.deliveries.dead += count,
            "superseded" => record.deliveries.superseded += count,
            "discarded" => record.deliveries.discarded += count,
            _ => record.deliveries.pending += count,
        }
    }
    Ok(record)
}

fn changes(c: &Connection, feed: &str, query: &ChangeQuery) -> Result<Vec<ChangeRow>, StoreError> {
    let mut sql = "SELECT id, processing_id, record FROM changes WHERE feed = ?".to_owned();
    let mut values: Vec<Value> = vec![feed.to_owned().into()];
    let mut only = |clause: &str, value: Option<Value>| {
        if let Some(value) = value {
            sql.push_str(clause);
            values.push(value);
        }
    };
    only(" AND id < ?", query.before.map(Value::from));
    only(" AND match_id = ?", query.match_id.map(Value::from));
    only(
        " AND category = ?",
        query.category.map(|x| x.label().to_owned().into()),
    );
    only(
        " AND priority = ?",
        query.priority.map(|x| x.label().to_owned().into()),
    );
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(2)?;
        let change = serde_json::from_str(&text).map_err(|_| StoreError::Row("change"))?;
        found.push(ChangeRow {
            id: row.get(0)?,
            processing_id: row.get(1)?,
            change,
        });
    }
    Ok(found)
}

/// Turns a stored body into JSON; what no value can hold (half a surrogate pair, a number beyond
/// all floats, nesting without end) becomes its size.
#[must_use]
pub fn trigger_data(data: Option<&str>) -> serde_json::Value {
    data.map_or(serde_json::Value::Null, |text| {
        serde_json::from_str(text)
            .unwrap_or_else(|_| serde_json::json!({ "body_bytes": text.len() }))
    })
}
