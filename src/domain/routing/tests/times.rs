//! When: quiet hours and digests, also on the days on which the clock is set.

use super::*;
use crate::domain::delivery::Lane;

struct Wish {
    zone: &'static str,
    quiet: &'static str,
    pace: Pace,
}

const AT_ONCE: Wish = Wish {
    zone: "Europe/Stockholm",
    quiet: "",
    pace: Pace::Immediate,
};

fn when(wish: &Wish, priority: Priority, now: &str) -> String {
    let mut cia = person("cia", Role::Coordinator);
    cia.zone = zone(wish.zone);
    cia.pace = wish.pace;
    if !wish.quiet.is_empty() {
        cia.quiet = QuietHours::parse(wish.quiet).unwrap();
    }
    let routing = routing(vec![cia], vec![]);
    let change = change(Category::TimeChange, priority, &[Audience::All]);
    let subject = Subject {
        change: &change,
        current: None,
        previous: None,
    };
    told(&routing.route(&[subject], at(now))[0])
}

#[test]
fn quiet_hours_put_off_what_is_not_critical() {
    let night = Wish {
        quiet: "22:00-07:00",
        ..AT_ONCE
    };
    let new_york = Wish {
        zone: "America/New_York",
        ..night
    };
    let chained = Wish {
        quiet: "22:00-24:00,00:00-06:00,06:00-07:30",
        ..AT_ONCE
    };
    for (wish, now, expected) in [
        (&AT_ONCE, "2027-07-01T21:00:00Z", "mail/cia"),
        (&night, "2027-07-01T19:59:59Z", "mail/cia"),
        (
            &night,
            "2027-07-01T20:00:00Z",
            "mail/cia from 2027-07-02T05:00:00Z",
        ),
        (
            &night,
            "2027-07-02T04:59:59Z",
            "mail/cia from 2027-07-02T05:00:00Z",
        ),
        (&night, "2027-07-02T05:00:00Z", "mail/cia"),
        (
            &new_york,
            "2027-07-02T05:00:00Z",
            "mail/cia from 2027-07-02T11:00:00Z",
        ),
        (
            &chained,
            "2027-07-01T21:00:00Z",
            "mail/cia from 2027-07-02T05:30:00Z",
        ),
        // The clock goes from 02:00 to 03:00 on 2027-03-28, and back on 2027-10-31.
        (
            &night,
            "2027-03-28T00:30:00Z",
            "mail/cia from 2027-03-28T05:00:00Z",
        ),
        (
            &night,
            "2027-10-31T00:30:00Z",
            "mail/cia from 2027-10-31T06:00:00Z",
        ),
    ] {
        assert_eq!(when(wish, Priority::High, now), expected, "{now}");
        assert_eq!(when(wish, Priority::Critical, now), "mail/cia", "{now}");
    }
}

#[test]
fn digests_come_at_the_full_hour_or_at_their_time() {
    let hourly = Wish {
        pace: Pace::Hourly,
        ..AT_ONCE
    };
    let kathmandu = Wish {
        zone: "Asia/Kathmandu",
        ..hourly
    };
    let daily = |hour, minute| Wish {
        pace: Pace::Daily(time(hour, minute, 0, 0)),
        ..AT_ONCE
    };
    let (seven, skipped, twice) = (daily(7, 0), daily(2, 30), daily(2, 30));
    for (wish, now, expected) in [
        (&hourly, "2027-07-01T10:00:01Z", "2027-07-01T11:00:00Z"),
        (&hourly, "2027-07-01T10:59:59.9Z", "2027-07-01T11:00:00Z"),
        (&hourly, "2027-07-01T10:00:00Z", "2027-07-01T11:00:00Z"),
        (&kathmandu, "2027-07-01T10:00:00Z", "2027-07-01T10:15:00Z"),
        (&seven, "2027-07-01T04:59:00Z", "2027-07-01T05:00:00Z"),
        (&seven, "2027-07-01T05:00:00Z", "2027-07-02T05:00:00Z"),
        // 02:30 is skipped on the day in spring: what counts is when the clock goes on. It comes
        // twice on the day in autumn: the first counts.
        (&skipped, "2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z"),
        (&twice, "2027-10-30T23:00:00Z", "2027-10-31T00:30:00Z"),
        (&twice, "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"),
        (&hourly, "2027-10-31T00:10:00Z", "2027-10-31T01:00:00Z"),
        (&hourly, "2027-10-31T01:10:00Z", "2027-10-31T02:00:00Z"),
        (&hourly, "2027-03-28T00:10:00Z", "2027-03-28T01:00:00Z"),
    ] {
        let expected = format!("mail/cia in the digest of {expected}");
        assert_eq!(when(wish, Priority::Medium, now), expected, "{now}");
        assert_eq!(when(wish, Priority::Critical, now), "mail/cia", "{now}");
    }
}

