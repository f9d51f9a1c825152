//! Reads single values leniently: what cannot be read is unknown, and never an error.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

/// Decodes a string. It is read as bytes, so that half a surrogate pair is no error.
struct Lossy;

impl<'de> DeserializeSeed<'de> for Lossy {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// A string, the empty one included. Half a surrogate pair becomes U+FFFD.
pub(super) fn text(raw: &str) -> Option<String> {
    borrowed(raw).map(Cow::into_owned)
}

/// The same, borrowed where nothing is escaped.
pub(super) fn borrowed(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut json = serde_json::Deserializer::from_str(raw);
    Lossy.deserialize(&mut json).ok().map(Cow::Owned)
}

/// An identifier: an integer, a float without a fraction, or either as a string.
/// The sentinels 0 and -1 stand for a missing one.
pub(super) fn id(raw: &str) -> Option<i64> {
    let value = if raw.starts_with('"') {
        integer(borrowed(raw)?.trim())
    } else {
        integer(raw)
    };
    value.filter(|id| !matches!(id, 0 | -1))
}

/// 2^53, up to which every integer has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn integer(digits: &str) -> Option<i64> {
    if let Ok(value) = digits.parse() {
        return Some(value);
    }
    let float: f64 = digits.parse().ok()?;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
    let value = float as i64;
    Some(value)
}

/// A number that people use, kept as text: a non-empty string or an integer as written.
/// The sentinels 0 and -1 stand for a missing one.
pub(super) fn number(raw: &str) -> Option<String> {
    let value = text(raw).or_else(|| raw.parse::<i64>().ok().map(|n| n.to_string()))?;
    (!matches!(value.trim(), "" | "0" | "-1")).then_some(value)
}

/// A boolean.
pub(super) fn flag(raw: &str) -> Option<bool> {
    match raw {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A day: the ten characters `YYYY-MM-DD` at the start of a string, whatever follows.
pub(super) fn date(text: &str) -> Option<jiff::civil::Date> {
    text.trim().get(..10)?.parse().ok()
}

/// Whether this is a time of day such as `9:30`, `19:00` or `19:00:00`.
pub(super) fn is_time_of_day(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    bytes.len() <= 8
        && bytes.first().is_some_and(u8::is_ascii_digit)
        && bytes.contains(&b':')
        && bytes.iter().all(|b| b.is_ascii_digit() || *b == b':')
}
