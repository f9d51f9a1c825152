//! What an entry of the outbox holds: all that a delivery needs, fixed when it was committed.

use serde::{Deserialize, Serialize};

use crate::domain::change::Priority;
use crate::domain::delivery::Destination;
use crate::domain::plan::{AssetKind, FileContent, PlannedFile};
use crate::store::NewDelivery;

/// A file to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The folder, its parts joined by `/`.
    pub folder: String,
    /// The name in the folder.
    pub file_name: String,
    /// The MIME type.
    pub content_type: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The text itself.
    Text(String),
    /// A picture that is made when it is delivered.
    Avatar {
        /// The home team's club.
        home_club: Option<i64>,
        /// The away team's club.
        away_club: Option<i64>,
        /// The home team.
        home_name: String,
        /// The away team.
        away_name: String,
    },
}

/// A planned file as an entry of the outbox, as urgent as what changed.
#[must_use]
pub fn delivery(file: PlannedFile, priority: Priority) -> NewDelivery {
    let destination = match file.kind {
        AssetKind::GroupDescription | AssetKind::GroupInfo => Destination::Assets,
        AssetKind::Avatar => Destination::Avatars,
    };
    let content = match file.content {
        FileContent::Text(text) => Content::Text(text),
        FileContent::Avatar(clubs) => Content::Avatar {
            home_club: clubs.home_club,
            away_club: clubs.away_club,
            home_name: clubs.home_name,
            away_name: clubs.away_name,
        },
    };
    let payload = Payload {
        folder: file.folder,
        file_name: file.file_name,
        content_type: file.content_type.to_owned(),
        content,
    };
    NewDelivery {
        lane: destination.into(),
        recipient: String::new(),
        match_id: file.match_id,
        kind: file.kind.label().to_owned(),
        priority,
        not_before: None,
        digest: file.digest,
        payload: serde_json::to_string(&payload).unwrap_or_default(),
    }
}
