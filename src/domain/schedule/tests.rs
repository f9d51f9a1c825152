use super::*;

fn schedule(text: &str, quiet: &str) -> Option<Schedule> {
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let quiet = match quiet {
        "" => QuietHours::default(),
        some => QuietHours::parse(some).unwrap(),
    };
    Schedule::new(text, zone, quiet)
}

/// The next moments, as many as are expected.
#[track_caller]
fn check(text: &str, quiet: &str, after: &str, expected: &[&str]) {
    let schedule = schedule(text, quiet).unwrap();
    let mut at: Timestamp = after.parse().unwrap();
    for moment in expected {
        let next = schedule.next(at).unwrap();
        assert_eq!(next.to_string(), *moment, "{text} after {at}");
        at = next;
    }
}

#[test]
fn a_time_of_the_clock_follows_summer_and_winter() {
    check(
        "0 6 * * *",
        "",
        "2027-03-27T00:00:00Z",
        &[
            "2027-03-27T05:00:00Z",
            "2027-03-28T04:00:00Z",
            "2027-03-29T04:00:00Z",
        ],
    );
}

#[test]
fn a_time_that_is_skipped_counts_when_the_clock_goes_on() {
    check(
        "30 2 * * *",
        "",
        "2027-03-27T12:00:00Z",
        &["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"],
    );
    check(
        "*/30 * * * *",
        "",
        "2027-03-28T00:15:00Z",
        &[
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:00:00Z",
            "2027-03-28T01:30:00Z",
        ],
    );
}

#[test]
fn a_time_that_comes_twice_counts_once_and_an_interval_goes_on() {
    check(
        "30 2 * * *",
        "",
        "2027-10-30T12:00:00Z",
        &["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
    );
    check(
        "*/30 * * * *",
        "",
        "2027-10-30T23:45:00Z",
        &[
            "2027-10-31T00:00:00Z",
            "2027-10-31T00:30:00Z",
            "2027-10-31T01:00:00Z",
            "2027-10-31T01:30:00Z",
            "2027-10-31T02:00:00Z",
        ],
    );
}

#[test]
fn day_of_month_or_day_of_week_is_enough() {
    // 2027-01-01 is a Friday.
    check(
        "0 0 13 * FRI",
        "",
        "2027-01-01T12:00:00Z",
        &[
            "2027-01-07T23:00:00Z",
            "2027-01-12T23:00:00Z",
            "2027-01-14T23:00:00Z",
        ],
    );
    check(
        "0 12 L * *",
        "",
        "2028-02-01T00:00:00Z",
        &["2028-02-29T11:00:00Z"],
    );
}

#[test]
fn quiet_hours_swallow_what_lies_in_them() {
    check(
        "0 */4 * * *",
        "23:00-06:00",
        "2027-01-10T18:00:00Z",
        &["2027-01-10T19:00:00Z", "2027-01-11T07:00:00Z"],
    );
    // What falls on their end counts.
    check(
        "0 * * * *",
        "22:00-06:00,06:00-08:00",
        "2027-01-10T20:30:00Z",
        &["2027-01-11T07:00:00Z"],
    );
}

#[test]
fn moments_are_counted_up_to_a_bound() {
    let hourly = schedule("0 * * * *", "").unwrap();
    let count = |after: &str, until: &str, most| {
        hourly.count(after.parse().unwrap(), until.parse().unwrap(), most)
    };
    let noon = "2027-01-10T12:00:00Z";
    assert_eq!(count(noon, "2027-01-10T12:59:59Z", 10), 0);
    assert_eq!(count(noon, "2027-01-10T13:00:00Z", 10), 1);
    assert_eq!(count(noon, "2027-01-11T12:00:00Z", 100), 24);
    assert_eq!(count(noon, "2037-01-10T12:00:00Z", 100), 100);
    assert_eq!(count(noon, "2027-01-10T11:00:00Z", 100), 0);
}

#[test]
fn what_never_comes_has_no_next_and_ends_the_search_soon() {
    let begun = std::time::Instant::now();
    for (text, quiet) in [
        ("0 0 30 2 *", ""),
        ("0 3 * * *", "23:00-06:00"),
        ("0 3 29 2 *", "23:00-06:00"),
        ("*/5 1-4 * * *", "00:30-05:30"),
    ] {
        let never = schedule(text, quiet).unwrap();
        let now: Timestamp = "2027-01-10T12:00:00Z".parse().unwrap();
        assert_eq!(never.next(now), None, "{text} {quiet}");
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[test]
fn what_is_no_expression_is_refused() {
    for odd in [
        "",
        "*",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a b c d e",
        "*/0 * * * *",
        "5-1 * * * *",
        "@never",
        "0 0 * * * 2027",
    ] {
        assert!(schedule(odd, "").is_none(), "{odd:?}");
    }
    assert!(schedule(&format!("{} * * * *", "1,".repeat(200)), "").is_none());
    for fine in [
        "0 6 * * *",
        "@daily",
        "*/15 6-22 * * MON-FRI",
        "0 0 1,15 * 0",
    ] {
        assert!(schedule(fine, "").is_some(), "{fine:?}");
    }
}
