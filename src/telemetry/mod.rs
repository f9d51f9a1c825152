//! Everything that the program shows of itself: metrics, spans and log lines.

mod bridge;
#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod document_tests;
pub mod exemplar;
mod export;
pub mod expose;
pub mod family;
pub mod labels;
pub mod log;
pub mod metrics;
pub mod openmetrics;
pub mod process;
mod receiver;
mod rejected;
pub mod span;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opentelemetry::logs::LoggerProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{Config, LogFormat, OtlpExporter};
use metrics::Metrics;
use rejected::Rejected;

/// Spans and log lines, on their way out until [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    logs: Option<SdkLoggerProvider>,
    /// gRPC needs a runtime of its own: the exporter works on a plain thread.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Telemetry {
    /// Builds the subscriber without installing it.
    ///
    /// # Errors
    /// When the receiver of traces cannot be used.
    pub fn build(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<(Self, Dispatch)> {
        let exports = config.otel.exporter.is_some() || config.otel.logs.is_some();
        let runtime = exports.then(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("otlp")
                .enable_all()
                .build()
        });
        let runtime = runtime
            .transpose()
            .context("cannot start the thread that sends traces")?;
        let rejected = Rejected::default();
        let (provider, logs) = {
            let _inside = runtime.as_ref().map(tokio::runtime::Runtime::enter);
            let (config, metrics) = (config.otel.clone(), Arc::clone(metrics));
            let rejected = rejected.clone();
            let build = move || {
                let resource = export::resource(&config);
                let spans = export::provider(&config, &resource, &metrics, &rejected)?;
                Ok::<_, receiver::Unusable>((
                    spans,
                    export::logger_provider(&config, &resource, &metrics, &rejected)?,
                ))
            };
            // The blocking client must be made, too, where no runtime is entered.
            match &runtime {
                Some(runtime) => {
                    let handle = runtime.handle().clone();
                    std::thread::spawn(move || {
                        let _inside = handle.enter();
                        build()
                    })
                    .join()
                    .map_err(|_| anyhow::anyhow!("cannot prepare the export of traces"))?
                }
                None => build(),
            }
        }?;
        if config.otel.exporter.is_some() {
            metrics.keep_exemplars();
        }
        let logger = logs
            .as_ref()
            .map(|logs| logs.logger("match-list-processor"));
        let dispatch = dispatch(config, metrics, &provider, logger, rejected)?;
        let telemetry = Self {
            provider,
            logs,
            runtime,
        };
        Ok((telemetry, dispatch))
    }

    /// Sends what still waits, and returns after `within` in any case.
    pub fn shutdown(self, within: Duration) {
        let Self {
            provider,
            logs,
            runtime,
        } = self;
        let (done, ended) = std::sync::mpsc::channel();
        let flush = move || {
            // Beside each other: one receiver that hangs must not take the time of both.
            let logs = logs
                .map(|logs| std::thread::spawn(move || drop(logs.shutdown_with_timeout(within))));
            let _ = provider.shutdown_with_timeout(within);
            let _ = logs.map(std::thread::JoinHandle::join);
            let _ = done.send(());
        };
        // A receiver that hangs would block the call for longer than it promises.
        if std::thread::Builder::new()
            .name("flush".into())
            .spawn(flush)
            .is_ok()
        {
            let _ = ended.recv_timeout(within);
        }
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

/// Sends a receiver of traces an export without spans, and waits at most `patience` for the answer.
///
/// # Errors
/// What was wrong.
pub fn try_export(receiver: &OtlpExporter, patience: Duration) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut receiver = receiver.clone();
    receiver.timeout = receiver.timeout.min(patience);
    let handle = runtime.handle().clone();
    let (done, answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(receiver::try_once(&receiver, &handle)));
    let result = answered.recv_timeout(patience);
    runtime.shutdown_background();
    result.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// Builds and installs logging and tracing for the whole process.
///
/// # Errors
/// When the receiver of traces cannot be used.
pub fn start(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Telemetry> {
    let (telemetry, dispatch) = Telemetry::build(config, metrics)?;
    tracing::dispatcher::set_global_default(dispatch).context("logging is set up already")?;
    // What was reached before may have been found unwanted, for ever.
    tracing::callsite::rebuild_interest_cache();
    log::report_panics(Arc::clone(metrics));
    // A trace that is sent nowhere helps no service that hears of it.
    if config.otel.propagate && config.otel.exporter.is_some() {
        span::propagate();
    }
    Ok(telemetry)
}

fn dispatch(
    config: &Config,
    metrics: &Arc<Metrics>,
    provider: &SdkTracerProvider,
    logger: Option<SdkLogger>,
    rejected: Rejected,
) -> anyhow::Result<Dispatch> {
    let level = config.log.level;
    // Without a receiver the spans of requests would be made and thrown away at every trigger. A
    // cycle has its ids all the same: its log lines and its record name them.
    let exporting = config.otel.exporter.is_some();
    // Filters stand on the layers: one for all would hide spans together with log lines.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("match-list-processor"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(move |meta| {
            let wanted = exporting || !span::OF_REQUESTS.contains(&meta.name());
            meta.is_span() && is_ours(meta.target()) && wanted
        }));
    let format = match config.log.format {
        LogFormat::Json => log::Format::Json,
        LogFormat::Text => log::Format::Text,
    };
    let shown = move |meta: &tracing::Metadata<'_>| {
        let level = if is_ours(meta.target()) {
            level
        } else {
            level.min(LevelFilter::WARN)
        };
        *meta.level() <= level && !rejected::is_of_exporter(meta)
    };
    let to_terminal = config.log.file.is_none();
    let writer = match &config.log.file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => BoxMakeWriter::new(std::sync::Mutex::new(
            std::fs::File::create(path)
                .with_context(|| format!("cannot write {}", path.display()))?,
        )),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(to_terminal && matches!(format, log::Format::Text) && log::has_colours())
        .event_format(format)
        .with_writer(writer)
        .with_filter(filter_fn(move |meta| meta.is_event() && shown(meta)));
    let counted = log::Counting(Arc::clone(metrics))
        .with_filter(filter_fn(move |meta| meta.is_event() && shown(meta)));
    // Only lines of this program: what the exporter says of itself would go round in circles.
    let exported = logger.map(|logger| {
        let wanted = move |meta: &tracing::Metadata<'_>| {
            meta.is_event() && is_ours(meta.target()) && shown(meta)
        };
        bridge::Bridge(logger).with_filter(filter_fn(wanted))
    });
    let rejected = rejected.with_filter(filter_fn(|meta| {
        rejected::is_of_exporter(meta) && *meta.level() == tracing::Level::WARN
    }));
    Ok(Dispatch::new(
        tracing_subscriber::registry()
            .with(spans)
            .with(lines)
            .with(exported)
            .with(counted)
            .with(rejected),
    ))
}

fn is_ours(target: &str) -> bool {
    target.starts_with("match_list_processor")
}
