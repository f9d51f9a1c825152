//! What the cycles are doing, for whoever asks: read without the store, written by the worker.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::shutdown::raised;
use crate::store::{Accepted, CycleRecord, FeedState, Store};

/// Shared by the HTTP endpoints, the cycle worker and the deliveries.
#[derive(Debug, Default)]
pub struct Status {
    draining: watch::Sender<bool>,
    paused: AtomicBool,
    /// The last trigger that the running cycle serves; 0 when none runs.
    serving: AtomicI64,
    cycles: AtomicU64,
    feed: Mutex<FeedState>,
    finished: watch::Sender<Finished>,
    wake: Notify,
    wake_deliveries: Notify,
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
        let status = Self {
            cycles: AtomicU64::new(feed.cycles),
            ..Self::default()
        };
        status.set_paused(paused);
        *status.feed() = feed;
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
        self.serving.load(Ordering::Acquire) != 0
    }

    /// Whether the running cycle serves the trigger with this number.
    #[must_use]
    pub fn is_serving(&self, seq: i64) -> bool {
        seq <= self.serving.load(Ordering::Acquire)
    }

    /// Cycles that ended so far, failed ones too.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.cycles.load(Ordering::Acquire)
    }

    /// The number of the cycle that will serve the trigger, and whether another runs before it.
    #[must_use]
    pub fn cycle_for(&self, seq: i64) -> (u64, bool) {
        let serving = self.serving.load(Ordering::Acquire);
        let queued = serving != 0 && seq > serving;
        (self.cycles() + 1 + u64::from(queued), queued)
    }

    /// A cycle begins that serves triggers up to `upto`; it ends when the guard is dropped.
    #[must_use]
    pub fn begin(&self, upto: i64) -> Serving<'_> {
        self.serving.store(upto.max(1), Ordering::Release);
        Serving(self)
    }

    /// A cycle has ended and the store knows it.
    pub fn end(&self, upto: i64, processing_id: &str, feed: FeedState) {
        self.cycles.store(feed.cycles, Ordering::Release);
        *self.feed() = feed;
        self.serving.store(0, Ordering::Release);
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
        self.feed().last_end
    }

    /// When a cycle last succeeded, Unix seconds.
    #[must_use]
    pub fn last_success(&self) -> Option<f64> {
        self.feed().last_success
    }

    /// Whether the last cycle found changes.
    #[must_use]
    pub fn last_changed(&self) -> bool {
        self.feed().last_changed
    }

    /// Why a list is held, if one is.
    #[must_use]
    pub fn held(&self) -> Option<String> {
        self.feed().held.as_ref().map(|held| held.reason.clone())
    }

    /// Cycles that the history holds, at most `limit`.
    #[must_use]
    pub fn recent(&self, limit: usize) -> usize {
        usize::try_from(self.cycles())
            .unwrap_or(usize::MAX)
            .min(limit)
    }

    fn feed(&self) -> std::sync::MutexGuard<'_, FeedState> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives a cycle runs.
#[derive(Debug)]
pub struct Serving<'a>(&'a Status);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.serving.store(0, Ordering::Release);
    }
}
