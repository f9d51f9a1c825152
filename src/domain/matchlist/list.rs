//! Splits a body into the raw text of its entries, in one pass and without copying.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value;
use super::{Fingerprint, Found, ListError};

/// Most entries that a list may have. A true list has hundreds; the limit bounds the memory that
/// a hostile one can take.
pub const MAX_ENTRIES: usize = 1_000_000;

/// Whether a wrapped list may stand under this key.
fn is_wrapper(key: &str) -> bool {
    matches!(key, "matches" | "matchlista")
}

/// The entries of a match list, in its order, each as the raw text in the body.
#[derive(Debug)]
pub struct List<'a> {
    /// One per entry, whatever it is: an object, a number, null.
    pub entries: Vec<Entry<'a>>,
}

/// An entry of a list.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub(super) raw: &'a str,
    pub(super) fingerprint: Option<Fingerprint>,
}

impl<'a> Entry<'a> {
    /// Its text in the body, without the white space around it.
    #[must_use]
    pub fn get(&self) -> &'a str {
        self.raw
    }

    /// The fingerprint of its text, which is computed unless the splitting needed it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
            .unwrap_or_else(|| Fingerprint::of(self.raw.as_bytes()))
    }
}

impl<'a> List<'a> {
    /// Splits `[…]`, `{"matches": […]}` or `{"matchlista": […]}`.
    ///
    /// Of the two keys the first that holds an array counts; all others are ignored. A byte order
    /// mark at the start is skipped. What the entries are is not looked at.
    ///
    /// # Errors
    ///
    /// [`ListError`] if the body is anything else, is cut off, or goes on after the list.
    pub fn split(body: &'a [u8]) -> Result<Self, ListError> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let text = std::str::from_utf8(body).map_err(|e| ListError::Utf8 {
            at: e.valid_up_to(),
        })?;
        match text.trim_ascii_start().as_bytes().first() {
            Some(b'[' | b'{') => {}
            _ => return Err(ListError::NotAList(Found::at_start(text))),
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let mut too_many = false;
        let found = Entries {
            too_many: &mut too_many,
        }
        .deserialize(&mut json);
        if too_many {
            return Err(ListError::TooMany);
        }
        let found = found.map_err(|e| describe(&e))?;
        json.end().map_err(|e| ListError::Trailing {
            line: e.line(),
            column: e.column(),
        })?;
        let entries = found.ok_or(ListError::NotAList(Found::Object))?;
        Ok(Self { entries })
    }
}

fn describe(error: &serde_json::Error) -> ListError {
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        ListError::Truncated { line, column }
    } else {
        ListError::Malformed { line, column }
    }
}

/// Reads a value: the entries if it is a list, plain or wrapped, else nothing.
struct Entries<'b> {
    too_many: &'b mut bool,
}

impl<'a> DeserializeSeed<'a> for Entries<'_> {
    type Value = Option<Vec<Entry<'a>>>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(Wrapped(self.too_many))
    }
}

/// The top level: the array itself, or an object that holds it.
struct Wrapped<'b>(&'b mut bool);

impl<'a> Visitor<'a> for Wrapped<'_> {
    type Value = Option<Vec<Entry<'a>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a match list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, seq: A) -> Result<Self::Value, A::Error> {
        collect(seq, self.0).map(Some)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        // As raw text: read as a string, half a surrogate pair would be an error; as bytes, a
        // control character would be none.
        while let Some(key) = map.next_key::<&RawValue>()? {
            let is_list = value::borrowed(key.get()).is_some_and(|key| is_wrapper(&key));
            if is_list && found.is_none() {
                found = map.next_value_seed(Inner(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The value under one of the two keys: an array, or anything else, which is skipped.
struct Inner<'b>(&'b mut bool);

impl<'a> DeserializeSeed<'a> for Inner<'_> {
    type Value = Option<Vec<Entry<'a>>>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Inner<'_> {
    type Value = Option<Vec<Entry<'a>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, seq: A) -> Result<Self::Value, A::Error> {
        collect(seq, self.0).map(Some)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<&RawValue, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

fn collect<'a, A: SeqAccess<'a>>(
    mut seq: A,
    too_many: &mut bool,
) -> Result<Vec<Entry<'a>>, A::Error> {
    let mut entries = Vec::new();
    while let Some(entry) = seq.next_element::<&RawValue>()? {
        if entries.len() == MAX_ENTRIES {
            *too_many = true;
            return Err(A::Error::custom("too many entries"));
        }
        entries.push(Entry {
            raw: entry.get(),
            fingerprint: None,
        });
    }
    Ok(entries)
}
