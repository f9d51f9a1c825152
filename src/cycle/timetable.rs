//! The cycles that the calendar asks for: each moment once, also over restarts, and one cycle for all
//! that were missed.

use jiff::{SignedDuration, Timestamp};

use super::{Cycle, Planned};
use crate::clock::unix_seconds;
use crate::domain::schedule::Schedule;
use crate::store::{NewTrigger, ScheduleMark};
use crate::telemetry::labels::TriggerSource;

/// What is later than this was missed. A clock that is set back by no more does not have anything
/// run twice.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// Missed moments that are counted at a time.
const COUNTED: u64 = 1_000;

/// How far the schedule has been kept, and what comes next.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    mark: Option<ScheduleMark>,
    next: Option<Timestamp>,
}

impl Timetable {
    /// As the store knows it.
    pub async fn load(cycle: &Cycle) -> Self {
        let mark = cycle.store.schedule_mark().await;
        let mark = mark.unwrap_or_else(|error| {
            tracing::error!(error = %error, "how far the schedule was kept cannot be read: it begins anew");
            None
        });
        Self { mark, next: None }
    }

    /// Works out what comes next. A schedule that is new, or from which the clock was set back, begins
    /// now: nothing of it was missed.
    pub async fn look(&mut self, schedule: Option<&Schedule>, now: Timestamp, cycle: &Cycle) {
        let Some(schedule) = schedule else {
            self.next = None;
            cycle.status.plan(None);
            return;
        };
        let begins = match &self.mark {
            Some(mark) if mark.schedule == schedule.text() => upto(mark) > now + TOLERANCE,
            _ => true,
        };
        if begins {
            let last = self.mark.as_ref().and_then(|mark| mark.last);
            let mark = ScheduleMark {
                schedule: schedule.text().to_owned(),
                upto: now.as_microsecond(),
                last,
                missed: 0,
            };
            if let Err(error) = cycle.store.mark_schedule(mark.clone()).await {
                tracing::warn!(error = %error, "the begin of the schedule could not be stored");
            }
            self.mark = Some(mark);
        }
        let mark = self.mark.clone().unwrap_or_default();
        self.next = schedule.next(upto(&mark));
        cycle.status.plan(Some(Planned {
            next: self.next.map(unix_seconds),
            last: mark.last,
            missed: mark.missed,
        }));
    }

    /// The next moment; it may have passed.
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Asks for the cycle that is due.
    pub async fn ask(&mut self, schedule: &Schedule, now: Timestamp, cycle: &Cycle) {
        let before = self.mark.clone().unwrap_or_default();
        let missed = schedule.count(upto(&before), now - TOLERANCE, COUNTED);
        let mark = ScheduleMark {
            upto: now.as_microsecond(),
            last: Some(unix_seconds(now)),
            missed: before.missed + missed,
            ..before
        };
        let source = TriggerSource::Schedule;
        let trigger = NewTrigger {
            source,
            accepted: unix_seconds(now),
            traceparent: None,
            data: None,
            size: 0,
        };
        let result = match cycle.store.accept_scheduled(trigger, mark.clone()).await {
            Ok(accepted) => {
                self.mark = Some(mark);
                cycle.metrics.schedule_missed.add((), missed);
                if missed > 0 {
                    tracing::info!(
                        missed,
                        "moments of the schedule were missed; one cycle makes up for them"
                    );
                }
                accepted.result()
            }
            Err(error) => error.result(),
        };
        cycle.metrics.triggers.inc((source, result));
        self.look(Some(schedule), now, cycle).await;
    }
}

fn upto(mark: &ScheduleMark) -> Timestamp {
    Timestamp::from_microsecond(mark.upto).unwrap_or(Timestamp::UNIX_EPOCH)
}
