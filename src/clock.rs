//! Time as a value that is passed in, so that a test can choose the day and let days pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The wall clock for time stamps and calendar days, and a monotonic one for how long something is
/// ago and when it is due. Both are shifted by offsets that all clones share (zero in production). What sleeps uses
/// tokio's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    begun: Instant,
    /// What the wall clock read then.
    begun_at: Timestamp,
    offset_nanos: Arc<AtomicI64>,
    passed_nanos: Arc<AtomicU64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            begun_at: Timestamp::now(),
            offset_nanos: Arc::default(),
            passed_nanos: Arc::default(),
        }
    }
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
        let clock = Self {
            begun_at: start,
            ..Self::default()
        };
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

    /// Time since this clock and its clones were made. It never goes back, whatever is done to the
    /// wall clock.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.begun.elapsed() + Duration::from_nanos(self.passed_nanos.load(Ordering::Relaxed))
    }

    /// The time for schedules that are stored, in Unix seconds: what the wall clock read when this
    /// clock was made, counted on by the monotonic one. It does not follow a wall clock that is set.
    #[must_use]
    pub fn steady(&self) -> f64 {
        unix_seconds(self.begun_at) + self.uptime().as_secs_f64()
    }

    /// What the wall clock will read at a moment of [`steady`](Self::steady), unless it is set.
    #[must_use]
    pub fn on_the_wall(&self, steady: f64) -> f64 {
        steady + (self.unix() - self.steady())
    }

    /// Lets time pass, for the wall clock and the monotonic one.
    pub fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.passed_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.advance(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX));
    }

    /// Sets the wall clock: moves this clock and all its clones by `by`; negative values move it back.
    pub fn advance(&self, by: SignedDuration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.offset_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// The moment that is so many Unix seconds; the epoch for a number that is none.
#[must_use]
pub fn moment(unix: f64) -> Timestamp {
    let since = SignedDuration::try_from_secs_f64(unix).unwrap_or_default();
    let moment = Timestamp::UNIX_EPOCH.saturating_add(since);
    moment.unwrap_or(Timestamp::UNIX_EPOCH)
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
    fn a_moment_is_what_its_seconds_say() {
        let may: Timestamp = "2030-05-01T12:00:00.25Z".parse().unwrap();
        assert_eq!(moment(unix_seconds(may)), may);
        assert_eq!(moment(f64::NAN), Timestamp::UNIX_EPOCH);
        assert_eq!(moment(1e15), Timestamp::MAX);
    }

    #[test]
    fn a_shifted_clock_reads_its_start_and_moves_with_its_clones() {
        let start: Timestamp = "2027-05-01T10:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start);
        let clone = clock.clone();
        assert!(clock.now().duration_since(start) < SignedDuration::from_secs(5));
        clone.advance(SignedDuration::from_hours(24));
        assert!(clock.now().duration_since(start) >= SignedDuration::from_hours(24));
        assert!(clock.uptime() < Duration::from_secs(5), "set, not passed");
        clone.pass(Duration::from_hours(24));
        assert!(clock.now().duration_since(start) >= SignedDuration::from_hours(48));
        assert!(clock.uptime() >= Duration::from_hours(24));
    }

    #[test]
    fn the_steady_clock_follows_no_setting() {
        let start: Timestamp = "2027-05-01T10:00:00Z".parse().unwrap();
        let (clock, start) = (Clock::starting_at(start), unix_seconds(start));
        let near = |found: f64, expected: f64| (found - expected).abs() < 5.0;
        clock.advance(SignedDuration::from_hours(-5));
        clock.pass(Duration::from_hours(1));
        assert!(near(clock.steady(), start + 3600.0));
        assert!(near(clock.on_the_wall(start), start - 5.0 * 3600.0));
    }
}
