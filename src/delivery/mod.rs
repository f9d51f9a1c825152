//! The way out: works off the outbox, apart from the cycles.

mod avatar_service;
mod breakers;
mod calendar;
mod destinations;
mod discord;
mod dispatch;
mod drive;
mod files;
mod mail;
mod messengers;
mod ntfy;
mod object;
mod progress;
mod redis;
mod services;
mod webhook;

pub use self::redis::{
    Alert, ChangeSet, ChangeSetMetadata, Envelope, MessageType, ProgressStatus, Redis,
    RedisSettings, message_id,
};
pub use avatar_service::AvatarService;
pub use breakers::{Breakers, Finding};
pub use calendar::Calendar;
pub use destinations::{Destinations, one_of};
pub use discord::Discord;
pub use dispatch::Dispatcher;
pub use drive::Drive;
pub use files::{AvatarSource, FileDelivery};
pub use mail::Mail;
pub use messengers::{Messenger, Messengers};
pub use ntfy::{Ntfy, NtfyMessage, NtfySettings};
pub use object::ObjectFiles;
pub use progress::Progress;
pub use services::{CalendarService, RedisService, RedisWay};
pub use webhook::{Webhook, WebhookSettings};

use bytes::Bytes;

use crate::client::{CallError, Health};

/// A file to be stored.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The same at each attempt, so that the receiver can tell a repeat from something new.
    pub idempotency_key: String,
    /// The folder, its parts joined by `/`.
    pub folder: String,
    /// The name in the folder.
    pub file_name: String,
    /// The MIME type.
    pub content_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// A file that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it can be looked at.
    pub url: String,
}

/// The place for files.
#[derive(Clone, Debug)]
pub enum Files {
    /// The Drive service.
    Drive(Drive),
    /// A folder or a bucket.
    Object(ObjectFiles),
}

impl Files {
    /// Stores a file, replacing one with the same name.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn store(&self, upload: &Upload) -> Result<Stored, CallError> {
        match self {
            Self::Drive(drive) => drive.upload(upload).await,
            Self::Object(object) => object.put(upload).await,
        }
    }

    /// Asks how the place is.
    pub async fn probe(&self) -> Health {
        match self {
            Self::Drive(drive) => drive.probe().await,
            Self::Object(object) => object.probe().await,
        }
    }
}
