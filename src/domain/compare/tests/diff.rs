use super::*;

fn id(id: i64) -> Value {
    with(json!({"matchid": id}))
}

/// The usual match with this id and day.
fn on(id: i64, day: &str) -> Value {
    with(json!({"matchid": id, "speldatum": day}))
}

fn body(matches: &[Value]) -> Vec<u8> {
    Value::from(matches.to_vec()).to_string().into_bytes()
}

/// What a test looks at in a diff.
fn told(before: &[Value], now: &[Value]) -> (Vec<(i64, bool)>, Vec<i64>, usize, Anomalies) {
    let body = body(now);
    let list = List::split(&body).unwrap();
    let diff = super::super::diff(&list, &known(before), TODAY);
    assert_eq!(diff.kept.len(), diff.total);
    let upserts = diff.upserts.iter().map(|u| (u.id, u.is_new)).collect();
    (upserts, diff.gone, diff.total, diff.anomalies)
}

#[test]
fn only_new_and_differing_matches_are_upserts() {
    let differing = merged(id(3), json!({"x": 1}));
    let (upserts, gone, total, anomalies) = told(
        &[id(1), id(2), id(3), id(9), id(8)],
        &[id(4), differing, id(1), id(2)],
    );
    assert_eq!(upserts, [(4, true), (3, false)]);
    assert_eq!(
        (gone, total, anomalies),
        (vec![8, 9], 4, Anomalies::default())
    );
}

#[test]
fn an_entry_whose_fingerprint_is_known_is_not_parsed() {
    // What is known under this fingerprint is no match at all: parsing it would tell.
    let known = [KnownMatch {
        id: 5,
        fingerprint: Fingerprint::of(b"\"x\""),
        date: None,
    }];
    let list = List::split(b"[\"x\"]").unwrap();
    let diff = super::super::diff(&list, &known, TODAY);
    assert!(diff.upserts.is_empty() && diff.gone.is_empty());
    assert_eq!((diff.total, diff.anomalies.not_object), (1, 0));
}

#[test]
fn of_several_entries_with_one_id_the_last_counts() {
    let other = merged(id(1), json!({"x": 1}));
    let text = merged(id(1), json!({"matchid": "1"}));
    let one = Anomalies {
        duplicate: 1,
        ..Anomalies::default()
    };
    // Known, then overruled by other content.
    assert_eq!(
        told(&[id(1)], &[id(1), other.clone()]),
        (vec![(1, false)], vec![], 1, one)
    );
    // The reverse: what is known has the last word.
    assert_eq!(
        told(&[id(1)], &[other.clone(), id(1)]),
        (vec![], vec![], 1, one)
    );
    // Identical ones, known and unknown.
    assert_eq!(told(&[id(1)], &[id(1), id(1)]), (vec![], vec![], 1, one));
    assert_eq!(
        told(&[], &[id(1), id(1)]),
        (vec![(1, true)], vec![], 1, one)
    );
    // The same id as a number and as text.
    let two = Anomalies {
        duplicate: 2,
        ..Anomalies::default()
    };
    assert_eq!(
        told(&[], &[id(1), other, text.clone()]),
        (vec![(1, true)], vec![], 1, two)
    );
    let body = body(&[id(1), id(2), text.clone()]);
    let list = List::split(&body).unwrap();
    let diff = super::super::diff(&list, &[], TODAY);
    let kept: Vec<&str> = diff.kept.iter().map(|kept| kept.raw).collect();
    assert_eq!(kept, [id(2).to_string(), text.to_string()]);
}

#[test]
fn odd_entries_are_skipped_and_counted() {
    let short = json!({"matchid": 2, "datum": "2027-05-21", "tid": "19:00"});
    let now = [
        json!(17),
        id(1),
        json!({"matchid": null}),
        json!(null),
        json!({"matchid": 0}),
        short,
    ];
    let (upserts, _, total, anomalies) = told(&[], &now);
    assert_eq!((upserts, total), (vec![(1, true), (2, true)], 2));
    assert_eq!(
        anomalies,
        Anomalies {
            duplicate: 0,
            no_id: 2,
            not_object: 2,
            short: 1
        }
    );
    assert_eq!(anomalies.skipped(), 4);
}

#[test]
fn the_digest_of_ids_tells_lists_apart_but_not_orders() {
    let digest = |matches: &[Value]| {
        let body = body(matches);
        super::super::diff(&List::split(&body).unwrap(), &[], TODAY).ids_digest
    };
    assert_eq!(
        digest(&[id(1), id(2)]),
        digest(&[id(2), merged(id(1), json!({"x": 1}))])
    );
    assert_ne!(digest(&[id(1), id(2)]), digest(&[id(1), id(3)]));
    assert_ne!(digest(&[]), digest(&[id(1)]));
}

/// Holds a list against what is known.
fn held(before: &[Value], now: &[Value]) -> Option<(HoldReason, String)> {
    let (body, known) = (body(now), known(before));
    let list = List::split(&body).unwrap();
    let diff = super::super::diff(&list, &known, TODAY);
    hold_reason(&diff, &known, TODAY).map(|reason| (reason, reason.sentence(&diff)))
}

fn many(count: i64, day: &str) -> Vec<Value> {
    (1..=count).map(|id| on(id, day)).collect()
}

#[test]
fn an_empty_list_is_held_only_where_matches_are_known() {
    let (reason, sentence) = held(&[id(1)], &[]).unwrap();
    assert_eq!(
        (reason.label(), sentence.as_str()),
        ("empty", "The list is empty although 1 match is known.")
    );
    assert!(
        held(&many(2, "2027-04-01"), &[]).is_some(),
        "past matches are known matches"
    );
    let (reason, sentence) = held(&[id(1)], &[json!(17), json!({"x": 1})]).unwrap();
    assert_eq!(
        (reason.label(), sentence.as_str()),
        (
            "empty",
            "None of the 2 entries of the list is a match, although 1 match is known."
        )
    );
    assert_eq!(held(&[], &[]), None);
}

#[test]
fn a_list_that_lost_ten_and_half_of_the_future_is_held() {
    let twenty = many(20, "2027-05-02");
    let (reason, sentence) = held(&twenty, &twenty[10..]).unwrap();
    assert_eq!(reason, HoldReason::HalfLost);
    assert_eq!(
        sentence,
        "10 of the 20 matches still to come are missing from the list."
    );
    assert_eq!(held(&twenty, &twenty[9..]), None, "nine");
    assert_eq!(
        held(&many(21, "2027-05-02"), &many(21, "2027-05-02")[10..]),
        None,
        "ten of 21"
    );
    assert_eq!(held(&twenty[..9], &[id(99)]), None, "all nine");
}

#[test]
fn matches_of_today_and_of_an_unknown_day_are_future_and_past_ones_are_not() {
    for (day, is_held) in [
        ("2027-05-01", true),
        ("imorgon", true),
        ("2027-04-30", false),
    ] {
        assert_eq!(held(&many(10, day), &[id(99)]).is_some(), is_held, "{day}");
    }
    // Newcomers do not make up for the lost.
    let news: Vec<Value> = (101..=150).map(id).collect();
    assert!(held(&many(20, "2027-05-02"), &news).is_some());
}

#[test]
fn a_long_list_takes_no_quadratic_time() {
    let one = r#"{"matchid":1}"#;
    let body = format!("[{}{one}]", format!("{one},").repeat(200_000));
    let list = List::split(body.as_bytes()).unwrap();
    let diff = super::super::diff(&list, &[], TODAY);
    assert_eq!((diff.total, diff.anomalies.duplicate), (1, 200_000));
}
