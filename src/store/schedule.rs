//! How far the schedule of cycles has been kept, over restarts.

use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::schema::{meta, put_meta};
use super::triggers::{Accepted, NewTrigger, insert};

/// How far a schedule has been kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleMark {
    /// Which schedule; with another one it begins anew.
    pub schedule: String,
    /// Its moments up to this one are dealt with, Unix microseconds.
    pub upto: i64,
    /// When it last asked for a cycle, Unix seconds.
    pub last: Option<f64>,
    /// Moments that passed more than a minute before a cycle was asked for, since it began.
    pub missed: u64,
}

impl Store {
    /// How far the schedule has been kept; none if there was none, or if what is there cannot be
    /// understood.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn schedule_mark(&self) -> Result<Option<ScheduleMark>, StoreError> {
        let text = self.read(|c, feed| meta(c, &key(feed))).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Notes how far the schedule has been kept.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn mark_schedule(&self, mark: ScheduleMark) -> Result<(), StoreError> {
        let feed = self.feed();
        let text = text(&mark)?;
        self.write(move |tx, _| put_meta(tx, &key(&feed), &text))
            .await
    }

    /// Stores a trigger and how far the schedule is kept with it, both or none: so a moment leads to
    /// one cycle, wherever the process ends.
    ///
    /// # Errors
    /// As [`Store::accept`].
    pub async fn accept_scheduled(
        &self,
        trigger: NewTrigger,
        mark: ScheduleMark,
    ) -> Result<Accepted, StoreError> {
        let feed = self.feed();
        let nonce = i64::from(fastrand::u32(..));
        let text = text(&mark)?;
        self.write(move |tx, counters| {
            put_meta(tx, &key(&feed), &text)?;
            insert(tx, counters, &feed, nonce, &trigger)
        })
        .await
    }
}

fn key(feed: &str) -> String {
    format!("schedule:{feed}")
}

fn text(mark: &ScheduleMark) -> Result<String, StoreError> {
    serde_json::to_string(mark).map_err(|_| StoreError::Row("schedule"))
}
