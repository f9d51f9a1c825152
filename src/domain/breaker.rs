//! Whether a destination may be tried now: a breaker that opens while it is down, and a budget for
//! what is tried ahead of its schedule.
//!
//! Times are durations since any fixed moment of a monotonic clock.

use std::time::Duration;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// Seconds that it stays open, by how often it opened since the last success; the last one repeats.
const PAUSES: [u64; 5] = [10, 30, 60, 120, 300];

/// Most attempts ahead of schedule that the budget ever holds.
pub const FULL_BUDGET: f64 = 10.0;

/// What a failed attempt on schedule adds to the budget: so failures ahead of schedule stay within
/// a fifth of those that the schedule asks for.
const PER_FAILURE: f64 = 0.2;

/// What an hour adds, so that a destination that comes and goes is not given up.
const PER_HOUR: f64 = 1.0;

/// What may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At most `limit` entries, of which `ahead` may be ahead of their schedule.
    Go {
        /// Entries to be tried at once.
        limit: usize,
        /// How many of them need not be due.
        ahead: usize,
    },
    /// Nothing for so long, unless an attempt ends or the destination answers before.
    Wait(Duration),
}

/// What an attempt says of the destination, not of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there: it accepted the entry, or refused this one for good.
    Up,
    /// It is down, or wants to be left alone for so long.
    Down(Option<Duration>),
    /// Nothing: the attempt did not get that far.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
        /// The destination named that time itself.
        asked: bool,
    },
    /// One attempt is under way that decides.
    Trial,
}

/// The breaker of one destination.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    opened: usize,
    /// An attempt showed that the destination is there.
    is_proven: bool,
    /// Everything may be tried ahead of its schedule, as far as the budget goes: the destination
    /// was down and answers again.
    catching_up: bool,
    budget: f64,
    counted: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            opened: 0,
            is_proven: false,
            catching_up: false,
            budget: FULL_BUDGET,
            counted: Duration::ZERO,
        }
    }
}

impl Breaker {
    /// Whether it holds deliveries back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// Whether the destination is down, as far as attempts have shown: a new breaker does not know.
    #[must_use]
    pub fn is_down(&self) -> Option<bool> {
        (self.is_open() || self.is_proven).then(|| self.is_open())
    }

