//! A secret that a sender shares with this program.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;

use super::Scheme;

/// Bytes of a Standard Webhooks secret, as its specification has them.
const STANDARD_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Characters of a secret that somebody may have chosen.
const CHOSEN: std::ops::RangeInclusive<usize> = 16..=1024;
/// Characters of a password.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=1024;

/// From when and until when a secret counts, Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validity {
    /// Not before this moment.
    pub from: Option<f64>,
    /// Not at this moment or later.
    pub until: Option<f64>,
}

impl Validity {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn holds(&self, now: f64) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// Why a secret cannot be one of its scheme. Says nothing of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No `whsec_` at its start.
    #[error("does not begin with whsec_")]
    NoPrefix,
    /// What follows is no Base64.
    #[error("is not whsec_ and Base64")]
    NotBase64,
    /// Fewer or more bytes than the scheme wants.
    #[error("has {0} bytes where {1} to {2} are wanted")]
    Length(usize, usize, usize),
    /// Control characters, or what is not ASCII where a header could not carry it.
    #[error("has characters that a header cannot carry")]
    Characters,
    /// No colon between user and password, or no user.
    #[error("is not of the form user:password")]
    NoPassword,
}

/// A MAC that is being made. It is small: everybody who asks has one for each secret.
pub(super) type Mac = Hmac<Sha256>;

#[derive(Clone)]
enum Material {
    /// Begun, with nothing but the secret in it.
    Mac(Mac),
    /// The digest of what the header must carry: digests have one length and compare in constant
    /// time.
    Digest(blake3::Hash),
}

/// A secret with its name and its time. Its `Debug` form shows nothing of it.
#[derive(Clone)]
pub struct Key {
    /// What people call it; may be shown.
    pub label: Arc<str>,
    /// When it counts.
    pub validity: Validity,
    material: Material,
    /// What a sender puts into `Authorization`, for the commands that send.
    authorization: Option<Arc<str>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("label", &self.label)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// The secret `text` for a scheme: `whsec_…` for Standard Webhooks, any text for GitHub, the
    /// token for bearer, `user:password` for basic.
    ///
    /// # Errors
    /// [`KeyError`] when it cannot be one of that scheme.
    pub fn new(
        scheme: Scheme,
        label: &str,
        text: &str,
        validity: Validity,
    ) -> Result<Self, KeyError> {
        let mut authorization = None;
        let material = match scheme {
            Scheme::StandardWebhooks => {
                let encoded = text.strip_prefix("whsec_").ok_or(KeyError::NoPrefix)?;
                let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::NotBase64)?;
                Material::Mac(mac(&bytes, &STANDARD_BYTES)?)
            }
            Scheme::Github => Material::Mac(mac(text.as_bytes(), &CHOSEN)?),
            Scheme::None | Scheme::Bearer => {
                let is_token = text.bytes().all(|byte| byte.is_ascii_graphic());
                within(text.as_bytes(), &CHOSEN)?;
                if !is_token {
                    return Err(KeyError::Characters);
                }
                authorization = Some(format!("Bearer {text}").into());
                Material::Digest(blake3::hash(text.as_bytes()))
            }
            Scheme::Basic => {
                let (user, password) = text.split_once(':').ok_or(KeyError::NoPassword)?;
                if user.is_empty() {
                    return Err(KeyError::NoPassword);
                }
                if text.chars().any(char::is_control) {
                    return Err(KeyError::Characters);
                }
                within(password.as_bytes(), &PASSWORD)?;
                authorization = Some(format!("Basic {}", STANDARD.encode(text)).into());
                Material::Digest(blake3::hash(text.as_bytes()))
            }
        };
        Ok(Self {
            label: label.into(),
            validity,
            material,
            authorization,
        })
    }

    /// Begins a MAC with this secret; none where the scheme has no signatures.
    pub(super) fn begin(&self) -> Option<Mac> {
        match &self.material {
            Material::Mac(mac) => Some(mac.clone()),
            Material::Digest(_) => None,
        }
    }

    /// Whether this is the secret itself. Takes as long for a right one as for a wrong one.
    pub(super) fn is(&self, shown: &blake3::Hash) -> bool {
        match &self.material {
            Material::Digest(digest) => digest == shown,
            Material::Mac(_) => false,
        }
    }

    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

fn mac(bytes: &[u8], allowed: &std::ops::RangeInclusive<usize>) -> Result<Mac, KeyError> {
    let bytes = within(bytes, allowed)?;
    // It takes secrets of any length.
    Mac::new_from_slice(bytes).map_err(|_| KeyError::Length(bytes.len(), 0, 0))
}

fn within<'a>(
    bytes: &'a [u8],
    allowed: &std::ops::RangeInclusive<usize>,
) -> Result<&'a [u8], KeyError> {
    match allowed.contains(&bytes.len()) {
        true => Ok(bytes),
        false => Err(KeyError::Length(
            bytes.len(),
            *allowed.start(),
            *allowed.end(),
        )),
    }
}

/// Whether this can be what people call a secret: 1 to 64 letters, digits, dots, dashes and
/// underscores of ASCII.
#[must_use]
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
