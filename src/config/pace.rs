//! How fast cycles follow triggers and one another.

use std::time::Duration;

use super::mode::ModeConfig;
use super::reader::{Form, Reader};

/// How fast cycles follow triggers and one another.
#[derive(Clone, Copy, Debug, Default)]
pub struct PaceConfig {
    /// `DEBOUNCE_SECONDS`: for so long no webhook must have come; zero for no such wait.
    pub debounce: Duration,
    /// `DEBOUNCE_MAX_SECONDS`: after the first of them the wait ends in any case.
    pub debounce_max: Duration,
    /// `MIN_CYCLE_INTERVAL_SECONDS`: between the starts of two cycles at least.
    pub min_interval: Duration,
}

impl PaceConfig {
    pub(super) fn read(from: &mut Reader<'_>, mode: &ModeConfig) -> Self {
        let form = Form {
            expected: "seconds, from 0 (off) to 3600",
            example: "5",
        };
        let debounce = from.seconds("DEBOUNCE_SECONDS", 0, 0..=3600, form);
        let form = Form {
            expected: "seconds, from DEBOUNCE_SECONDS to 86400",
            example: "60",
        };
        let debounce_max = from.seconds("DEBOUNCE_MAX_SECONDS", 60, 0..=86_400, form);
        if debounce > debounce_max {
            let problem = format!(
                "{} is less than DEBOUNCE_SECONDS, which is {}",
                debounce_max.as_secs(),
                debounce.as_secs()
            );
            from.mistake("DEBOUNCE_MAX_SECONDS", &problem, form);
        }
        let form = Form {
            expected: "seconds, from 0 (off) to 86400",
            example: "30",
        };
        let min_interval = from.seconds("MIN_CYCLE_INTERVAL_SECONDS", 0, 0..=86_400, form);
        let interval = mode.interval.filter(|_| !mode.is_oneshot());
        if interval.is_some_and(|interval| interval < min_interval) {
            let form = Form {
                expected: "no more than SERVICE_INTERVAL",
                ..form
            };
            let problem = "is longer than SERVICE_INTERVAL, at which cycles are due";
            from.mistake("MIN_CYCLE_INTERVAL_SECONDS", problem, form);
        }
        Self {
            debounce,
            debounce_max,
            min_interval,
        }
    }
}
