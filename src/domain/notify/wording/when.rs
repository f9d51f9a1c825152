//! Days and times in words.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::phrases::Speech;

/// `tisdag 11 maj`, with the year where it matters or is another than now; what is no day stays as it
/// is.
pub(super) fn day(speech: Speech<'_>, text: &str, with_year: bool) -> String {
    let Some(date) = date(text) else {
        return text.to_owned();
    };
    let key = match with_year || date.year() != speech.year {
        true => "day-of-year",
        false => "day",
    };
    speech.with(
        key,
        &parts(speech, date)
            .each_ref()
            .map(|(k, v)| (*k, v.as_str())),
    )
}

/// `11 maj`, for titles: they have no room for the year, which the text below them has.
pub(super) fn short_day(speech: Speech<'_>, text: &str) -> String {
    let Some(date) = date(text) else {
        return text.to_owned();
    };
    speech.with(
        "day-short",
        &parts(speech, date)
            .each_ref()
            .map(|(k, v)| (*k, v.as_str())),
    )
}

/// An instant, RFC 3339, as a day and time in the zone; what is no instant stays as it is.
pub(super) fn instant(speech: Speech<'_>, text: &str, zone: &TimeZone) -> String {
    let Ok(at) = text.parse::<Timestamp>() else {
        return text.to_owned();
    };
    let at = zone.to_datetime(at);
    let time = at.strftime("%H:%M").to_string();
    let mut parts = parts(speech, at.date()).to_vec();
    parts.push(("time", time));
    let parts: Vec<_> = parts.iter().map(|(k, v)| (*k, v.as_str())).collect();
    speech.with("instant", &parts)
}

/// The time of a kick-off; an instant of the list, `/Date(1746543600000)/`, as day and time.
pub(super) fn kickoff(speech: Speech<'_>, text: &str, zone: &TimeZone) -> String {
    let millis = text
        .strip_prefix("/Date(")
        .and_then(|rest| rest.strip_suffix(")/")?.parse::<i64>().ok());
    match millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()) {
        Some(at) => instant(speech, &at.to_string(), zone),
        None => text.to_owned(),
    }
}

/// The day at the start of a text.
pub(super) fn date(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

/// When a match kicks off; none if the day or the time is not known.
pub(super) fn kicks_off(date_text: &str, time_text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (hour, rest) = time_text.split_once([':', '.'])?;
    let minute = rest.split([':', '.']).next()?;
    let time = Time::new(hour.trim().parse().ok()?, minute.trim().parse().ok()?, 0, 0).ok()?;
    zone.to_timestamp(date(date_text)?.to_datetime(time)).ok()
}

fn parts(speech: Speech<'_>, date: Date) -> [(&'static str, String); 4] {
    let weekday = date.weekday().to_monday_one_offset();
    [
        ("weekday", speech.say(&format!("weekday-{weekday}"))),
        ("day", date.day().to_string()),
        ("month", speech.say(&format!("month-{}", date.month()))),
        ("year", date.year().to_string()),
    ]
}
