//! A receiver of OTLP: where it is, how to talk to it, and whom to believe that they are it.

use std::path::Path;
use std::time::Duration;

use super::otel::milliseconds;
use super::pairs::{decoded, pairs};
use super::reader::{Form, Reader};
use super::secret::{Secret, redacted, shown};
use super::source::Origin;
use crate::file;
use crate::tls::trusting_client;

/// For one export, unless the settings say otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A receiver of traces.
#[derive(Clone)]
pub struct OtlpExporter {
    /// The setting that names it.
    pub setting: String,
    /// For HTTP the whole URL, for gRPC the server.
    pub endpoint: String,
    /// How to talk to it.
    pub protocol: OtlpProtocol,
    /// Sent along; may hold secrets.
    pub headers: Vec<(String, String)>,
    /// For one export.
    pub timeout: Duration,
    /// Certificates, as PEM, of whoever issued the receiver's; none for those that the system trusts.
    pub authorities: Option<Vec<u8>>,
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

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
}

impl Signal {
    /// As variables call it.
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Logs => "LOGS",
        }
    }

    /// Whether it is for this one to tell of a setting: the general ones are read for both.
    fn tells(self, own: bool) -> bool {
        own || self == Self::Traces
    }

    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
        }
    }

    /// The exporter unless the settings name one: log lines go to the standard error anyway.
    fn usual(self) -> &'static str {
        match self {
            Self::Traces => "otlp",
            Self::Logs => "none",
        }
    }
}

pub(super) fn exporter_wanted(from: &mut Reader<'_>, signal: Signal) -> bool {
    let name = format!("OTEL_{}_EXPORTER", signal.name());
    let usual = (signal.usual(), Origin::Default);
    let (text, origin) = from.raw(&name).unwrap_or(usual);
    from.show(&name, text, origin);
    match text {
        "otlp" => true,
        "none" => false,
        other => {
            let form = Form {
                expected: "otlp or none",
                example: "otlp",
            };
            from.mistake(&name, &format!("{:?} is not supported", shown(other)), form);
            false
        }
    }
}

/// The variable of the signal's own wins over the general one; the name of the one that counts.
fn own_or_general<'a>(
    from: &mut Reader<'a>,
    signal: Signal,
    rest: &str,
) -> Option<(&'a str, Origin, bool)> {
    let own = from.raw(&format!("OTEL_EXPORTER_OTLP_{}_{rest}", signal.name()));
    let general = from.raw(&format!("OTEL_EXPORTER_OTLP_{rest}"));
    let general = general.map(|(text, origin)| (text, origin, false));
    own.map(|(text, origin)| (text, origin, true)).or(general)
}

fn variable(signal: Signal, own: bool, rest: &str) -> String {
    match own {
        true => format!("OTEL_EXPORTER_OTLP_{}_{rest}", signal.name()),
        false => format!("OTEL_EXPORTER_OTLP_{rest}"),
    }
}

/// The name under which a setting is shown; none for a general one that traces have shown already.
fn told_as(signal: Signal, own: bool, rest: &str) -> Option<String> {
    match (signal, own) {
        (Signal::Traces, _) => Some(format!("OTEL_EXPORTER_OTLP_{rest}")),
        (Signal::Logs, true) => Some(format!("OTEL_EXPORTER_OTLP_LOGS_{rest}")),
        (Signal::Logs, false) => None,
    }
}

pub(super) fn exporter(from: &mut Reader<'_>, signal: Signal) -> Option<OtlpExporter> {
    let protocol = protocol(from, signal);
    let headers = headers(from, signal);
    let timeout = timeout(from, signal);
    let authorities = authorities(from, signal);
    without(from, signal);
    let (text, origin, own) = own_or_general(from, signal, "ENDPOINT")?;
    let form = Form {
        expected: "an http or https URL",
        example: "http://localhost:4318",
    };
    let setting = variable(signal, own, "ENDPOINT");
    let name = told_as(signal, own, "ENDPOINT");
    let Some(mut url) = super::upstream::http_url(text) else {
        if let Some(name) = name {
            from.mistake(&name, "is no URL", form);
        }
        return None;
    };
    if let Some(name) = name {
        from.show(&name, redacted(&url), origin);
    }
    if protocol == OtlpProtocol::Http && !own {
        let path = format!("{}{}", url.path().trim_end_matches('/'), signal.path());
        url.set_path(&path);
    }
    Some(OtlpExporter {
        setting,
        endpoint: url.to_string(),
        protocol,
        headers,
        timeout: timeout.unwrap_or(TIMEOUT),
        authorities,
    })
}

