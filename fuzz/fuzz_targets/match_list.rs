//! The list: split with and without a list before, read, compared.
//!
//! Up to the first NUL it is the list before, behind it the list now; without one they are the same.

#![no_main]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::{Date, date};
use libfuzzer_sys::fuzz_target;
use match_list_processor::domain::change::{Category, Change, Priority};
use match_list_processor::domain::compare::{
    Counts, Diff, KnownMatch, Rules, changes, diff, hold_reason, summary,
};
use match_list_processor::domain::matchlist::{
    Entry, EntryError, Fingerprint, Layout, List, ListError, Match,
};
use match_list_processor_fuzz::id_of;
use serde_json::Value;

const TODAY: Date = date(2027, 5, 1);

fuzz_target!(|data: &[u8]| {
    let cut = data.iter().position(|&byte| byte == 0);
    let (before, now) = cut.map_or((data, data), |cut| (&data[..cut], &data[cut + 1..]));
    let (old, new) = (List::split(before), List::split(now));
    let layout = old.as_ref().map(layout).unwrap_or_default();
    split_alike(now, &layout);
    // A length that is another match's.
    let mut lengths: Vec<usize> = layout.iter().map(|one| one.1).collect();
    lengths.rotate_left(1.min(layout.len()));
    let odd: Vec<_> = layout
        .iter()
        .zip(lengths)
        .map(|(one, length)| (one.0, length))
        .collect();
    split_alike(now, &odd);
    let Ok(new) = new else {
        return;
    };
    new.entries.iter().for_each(read_alike);
    if let Ok(old) = old {
        compare(&old, &new);
    }
    respelled(&new);
});

/// What a cycle remembers of a list.
fn layout(list: &List) -> Vec<(Fingerprint, usize)> {
    let found = diff(list, &[], TODAY);
    found
        .kept
        .iter()
        .map(|kept| (kept.known.fingerprint, kept.raw.len()))
        .collect()
}

/// With a list before in mind the same comes out, or the same error.
fn split_alike(body: &[u8], before: &[(Fingerprint, usize)]) {
    fn texts<'a>(list: Result<List<'a>, ListError>) -> Result<Vec<&'a str>, ListError> {
        Ok(list?.entries.iter().map(Entry::get).collect())
    }
    let mut early = Vec::new();
    let before: Layout = before.iter().copied().collect();
    let like = List::split_like(body, &before, |run| {
        early.extend(run.iter().map(Entry::get))
    });
    for entry in like.iter().flat_map(|list| &list.entries) {
        assert_eq!(entry.fingerprint(), Fingerprint::of(entry.get().as_bytes()));
    }
    let like = texts(like);
    assert_eq!(like, texts(List::split(body)));
    assert!(like.is_err() || like.is_ok_and(|all| all.starts_with(&early)));
}

/// A match is the same however its JSON is spelled, and its id is what a second reading finds.
fn read_alike(entry: &Entry) {
    let read = Match::parse(entry.get());
    let Ok(value) = serde_json::from_str::<Value>(entry.get()) else {
        return;
    };
    let expected = match (value.is_object(), id_of(&value)) {
        (false, _) => Err(EntryError::NotObject),
        (true, None) => Err(EntryError::NoId),
        (true, Some(id)) => Ok(id),
    };
    assert_eq!(
        read.as_ref().map(|one| one.id).map_err(|error| *error),
        expected
    );
    assert_eq!(Match::parse(&value.to_string()), read);
}

/// Of each match the text that counts, found the slow way.
fn by_id<'a>(list: &List<'a>) -> BTreeMap<i64, &'a str> {
    let texts = list.entries.iter().map(Entry::get);
    texts
        .filter_map(|text| Some((Match::parse(text).ok()?.id, text)))
        .collect()
}

fn known(list: &List) -> Vec<KnownMatch> {
    diff(list, &[], TODAY)
        .kept
        .iter()
        .map(|kept| kept.known)
        .collect()
}

