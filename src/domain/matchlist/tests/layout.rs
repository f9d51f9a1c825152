//! Splitting with the list before in mind is splitting.

use proptest::prelude::*;

use super::*;

fn layout<T: AsRef<str>>(matches: &[T]) -> Layout {
    let one = |raw: &T| {
        let raw = raw.as_ref();
        (Fingerprint::of(raw.as_bytes()), raw.len())
    };
    matches.iter().map(one).collect()
}

/// Holds both ways of splitting against each other; what came out.
fn both(body: &[u8], before: &Layout) -> Result<Vec<String>, ListError> {
    let texts = |list: List| {
        for entry in &list.entries {
            assert_eq!(entry.fingerprint(), Fingerprint::of(entry.get().as_bytes()));
        }
        let texts = list.entries.iter().map(|entry| entry.get().to_owned());
        texts.collect::<Vec<_>>()
    };
    let plain = List::split(body);
    let mut early = Vec::new();
    let found = |run: &[Entry]| early.extend(run.iter().map(|one| one.get().to_owned()));
    let like = List::split_like(body, before, found).map(texts);
    if let Ok(like) = &like {
        assert!(like.starts_with(&early));
    }
    assert_eq!(like, plain.map(texts));
    like
}

/// A match among few, so that lists resemble each other.
fn any_match() -> impl Strategy<Value = String> {
    (
        1..5,
        prop_oneof![Just(""), Just("}"), Just("é\\\""), Just("},{")],
    )
        .prop_map(|(id, text)| format!("{{\"matchid\":{id},\"lag1namn\":\"{text}\"}}"))
}

fn any_entry() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => any_match(),
        1 => prop_oneof![Just("17"), Just("null"), Just("[{}]"), Just("\"{\""), Just("{}")]
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn the_list_before_changes_nothing(
        before in prop::collection::vec(any_match(), 0..6),
        now in prop::collection::vec(any_entry(), 0..6),
        between in prop_oneof![Just(","), Just(" ,\n\t"), Just(",,"), Just(" ")],
    ) {
        let body = format!("[{}]", now.join(between));
        drop(both(body.as_bytes(), &layout(&before)));
        drop(both(format!(" {{\"matches\": {body}}}").as_bytes(), &layout(&before)));
    }

    #[test]
    fn damage_is_reported_alike(
        before in prop::collection::vec(any_match(), 1..6),
        at: prop::sample::Index,
        damage in prop::sample::select(vec![
            &b""[..], b"\xff", b"]", b"{", b"\"", b" ",
        ]),
        cut: bool,
    ) {
        let mut body = format!("[{}]", before.join(",")).into_bytes();
        let at = at.index(body.len() + 1);
        if cut {
            body.truncate(at);
            body.extend(damage);
        } else {
            body.splice(at..at, damage.iter().copied());
        }
        drop(both(&body, &layout(&before)));
    }
}

#[test]
fn what_changed_came_or_went_does_not_hide_the_rest() {
    let one = |n: usize| format!("{{\"matchid\":{n}}}");
    let before: Vec<String> = (1..=9).map(one).collect();
    let known = layout(&before);
    for now in [
        vec![1, 2, 3, 4, 5, 6, 7, 8, 9],
        vec![4, 5, 6, 7, 8, 9],
        vec![10, 1, 11, 12, 13, 2, 3, 9],
        vec![9, 8, 7, 1, 1, 2],
        vec![],
    ] {
        let now: Vec<String> = now.into_iter().map(one).collect();
        assert_eq!(
            both(format!("[{}]", now.join(", ")).as_bytes(), &known),
            Ok(now)
        );
    }
}

#[test]
fn a_match_ends_where_it_ended_before() {
    let known = layout(&["{\"a\":1}", "{}"]);
    for body in [
        "[{\"a\":1}{}]",
        "[{\"a\":1},]",
        "[{\"a\":1}",
        "[{\"a\":1}],",
        "[{},{\"a\":1}}]",
        "[{\"a\":1}x]",
    ] {
        assert!(both(body.as_bytes(), &known).is_err(), "{body}");
    }
}

#[test]
fn what_is_found_is_told_before_the_end_once_something_is_new() {
    let one = |n: usize| format!("{{\"matchid\":{n}}}");
    let before: Vec<String> = (0..200).map(one).collect();
    let known = layout(&before);
    let told = |new: Option<usize>| {
        let mut now = before.clone();
        if let Some(place) = new {
            now[place] = one(1000);
        }
        let (body, mut runs) = (format!("[{}]", now.join(",")), Vec::new());
        let found = |run: &[Entry]| runs.push(run.len());
        List::split_like(body.as_bytes(), &known, found).unwrap();
        runs
    };
    assert_eq!(told(None), [0; 0]);
    assert_eq!(told(Some(0)), [64, 64, 64]);
    assert_eq!(told(Some(100)), [101, 64]);
    assert_eq!(told(Some(199)), [200]);
}

#[test]
fn a_list_beyond_all_measure_is_refused_here_too() {
    let known = layout(&["{}"]);
    let body = format!("[{}0]", "0,".repeat(MAX_ENTRIES));
    assert_eq!(both(body.as_bytes(), &known), Err(ListError::TooMany));
}
