//! The breakers of all destinations, with what is shown of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::CallError;
use crate::clock::Clock;
use crate::domain::breaker::{Breaker, Turn, Verdict};
use crate::domain::delivery::{Destination, Lane};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// For so long a failure that nothing followed says how a destination is.
const RECENT: Duration = Duration::from_mins(15);

/// What deliveries found of a destination, where it is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Nothing gets there; else the last attempt failed, and the next may not.
    pub is_down: bool,
    /// The service that the last attempt called.
    pub service: Option<Dependency>,
    /// One sentence without personal data.
    pub why: String,
}

/// One breaker per lane. They start closed: what was down may be back.
#[derive(Debug)]
pub struct Breakers {
    all: Mutex<HashMap<Lane, Watched>>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// A breaker, and what the last attempt failed with that spoke against the destination.
#[derive(Debug, Default)]
struct Watched {
    breaker: Breaker,
    cause: Option<String>,
    /// The last attempt, if it failed for what is not our fault: refused ones too.
    failed: Option<Failed>,
    /// Whether something waits that was tried or is due, as far as was last seen.
    has_work: bool,
}

#[derive(Debug)]
struct Failed {
    at: Duration,
    service: Option<Dependency>,
    message: String,
}

impl Watched {
    /// A breaker stays open until somebody tries: when nothing waits it says no more than what was
    /// found last, for as long as that is news.
    fn finding(&self, now: Duration) -> Option<Finding> {
        let failed = self.failed.as_ref()?;
        let is_down = self.breaker.is_open() && self.has_work;
        if !is_down && now.saturating_sub(failed.at) > RECENT {
            return None;
        }
        let what = match is_down {
            true => "deliveries are held back",
            false => "the last delivery failed",
        };
        Some(Finding {
            is_down,
            service: failed.service,
            why: format!("{what}: {}", failed.message),
        })
    }

    fn note(&mut self, error: Option<&CallError>, now: Duration) {
        self.has_work = true;
        match error {
            None => self.failed = None,
            // The attempt did not get as far as the destination.
            Some(error) if error.kind == ErrorKind::Internal => {}
            Some(error) => {
                self.failed = Some(Failed {
                    at: now,
                    service: error.service,
                    message: error.message.clone(),
                });
            }
        }
    }
}

impl Breakers {
    /// Closed ones.
    #[must_use]
    pub fn new(lanes: &[Lane], metrics: Arc<Metrics>, clock: Clock) -> Self {
        let breakers = Self {
            all: Mutex::default(),
            metrics,
            clock,
        };
        for lane in lanes {
            breakers.with(lane, |_| ());
        }
        breakers
    }

    /// What may be tried now by someone with `free` hands.
    pub fn turn(&self, lane: &Lane, free: usize) -> Turn {
        let now = self.clock.uptime();
        self.with(lane, |breaker| breaker.turn(now, free))
    }

    /// So many entries were taken up, `ahead` of them before they were due.
    pub fn took(&self, lane: &Lane, entries: usize, ahead: usize) {
        self.with(lane, |breaker| breaker.took(entries, ahead));
    }

    /// Nothing waits any more that could be tried ahead of its schedule.
    pub fn caught_up(&self, lane: &Lane) {
        self.with(lane, Breaker::caught_up);
    }

    /// Nothing waits at all.
    pub fn idle(&self, lane: &Lane) {
        self.with_watched(lane, |one| {
            one.breaker.caught_up();
            one.has_work = false;
        });
    }

    /// Whether anything waits that was tried or is due.
    pub fn waits(&self, lane: &Lane, something: bool) {
        self.with_watched(lane, |one| one.has_work = something);
    }

    /// The destination answers a probe again after it did not.
    pub fn answers_again(&self, lane: &Lane) {
        self.with(lane, Breaker::answers_again);
    }

    /// Whether the destination is down; none as long as no attempt of this run has shown it.
    #[must_use]
    pub fn is_down(&self, lane: &Lane) -> Option<bool> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(lane).and_then(|one| one.breaker.is_down())
    }

