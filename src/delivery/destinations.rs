//! All ways out, and which one an entry of the outbox takes.

use super::{Breakers, FileDelivery, RedisService};
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
            _ => Err(unknown()),
        }
    }

    /// Asks how a neighbour is. One that is not in use is well.
    pub async fn probe(&self, dependency: Dependency) -> Health {
        match dependency {
            Dependency::AvatarService => self.files.probe_avatars().await,
            Dependency::StorageService => self.files.probe_files().await,
            Dependency::Redis => match &self.redis {
                Some(redis) => redis.probe().await,
                None => Health::healthy(),
            },
            _ => Health::healthy(),
        }
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
