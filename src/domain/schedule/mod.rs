//! When cycles run by the calendar: a cron expression in a time zone, but for quiet hours.

mod moment;
mod quiet;

#[cfg(test)]
mod tests;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use moment::Moment;
pub use quiet::QuietHours;

/// Runs in a row that quiet hours may swallow before the search for the next one ends: more than a
/// year of an expression that means each night.
const SEARCHED: usize = 1_000;

/// The longest expression.
const MAX_LENGTH: usize = 200;

/// The moments of a cron expression in a time zone.
///
/// On the day on which clocks are set forward, a time that is skipped counts as the first moment
/// after it; on the day on which they are set back, a fixed time counts once, and what repeats every
/// so many minutes goes on through both hours. Where day of month and day of week are both given,
/// either is enough, as cron has it.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    quiet: QuietHours,
    text: String,
}

impl Schedule {
    /// From five fields (minute, hour, day of month, month, day of week) or a name such as
    /// `@daily`; none if `text` is something else, or a moment that never comes.
    #[must_use]
    pub fn new(text: &str, zone: TimeZone, quiet: QuietHours) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let name = zone.iana_name().unwrap_or_default();
        Some(Self {
            cron: parser.parse(text).ok()?,
            text: format!("{text} {name}"),
            zone,
            quiet,
        })
    }

    /// The expression and the time zone, to tell one schedule from another.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first moment after this one that lies in no quiet hours; none if there is none for as
    /// long as anybody will ask.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after;
        for _ in 0..SEARCHED {
            let found = self.any(from)?;
            match self.quiet.until(found, &self.zone) {
                None => return Some(found),
                // The end itself is no longer quiet.
                Some(end) => from = end.checked_sub(SignedDuration::from_secs(1)).ok()?,
            }
        }
        None
    }

    fn any(&self, after: Timestamp) -> Option<Timestamp> {
        let after = Moment(after.to_zoned_datetime(self.zone.clone()));
        let found = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(found.0.timestamp())
    }

    /// How many moments lie after `after` and not after `until`; `most` where there are more.
    #[must_use]
    pub fn count(&self, after: Timestamp, until: Timestamp, most: u64) -> u64 {
        let mut at = after;
        for count in 0..most {
            match self.next(at).filter(|next| *next <= until) {
                Some(next) => at = next,
                None => return count,
            }
        }
        most
    }
}
