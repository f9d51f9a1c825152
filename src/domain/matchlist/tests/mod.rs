mod layout;
mod properties;

use super::*;

fn entries(body: &str) -> Vec<&str> {
    List::split(body.as_bytes())
        .unwrap()
        .entries
        .iter()
        .map(Entry::get)
        .collect()
}

fn refused(body: &[u8]) -> String {
    List::split(body).unwrap_err().to_string()
}

fn parse(fields: &str) -> Match {
    Match::parse(&format!("{{\"matchid\": 1, {fields}}}")).unwrap()
}

fn referees(list: &str) -> Vec<Referee> {
    parse(&format!("\"domaruppdraglista\": {list}")).referees
}

#[test]
fn all_three_shapes_of_a_list_are_split_as_they_stand() {
    let wanted = [r#"{"matchid" : 1}"#, "17", "null"];
    for body in [
        r#" [ {"matchid" : 1} , 17,null ] "#,
        r#"{"matches": [{"matchid" : 1}, 17, null]}"#,
        r#"{"a": {"matches": [3]}, "matchlista": [{"matchid" : 1}, 17, null], "b": [4]}"#,
        "\u{feff}[{\"matchid\" : 1}, 17, null]\n",
    ] {
        assert_eq!(entries(body), wanted, "{body}");
    }
    assert!(entries("[]").is_empty());
}

#[test]
fn the_first_wrapper_that_holds_an_array_counts() {
    let others = ["null", "{\"x\": [1]}", "5", "-5", "1.5", "true", "\"[1]\""];
    for other in others {
        let body = format!(r#"{{"matches": {other}, "matchlista": [2], "matches": [3]}}"#);
        assert_eq!(entries(&body), ["2"], "{body}");
    }
}

#[test]
fn what_is_no_list_is_refused_without_quoting_it() {
    for (body, wanted) in [
        ("", "expected a JSON array, found nothing"),
        (" \n", "expected a JSON array, found nothing"),
        ("\n<html>Anna</html>", "expected a JSON array, found HTML"),
        (
            r#"{"error": "Anna"}"#,
            "expected a JSON array, found an object without `matches` or `matchlista`",
        ),
        ("\"Anna\"", "expected a JSON array, found a string"),
        ("-17", "expected a JSON array, found a number"),
        ("true", "expected a JSON array, found a boolean"),
        ("null", "expected a JSON array, found null"),
        ("Anna", "expected a JSON array, found text that is no JSON"),
        ("[1,\n 2", "the match list is cut off at line 2 column 2"),
        (
            r#"{"matches": [1]"#,
            "the match list is cut off at line 1 column 15",
        ),
        (
            "[1,\n Anna]",
            "the match list is malformed JSON at line 2 column 2",
        ),
        (
            "{\"a\n\": 1, \"matches\": []}",
            "the match list is malformed JSON at line 1 column 3",
        ),
        (
            "[1] Anna",
            "the match list is followed by something else at line 1 column 5",
        ),
        (
            "[1],",
            "the match list is followed by something else at line 1 column 4",
        ),
    ] {
        assert_eq!(refused(body.as_bytes()), wanted, "{body}");
    }
    assert_eq!(
        refused(b"[\"\xff\"]"),
        "expected a JSON array, found invalid UTF-8 at byte 2"
    );
}

#[test]
fn a_list_beyond_all_measure_is_refused() {
    let body = format!("[{}0]", "0,".repeat(MAX_ENTRIES));
    assert_eq!(
        List::split(body.as_bytes()).unwrap_err(),
        ListError::TooMany
    );
    let body = format!("[{}0]", "0,".repeat(MAX_ENTRIES - 1));
    assert_eq!(
        List::split(body.as_bytes()).unwrap().entries.len(),
        MAX_ENTRIES
    );
}

#[test]
fn nesting_does_no_harm() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let body = format!("[{{\"matchid\": 4, \"x\": {deep}, \"tavlingid\": {deep}}}, {deep}]");
    let list = List::split(body.as_bytes()).unwrap();
    assert_eq!(Match::parse(list.entries[0].get()).unwrap().id, 4);
    assert_eq!(
        Match::parse(list.entries[1].get()),
        Err(EntryError::NotObject)
    );
}

#[test]
fn a_full_match_is_read() {
    let m = parse(
        r#""matchnr": "000402010", "speldatum": "2027-05-11", "avsparkstid": "19:00",
        "tid": "/Date(1810054800000)/", "lag1lagid": 11, "lag1namn": "Norra IF",
        "lag1foreningid": 12, "lag2lagid": 21, "lag2namn": "S\u00f6dra BK", "lag2foreningid": 22,
        "anlaggningid": 31, "anlaggningnamn": "Vallen", "tavlingid": 41, "tavlingnamn": "Cupen",
        "installd": false, "uppskjuten": true, "avbruten": false"#,
    );
    assert_eq!(
        (m.id, m.number.as_str(), m.short_form),
        (1, "000402010", false)
    );
    assert_eq!(m.date, Some(jiff::civil::date(2027, 5, 11)));
    assert_eq!(m.date_text.as_deref(), Some("2027-05-11"));
    assert_eq!(m.kickoff.as_deref(), Some("19:00"));
    assert_eq!(m.tid.as_deref(), Some("/Date(1810054800000)/"));
    let team = |team_id, name: &str, club_id| Team {
        team_id: Some(team_id),
        name: Some(name.to_owned()),
        club_id: Some(club_id),
    };
    assert_eq!(
        (m.home, m.away),
        (team(11, "Norra IF", 12), team(21, "Södra BK", 22))
    );
    assert_eq!(
        m.venue,
        Named {
            id: Some(31),
            name: Some("Vallen".to_owned())
        }
    );
    assert_eq!(
        m.competition,
        Named {
            id: Some(41),
            name: Some("Cupen".to_owned())
        }
    );
    assert_eq!(
        (m.cancelled, m.postponed, m.interrupted),
        (Some(false), Some(true), Some(false))
    );
}

#[test]
fn the_shorter_form_is_read() {
    let m = parse(r#""datum": "2027-05-21", "tid": "19:00", "domaruppdraglista": null"#);
    assert_eq!(m.date, Some(jiff::civil::date(2027, 5, 21)));
    assert_eq!((m.kickoff.as_deref(), m.tid), (Some("19:00"), None));
    assert!(m.short_form && m.referees.is_empty());
    let both = parse(r#""datum": "2027-05-21", "speldatum": "2027-05-22", "avsparkstid": "18:00""#);
    assert_eq!(both.date, Some(jiff::civil::date(2027, 5, 22)));
    assert!(!both.short_form);
}

#[test]
fn ids_are_read_in_every_spelling() {
    for (raw, wanted) in [
        ("123", Ok(123)),
        ("\"123\"", Ok(123)),
        ("\" 0123 \"", Ok(123)),
        ("\"\\u0031\"", Ok(1)),
        ("123.0", Ok(123)),
        ("1.23e2", Ok(123)),
        ("-7", Ok(-7)),
        ("9223372036854775807", Ok(i64::MAX)),
        ("9223372036854775808", Err(EntryError::NoId)),
        ("1e400", Err(EntryError::NoId)),
        ("1.5", Err(EntryError::NoId)),
        ("0", Err(EntryError::NoId)),
        ("-1", Err(EntryError::NoId)),
        ("\"0\"", Err(EntryError::NoId)),
        ("\"\"", Err(EntryError::NoId)),
        ("\"nan\"", Err(EntryError::NoId)),
        ("\"x\"", Err(EntryError::NoId)),
        ("null", Err(EntryError::NoId)),
        ("true", Err(EntryError::NoId)),
        ("[1]", Err(EntryError::NoId)),
        ("{}", Err(EntryError::NoId)),
    ] {
        let read = Match::parse(&format!("{{\"matchid\": {raw}}}")).map(|m| m.id);
        assert_eq!(read, wanted, "{raw}");
    }
}

#[test]
fn numbers_are_text_or_missing() {
    for (raw, wanted) in [
        ("\"000402010\"", "000402010"),
        ("402010", "402010"),
        ("\"\"", ""),
        ("0", ""),
        ("-1", ""),
        ("\"0\"", ""),
        ("\" -1 \"", ""),
        ("null", ""),
        ("1.5", ""),
    ] {
        assert_eq!(
            parse(&format!("\"matchnr\": {raw}")).number,
            wanted,
            "{raw}"
        );
        let with = format!("[{{\"domarnr\": {raw}, \"domareid\": 1}}]");
        assert_eq!(
            referees(&with)[0].number.as_deref().unwrap_or(""),
            wanted,
            "{raw}"
        );
    }
}

#[test]
fn entries_that_are_no_matches_are_told_apart() {
    for raw in [
        "{\"",
        "{\"a\\",
        "{\"a\":\"\\é",
        "17",
        "null",
        "\"{}\"",
        "[]",
        "true",
        "",
        "{",
        "{} x",
        "{\"matchid\": 1,}",
    ] {
        assert_eq!(Match::parse(raw), Err(EntryError::NotObject), "{raw}");
    }
    assert_eq!(Match::parse("{}"), Err(EntryError::NoId));
}

#[test]
fn fields_of_another_type_are_unknown_and_harm_nothing_else() {
    for odd in ["null", "17", "1e999", "[1]", "{\"a\": 1}", "true"] {
        let m = parse(&format!(
            r#""lag1namn": {odd}, "speldatum": {odd}, "avsparkstid": {odd}, "tid": {odd},
            "domaruppdraglista": {odd}, "anlaggningnamn": "Vallen""#
        ));
        let wanted = Match {
            id: 1,
            venue: Named {
                id: None,
                name: Some("Vallen".to_owned()),
            },
            ..Match::default()
        };
        assert_eq!(m, wanted, "{odd}");
    }
    assert_eq!(
        parse(r#""installd": "true", "uppskjuten": 1"#),
        parse(r#""x": 0"#)
    );
}

#[test]
fn an_empty_string_is_a_value_and_the_last_of_a_key_counts() {
    let m = parse(r#""lag1namn": "", "lag2namn": "A", "lag2namn": "B", "lag2namn": null"#);
    assert_eq!((m.home.name.as_deref(), m.away.name), (Some(""), None));
    let again = Match::parse(r#"{"matchid": 1, "matchid": 2}"#).unwrap();
    assert_eq!(again.id, 2);
}

#[test]
fn strings_end_at_their_first_bare_quote_wherever_it_stands() {
    for length in 0..40 {
        for odd in [
            "", "\\\"", "\\\\", "å", "\u{80}", "!", "#", "[", "]", "\u{a2}", "\\u00dc",
        ] {
            let text = format!("{}{odd}{}", "a".repeat(length), "b".repeat(length % 9));
            let m = parse(&format!("\"lag1namn\": \"{text}\", \"lag2namn\": \"B\""));
            let wanted: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(m.home.name.as_deref(), Some(wanted.as_str()));
            assert_eq!(m.away.name.as_deref(), Some("B"));
            // At the very end of the text, too.
            assert_eq!(
                parse(&format!("\"lag1namn\":\"{text}\"")).home.name,
                Some(wanted)
            );
        }
    }
}

#[test]
fn keys_can_be_escaped() {
    let m = parse(r#""lag1n\u0061mn": "A", "lag2namn\\": "B", "\"lag2namn": "C""#);
    assert_eq!((m.home.name.as_deref(), m.away.name), (Some("A"), None));
}

#[test]
fn of_contact_data_the_last_counts_as_well() {
    let found = referees(
        r#"[{"domareid": 5, "telefon": "1", "namn": "Anna", "telefon": "22", "namn": null,
        "land": "", "postnr": 7}]"#,
    );
    let told: Vec<_> = (0..=CONTACT_FIELDS.len())
        .map(|i| found[0].contact.get(i))
        .collect();
    let mut wanted = vec![None; CONTACT_FIELDS.len() + 1];
    (wanted[2], wanted[10]) = (Some("22"), Some(""));
    assert_eq!(told, wanted);
    let other = referees(r#"[{"land": "", "telefon": "22", "domareid": 5}]"#);
    assert_eq!(found, other, "the order of keys does not matter");
}

#[test]
fn half_a_surrogate_pair_spoils_one_character() {
    let m = parse(r#""\ud800": 1, "lag1namn": "A\ud800B", "lag2namn": "C\ud83d\ude00""#);
    assert!(m.home.name.unwrap().starts_with("A\u{fffd}"));
    assert_eq!(m.away.name.as_deref(), Some("C😀"));
    let body = r#"{"\udc00": 1, "matches": {"\ud800": 1}, "\u006datchlista": [{}]}"#;
    assert_eq!(entries(body), ["{}"]);
}

#[test]
fn days_are_read_where_they_begin_the_text() {
    let date = |text: &str| parse(&format!("\"speldatum\": \"{text}\"")).date;
    let day = Some(jiff::civil::date(2027, 5, 1));
    assert_eq!(
        (
            date("2027-05-01"),
            date("2027-05-01T00:00:00"),
            date(" 2027-05-01 ")
        ),
        (day, day, day)
    );
    for text in [
        "",
        "2027-13-01",
        "2027-02-30",
        "1/5/2027",
        "åååååååååå",
        "imorgon",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
}

#[test]
fn referees_are_known_by_any_of_their_identifiers() {
    let found = referees(
        r#"[{"domareid": 5}, {"domarid": "6"}, {"domarid": 8, "domareid": 7},
        {"domareid": 9, "domarid": null}, {"personid": 10}, {"domarnr": "11"}, {"domarnr": 12},
        {"personnamn": "", "namn": "Anna Exempel"}]"#,
    );
    let ids: Vec<_> = found.iter().map(|r| r.referee_id).collect();
    assert_eq!(
        ids,
        [Some(5), Some(6), Some(7), Some(9), None, None, None, None]
    );
    assert_eq!(found[4].person_id, Some(10));
    assert_eq!(found[5].number.as_deref(), Some("11"));
    assert_eq!(found[6].number.as_deref(), Some("12"));
    assert_eq!(found[7].name(), Some("Anna Exempel"));
}

#[test]
fn assignments_that_name_nobody_are_left_out() {
    let list = r#"[17, null, "x", [], {}, {"domareid": 0, "personid": -1, "domarnr": "",
        "personnamn": "", "domarrollnamn": "Huvuddomare"}, {"domareid": 5}]"#;
    assert_eq!(referees(list).len(), 1);
    for list in ["[]", "null", "{}", "\"x\"", "17"] {
        assert!(referees(list).is_empty(), "{list}");
    }
}

#[test]
fn the_debug_form_shows_no_personal_data() {
    let found = referees(r#"[{"domareid": 5, "personnamn": "Anna Exempel", "telefon": "070"}]"#);
    let shown = format!("{found:?} {:?}", found[0].contact);
    assert!(!shown.contains("Anna") && !shown.contains("070"), "{shown}");
}

#[test]
fn fingerprints_are_of_the_bytes() {
    assert_eq!(Fingerprint::of(b"{}"), Fingerprint::of(b"{}"));
    assert_ne!(Fingerprint::of(b"{}"), Fingerprint::of(b"{ }"));
}
