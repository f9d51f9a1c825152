//! The loop of one destination: claim what is due, try it, settle it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::Destinations;
use crate::client::CallError;
use crate::clock::Clock;
use crate::cycle::Status;
use crate::domain::breaker::Turn;
use crate::domain::delivery::{DeliveryState, Lane};
use crate::domain::plan::AssetKind;
use crate::domain::retry::next_delay;
use crate::shutdown::raised;
use crate::store::{Claimed, Portion, Settlement, Store, StoreError};
use crate::telemetry::labels::{AssetResult, AttemptResult, DeadReason, DeliveryResult, ErrorKind};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;

/// Attempts to one destination that are under way at a time.
const AT_A_TIME: usize = 4;
/// Pause after the store could not be read or written.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The same after many times.
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(30);
/// The longest sleep, after which the outbox is looked at in any case.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Delivers to one lane.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    /// Which one.
    pub lane: Lane,
    /// The neighbours.
    pub destinations: Arc<Destinations>,
    /// The durable state.
    pub store: Store,
    /// Tells when there is work and when to pause.
    pub status: Arc<Status>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The wall clock, and the one that the schedule goes by.
    pub clock: Clock,
}

/// How an attempt ended.
struct Attempted {
    claimed: Claimed,
    result: Result<Option<String>, CallError>,
}

impl Dispatcher {
    /// Works until `stop` is set and the attempts under way have ended, or until `cancel` is set:
    /// attempts under way are then left to the next start, with the same id.
    pub async fn run(self, mut stop: watch::Receiver<bool>, mut cancel: watch::Receiver<bool>) {
        let mut attempts = JoinSet::new();
        loop {
            let status = Arc::clone(&self.status);
            let mut woken = std::pin::pin!(status.deliveries_woken());
            woken.as_mut().enable();
            let stopping = *stop.borrow();
            if stopping && attempts.is_empty() {
                return;
            }
            let pause = if stopping {
                LONGEST_SLEEP
            } else {
                self.fill(&mut attempts).await
            };
            tokio::select! {
                Some(_) = attempts.join_next(), if !attempts.is_empty() => {}
                () = woken, if !stopping => {}
                () = tokio::time::sleep(pause), if !stopping => {}
                () = raised(&mut stop), if !stopping => {}
                () = raised(&mut cancel) => return,
            }
        }
    }

    /// Tries once what is due and ends when nothing more is, or at `stop`.
    pub async fn run_until_idle(self, stop: watch::Receiver<bool>) {
        let mut attempts = JoinSet::new();
        loop {
            if *stop.borrow() {
                attempts.join_all().await;
                return;
            }
            let pause = self.fill(&mut attempts).await;
            if attempts.is_empty() && pause > Duration::ZERO {
                return;
            }
            attempts.join_next().await;
        }
    }

    /// Starts what is due; returns how long to sleep if nothing else happens.
    async fn fill(&self, attempts: &mut JoinSet<()>) -> Duration {
        let free = AT_A_TIME - attempts.len();
        if free == 0 || self.status.is_paused() {
            return LONGEST_SLEEP;
        }
        match self.claim(free).await {
            Ok((claimed, pause)) => {
                for one in claimed {
                    attempts.spawn(self.clone().attempt(one));
                }
                pause
            }
            Err(error) => {
                tracing::error!(error = %error, "the outbox cannot be worked off");
                STORE_PAUSE
            }
        }
    }

    async fn claim(&self, free: usize) -> Result<(Vec<Claimed>, Duration), StoreError> {
        let (now, breakers) = (self.clock.steady(), &self.destinations.breakers);
        let (limit, ahead) = match breakers.turn(&self.lane, free) {
            Turn::Go { limit, ahead } => (limit, ahead),
            Turn::Wait(pause) => return Ok((Vec::new(), pause.min(LONGEST_SLEEP))),
        };
        // Looking costs a read; claiming costs a sync to disk.
        let Some(due) = self.store.next_due(&self.lane).await? else {
            // One under way may have others of its match behind it.
            if free == AT_A_TIME {
                breakers.idle(&self.lane);
            }
            return Ok((Vec::new(), LONGEST_SLEEP));
        };
        // What has its time yet to come, a digest say, has not been kept from anywhere.
        let is_kept = due.is_tried || due.at <= now;
        if is_kept || free == AT_A_TIME {
            breakers.waits(&self.lane, is_kept);
        }
        let due = due.at;
        if due > now && ahead == 0 {
            let wait = Duration::from_secs_f64((due - now).min(LONGEST_SLEEP.as_secs_f64()));
            return Ok((Vec::new(), wait));
        }
        // Asked each time: what was put off once, or failed before, may be due in other quiet hours.
        let quiet = self.destinations.messengers.asleep(&self.lane, &self.clock);
        let portion = Portion {
            limit,
            ahead,
            quiet,
        };
        let claimed = self.store.claim(&self.lane, now, portion).await?;
        let early = claimed.iter().filter(|one| one.ahead).count();
        breakers.took(&self.lane, claimed.len(), early);
        let pause = match claimed.len() {
            // What waits is for a later time of the day, which no catching up brings forward.
            0 if due > now => {
                if free == AT_A_TIME {
                    breakers.caught_up(&self.lane);
                }
                Duration::from_secs_f64((due - now).min(LONGEST_SLEEP.as_secs_f64()))
            }
            0 => STORE_PAUSE,
            n if n == limit => LONGEST_SLEEP,
            _ => Duration::ZERO,
        };
        Ok((claimed, pause))
    }

