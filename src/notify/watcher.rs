//! Tells people when the program cannot do its job, and when it can again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::alerts::{Condition, deliveries};
use crate::clock::{Clock, moment};
use crate::cycle::{Ending, Status};
use crate::delivery::Destinations;
use crate::domain::change::Priority;
use crate::domain::delivery::DeliveryState;
use crate::domain::notify::{AlertKind, AlertNews};
use crate::domain::routing::Routing;
use crate::domain::watch::{News, Watch};
use crate::health::Health;
use crate::shutdown::raised;
use crate::store::{Store, StoreError};
use crate::telemetry::labels::{Dependency, ErrorKind};

/// Between two looks at most.
const PACE: Duration = Duration::from_secs(5);

/// The notes in the store that this part keeps.
const NOTES: &str = "alert:";

/// Looks at the program and tells.
#[derive(Debug)]
pub struct Watcher {
    /// Who is told.
    pub routing: Arc<Routing>,
    /// How the cycles do.
    pub status: Arc<Status>,
    /// How the neighbours are.
    pub health: Arc<Health>,
    /// Which ways out are closed.
    pub destinations: Arc<Destinations>,
    /// The durable state.
    pub store: Store,
    /// The wall clock.
    pub clock: Clock,
    /// For how long something has to be wrong before people are told.
    pub patience: Duration,
    /// Between two probes of a neighbour.
    pub probes: Duration,
}

