//! Log lines as records of OpenTelemetry, with the fields that may leave the process.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Fields of log lines that are exported. Anything else is dropped, whoever adds it.
const ALLOWED: &[&str] = &[
    "attempts",
    "deliveries",
    "delivery",
    "duration_seconds",
    "error_type",
    "kind",
    "listener",
    "match_id",
    "new",
    "processing_id",
    "removed",
    "stage",
    "triggers",
    "updated",
];

/// Hands log lines to the exporter.
#[derive(Debug)]
pub struct Bridge(pub SdkLogger);

impl<S: Subscriber> Layer<S> for Bridge {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut record = self.0.create_log_record();
        let level = *event.metadata().level();
        record.set_timestamp(SystemTime::now());
        record.set_target(event.metadata().target());
        record.set_severity_text(level.as_str());
        record.set_severity_number(match level {
            tracing::Level::ERROR => Severity::Error,
            tracing::Level::WARN => Severity::Warn,
            tracing::Level::INFO => Severity::Info,
            tracing::Level::DEBUG => Severity::Debug,
            tracing::Level::TRACE => Severity::Trace,
        });
        event.record(&mut Fields(&mut record));
        // The trace of the span that is entered is noted here.
        self.0.emit(record);
    }
}

struct Fields<'a, R>(&'a mut R);

impl<R: LogRecord> Fields<'_, R> {
    fn put(&mut self, field: &Field, value: impl Into<AnyValue>) {
        match field.name() {
            "message" => self.0.set_body(value.into()),
            name if ALLOWED.contains(&name) => self.0.add_attribute(name, value),
            _ => {}
        }
    }
}

impl<R: LogRecord> Visit for Fields<'_, R> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, i64::try_from(value).unwrap_or(i64::MAX));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