    /// What the last attempt failed with, if the destination seems to be down: one sentence without
    /// personal data, as [`CallError::message`] is.
    #[must_use]
    pub fn cause(&self, lane: &Lane) -> Option<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(lane)?.cause.clone()
    }

    /// What deliveries found, if they found the destination not well.
    #[must_use]
    pub fn finding(&self, lane: &Lane) -> Option<Finding> {
        let now = self.clock.uptime();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(lane)?.finding(now)
    }

    /// For how long nothing is tried, unless the destination answers before; none if something may be.
    #[must_use]
    pub fn held_for(&self, lane: &Lane) -> Option<Duration> {
        let now = self.clock.uptime();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let until = all.get(lane)?.breaker.open_until()?;
        until.checked_sub(now)
    }

    /// An attempt ended.
    pub fn ended(&self, lane: &Lane, error: Option<&CallError>, was_ahead: bool) {
        let (verdict, now) = (verdict(error), self.clock.uptime());
        let cause = match verdict {
            Verdict::Up => None,
            Verdict::Down(_) | Verdict::Unknown => error.map(|error| error.message.clone()),
        };
        let (before, after) = self.with_watched(lane, |one| {
            let before = one.breaker.is_open();
            one.breaker.ended(verdict, was_ahead, now, fastrand::f64());
            one.cause.clone_from(&cause);
            one.note(error, now);
            (before, one.breaker.is_open())
        });
        let (destination, kind) = (lane.key(), lane.kind);
        if after && !before {
            self.metrics.delivery_breaker_opened.inc((kind,));
            let cause = cause.as_deref().unwrap_or("it seems to be down");
            tracing::warn!(
                destination,
                "deliveries to {destination} are held back: {cause}"
            );
        } else if before && !after {
            tracing::info!(destination, "deliveries to {destination} go on");
        }
    }

    fn with<T>(&self, lane: &Lane, act: impl FnOnce(&mut Breaker) -> T) -> T {
        self.with_watched(lane, |one| act(&mut one.breaker))
    }

    fn with_watched<T>(&self, lane: &Lane, act: impl FnOnce(&mut Watched) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(all.entry(lane.clone()).or_default());
        self.show(&all, lane.kind);
        result
    }

    /// Of several lanes of a kind, how many are held back and the smallest budget.
    fn show(&self, all: &HashMap<Lane, Watched>, kind: Destination) {
        let ours = || all.iter().filter(|(lane, _)| lane.kind == kind);
        let open = ours().filter(|(_, one)| one.breaker.is_open()).count();
        let budget = ours().map(|(_, one)| one.breaker.budget());
        self.metrics.delivery_breaker_open.set_size((kind,), open);
        self.metrics
            .delivery_retry_budget
            .set((kind,), budget.fold(f64::INFINITY, f64::min));
    }
}

fn verdict(error: Option<&CallError>) -> Verdict {
    match error {
        None => Verdict::Up,
        Some(error) if error.is_permanent() => Verdict::Up,
        Some(error) if error.kind == ErrorKind::Internal => Verdict::Unknown,
        Some(error) => Verdict::Down(error.retry_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ErrorKind, message: &str) -> CallError {
        CallError {
            service: Some(Dependency::Webhook),
            ..CallError::of(kind, message)
        }
    }

    #[test]
    fn what_deliveries_found_counts_until_one_succeeds() {
        let lane = Lane::named(Destination::Webhook, "club");
        let (metrics, clock) = (Arc::new(Metrics::new()), Clock::system());
        let breakers = Breakers::new(std::slice::from_ref(&lane), metrics, clock.clone());
        assert_eq!(breakers.finding(&lane), None);
        let oops = failed(ErrorKind::Status5xx, "the service answered 500");
        breakers.ended(&lane, Some(&oops), false);
        let finding = |is_down, why: &str| Finding {
            is_down,
            service: Some(Dependency::Webhook),
            why: why.to_owned(),
        };
        let once = finding(false, "the last delivery failed: the service answered 500");
        assert_eq!(breakers.finding(&lane), Some(once));
        for _ in 0..4 {
            breakers.ended(&lane, Some(&oops), false);
        }
        let down = finding(true, "deliveries are held back: the service answered 500");
        assert_eq!(breakers.finding(&lane), Some(down.clone()));
        breakers.ended(&lane, Some(&CallError::of(ErrorKind::Internal, "x")), false);
        assert_eq!(breakers.finding(&lane), Some(down.clone()), "our own fault");
        clock.pass(RECENT * 2);
        assert_eq!(
            breakers.finding(&lane),
            Some(down),
            "something waits for it"
        );
        breakers.waits(&lane, false);
        assert_eq!(breakers.finding(&lane), None, "what waits is for tomorrow");
        breakers.waits(&lane, true);
        assert!(breakers.finding(&lane).is_some(), "something waits again");
        breakers.idle(&lane);
        assert_eq!(breakers.finding(&lane), None, "nobody tries any more");
        let refused = failed(ErrorKind::Rejected, "the service answered 404");
        breakers.ended(&lane, Some(&refused), false);
        let refused = finding(false, "the last delivery failed: the service answered 404");
        assert_eq!(breakers.finding(&lane), Some(refused));
        breakers.ended(&lane, None, false);
        assert_eq!(breakers.finding(&lane), None);
    }

    #[test]
    fn what_keeps_a_destination_down_is_known_until_it_answers() {
        let lane = Lane::named(Destination::Webhook, "club");
        let other = Lane::named(Destination::Webhook, "team");
        let lanes = [lane.clone(), other.clone()];
        let breakers = Breakers::new(&lanes, Arc::new(Metrics::new()), Clock::system());
        assert_eq!(breakers.cause(&lane), None);
        let failed = CallError::of(ErrorKind::Status5xx, "the service answered 503");
        breakers.ended(&lane, Some(&failed), false);
        assert_eq!(
            breakers.cause(&lane).as_deref(),
            Some("the service answered 503")
        );
        assert_eq!(breakers.cause(&other), None);
        // What it refuses it was there to refuse.
        let refused = CallError::of(ErrorKind::Rejected, "it does not like this");
        breakers.ended(&lane, Some(&refused), false);
        assert_eq!(breakers.cause(&lane), None);
        breakers.ended(&lane, Some(&failed), false);
        breakers.ended(&lane, None, false);
        assert_eq!(breakers.cause(&lane), None);
    }
}
