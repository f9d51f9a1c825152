//! Triggers that come one after the other, until none has come for a while.

use std::time::Duration;

use tokio::time::Instant;

/// When the triggers that wait came, by the clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// The first of them.
    first: Option<Instant>,
    /// The number of the newest, and when it came.
    newest: Option<(i64, Instant)>,
    /// The last look; what was not there then came later, whatever the wall clock says.
    looked: Option<Instant>,
}

/// What waits at a look: the number of the newest, and how old the oldest and the newest are by the
/// wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub newest: i64,
    pub oldest_age: Duration,
    pub newest_age: Duration,
}

impl Burst {
    /// Notes what waits now.
    pub fn look(&mut self, now: Instant, seen: Seen) {
        let came = |age: Duration| {
            let since = self.looked.map(|looked| now.duration_since(looked));
            let age = since.map_or(age, |since| age.min(since));
            now.checked_sub(age).unwrap_or(now)
        };
        let first = came(seen.oldest_age);
        if self.newest.is_none_or(|(number, _)| seen.newest > number) {
            self.newest = Some((seen.newest, came(seen.newest_age)));
        }
        self.first.get_or_insert(first);
        self.looked = Some(now);
    }

    /// Notes that none waits, or that a cycle takes them all up.
    pub fn end(&mut self, now: Instant) {
        self.first = None;
        self.looked = Some(now);
    }

    /// When a cycle may take them up: once none has come for `quiet`, at the latest `most` after the
    /// first.
    pub fn over(&self, quiet: Duration, most: Duration) -> Option<Instant> {
        let (_, newest) = self.newest?;
        Some((newest + quiet).min(self.first? + most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(5);
    const MOST: Duration = Duration::from_secs(12);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn seen(newest: i64, oldest_age: u64, newest_age: u64) -> Seen {
        Seen {
            newest,
            oldest_age: seconds(oldest_age),
            newest_age: seconds(newest_age),
        }
    }

    /// Looks at these seconds, each with what is seen; when it is over then, in seconds.
    fn over(looks: &[(u64, Seen)]) -> u64 {
        let begun = Instant::now();
        let mut burst = Burst::default();
        burst.end(begun);
        for &(at, seen) in looks {
            burst.look(begun + seconds(at), seen);
        }
        let over = burst.over(QUIET, MOST).unwrap();
        over.duration_since(begun).as_secs()
    }

    #[test]
    fn each_trigger_prolongs_it_up_to_the_bound() {
        assert_eq!(over(&[(10, seen(1, 0, 0))]), 15);
        assert_eq!(over(&[(10, seen(1, 0, 0)), (14, seen(2, 4, 1))]), 18);
        // The same trigger again is no new one.
        assert_eq!(over(&[(10, seen(1, 0, 0)), (14, seen(1, 4, 4))]), 15);
        let stream: Vec<_> = (10_u64..30)
            .map(|at| (at, seen(at.cast_signed(), at - 10, 0)))
            .collect();
        assert_eq!(over(&stream), 22);
    }

    #[test]
    fn what_came_between_two_looks_counts_from_then() {
        // One cycle long, from 0 to 20, nobody looked.
        assert_eq!(over(&[(20, seen(3, 8, 2))]), 23);
        assert_eq!(over(&[(20, seen(3, 12, 12))]), 13, "already over");
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_it_no_further_than_the_looks() {
        // Set forward by a day: the age is a day, but at the look before, nothing was there.
        assert_eq!(over(&[(10, seen(1, 86_400, 86_400))]), 5);
        // Set back: it counts from the look, once.
        let back = seen(1, 0, 0);
        assert_eq!(over(&[(10, back), (12, back), (14, back)]), 15);
    }

    #[test]
    fn the_next_burst_begins_anew() {
        let begun = Instant::now();
        let mut burst = Burst::default();
        burst.look(begun, seen(1, 0, 0));
        burst.end(begun + seconds(5));
        assert_eq!(burst.over(QUIET, MOST), None);
        burst.look(begun + seconds(30), seen(2, 0, 0));
        assert_eq!(burst.over(QUIET, MOST), Some(begun + seconds(35)));
    }

    #[test]
    fn what_waited_over_a_restart_is_as_old_as_the_wall_clock_says() {
        let now = Instant::now();
        let mut burst = Burst::default();
        burst.look(now, seen(7, 3, 2));
        assert_eq!(burst.over(QUIET, MOST), Some(now + seconds(3)));
    }
}