fn compare(old: &List, new: &List) {
    let known = known(old);
    let found = diff(new, &known, TODAY);
    let (mut before, after) = (by_id(old), by_id(new));
    let kept = found.kept.iter().map(|kept| (kept.known.id, kept.raw));
    assert_eq!(kept.clone().count(), after.len(), "an id twice");
    assert_eq!(
        kept.collect::<BTreeMap<_, _>>(),
        after,
        "other matches are kept"
    );
    let odd = found.anomalies;
    assert_eq!(found.total, after.len());
    assert_eq!(
        found.total + odd.duplicate + odd.skipped(),
        new.entries.len()
    );
    assert!(found.lost_future <= found.known_future && found.lost_future <= found.gone.len());
    let texts: HashMap<i64, Match> = before
        .iter()
        .map(|(id, text)| (*id, Match::parse(text).expect("a match")))
        .collect();
    for legacy in [false, true] {
        let rules = rules(legacy);
        let told = changes(&found, &texts, &rules);
        told_of_what_differs(&found, &told);
        let counts = Counts::of(&found, &told);
        assert_eq!(before.len() + counts.new - counts.removed, after.len());
        assert_eq!(summary(&counts) == "No changes", told.is_empty());
    }
    let _ = hold_reason(&found, &known, TODAY);
    // Applied to the list before, the differences lead to the list now, and each was needed.
    for upsert in &found.upserts {
        let replaced = before.insert(upsert.id, upsert.raw);
        assert_eq!(replaced.is_none(), upsert.is_new);
        assert_ne!(replaced, Some(upsert.raw), "nothing differs");
    }
    for id in &found.gone {
        assert!(before.remove(id).is_some(), "gone twice or never there");
    }
    assert_eq!(before, after, "the differences lead elsewhere");
}

fn rules(legacy: bool) -> Rules {
    Rules {
        today: TODAY,
        legacy,
        same_day: Priority::Critical,
        timestamp: "2027-05-01T12:00:00Z".to_owned(),
    }
}

/// What came or went is told once, the rest once per subject, and nothing else is told.
fn told_of_what_differs(found: &Diff, told: &[Change]) {
    let subjects = told
        .iter()
        .map(|one| (one.match_id, one.category, one.field_name.as_deref()));
    assert_eq!(
        subjects.collect::<BTreeSet<_>>().len(),
        told.len(),
        "a subject told twice"
    );
    let times = |id: i64| told.iter().filter(|one| one.match_id == id).count();
    let new = found
        .upserts
        .iter()
        .filter(|one| one.is_new)
        .map(|one| one.id);
    for id in new.chain(found.gone.iter().copied()) {
        assert_eq!(times(id), 1, "match {id}");
    }
    for one in told {
        let differs = found.gone.contains(&one.match_id)
            || found.upserts.iter().any(|upsert| upsert.id == one.match_id);
        assert!(differs, "match {} is the same", one.match_id);
        assert!(one.category != Category::AgedOut || one.priority == Priority::Low);
    }
}

/// A list does not differ from itself, nor from itself spelled otherwise.
fn respelled(list: &List) {
    let known = known(list);
    let same = diff(list, &known, TODAY);
    assert!(same.upserts.is_empty() && same.gone.is_empty());
    let texts = list.entries.iter().map(|one| {
        let value = serde_json::from_str::<Value>(one.get()).ok()?;
        serde_json::to_string_pretty(&value).ok()
    });
    let Some(texts) = texts.collect::<Option<Vec<_>>>() else {
        return;
    };
    let body = format!("{{\"x\": [], \"matches\": [{}]}}", texts.join("\n,"));
    let other = List::split(body.as_bytes()).expect("a list");
    let found = diff(&other, &known, TODAY);
    assert_eq!((found.gone.len(), found.ids_digest), (0, same.ids_digest));
    let old = by_id(list)
        .into_values()
        .map(|text| Match::parse(text).expect("a match"));
    let old: HashMap<i64, Match> = old.map(|one| (one.id, one)).collect();
    for legacy in [false, true] {
        assert_eq!(
            changes(&found, &old, &rules(legacy)),
            [],
            "only the spelling differs"
        );
    }
}
