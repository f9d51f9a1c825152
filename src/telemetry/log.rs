//! Log lines: JSON or text on standard error, with the ids of the trace that they belong to.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::labels::Level;
use super::metrics::Metrics;

/// Formats an event.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        match self {
            Self::Json => json(writer, event, fields),
            Self::Text => text(writer, event, fields),
        }
    }
}

fn json(mut writer: Writer<'_>, event: &Event<'_>, mut fields: Fields) -> fmt::Result {
    let mut line = Map::new();
    let meta = event.metadata();
    line.insert(
        "timestamp".into(),
        jiff::Timestamp::now().to_string().into(),
    );
    line.insert("level".into(), meta.level().as_str().into());
    line.insert("target".into(), meta.target().into());
    line.insert("message".into(), fields.message.into());
    if let Some((trace, span)) = current() {
        line.insert("trace_id".into(), trace.into());
        line.insert("span_id".into(), span.into());
    }
    line.append(&mut fields.others);
    writeln!(writer, "{}", Value::Object(line))
}

fn text(mut writer: Writer<'_>, event: &Event<'_>, fields: Fields) -> fmt::Result {
    let level = *event.metadata().level();
    let colour = match level {
        tracing::Level::ERROR => "31",
        tracing::Level::WARN => "33",
        tracing::Level::INFO => "32",
        _ => "90",
    };
    let now = stamp(jiff::Timestamp::now());
    if writer.has_ansi_escapes() {
        write!(
            writer,
            "\x1b[90m{now}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m {}",
            fields.message
        )?;
    } else {
        write!(writer, "{now} {level:>5} {}", fields.message)?;
    }
    for (name, value) in &fields.others {
        // A value that a message already tells would only make the line longer.
        match value {
            Value::String(text) if fields.message.contains(text.as_str()) => {}
            Value::String(text) => write!(writer, " {name}={text:?}")?,
            other => write!(writer, " {name}={other}")?,
        }
    }
    if let Some((trace, _)) = current() {
        write!(writer, " trace_id={trace}")?;
    }
    writeln!(writer)
}

/// RFC 3339 in UTC, which says so itself and is the same as in JSON but for its milliseconds, always
/// three: lines are beneath one another.
fn stamp(now: jiff::Timestamp) -> String {
    format!("{now:.3}")
}

/// The trace and the span that are entered, if spans are recorded at all.
fn current() -> Option<(String, String)> {
    let context = opentelemetry::Context::current();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| {
        (
            context.trace_id().to_string(),
            context.span_id().to_string(),
        )
    })
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let value = value.into();
        match (field.name(), &value) {
            ("message", Value::String(text)) => self.message.clone_from(text),
            // Set by the bridge from the `log` crate.
            (name, _) if name.starts_with("log.") => {}
            (name, _) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// Counts log lines.
#[derive(Debug)]
pub struct Counting(pub Arc<Metrics>);

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        self.0.log_events.inc((level,));
    }
}

/// Whether standard error shows colours.
#[must_use]
pub fn has_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// How the log line of a panic begins.
pub const PANIC: &str = "a panic, which is a defect of the program";

/// Reports a panic once, by its place only: its text may hold anything.
pub fn report_panics(metrics: Arc<Metrics>) {
    std::panic::set_hook(Box::new(move |panic| {
        metrics.panics.inc(());
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "{PANIC}, at {place}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_says_its_day_and_its_zone() {
        let at = |text: &str| stamp(text.parse().unwrap());
        assert_eq!(at("2027-07-01T10:00:00Z"), "2027-07-01T10:00:00.000Z");
        assert_eq!(
            at("2027-07-01T12:00:00.1239+02:00"),
            "2027-07-01T10:00:00.123Z"
        );
    }
}
