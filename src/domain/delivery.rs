//! Where things are delivered and how far a delivery has come.

use std::sync::Arc;

crate::labels! {
    /// A way out of the program. Order is kept per (destination, match).
    Destination {
        /// The texts of a match, to the store of files.
        Assets => "assets",
        /// The avatar of a match: made first, then put beside the texts. A destination of its own,
        /// because making one can take minutes and must not hold up the texts.
        Avatars => "avatars",
        /// What changed, to the subscribers of Redis.
        Redis => "redis",
        /// Matches that changed, to the calendar service over HTTP.
        Calendar => "calendar",
        /// What changed, to a webhook.
        Webhook => "webhook",
        /// Messages to a Discord channel.
        Discord => "discord",
        /// Messages by mail.
        Mail => "mail",
        /// Messages to a topic of ntfy.
        Ntfy => "ntfy",
    }
}

crate::labels! {
    /// How far an entry of the outbox has come.
    DeliveryState {
        /// Waits for its first or next attempt.
        Pending => "pending",
        /// An attempt is under way.
        Running => "running",
        /// Done.
        Delivered => "delivered",
        /// A newer state of the same thing took its place before it was delivered.
        Superseded => "superseded",
        /// Given up; a person can retry or discard it.
        Dead => "dead",
        /// A person decided that it is not to be delivered.
        Discarded => "discarded",
    }
}

/// What becomes of an older delivery that was not made yet when a newer one of its kind comes, to
/// the same recipient and about the same match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Succession {
    /// The newer one takes its place: it holds all that is true now.
    Replaces,
    /// The newer one waits for it.
    Follows,
    /// The newer one tells what it would have told, too.
    Merges {
        /// Also what one would have told that was given up.
        also_dead: bool,
    },
}

/// All matches that a cycle changed, to a service that reads them one message after the other.
pub const MATCH_UPDATES: &str = "match_updates";

/// All matches of the list, to the same services.
pub const FULL_STATE: &str = "full_state";

/// A message to a person about one match.
pub const MESSAGE: &str = "message";

/// A message to a person about what was gathered over a time.
pub const DIGEST: &str = "digest";

/// A message to an operator about what was given up. One that is given up itself is nothing that such
/// a message should tell of.
pub const DEAD_LETTERS_ALERT: &str = "alert_dead_letters";

/// What deliveries of this kind do with older ones.
#[must_use]
pub fn succession(kind: &str) -> Succession {
    match kind {
        MATCH_UPDATES => Succession::Follows,
        MESSAGE => Succession::Merges { also_dead: true },
        // Its matches differ each time: what was given up would be told for ever.
        DIGEST => Succession::Merges { also_dead: false },
        _ => Succession::Replaces,
    }
}

impl Destination {
    /// Those that every daemon has; the others are there when the settings name them.
    pub const ALWAYS: &'static [Self] = &[Self::Assets, Self::Avatars];
}

/// What fails together: a destination, or one of several of its kind, such as one webhook. Each has
/// its own dispatcher and breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Which kind, as metrics tell it.
    pub kind: Destination,
    /// Which one, where there are several; never empty.
    pub name: Option<Arc<str>>,
}

impl Lane {
    /// The one with this name among several of a kind.
    #[must_use]
    pub fn named(kind: Destination, name: &str) -> Self {
        Self {
            kind,
            name: (!name.is_empty()).then(|| name.into()),
        }
    }

    /// How it is called in the store and by operators: `mail`, `webhook:club`.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.name {
            None => self.kind.label().to_owned(),
            Some(name) => format!("{}:{name}", self.kind),
        }
    }

    /// The lane with this key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let (kind, name) = key.split_once(':').unwrap_or((key, ""));
        Some(Self::named(Destination::from_label(kind)?, name))
    }
}

impl From<Destination> for Lane {
    fn from(kind: Destination) -> Self {
        Self { kind, name: None }
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_found_by_its_key() {
        for &kind in Destination::ALL {
            for lane in [Lane::from(kind), Lane::named(kind, "a:b c")] {
                assert_eq!(Lane::from_key(&lane.key()), Some(lane));
            }
        }
        assert_eq!(
            Lane::named(Destination::Webhook, "club").key(),
            "webhook:club"
        );
        assert_eq!(
            Lane::from_key("webhook:"),
            Some(Destination::Webhook.into())
        );
        assert_eq!(Lane::from_key("pigeon"), None);
        assert_eq!(Lane::from_key(""), None);
    }
}
