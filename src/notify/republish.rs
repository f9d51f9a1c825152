//! Tells services once more: what changed since a moment, or all there is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::StoredSet;
use super::plan::service;
use crate::clock::Clock;
use crate::cycle::Status;
use crate::domain::change::{Change, Priority};
use crate::domain::delivery::{FULL_STATE, Lane, MATCH_UPDATES};
use crate::shutdown::raised;
use crate::store::{ChangeQuery, Store, StoreError};

/// Changes that are told again at most; beyond that the whole list says more.
pub const MOST_CHANGES: usize = 10_000;

/// The note of when the whole list was last told.
const NOTE: &str = "full_state";
/// After the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_secs(30);

/// How much is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole list.
    Everything,
    /// What changed since this moment.
    Since(Timestamp),
}

/// Why nothing is told again.
#[derive(Debug, thiserror::Error)]
pub enum RepublishError {
    /// Nobody reads it.
    #[error("No service is told: neither REDIS_ENABLED nor CALENDAR_SERVICE_URL is set")]
    Nobody,
    /// There is too much of it.
    #[error("More than {MOST_CHANGES} changes since then; tell everything instead")]
    TooMuch,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores what is to be told to these services. Returns how many changes that is.
///
/// # Errors
/// When nothing is told.
pub async fn republish(
    extent: Extent,
    lanes: &[Lane],
    store: &Store,
    clock: &Clock,
) -> Result<usize, RepublishError> {
    if lanes.is_empty() {
        return Err(RepublishError::Nobody);
    }
    let (set, kind) = match extent {
        Extent::Everything => (Some(StoredSet::whole(clock.now())), FULL_STATE),
        Extent::Since(moment) => {
            let changes = since(moment, store).await?;
            let set = StoredSet::of(&changes, "Told again.", clock.now());
            (set, MATCH_UPDATES)
        }
    };
    let Some(set) = set else {
        return Ok(0);
    };
    let priority = set.changes.iter().map(|change| change.priority).min();
    let priority = priority.unwrap_or(Priority::Low);
    let planned = lanes.iter().map(|lane| service(lane, kind, &set, priority));
    let note =
        (extent == Extent::Everything).then(|| (NOTE.to_owned(), Some(clock.unix().to_string())));
    let now = (clock.unix(), clock.steady());
    store.enqueue(planned.collect(), note, now).await?;
    Ok(set.changes.len())
}

/// Oldest first, as they were told the first time.
async fn since(moment: Timestamp, store: &Store) -> Result<Vec<Change>, RepublishError> {
    let query = ChangeQuery {
        limit: MOST_CHANGES + 1,
        ..ChangeQuery::default()
    };
    let is_late = |change: &Change| {
        let found: Option<Timestamp> = change.timestamp.parse().ok();
        found.is_some_and(|found| found >= moment)
    };
    let rows = store.changes(query).await?.into_iter();
    let mut changes: Vec<Change> = rows.map(|row| row.change).filter(is_late).collect();
    if changes.len() > MOST_CHANGES {
        return Err(RepublishError::TooMuch);
    }
    changes.reverse();
    Ok(changes)
}

/// Tells everything at intervals, which go on over restarts.
#[derive(Debug)]
pub struct Periodic {
    /// Between two times.
    pub interval: Duration,
    /// Which services.
    pub lanes: Vec<Lane>,
    /// The durable state.
    pub store: Store,
    /// To wake the deliveries.
    pub status: std::sync::Arc<Status>,
    /// The wall clock.
    pub clock: Clock,
}

impl Periodic {
    /// Tells until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = match self.due().await {
                Ok(Some(wait)) => wait,
                Ok(None) => match self.tell().await {
                    Ok(()) => self.interval,
                    Err(error) => later(&error),
                },
                Err(error) => later(&RepublishError::Store(error)),
            };
            tokio::select! {
                () = tokio::time::sleep(pause.min(STORE_PAUSE)) => {}
                () = raised(&mut stop) => return,
            }
        }
    }

    async fn tell(&self) -> Result<(), RepublishError> {
        republish(Extent::Everything, &self.lanes, &self.store, &self.clock).await?;
        self.status.wake_deliveries();
        Ok(())
    }

    /// How long it is until the next time; none if it is now. A clock that was ahead delays nothing.
    async fn due(&self) -> Result<Option<Duration>, StoreError> {
        let notes = self.store.notes(NOTE).await?;
        let now = self.clock.unix();
        let last: Option<f64> = notes.get(NOTE).and_then(|note| note.parse().ok());
        let Some(last) = last else {
            // Who starts to listen hears of the first cycle.
            let note = Some((NOTE.to_owned(), Some(now.to_string())));
            self.store
                .enqueue(Vec::new(), note, (now, self.clock.steady()))
                .await?;
            return Ok(Some(self.interval));
        };
        let since = SignedDuration::try_from_secs_f64(now - last).unwrap_or_default();
        let passed = since.unsigned_abs();
        Ok(self
            .interval
            .checked_sub(passed)
            .filter(|wait| !wait.is_zero()))
    }
}

fn later(error: &RepublishError) -> Duration {
    tracing::error!(error = %error, "the whole list could not be told again; it will be tried later");
    STORE_PAUSE
}
