//! How the neighbours are: asked in the background, so that no request waits for one, and as the work
//! with them finds them.

mod prober;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

pub use prober::Prober;

use crate::client::{Health as Probe, HealthStatus};
use crate::cycle::{Ending, Status};
use crate::delivery::{Destinations, one_of};
use crate::domain::delivery::{Destination, Lane};
use crate::store::Store;
use crate::telemetry::labels::Dependency;
use crate::telemetry::metrics::Metrics;

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

/// How a neighbour is: as it answered when it was last asked, or worse if deliveries say so.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DependencyStatus {
    /// Its name in the contract.
    #[serde(skip)]
    pub name: &'static str,
    /// `unknown` before the first answer.
    pub status: &'static str,
    /// Milliseconds that the answer took.
    pub response_time_ms: Option<f64>,
    /// What was wrong, or what deliveries found, without personal data.
    pub error: Option<String>,
    /// Unix seconds.
    pub last_checked: Option<f64>,
}

/// What the last probe of a neighbour found.
#[derive(Debug)]
struct Probed {
    dependency: Dependency,
    /// When it was begun.
    begun: Option<Instant>,
    found: DependencyStatus,
}

/// What probes, looks at the list and deliveries found.
#[derive(Debug)]
pub struct Health {
    probes: Mutex<Vec<Probed>>,
    status: Arc<Status>,
    destinations: Arc<Destinations>,
}

impl Health {
    /// Knows nothing yet of these neighbours.
    #[must_use]
    pub fn new(
        dependencies: &[Dependency],
        status: Arc<Status>,
        destinations: Arc<Destinations>,
    ) -> Self {
        let unknown = |&dependency: &Dependency| Probed {
            dependency,
            begun: None,
            found: DependencyStatus {
                name: dependency.label(),
                status: "unknown",
                response_time_ms: None,
                error: None,
                last_checked: None,
            },
        };
        Self {
            probes: Mutex::new(dependencies.iter().map(unknown).collect()),
            status,
            destinations,
        }
    }

    /// Every neighbour.
    #[must_use]
    pub fn dependencies(&self) -> Vec<DependencyStatus> {
        self.lock().iter().map(|one| self.judged(one)).collect()
    }

    /// How one neighbour is: `unknown` before its first answer, none if there is no such neighbour.
    #[must_use]
    pub fn status_of(&self, dependency: Dependency) -> Option<&'static str> {
        let probes = self.lock();
        let found = probes.iter().find(|one| one.dependency == dependency);
        found.map(|one| self.judged(one).status)
    }

    /// For how long nothing is tried to be delivered this way; none if something may be.
    #[must_use]
    pub fn held_for(&self, lane: &Lane) -> Option<Duration> {
        self.destinations.breakers.held_for(lane)
    }

    /// A person retries what goes this way: what its receiver said of itself before counts no more.
    pub fn ask_again(&self, lane: &Lane) {
        self.destinations.messengers.ask_again(lane);
    }

    /// Brings the figures up to date with what was found since the last probe.
    pub fn show(&self, metrics: &Metrics) {
        for one in self.lock().iter() {
            let is_up = self.judged(one).status != "unhealthy";
            metrics
                .dependency_up
                .set((one.dependency,), i64::from(is_up));
            if let Some(ended) = self.looked_since(one) {
                metrics
                    .dependency_last_success_timestamp
                    .set((one.dependency,), ended);
            }
        }
    }

    /// The service as a whole: without the list or the store it cannot do its job; without the
    /// others what it makes waits in the outbox. A probe does not log in: how the last look at the
    /// list ended counts, too.
    #[must_use]
    pub fn overall(&self, store: &Store) -> Level {
        let look = of_look(&self.status.ending());
        self.of_dependencies(store).max(look)
    }

    fn of_dependencies(&self, store: &Store) -> Level {
        let list = Dependency::ApiClient.label();
        let dependencies = self.dependencies();
        let mut ailing = dependencies.iter().filter(|one| rank(one.status) < BEST);
        let is_list_down = |one: &DependencyStatus| one.name == list && rank(one.status) == WORST;
        match ailing.next() {
            _ if !store.is_writable() || dependencies.iter().any(is_list_down) => Level::Unhealthy,
            Some(_) => Level::Degraded,
            None => Level::Healthy,
        }
    }

    /// A probe only knocks. Whether the door opens is found by those who have something to bring.
    fn judged(&self, probed: &Probed) -> DependencyStatus {
        let mut judged = probed.found.clone();
        if let Some(ended) = self.looked_since(probed) {
            judged.status = "healthy";
            judged.response_time_ms = None;
            judged.error = None;
            judged.last_checked = Some(ended);
        }
        if let Some((status, why)) = self.found_by_deliveries(probed.dependency)
            && rank(status) < rank(judged.status)
        {
            judged.status = status;
            judged.error = Some(why);
        }
        judged
    }

    /// When a look at the list ended well, if no later probe knows better, Unix seconds. What the
    /// service says itself that is wrong with it stands.
    fn looked_since(&self, probed: &Probed) -> Option<f64> {
        if probed.dependency != Dependency::ApiClient || probed.found.status == "degraded" {
            return None;
        }
        let (at, ended) = self.status.looked_well()?;
        probed.begun.is_none_or(|begun| begun < at).then_some(ended)
    }

    /// The worst of what deliveries by means of a neighbour found.
    fn found_by_deliveries(&self, dependency: Dependency) -> Option<(&'static str, String)> {
        let ways = self.destinations.lanes.iter();
        let ours = ways.filter(|lane| waits_for(dependency).contains(&lane.kind));
        let all = ours.clone().count();
        let found = ours.filter_map(|lane| {
            let finding = self.destinations.finding(lane)?;
            // Of two services that a file takes the other may be to blame.
            let is_to_blame = finding.service.is_none_or(|service| service == dependency);
            let status = if finding.is_down {
                "unhealthy"
            } else {
                "degraded"
            };
            is_to_blame.then(|| (status, one_of(all, &finding.why)))
        });
        found.min_by_key(|(status, _)| rank(status))
    }

    /// Notes an answer to a probe that was begun and has ended (Unix seconds) then; true if the
    /// neighbour answers better than it did.
    fn note(&self, dependency: Dependency, probe: &Probe, (begun, ended): (Instant, f64)) -> bool {
        let mut probes = self.lock();
        let Some(probed) = probes.iter_mut().find(|one| one.dependency == dependency) else {
            return false;
        };
        let before = rank(probed.found.status);
        probed.begun = Some(begun);
        let found = &mut probed.found;
        found.status = match probe.status {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        };
        found.response_time_ms = Some((probe.response_time.as_secs_f64() * 1e6).round() / 1e3);
        found.error.clone_from(&probe.error);
        found.last_checked = Some(ended);
        rank(found.status) > before
    }

    /// Which neighbours there are.
    fn known(&self) -> Vec<Dependency> {
        self.lock().iter().map(|one| one.dependency).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Probed>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
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

/// How a neighbour is that cannot be used.
const WORST: u8 = 0;
/// How one is that is well, as far as is known.
const BEST: u8 = 2;

/// How well a neighbour is; one that was not asked yet is as well as can be.
fn rank(status: &str) -> u8 {
    match status {
        "unhealthy" => WORST,
        "degraded" => 1,
        _ => BEST,
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
