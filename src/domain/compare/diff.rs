//! Which matches of a list are new, differ in their bytes, or are gone.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use crate::domain::matchlist::{Entry, EntryError, Fingerprint, List, Match, truncate};

/// What the store tells of a match without reading its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMatch {
    /// The match's id; no two known matches share one.
    pub id: i64,
    /// The fingerprint of its raw text.
    pub fingerprint: Fingerprint,
    /// Its day; none if the list did not tell.
    pub date: Option<Date>,
}

impl KnownMatch {
    /// Whether the match is still to come: its day is today, later or unknown.
    #[must_use]
    pub fn is_future(&self, today: Date) -> bool {
        self.date.is_none_or(|date| date >= today)
    }
}

/// A match that is new or whose raw text differs from what is known.
#[derive(Clone, Debug)]
pub struct Upsert<'a> {
    /// The match's id.
    pub id: i64,
    /// The fingerprint of `raw`.
    pub fingerprint: Fingerprint,
    /// Its text in the list.
    pub raw: &'a str,
    /// What it says.
    pub parsed: Match,
    /// Whether no match with this id is known.
    pub is_new: bool,
}

/// Oddities of a list, each a number of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anomalies {
    /// Entries overruled by a later one with the same id, whether or not they say the same.
    pub duplicate: usize,
    /// Objects without an id; skipped.
    pub no_id: usize,
    /// Entries that are no objects; skipped.
    pub not_object: usize,
    /// New or differing matches in the shorter form.
    pub short: usize,
}

impl Anomalies {
    /// Entries that are in the list and of no use.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.no_id + self.not_object
    }
}

/// A list held against what is known.
#[derive(Clone, Debug)]
pub struct Diff<'a> {
    /// New matches and those whose text differs, in list order.
    pub upserts: Vec<Upsert<'a>>,
    /// Known matches that are not in the list, by id.
    pub gone: Vec<i64>,
    /// What was odd about the list.
    pub anomalies: Anomalies,
    /// Distinct matches in the list.
    pub total: usize,
    /// A hash of the ids in the list, whatever their order. Two fetches with equal digests agree on
    /// which matches there are.
    pub ids_digest: [u8; 16],
    /// Known matches still to come.
    pub known_future: usize,
    /// Of those, the ones that are gone.
    pub lost_future: usize,
    /// Each distinct match, in list order.
    pub kept: Vec<Kept<'a>>,
}

/// A match of the list, and what will be known of it once the list is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Its text in the list.
    pub raw: &'a str,
    /// What the next list is held against.
    pub known: KnownMatch,
}

/// Holds `list` against the known matches. An entry whose fingerprint is known is not parsed.
///
/// Of several entries with one id the last counts, also when an earlier one is what is known.
#[must_use]
pub fn diff<'a>(list: &List<'a>, known: &[KnownMatch], today: Date) -> Diff<'a> {
    let mut scan = Scan::new(list.entries.len(), known);
    // From the end, so that the first entry seen with an id is the one that counts.
    for entry in list.entries.iter().rev() {
        scan.entry(entry);
    }
    scan.finish(known, today)
}

/// One pass over the list, from its end.
struct Scan<'a> {
    by_fingerprint: HashMap<Fingerprint, KnownMatch>,
    known_ids: HashSet<i64>,
    seen: HashSet<i64>,
    upserts: Vec<Upsert<'a>>,
    kept: Vec<Kept<'a>>,
    anomalies: Anomalies,
}

impl<'a> Scan<'a> {
    fn new(entries: usize, known: &[KnownMatch]) -> Self {
        Self {
            by_fingerprint: known.iter().map(|k| (k.fingerprint, *k)).collect(),
            known_ids: known.iter().map(|k| k.id).collect(),
            seen: HashSet::with_capacity(entries.min(known.len())),
            upserts: Vec::new(),
            kept: Vec::with_capacity(entries),
            anomalies: Anomalies::default(),
        }
    }

    fn entry(&mut self, entry: &Entry<'a>) {
        let (raw, fingerprint) = (entry.get(), entry.fingerprint());
        if let Some(&known) = self.by_fingerprint.get(&fingerprint) {
            if self.is_last(known.id) {
                self.kept.push(Kept { raw, known });
            }
            return;
        }
        let parsed = match Match::parse(raw) {
            Ok(parsed) => parsed,
            Err(EntryError::NotObject) => return self.anomalies.not_object += 1,
            Err(EntryError::NoId) => return self.anomalies.no_id += 1,
        };
        let (id, date) = (parsed.id, parsed.date);
        if !self.is_last(id) {
            return;
        }
        self.anomalies.short += usize::from(parsed.short_form);
        let known = KnownMatch {
            id,
            fingerprint,
            date,
        };
        self.kept.push(Kept { raw, known });
        self.upserts.push(Upsert {
            id,
            fingerprint,
            raw,
            parsed,
            is_new: !self.known_ids.contains(&id),
        });
    }

    /// Whether no later entry has this id; if one has, this one is a duplicate.
    fn is_last(&mut self, id: i64) -> bool {
        let is_last = self.seen.insert(id);
        self.anomalies.duplicate += usize::from(!is_last);
        is_last
    }

    fn finish(mut self, known: &[KnownMatch], today: Date) -> Diff<'a> {
        self.upserts.reverse();
        self.kept.reverse();
        let lost = |k: &&KnownMatch| !self.seen.contains(&k.id);
        let mut gone: Vec<i64> = known.iter().filter(lost).map(|k| k.id).collect();
        gone.sort_unstable();
        let future = || known.iter().filter(|k| k.is_future(today));
        Diff {
            known_future: future().count(),
            lost_future: future().filter(lost).count(),
            ids_digest: ids_digest(&self.seen),
            total: self.seen.len(),
            upserts: self.upserts,
            gone,
            anomalies: self.anomalies,
            kept: self.kept,
        }
    }
}

fn ids_digest(ids: &HashSet<i64>) -> [u8; 16] {
    let mut sorted: Vec<i64> = ids.iter().copied().collect();
    sorted.sort_unstable();
    let bytes: Vec<u8> = sorted.iter().flat_map(|id| id.to_le_bytes()).collect();
    truncate(&blake3::hash(&bytes))
}
