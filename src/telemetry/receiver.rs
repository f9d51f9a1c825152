//! The way to a receiver of OTLP: its form, what is sent along, and whom it is believed to be.

use std::fmt;
use std::time::Duration;

use opentelemetry_otlp::tonic_types::transport::{self, ClientTlsConfig};
use opentelemetry_otlp::{
    LogExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::trace::SpanExporter as _;
use reqwest::Certificate;
use reqwest::blocking::Client;

use crate::config::{OtlpExporter, OtlpProtocol};

/// Sends spans to this receiver.
///
/// # Errors
/// When its address cannot be used.
pub fn spans(receiver: &OtlpExporter) -> Result<SpanExporter, Unusable> {
    match receiver.protocol {
        OtlpProtocol::Http => over_http(SpanExporter::builder().with_http(), receiver)
            .and_then(|builder| builder.build().map_err(|error| error.to_string())),
        OtlpProtocol::Grpc => over_grpc(SpanExporter::builder().with_tonic(), receiver)
            .build()
            .map_err(|error| error.to_string()),
    }
    .map_err(|problem| Unusable::of(receiver, problem))
}

/// Sends log lines to this receiver.
///
/// # Errors
/// When its address cannot be used.
pub fn lines(receiver: &OtlpExporter) -> Result<LogExporter, Unusable> {
    match receiver.protocol {
        OtlpProtocol::Http => over_http(LogExporter::builder().with_http(), receiver)
            .and_then(|builder| builder.build().map_err(|error| error.to_string())),
        OtlpProtocol::Grpc => over_grpc(LogExporter::builder().with_tonic(), receiver)
            .build()
            .map_err(|error| error.to_string()),
    }
    .map_err(|problem| Unusable::of(receiver, problem))
}

/// Sends an export without spans, as the daemon would send one, and waits for the answer. Needs a
/// thread on which no runtime works, and the runtime that gRPC is to use.
///
/// # Errors
/// What was wrong, in the words of the exporter.
pub fn try_once(receiver: &OtlpExporter, runtime: &tokio::runtime::Handle) -> Result<(), String> {
    let exporter = {
        let _inside = runtime.enter();
        spans(receiver).map_err(|unusable| unusable.problem)?
    };
    let sent = exporter.export(Vec::new());
    futures_executor::block_on(sent).map_err(|error| error.to_string())
}

/// A receiver that cannot be sent anything.
#[derive(Debug)]
pub struct Unusable {
    /// The setting that names it.
    setting: String,
    /// In the words of the exporter.
    problem: String,
}

impl Unusable {
    fn of(receiver: &OtlpExporter, problem: String) -> Self {
        let setting = receiver.setting.clone();
        Self { setting, problem }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, problem } = self;
        write!(f, "{setting} cannot be used: {problem}")
    }
}

impl std::error::Error for Unusable {}

fn over_http<B>(builder: B, receiver: &OtlpExporter) -> Result<B, String>
where
    B: WithExportConfig + WithHttpConfig,
{
    let builder = builder
        .with_endpoint(&receiver.endpoint)
        .with_timeout(receiver.timeout)
        .with_headers(receiver.headers.iter().cloned().collect());
    match &receiver.authorities {
        Some(authorities) => {
            let client = client(authorities, receiver.timeout)?;
            Ok(builder.with_http_client(client))
        }
        // It makes one that believes whom the system trusts.
        None => Ok(builder),
    }
}

/// A client that believes whom these authorities (PEM) vouch for.
fn client(authorities: &[u8], timeout: Duration) -> Result<Client, String> {
    let certificates = Certificate::from_pem_bundle(authorities);
    let certificates = certificates.map_err(|error| error.to_string())?;
    let make = move || {
        Client::builder()
            .timeout(timeout)
            .tls_certs_only(certificates)
            .build()
    };
    // It must be made where no runtime is entered.
    let made = std::thread::spawn(make).join();
    let made = made.map_err(|_| "no client can be made".to_owned())?;
    made.map_err(|error| error.to_string())
}

fn over_grpc<B>(builder: B, receiver: &OtlpExporter) -> B
where
    B: WithExportConfig + WithTonicConfig,
{
    let builder = builder
        .with_endpoint(&receiver.endpoint)
        .with_timeout(receiver.timeout)
        .with_metadata(metadata(receiver));
    if !receiver.endpoint.starts_with("https:") {
        return builder;
    }
    // Left to itself it would believe nobody.
    let tls = ClientTlsConfig::new();
    builder.with_tls_config(match &receiver.authorities {
        Some(authorities) => tls.ca_certificate(transport::Certificate::from_pem(authorities)),
        None => tls.with_native_roots(),
    })
}

fn metadata(receiver: &OtlpExporter) -> tonic::metadata::MetadataMap {
    let pairs = receiver.headers.iter().filter_map(|(name, value)| {
        Some((name.parse::<http::HeaderName>().ok()?, value.parse().ok()?))
    });
    tonic::metadata::MetadataMap::from_headers(pairs.collect())
}
