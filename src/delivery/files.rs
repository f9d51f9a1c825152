//! Delivering a file: made if it is a picture, then stored.

use std::sync::Arc;

use bytes::Bytes;

use super::{AvatarService, Files, Upload};
use crate::assets::avatar::{Club, draw};
use crate::client::{CallError, Health};
use crate::clock::Clock;
use crate::cycle::{Content, Payload};
use crate::store::Store;
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// Where avatars come from.
#[derive(Debug)]
pub enum AvatarSource {
    /// Drawn in this process.
    Embedded,
    /// Asked for.
    Service(AvatarService),
}

/// Makes files and stores them.
#[derive(Debug)]
pub struct FileDelivery {
    /// Where avatars come from.
    pub avatars: AvatarSource,
    /// Where files go.
    pub files: Files,
    /// Keeps avatars that were made but not yet stored.
    pub store: Store,
    /// The wall clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl FileDelivery {
    /// Makes and stores a file; returns where it can be looked at. `idempotency_key` is the same at
    /// each attempt; `again` says that it is not the first.
    ///
    /// # Errors
    /// Whatever the neighbours answered.
    pub async fn deliver(
        &self,
        payload: Payload,
        idempotency_key: String,
        again: bool,
    ) -> Result<String, CallError> {
        let bytes = match payload.content {
            Content::Text(text) => Bytes::from(text),
            Content::Avatar {
                home_club,
                away_club,
                home_name,
                away_name,
            } => {
                let home = Club {
                    id: home_club,
                    name: home_name,
                };
                let away = Club {
                    id: away_club,
                    name: away_name,
                };
                self.avatar(home, away, again).await?
            }
        };
        let upload = Upload {
            idempotency_key,
            folder: payload.folder,
            file_name: payload.file_name,
            content_type: payload.content_type,
            bytes,
        };
        self.count_retry(again, Dependency::StorageService);
        let stored = self.files.store(&upload).await;
        // A folder or a bucket takes no call that would say so.
        let stored = stored.map_err(|error| CallError {
            service: Some(Dependency::StorageService),
            ..error
        });
        Ok(stored?.url)
    }

    fn count_retry(&self, again: bool, dependency: Dependency) {
        if again {
            self.metrics.client_retries.inc((dependency,));
        }
    }

    async fn avatar(&self, home: Club, away: Club, again: bool) -> Result<Bytes, CallError> {
        let service = match &self.avatars {
            AvatarSource::Service(service) => service,
            AvatarSource::Embedded => return drawn(home, away).await,
        };
        let (Some(home_id), Some(away_id)) = (home.id, away.id) else {
            // The service knows clubs by their ids only; a match without them gets one all the same.
            return drawn(home, away).await;
        };
        let clubs = format!("{home_id}-{away_id}");
        if let Ok(Some(png)) = self.store.avatar(clubs.clone()).await {
            return Ok(Bytes::from(png));
        }
        self.count_retry(again, Dependency::AvatarService);
        let png = service.create(home_id, away_id).await?;
        // Only spares the service another round; the upload goes on without it.
        if let Err(error) = self
            .store
            .put_avatar(clubs, png.to_vec(), self.clock.unix())
            .await
        {
            tracing::warn!(error = %error, "an avatar could not be kept for another try");
        }
        Ok(png)
    }

    /// How the avatar service is; well if avatars are drawn here.
    pub async fn probe_avatars(&self) -> Health {
        match &self.avatars {
            AvatarSource::Embedded => Health::healthy(),
            AvatarSource::Service(service) => service.probe().await,
        }
    }

    /// How the store of files is.
    pub async fn probe_files(&self) -> Health {
        self.files.probe().await
    }
}

async fn drawn(home: Club, away: Club) -> Result<Bytes, CallError> {
    let picture = tokio::task::spawn_blocking(move || draw(&home, &away)).await;
    match picture {
        Ok(Ok(png)) => Ok(Bytes::from(png)),
        Ok(Err(error)) => Err(CallError::of(ErrorKind::Internal, &error.to_string())),
        Err(_) => Err(CallError::of(
            ErrorKind::Internal,
            "the avatar could not be drawn",
        )),
    }
}
