//! What the commands print: text that a terminal cannot mistake for orders, and times.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::app::Failure;

/// Writes to the standard output.
///
/// # Errors
/// When it cannot be written. A reader that went away, as in `changes | head`, is no reason to
/// fail.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error)
            .context("cannot write to the standard output")
            .map_err(Failure::System),
        _ => Ok(()),
    }
}

/// The same with an end of line.
///
/// # Errors
/// As [`print()`].
pub fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// A text of somebody else's on one line, without what a terminal would obey or turn around.
pub fn printable(text: &str) -> String {
    let each = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim().chars().map(each).collect()
}

/// How moments are told.
#[derive(Clone, Debug)]
pub struct Times {
    /// The time zone of the settings.
    pub zone: TimeZone,
    /// The present.
    pub now: Timestamp,
    /// Whether a person reads: "3 min ago" tells more at a glance, a date is better kept.
    pub relative: bool,
}

impl Times {
    /// A moment; "-" for none.
    pub fn tell(&self, at: Option<Timestamp>) -> String {
        let Some(at) = at else {
            return "-".to_owned();
        };
        let recent = self.distance(at).filter(|_| self.relative);
        recent.unwrap_or_else(|| self.date(at))
    }

    /// A moment, also how long ago it was.
    pub fn tell_both(&self, at: Option<Timestamp>) -> String {
        let distance = at.and_then(|at| self.distance(at)).unwrap_or_default();
        match at {
            Some(at) if self.relative && !distance.is_empty() => {
                format!("{} ({distance})", self.date(at))
            }
            at => self.tell(at),
        }
    }

    /// A moment that is yet to come, to the nearest second: where it is computed from two clocks it
    /// differs by a little each time.
    pub fn tell_next(&self, at: Option<Timestamp>) -> String {
        let second = |at: Timestamp| at.round(jiff::Unit::Second).unwrap_or(at);
        let rounded = Self {
            now: second(self.now),
            ..self.clone()
        };
        rounded.tell(at.map(second))
    }

    fn date(&self, at: Timestamp) -> String {
        let local = self.zone.to_datetime(at);
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// How far away it is, if that is less than a day.
    fn distance(&self, at: Timestamp) -> Option<String> {
        let passed = self.now.duration_since(at);
        let amount = passed.abs();
        let told = match amount.as_secs() {
            0..=59 => format!("{} s", amount.as_secs()),
            60..=3599 => format!("{} min", amount.as_mins()),
            3600..=86_399 => format!("{} h", amount.as_hours()),
            _ => return None,
        };
        Some(match passed < SignedDuration::ZERO {
            true => format!("in {told}"),
            false => format!("{told} ago"),
        })
    }
}

/// A moment from Unix seconds.
pub fn moment(unix: Option<f64>) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(unix?).ok()?;
    Timestamp::from_duration(since).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_orders_from_a_match_list() {
        assert_eq!(printable("Åby IF\n\tvallen "), "Åby IF  vallen");
        assert_eq!(
            printable("\x1b[2J\u{9b}1m\u{202e}x"),
            "\u{fffd}[2J\u{fffd}1m\u{fffd}x"
        );
    }

    #[test]
    fn moments_are_told_for_people_or_to_be_kept() {
        let now: Timestamp = "2027-07-01T10:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let relative = Times {
            zone,
            now,
            relative: true,
        };
        let kept = Times {
            relative: false,
            ..relative.clone()
        };
        for (seconds, told, both) in [
            (0, "0 s ago", "2027-07-01 12:00:00 (0 s ago)"),
            (-59, "59 s ago", "2027-07-01 11:59:01 (59 s ago)"),
            (-60, "1 min ago", "2027-07-01 11:59:00 (1 min ago)"),
            (-3600, "1 h ago", "2027-07-01 11:00:00 (1 h ago)"),
            (-86_399, "23 h ago", "2027-06-30 12:00:01 (23 h ago)"),
            (-86_400, "2027-06-30 12:00:00", "2027-06-30 12:00:00"),
            (90, "in 1 min", "2027-07-01 12:01:30 (in 1 min)"),
        ] {
            let at = Some(now + SignedDuration::from_secs(seconds));
            assert_eq!(relative.tell(at), told);
            assert_eq!(relative.tell_both(at), both);
            let date = both.split(" (").next().unwrap();
            assert_eq!(
                (kept.tell(at), kept.tell_both(at)),
                (date.to_owned(), date.to_owned())
            );
        }
        assert_eq!(relative.tell(None), "-");
        for (milliseconds, told, date) in [
            (9_999, "in 10 s", "2027-07-01 12:00:10"),
            (10_001, "in 10 s", "2027-07-01 12:00:10"),
            (59_700, "in 1 min", "2027-07-01 12:01:00"),
        ] {
            let at = Some(now + SignedDuration::from_millis(milliseconds));
            assert_eq!(relative.tell_next(at), told);
            assert_eq!(kept.tell_next(at), date);
        }
        // Asked a little later, when that much less is left.
        let late = Times {
            now: now + SignedDuration::from_millis(400),
            ..relative.clone()
        };
        let at = Some(now + SignedDuration::from_secs(10));
        assert_eq!(late.tell_next(at), "in 10 s");
        assert_eq!(moment(Some(f64::NAN)), None);
        assert_eq!(moment(Some(1e300)), None);
        assert_eq!(
            moment(Some(0.5)),
            Some("1970-01-01T00:00:00.5Z".parse().unwrap())
        );
    }
}
