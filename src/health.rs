//! How the neighbours are: asked in the background, so that no request waits for one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use crate::client::{Health as Probe, HealthStatus};
use crate::clock::Clock;
use crate::cycle::{Ending, Status};
use crate::delivery::Destinations;
use crate::domain::delivery::Destination;
use crate::shutdown::raised;
use crate::store::Store;
use crate::telemetry::labels::Dependency;
use crate::telemetry::metrics::Metrics;
use crate::upstream::Upstream;

/// Between two probes of a neighbour that did not answer well.
const PROBE_WHEN_DOWN: Duration = Duration::from_secs(5);
/// A probe that takes longer counts as unanswered.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// How well something works, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Healthy,
    /// The main job is done, something beside it is not.
    Degraded,
    /// The main job cannot be done.
    Unhealthy,
}

/// How a neighbour was when it was last asked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DependencyStatus {
    /// Its name in the contract.
    #[serde(skip)]
    pub name: &'static str,
    /// `unknown` before the first answer.
    pub status: &'static str,
    /// Milliseconds that the answer took.
    pub response_time_ms: Option<f64>,
    /// What was wrong, without personal data.
    pub error: Option<String>,
    /// Unix seconds.
    pub last_checked: Option<f64>,
}

/// What the last probes found.
#[derive(Debug)]
pub struct Health {
    dependencies: Mutex<Vec<(Dependency, DependencyStatus)>>,
}

impl Health {
    /// Knows nothing yet of these neighbours.
    #[must_use]
    pub fn new(dependencies: &[Dependency]) -> Self {
        let unknown = |&dependency: &Dependency| {
            let status = DependencyStatus {
                name: dependency.label(),
                status: "unknown",
                response_time_ms: None,
                error: None,
                last_checked: None,
            };
            (dependency, status)
        };
        Self {
            dependencies: Mutex::new(dependencies.iter().map(unknown).collect()),
        }
    }

    /// Every neighbour.
    #[must_use]
    pub fn dependencies(&self) -> Vec<DependencyStatus> {
        self.lock()
            .iter()
            .map(|(_, status)| status.clone())
            .collect()
    }

    /// How one neighbour is: `unknown` before its first answer, none if there is no such neighbour.
    #[must_use]
    pub fn status_of(&self, dependency: Dependency) -> Option<&'static str> {
        let dependencies = self.lock();
        let found = dependencies.iter().find(|(known, _)| *known == dependency);
        found.map(|(_, status)| status.status)
    }

    /// The service as a whole: without the list or the store it cannot do its job; without the
    /// others what it makes waits in the outbox. `last` is how the last look at the list ended: a
    /// probe does not log in.
    #[must_use]
    pub fn overall(&self, store: &Store, last: &Ending) -> Level {
        self.of_probes(store).max(of_look(last))
    }

    fn of_probes(&self, store: &Store) -> Level {
        let list_is_down = |(dependency, status): &(Dependency, DependencyStatus)| {
            *dependency == Dependency::ApiClient && status.status == "unhealthy"
        };
        let dependencies = self.lock();
        if !store.is_writable() || dependencies.iter().any(list_is_down) {
            return Level::Unhealthy;
        }
        let ailing = |status: &str| matches!(status, "unhealthy" | "degraded");
        match dependencies.iter().any(|(_, status)| ailing(status.status)) {
            true => Level::Degraded,
            false => Level::Healthy,
        }
    }

    /// Notes an answer; true if the neighbour is better than it was.
    fn note(&self, dependency: Dependency, probe: &Probe, now: f64) -> bool {
        let mut dependencies = self.lock();
        let Some((_, status)) = dependencies
            .iter_mut()
            .find(|(known, _)| *known == dependency)
        else {
            return false;
        };
        let before = rank(status.status);
        status.status = match probe.status {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        };
        status.response_time_ms = Some((probe.response_time.as_secs_f64() * 1e6).round() / 1e3);
        status.error.clone_from(&probe.error);
        status.last_checked = Some(now);
        rank(status.status) > before
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Dependency, DependencyStatus)>> {
        self.dependencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look that failed is tried again, or waits for somebody who renews the login. Neither makes the
/// service unfit for triggers, which a 503 would keep from it: the next one finds out.
fn of_look(last: &Ending) -> Level {
    match last {
        Ending::Unknown | Ending::Well => Level::Healthy,
        Ending::Failed(_) => Level::Degraded,
    }
}

/// How well a neighbour is; one that was not asked yet is as well as can be.
fn rank(status: &str) -> u8 {
    match status {
        "unhealthy" => 0,
        "degraded" => 1,
        _ => 2,
    }
}

/// What is delivered by means of a neighbour.
fn waits_for(dependency: Dependency) -> &'static [Destination] {
    match dependency {
        Dependency::ApiClient => &[],
        Dependency::AvatarService => &[Destination::Avatars],
        Dependency::StorageService => &[Destination::Assets, Destination::Avatars],
        Dependency::Redis => &[Destination::Redis],
        Dependency::Calendar => &[Destination::Calendar],
        Dependency::Webhook => &[Destination::Webhook],
        Dependency::Discord => &[Destination::Discord],
        Dependency::Mail => &[Destination::Mail],
        Dependency::Ntfy => &[Destination::Ntfy],
    }
}

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
        let dependencies: Vec<_> = self.health.lock().iter().map(|(one, _)| *one).collect();
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
        self.metrics
            .dependency_up
            .set((dependency,), i64::from(well));
        if well {
            self.metrics
                .dependency_last_success_timestamp
                .set((dependency,), now);
        }
        for lane in &back {
            self.destinations.breakers.answers_again(lane);
            self.status.wake_deliveries();
        }
        if self.health.note(dependency, &probe, now) && back.is_empty() {
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
