//! The loop that decides when a cycle runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Cycle, CycleError, Report};
use crate::domain::retry::{MAX_CYCLE_ATTEMPTS, cycle_delay};
use crate::shutdown::raised;
use crate::store::{NewTrigger, StoreError, Waiting};
use crate::telemetry::labels::{Outcome, TriggerResult, TriggerSource};

/// Pause after the store could not be read or written.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The longest sleep, after which the queue is looked at in any case.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Triggers of one cycle by which a stream of them is told from a few.
const STREAM: usize = 16;

/// Rest between two cycles of a stream: the next one serves more, and the neighbour that has the
/// list is not asked hundreds of times a second.
const REST: Duration = Duration::from_millis(10);

/// When cycles run without being asked from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Between two scheduled cycles; none for no schedule.
    pub interval: Option<Duration>,
    /// Whether the first scheduled cycle runs at once.
    pub at_start: bool,
}

/// Runs cycles until told to stop.
#[derive(Debug)]
pub struct Worker {
    cycle: Arc<Cycle>,
    pace: Pace,
}

/// What the loop remembers between two cycles.
struct Agenda {
    /// The next scheduled cycle.
    scheduled: Option<Instant>,
    /// The second look at a held list.
    confirm: Option<Instant>,
    /// The next try for triggers up to this number, which failed before.
    retry: Option<(i64, Instant)>,
    /// Ends of cycles in a row that could not be committed.
    uncommitted: u32,
}

impl Agenda {
    /// The next moment after `now` at which something may be due. What was due before and could
    /// not be done waits to be woken: while cycles are paused a time that has passed stays passed.
    fn next(&self, now: Instant) -> Option<Instant> {
        let retry = self.retry.map(|(_, at)| at);
        [self.scheduled, self.confirm, retry]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }
}

impl Worker {
    /// A worker for one feed.
    #[must_use]
    pub fn new(cycle: Arc<Cycle>, pace: Pace) -> Self {
        Self { cycle, pace }
    }

