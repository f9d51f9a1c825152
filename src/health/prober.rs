//! Asks the neighbours how they are.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Health, waits_for};
use crate::client::{Health as Probe, HealthStatus};
use crate::clock::Clock;
use crate::cycle::Status;
use crate::delivery::Destinations;
use crate::shutdown::raised;
use crate::store::Store;
use crate::telemetry::labels::Dependency;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;

/// Between two probes of a neighbour that did not answer well.
const PROBE_WHEN_DOWN: Duration = Duration::from_secs(5);
/// A probe that takes longer counts as unanswered.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks the neighbours, each at its own pace.
#[derive(Debug)]
pub struct Prober {
    /// Where the answers go.
    pub health: Arc<Health>,
    /// The match list.
    pub upstream: Upstream,
    /// The services that deliveries go to.
    pub destinations: Arc<Destinations>,
    /// The durable state.
    pub store: Store,
    /// To wake the deliveries.
    pub status: Arc<Status>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The wall clock.
    pub clock: Clock,
    /// Between two probes of a neighbour that is well.
    pub interval: Duration,
}

impl Prober {
    /// Probes until `stop` is set.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut probes = tokio::task::JoinSet::new();
        let dependencies: Vec<_> = self.health.known();
        for dependency in dependencies {
            probes.spawn(Arc::clone(&self).watch(dependency));
        }
        probes.spawn(Arc::clone(&self).watch_store());
        raised(&mut stop).await;
    }

    async fn watch(self: Arc<Self>, dependency: Dependency) {
        loop {
            let well = self.probe(dependency).await;
            // Strangers' servers are asked less often.
            let (well_pause, down_pause) = match dependency {
                Dependency::Webhook | Dependency::Discord | Dependency::Mail | Dependency::Ntfy => {
                    (self.interval * 4, self.interval)
                }
                _ => (self.interval, PROBE_WHEN_DOWN.min(self.interval)),
            };
            let pause = if well { well_pause } else { down_pause };
            tokio::time::sleep(pause).await;
        }
    }

    async fn probe(&self, dependency: Dependency) -> bool {
        let begun = Instant::now();
        let asked = async {
            match dependency {
                Dependency::ApiClient => (self.upstream.probe().await, Vec::new()),
                _ => self.destinations.probe(dependency).await,
            }
        };
        let unanswered = || Probe {
            status: HealthStatus::Unhealthy,
            error: Some("no answer in time".to_owned()),
            response_time: PROBE_TIMEOUT,
        };
        let (probe, back) = tokio::time::timeout(PROBE_TIMEOUT, asked)
            .await
            .unwrap_or_else(|_| (unanswered(), Vec::new()));
        let well = probe.status != HealthStatus::Unhealthy;
        let now = self.clock.unix();
        if well {
            self.metrics
                .dependency_last_success_timestamp
                .set((dependency,), now);
        }
        for lane in &back {
            self.destinations.breakers.answers_again(lane);
            self.status.wake_deliveries();
        }
        let is_back = self.health.note(dependency, &probe, (begun, now));
        self.health.show(&self.metrics);
        if is_back && back.is_empty() {
            self.back(dependency);
        }
        well
    }

    /// What waits for a neighbour that is back is tried at once.
    fn back(&self, dependency: Dependency) {
        tracing::info!(
            dependency = dependency.label(),
            "{dependency} answers again"
        );
        for lane in &self.destinations.lanes {
            if waits_for(dependency).contains(&lane.kind) {
                self.destinations.breakers.answers_again(lane);
            }
        }
        self.status.wake_deliveries();
    }

    /// A disk that has space again is noticed without a trigger.
    async fn watch_store(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PROBE_WHEN_DOWN).await;
            if !self.store.is_writable() {
                let _ = self.store.probe().await;
            }
        }
    }
}
