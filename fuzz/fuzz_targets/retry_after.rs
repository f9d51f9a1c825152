//! `Retry-After`, as a header of any bytes and as text: within its bounds, and what a second
//! reading finds.
//!
//! The first four bytes are a moment, the rest is the header.

#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use libfuzzer_sys::fuzz_target;
use match_list_processor::client::of_status;
use match_list_processor::domain::retry::retry_after;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);

fuzz_target!(|data: &[u8]| {
    let Some((moment, value)) = data.split_first_chunk() else {
        return;
    };
    let now = Timestamp::from_second(u32::from_le_bytes(*moment).into()).expect("within a u32");
    as_header(value);
    a_date_made_here(now, value);
    let Ok(text) = std::str::from_utf8(value) else {
        return;
    };
    let wait = retry_after(text, now);
    assert_eq!(
        retry_after(&format!("\t {text} "), now),
        wait,
        "white space counts"
    );
    if let Some(wait) = wait {
        assert!(
            (SHORTEST..=LONGEST).contains(&wait),
            "{wait:?} is out of bounds"
        );
        a_second_later(text, now, wait);
    }
    if let Some(expected) = by_hand(text.trim(), now) {
        assert_eq!(wait, Some(expected), "read otherwise");
    }
    for odd in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let wait = retry_after(text, odd).unwrap_or(SHORTEST);
        assert!(
            (SHORTEST..=LONGEST).contains(&wait),
            "{wait:?} is out of bounds"
        );
    }
});

/// What the clients of the services do with it.
fn as_header(value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
    let error = of_status(StatusCode::SERVICE_UNAVAILABLE, &headers).expect_err("503 is a failure");
    let wait = error.retry_after.unwrap_or(SHORTEST);
    assert!(
        (SHORTEST..=LONGEST).contains(&wait),
        "{wait:?} is out of bounds"
    );
    assert_eq!(error.message, "the service answered 503");
}

/// The same, read by other means; none where these say nothing.
fn by_hand(text: &str, now: Timestamp) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        // More than four digits are more than an hour.
        let seconds = if digits.len() > 4 {
            u64::MAX
        } else {
            digits.parse().unwrap_or(0)
        };
        return Some(Duration::from_secs(seconds).clamp(SHORTEST, LONGEST));
    }
    // Both have a mind of their own about the rarer forms of a date.
    httpdate::parse_http_date(text).ok()?;
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = (date.as_second() - now.as_second()).clamp(1, 3600);
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// A date that lies ahead comes nearer, seconds stay as they are.
fn a_second_later(text: &str, now: Timestamp, wait: Duration) {
    let later = Timestamp::from_second(now.as_second() + 1).expect("within a u32");
    let then = retry_after(text, later).expect("read a second before");
    let nearer = wait.saturating_sub(SHORTEST).max(SHORTEST);
    assert!(
        then == wait || then == nearer,
        "{wait:?}, a second later {then:?}"
    );
}

/// A date as servers write it is waited for, whatever its distance.
fn a_date_made_here(now: Timestamp, distance: &[u8]) {
    let Some(distance) = distance.first_chunk() else {
        return;
    };
    let distance = i64::from(i16::from_le_bytes(*distance));
    let then = Timestamp::from_second(now.as_second() + distance).expect("near a u32");
    let Ok(at) = SystemTime::try_from(then).map(|at| at.max(SystemTime::UNIX_EPOCH)) else {
        return;
    };
    let distance = then.as_second().max(0) - now.as_second();
    let expected = Duration::from_secs(distance.clamp(1, 3600).unsigned_abs());
    assert_eq!(
        retry_after(&httpdate::fmt_http_date(at), now),
        Some(expected),
        "{distance} s"
    );
}
