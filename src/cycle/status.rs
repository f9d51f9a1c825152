//! What the cycles are doing, for whoever asks: read without the store, written by the worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::CycleError;
use crate::shutdown::raised;
use crate::store::{Accepted, CycleRecord, FeedState, Store};

/// Shared by the HTTP endpoints, the cycle worker and the deliveries.
#[derive(Debug, Default)]
pub struct Status {
    draining: watch::Sender<bool>,
    paused: AtomicBool,
    progress: Mutex<Progress>,
    finished: watch::Sender<Finished>,
    wake: Notify,
    hurry: Notify,
    wake_deliveries: Notify,
    plans: Mutex<Plans>,
}

/// What the worker has in mind.
#[derive(Clone, Copy, Debug, Default)]
struct Plans {
    not_before: Option<Instant>,
    schedule: Option<Planned>,
}

/// The schedule as it stands, Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Planned {
    /// When it asks for a cycle next.
    pub next: Option<f64>,
    /// When it last did.
    pub last: Option<f64>,
    /// Its moments that passed more than a minute before a cycle was asked for.
    pub missed: u64,
}

/// Where the cycles are, as one: who reads it while a cycle ends sees it before or after the end.
#[derive(Debug, Default)]
struct Progress {
    /// The last trigger that the running cycle serves; 0 when none runs.
    serving: i64,
    /// The last trigger that the last cycle of this run took up.
    served: i64,
    /// As the last cycle left it.
    feed: FeedState,
    /// How the last cycle of this run ended.
    ending: Ending,
    /// When the last one ended that did so well.
    well: Option<(Instant, f64)>,
}

/// How the last cycle of this run ended.
#[derive(Clone, Debug, Default)]
pub enum Ending {
    /// None has.
    #[default]
    Unknown,
    /// Well, or with a list that is held.
    Well,
    /// It failed.
    Failed(CycleError),
}

/// The last cycle that ended.
#[derive(Clone, Debug, Default)]
struct Finished {
    upto: i64,
    processing_id: String,
}

impl Status {
    /// Starts from what the store knows.
    #[must_use]
    pub fn new(feed: FeedState, paused: bool) -> Self {
        let status = Self::default();
        status.set_paused(paused);
        status.progress().feed = feed;
        status
    }

