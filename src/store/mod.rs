//! The durable state: triggers, snapshot, changes, history and the outbox, in one `SQLite` file.
//!
//! One thread owns the only connection that writes. It takes one job, drains whatever else waits,
//! commits once and then answers them all: many triggers share one sync to disk. Readers have
//! connections of their own and never wait for the writer.
//!
//! Every row carries a feed, and no method assumes that this process is the only one to work on
//! the rows of a feed; only the folder's lock does.

mod cycles;
mod error;
mod export;
mod keyed;
mod lock;
mod names;
mod open;
mod outbox;
mod reader;
mod records;
mod requests;
mod schedule;
mod schema;
mod snapshot;
mod triggers;
mod writer;

#[cfg(test)]
mod digest_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod quiet_tests;
#[cfg(test)]
mod tests;

pub use cycles::{Committed, CycleEnd, CycleWrite, FeedState, Held, SnapshotWrite};
pub use error::{OpenError, StoreError};
pub use export::{Draft, ExportError, Exporter, Prepared};
pub use outbox::{
    Claimed, DeadLetters, DeliveryQuery, DeliveryRow, Discard, Due, NewDelivery, OutboxCount,
    Portion, Quiet, Retry, Settlement,
};
pub use reader::Audience;
pub use records::{
    ChangeQuery, ChangeRow, CycleRecord, Deliveries, OddEntries, RecordedChanges, trigger_data,
};
pub use requests::{RequestName, Taken};
pub use schedule::ScheduleMark;
pub use snapshot::{KnownRow, MatchWrite, MatchWrites};
pub use triggers::{Accepted, NewTrigger, TriggerState, TriggerStatus, Waiting};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::telemetry::metrics::Metrics;

/// The feed that is used while there is only one.
pub const DEFAULT_FEED: &str = "default";

/// The name of the database in the data folder.
pub const FILE_NAME: &str = "match-list-processor.db";

/// The name of the file in the data folder that is locked while a process works on it.
pub const LOCK_NAME: &str = ".lock";

/// A handle on the open store; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    audience: Audience,
}

struct Inner {
    feed: Arc<str>,
    folder: PathBuf,
    metrics: Arc<Metrics>,
    writer: writer::Writer,
    readers: reader::Readers,
    /// Keeps other processes out of the folder for as long as the store lives.
    _lock: lock::FolderLock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("folder", &self.inner.folder)
            .finish_non_exhaustive()
    }
}

/// How large the store may let things grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Triggers that may wait for a cycle.
    pub queue_capacity: usize,
    /// Cycles that the history keeps.
    pub history: usize,
}

impl Store {
    /// Opens the store in `folder`, creating both where they are missing.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the folder or the file, and what to do.
    pub fn open(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let lock = lock::FolderLock::take(folder)?;
        let path = folder.join(FILE_NAME);
        let connection = open::open(&path)?;
        let writer = writer::Writer::start(connection, limits, Arc::clone(&metrics))?;
        let readers = reader::Readers::new(path, Arc::clone(&metrics));
        let inner = Inner {
            feed: DEFAULT_FEED.into(),
            folder: folder.to_owned(),
            metrics,
            writer,
            readers,
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
            audience: Audience::Work,
        })
    }

    /// The same store, read for somebody else; a new one is read for cycles and deliveries.
    #[must_use]
    pub fn read_for(&self, audience: Audience) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner, audience }
    }

    /// The folder that the store lives in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Why the program cannot start, when its store fails it then.
    #[must_use]
    pub fn cannot_start(&self, error: &StoreError) -> OpenError {
        OpenError::of(&self.inner.folder.join(FILE_NAME), error)
    }

    /// Whether the run before this one ended in order. True for a new store.
    #[must_use]
    pub fn previous_run_was_clean(&self) -> bool {
        self.inner.writer.previous_run_was_clean()
    }

    /// Resolves when a commit failed in a way that leaves its outcome unknown. The process must
    /// end then (exit 74) and read the truth at its next start.
    pub async fn fatal(&self) {
        self.inner.writer.fatal().await;
    }

    /// Whether the last write went through.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.inner.writer.is_writable()
    }

    /// Tries to write a little, so that a disk that has space again is noticed.
    ///
    /// # Errors
    /// When the store still cannot write.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write(|tx, _| schema::put_meta(tx, "probe", "1")).await
    }

    /// Marks the end of an orderly run and stops the writer; later writes fail.
    ///
    /// # Errors
    /// When the mark could not be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        let done = self.write(|tx, _| schema::put_meta(tx, "clean", "1")).await;
        self.inner.writer.stop().await;
        done
    }

    /// Whether an operator has paused cycles and deliveries.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn paused(&self) -> Result<bool, StoreError> {
        self.read(|c, _| Ok(schema::meta(c, "paused")?.as_deref() == Some("1")))
            .await
    }

    /// Pauses or resumes cycles and deliveries; survives a restart.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn set_paused(&self, paused: bool) -> Result<(), StoreError> {
        let value = if paused { "1" } else { "0" };
        self.write(move |tx, _| schema::put_meta(tx, "paused", value))
            .await
    }

    /// Runs `job` in the writer's next transaction and returns once that is on disk.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&rusqlite::Connection, &mut writer::Counters) -> Result<T, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.inner.writer.run(job).await
    }

    /// Runs `job` on a connection that only reads; gets the feed's name.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&rusqlite::Connection, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner
            .readers
            .run(self.audience, self.feed(), job)
            .await
    }

    fn feed(&self) -> Arc<str> {
        Arc::clone(&self.inner.feed)
    }
}