fn timeout(from: &mut Reader<'_>, signal: Signal) -> Option<Duration> {
    let (text, _, own) = own_or_general(from, signal, "TIMEOUT")?;
    let parsed = milliseconds(text);
    if parsed.is_none() && signal.tells(own) {
        let name = variable(signal, own, "TIMEOUT");
        from.warnings.push(format!(
            "{name} {:?} cannot be understood and is ignored (expected milliseconds, e.g. 10000)",
            shown(text)
        ));
    }
    parsed
}

/// What is in the file that names whom to believe that they are the receiver.
fn authorities(from: &mut Reader<'_>, signal: Signal) -> Option<Vec<u8>> {
    let form = Form {
        expected: "the path of a readable PEM file: who issued the receiver's certificate",
        example: "/etc/match-list-processor/otlp-ca.pem",
    };
    let own = from.raw(&variable(signal, true, "CERTIFICATE")).is_some();
    let name = variable(signal, own, "CERTIFICATE");
    let content = match signal.tells(own) {
        true => from.content(&name, form)?,
        // Read, shown and found wrong with that of the traces.
        false => file::read(Path::new(from.raw(&name)?.0), file::SMALL).ok()?,
    };
    if trusting_client(Some(&content)).is_err() && signal.tells(own) {
        from.mistake(&name, "names a file without certificates", form);
    }
    Some(content)
}

/// Says which of the usual settings would change nothing.
fn without(from: &mut Reader<'_>, signal: Signal) {
    for rest in [
        "CLIENT_CERTIFICATE",
        "CLIENT_KEY",
        "COMPRESSION",
        "INSECURE",
    ] {
        let Some((text, _, own)) = own_or_general(from, signal, rest) else {
            continue;
        };
        let is_usual = matches!(
            (rest, text),
            ("COMPRESSION", "none") | ("INSECURE", "false")
        );
        if !is_usual && signal.tells(own) {
            let name = variable(signal, own, rest);
            from.warnings
                .push(format!("{name} is not supported and is ignored"));
        }
    }
}

fn protocol(from: &mut Reader<'_>, signal: Signal) -> OtlpProtocol {
    let found = own_or_general(from, signal, "PROTOCOL");
    let (text, origin, own) = found.unwrap_or(("http/protobuf", Origin::Default, false));
    let name = told_as(signal, own, "PROTOCOL");
    if let Some(name) = &name {
        from.show(name, text, origin);
    }
    OtlpProtocol::from_label(text).unwrap_or_else(|| {
        let form = Form {
            expected: "grpc or http/protobuf",
            example: "http/protobuf",
        };
        if let Some(name) = name {
            let problem = format!("{:?} is not supported", shown(text));
            from.mistake(&name, &problem, form);
        }
        OtlpProtocol::Http
    })
}

fn headers(from: &mut Reader<'_>, signal: Signal) -> Vec<(String, String)> {
    let own = from.secret(&format!("OTEL_EXPORTER_OTLP_{}_HEADERS", signal.name()));
    // Shown once, with those of the traces.
    let general = match signal {
        Signal::Traces => from.secret("OTEL_EXPORTER_OTLP_HEADERS"),
        Signal::Logs => {
            let general = from.raw("OTEL_EXPORTER_OTLP_HEADERS");
            general.map(|(text, _)| Secret::new(text.to_owned()))
        }
    };
    let Some(text) = own.or(general) else {
        return Vec::new();
    };
    // As the exporter reads those of the environment: what cannot be decoded is sent as it stands.
    let value = |text: &str| decoded(text).unwrap_or_else(|| text.to_owned());
    pairs(text.expose())
        .map(|(name, text)| (name.to_lowercase(), value(text)))
        .collect()
}
