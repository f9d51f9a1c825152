//! Where traces go: the standard variables of OpenTelemetry.
//!
//! By its specification a value that cannot be understood is ignored with a warning.

use std::time::Duration;

use url::Url;

use super::reader::{Form, Reader, boolean};
use super::secret::{Secret, redacted, shown, shown_pairs};
use super::source::Origin;

/// Where traces go.
#[derive(Clone, Debug)]
pub struct OtelConfig {
    /// None: traces are not exported.
    pub exporter: Option<OtlpExporter>,
    /// Whether the settings say that traces are not to be exported.
    pub declined: bool,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: String,
    /// `OTEL_RESOURCE_ATTRIBUTES`, as it stands; may hold secrets.
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

/// A receiver of traces.
#[derive(Clone)]
pub struct OtlpExporter {
    /// For HTTP the whole URL, for gRPC the server.
    pub endpoint: String,
    /// How to talk to it.
    pub protocol: OtlpProtocol,
    /// Sent along; may hold secrets.
    pub headers: Vec<(String, String)>,
    /// For one export.
    pub timeout: Duration,
}

impl std::fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpExporter")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

crate::labels! {
    /// A form of OTLP.
    OtlpProtocol {
        /// gRPC.
        Grpc => "grpc",
        /// Protobuf over HTTP.
        Http => "http/protobuf",
    }
}

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
        let wanted = exporter_wanted(from);
        let exporter = exporter(from).filter(|_| wanted && !disabled);
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
            service_name: from.text("OTEL_SERVICE_NAME", "match-list-processor"),
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

fn resource_attributes(from: &mut Reader<'_>) -> Secret {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let (text, origin) = from.raw(name).unwrap_or(("", Origin::Default));
    from.show(name, shown_pairs(text), origin);
    Secret::new(text.to_owned())
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

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

fn exporter_wanted(from: &mut Reader<'_>) -> bool {
    let (text, origin) = from
        .raw("OTEL_TRACES_EXPORTER")
        .unwrap_or(("otlp", Origin::Default));
    from.show("OTEL_TRACES_EXPORTER", text, origin);
    match text {
        "otlp" => true,
        "none" => false,
        other => {
            let form = Form {
                expected: "otlp or none",
                example: "otlp",
            };
            from.mistake(
                "OTEL_TRACES_EXPORTER",
                &format!("{:?} is not supported", shown(other)),
                form,
            );
            false
        }
    }
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

/// The variable of the traces' own wins over the general one.
fn own_or_general<'a>(from: &mut Reader<'a>, rest: &str) -> Option<(&'a str, Origin, bool)> {
    let own = from.raw(&format!("OTEL_EXPORTER_OTLP_TRACES_{rest}"));
    let general = from.raw(&format!("OTEL_EXPORTER_OTLP_{rest}"));
    let general = general.map(|(text, origin)| (text, origin, false));
    own.map(|(text, origin)| (text, origin, true)).or(general)
}

fn exporter(from: &mut Reader<'_>) -> Option<OtlpExporter> {
    let protocol = protocol(from);
    let headers = headers(from);
    let timeout = own_or_general(from, "TIMEOUT");
    let timeout = timeout.and_then(|(text, _, _)| milliseconds(text));
    let (text, origin, own) = own_or_general(from, "ENDPOINT")?;
    let form = Form {
        expected: "an http or https URL",
        example: "http://localhost:4318",
    };
    let Some(mut url) = super::upstream::http_url(text) else {
        from.mistake("OTEL_EXPORTER_OTLP_ENDPOINT", "is no URL", form);
        return None;
    };
    from.show("OTEL_EXPORTER_OTLP_ENDPOINT", redacted(&url), origin);
    if protocol == OtlpProtocol::Http && !own {
        append_signal_path(&mut url);
    }
    let timeout = timeout.unwrap_or(Duration::from_secs(10));
    Some(OtlpExporter {
        endpoint: url.to_string(),
        protocol,
        headers,
        timeout,
    })
}

fn append_signal_path(url: &mut Url) {
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
}

fn protocol(from: &mut Reader<'_>) -> OtlpProtocol {
    let found = own_or_general(from, "PROTOCOL");
    let (text, origin, _) = found.unwrap_or(("http/protobuf", Origin::Default, false));
    from.show("OTEL_EXPORTER_OTLP_PROTOCOL", text, origin);
    OtlpProtocol::from_label(text).unwrap_or_else(|| {
        let form = Form {
            expected: "grpc or http/protobuf",
            example: "http/protobuf",
        };
        let problem = format!("{:?} is not supported", shown(text));
        from.mistake("OTEL_EXPORTER_OTLP_PROTOCOL", &problem, form);
        OtlpProtocol::Http
    })
}

fn headers(from: &mut Reader<'_>) -> Vec<(String, String)> {
    let own = from.secret("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    let general = from.secret("OTEL_EXPORTER_OTLP_HEADERS");
    let Some(text) = own.or(general) else {
        return Vec::new();
    };
    let pairs = text.expose().split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = url::form_urlencoded::parse(format!("v={}", value.trim()).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())?;
        Some((name.trim().to_lowercase(), value))
    });
    pairs.filter(|(name, _)| !name.is_empty()).collect()
}
