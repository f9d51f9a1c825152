//! Messages as an entry of the outbox holds them.

use super::Message;
use crate::domain::change::Priority;

/// What waits in the outbox and tells of two messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The message as JSON.
    pub payload: String,
    /// The most urgent priority of what it tells.
    pub priority: Priority,
}

impl Stored {
    /// A message, to be stored.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        Self {
            payload: serde_json::to_string(message).unwrap_or_default(),
            priority: message.priority,
        }
    }

    /// One that tells what `older` would have told, too, of which `heard` says whether it may have
    /// arrived; none if nothing is left to tell. A message that cannot be read, because the store is
    /// damaged, says nothing.
    #[must_use]
    pub fn after(self, older: &str, heard: bool) -> Option<Self> {
        let Ok(older) = serde_json::from_str::<Message>(older) else {
            return Some(self);
        };
        match serde_json::from_str::<Message>(&self.payload) {
            Ok(newer) => Some(Self::of(&Message::merged_after(older, newer, heard)?)),
            Err(_) => Some(Self::of(&older)),
        }
    }
}
