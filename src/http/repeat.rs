//! Names by which a request is known when it comes again.

use http::{HeaderMap, HeaderName};

use crate::auth::{Scheme, names};
use crate::store::RequestName;

/// Characters of a name.
const MAX: usize = 256;

/// GitHub's name of a delivery, the same when somebody has it sent again.
const GITHUB: HeaderName = HeaderName::from_static("x-github-delivery");
/// The name that any sender may give (draft-ietf-httpapi-idempotency-key-header).
const ANY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request with a name, whose body is still arriving.
#[derive(Debug)]
pub struct Named {
    id: [u8; 16],
    /// Of a body that comes in pieces. It is large, and most come as a whole.
    pieces: Option<Box<blake3::Hasher>>,
}

impl Named {
    /// Takes a piece of a body that is not kept.
    pub fn update(&mut self, piece: &[u8]) {
        self.pieces.get_or_insert_default().update(piece);
    }

    /// The name, and what came with it: `body`, unless it was taken in pieces.
    pub fn end(self, body: Option<&[u8]>) -> RequestName {
        let digest = match self.pieces {
            Some(pieces) => pieces.finalize(),
            None => blake3::hash(body.unwrap_or_default()),
        };
        RequestName {
            id: self.id,
            body: first_half(&digest),
        }
    }
}

/// The request's name: the one of the scheme that is in use, else the first that is known.
///
/// # Errors
/// What is wrong with the name that it has, in words for the sender.
pub fn named(scheme: Scheme, headers: &HeaderMap) -> Result<Option<Named>, String> {
    let known: &[HeaderName] = match scheme {
        // The message's own name is signed; another one beside it is anybody's.
        Scheme::StandardWebhooks => &[names::ID],
        Scheme::Github => &[GITHUB],
        Scheme::None | Scheme::Bearer | Scheme::Basic => &[names::ID, GITHUB, ANY],
    };
    let mut first = None;
    for name in known.iter().filter(|name| headers.contains_key(*name)) {
        let value = name_in(headers, name)?;
        first.get_or_insert_with(|| {
            let id = [name.as_str().as_bytes(), b":", value].concat();
            Named {
                id: first_half(&blake3::hash(&id)),
                pieces: None,
            }
        });
    }
    Ok(first)
}

/// The one value of a header that carries a name.
fn name_in<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a [u8], String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(http::HeaderValue::as_bytes);
    let value = value.unwrap_or_default().trim_ascii();
    let printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
    if values.next().is_some() || value.is_empty() || value.len() > MAX || !printable {
        return Err(format!(
            "{name} must be there once, with 1 to {MAX} printable characters of ASCII"
        ));
    }
    Ok(value)
}

fn first_half(hash: &blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(scheme: Scheme, headers: &[(&'static str, &'static str)]) -> Option<[u8; 16]> {
        let headers = headers.iter().map(|(name, value)| {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        let named = named(scheme, &headers.collect()).unwrap()?;
        Some(named.end(None).id)
    }

    #[test]
    fn the_header_is_that_of_the_scheme() {
        let all = [
            ("webhook-id", "a"),
            ("x-github-delivery", "b"),
            ("idempotency-key", "c"),
        ];
        for (scheme, header) in [
            (Scheme::StandardWebhooks, all[0]),
            (Scheme::Github, all[1]),
            (Scheme::Bearer, all[0]),
            (Scheme::None, all[0]),
        ] {
            assert_eq!(name(scheme, &all), name(scheme, &[header]), "{scheme}");
            assert!(name(scheme, &all).is_some(), "{scheme}");
        }
        assert_eq!(name(Scheme::Github, &all[2..]), None, "nobody signed it");
        assert!(name(Scheme::Basic, &all[2..]).is_some());
        assert_eq!(name(Scheme::None, &[]), None);
    }

    #[test]
    fn the_same_text_in_another_header_is_another_name() {
        let of = |header| name(Scheme::None, &[(header, "x")]);
        assert_ne!(of("webhook-id"), of("idempotency-key"));
        assert_eq!(
            of("webhook-id"),
            name(Scheme::None, &[("webhook-id", " x ")])
        );
    }

    #[test]
    fn a_body_has_the_same_digest_as_a_whole_and_in_pieces() {
        let named = || {
            named(
                Scheme::None,
                &HeaderMap::from_iter([(ANY, "x".parse().unwrap())]),
            )
        };
        let named = || named().unwrap().unwrap();
        let mut pieces = named();
        for piece in ["ab", "", "c"] {
            pieces.update(piece.as_bytes());
        }
        let whole = named().end(Some(b"abc"));
        assert_eq!(pieces.end(None), whole);
        assert_ne!(named().end(Some(b"abd")), whole);
        assert_eq!(named().end(None), named().end(Some(b"")));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let long: &'static str = "n".repeat(257).leak();
        for values in [&[""][..], &["  "], &["a", "b"], &["å"], &[long]] {
            let pairs = values.iter().map(|value| {
                let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (ANY, value)
            });
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, value);
            }
            let refused = named(Scheme::None, &headers).unwrap_err();
            assert!(refused.starts_with("idempotency-key "), "{refused}");
        }
    }
}
