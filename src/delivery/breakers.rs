//! The breakers of all destinations, with what is shown of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::client::CallError;
use crate::clock::Clock;
use crate::domain::breaker::{Breaker, Turn, Verdict};
use crate::domain::delivery::Destination;
use crate::telemetry::labels::ErrorKind;
use crate::telemetry::metrics::Metrics;

/// One breaker per destination. They start closed: what was down may be back.
#[derive(Debug)]
pub struct Breakers {
    all: Mutex<HashMap<Destination, Breaker>>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Breakers {
    /// Closed ones.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, clock: Clock) -> Self {
        let breakers = Self {
            all: Mutex::default(),
            metrics,
            clock,
        };
        for &destination in Destination::ALL {
            breakers.with(destination, |_| ());
        }
        breakers
    }

    /// What may be tried now by someone with `free` hands.
    pub fn turn(&self, destination: Destination, free: usize) -> Turn {
        let now = self.clock.uptime();
        self.with(destination, |breaker| breaker.turn(now, free))
    }

    /// So many entries were taken up, `ahead` of them before they were due.
    pub fn took(&self, destination: Destination, entries: usize, ahead: usize) {
        self.with(destination, |breaker| breaker.took(entries, ahead));
    }

    /// Nothing waits any more that could be tried ahead of its schedule.
    pub fn caught_up(&self, destination: Destination) {
        self.with(destination, Breaker::caught_up);
    }

    /// The destination answers a probe again after it did not.
    pub fn answers_again(&self, destination: Destination) {
        self.with(destination, Breaker::answers_again);
    }

    /// An attempt ended.
    pub fn ended(&self, destination: Destination, error: Option<&CallError>, was_ahead: bool) {
        let (verdict, now) = (verdict(error), self.clock.uptime());
        let (before, after) = self.with(destination, |breaker| {
            let before = breaker.is_open();
            breaker.ended(verdict, was_ahead, now, fastrand::f64());
            (before, breaker.is_open())
        });
        if after && !before {
            self.metrics.delivery_breaker_opened.inc((destination,));
            tracing::warn!(
                destination = destination.label(),
                "deliveries to {destination} are held back: it seems to be down"
            );
        } else if before && !after {
            tracing::info!(
                destination = destination.label(),
                "deliveries to {destination} go on"
            );
        }
    }

    fn with<T>(&self, destination: Destination, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = all.entry(destination).or_default();
        let result = act(breaker);
        let open = i64::from(breaker.is_open());
        self.metrics.delivery_breaker_open.set((destination,), open);
        self.metrics
            .delivery_retry_budget
            .set((destination,), breaker.budget());
        result
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
