//! The loop that decides when a cycle runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::agenda::{Agenda, Turn};
use super::timetable::Timetable;
use super::{Cycle, CycleError, Report};
use crate::config::{Config, Live, PaceConfig};
use crate::domain::retry::{MAX_CYCLE_ATTEMPTS, cycle_delay};
use crate::shutdown::raised;
use crate::store::{NewTrigger, StoreError, Waiting};
use crate::telemetry::labels::{Outcome, TriggerSource};

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
    settings: watch::Receiver<Arc<Config>>,
    /// While it lives, whoever waits for other settings is not told that there will be none.
    _live: Live,
}

impl Worker {
    /// A worker for one feed.
    #[must_use]
    pub fn new(cycle: Arc<Cycle>, pace: Pace, live: &Live) -> Self {
        Self {
            cycle,
            pace,
            settings: live.subscribe(),
            _live: live.clone(),
        }
    }

    /// Runs until `stop` is set and the running cycle has ended, or until `cancel` is set: then a
    /// running cycle is given up, and its triggers wait for the next start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>, mut cancel: watch::Receiver<bool>) {
        let mut agenda = self.first_agenda().await;
        loop {
            if *stop.borrow() {
                return;
            }
            let config = Arc::clone(&self.settings.borrow_and_update());
            let now = Instant::now();
            self.ask_for_due(&mut agenda, &config, now).await;
            let (turn, waiting) = tokio::select! {
                turn = self.turn(&mut agenda, &config.pace, now) => turn,
                () = raised(&mut stop) => return,
            };
            if turn != Turn::Now {
                let next = agenda.next(now, &config.pace);
                tokio::select! {
                    () = self.wait(turn, next) => {}
                    () = raised(&mut stop) => return,
                }
                continue;
            }
            let rest = rest_after(waiting.count);
            tokio::select! {
                biased;
                () = self.serve(&mut agenda, &config.pace, waiting) => {}
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

    /// Until something may be due, or other settings hold.
    async fn wait(&mut self, turn: Turn, next: Option<Instant>) {
        let status = &self.cycle.status;
        // What is held back already is looked at when its time has come: in a stream of triggers it
        // would else be read again for each of them.
        let (woken, held) = match turn {
            Turn::At(at) => (false, Some(at)),
            Turn::Now | Turn::Idle => (true, None),
        };
        tokio::select! {
            () = status.woken(), if woken => {}
            () = status.hurried() => {}
            () = until(held) => {}
            () = until(next) => {}
            _ = self.settings.changed() => {}
            // A client that went away may have left a trigger that nobody told of, the wall clock may
            // have been set, the machine may have slept.
            () = tokio::time::sleep(LONGEST_SLEEP) => {}
        }
    }

    async fn first_agenda(&self) -> Agenda {
        let now = Instant::now();
        let first = if self.pace.at_start {
            Duration::ZERO
        } else {
            self.pace.interval.unwrap_or_default()
        };
        let feed = self.cycle.store.feed_state().await.unwrap_or_default();
        let ago = |then: f64| {
            let age = Duration::try_from_secs_f64(self.cycle.clock.unix() - then);
            now.checked_sub(age.unwrap_or_default())
        };
        Agenda {
            scheduled: self.pace.interval.map(|_| now + first),
            confirm: feed.held.map(|held| self.confirm_at(held.since)),
            last_start: feed.last_start.and_then(ago),
            timetable: Timetable::load(&self.cycle).await,
            ..Agenda::default()
        }
    }

    fn confirm_at(&self, since: f64) -> Instant {
        let age = (self.cycle.clock.unix() - since).max(0.0);
        let left = (self.cycle.hold_confirm.as_secs_f64() - age).max(0.0);
        Instant::now() + Duration::from_secs_f64(left)
    }

    /// Turns what is due by the clock into triggers like any other. While no cycle may begin it stays
    /// due: asked for again and again it would fill the queue.
    async fn ask_for_due(&self, agenda: &mut Agenda, config: &Config, now: Instant) {
        let (calendar, wall) = (&config.schedule, self.cycle.clock.now());
        let schedule = calendar.schedule.as_ref();
        agenda.timetable.look(schedule, wall, &self.cycle).await;
        let quiet = calendar.quiet.until(wall, &calendar.time_zone);
        let soon = quiet.or(agenda.timetable.next());
        agenda.calendar = soon.map(|at| now + wait_until(at, wall));
        let paced = agenda.paced(&config.pace).is_some_and(|at| at > now);
        if paced || self.cycle.status.is_paused() {
            return;
        }
        if agenda.confirm.is_some_and(|at| at <= now) {
            // What could not be stored is asked for again: nobody else looks after a held list.
            agenda.confirm = match self.ask(TriggerSource::Confirm).await {
                true => None,
                false => Some(Instant::now() + STORE_PAUSE),
            };
        }
        if quiet.is_some() {
            return;
        }
        if agenda.scheduled.is_some_and(|at| at <= now) {
            agenda.scheduled = self.pace.interval.map(|interval| now + interval);
            self.ask(TriggerSource::Schedule).await;
        }
        let due = agenda.timetable.next().is_some_and(|at| at <= wall);
        if let Some(schedule) = schedule.filter(|_| due) {
            agenda.timetable.ask(schedule, wall, &self.cycle).await;
            let next = agenda.timetable.next();
            agenda.calendar = next.map(|at| now + wait_until(at, wall));
        }
    }

    /// Stores a trigger. Whether it is stored.
    async fn ask(&self, source: TriggerSource) -> bool {
        let trigger = NewTrigger {
            source,
            accepted: self.cycle.clock.unix(),
            traceparent: None,
            data: None,
            size: 0,
        };
        let accepted = self.cycle.store.accept(trigger).await;
        let result = match &accepted {
            Ok(accepted) => accepted.result(),
            Err(error) => error.result(),
        };
        self.cycle.metrics.triggers.inc((source, result));
        accepted.is_ok()
    }

    /// Whose turn it is: the triggers that wait, and when a cycle may run for them.
    async fn turn(&self, agenda: &mut Agenda, pace: &PaceConfig, now: Instant) -> (Turn, Waiting) {
        let read = match self.cycle.status.is_paused() {
            true => Ok(Waiting::default()),
            false => self.cycle.store.waiting().await,
        };
        let (turn, waiting) = match read {
            Ok(waiting) => {
                let unix = self.cycle.clock.unix();
                (agenda.turn(&waiting, pace, (now, unix)), waiting)
            }
            Err(error) => {
                tracing::error!(error = %error, "the waiting triggers cannot be read");
                tokio::time::sleep(STORE_PAUSE).await;
                self.cycle.status.wake();
                (Turn::Idle, Waiting::default())
            }
        };
        let held = match turn {
            Turn::At(at) => Some(at),
            Turn::Now | Turn::Idle => agenda.paced(pace),
        };
        self.cycle.status.hold_back(held);
        (turn, waiting)
    }

    async fn serve(&self, agenda: &mut Agenda, pace: &PaceConfig, waiting: Waiting) {
        let now = Instant::now();
        agenda.burst.end(now);
        agenda.last_start = Some(now);
        if !pace.min_interval.is_zero() {
            // So that not even a daemon that is started again and again asks more often. A store that
            // cannot write says so at the cycle's end.
            let _ = self.cycle.store.cycle_begins(self.cycle.clock.unix()).await;
        }
        self.cycle.status.hold_back(agenda.paced(pace));
        let (upto, failures) = (waiting.upto, waiting.failures);
        let ran = self.run_isolated(waiting).await;
        self.note(agenda, upto, failures, ran);
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

/// How long it is until this moment by the wall clock.
fn wait_until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
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
    fn only_a_stream_of_triggers_is_paced() {
        assert_eq!(rest_after(STREAM - 1), None);
        assert_eq!(rest_after(STREAM), Some(REST));
    }
}
