//! Tells people when the program cannot do its job, and when it can again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::alerts::{Condition, deliveries, name_of};
use crate::clock::{Clock, moment};
use crate::cycle::{Ending, Status};
use crate::delivery::Destinations;
use crate::domain::change::Priority;
use crate::domain::delivery::{DeliveryState, Lane};
use crate::domain::notify::{AlertKind, AlertNews};
use crate::domain::routing::Routing;
use crate::domain::watch::{Lasting, News, Watch};
use crate::health::Health;
use crate::shutdown::raised;
use crate::store::{DeadLetters, Store, StoreError};
use crate::telemetry::labels::{Dependency, ErrorKind};

/// Between two looks at most.
const PACE: Duration = Duration::from_secs(5);

/// For so long something has to be right before people are told so.
const STEADY: f64 = 60.0;

/// Destinations that a message about dead letters names.
const NAMED: usize = 5;

/// The notes in the store that this part keeps.
const NOTES: &str = "alert:";

/// How often it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// All the time: notes are for what people were told.
    Steadily,
    /// Once in a run that soon ends: notes are for all that the next run has to know.
    OnceARun,
}

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
            if is_known && let Err(error) = self.look(&mut watches, Looks::Steadily).await {
                tracing::error!(error = %error, "a system alert could not be stored; trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(PACE.min(self.probes)) => {}
                () = raised(&mut stop) => return,
            }
        }
    }

    /// Looks once, for a run that soon ends, and goes on from where the last run was. Returns whether
    /// there is something to deliver.
    ///
    /// # Errors
    /// When the store fails; the next run looks again.
    pub async fn once(&self) -> Result<bool, StoreError> {
        let mut watches = self.kept().await?;
        self.look(&mut watches, Looks::OnceARun).await
    }

    /// What was known when the last run ended, without what is about destinations that are no more.
    async fn kept(&self) -> Result<BTreeMap<String, Watch>, StoreError> {
        let notes = self.store.notes(NOTES).await?;
        let mut kept = BTreeMap::new();
        for (name, note) in notes {
            if self.is_about_a_stray(&name) {
                tracing::info!(
                    "an alert about a destination that the settings no longer name is forgotten"
                );
                self.note(&name, None).await?;
                continue;
            }
            kept.insert(name, serde_json::from_str(&note).unwrap_or_default());
        }
        Ok(kept)
    }

    fn is_about_a_stray(&self, name: &str) -> bool {
        let lanes = name_of(AlertKind::DestinationDown, Some(""));
        let lane = name
            .strip_prefix(NOTES)
            .and_then(|name| name.strip_prefix(&lanes));
        lane.is_some_and(|key| {
            !self
                .destinations
                .lanes
                .iter()
                .map(Lane::key)
                .any(|one| one == key)
        })
    }

    /// Keeps what is known of a condition, or forgets it.
    async fn note(&self, name: &str, watch: Option<Watch>) -> Result<(), StoreError> {
        let note = watch.map(|watch| serde_json::to_string(&watch).unwrap_or_default());
        let now = (self.clock.unix(), self.clock.steady());
        let kept = self
            .store
            .enqueue(Vec::new(), Some((name.to_owned(), note)), now);
        kept.await.map(drop)
    }

    async fn look(
        &self,
        watches: &mut BTreeMap<String, Watch>,
        looks: Looks,
    ) -> Result<bool, StoreError> {
        let now = self.clock.unix();
        let mut has_told = false;
        for condition in self.conditions().await? {
            let name = format!("{NOTES}{}", condition.name());
            let known = watches.get(&name).copied();
            let before = known.unwrap_or_default();
            let lasting = self.lasting(condition.kind, looks);
            let grown = before.grown(condition.extent, now);
            let (mut after, news) = grown.looked(condition.is_wrong, now, lasting);
            if let Some(news) = news {
                self.tell(&condition, news, &name, &mut after).await?;
                has_told = true;
            }
            let is_over = after == Watch::default() || after.is_idle(now);
            match is_over {
                true => drop(watches.remove(&name)),
                false => drop(watches.insert(name.clone(), after)),
            }
            let has_note = before.told.is_some() || looks == Looks::OnceARun;
            if is_over && known.is_some() && has_note {
                self.note(&name, None).await?;
            } else if !is_over && news.is_none() && is_to_keep(&before, &after, looks) {
                self.note(&name, Some(after)).await?;
            }
        }
        Ok(has_told)
    }

    /// A run that looks once has seen no more than that when all is well.
    fn lasting(&self, kind: AlertKind, looks: Looks) -> Lasting {
        Lasting {
            wrong: match kind {
                AlertKind::DeadLetters => 0.0,
                _ => self.patience.as_secs_f64(),
            },
            right: match looks {
                Looks::Steadily => STEADY,
                Looks::OnceARun => 0.0,
            },
        }
    }

    /// What can be wrong, and whether it is.
    async fn conditions(&self) -> Result<Vec<Condition>, StoreError> {
        let mut conditions = vec![self.list_held()];
        conditions.extend(self.list_fails());
        for lane in &self.destinations.lanes {
            let breakers = &self.destinations.breakers;
            // A start alone brings nothing back that was down, and an answer that it is gone is no recovery.
            let (is_down, cause) = match self.destinations.messengers.is_gone(lane) {
                true => (
                    Some(true),
                    Some("the receiver says that it is gone".to_owned()),
                ),
                false => (breakers.is_down(lane), breakers.cause(lane)),
            };
            let Some(is_down) = is_down else {
                continue;
            };
            conditions.push(Condition {
                subject: Some(lane.key()),
                detail: held_back(lane, cause),
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
        let dead = match count {
            0 => Vec::new(),
            _ => self.store.dead_letters().await?,
        };
        conditions.push(Condition {
            count: Some(count as u64),
            extent: dead.iter().map(|one| one.count - one.about_such).sum(),
            detail: given_up(&dead),
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
        after.extent = condition.extent;
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

/// Whether the next run has to know what a look has found, and people were not told.
fn is_to_keep(before: &Watch, after: &Watch, looks: Looks) -> bool {
    match looks {
        Looks::OnceARun => after != before,
        Looks::Steadily => after.is_open && after.extent < before.extent,
    }
}

fn held_back(lane: &Lane, cause: Option<String>) -> String {
    let cause = cause.unwrap_or_else(|| "it seems to be down".to_owned());
    format!("Deliveries to {lane} are held back: {cause}.")
}

/// Where to, and what to do about it: how many there are is told beside it.
fn given_up(dead: &[DeadLetters]) -> String {
    if dead.is_empty() {
        return String::new();
    }
    let (named, others) = dead.split_at(dead.len().min(NAMED));
    let mut lanes: Vec<String> = named
        .iter()
        .map(|one| format!("{} to {}", one.count, one.lane))
        .collect();
    let others: u64 = others.iter().map(|one| one.count).sum();
    if others > 0 {
        lanes.push(format!("{others} to others"));
    }
    format!(
        "Deliveries were given up and wait for a person: {}. `deliveries list --state dead` shows them; \
         `deliveries retry` or `deliveries discard` ends it.",
        lanes.join(", ")
    )
}

fn whole_second(unix: f64) -> String {
    moment(unix.trunc()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Destination;

    #[test]
    fn an_alert_says_which_destination_and_why() {
        let lane = Lane::named(Destination::Webhook, "club");
        let cause = "the service answered 503".to_owned();
        assert_eq!(
            held_back(&lane, Some(cause)),
            "Deliveries to webhook:club are held back: the service answered 503."
        );
        let lanes = [
            "assets",
            "discord:a",
            "discord:b",
            "mail",
            "ntfy:c",
            "redis",
            "webhook:d",
        ];
        let dead: Vec<_> = (1..)
            .zip(lanes)
            .map(|(count, lane)| DeadLetters {
                lane: lane.to_owned(),
                count,
                about_such: 0,
            })
            .collect();
        let told = given_up(&dead[..1]);
        assert!(told.contains("a person: 1 to assets. "), "{told}");
        let told = given_up(&dead);
        let expected =
            "1 to assets, 2 to discord:a, 3 to discord:b, 4 to mail, 5 to ntfy:c, 13 to others.";
        assert!(told.contains(expected), "{told}");
    }
}