    /// Runs until `stop` is set and the running cycle has ended, or until `cancel` is set: then a
    /// running cycle is given up, and its triggers wait for the next start.
    pub async fn run(self, mut stop: watch::Receiver<bool>, mut cancel: watch::Receiver<bool>) {
        let mut agenda = self.first_agenda().await;
        loop {
            if *stop.borrow() {
                return;
            }
            let now = Instant::now();
            self.ask_for_due(&mut agenda, now).await;
            let Some(waiting) = self.due(&agenda, now).await else {
                tokio::select! {
                    () = self.cycle.status.woken() => {}
                    () = until(agenda.next(now)) => {}
                    // A client that went away may have left a trigger that nobody told of.
                    () = tokio::time::sleep(LONGEST_SLEEP) => {}
                    () = raised(&mut stop) => return,
                }
                continue;
            };
            let upto = waiting.upto;
            let failures = waiting.failures;
            let rest = rest_after(waiting.count);
            tokio::select! {
                biased;
                ran = self.run_isolated(waiting) => self.note(&mut agenda, upto, failures, ran),
                () = raised(&mut cancel) => {
                    self.cycle.metrics.cycles.inc((Outcome::Cancelled,));
                    tracing::warn!("the running cycle was given up; its triggers wait for the next start");
                    return;
                }
            }
            if let Some(rest) = rest {
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = raised(&mut stop) => return,
                }
            }
        }
    }

    async fn first_agenda(&self) -> Agenda {
        let now = Instant::now();
        let first = if self.pace.at_start {
            Duration::ZERO
        } else {
            self.pace.interval.unwrap_or_default()
        };
        let held = self
            .cycle
            .store
            .feed_state()
            .await
            .ok()
            .and_then(|feed| feed.held);
        Agenda {
            scheduled: self.pace.interval.map(|_| now + first),
            confirm: held.map(|held| self.confirm_at(held.since)),
            retry: None,
            uncommitted: 0,
        }
    }

    fn confirm_at(&self, since: f64) -> Instant {
        let age = (self.cycle.clock.unix() - since).max(0.0);
        let left = (self.cycle.hold_confirm.as_secs_f64() - age).max(0.0);
        Instant::now() + Duration::from_secs_f64(left)
    }

    /// Turns what is due by the clock into triggers like any other. During a pause it stays due:
    /// asked for again and again it would fill the queue.
    async fn ask_for_due(&self, agenda: &mut Agenda, now: Instant) {
        if self.cycle.status.is_paused() {
            return;
        }
        if agenda.scheduled.is_some_and(|at| at <= now) {
            agenda.scheduled = self.pace.interval.map(|interval| now + interval);
            self.ask(TriggerSource::Schedule).await;
        }
        if agenda.confirm.is_some_and(|at| at <= now) {
            agenda.confirm = None;
            self.ask(TriggerSource::Confirm).await;
        }
    }

    async fn ask(&self, source: TriggerSource) {
        let trigger = NewTrigger {
            source,
            accepted: self.cycle.clock.unix(),
            traceparent: None,
            data: None,
            size: 0,
        };
        let result = match self.cycle.store.accept(trigger).await {
            Ok(accepted) => accepted.result(),
            Err(StoreError::QueueFull(_)) => TriggerResult::RejectedFull,
            Err(_) => TriggerResult::RejectedStore,
        };
        self.cycle.metrics.triggers.inc((source, result));
    }

    /// The waiting triggers, if a cycle should run for them now.
    async fn due(&self, agenda: &Agenda, now: Instant) -> Option<Waiting> {
        if self.cycle.status.is_paused() {
            return None;
        }
        match self.cycle.store.waiting().await {
            Ok(waiting) if waiting.count == 0 => None,
            Ok(waiting) => match agenda.retry {
                // A new trigger is served at once; only what failed before waits.
                Some((upto, at)) if waiting.upto <= upto && at > now => None,
                _ => Some(waiting),
            },
            Err(error) => {
                tracing::error!(error = %error, "the waiting triggers cannot be read");
                tokio::time::sleep(STORE_PAUSE).await;
                self.cycle.status.wake();
                None
            }
        }
    }

    /// A panic ends the cycle, not the worker.
    async fn run_isolated(&self, waiting: Waiting) -> Result<Report, StoreError> {
        match AssertUnwindSafe(self.cycle.run(waiting.clone()))
            .catch_unwind()
            .await
        {
            Ok(ran) => ran,
            Err(_) => self.cycle.fail(waiting, CycleError::internal()).await,
        }
    }

    fn note(&self, agenda: &mut Agenda, upto: i64, failures: u32, ran: Result<Report, StoreError>) {
        agenda.retry = None;
        if let Ok(report) = ran {
            agenda.uncommitted = 0;
            if report.outcome == Outcome::Failure {
                agenda.retry = Some(retry(upto, failures, &report));
            } else {
                agenda.confirm = report.held_since.map(|since| self.confirm_at(since));
            }
        } else {
            // The list is not asked for every second while the disk is full.
            agenda.uncommitted = (agenda.uncommitted + 1).min(MAX_CYCLE_ATTEMPTS - 1);
            let pause = cycle_delay(agenda.uncommitted, fastrand::f64());
            agenda.retry = Some((upto, Instant::now() + pause.unwrap_or(STORE_PAUSE)));
        }
    }
}

/// None for so few triggers that whoever sent them may wait for the next cycle.
fn rest_after(triggers: usize) -> Option<Duration> {
    (triggers >= STREAM).then_some(REST)
}

/// The neighbour's own wish is honoured where it is longer than the backoff. When the oldest
/// triggers have just been given up, the others wait for the longest step of the schedule.
fn retry(upto: i64, failures: u32, report: &Report) -> (i64, Instant) {
    let failures = (failures + 1).min(MAX_CYCLE_ATTEMPTS - 1);
    let backoff = cycle_delay(failures, fastrand::f64()).unwrap_or_default();
    let wish = report
        .error
        .as_ref()
        .and_then(|error| error.retry_after)
        .unwrap_or_default();
    (upto, Instant::now() + backoff.max(wish))
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_has_passed_does_not_keep_the_loop_awake() {
        let now = Instant::now();
        let (before, after) = (now - Duration::from_secs(1), now + Duration::from_secs(1));
        let agenda = |retry| Agenda {
            scheduled: None,
            confirm: None,
            retry: Some((1, retry)),
            uncommitted: 0,
        };
        assert_eq!(agenda(before).next(now), None);
        assert_eq!(agenda(now).next(now), None);
        assert_eq!(agenda(after).next(now), Some(after));
    }

    #[test]
    fn only_a_stream_of_triggers_is_paced() {
        assert_eq!(rest_after(STREAM - 1), None);
        assert_eq!(rest_after(STREAM), Some(REST));
    }
}
