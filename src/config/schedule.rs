//! When cycles run by the calendar.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cycle::zone;
use super::mode::{ModeConfig, ProcessorMode};
use super::reader::{Form, Reader};
use crate::domain::schedule::{QuietHours, Schedule};

/// When cycles run by the calendar.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// `SCHEDULE`, in event-driven mode.
    pub schedule: Option<Schedule>,
    /// `QUIET_HOURS`, in which no cycle begins by schedule or by interval.
    pub quiet: QuietHours,
    /// `SCHEDULE_TZ`, or `TZ`.
    pub time_zone: TimeZone,
}

const FORM: Form = Form {
    expected: "five fields of cron: minute, hour, day of month, month, day of week; or @daily and the \
               like",
    example: "*/30 6-22 * * *",
};

impl ScheduleConfig {
    pub(super) fn read(from: &mut Reader<'_>, mode: &ModeConfig) -> Self {
        let form = Form {
            expected: "a time zone of the IANA database; without it TZ counts",
            example: "Europe/Stockholm",
        };
        let own = from.optional("SCHEDULE_TZ", form, zone);
        let general = from.raw("TZ").map_or("Europe/Stockholm", |(text, _)| text);
        let time_zone = own.or_else(|| zone(general)).unwrap_or(TimeZone::UTC);
        let form = Form {
            expected: "up to twelve ranges of the clock, each two different times",
            example: "23:00-06:00,12:00-13:00",
        };
        let quiet = from.optional("QUIET_HOURS", form, QuietHours::parse);
        let quiet = quiet.unwrap_or_default();
        let parse = |text: &str| Schedule::new(text, time_zone.clone(), quiet.clone());
        let schedule = from.optional("SCHEDULE", FORM, parse);
        if let Some(schedule) = &schedule {
            check(from, mode, schedule);
        }
        let is_asked = schedule.is_some() || mode.interval.is_some() || mode.is_oneshot();
        if !quiet.is_empty() && !is_asked {
            let odd =
                "QUIET_HOURS is set, but neither SCHEDULE nor SERVICE_INTERVAL: it has no effect";
            from.warnings.push(odd.to_owned());
        }
        Self {
            schedule,
            quiet,
            time_zone,
        }
    }
}

/// Contradictions, and what would never run.
fn check(from: &mut Reader<'_>, mode: &ModeConfig, schedule: &Schedule) {
    if mode.mode != ProcessorMode::EventDriven {
        let form = Form {
            expected: "unset, or PROCESSOR_MODE=event-driven; other modes know SERVICE_INTERVAL",
            ..FORM
        };
        let problem = format!("is set, and PROCESSOR_MODE is {}", mode.mode);
        from.mistake("SCHEDULE", &problem, form);
    } else if mode.interval.is_some() {
        let form = Form {
            expected: "one of the two",
            example: "SERVICE_INTERVAL=0, or no SCHEDULE",
        };
        from.mistake("SCHEDULE", "is set, and so is SERVICE_INTERVAL", form);
    }
    if schedule.next(Timestamp::now()).is_none() {
        let problem = "never comes, or only within QUIET_HOURS";
        from.mistake("SCHEDULE", problem, FORM);
    }
}