    /// Until when nothing is tried, unless the destination answers before; none if something may be.
    #[must_use]
    pub fn open_until(&self) -> Option<Duration> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed { .. } | State::Trial => None,
        }
    }

    /// Attempts ahead of schedule that are left, with fractions.
    #[must_use]
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// What may be tried at `now` by someone with `free` hands.
    pub fn turn(&mut self, now: Duration, free: usize) -> Turn {
        self.earn(PER_HOUR * now.saturating_sub(self.counted).as_secs_f64() / 3_600.0);
        self.counted = now;
        let limit = match self.state {
            State::Closed { .. } => free,
            State::Open { until, .. } if until <= now => free.min(1),
            State::Open { until, .. } => return Turn::Wait(until.saturating_sub(now)),
            State::Trial => return Turn::Wait(Duration::MAX),
        };
        let mut left = self.budget;
        let affordable = (0..limit).take_while(|_| {
            left -= 1.0;
            left >= 0.0
        });
        let ahead = if self.catching_up {
            affordable.count()
        } else {
            0
        };
        Turn::Go { limit, ahead }
    }

    /// So many entries were taken up, `ahead` of them before they were due.
    pub fn took(&mut self, entries: usize, ahead: usize) {
        if entries > 0 && self.is_open() {
            self.state = State::Trial;
        }
        for _ in 0..ahead {
            self.budget -= 1.0;
        }
    }

    /// Nothing waits any more that could be tried ahead of its schedule.
    pub fn caught_up(&mut self) {
        self.catching_up = false;
    }

    /// The destination answers a probe again after it did not.
    pub fn answers_again(&mut self) {
        self.catching_up = true;
        if let State::Open {
            until,
            asked: false,
        } = &mut self.state
        {
            *until = Duration::ZERO;
        }
    }

    /// An attempt ended at `now`. `jitter` is a random number in `[0, 1)`.
    pub fn ended(&mut self, verdict: Verdict, was_ahead: bool, now: Duration, jitter: f64) {
        match verdict {
            Verdict::Up => {
                // One success shows that whatever else waits for it can go too.
                self.catching_up |= self.is_open();
                self.state = State::Closed { failures: 0 };
                self.opened = 0;
                self.is_proven = true;
                self.earn(1.0);
            }
            Verdict::Down(wish) => {
                self.earn(if was_ahead { 0.0 } else { PER_FAILURE });
                self.failed(wish, now, jitter);
            }
            Verdict::Unknown => {
                self.earn(if was_ahead { 1.0 } else { 0.0 });
                if self.state == State::Trial {
                    self.state = State::Open {
                        until: now,
                        asked: false,
                    };
                }
            }
        }
    }

    fn failed(&mut self, wish: Option<Duration>, now: Duration, jitter: f64) {
        self.catching_up = false;
        let opens = match &mut self.state {
            // An attempt that began before it opened says nothing new.
            State::Open { .. } => false,
            State::Trial => true,
            State::Closed { failures } => {
                *failures += 1;
                *failures >= FAILURES || wish.is_some()
            }
        };
        if opens {
            let pause = Duration::from_secs(PAUSES[self.opened.min(PAUSES.len() - 1)]);
            let pause = pause + pause.mul_f64(jitter.clamp(0.0, 1.0) / 5.0);
            self.opened += 1;
            self.state = State::Open {
                until: now + pause.max(wish.unwrap_or_default()),
                asked: wish.is_some(),
            };
        }
    }

    fn earn(&mut self, attempts: f64) {
        self.budget = (self.budget + attempts).min(FULL_BUDGET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Verdict = Verdict::Down(None);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn go(limit: usize, ahead: usize) -> Turn {
        Turn::Go { limit, ahead }
    }

    /// A breaker that opened at second 0, for ten seconds.
    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.turn(at(0), 4), go(4, 0));
            breaker.took(1, 0);
            breaker.ended(DOWN, false, at(0), 0.0);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_for_longer_each_time() {
        let mut breaker = opened();
        let mut now = 0;
        for pause in [10, 30, 60, 120, 300, 300] {
            assert_eq!(breaker.turn(at(now), 4), Turn::Wait(at(pause)));
            now += pause;
            assert_eq!(breaker.turn(at(now), 4), go(1, 0), "one at a time");
            breaker.took(1, 0);
            assert_eq!(breaker.turn(at(now), 3), Turn::Wait(Duration::MAX));
            breaker.ended(DOWN, false, at(now), 0.0);
        }
        breaker.ended(Verdict::Up, false, at(now), 0.0);
        assert!(!breaker.is_open());
        for _ in 1..FAILURES {
            breaker.ended(DOWN, false, at(now), 0.0);
            assert!(!breaker.is_open());
        }
        breaker.ended(Verdict::Up, false, at(now), 0.0);
        breaker.ended(DOWN, false, at(now), 0.0);
        assert!(!breaker.is_open(), "not in a row");
    }

    #[test]
    fn what_no_attempt_has_shown_is_not_known() {
        let mut breaker = Breaker::default();
        breaker.ended(DOWN, false, at(0), 0.0);
        breaker.answers_again();
        assert_eq!(breaker.is_down(), None, "a start is no recovery");
        let mut breaker = opened();
        assert_eq!(breaker.is_down(), Some(true));
        breaker.ended(Verdict::Up, false, at(9), 0.0);
        assert_eq!(breaker.is_down(), Some(false));
    }

    #[test]
    fn a_wish_to_be_left_alone_is_granted_at_once() {
        let mut breaker = Breaker::default();
        breaker.ended(Verdict::Down(Some(at(90))), false, at(5), 0.0);
        breaker.answers_again();
        assert_eq!(breaker.open_until(), Some(at(95)));
        assert_eq!(breaker.turn(at(5), 4), Turn::Wait(at(90)));
        assert_eq!(breaker.turn(at(95), 4), go(1, 1));
    }

    #[test]
    fn an_answered_probe_leads_to_one_trial_and_its_success_to_all() {
        let mut breaker = opened();
        breaker.answers_again();
        assert_eq!(breaker.turn(at(1), 4), go(1, 1));
        breaker.took(1, 1);
        assert_eq!(breaker.open_until(), None, "one is under way");
        breaker.ended(Verdict::Up, true, at(1), 0.0);
        assert_eq!(breaker.turn(at(1), 4), go(4, 4));
        breaker.caught_up();
        assert_eq!(breaker.turn(at(1), 4), go(4, 0));
    }

    #[test]
    fn what_ended_without_a_verdict_changes_nothing() {
        let mut breaker = opened();
        breaker.answers_again();
        breaker.took(1, 1);
        breaker.ended(Verdict::Unknown, true, at(1), 0.0);
        assert_eq!(breaker.turn(at(1), 4), go(1, 1));
        assert!((breaker.budget() - FULL_BUDGET).abs() < 0.01);
    }

    #[test]
    fn one_that_answers_probes_and_takes_nothing_is_tried_ahead_a_fifth_of_the_time() {
        let mut breaker = opened();
        let (mut ahead_of_schedule, mut on_schedule) = (0_u32, 0_u32);
        // Within one hour, so that time adds next to nothing.
        for second in 1..1_000 {
            breaker.answers_again();
            if let Turn::Go { ahead, .. } = breaker.turn(at(second), 4) {
                breaker.took(1, ahead.min(1));
                breaker.ended(DOWN, ahead > 0, at(second), 0.0);
                match ahead {
                    0 => on_schedule += 1,
                    _ => ahead_of_schedule += 1,
                }
            }
        }
        let allowed = FULL_BUDGET + f64::from(on_schedule) / 5.0 + 1.0;
        assert!(
            f64::from(ahead_of_schedule) <= allowed,
            "{ahead_of_schedule} ahead of schedule beside {on_schedule} on it"
        );
        assert!(on_schedule > 500, "the rest went by the schedule");
    }

    #[test]
    fn an_hour_earns_an_attempt_and_no_time_earns_more_than_the_full_budget() {
        let mut breaker = Breaker::default();
        breaker.took(4, 4);
        breaker.turn(at(3_600), 4);
        assert!((breaker.budget() - 7.0).abs() < 1e-9);
        breaker.turn(at(3_600 * 100), 4);
        assert!((breaker.budget() - FULL_BUDGET).abs() < 1e-9);
    }
}
