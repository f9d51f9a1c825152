//! When a stakeholder is told.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::notice::When;
use super::parts::{Pace, Stakeholder};
use crate::domain::change::Priority;
use crate::domain::schedule::{QuietHours, Schedule};

/// Ends of quiet hours that may lie in the next quiet hours; there are at most twelve ranges.
const CHAINED: usize = 13;

/// A stakeholder's times.
#[derive(Clone)]
pub(super) struct Clockwork {
    zone: TimeZone,
    quiet: QuietHours,
    /// The moments of its digests; none if it is told at once.
    digests: Option<Arc<Schedule>>,
}

impl fmt::Debug for Clockwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests = self.digests.as_ref().map(|digests| digests.text());
        f.debug_struct("Clockwork")
            .field("quiet", &self.quiet)
            .field("digests", &digests)
            .finish_non_exhaustive()
    }
}

/// Schedules that were made before: one takes kilobytes, and most stakeholders want the same.
pub(super) type Schedules = Vec<Arc<Schedule>>;

impl Clockwork {
    pub fn of(stakeholder: &Stakeholder, made: &mut Schedules) -> Self {
        let expression = match stakeholder.pace {
            Pace::Immediate => None,
            Pace::Hourly => Some("0 * * * *".to_owned()),
            Pace::Daily(at) => Some(format!("{} {} * * *", at.minute(), at.hour())),
        };
        let zone = &stakeholder.zone;
        Self {
            digests: expression.and_then(|text| schedule(&text, zone, made)),
            quiet: stakeholder.quiet.clone(),
            zone: zone.clone(),
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
    pub fn after_quiet(&self, moment: Timestamp) -> Option<Timestamp> {
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

fn schedule(text: &str, zone: &TimeZone, made: &mut Schedules) -> Option<Arc<Schedule>> {
    // Quiet hours put a digest off, they do not strike it out.
    let schedule = Schedule::new(text, zone.clone(), QuietHours::default())?;
    // A zone without a name is told from no other.
    let is_named = zone.iana_name().is_some();
    let mut same = made
        .iter()
        .filter(|one| is_named && one.text() == schedule.text());
    if let Some(same) = same.next() {
        return Some(Arc::clone(same));
    }
    let schedule = Arc::new(schedule);
    made.push(Arc::clone(&schedule));
    Some(schedule)
}
