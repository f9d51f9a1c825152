//! The headers with which a sender shows that it may trigger.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use http::{HeaderName, header};

use super::{Auth, Key, Scheme, names};

/// Headers in the order in which they are shown.
pub type Headers = Vec<(HeaderName, String)>;

/// Signs `body` with the first secret that counts at `now` (Unix seconds), as the message `id`.
/// No headers where everybody may trigger; none at all where no secret counts.
#[must_use]
pub fn sign(auth: &Auth, id: &str, body: &[u8], now: f64) -> Option<Headers> {
    if auth.scheme == Scheme::None {
        return Some(Vec::new());
    }
    let key = auth.keys.iter().find(|key| key.validity.holds(now))?;
    Some(match auth.scheme {
        Scheme::None => Vec::new(),
        Scheme::Bearer | Scheme::Basic => {
            let value = key.authorization()?.to_owned();
            vec![(header::AUTHORIZATION, value)]
        }
        Scheme::Github => {
            let tag = tag(key, &[body])?;
            vec![(names::HUB, format!("sha256={}", hex::encode(tag)))]
        }
        Scheme::StandardWebhooks => standard(&[key], id, body, now)?,
    })
}

/// The headers of a Standard Webhook that this program sends: signed with every secret that counts at
/// `now`, so that a receiver can change over from one to the next. None where no secret counts.
#[must_use]
pub fn sign_with_all(keys: &[Key], id: &str, body: &[u8], now: f64) -> Option<Headers> {
    let counting: Vec<&Key> = keys.iter().filter(|key| key.validity.holds(now)).collect();
    match counting.is_empty() {
        true => None,
        false => standard(&counting, id, body, now),
    }
}

fn standard(keys: &[&Key], id: &str, body: &[u8], now: f64) -> Option<Headers> {
    let timestamp = format!("{:.0}", now.floor());
    let prefix = format!("{id}.{timestamp}.");
    let signature = |key: &&Key| {
        let tag = tag(key, &[prefix.as_bytes(), body])?;
        Some(format!("v1,{}", STANDARD.encode(tag)))
    };
    let signatures: Option<Vec<String>> = keys.iter().map(signature).collect();
    Some(vec![
        (names::ID, id.to_owned()),
        (names::TIMESTAMP, timestamp),
        (names::SIGNATURE, signatures?.join(" ")),
    ])
}

fn tag(key: &Key, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = key.begin()?;
    for piece in pieces {
        mac.update(piece);
    }
    Some(mac.finalize().into_bytes().to_vec())
}