    async fn attempt(self, claimed: Claimed) {
        let begun = Instant::now();
        let parent = claimed.traceparent.as_deref();
        let span = span::deliver(self.lane.kind, claimed.attempt, parent);
        let before = claimed.attempt.saturating_sub(1);
        let tried = span::resent(before, self.destinations.deliver(&self.lane, &claimed));
        let tried = AssertUnwindSafe(tried).catch_unwind();
        let result = tried.instrument(span.clone()).await.unwrap_or_else(|_| {
            Err(CallError::of(
                ErrorKind::Internal,
                "the delivery met a defect of the program",
            ))
        });
        self.metrics.delivery_duration.observe(
            (self.lane.kind.into(),),
            begun.elapsed(),
            span::sampled(&span),
        );
        if let Err(error) = &result {
            span::fail(&span, error.kind);
        }
        self.settle(Attempted { claimed, result })
            .instrument(span)
            .await;
    }

    async fn settle(&self, attempted: Attempted) {
        let Attempted { claimed, result } = attempted;
        let breakers = &self.destinations.breakers;
        breakers.ended(&self.lane, result.as_ref().err(), claimed.ahead);
        let now = self.clock.unix();
        let (settlement, reason) = match &result {
            Ok(url) => (Settlement::Delivered { url: url.clone() }, None),
            Err(error) => after_failure(&claimed, error, self.clock.steady()),
        };
        let mut pause = STORE_PAUSE;
        loop {
            match self.store.settle(claimed.id, now, settlement.clone()).await {
                Ok(state) => return self.count(&claimed, state, result.err().as_ref(), reason),
                // The program ends, and the next start takes it up.
                Err(error @ (StoreError::Closed | StoreError::Unknown)) => {
                    tracing::error!(error = %error, delivery = claimed.id, "a delivery could not be settled");
                    return;
                }
                // Until it is settled nothing newer of the same match may go out.
                Err(error) => {
                    tracing::error!(error = %error, delivery = claimed.id, "a delivery could not be settled; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_STORE_PAUSE);
                }
            }
        }
    }

    fn count(
        &self,
        claimed: &Claimed,
        state: DeliveryState,
        error: Option<&CallError>,
        reason: Option<DeadReason>,
    ) {
        let destination = self.lane.kind;
        let attempt = |result| self.metrics.delivery_attempts.inc((destination, result));
        let end = |result| self.metrics.deliveries.inc((destination, result));
        let message = error.map_or("", |error| error.message.as_str());
        let (id, kind, attempts) = (claimed.id, claimed.kind.as_str(), claimed.attempt);
        match state {
            DeliveryState::Delivered => {
                attempt(AttemptResult::Success);
                end(DeliveryResult::Delivered);
                self.count_file(kind, AssetResult::Stored);
                let latency = (self.clock.unix() - claimed.wanted).max(0.0);
                self.metrics
                    .delivery_latency
                    .observe_seconds((destination,), latency);
                tracing::info!(
                    delivery = id,
                    destination = %self.lane,
                    match_id = claimed.match_id,
                    kind,
                    attempts,
                    "delivered"
                );
            }
            DeliveryState::Dead => {
                attempt(AttemptResult::Dead);
                end(DeliveryResult::Dead);
                self.count_file(kind, AssetResult::Failed);
                let reason = reason.unwrap_or(DeadReason::Exhausted);
                self.metrics.dead_letters_made.inc((destination, reason));
                tracing::error!(
                    delivery = id,
                    destination = %self.lane,
                    match_id = claimed.match_id,
                    kind,
                    attempts,
                    "delivery given up: {message}"
                );
            }
            DeliveryState::Superseded => {
                // The store counts its end, with that of others.
                attempt(AttemptResult::Retry);
                tracing::info!(
                    delivery = id,
                    destination = %self.lane,
                    kind,
                    attempts,
                    "a failed delivery is superseded by a newer one"
                );
            }
            // What is under way cannot be discarded.
            DeliveryState::Discarded => {}
            DeliveryState::Pending | DeliveryState::Running => {
                attempt(AttemptResult::Retry);
                tracing::warn!(
                    delivery = id,
                    destination = %self.lane,
                    match_id = claimed.match_id,
                    kind,
                    attempts,
                    "delivery failed, will be tried again: {message}"
                );
            }
        }
    }

    fn count_file(&self, kind: &str, result: AssetResult) {
        if let Some(kind) = AssetKind::from_label(kind) {
            self.metrics.assets.inc((kind, result));
        }
    }
}

fn after_failure(
    claimed: &Claimed,
    error: &CallError,
    now: f64,
) -> (Settlement, Option<DeadReason>) {
    let text = error.message.clone();
    if error.is_permanent() {
        return (Settlement::Dead { error: text }, Some(DeadReason::Rejected));
    }
    if claimed.ahead {
        return (Settlement::Back { error: text }, None);
    }
    match next_delay(claimed.attempt, fastrand::f64()) {
        Some(delay) => {
            let wait = delay.max(error.retry_after.unwrap_or_default());
            (
                Settlement::Retry {
                    at: now + wait.as_secs_f64(),
                    error: text,
                },
                None,
            )
        }
        None if error.kind == ErrorKind::Internal => {
            (Settlement::Dead { error: text }, Some(DeadReason::Poisoned))
        }
        None => (
            Settlement::Dead { error: text },
            Some(DeadReason::Exhausted),
        ),
    }
}