#[test]
fn a_digest_waits_for_the_end_of_quiet_hours() {
    let hourly = Wish {
        quiet: "22:00-07:30",
        pace: Pace::Hourly,
        ..AT_ONCE
    };
    let early = Wish {
        pace: Pace::Daily(time(6, 0, 0, 0)),
        ..hourly
    };
    for (wish, now, expected) in [
        (&hourly, "2027-07-01T18:10:00Z", "2027-07-01T19:00:00Z"),
        (&hourly, "2027-07-01T19:10:00Z", "2027-07-02T05:30:00Z"),
        (&early, "2027-07-01T18:10:00Z", "2027-07-02T05:30:00Z"),
    ] {
        let expected = format!("mail/cia in the digest of {expected}");
        assert_eq!(when(wish, Priority::High, now), expected, "{now}");
    }
}

#[test]
fn a_shared_channel_gets_one_message_when_the_first_of_its_readers_is_due() {
    let mut night = by(person("night", Role::Coordinator), &["mail", "ops"]);
    night.quiet = QuietHours::parse("11:00-13:00").unwrap();
    let mut hourly = by(person("hourly", Role::Coordinator), &["ops"]);
    hourly.pace = Pace::Hourly;
    let m = a_match(&[]);
    let both = routing(vec![night.clone(), hourly.clone()], vec![]);
    let quiet_ends = "from 2027-07-01T11:00:00Z";
    let expected = [
        format!("mail/night {quiet_ends}"),
        format!("discord:ops {quiet_ends}"),
    ];
    assert_eq!(sent(&both, &moved(), &m, &m), expected);
    let day = by(person("day", Role::Coordinator), &["ops"]);
    let three = routing(vec![night, hourly, day], vec![]);
    let expected = [expected[0].clone(), "discord:ops".to_owned()];
    assert_eq!(sent(&three, &moved(), &m, &m), expected);
}

#[test]
fn what_is_critical_takes_other_news_of_its_match_along() {
    let mut cia = person("cia", Role::Coordinator);
    cia.pace = Pace::Hourly;
    let routing = routing(vec![cia], vec![]);
    let m = a_match(&[]);
    let critical = change(Category::Cancellation, Priority::Critical, &[Audience::All]);
    let other = moved();
    let of = |change| Subject {
        change,
        current: Some(&m),
        previous: Some(&m),
    };
    let notices = routing.route(&[of(&other), of(&critical)], at(NOON));
    let found: Vec<_> = notices
        .iter()
        .map(|one| (told(one), one.changes.clone()))
        .collect();
    assert_eq!(found, [("mail/cia".to_owned(), vec![0, 1])]);
}

#[test]
fn a_channel_is_quiet_as_long_as_all_who_read_it_are() {
    let sleeper = |id: &str, quiet: &str, channels: &[&str]| {
        let mut one = by(person(id, Role::Coordinator), channels);
        one.quiet = QuietHours::parse(quiet).unwrap();
        one
    };
    let mut away = by(person("away", Role::Coordinator), &["phone"]);
    away.is_active = false;
    let people = vec![
        sleeper("anna", "22:00-07:00", &["mail", "phone", "hook", "ops"]),
        sleeper("bo", "21:00-06:30", &["mail", "phone", "ops"]),
        by(person("cia", Role::Coordinator), &["hook"]),
        away,
    ];
    let mut told = rule("also", &["cia"]);
    if let Then::Notify { channels, .. } = &mut told.then {
        *channels = Some(vec!["ops".to_owned()]);
    }
    let routing = routing(people, vec![told]);
    let night = |channel: &str| -> Vec<String> {
        let lane = Lane::from_key(channel).unwrap();
        let asleep = routing.asleep(&lane, at("2027-07-01T21:00:00Z"));
        let each = asleep.iter().map(|(who, end)| format!("{who} {end}"));
        each.collect()
    };
    let each = ["anna 2027-07-02T05:00:00Z", "bo 2027-07-02T04:30:00Z"];
    assert_eq!(night("mail"), each);
    assert_eq!(night("ntfy:phone"), [" 2027-07-02T04:30:00Z"]);
    assert_eq!(night("webhook:hook"), [""; 0], "one is awake");
    assert_eq!(night("discord:ops"), [""; 0], "one is named by a rule");
    assert_eq!(night("discord:club"), [""; 0], "nobody reads it");
    assert_eq!(night("ntfy:unknown"), [""; 0]);
}
