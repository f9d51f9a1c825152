use proptest::prelude::*;

use super::*;

/// A match of one of a few ids with fields of a few values, some unknown.
fn any_match() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(json!("A")),
        Just(json!("B")),
        Just(json!("")),
        Just(Value::Null)
    ];
    let id = prop_oneof![
        Just(json!(0)),
        Just(json!(5)),
        Just(json!("6")),
        Just(Value::Null)
    ];
    let flag = prop_oneof![Just(json!(true)), Just(json!(false)), Just(Value::Null)];
    let day = prop_oneof![
        Just(json!("2027-04-30")),
        Just(json!("2027-05-01")),
        Just(json!("2027-05-02")),
        Just(json!("")),
    ];
    let referee = (
        id.clone(),
        id.clone(),
        text.clone(),
        text.clone(),
        text.clone(),
    )
        .prop_map(|(domareid, personid, domarnr, role, phone)| {
            json!({"domareid": domareid, "personid": personid, "domarnr": domarnr,
                "domarrollnamn": role, "telefon": phone, "personnamn": "Anna Exempel"})
        });
    let referees = prop::collection::vec(referee, 0..4);
    (1..9i64, day, text.clone(), text, id, flag, referees).prop_map(
        |(matchid, day, time, name, venue, flag, referees)| {
            json!({"matchid": matchid, "speldatum": day, "avsparkstid": time, "lag1namn": name,
                "anlaggningid": venue, "installd": flag, "domaruppdraglista": referees})
        },
    )
}

fn distinct(matches: Vec<Value>) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    matches
        .into_iter()
        .filter(|m| seen.insert(m["matchid"].as_i64()))
        .collect()
}

fn any_list() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(any_match(), 0..8).prop_map(distinct)
}

fn sorted(mut changes: Vec<Change>) -> Vec<String> {
    let mut told: Vec<String> = changes
        .drain(..)
        .map(|mut change| {
            // The referees are told in list order.
            (change.previous_value, change.current_value) = (None, None);
            format!("{change:?}")
        })
        .collect();
    told.sort_unstable();
    told
}

/// The list in another order, and its referees too.
fn reordered(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    list.reverse();
    for m in &mut list {
        m["domaruppdraglista"].as_array_mut().unwrap().reverse();
    }
    list
}

proptest! {
    #[test]
    fn a_list_does_not_differ_from_itself(list in any_list(), legacy: bool) {
        let rules = Rules { legacy, ..rules() };
        prop_assert_eq!(between(&list, &list, &rules), []);
        prop_assert_eq!(between(&list, &reordered(&list), &rules), []);
    }

    #[test]
    fn the_order_of_a_list_changes_nothing(before in any_list(), now in any_list(), legacy: bool) {
        let rules = Rules { legacy, ..rules() };
        let told = sorted(between(&before, &now, &rules));
        prop_assert_eq!(&told, &sorted(between(&reordered(&before), &now, &rules)));
        prop_assert_eq!(&told, &sorted(between(&before, &reordered(&now), &rules)));
    }

    #[test]
    fn the_numbers_add_up(before in any_list(), now in any_list()) {
        let body = Value::from(now.clone()).to_string();
        let list = List::split(body.as_bytes()).unwrap();
        let diff = super::super::diff(&list, &known(&before), TODAY);
        let counts = Counts::of(&diff, &between(&before, &now, &rules()));
        prop_assert_eq!(before.len() + counts.new - counts.removed, now.len());
        prop_assert_eq!(diff.total, now.len());
        prop_assert!(counts.updated <= before.len() - counts.removed);
        prop_assert_eq!(counts.by_category.values().sum::<usize>(), between(&before, &now, &rules()).len());
    }
}
