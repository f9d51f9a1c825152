//! The way to a receiver of OTLP: its form, what is sent along, and whom it is believed to be.

use std::fmt;

use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, SpanExporter, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use opentelemetry_sdk::trace::SpanExporter as _;

use crate::config::{OtlpExporter, OtlpProtocol};

/// Sends spans to this receiver.
///
/// # Errors
/// When its address cannot be used.
pub fn spans(receiver: &OtlpExporter) -> Result<SpanExporter, Unusable> {
    let exporter = match receiver.protocol {
        OtlpProtocol::Http => over_http(SpanExporter::builder().with_http(), receiver).build(),
        OtlpProtocol::Grpc => over_grpc(SpanExporter::builder().with_tonic(), receiver).build(),
    };
    exporter.map_err(|error| Unusable::of(receiver, error))
}

/// Sends log lines to this receiver.
///
/// # Errors
/// When its address cannot be used.
pub fn lines(receiver: &OtlpExporter) -> Result<LogExporter, Unusable> {
    let exporter = match receiver.protocol {
        OtlpProtocol::Http => over_http(LogExporter::builder().with_http(), receiver).build(),
        OtlpProtocol::Grpc => over_grpc(LogExporter::builder().with_tonic(), receiver).build(),
    };
    exporter.map_err(|error| Unusable::of(receiver, error))
}

/// Sends an export without spans, as the daemon would send one, and waits for the answer. Needs a
/// thread on which no runtime works, and the runtime that gRPC is to use.
///
/// # Errors
/// What was wrong, in the words of the exporter.
pub fn try_once(receiver: &OtlpExporter, runtime: &tokio::runtime::Handle) -> Result<(), String> {
    let exporter = {
        let _inside = runtime.enter();
        spans(receiver).map_err(|unusable| unusable.error.to_string())?
    };
    let sent = exporter.export(Vec::new());
    futures_executor::block_on(sent).map_err(|error| error.to_string())
}

/// A receiver that cannot be sent anything.
#[derive(Debug)]
pub struct Unusable {
    /// The setting that names it.
    setting: String,
    error: ExporterBuildError,
}

impl Unusable {
    fn of(receiver: &OtlpExporter, error: ExporterBuildError) -> Self {
        let setting = receiver.setting.clone();
        Self { setting, error }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, error } = self;
        write!(f, "{setting} cannot be used: {error}")
    }
}

impl std::error::Error for Unusable {}

fn over_http<B: WithExportConfig + WithHttpConfig>(builder: B, receiver: &OtlpExporter) -> B {
    builder
        .with_endpoint(&receiver.endpoint)
        .with_timeout(receiver.timeout)
        .with_headers(receiver.headers.iter().cloned().collect())
}

fn over_grpc<B: WithExportConfig + WithTonicConfig>(builder: B, receiver: &OtlpExporter) -> B {
    let builder = builder
        .with_endpoint(&receiver.endpoint)
        .with_timeout(receiver.timeout)
        .with_metadata(metadata(receiver));
    match receiver.endpoint.starts_with("https:") {
        // Left to itself it would believe nobody.
        true => builder.with_tls_config(ClientTlsConfig::new().with_native_roots()),
        false => builder,
    }
}

fn metadata(receiver: &OtlpExporter) -> tonic::metadata::MetadataMap {
    let pairs = receiver.headers.iter().filter_map(|(name, value)| {
        Some((name.parse::<http::HeaderName>().ok()?, value.parse().ok()?))
    });
    tonic::metadata::MetadataMap::from_headers(pairs.collect())
}
