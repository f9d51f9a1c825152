//! The probes. None of them waits for anything.

use std::collections::BTreeMap;

use http::StatusCode;

use super::problem::{unavailable, unreadable};
use super::route::Site;
use super::status::SERVICE_NAME;
use super::view::{
    Authentication, Dependencies, DetailedHealth, Health, Probe, Queue, SecretState, StoreHealth,
};
use super::{Response, json};
use crate::config::Config;
use crate::cycle::Ending;
use crate::domain::delivery::DeliveryState;
use crate::health::{DependencyStatus, Level};
use crate::store::StoreError;

/// The process is there.
pub fn simple() -> Response {
    json(StatusCode::OK, &Probe { status: "healthy" })
}

/// The process need not be restarted.
pub fn live() -> Response {
    json(StatusCode::OK, &Probe { status: "alive" })
}

/// The process takes triggers.
pub fn ready(site: &Site) -> Response {
    if site.status.is_draining() {
        return unavailable("Shutting down", 5);
    }
    json(StatusCode::OK, &Probe { status: "ready" })
}

/// The service as a whole, 503 when it cannot do its job.
pub fn health(site: &Site) -> Response {
    let config = site.config.now();
    let level = site.health.overall(&site.store);
    let dependencies = site.health.dependencies().into_iter();
    let body = Health {
        service_name: SERVICE_NAME,
        status: level,
        mode: config.mode.mode,
        processing: site.status.is_processing(),
        processing_count: site.status.cycles(),
        last_processing_time: site.status.last_end(),
        dependencies: dependencies.map(|one| (one.name, one.status)).collect(),
        paused: site.status.is_paused(),
        held: site.status.held(),
        authentication: config.auth.scheme,
        warnings: warnings(site, &config),
        timestamp: site.clock.unix(),
    };
    json(code(level), &body)
}

/// Each neighbour, as it was when it was last asked.
pub fn dependencies(site: &Site) -> Response {
    let dependencies = by_name(site);
    json(StatusCode::OK, &Dependencies { dependencies })
}

/// Everything that is known without asking anybody.
pub async fn detailed(site: &Site) -> Response {
    let level = site.health.overall(&site.store);
    let config = site.config.now();
    let (waiting, oldest) = match site.shown.queue().await {
        Err(error @ StoreError::Busy) => return unreadable(&error),
        read => read.unwrap_or((0, None)),
    };
    let body = DetailedHealth {
        service_name: SERVICE_NAME,
        version: env!("CARGO_PKG_VERSION"),
        status: level,
        mode: config.mode.mode,
        processing: site.status.is_processing(),
        processing_count: site.status.cycles(),
        last_processing_time: site.status.last_end(),
        last_success_time: site.status.last_success(),
        dependencies: by_name(site),
        store: StoreHealth {
            writable: site.store.is_writable(),
        },
        queue: Queue {
            waiting,
            capacity: config.store.queue_capacity,
            oldest,
        },
        next_cycle_not_before: not_before(site),
        schedule: site.status.planned(),
        deliveries: outbox(site).await,
        held: site.status.held(),
        paused: site.status.is_paused(),
        authentication: Authentication {
            scheme: config.auth.scheme,
            secrets: secrets(site, &config),
        },
        warnings: warnings(site, &config),
        timestamp: site.clock.unix(),
    };
    json(code(level), &body)
}

/// Until when no cycle begins.
fn not_before(site: &Site) -> Option<f64> {
    let left = site.status.held_back()?;
    Some(site.clock.unix() + left.as_secs_f64())
}

/// What is odd in the settings, whether it shuts the door now, and why the last look failed.
fn warnings(site: &Site, config: &Config) -> Vec<String> {
    let shut = config.auth.is_shut(site.clock.unix());
    let shut =
        shut.then(|| "no secret of WEBHOOK_SECRETS counts now: nobody can trigger".to_owned());
    let failed = match site.status.ending() {
        Ending::Failed(error) => Some(format!(
            "the last look at the list failed: {}",
            error.message
        )),
        Ending::Unknown | Ending::Well => None,
    };
    let settings = config.public_warnings().into_iter();
    settings.chain(shut).chain(failed).collect()
}

/// The secrets by the names that people gave them.
fn secrets(site: &Site, config: &Config) -> Vec<SecretState> {
    let now = site.clock.unix();
    let shown = config.auth.keys.iter().map(|key| SecretState {
        label: key.label.to_string(),
        valid: key.validity.holds(now),
        not_before: key.validity.from,
        not_after: key.validity.until,
    });
    shown.collect()
}

/// How many entries of the outbox are in each state; none while the store cannot be read.
async fn outbox(site: &Site) -> Option<BTreeMap<DeliveryState, usize>> {
    let counts = site.shown.outbox().await.ok()?;
    let mut by_state: BTreeMap<_, _> = DeliveryState::ALL.iter().map(|&state| (state, 0)).collect();
    for entry in counts {
        *by_state.entry(entry.state).or_default() += entry.count;
    }
    Some(by_state)
}

fn by_name(site: &Site) -> BTreeMap<&'static str, DependencyStatus> {
    let dependencies = site.health.dependencies().into_iter();
    dependencies.map(|status| (status.name, status)).collect()
}

fn code(level: Level) -> StatusCode {
    match level {
        Level::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Level::Healthy | Level::Degraded => StatusCode::OK,
    }
}
