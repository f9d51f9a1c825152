//! When a stakeholder is told.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::notice::When;
use super::parts::{Pace, Stakeholder};
use crate::domain::change::Priority;
use crate::domain::schedule::{QuietHours, Schedule};

/// Ends of quiet hours that may lie in the next quiet hours; there are at most twelve ranges.
const CHAINED: usize = 13;

/// A stakeholder's times.
#[derive(Clone, Debug)]
pub(super) struct Clockwork {
    zone: TimeZone,
    quiet: QuietHours,
    /// The moments of its digests; none if it is told at once.
    digests: Option<Schedule>,
}

impl Clockwork {
    pub fn of(stakeholder: &Stakeholder) -> Self {
        let zone = stakeholder.zone.clone();
        let daily = |at: Time| format!("{} {} * * *", at.minute(), at.hour());
        let moments = match stakeholder.pace {
            Pace::Immediate => None,
            Pace::Hourly => Some("0 * * * *".to_owned()),
            Pace::Daily(at) => Some(daily(at)),
        };
        // Quiet hours put a digest off, they do not strike it out.
        let never_quiet = QuietHours::default();
        Self {
            digests: moments.and_then(|text| Schedule::new(&text, zone.clone(), never_quiet)),
            quiet: stakeholder.quiet.clone(),
            zone,
        }
    }

    /// When something of this priority is told that came up at `now`.
    pub fn when(&self, priority: Priority, now: Timestamp) -> When {
        match (priority, &self.digests) {
            (Priority::Critical, _) => When::Now,
            (_, None) => self.not_in_digest(priority, now),
            (_, Some(digests)) => {
                let next = digests.next(now).unwrap_or(now);
                When::Digest(self.after_quiet(next).unwrap_or(next))
            }
        }
    }

    /// The same of what goes into no digest.
    pub fn not_in_digest(&self, priority: Priority, now: Timestamp) -> When {
        match (priority, self.after_quiet(now)) {
            (Priority::Critical, _) | (_, None) => When::Now,
            (_, Some(end)) => When::NotBefore(end),
        }
    }

    /// When the quiet hours end that hold at this moment; none if none hold.
    fn after_quiet(&self, moment: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        for _ in 0..CHAINED {
            match self.quiet.until(end.unwrap_or(moment), &self.zone) {
                Some(later) => end = Some(later),
                None => break,
            }
        }
        end
    }

    /// Whether quiet hours leave any time of the day.
    pub fn is_ever_awake(&self) -> bool {
        let end = self.after_quiet(Timestamp::UNIX_EPOCH);
        end.is_none_or(|end| self.quiet.until(end, &self.zone).is_none())
    }
}
