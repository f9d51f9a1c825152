//! How lists are compared and when they are held.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::reader::{Form, Reader};
use crate::domain::change::Priority;

/// How lists are compared and when they are held.
#[derive(Clone, Debug)]
pub struct CycleConfig {
    /// `HOLD_CONFIRM_SECONDS`.
    pub hold_confirm: Duration,
    /// `CHANGE_PRIORITY_SAME_DAY`.
    pub same_day_priority: Priority,
    /// `TZ`.
    pub time_zone: TimeZone,
}

impl CycleConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "seconds, from 0 to 86400",
            example: "60",
        };
        let hold_confirm = from.seconds("HOLD_CONFIRM_SECONDS", 60, 0..=86_400, form);
        let form = Form {
            expected: "critical, high, medium or low",
            example: "critical",
        };
        let parse = |text: &str| Priority::from_label(&text.to_lowercase());
        let name = "CHANGE_PRIORITY_SAME_DAY";
        let same_day_priority = from.value(name, "critical", form, parse, Priority::Critical);
        let form = Form {
            expected: "a time zone of the IANA database",
            example: "Europe/Stockholm",
        };
        let time_zone = from.value("TZ", "Europe/Stockholm", form, zone, TimeZone::UTC);
        Self {
            hold_confirm,
            same_day_priority,
            time_zone,
        }
    }
}

/// A time zone of the IANA database.
pub(super) fn zone(text: &str) -> Option<TimeZone> {
    TimeZone::get(text.trim_start_matches(':')).ok()
}
