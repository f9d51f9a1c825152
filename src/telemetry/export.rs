//! The way of a span out of the process: bounded, filtered, counted, and never in the way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as ExportLogs, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracerProvider,
    ShouldSample, Span, SpanData, SpanExporter as ExportSpans, SpanProcessor,
};

use super::metrics::Metrics;
use super::receiver::{self, Unusable};
use super::rejected::Rejected;
use crate::config::{OTEL_SERVICE_NAME, OtelConfig, all_decoded};

/// Attributes that may leave the process. Anything else is dropped, whoever adds it.
const ALLOWED: &[&str] = &[
    "error.type",
    "http.request.method",
    "http.request.resend_count",
    "http.response.status_code",
    "http.route",
    "match_list_processor.attempt",
    "match_list_processor.destination",
    "messaging.batch.message_count",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.system",
    "peer.service",
    "server.address",
    "server.port",
    "url.path",
];

/// The provider of spans; without a receiver its spans have ids and go nowhere.
///
/// # Errors
/// When the receiver's address cannot be used.
pub fn provider(
    config: &OtelConfig,
    resource: &Resource,
    metrics: &Arc<Metrics>,
    rejected: &Rejected,
) -> Result<SdkTracerProvider, Unusable> {
    let builder = SdkTracerProvider::builder()
        .with_sampler(LocalParent(sampler(config)))
        .with_max_links_per_span(128)
        .with_resource(resource.clone());
    let Some(receiver) = &config.exporter else {
        return Ok(builder.build());
    };
    let pending = Arc::new(AtomicUsize::new(0));
    let exporter = Counted {
        inner: receiver::spans(receiver)?,
        pending: Arc::clone(&pending),
        metrics: Arc::clone(metrics),
        rejected: rejected.clone(),
    };
    let batch = BatchConfigBuilder::default()
        .with_max_queue_size(config.max_queue_size)
        .with_max_export_batch_size(config.max_batch_size)
        .with_scheduled_delay(config.schedule_delay)
        .build();
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batch)
        .build();
    let bounded = Bounded {
        inner: processor,
        pending,
        capacity: config.max_queue_size,
        metrics: Arc::clone(metrics),
    };
    Ok(builder.with_span_processor(bounded).build())
}

/// The provider of log records, if they are to be exported.
///
/// # Errors
/// When the receiver's address cannot be used.
pub fn logger_provider(
    config: &OtelConfig,
    resource: &Resource,
    metrics: &Arc<Metrics>,
    rejected: &Rejected,
) -> Result<Option<SdkLoggerProvider>, Unusable> {
    let Some(receiver) = &config.logs else {
        return Ok(None);
    };
    let counted = CountedLines {
        inner: receiver::lines(receiver)?,
        metrics: Arc::clone(metrics),
        rejected: rejected.clone(),
    };
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(counted);
    Ok(Some(provider.build()))
}

/// Who it is that tells. What the settings say wins over what is made up here.
pub fn resource(config: &OtelConfig) -> Resource {
    let instance = format!("{:032x}", fastrand::u128(..));
    let said = all_decoded(config.resource_attributes.expose()).unwrap_or_default();
    let said = said
        .into_iter()
        .map(|(name, value)| KeyValue::new(name, value));
    let name = config.service_name.clone();
    Resource::builder_empty()
        .with_service_name(OTEL_SERVICE_NAME)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attributes(said)
        .with_attributes(name.map(|name| KeyValue::new("service.name", name)))
        .build()
}

fn sampler(config: &OtelConfig) -> Sampler {
    let ratio = config.sampler_argument.unwrap_or(1.0);
    match config.sampler.trim_start_matches("parentbased_") {
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio),
        _ => Sampler::AlwaysOn,
    }
}

/// Follows a parent of this process; the word of a parent elsewhere is not trusted, or any client
/// could have everything recorded.
#[derive(Clone, Debug)]
struct LocalParent(Sampler);

impl ShouldSample for LocalParent {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let local = parent.filter(|context| {
            let span = context.span();
            span.span_context().is_valid() && !span.span_context().is_remote()
        });
        let follow = local.map(|context| match context.span().span_context().is_sampled() {
            true => Sampler::AlwaysOn,
            false => Sampler::AlwaysOff,
        });
        follow
            .as_ref()
            .unwrap_or(&self.0)
            .should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// Drops spans, and counts them, once too many wait for the exporter.
struct Bounded<P> {
    inner: P,
    pending: Arc<AtomicUsize>,
    capacity: usize,
    metrics: Arc<Metrics>,
}

impl<P: fmt::Debug> fmt::Debug for Bounded<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.pending.fetch_add(1, Ordering::Relaxed) >= self.capacity {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            self.metrics.tracing_spans_dropped.inc(());
            return;
        }
        retain_allowed(&mut span);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn retain_allowed(span: &mut SpanData) {
    let allowed = |pair: &KeyValue| ALLOWED.contains(&pair.key.as_str());
    span.attributes.retain(allowed);
    span.events.events.clear();
    span.span_context = without_state(&span.span_context);
    for link in &mut span.links.links {
        link.attributes.clear();
        link.span_context = without_state(&link.span_context);
    }
}

/// The state of a trace is a text of whoever began it.
fn without_state(context: &SpanContext) -> SpanContext {
    SpanContext::new(
        context.trace_id(),
        context.span_id(),
        context.trace_flags(),
        context.is_remote(),
        TraceState::NONE,
    )
}

/// Counts exports of log lines that failed.
#[derive(Debug)]
struct CountedLines {
    inner: LogExporter,
    metrics: Arc<Metrics>,
    rejected: Rejected,
}

impl ExportLogs for CountedLines {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        let rejected = self.rejected.take_lines();
        if rejected > 0 {
            tracing::warn!(rejected, "the receiver of log lines rejected some of them");
        }
        if result.is_err() || rejected > 0 {
            self.metrics.tracing_export_failures.inc(());
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what could not be exported.
struct Counted<E> {
    inner: E,
    pending: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    rejected: Rejected,
}

impl<E: fmt::Debug> fmt::Debug for Counted<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<E: ExportSpans> ExportSpans for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        self.pending.fetch_sub(spans, Ordering::Relaxed);
        if result.is_err() {
            self.metrics.tracing_export_failures.inc(());
            self.metrics.tracing_spans_dropped.add((), spans as u64);
        }
        let rejected = self.rejected.take_spans();
        if rejected > 0 {
            tracing::warn!(
                rejected,
                "the receiver of traces rejected some of the spans"
            );
            self.metrics.tracing_spans_dropped.add((), rejected);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
