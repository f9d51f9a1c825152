//! How the program runs.

use std::time::Duration;

use super::reader::{Form, Reader};
use super::secret::shown;
use super::source::Origin;

crate::labels! {
    /// `PROCESSOR_MODE`.
    ProcessorMode {
        /// A daemon that cycles when it is told to.
        EventDriven => "event-driven",
        /// One cycle, or one every so often.
        Unified => "unified",
        /// The same with the older, coarser comparison.
        Legacy => "legacy",
    }
}

crate::labels! {
    /// `RUN_MODE`.
    RunMode {
        /// One cycle.
        Oneshot => "oneshot",
        /// A cycle every interval.
        Service => "service",
    }
}

/// How the program runs.
#[derive(Clone, Debug)]
pub struct ModeConfig {
    /// The mode that takes effect.
    pub mode: ProcessorMode,
    /// What was asked for.
    pub requested: String,
    /// In unified and legacy mode.
    pub run: RunMode,
    /// Between two scheduled cycles; none for no schedule.
    pub interval: Option<Duration>,
}

impl ModeConfig {
    /// Whether an unknown mode was asked for.
    #[must_use]
    pub fn fell_back(&self) -> bool {
        self.requested != self.mode.label()
    }

    /// Whether it ends after one cycle, and serves no requests.
    #[must_use]
    pub fn is_oneshot(&self) -> bool {
        self.mode != ProcessorMode::EventDriven && self.run == RunMode::Oneshot
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let (requested, origin) = from
            .raw("PROCESSOR_MODE")
            .unwrap_or(("unified", Origin::Default));
        let requested = shown(requested).to_lowercase().replace('_', "-");
        let mode = ProcessorMode::from_label(&requested).unwrap_or(ProcessorMode::Unified);
        if mode.label() != requested {
            from.warnings.push(format!(
                "PROCESSOR_MODE {requested:?} is unknown, unified is used; \
                 known are event-driven, unified and legacy"
            ));
        }
        from.show("PROCESSOR_MODE", mode.label(), origin);
        let run = run_mode(from);
        let interval = interval(from, mode, run);
        Self {
            mode,
            requested,
            run,
            interval,
        }
    }
}

fn run_mode(from: &mut Reader<'_>) -> RunMode {
    let (text, origin) = from.raw("RUN_MODE").unwrap_or(("oneshot", Origin::Default));
    let known = RunMode::from_label(&text.to_lowercase());
    if known.is_none() {
        from.warnings.push(format!(
            "RUN_MODE {:?} is unknown, oneshot is used; known are oneshot and service",
            shown(text)
        ));
    }
    let run = known.unwrap_or(RunMode::Oneshot);
    from.show("RUN_MODE", run.label(), origin);
    run
}

/// In event-driven mode the schedule is off unless it is asked for.
fn interval(from: &mut Reader<'_>, mode: ProcessorMode, run: RunMode) -> Option<Duration> {
    let form = Form {
        expected: "seconds, from 0 to 604800",
        example: "300",
    };
    let default = if mode == ProcessorMode::EventDriven {
        0
    } else {
        300
    };
    let seconds = from.number("SERVICE_INTERVAL", default, 0..=604_800, form);
    let never = seconds == 0 && mode != ProcessorMode::EventDriven && run == RunMode::Service;
    if never {
        let form = Form {
            expected: "at least 1 with RUN_MODE=service",
            ..form
        };
        from.mistake(
            "SERVICE_INTERVAL",
            "0 means that no cycle would ever run",
            form,
        );
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
