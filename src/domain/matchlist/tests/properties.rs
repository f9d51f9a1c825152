use proptest::prelude::*;

use super::*;

/// Any JSON, with the keys that matter among its keys.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(|f| format!("{f:e}")),
        ".*".prop_map(|text| serde_json::to_string(&text).unwrap()),
        "[0-9]{1,3}".prop_map(|text| format!("\"{text}\"")),
        "2027-05-[0-3][0-9]".prop_map(|text| format!("\"{text}\"")),
    ];
    let key = prop_oneof![
        Just("matchid"),
        Just("matches"),
        Just("domaruppdraglista"),
        Just("domareid"),
        Just("speldatum"),
        Just("tid"),
        Just("lag1namn"),
        Just("installd"),
        Just("x"),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        let pair =
            (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(pair, 0..6).prop_map(|pairs| format!("{{{}}}", pairs.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(body in any_json()) {
        if let Ok(list) = List::split(body.as_bytes()) {
            for entry in &list.entries {
                drop(Match::parse(entry.get()));
            }
        }
        drop(Match::parse(&body));
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[{].*") {
        drop(List::split(&body));
        drop(List::split(text.as_bytes()));
        drop(Match::parse(&text));
    }

    #[test]
    fn spelling_and_white_space_do_not_matter(fields in prop::collection::vec(any_json(), 5)) {
        let keys = ["matchid", "domaruppdraglista", "lag1namn", "speldatum", "tid"];
        let members: Vec<String> =
            keys.iter().zip(&fields).map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let raw = format!("{{{}}}", members.join(","));
        let json: serde_json::Value = serde_json::from_str(&raw).unwrap();
        let pretty = serde_json::to_string_pretty(&json).unwrap();
        prop_assert_eq!(Match::parse(&raw), Match::parse(&pretty));
        let escaped = pretty.replace("\"tid\"", "\"\\u0074id\"").replace('é', "\\u00e9");
        prop_assert_eq!(Match::parse(&raw), Match::parse(&escaped));
    }

    #[test]
    fn damaged_entries_do_no_harm(body in any_json(), cut: prop::sample::Index, byte in "[\\[\\]{}:,\"\\\\a é]") {
        let mut at = cut.index(body.len() + 1);
        while !body.is_char_boundary(at) {
            at -= 1;
        }
        let (head, tail) = body.split_at(at);
        let entry = format!("{{\"matchid\":1,\"domaruppdraglista\":{head}");
        drop(Match::parse(&entry));
        drop(Match::parse(&format!("{entry}{byte}{tail}}}")));
        drop(List::split(format!("[{head}{byte}{tail}]").as_bytes()));
    }

    #[test]
    fn entries_come_out_as_they_went_in(items in prop::collection::vec(any_json(), 0..6)) {
        let body = format!("[{}]", items.join(" ,\n"));
        prop_assert_eq!(entries(&body), items);
    }
}
