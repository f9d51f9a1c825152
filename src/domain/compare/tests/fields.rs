use super::*;
use crate::domain::change::{Category as C, Priority as P};

/// The change from the usual match to one with other fields.
fn to(fields: Value) -> Change {
    only(found(a_match(), with(fields)))
}

#[test]
fn a_date_change_is_told_once() {
    // The instant moves along with the day.
    let change = to(json!({"speldatum": "2027-05-12", "tid": "/Date(1810141200000)/"}));
    let values = (Some("2027-05-11"), Some("2027-05-12"));
    assert_eq!(
        row(&change),
        (
            C::DateChange,
            P::High,
            Some("speldatum"),
            values.0,
            values.1
        )
    );
    assert_eq!(stakeholders(&change), "all");
    assert_eq!(
        change.change_description,
        "Date changed from 2027-05-11 to 2027-05-12."
    );
    assert_eq!(
        (change.match_id, change.match_nr.as_str()),
        (1, "000000001")
    );
    assert_eq!(change.timestamp, "2027-05-01T12:00:00Z");
}

#[test]
fn a_time_change_is_told_by_the_local_time() {
    let change = to(json!({"avsparkstid": "20:15", "tid": "/Date(1810059300000)/"}));
    let values = (Some("19:00"), Some("20:15"));
    assert_eq!(
        row(&change),
        (
            C::TimeChange,
            P::High,
            Some("avsparkstid"),
            values.0,
            values.1
        )
    );
    assert_eq!(stakeholders(&change), "all");
    assert_eq!(
        change.change_description,
        "Kick-off changed from 19:00 to 20:15."
    );
}

#[test]
fn the_instant_counts_only_where_day_and_time_do_not_tell() {
    let change = to(json!({"tid": "/Date(1810059300000)/"}));
    assert_eq!(
        (change.category, change.field_name.as_deref()),
        (C::TimeChange, Some("tid"))
    );
    let both = found(
        a_match(),
        with(json!({"speldatum": "2027-05-12", "avsparkstid": "20:00", "tid": "/Date(0)/"})),
    );
    let fields: Vec<_> = both
        .iter()
        .map(|c| c.field_name.as_deref().unwrap())
        .collect();
    assert_eq!(fields, ["speldatum", "avsparkstid"]);
}

#[test]
fn a_venue_change_is_told_by_name_before_id() {
    let change = to(json!({"anlaggningid": 32, "anlaggningnamn": "Nya Vallen"}));
    let values = (Some("Vallen"), Some("Nya Vallen"));
    assert_eq!(
        row(&change),
        (
            C::VenueChange,
            P::Medium,
            Some("anlaggningnamn"),
            values.0,
            values.1
        )
    );
    assert_eq!(stakeholders(&change), "all");
    let change = to(json!({"anlaggningid": 32}));
    assert_eq!(
        row(&change),
        (
            C::VenueChange,
            P::Medium,
            Some("anlaggningid"),
            Some("31"),
            Some("32")
        )
    );
}

#[test]
fn each_team_makes_one_change_by_its_first_field() {
    for (fields, field, values) in [
        (
            json!({"lag1lagid": 13, "lag1namn": "Östra", "lag1foreningid": 14}),
            "lag1lagid",
            ("11", "13"),
        ),
        (
            json!({"lag1namn": "Östra"}),
            "lag1namn",
            ("Norra IF", "Östra"),
        ),
        (
            json!({"lag2foreningid": 24}),
            "lag2foreningid",
            ("22", "24"),
        ),
    ] {
        let change = to(fields);
        let wanted = (
            C::TeamChange,
            P::Medium,
            Some(field),
            Some(values.0),
            Some(values.1),
        );
        assert_eq!(row(&change), wanted);
        assert_eq!(stakeholders(&change), "teams, coordinators");
    }
    let both = found(
        a_match(),
        with(json!({"lag1namn": "Östra", "lag2lagid": 23})),
    );
    let fields: Vec<_> = both
        .iter()
        .map(|c| c.field_name.as_deref().unwrap())
        .collect();
    assert_eq!(fields, ["lag1namn", "lag2lagid"]);
    assert_eq!(
        both[0].change_description,
        "Home team changed from Norra IF to Östra."
    );
    assert_eq!(
        both[1].change_description,
        "Away team id changed from 21 to 23."
    );
}

#[test]
fn each_flag_that_is_raised_is_a_change_of_its_own() {
    for (field, category, priority, sentence) in [
        (
            "installd",
            C::Cancellation,
            P::Critical,
            "The match was cancelled.",
        ),
        (
            "uppskjuten",
            C::Postponement,
            P::Medium,
            "The match was postponed.",
        ),
        (
            "avbruten",
            C::Interruption,
            P::Medium,
            "The match was interrupted.",
        ),
    ] {
        let change = to(json!({field: true}));
        assert_eq!(
            row(&change),
            (category, priority, Some(field), Some("false"), Some("true"))
        );
        assert_eq!(stakeholders(&change), "all");
        assert_eq!(change.change_description, sentence);
        let back = only(found(with(json!({field: true})), a_match()));
        assert_eq!(
            row(&back),
            (
                C::StatusChange,
                P::Medium,
                Some(field),
                Some("true"),
                Some("false")
            )
        );
        assert_eq!(stakeholders(&back), "all");
    }
}

