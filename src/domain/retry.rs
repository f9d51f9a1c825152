//! When to try again.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Times a cycle is tried for the same triggers before they are given up.
pub const MAX_CYCLE_ATTEMPTS: u32 = 5;

const DAY: u64 = 24 * 60 * 60;

/// Seconds between one attempt at a delivery and the next. The last attempt comes when three days
/// are over, so that an outage of three days costs nothing.
const DELIVERY: [u64; 11] = [1, 5, 30, 120, 600, 3_600, 21_600, 43_200, DAY, DAY, 17_244];

/// Seconds between one attempt at a cycle and the next.
const CYCLE: [u64; MAX_CYCLE_ATTEMPTS as usize - 1] = [5, 15, 60, 300];

/// Most that jitter adds: a fifth of the delay, but no more than this.
const LONGEST_JITTER: Duration = Duration::from_mins(15);

/// Shortest and longest wait that a server can ask for.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// How long to wait before the next attempt at a delivery, after `attempts_made` of them failed.
///
/// Before the first attempt there is no wait. `None` means that no attempt is left. `jitter` is a
/// random number in `[0, 1)`, which keeps what failed together from being tried again together.
#[must_use]
pub fn next_delay(attempts_made: u32, jitter: f64) -> Option<Duration> {
    delay(&DELIVERY, attempts_made, jitter)
}

/// The longest wait before the next attempt at a delivery, after `attempts_made` of them failed, with
/// what a server can ask for.
#[must_use]
pub fn longest_delay(attempts_made: u32) -> Duration {
    match attempts_made {
        0 => Duration::ZERO,
        n => next_delay(n, 1.0).map_or(Duration::ZERO, |delay| delay.max(RETRY_AFTER.1)),
    }
}

/// How long to wait before the next attempt at a cycle, after `failures` in a row.
///
/// `None` means that its triggers are given up, after [`MAX_CYCLE_ATTEMPTS`]. `jitter` is a random
/// number in `[0, 1)`.
#[must_use]
pub fn cycle_delay(failures: u32, jitter: f64) -> Option<Duration> {
    delay(&CYCLE, failures, jitter)
}

fn delay(schedule: &[u64], failures: u32, jitter: f64) -> Option<Duration> {
    let Some(index) = failures.checked_sub(1) else {
        return Some(Duration::ZERO);
    };
    let base = Duration::from_secs(*schedule.get(usize::try_from(index).ok()?)?);
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.0
    };
    Some(base + (base / 5).min(LONGEST_JITTER).mul_f64(jitter))
}

/// Reads a `Retry-After` header, which holds seconds or an HTTP date: the wait from `now`, between
/// one second and one hour. `None` if it holds anything else.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Only a number that is far too large does not parse.
        value.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let at = httpdate::parse_http_date(value).ok()?;
        at.duration_since(SystemTime::try_from(now).ok()?)
            .unwrap_or_default()
    };
    Some(wait.clamp(RETRY_AFTER.0, RETRY_AFTER.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(delay: fn(u32, f64) -> Option<Duration>, jitter: f64) -> Vec<f64> {
        (1..)
            .map_while(|n| delay(n, jitter))
            .map(|d| d.as_secs_f64())
            .collect()
    }

    #[test]
    fn deliveries_are_tried_again_for_up_to_three_days() {
        let steps = [
            1, 5, 30, 120, 600, 3_600, 21_600, 43_200, 86_400, 86_400, 17_244,
        ];
        assert_eq!(seconds(next_delay, 0.0), steps.map(f64::from));
        let days = |jitter| seconds(next_delay, jitter).iter().sum::<f64>() / 86_400.0;
        assert!((days(0.0) - 3.0).abs() < 1e-9, "{}", days(0.0));
        assert!(days(0.999_999) <= 3.07, "{}", days(0.999_999));
        assert_eq!(next_delay(0, 0.5), Some(Duration::ZERO));
        assert_eq!(next_delay(12, 0.5), None);
        assert_eq!(next_delay(u32::MAX, 0.5), None);
    }

    #[test]
    fn cycles_are_tried_five_times() {
        assert_eq!(seconds(cycle_delay, 0.0), [5.0, 15.0, 60.0, 300.0]);
        assert_eq!(
            cycle_delay(MAX_CYCLE_ATTEMPTS - 1, 0.0),
            Some(Duration::from_mins(5))
        );
        assert_eq!(cycle_delay(MAX_CYCLE_ATTEMPTS, 0.0), None);
    }

    #[test]
    fn jitter_only_ever_lengthens_and_never_more_than_a_fifth() {
        for n in 1..=11 {
            let (least, most) = (
                next_delay(n, 0.0).unwrap(),
                next_delay(n, 0.999_999).unwrap(),
            );
            assert!(least < most && most <= least + least / 5, "{n}");
            for odd in [f64::NAN, f64::INFINITY, -3.0] {
                assert_eq!(next_delay(n, odd).unwrap(), least);
            }
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates_within_bounds() {
        let now: Timestamp = "2027-05-01T12:00:00Z".parse().unwrap();
        let read = |value| retry_after(value, now).map(|d| d.as_secs());
        for (value, wait) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("3601", Some(3_600)),
            ("99999999999999999999999", Some(3_600)),
            ("Sat, 01 May 2027 12:00:30 GMT", Some(30)),
            ("Sat, 01 May 2027 11:00:00 GMT", Some(1)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3_600)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("2027-05-01T12:00:30Z", None),
        ] {
            assert_eq!(read(value), wait, "{value:?}");
        }
    }
}
