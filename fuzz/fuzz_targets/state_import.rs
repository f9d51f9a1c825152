//! The import of an exported list, in each of its shapes: what the README promises of it, held
//! against a second reading, and what was imported is exported and imported again.

#![no_main]

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use match_list_processor::cycle::baseline;
use match_list_processor::domain::matchlist::Fingerprint;
use match_list_processor::store::SnapshotWrite;
use match_list_processor_fuzz::id_of;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::de::Deserializer;

/// Stands for the digest of the file.
const DIGEST: [u8; 3] = [1, 2, 3];

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    let imported = baseline(&body, DIGEST.to_vec());
    match (&imported, expected(data)) {
        (Ok(_), Expected::Damaged) => panic!("a damaged list was imported"),
        (Ok(found), Expected::Matches(texts)) => assert_eq!(ids(found), texts, "other matches"),
        (Err(problem), Expected::Matches(texts)) => {
            panic!("{} matches were refused: {problem}", texts.len())
        }
        _ => {}
    }
    match imported {
        Ok(found) => check(&found),
        // No line of its own, nothing that could be somebody's name.
        Err(problem) => assert!(problem.is_ascii() && problem.len() < 120, "{problem}"),
    }
});

/// What a second reading of the list says.
enum Expected {
    /// No list, or none with a match in it.
    Damaged,
    /// The matches, each with its last entry.
    Matches(BTreeMap<i64, Value>),
    /// JSON that this reading does not understand, such as half a surrogate pair.
    Unknown,
}

fn expected(data: &[u8]) -> Expected {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return Expected::Damaged;
    };
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return Expected::Damaged;
    }
    let Ok(value) = serde_json::from_str(text) else {
        return Expected::Unknown;
    };
    let entries = match value {
        Value::Array(entries) => entries,
        Value::Object(_) => match wrapped(text) {
            Some(entries) => entries,
            None => return Expected::Damaged,
        },
        _ => return Expected::Damaged,
    };
    let is_empty = entries.is_empty();
    let matches: BTreeMap<i64, Value> = entries
        .into_iter()
        .filter_map(|one| Some((id_of(&one)?, one)))
        .collect();
    if matches.is_empty() && !is_empty {
        return Expected::Damaged;
    }
    Expected::Matches(matches)
}

/// The first array under one of the two keys; an object as such forgets the order of its keys.
fn wrapped(text: &str) -> Option<Vec<Value>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Option<Vec<Value>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some((key, value)) = map.next_entry::<String, Value>()? {
                if let ("matches" | "matchlista", Value::Array(entries)) = (key.as_str(), value) {
                    found.get_or_insert(entries);
                }
            }
            Ok(found)
        }
    }
    Deserializer::from_str(text).deserialize_map(Members).ok()?
}

fn texts(found: &SnapshotWrite) -> Vec<&str> {
    let writes = &found.matches;
    let text = |one: &match_list_processor::store::MatchWrite| {
        std::str::from_utf8(&writes.body[one.raw.clone()]).expect("cut between characters")
    };
    writes.upserts.iter().map(text).collect()
}

/// Each match by its id; no id occurs twice.
fn ids(found: &SnapshotWrite) -> BTreeMap<i64, Value> {
    let parsed = texts(found)
        .into_iter()
        .map(|text| serde_json::from_str(text).expect("JSON"));
    let ids = found.matches.upserts.iter().map(|one| one.id);
    let by_id: BTreeMap<i64, Value> = ids.zip(parsed).collect();
    assert_eq!(by_id.len(), found.matches.upserts.len(), "an id twice");
    by_id
}

fn check(found: &SnapshotWrite) {
    assert_eq!(found.export_digest.as_deref(), Some(&DIGEST[..]));
    assert!(
        found.list_digest.is_empty(),
        "the first fetch would be taken for seen"
    );
    assert!(found.matches.gone.is_empty(), "an import removes nothing");
    let texts = texts(found);
    for (one, text) in found.matches.upserts.iter().zip(&texts) {
        assert_eq!(one.fingerprint, Fingerprint::of(text.as_bytes()).0);
    }
    let again = Bytes::from(format!("[\n{}\n]\n", texts.join(",\n")));
    let again = baseline(&again, DIGEST.to_vec()).expect("what was imported can be exported");
    let rows = |of: &SnapshotWrite| {
        let row =
            |one: &match_list_processor::store::MatchWrite| (one.id, one.fingerprint, one.date);
        of.matches.upserts.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&again),
        rows(found),
        "the way through the exported file changes it"
    );
}
