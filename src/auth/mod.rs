//! Who may trigger: one scheme per deployment, several secrets at a time.
//!
//! The schemes are those of the senders that people have: [Standard Webhooks](https://www.standardwebhooks.com),
//! GitHub, a bearer token, and HTTP basic, which Alertmanager and Grafana can send. A request that
//! shows anything but the one scheme that is set is refused, so that nobody can choose a weaker one.

mod claim;
mod key;
mod sign;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use claim::{Claim, Refusal};
pub use key::{Key, KeyError, Validity, is_label};
pub use sign::{Headers, sign, sign_with_all};

use crate::labels;

/// Names of the headers that carry a signature.
pub mod names {
    use http::HeaderName;

    /// Standard Webhooks: what the message is called, the same at every retry.
    pub const ID: HeaderName = HeaderName::from_static("webhook-id");
    /// Standard Webhooks: when it was sent, in Unix seconds.
    pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
    /// Standard Webhooks: `v1,` and a MAC in Base64; several, separated by spaces.
    pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
    /// GitHub: `sha256=` and a MAC in hexadecimal.
    pub const HUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
}

labels! {
    /// How a sender shows that it may trigger.
    Scheme {
        /// Not at all: everybody may.
        None => "none",
        /// Signed as Standard Webhooks has it.
        StandardWebhooks => "standard-webhooks",
        /// Signed as GitHub does.
        Github => "github",
        /// By a bearer token (RFC 6750).
        Bearer => "bearer",
        /// By a user and a password (RFC 7617).
        Basic => "basic",
    }
}

impl Scheme {
    /// The challenge of a refusal, which RFC 9110 wants with every 401.
    #[must_use]
    pub fn challenge(self) -> &'static str {
        match self {
            Self::None | Self::Bearer => "Bearer",
            Self::Basic => "Basic realm=\"match-list-processor\", charset=\"UTF-8\"",
            Self::StandardWebhooks => "StandardWebhooks",
            Self::Github => "GitHub",
        }
    }
}

/// The scheme and the secrets that are valid with it.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The one scheme.
    pub scheme: Scheme,
    /// How far a sender's clock may be off, in both directions (Standard Webhooks).
    pub tolerance: Duration,
    /// The secrets, the first one signs.
    pub keys: Vec<Key>,
}

impl Auth {
    /// How many secrets count at `now` (Unix seconds).
    #[must_use]
    pub fn counting(&self, now: f64) -> usize {
        let counts = |key: &&Key| key.validity.holds(now);
        self.keys.iter().filter(counts).count()
    }

    /// Whether nobody can trigger at `now`, because no secret counts.
    #[must_use]
    pub fn is_shut(&self, now: f64) -> bool {
        self.scheme != Scheme::None && self.counting(now) == 0
    }

    /// Everybody may trigger.
    #[must_use]
    pub fn open() -> Self {
        Self {
            scheme: Scheme::None,
            tolerance: Duration::from_mins(5),
            keys: Vec::new(),
        }
    }
}