#[test]
fn flags_that_are_taken_back_together_are_one_change() {
    let before = with(json!({"uppskjuten": true, "avbruten": true}));
    let changes = found(before, with(json!({"installd": true})));
    let categories: Vec<_> = changes.iter().map(|c| c.category).collect();
    assert_eq!(categories, [C::Cancellation, C::StatusChange]);
    assert_eq!(changes[1].field_name.as_deref(), Some("uppskjuten"));
    let sentence = "The match is no longer postponed or interrupted.";
    assert_eq!(changes[1].change_description, sentence);
}

#[test]
fn a_competition_change_is_told_by_name_before_id() {
    let change = to(json!({"tavlingid": 42, "tavlingnamn": "Serien"}));
    let wanted = (
        C::CompetitionChange,
        P::Low,
        Some("tavlingnamn"),
        Some("Cupen"),
        Some("Serien"),
    );
    assert_eq!(row(&change), wanted);
    assert_eq!(stakeholders(&change), "coordinators");
    assert_eq!(
        to(json!({"tavlingid": 42})).field_name.as_deref(),
        Some("tavlingid")
    );
}

#[test]
fn one_fetch_tells_every_subject_that_differs_in_the_tables_order() {
    let now = with(json!({
        "speldatum": "2027-05-12", "avsparkstid": "20:00", "anlaggningnamn": "B", "lag1namn": "B",
        "lag2namn": "B", "installd": true, "uppskjuten": true, "avbruten": true, "tavlingnamn": "B"
    }));
    let categories: Vec<_> = found(a_match(), now).iter().map(|c| c.category).collect();
    let wanted = [
        C::DateChange,
        C::TimeChange,
        C::VenueChange,
        C::TeamChange,
        C::TeamChange,
        C::Cancellation,
        C::Postponement,
        C::Interruption,
        C::CompetitionChange,
    ];
    assert_eq!(categories, wanted);
}

#[test]
fn what_one_side_does_not_tell_is_no_change() {
    let keys = [
        "speldatum",
        "avsparkstid",
        "tid",
        "anlaggningid",
        "anlaggningnamn",
        "lag1lagid",
        "lag1namn",
        "lag1foreningid",
        "lag2lagid",
        "installd",
        "uppskjuten",
        "avbruten",
        "tavlingid",
        "tavlingnamn",
        "matchnr",
    ];
    for key in keys {
        for odd in [Value::Null, json!([]), json!({"a": 1})] {
            let mut odd_match = a_match();
            odd_match[key] = odd.clone();
            assert_eq!(found(a_match(), odd_match.clone()), [], "{key} {odd}");
            assert_eq!(found(odd_match, a_match()), [], "{key} {odd}");
        }
        assert_eq!(found(a_match(), with(json!({key: null}))), [], "{key}");
    }
    for key in ["installd", "uppskjuten", "avbruten"] {
        assert_eq!(
            found(with(json!({key: true})), with(json!({key: null}))),
            [],
            "{key}"
        );
        let told = found(with(json!({key: null})), with(json!({key: true})));
        assert_eq!(told.len(), 1, "{key}: nobody had been told");
    }
    for key in ["lag1lagid", "anlaggningid", "tavlingid", "lag2foreningid"] {
        assert_eq!(
            found(with(json!({key: 0})), a_match()),
            [],
            "{key} missing as 0"
        );
        assert_eq!(
            found(a_match(), with(json!({key: -1}))),
            [],
            "{key} missing as -1"
        );
    }
}

#[test]
fn an_empty_string_is_a_value() {
    let change = to(json!({"anlaggningnamn": ""}));
    assert_eq!(
        (
            change.previous_value.as_deref(),
            change.current_value.as_deref()
        ),
        (Some("Vallen"), Some(""))
    );
    assert_eq!(
        change.change_description,
        "Venue changed from Vallen to nothing."
    );
    assert_eq!(to(json!({"speldatum": ""})).category, C::DateChange);
}

#[test]
fn other_spellings_and_fields_outside_the_table_are_no_change() {
    for fields in [
        json!({"matchid": "1", "lag1lagid": "11", "anlaggningid": 31.0}),
        json!({"speldatum": "2027-05-11T00:00:00"}),
        json!({"speldatum": null, "datum": "2027-05-11", "avsparkstid": null, "tid": "19:00"}),
        json!({"matchlag1mal": 3, "arslutresultat": true, "__type": "x", "tidsangivelse": "x"}),
        json!({"matchnr": "000000002"}),
    ] {
        assert_eq!(found(a_match(), with(fields.clone())), [], "{fields}");
    }
}

#[test]
fn the_shorter_form_tells_day_and_time_as_well() {
    let short =
        json!({"speldatum": null, "datum": "2027-05-12", "avsparkstid": null, "tid": "18:00"});
    let fields: Vec<_> = found(a_match(), with(short))
        .into_iter()
        .map(|c| (c.category, c.field_name.unwrap(), c.current_value.unwrap()))
        .collect();
    assert_eq!(
        fields,
        [
            (
                C::DateChange,
                "speldatum".to_owned(),
                "2027-05-12".to_owned()
            ),
            (C::TimeChange, "avsparkstid".to_owned(), "18:00".to_owned()),
        ]
    );
}

#[test]
fn sentences_quote_on_one_line_and_not_without_end() {
    let change = to(json!({"anlaggningnamn": format!("A\n{}", "å".repeat(1_000))}));
    assert!(
        change.change_description.chars().count() < 120,
        "{}",
        change.change_description
    );
    assert!(!change.change_description.contains('\n'));
    assert_eq!(change.current_value.unwrap().chars().count(), 1_002);
}
