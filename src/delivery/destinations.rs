//! All ways out, and which one an entry of the outbox takes.

use super::{Breakers, CalendarService, FileDelivery, Finding, Messengers, RedisService};
use crate::client::{CallError, Health};
use crate::cycle::Payload;
use crate::domain::delivery::{Destination, Lane};
use crate::store::Claimed;
use crate::telemetry::labels::{Dependency, ErrorKind};

/// The neighbours that deliveries go to.
#[derive(Debug)]
pub struct Destinations {
    /// The ways out that the settings name.
    pub lanes: Vec<Lane>,
    /// Hold back what would only knock at a closed door.
    pub breakers: Breakers,
    /// Files for matches.
    pub files: FileDelivery,
    /// Redis, if it is told.
    pub redis: Option<RedisService>,
    /// The calendar service, if it is told.
    pub calendar: Option<CalendarService>,
    /// The ways by which people are told.
    pub messengers: Messengers,
}

impl Destinations {
    /// Delivers an entry. Returns where it can be looked at, if anywhere.
    ///
    /// # Errors
    /// Whatever the neighbours answered.
    pub async fn deliver(
        &self,
        lane: &Lane,
        claimed: &Claimed,
    ) -> Result<Option<String>, CallError> {
        if claimed.attempt > 1
            && let Some(told) = told(lane.kind)
        {
            self.files.metrics.client_retries.inc((told,));
        }
        match lane.kind {
            Destination::Assets | Destination::Avatars => {
                let payload: Payload =
                    serde_json::from_str(&claimed.payload).map_err(|_| unreadable())?;
                let again = claimed.attempt > 1;
                let key = claimed.idempotency_key();
                self.files.deliver(payload, key, again).await.map(Some)
            }
            Destination::Redis => {
                let redis = self.redis.as_ref().ok_or_else(unknown)?;
                redis.deliver(claimed).await.map(|()| None)
            }
            Destination::Calendar => {
                let calendar = self.calendar.as_ref().ok_or_else(unknown)?;
                calendar.deliver(claimed).await.map(|()| None)
            }
            Destination::Webhook | Destination::Discord | Destination::Mail | Destination::Ntfy => {
                self.messengers.deliver(lane, claimed).await.map(|()| None)
            }
        }
    }

    /// What deliveries found of a way out, if they found it not well.
    #[must_use]
    pub fn finding(&self, lane: &Lane) -> Option<Finding> {
        if self.messengers.is_gone(lane) {
            return Some(Finding {
                is_down: true,
                service: None,
                why: "the receiver says that it is gone; it gets nothing more until the next start, or \
                      until a delivery to it is retried"
                    .to_owned(),
            });
        }
        self.breakers.finding(lane)
    }

    /// Asks how a neighbour is; one that is not in use is well. With ways out that answer again
    /// although others of their kind may not.
    pub async fn probe(&self, dependency: Dependency) -> (Health, Vec<Lane>) {
        let kind = match dependency {
            Dependency::Webhook => Destination::Webhook,
            Dependency::Discord => Destination::Discord,
            Dependency::Mail => Destination::Mail,
            Dependency::Ntfy => Destination::Ntfy,
            _ => return (self.probe_one(dependency).await, Vec::new()),
        };
        self.messengers.probe(kind).await
    }

    async fn probe_one(&self, dependency: Dependency) -> Health {
        match dependency {
            Dependency::AvatarService => self.files.probe_avatars().await,
            Dependency::StorageService => self.files.probe_files().await,
            Dependency::Redis => match &self.redis {
                Some(redis) => redis.probe().await,
                None => Health::healthy(),
            },
            Dependency::Calendar => match &self.calendar {
                Some(calendar) => calendar.calendar.probe().await,
                None => Health::healthy(),
            },
            _ => Health::healthy(),
        }
    }
}

/// The one service that is called for each attempt; files take two, which count for themselves.
const fn told(kind: Destination) -> Option<Dependency> {
    match kind {
        Destination::Assets | Destination::Avatars => None,
        Destination::Redis => Some(Dependency::Redis),
        Destination::Calendar => Some(Dependency::Calendar),
        Destination::Webhook => Some(Dependency::Webhook),
        Destination::Discord => Some(Dependency::Discord),
        Destination::Mail => Some(Dependency::Mail),
        Destination::Ntfy => Some(Dependency::Ntfy),
    }
}

pub(super) fn unreadable() -> CallError {
    CallError::of(ErrorKind::Internal, "the stored payload cannot be read")
}

fn unknown() -> CallError {
    CallError::of(
        ErrorKind::Internal,
        "the settings no longer name this destination",
    )
}

/// What is wrong with one of the ways that are served by a neighbour. Anybody may ask, and their names
/// may be those of people; logs and the list of deliveries have them.
#[must_use]
pub fn one_of(all: usize, what: &str) -> String {
    match all {
        1 => what.to_owned(),
        _ => format!("one of {all}: {what}"),
    }
}
