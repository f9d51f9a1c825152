//! Splits a list that resembles one that was read before, without reading again what is the same.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::list::Entry;
use super::{Fingerprint, List, ListError, MAX_ENTRIES};

/// Entries that are told of at once before the end is reached.
const RUN: usize = 64;

/// Where the matches of a list that was read before stood: in its order, their fingerprints and
/// lengths in bytes.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    matches: Vec<(Fingerprint, usize)>,
}

impl FromIterator<(Fingerprint, usize)> for Layout {
    fn from_iter<I: IntoIterator<Item = (Fingerprint, usize)>>(matches: I) -> Self {
        Self {
            matches: matches.into_iter().collect(),
        }
    }
}

impl<'a> List<'a> {
    /// Does what [`List::split`] does, and is faster on a list that resembles the one before.
    ///
    /// Where a match of the list before is expected, a piece of its length with its fingerprint is
    /// that match: the same bytes, which were found to be a whole JSON object then. All else is
    /// read as any JSON.
    ///
    /// Once there is an entry that was not in the list before, `found` is given the entries from
    /// the first on, in runs, before the end of the list is reached; the last run is left out.
    ///
    /// # Errors
    ///
    /// Those of [`List::split`].
    pub fn split_like(
        body: &'a [u8],
        before: &Layout,
        found: impl FnMut(&[Entry<'a>]),
    ) -> Result<Self, ListError> {
        if before.matches.is_empty() {
            return Self::split(body);
        }
        // What is odd is left to the one that can say what it is.
        match Splitter::new(body, before).split(found) {
            Some(entries) => Ok(Self { entries }),
            None => Self::split(body),
        }
    }
}

/// Walks over a plain list; gives up with `None` on anything else.
struct Splitter<'a, 'b> {
    body: &'a [u8],
    at: usize,
    before: &'b [(Fingerprint, usize)],
    /// The match of the list before that comes next, if nothing has changed.
    next: usize,
    /// Where to go on after a match that was not expected; made when it is first needed.
    places: Option<HashMap<Fingerprint, usize>>,
    /// Whether there was an entry that was not in the list before.
    has_new: bool,
}

impl<'a, 'b> Splitter<'a, 'b> {
    fn new(body: &'a [u8], before: &'b Layout) -> Self {
        Self {
            body,
            at: 0,
            before: &before.matches,
            next: 0,
            places: None,
            has_new: false,
        }
    }

    fn split(mut self, mut found: impl FnMut(&[Entry<'a>])) -> Option<Vec<Entry<'a>>> {
        let mut told = 0;
        let mut entries = Vec::with_capacity(self.before.len() + 1);
        self.eat(b'[')?;
        if self.eat(b']').is_none() {
            loop {
                if entries.len() == MAX_ENTRIES {
                    return None;
                }
                entries.push(self.entry()?);
                if self.has_new && entries.len() >= told + RUN {
                    found(&entries[told..]);
                    told = entries.len();
                }
                if self.eat(b',').is_none() {
                    break;
                }
            }
            self.eat(b']')?;
        }
        self.peek().is_none().then_some(entries)
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = self.body.get(self.at..)?;
        let found = rest
            .iter()
            .position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += found.unwrap_or(rest.len());
        found.map(|index| rest[index])
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        self.peek()?;
        // One match further, too: one that changed or went must not hide those behind it.
        for place in [self.next, self.next + 1] {
            if let Some(entry) = self.expected(place) {
                self.next = place + 1;
                return Some(entry);
            }
        }
        self.unexpected()
    }

    /// The match that stood in this place before, if it begins here.
    fn expected(&mut self, place: usize) -> Option<Entry<'a>> {
        let (fingerprint, length) = *self.before.get(place)?;
        let raw = self.body.get(self.at..)?.get(..length)?;
        // The hash is spared where the piece cannot be an object.
        if raw.first() != Some(&b'{') || raw.last() != Some(&b'}') {
            return None;
        }
        if Fingerprint::of(raw) != fingerprint {
            return None;
        }
        self.at += length;
        let raw = std::str::from_utf8(raw).ok()?;
        Some(Entry {
            raw,
            fingerprint: Some(fingerprint),
        })
    }

    fn unexpected(&mut self) -> Option<Entry<'a>> {
        let rest = self.body.get(self.at..)?;
        let mut json = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let raw = json.next()?.ok()?.get();
        self.at += json.byte_offset();
        let fingerprint = Fingerprint::of(raw.as_bytes());
        let places = self.places.get_or_insert_with(|| {
            let matches = self.before.iter().enumerate();
            matches.map(|(place, &(it, _))| (it, place)).collect()
        });
        match places.get(&fingerprint) {
            Some(place) => self.next = place + 1,
            None => self.has_new = true,
        }
        Some(Entry {
            raw,
            fingerprint: Some(fingerprint),
        })
    }
}
