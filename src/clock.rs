//! Wall-clock time as a value that is passed in, so that a test can choose the day.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// The wall clock, shifted by an offset that all clones share (zero in production).
///
/// Only for time stamps and calendar days; timers use tokio's monotonic clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_nanos: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that reads `start` now and runs on from there.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        let clock = Self::default();
        clock.advance(start.duration_since(Timestamp::now()));
        clock
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_nanos(self.offset_nanos.load(Ordering::Relaxed));
        Timestamp::now()
            .checked_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    /// The present moment in Unix seconds, as the JSON contract shows times.
    #[must_use]
    pub fn unix(&self) -> f64 {
        unix_seconds(self.now())
    }

    /// Moves this clock and all its clones by `by`; negative values move it back.
    pub fn advance(&self, by: SignedDuration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.offset_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// A time stamp in Unix seconds with microsecond resolution.
#[must_use]
pub fn unix_seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_reads_its_start_and_moves_with_its_clones() {
        let start: Timestamp = "2027-05-01T10:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start);
        let clone = clock.clone();
        assert!(clock.now().duration_since(start) < SignedDuration::from_secs(5));
        clone.advance(SignedDuration::from_hours(24));
        assert!(clock.now().duration_since(start) >= SignedDuration::from_hours(24));
    }
}
