//! What a request shows, first by its head, then by its body.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use hmac::digest::CtOutput;
use http::{HeaderMap, HeaderName, header};

use super::key::Mac;
use super::{Auth, Key, Scheme, names};
use crate::labels;

/// Signatures of one request that are looked at.
const MAX_SIGNATURES: usize = 16;
/// Characters of a message's name.
const MAX_ID: usize = 256;

labels! {
    /// Why a request may not trigger. The sender is told none of it.
    Refusal {
        /// A header that the scheme wants is not there, or empty.
        Missing => "missing",
        /// A header is there twice.
        Repeated => "repeated",
        /// A header is not what the scheme has there.
        Malformed => "malformed",
        /// It was sent too long ago.
        Stale => "stale",
        /// It was sent in the future.
        Future => "future",
        /// It is right for a secret that does not count now.
        Expired => "expired",
        /// No secret leads to it.
        Mismatch => "mismatch",
    }
}

/// A signature that is being made, with one of the secrets.
#[derive(Debug)]
struct Candidate {
    label: Arc<str>,
    counts: bool,
    mac: Mac,
}

/// A request whose head is in order. What its body must be is not yet known.
#[derive(Debug)]
pub struct Claim(Shown);

#[derive(Debug)]
enum Shown {
    /// Its head was enough. The label is that of the secret, if one was needed.
    Enough(Option<Arc<str>>),
    Signed {
        candidates: Vec<Candidate>,
        signatures: Vec<[u8; 32]>,
    },
}

impl Auth {
    /// Looks at a request's head at `now` (Unix seconds).
    ///
    /// # Errors
    /// Why it may not trigger, whatever its body is.
    pub fn claim(&self, headers: &HeaderMap, now: f64) -> Result<Claim, Refusal> {
        match self.scheme {
            Scheme::None => Ok(Claim(Shown::Enough(None))),
            Scheme::Bearer => {
                let token = credentials(headers, b"bearer ")?;
                self.direct(token, now)
            }
            Scheme::Basic => {
                let encoded = credentials(headers, b"basic ")?;
                let pair = STANDARD.decode(encoded).map_err(|_| Refusal::Malformed)?;
                self.direct(&pair, now)
            }
            Scheme::Github => {
                let signature = hub_signature(text(headers, &names::HUB)?)?;
                Ok(self.signed(&[], vec![signature], now))
            }
            Scheme::StandardWebhooks => {
                let id = text(headers, &names::ID)?;
                // With a dot in it, the same text could be signed for another name and time.
                if id.len() > MAX_ID || id.contains('.') {
                    return Err(Refusal::Malformed);
                }
                let timestamp = text(headers, &names::TIMESTAMP)?;
                let signatures = standard_signatures(text(headers, &names::SIGNATURE)?)?;
                self.in_time(timestamp, now)?;
                Ok(self.signed(&[id, ".", timestamp, "."], signatures, now))
            }
        }
    }

    /// Every secret is compared, so that the time says nothing of which one it was.
    fn direct(&self, shown: &[u8], now: f64) -> Result<Claim, Refusal> {
        let shown = blake3::hash(shown);
        let mut found: Result<&Key, Refusal> = Err(Refusal::Mismatch);
        for key in &self.keys {
            match (key.is(&shown), key.validity.holds(now)) {
                (true, true) => found = Ok(key),
                (true, false) if found.is_err() => found = Err(Refusal::Expired),
                _ => {}
            }
        }
        found.map(|key| Claim(Shown::Enough(Some(Arc::clone(&key.label)))))
    }

    fn signed(&self, prefix: &[&str], signatures: Vec<[u8; 32]>, now: f64) -> Claim {
        let candidates = self.keys.iter().filter_map(|key| {
            let mut mac = key.begin()?;
            for piece in prefix {
                mac.update(piece.as_bytes());
            }
            Some(Candidate {
                label: Arc::clone(&key.label),
                counts: key.validity.holds(now),
                mac,
            })
        });
        Claim(Shown::Signed {
            candidates: candidates.collect(),
            signatures,
        })
    }