    /// Whether the daemon is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// The daemon is stopping: no new trigger is accepted from now on.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether an operator has paused cycles and deliveries.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Pauses or resumes.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        if !paused {
            self.wake();
            self.wake_deliveries();
        }
    }

    /// There is a new trigger.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Resolves when there may be a new trigger.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// There is a new trigger that waits for no others.
    pub fn hurry(&self) {
        self.hurry.notify_one();
        self.wake();
    }

    /// Resolves when there may be a trigger that waits for no others.
    pub async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// No cycle begins before this moment.
    pub fn hold_back(&self, until: Option<Instant>) {
        self.plans().not_before = until;
    }

    /// For how long no cycle will begin, whatever comes; none if one may begin now.
    #[must_use]
    pub fn held_back(&self) -> Option<Duration> {
        let until = self.plans().not_before?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The schedule is this one from now on.
    pub fn plan(&self, schedule: Option<Planned>) {
        self.plans().schedule = schedule;
    }

    /// The schedule, if there is one.
    #[must_use]
    pub fn planned(&self) -> Option<Planned> {
        self.plans().schedule
    }

    /// There may be something to deliver.
    pub fn wake_deliveries(&self) {
        self.wake_deliveries.notify_waiters();
    }

    /// Resolves at the next call of [`wake_deliveries`](Self::wake_deliveries). To miss none,
    /// create the future before looking for work.
    pub fn deliveries_woken(&self) -> tokio::sync::futures::Notified<'_> {
        self.wake_deliveries.notified()
    }

    /// Whether a cycle runs.
    #[must_use]
    pub fn is_processing(&self) -> bool {
        self.progress().serving != 0
    }

    /// Whether the running cycle serves the trigger with this number.
    #[must_use]
    pub fn is_serving(&self, seq: i64) -> bool {
        seq <= self.progress().serving
    }

    /// Cycles that ended so far, failed ones too.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.progress().feed.cycles
    }

    /// The number of the cycle that takes up this trigger, which was just accepted, and whether
    /// another runs before it.
    #[must_use]
    pub fn cycle_for(&self, seq: i64) -> (u64, bool) {
        let progress = self.progress();
        let (ended, serving) = (progress.feed.cycles, progress.serving);
        if seq <= progress.served {
            return (ended, false);
        }
        let queued = serving != 0 && seq > serving;
        (ended + 1 + u64::from(queued), queued)
    }

    /// A cycle begins that serves triggers up to `upto`; it ends when the guard is dropped.
    #[must_use]
    pub fn begin(&self, upto: i64) -> Serving<'_> {
        self.progress().serving = upto.max(1);
        Serving(self)
    }

    /// A cycle has ended and the store knows it.
    pub fn end(
        &self,
        upto: i64,
        processing_id: &str,
        feed: FeedState,
        failure: Option<CycleError>,
    ) {
        let mut progress = self.progress();
        let well = match failure {
            None => feed.last_end.map(|end| (Instant::now(), end)),
            Some(_) => progress.well,
        };
        *progress = Progress {
            serving: 0,
            served: upto,
            feed,
            ending: failure.map_or(Ending::Well, Ending::Failed),
            well,
        };
        drop(progress);
        self.finished.send_replace(Finished {
            upto,
            processing_id: processing_id.to_owned(),
        });
    }

    /// Waits for the cycle that serves this trigger, at most `wait`, and returns its record.
    pub async fn served(
        &self,
        store: &Store,
        trigger: &Accepted,
        wait: Duration,
    ) -> Option<CycleRecord> {
        let mut finished = self.finished.subscribe();
        let ended = finished.wait_for(|finished| finished.upto >= trigger.seq);
        let mut draining = self.draining.subscribe();
        // Nobody who waits may hold up the end: the trigger is stored and will be served.
        let last = tokio::select! {
            ended = tokio::time::timeout(wait, ended) => ended.ok()?.ok()?.processing_id.clone(),
            () = raised(&mut draining) => return None,
        };
        // A later cycle may have ended in the meantime; the store knows which one it was.
        let known = store.trigger(&trigger.id).await.ok()??.processing_id;
        store.record(&known.unwrap_or(last)).await.ok()?
    }

    /// When the last cycle ended, Unix seconds.
    #[must_use]
    pub fn last_end(&self) -> Option<f64> {
        self.progress().feed.last_end
    }

    /// How the last cycle of this run ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.progress().ending.clone()
    }

    /// When a cycle of this run last ended well, or with a list that is held: both on the clock that
    /// is never set and in Unix seconds.
    #[must_use]
    pub fn looked_well(&self) -> Option<(Instant, f64)> {
        self.progress().well
    }

    /// When a cycle last succeeded, Unix seconds.
    #[must_use]
    pub fn last_success(&self) -> Option<f64> {
        self.progress().feed.last_success
    }

    /// Whether the last cycle found changes.
    #[must_use]
    pub fn last_changed(&self) -> bool {
        self.progress().feed.last_changed
    }

    /// Why a list is held, if one is.
    #[must_use]
    pub fn held(&self) -> Option<String> {
        self.progress()
            .feed
            .held
            .as_ref()
            .map(|held| held.reason.clone())
    }

    /// Cycles that the history holds, at most `limit`.
    #[must_use]
    pub fn recent(&self, limit: usize) -> usize {
        usize::try_from(self.cycles())
            .unwrap_or(usize::MAX)
            .min(limit)
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives a cycle runs.
#[derive(Debug)]
pub struct Serving<'a>(&'a Status);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.progress().serving = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_told_which_cycle_serves_it() {
        let feed = |cycles| FeedState {
            cycles,
            ..FeedState::default()
        };
        let status = Status::new(feed(7), false);
        assert_eq!(status.cycle_for(5), (8, false));
        let serving = status.begin(5);
        assert_eq!(status.cycle_for(5), (8, false));
        assert_eq!(status.cycle_for(6), (9, true));
        status.end(5, "webhook_0_8", feed(8), None);
        drop(serving);
        assert_eq!(status.cycle_for(5), (8, false), "it was quick");
        assert_eq!(status.cycle_for(6), (9, false));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_is_told_until_it_is_over() {
        let status = Status::default();
        assert_eq!(status.held_back(), None);
        let second = Duration::from_secs(1);
        status.hold_back(Some(Instant::now() + 3 * second));
        tokio::time::advance(second).await;
        assert_eq!(status.held_back(), Some(2 * second));
        tokio::time::advance(2 * second).await;
        assert_eq!(status.held_back(), None);
    }
}
