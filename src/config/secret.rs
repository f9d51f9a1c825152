//! Values that are never shown.

use std::fmt;

use url::Url;

/// A secret. Its `Debug` form shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A value as it may be shown, also one that was meant to be a URL and is none: what looks like a
/// user and a password before the last `@` may be just that.
#[must_use]
pub fn shown(text: &str) -> String {
    let shown = Url::parse(text).map_or_else(|_| text.to_owned(), |url| redacted(&url));
    match shown.rsplit_once('@') {
        Some((before, rest)) if before.contains(':') && !before.ends_with("//***") => {
            format!("***@{rest}")
        }
        _ => shown,
    }
}

/// Parts of names whose values are most likely secret.
const SECRET_NAMES: [&str; 7] = [
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
    "auth",
    "key",
];

/// Pairs `name=value`, separated by commas, as they may be shown.
#[must_use]
pub fn shown_pairs(text: &str) -> String {
    let pair = |pair: &str| {
        let Some((name, value)) = pair.split_once('=') else {
            return shown(pair);
        };
        let lower = name.to_lowercase();
        let is_secret = SECRET_NAMES.iter().any(|part| lower.contains(part));
        let value = if is_secret {
            "***".to_owned()
        } else {
            shown(value)
        };
        format!("{name}={value}")
    };
    text.split(',').map(pair).collect::<Vec<_>>().join(",")
}

/// A URL as it may be shown: without credentials, and without query and fragment, which may hold
/// some.
#[must_use]
pub fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        let _ = shown.set_username("***");
        let _ = shown.set_password(None);
    }
    if url.query().is_some() {
        shown.set_query(Some("***"));
    }
    shown.set_fragment(None);
    shown.to_string()
}