    #[allow(clippy::cast_precision_loss)]
    fn in_time(&self, timestamp: &str, now: f64) -> Result<(), Refusal> {
        // Any other form of the number is none that was signed.
        let is_plain = match timestamp.as_bytes() {
            [b'0', _, ..] => false,
            digits => digits.iter().all(u8::is_ascii_digit),
        };
        let sent: u64 = timestamp.parse().map_err(|_| Refusal::Malformed)?;
        if !is_plain {
            return Err(Refusal::Malformed);
        }
        let (sent, tolerance) = (sent as f64, self.tolerance.as_secs_f64());
        if sent < now - tolerance {
            return Err(Refusal::Stale);
        }
        if sent > now + tolerance {
            return Err(Refusal::Future);
        }
        Ok(())
    }
}

impl Claim {
    /// Takes a piece of the body as it came over the wire.
    pub fn update(&mut self, piece: &[u8]) {
        if let Shown::Signed { candidates, .. } = &mut self.0 {
            for candidate in candidates {
                candidate.mac.update(piece);
            }
        }
    }

    /// Judges the claim, once the whole body was taken. Returns the label of the secret that was
    /// shown, if one was needed.
    ///
    /// # Errors
    /// Why the request may not trigger.
    pub fn verify(self) -> Result<Option<Arc<str>>, Refusal> {
        let (candidates, signatures) = match self.0 {
            Shown::Enough(label) => return Ok(label),
            Shown::Signed {
                candidates,
                signatures,
            } => (candidates, signatures),
        };
        let mut found = Err(Refusal::Mismatch);
        for candidate in candidates {
            // No shortcut at the first that fits: the time says nothing of which one it was.
            let tag = candidate.mac.finalize();
            // Tags compare in constant time.
            let fits = signatures
                .iter()
                .filter(|signature| tag == CtOutput::new((**signature).into()));
            match (fits.count() > 0, candidate.counts) {
                (true, true) => found = Ok(Some(candidate.label)),
                (true, false) if found.is_err() => found = Err(Refusal::Expired),
                _ => {}
            }
        }
        found
    }
}

/// The one value of a header, which must be there, be printable ASCII and not be empty.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Repeated);
    }
    let text = value.to_str().map_err(|_| Refusal::Malformed)?;
    match text.trim().is_empty() {
        true => Err(Refusal::Missing),
        false => Ok(text),
    }
}

/// What stands behind the scheme's name and its space in `Authorization`.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &[u8]) -> Result<&'a [u8], Refusal> {
    let value = text(headers, &header::AUTHORIZATION)?.as_bytes();
    let split = value.split_at_checked(scheme.len());
    let (name, rest) = split.ok_or(Refusal::Malformed)?;
    match name.eq_ignore_ascii_case(scheme) {
        true => Ok(rest.trim_ascii()),
        false => Err(Refusal::Malformed),
    }
}

fn hub_signature(text: &str) -> Result<[u8; 32], Refusal> {
    let digits = text.strip_prefix("sha256=").ok_or(Refusal::Malformed)?;
    let mut signature = [0; 32];
    hex::decode_to_slice(digits, &mut signature).map_err(|_| Refusal::Malformed)?;
    Ok(signature)
}

/// The `v1` signatures; those of other versions are for others.
fn standard_signatures(text: &str) -> Result<Vec<[u8; 32]>, Refusal> {
    let mut signatures = Vec::new();
    for entry in text.split(' ').filter(|entry| !entry.is_empty()) {
        let (version, encoded) = entry.split_once(',').ok_or(Refusal::Malformed)?;
        if version != "v1" {
            continue;
        }
        // As much as the decoder wants to have for 32 bytes.
        let mut bytes = [0; 33];
        let decoded = STANDARD.decode_slice(encoded, &mut bytes);
        let (signature, _) = bytes.split_first_chunk().ok_or(Refusal::Malformed)?;
        if decoded != Ok(32) {
            return Err(Refusal::Malformed);
        }
        signatures.push(*signature);
        if signatures.len() > MAX_SIGNATURES {
            return Err(Refusal::Malformed);
        }
    }
    match signatures.is_empty() {
        true => Err(Refusal::Malformed),
        false => Ok(signatures),
    }
}
