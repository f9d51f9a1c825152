//! What the loop remembers between two cycles, and what follows from it.

use std::time::Duration;

use tokio::time::Instant;

use super::burst::{Burst, Seen};
use super::timetable::Timetable;
use crate::config::PaceConfig;
use crate::store::Waiting;

/// What the loop remembers between two cycles.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// The next cycle of the interval.
    pub scheduled: Option<Instant>,
    /// The second look at a held list.
    pub confirm: Option<Instant>,
    /// The next try for triggers up to this number, which failed before.
    pub retry: Option<(i64, Instant)>,
    /// Ends of cycles in a row that could not be committed.
    pub uncommitted: u32,
    /// When the last cycle began.
    pub last_start: Option<Instant>,
    /// Webhooks that wait for others.
    pub burst: Burst,
    /// The cycles of the calendar.
    pub timetable: Timetable,
    /// When the calendar asks for something, or lets it be asked for.
    pub calendar: Option<Instant>,
}

/// When what waits can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Then; what comes until then is served by the same cycle.
    At(Instant),
    /// Once something comes, or is due.
    Idle,
}

impl Agenda {
    /// The next moment after `now` at which something may be due. What was due before and could
    /// not be done waits to be woken: while cycles are paused a time that has passed stays passed.
    pub fn next(&self, now: Instant, pace: &PaceConfig) -> Option<Instant> {
        let retry = self.retry.map(|(_, at)| at);
        let all = [
            self.scheduled,
            self.confirm,
            retry,
            self.calendar,
            self.paced(pace),
        ];
        all.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Before which no cycle may begin, so that two of them are far enough apart.
    pub fn paced(&self, pace: &PaceConfig) -> Option<Instant> {
        let last = self.last_start.filter(|_| !pace.min_interval.is_zero());
        last.map(|last| last + pace.min_interval)
    }

    /// When these triggers can be served. What failed before waits for its next try, unless something
    /// new is served sooner; webhooks wait for others; all of them keep the distance between cycles.
    pub fn turn(
        &mut self,
        waiting: &Waiting,
        pace: &PaceConfig,
        (now, unix): (Instant, f64),
    ) -> Turn {
        if waiting.count == 0 {
            self.burst.end(now);
            return Turn::Idle;
        }
        let failed = self.retry.map_or(0, |(upto, _)| upto);
        let new = usize::try_from(waiting.upto - failed).unwrap_or(0);
        let retry = self.retry.map(|(_, at)| at);
        let ready = if new == 0 {
            retry.unwrap_or(now)
        } else if pace.debounce.is_zero() || waiting.urgent > failed {
            now
        } else {
            self.burst.look(now, seen(waiting, new, unix));
            let over = self.burst.over(pace.debounce, pace.debounce_max);
            let over = over.unwrap_or(now);
            retry.map_or(over, |retry| retry.min(over))
        };
        let ready = self.paced(pace).map_or(ready, |paced| paced.max(ready));
        match (ready <= now, new) {
            (true, _) => Turn::Now,
            // Something new would be served sooner.
            (false, 0) if self.paced(pace).is_none_or(|paced| paced < ready) => Turn::Idle,
            (false, _) => Turn::At(ready),
        }
    }
}

/// The newest `new` of those that wait.
fn seen(waiting: &Waiting, new: usize, unix: f64) -> Seen {
    let age = |accepted: Option<&f64>| {
        let age = accepted.map_or(0.0, |accepted| unix - accepted);
        Duration::try_from_secs_f64(age).unwrap_or_default()
    };
    let new = new.min(waiting.accepted.len());
    Seen {
        newest: waiting.upto,
        oldest_age: age(waiting.accepted.get(new.saturating_sub(1))),
        newest_age: age(waiting.accepted.first()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: PaceConfig = PaceConfig {
        debounce: Duration::ZERO,
        debounce_max: Duration::ZERO,
        min_interval: Duration::ZERO,
    };
    const DEBOUNCED: PaceConfig = PaceConfig {
        debounce: Duration::from_secs(5),
        debounce_max: Duration::from_secs(12),
        ..NONE
    };
    const APART: PaceConfig = PaceConfig {
        min_interval: Duration::from_secs(30),
        ..NONE
    };
    const UNIX: f64 = 1_800_000_000.0;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// So many, with these numbers at the end, that came just now.
    fn waiting(upto: i64, count: usize) -> Waiting {
        Waiting {
            upto,
            count,
            accepted: vec![UNIX; count],
            ..Waiting::default()
        }
    }

    #[test]
    fn a_time_that_has_passed_does_not_keep_the_loop_awake() {
        let now = Instant::now();
        let (before, after) = (now.checked_sub(seconds(1)).unwrap(), now + seconds(1));
        let next = |retry| {
            let agenda = Agenda {
                retry: Some((1, retry)),
                last_start: Some(before),
                calendar: Some(before),
                ..Agenda::default()
            };
            agenda.next(now, &NONE)
        };
        assert_eq!(next(before), None);
        assert_eq!(next(now), None);
        assert_eq!(next(after), Some(after));
    }

    #[test]
    fn without_a_pace_everything_new_is_served_at_once() {
        let now = Instant::now();
        let mut agenda = Agenda {
            last_start: Some(now),
            ..Agenda::default()
        };
        assert_eq!(agenda.turn(&waiting(0, 0), &NONE, (now, UNIX)), Turn::Idle);
        assert_eq!(agenda.turn(&waiting(3, 2), &NONE, (now, UNIX)), Turn::Now);
        agenda.retry = Some((3, now + seconds(9)));
        assert_eq!(agenda.turn(&waiting(3, 2), &NONE, (now, UNIX)), Turn::Idle);
        assert_eq!(agenda.turn(&waiting(4, 3), &NONE, (now, UNIX)), Turn::Now);
        let then = now + seconds(9);
        assert_eq!(agenda.turn(&waiting(3, 2), &NONE, (then, UNIX)), Turn::Now);
    }

    #[test]
    fn webhooks_wait_for_others_and_nothing_else_does() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        agenda.burst.end(now);
        let five = now + seconds(5);
        let turn = agenda.turn(&waiting(1, 1), &DEBOUNCED, (now, UNIX));
        assert_eq!(turn, Turn::At(five));
        let turn = agenda.turn(&waiting(1, 1), &DEBOUNCED, (five, UNIX + 5.0));
        assert_eq!(turn, Turn::Now);
        let urgent = Waiting {
            urgent: 2,
            ..waiting(2, 2)
        };
        assert_eq!(agenda.turn(&urgent, &DEBOUNCED, (now, UNIX)), Turn::Now);
    }

    #[test]
    fn a_retry_keeps_its_own_time_beside_webhooks_that_wait() {
        let now = Instant::now();
        let agenda = |retry| {
            let mut agenda = Agenda {
                retry: Some((2, now + seconds(retry))),
                ..Agenda::default()
            };
            agenda.burst.end(now);
            agenda
        };
        // The older ones were urgent once; they have failed.
        let both = Waiting {
            urgent: 2,
            ..waiting(3, 3)
        };
        let turn = |retry| agenda(retry).turn(&both, &DEBOUNCED, (now, UNIX));
        assert_eq!(turn(60), Turn::At(now + seconds(5)));
        assert_eq!(turn(2), Turn::At(now + seconds(2)));
    }

    #[test]
    fn all_keep_the_distance_between_two_cycles() {
        let now = Instant::now();
        let mut agenda = Agenda {
            last_start: now.checked_sub(seconds(10)),
            ..Agenda::default()
        };
        let free = now + seconds(20);
        let urgent = Waiting {
            urgent: 1,
            ..waiting(1, 1)
        };
        for waiting in [waiting(1, 1), urgent] {
            assert_eq!(agenda.turn(&waiting, &APART, (now, UNIX)), Turn::At(free));
            assert_eq!(agenda.turn(&waiting, &APART, (free, UNIX)), Turn::Now);
        }
        assert_eq!(agenda.next(now, &APART), Some(free));
        agenda.retry = Some((1, now + seconds(5)));
        let turn = agenda.turn(&waiting(1, 1), &APART, (now, UNIX));
        assert_eq!(turn, Turn::At(free));
        agenda.retry = Some((1, now + seconds(25)));
        let turn = agenda.turn(&waiting(1, 1), &APART, (now, UNIX));
        assert_eq!(turn, Turn::Idle, "a new one would be served sooner");
    }
}
