//! Where traces go, and logs if they are wanted there: the standard variables of OpenTelemetry.
//!
//! By its specification a value that cannot be understood is ignored with a warning.

use std::time::Duration;

use super::otlp::{OtlpExporter, Signal, exporter, exporter_wanted};
use super::pairs::all_decoded;
use super::reader::{Reader, boolean};
use super::secret::{Secret, shown, shown_pairs};
use super::source::Origin;

/// Where traces go.
#[derive(Clone, Debug)]
pub struct OtelConfig {
    /// None: traces are not exported.
    pub exporter: Option<OtlpExporter>,
    /// Whether the settings say that traces are not to be exported.
    pub declined: bool,
    /// Where log lines go besides the standard error; none unless the settings say so.
    pub logs: Option<OtlpExporter>,
    /// `OTEL_SERVICE_NAME`; wins over what the resource attributes say.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, as it stands, if it can be understood; may hold secrets.
    pub resource_attributes: Secret,
    /// Whether W3C trace context is read and sent.
    pub propagate: bool,
    /// `OTEL_TRACES_SAMPLER`.
    pub sampler: String,
    /// `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler_argument: Option<f64>,
    /// `OTEL_BSP_SCHEDULE_DELAY`.
    pub schedule_delay: Duration,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`.
    pub max_queue_size: usize,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    pub max_batch_size: usize,
}

/// The name of this service unless the settings have another.
pub const SERVICE_NAME: &str = "match-list-processor";

const SAMPLERS: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl OtelConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let disabled = lenient(from, "OTEL_SDK_DISABLED", "false", boolean).unwrap_or(false);
        let wanted = exporter_wanted(from, Signal::Traces);
        let exporter = exporter(from, Signal::Traces).filter(|_| wanted && !disabled);
        let logs_wanted = exporter_wanted(from, Signal::Logs) && !disabled;
        let logs = logs_wanted.then(|| logs(from)).flatten();
        let propagate = propagators(from) && !disabled;
        let known = |text: &str| SAMPLERS.contains(&text).then(|| text.to_owned());
        let sampler = lenient(from, "OTEL_TRACES_SAMPLER", "parentbased_always_on", known);
        let ratio = |text: &str| text.parse().ok().filter(|r| (0.0..=1.0).contains(r));
        let whole = |text: &str| text.parse::<usize>().ok().filter(|&n| n > 0);
        let delay = lenient(from, "OTEL_BSP_SCHEDULE_DELAY", "5000", milliseconds);
        let queue = lenient(from, "OTEL_BSP_MAX_QUEUE_SIZE", "2048", whole).unwrap_or(2048);
        let batch = lenient(from, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", whole).unwrap_or(512);
        Self {
            exporter,
            declined: disabled || !wanted,
            logs,
            service_name: service_name(from),
            resource_attributes: resource_attributes(from),
            propagate,
            sampler: sampler.unwrap_or_else(|| "parentbased_always_on".to_owned()),
            sampler_argument: lenient(from, "OTEL_TRACES_SAMPLER_ARG", "", ratio),
            schedule_delay: delay.unwrap_or(Duration::from_secs(5)),
            max_queue_size: queue,
            max_batch_size: batch.min(queue),
        }
    }
}

fn service_name(from: &mut Reader<'_>) -> Option<String> {
    let name = "OTEL_SERVICE_NAME";
    let found = from.raw(name);
    let (text, origin) = found.unwrap_or((SERVICE_NAME, Origin::Default));
    from.show(name, text, origin);
    found.map(|(text, _)| text.to_owned())
}

fn resource_attributes(from: &mut Reader<'_>) -> Secret {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let (text, origin) = from.raw(name).unwrap_or(("", Origin::Default));
    from.show(name, shown_pairs(text), origin);
    if all_decoded(text).is_some() {
        return Secret::new(text.to_owned());
    }
    from.warnings.push(format!(
        "{name} cannot be understood and is ignored (expected name=value,name=value with \
         percent-encoded values)"
    ));
    Secret::new(String::new())
}

/// Reads a value; one that cannot be understood is ignored with a warning.
fn lenient<T>(
    from: &mut Reader<'_>,
    name: &str,
    default: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let (text, origin) = from.raw(name).unwrap_or((default, Origin::Default));
    let text = text.to_owned();
    from.show(name, text.clone(), origin);
    let parsed = parse(&text);
    if parsed.is_some() || text.is_empty() {
        return parsed;
    }
    from.warnings.push(format!(
        "{name} {:?} cannot be understood and is ignored",
        shown(&text)
    ));
    parse(default)
}

pub(super) fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// The receiver of logs, which there must be where they are wanted.
fn logs(from: &mut Reader<'_>) -> Option<OtlpExporter> {
    let found = exporter(from, Signal::Logs);
    if found.is_none() {
        let told = "OTEL_LOGS_EXPORTER is otlp, but no endpoint is set: logs are not exported";
        from.warnings.push(told.to_owned());
    }
    found
}

fn propagators(from: &mut Reader<'_>) -> bool {
    let default = "tracecontext,baggage";
    let (text, origin) = from
        .raw("OTEL_PROPAGATORS")
        .unwrap_or((default, Origin::Default));
    from.show("OTEL_PROPAGATORS", text, origin);
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    for name in &names {
        if !matches!(*name, "tracecontext" | "baggage" | "none") {
            from.warnings.push(format!(
                "OTEL_PROPAGATORS: {:?} is not supported and is ignored",
                shown(name)
            ));
        }
    }
    names.contains(&"tracecontext") && !names.contains(&"none")
}
