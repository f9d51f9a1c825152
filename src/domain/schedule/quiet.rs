//! Hours of the day in which nothing runs by the calendar.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Ranges that a day can have.
const MOST: usize = 12;

/// Hours of the day, from a time of the clock up to, but not including, another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuietHours(Vec<(Time, Time)>);

impl QuietHours {
    /// Reads `23:00-06:00,12:00-13:00`: at most twelve ranges. One that ends before it begins goes
    /// over midnight; one that ends when it begins is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.filter(|ranges| ranges.len() <= MOST).map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the quiet that holds at this moment ends, in this time zone; none if none holds. Where
    /// ranges overlap, the later one may go on then.
    #[must_use]
    pub fn until(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = zone.to_datetime(now);
        let ends = self.0.iter().filter_map(|&(from, to)| {
            let time = local.time();
            let (holds, days) = match from < to {
                true => (from <= time && time < to, 0),
                false => (from <= time || time < to, i8::from(from <= time)),
            };
            if !holds {
                return None;
            }
            let day = match days {
                0 => local.date(),
                _ => local.date().tomorrow().ok()?,
            };
            // An end in the hour that is skipped is when the clock goes on; of one that comes twice,
            // the first that is still to come.
            let end = zone.to_ambiguous_zoned_datetime(day.to_datetime(to));
            let first = end.clone().compatible().ok()?.timestamp();
            let last = end.later().ok()?.timestamp();
            Some(if first > now { first } else { last })
        });
        ends.filter(|end| *end > now).max()
    }
}

fn range(text: &str) -> Option<(Time, Time)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time(from)?, time(to)?);
    (from != to).then_some((from, to))
}

/// Hours and minutes; 24:00 is the end of the day.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    if (hour, minute) == ("24", "00") {
        return Some(Time::MIN);
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stockholm() -> TimeZone {
        TimeZone::get("Europe/Stockholm").unwrap()
    }

    /// When the quiet ends that holds at this moment.
    fn until(quiet: &str, now: &str) -> Option<String> {
        let quiet = QuietHours::parse(quiet).unwrap();
        let end = quiet.until(now.parse().unwrap(), &stockholm());
        end.map(|end| end.to_string())
    }

    #[test]
    fn hours_hold_from_their_begin_up_to_their_end() {
        // In winter the clock is an hour ahead of UTC.
        let over_midnight = "23:00-06:00";
        for (now, end) in [
            ("2027-01-10T21:59:59Z", None),
            ("2027-01-10T22:00:00Z", Some("2027-01-11T05:00:00Z")),
            ("2027-01-11T00:30:00Z", Some("2027-01-11T05:00:00Z")),
            ("2027-01-11T04:59:59Z", Some("2027-01-11T05:00:00Z")),
            ("2027-01-11T05:00:00Z", None),
        ] {
            assert_eq!(until(over_midnight, now).as_deref(), end, "{now}");
        }
        let two = "12:00-13:00, 22:00-24:00";
        let end = |now| until(two, now);
        assert_eq!(end("2027-01-10T11:30:00Z").unwrap(), "2027-01-10T12:00:00Z");
        assert_eq!(end("2027-01-10T22:30:00Z").unwrap(), "2027-01-10T23:00:00Z");
        assert_eq!(end("2027-01-10T23:00:00Z"), None);
    }

    #[test]
    fn the_days_on_which_the_clock_is_set_end_them_too() {
        // 02:00 is followed by 03:00 on 2027-03-28, 03:00 by 02:00 on 2027-10-31.
        for (quiet, now, end) in [
            (
                "01:00-02:30",
                "2027-03-28T00:30:00Z",
                "2027-03-28T01:30:00Z",
            ),
            (
                "23:00-06:00",
                "2027-03-28T00:30:00Z",
                "2027-03-28T04:00:00Z",
            ),
            (
                "01:00-02:30",
                "2027-10-31T00:00:00Z",
                "2027-10-31T00:30:00Z",
            ),
            (
                "01:00-02:30",
                "2027-10-31T01:10:00Z",
                "2027-10-31T01:30:00Z",
            ),
            (
                "23:00-06:00",
                "2027-10-31T00:30:00Z",
                "2027-10-31T05:00:00Z",
            ),
        ] {
            assert_eq!(until(quiet, now).as_deref(), Some(end), "{quiet} {now}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for odd in [
            "",
            "23",
            "23:00",
            "23:00-",
            "-06:00",
            "23:00-23:00",
            "00:00-24:00",
            "25:00-26:00",
            "24:30-01:00",
            "1:00-2:00",
            "01:60-02:00",
            "+1:00-02:00",
            "01:00-02:00,",
            "01:00–02:00",
        ] {
            assert_eq!(QuietHours::parse(odd), None, "{odd:?}");
        }
        let many = vec!["01:00-02:00"; MOST + 1].join(",");
        assert_eq!(QuietHours::parse(&many), None);
        assert!(QuietHours::parse(&many[12..]).is_some());
    }
}
