//! The receiver of the daemon's traces.

use std::time::Duration;

use url::Url;

use super::server::short;
use super::{Finding, Status};
use crate::config::{OtelConfig, redacted};
use crate::telemetry;

const CHECK: &str = "traces";

/// Sends it an export without spans.
pub fn look(otel: &OtelConfig, patience: Duration) -> Finding {
    let Some(receiver) = &otel.exporter else {
        return match otel.declined {
            true => Finding::new(
                CHECK,
                Status::Off,
                "the settings say that none are sent".into(),
                "",
            ),
            false => Finding::missing(
                CHECK,
                "no receiver is set".into(),
                "set OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=none if none is wanted",
            ),
        };
    };
    let place = Url::parse(&receiver.endpoint).map_or_else(|_| String::new(), |url| redacted(&url));
    let place = format!(
        "{} over {}",
        place.trim_end_matches('/'),
        receiver.protocol.label()
    );
    match telemetry::try_export(receiver, patience) {
        Ok(()) => Finding::ok(CHECK, format!("{place} takes them")),
        Err(error) => Finding::missing(
            CHECK,
            format!(
                "{place}: {}",
                short(error.trim_start_matches("Operation failed: "))
            ),
            "start the receiver, or correct OTEL_EXPORTER_OTLP_ENDPOINT and _PROTOCOL",
        ),
    }
}
