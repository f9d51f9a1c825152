use super::*;
use crate::domain::change::{Category as C, Priority as P};

fn on(day: &str) -> Value {
    with(json!({"speldatum": day}))
}

#[test]
fn a_new_match_with_referees_is_a_new_assignment() {
    let change = only(between(&[], &[a_match()], &rules()));
    let names = "Huvuddomare: Anna Exempel, Assisterande 1: Bo Exempel";
    assert_eq!(
        row(&change),
        (
            C::NewAssignment,
            P::High,
            Some("domaruppdraglista"),
            None,
            Some(names)
        )
    );
    assert_eq!(stakeholders(&change), "referees, coordinators");
    let sentence = "New match with 2 referees: Norra IF - Södra BK on 2027-05-11.";
    assert_eq!(change.change_description, sentence);
}

#[test]
fn a_new_match_without_referees_is_a_new_match() {
    for list in [json!([]), Value::Null] {
        let mut now = a_match();
        now["domaruppdraglista"] = list;
        let change = only(between(&[], &[now], &rules()));
        assert_eq!(row(&change), (C::NewMatch, P::Low, None, None, None));
        assert_eq!(stakeholders(&change), "coordinators");
        let sentence = "New match without referees: Norra IF - Södra BK on 2027-05-11.";
        assert_eq!(change.change_description, sentence);
    }
}

#[test]
fn a_match_that_is_gone_is_judged_by_its_day() {
    for (day, category, priority, who) in [
        (
            "2027-05-02",
            C::AssignmentRemoved,
            P::High,
            "referees, coordinators",
        ),
        (
            "2027-05-01",
            C::AssignmentRemoved,
            P::Critical,
            "referees, coordinators",
        ),
        ("2027-04-30", C::AgedOut, P::Low, ""),
        (
            "imorgon",
            C::AssignmentRemoved,
            P::High,
            "referees, coordinators",
        ),
    ] {
        let change = only(between(&[on(day)], &[], &rules()));
        assert_eq!(
            row(&change),
            (category, priority, None, None, None),
            "{day}"
        );
        assert_eq!(
            (change.match_id, change.match_nr.as_str()),
            (1, "000000001")
        );
        assert_eq!(stakeholders(&change), who, "{day}");
    }
}

#[test]
fn every_change_of_todays_match_is_critical_by_its_old_or_its_new_day() {
    let venue = |day: &str| merged(on(day), json!({"anlaggningnamn": "Ny"}));
    let moved = |from, to| only(found(on(from), on(to))).priority;
    assert_eq!(
        only(found(on("2027-05-01"), venue("2027-05-01"))).priority,
        P::Critical
    );
    assert_eq!(
        only(found(on("2027-05-02"), venue("2027-05-02"))).priority,
        P::Medium
    );
    assert_eq!(
        only(found(on("2027-04-30"), venue("2027-04-30"))).priority,
        P::Medium
    );
    assert_eq!(moved("2027-05-01", "2027-06-01"), P::Critical);
    assert_eq!(moved("2027-06-01", "2027-05-01"), P::Critical);
    assert_eq!(moved("2027-05-01", "2027-04-30"), P::Critical);
    assert_eq!(moved("2027-05-02", "2027-05-03"), P::High);
    for now in [
        on("2027-05-01"),
        merged(on("2027-05-01"), json!({"domaruppdraglista": []})),
    ] {
        assert_eq!(only(between(&[], &[now], &rules())).priority, P::Critical);
    }
    let both = found(on("2027-05-01"), venue("2027-05-02"));
    assert_eq!(
        both.iter().map(|c| c.priority).collect::<Vec<_>>(),
        [P::Critical, P::Critical]
    );
}

#[test]
fn the_same_day_priority_can_be_set() {
    let rules = Rules {
        same_day: P::High,
        ..rules()
    };
    let now = merged(
        on("2027-05-01"),
        json!({"tavlingnamn": "Serien", "installd": true}),
    );
    let changes = between(&[on("2027-05-01")], &[now], &rules);
    assert_eq!(
        changes.iter().map(|c| c.priority).collect::<Vec<_>>(),
        [P::High, P::High]
    );
}

#[test]
fn a_match_without_a_number_keeps_the_one_it_had() {
    let now = with(json!({"matchnr": null, "tavlingnamn": "Serien"}));
    assert_eq!(only(found(a_match(), now)).match_nr, "000000001");
}

#[test]
fn a_missing_previous_version_makes_no_change_and_no_panic() {
    let body = Value::from(vec![a_match()]).to_string();
    let list = List::split(body.as_bytes()).unwrap();
    let known = known(&[on("2027-05-02"), merged(a_match(), json!({"matchid": 2}))]);
    let diff = super::super::diff(&list, &known, TODAY);
    let change = only(changes(&diff, &HashMap::new(), &rules()));
    assert_eq!(
        (change.match_id, change.category),
        (2, C::AssignmentRemoved)
    );
}

#[test]
fn counts_and_the_sentence_tell_what_was_found() {
    let id = |id: i64, fields: Value| merged(with(json!({"matchid": id})), fields);
    let before = [id(1, json!({})), id(2, json!({})), id(3, json!({}))];
    let now = [
        id(1, json!({"anlaggningnamn": "B", "tavlingnamn": "B"})),
        id(2, json!({"anlaggningnamn": "B", "x": 1})),
        id(4, json!({})),
    ];
    let body = Value::from(now.to_vec()).to_string();
    let list = List::split(body.as_bytes()).unwrap();
    let diff = super::super::diff(&list, &known(&before), TODAY);
    let counts = Counts::of(&diff, &between(&before, &now, &rules()));
    assert_eq!((counts.new, counts.updated, counts.removed), (1, 2, 1));
    insta::assert_snapshot!(summary(&counts), @"1 new match, 2 matches updated, 1 match removed: 1 new assignment, 2 venue changes, 1 competition change, 1 assignment removed");
    assert_eq!(summary(&Counts::default()), "No changes");
    let updated = Counts {
        updated: 10,
        by_category: [(C::VenueChange, 2), (C::DateChange, 8)].into(),
        ..Counts::default()
    };
    insta::assert_snapshot!(summary(&updated), @"10 matches updated: 8 date changes, 2 venue changes");
}
