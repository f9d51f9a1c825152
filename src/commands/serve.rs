//! The daemon itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::app::{App, Failure, Reloads};
use crate::clock::Clock;
use crate::config::{Config, Source};
use crate::shutdown::{self, Hangup};
use crate::socket::Inherited;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{self, Telemetry};

/// Runs in the mode that the settings name.
///
/// # Errors
/// [`Failure`] says how it ended.
pub fn run(accept_empty_baseline: bool) -> Result<(), Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::Unusable(error.to_string());
    // Before there are threads, of telemetry for one.
    let inherited = Inherited::take().map_err(|error| unusable(&error))?;
    let sockets = inherited.settings();
    let load = move || Config::load(&Source::from_process().inheriting(sockets.clone()));
    let mut config = load().map_err(|errors| unusable(&errors))?;
    config.store.accept_empty_baseline = accept_empty_baseline;
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::new());
    let telemetry = telemetry::start(&config, &metrics)?;
    for warning in config.public_warnings() {
        tracing::warn!("{warning}");
    }
    let asked = shutdown::on_signals(Hangup::Counted).context("cannot listen for signals")?;
    let runtime = main_runtime()?;
    let outcome = runtime.block_on(async {
        let app = App::new(Arc::clone(&config), None, Clock::system(), metrics).await?;
        let reloads = Reloads {
            hangups: asked.hangups,
            load: Arc::new(load),
        };
        let app = app.reloading(reloads).inheriting(inherited);
        app.run(None, asked.stop).await
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    end(telemetry, config.shutdown_deadline);
    outcome
}

/// The runtime of cycles, deliveries and probes.
pub(super) fn main_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(32)
        // Shorter than the time between two looks at the files of the settings, which would keep one.
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("main")
        .enable_all()
        .build()
        .context("cannot start the main threads")
        .map_err(Failure::System)
}

/// Sends what telemetry still holds, within its share of the deadline.
pub(super) fn end(telemetry: Telemetry, total: Duration) {
    telemetry.shutdown(shutdown::Deadline { total }.telemetry());
}
