//! What receivers take the export of and reject all the same: the exporter calls such an export a
//! success, and tells of it in its log alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// What was rejected since it was last taken.
#[derive(Clone, Debug, Default)]
pub struct Rejected {
    spans: Arc<AtomicU64>,
    lines: Arc<AtomicU64>,
}

impl Rejected {
    /// Spans.
    pub fn take_spans(&self) -> u64 {
        self.spans.swap(0, Ordering::Relaxed)
    }

    /// Log lines.
    pub fn take_lines(&self) -> u64 {
        self.lines.swap(0, Ordering::Relaxed)
    }
}

/// Whether a line is one of OpenTelemetry's own. They are read here and shown nowhere: they may quote
/// whatever a receiver answers.
pub fn is_of_exporter(meta: &Metadata<'_>) -> bool {
    meta.target().starts_with("opentelemetry")
}

/// Listens to the exporter.
impl<S: Subscriber> Layer<S> for Rejected {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Counts(self));
    }
}

struct Counts<'a>(&'a Rejected);

impl Visit for Counts<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        let counter = match field.name() {
            "rejected_spans" => &self.0.spans,
            "rejected_log_records" => &self.0.lines,
            _ => return,
        };
        // A receiver may say anything.
        counter.fetch_add(u64::try_from(value).unwrap_or(0), Ordering::Relaxed);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