impl Watcher {
    /// Whether there is anybody to tell.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        !self
            .routing
            .alert(Priority::Critical, self.clock.now())
            .is_empty()
            || self.destinations.redis.is_some()
    }

    /// Looks until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut watches = BTreeMap::new();
        let mut is_known = false;
        loop {
            if !is_known && let Ok(kept) = self.kept().await {
                (watches, is_known) = (kept, true);
            }
            // What people were told before has to be known, or they are told twice.
            if is_known && let Err(error) = self.look(&mut watches).await {
                tracing::error!(error = %error, "a system alert could not be stored; trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(PACE.min(self.probes)) => {}
                () = raised(&mut stop) => return,
            }
        }
    }

    async fn kept(&self) -> Result<BTreeMap<String, Watch>, StoreError> {
        let notes = self.store.notes(NOTES).await?;
        let read = |(name, note): (String, String)| {
            let watch = serde_json::from_str(&note).unwrap_or_default();
            (name, watch)
        };
        Ok(notes.into_iter().map(read).collect())
    }

    async fn look(&self, watches: &mut BTreeMap<String, Watch>) -> Result<(), StoreError> {
        let now = self.clock.unix();
        for condition in self.conditions().await? {
            let name = format!("{NOTES}{}", condition.name());
            let before = watches.get(&name).copied().unwrap_or_default();
            let patience = match condition.kind {
                AlertKind::DeadLetters => 0.0,
                _ => self.patience.as_secs_f64(),
            };
            let before = before.grown(condition.count.unwrap_or_default(), now);
            let (mut after, news) = before.looked(condition.is_wrong, now, patience);
            if let Some(news) = news {
                self.tell(&condition, news, &name, &mut after).await?;
            }
            match after == Watch::default() || after.is_idle(now) {
                true => drop(watches.remove(&name)),
                false => drop(watches.insert(name, after)),
            }
        }
        Ok(())
    }

    /// What can be wrong, and whether it is.
    async fn conditions(&self) -> Result<Vec<Condition>, StoreError> {
        let mut conditions = vec![self.list_held()];
        conditions.extend(self.list_fails());
        for lane in &self.destinations.lanes {
            // A start alone brings nothing back that was down.
            let Some(is_down) = self.destinations.breakers.is_down(lane) else {
                continue;
            };
            conditions.push(Condition {
                subject: Some(lane.key()),
                detail: format!("Deliveries to {lane} are held back: it seems to be down."),
                ..Condition::of(AlertKind::DestinationDown, Priority::Medium, is_down)
            });
        }
        let outbox = self.store.outbox().await?;
        let dead = outbox.iter().filter(|one| one.state == DeliveryState::Dead);
        let (count, critical) =
            dead.fold((0, 0), |sum, one| (sum.0 + one.count, sum.1 + one.critical));
        let urgency = if critical > 0 {
            Priority::High
        } else {
            Priority::Medium
        };
        conditions.push(Condition {
            count: Some(count as u64),
            detail: "Deliveries were given up and wait for a person.".to_owned(),
            ..Condition::of(AlertKind::DeadLetters, urgency, count > 0)
        });
        Ok(conditions)
    }

    fn list_held(&self) -> Condition {
        let held = self.status.held();
        Condition {
            detail: held.clone().unwrap_or_default(),
            ..Condition::of(AlertKind::ListHeld, Priority::High, held.is_some())
        }
    }

    /// A login that has expired shows as an answer that is meant for a person who logs in. Nothing is
    /// known of it before the first cycle or probe of this run.
    fn list_fails(&self) -> Vec<Condition> {
        let status = self.health.status_of(Dependency::ApiClient);
        let is_down = status == Some("unhealthy");
        let failure = match self.status.ending() {
            Ending::Unknown if !is_down => return Vec::new(),
            Ending::Unknown | Ending::Well => None,
            Ending::Failed(error) => Some(error),
        };
        let is_login = failure.as_ref().is_some_and(|failure| {
            matches!(failure.kind, ErrorKind::Unauthorized | ErrorKind::Redirect)
        });
        let is_list = failure
            .as_ref()
            .is_some_and(|failure| failure.kind != ErrorKind::Store);
        let detail = failure.map_or_else(
            || "The match list's service does not answer well.".to_owned(),
            |failure| failure.message,
        );
        let of = |kind, is_wrong| Condition {
            detail: detail.clone(),
            ..Condition::of(kind, Priority::Critical, is_wrong)
        };
        let unreachable = of(
            AlertKind::ListUnreachable,
            !is_login && (is_list || is_down),
        );
        match self.status.ending() {
            // A probe tells nothing of the login.
            Ending::Unknown => vec![unreachable],
            _ => vec![of(AlertKind::LoginExpired, is_login), unreachable],
        }
    }

    async fn tell(
        &self,
        condition: &Condition,
        news: News,
        name: &str,
        after: &mut Watch,
    ) -> Result<(), StoreError> {
        let (since, until) = match news {
            News::Wrong { since } => (since, None),
            News::Right { since, until } => (since, Some(until)),
        };
        let news = AlertNews {
            kind: condition.kind,
            subject: condition.subject.clone(),
            since: whole_second(since),
            until: until.map(whole_second),
            count: condition.count.filter(|_| until.is_none()),
            detail: if until.is_none() {
                condition.detail.clone()
            } else {
                String::new()
            },
        };
        // That something is right again lets everybody sleep.
        let urgency = match until {
            None => condition.urgency,
            Some(_) => condition.urgency.max(Priority::High),
        };
        let is_on_redis = self.destinations.redis.is_some();
        let told = deliveries(&self.routing, &news, urgency, self.clock.now(), is_on_redis);
        let (kind, count) = (condition.kind.label(), told.len());
        // Those of these messages that are given up are nothing new.
        after.extent = condition.count.unwrap_or_default() + count as u64;
        let note = serde_json::to_string(&*after).unwrap_or_default();
        let now = (self.clock.unix(), self.clock.steady());
        self.store
            .enqueue(told, Some((name.to_owned(), Some(note))), now)
            .await?;
        self.status.wake_deliveries();
        if until.is_none() {
            tracing::warn!(alert = kind, messages = count, "people are told: {kind}");
        } else {
            tracing::info!(
                alert = kind,
                messages = count,
                "people are told it is over: {kind}"
            );
        }
        Ok(())
    }
}

fn whole_second(unix: f64) -> String {
    moment(unix.trunc()).to_string()
}
