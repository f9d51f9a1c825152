use super::*;
use crate::domain::change::{Category as C, Priority as P};

fn list(referees: Value) -> Value {
    let mut of = a_match();
    of["domaruppdraglista"] = referees;
    of
}

/// The usual match with some fields of its first referee set.
fn first(fields: Value) -> Value {
    let mut now = a_match();
    now["domaruppdraglista"][0] = merged(now["domaruppdraglista"][0].take(), fields);
    now
}

fn categories(before: Value, now: Value) -> Vec<C> {
    found(before, now).iter().map(|c| c.category).collect()
}

#[test]
fn referees_where_there_were_none_are_a_new_assignment() {
    for none in [json!([]), Value::Null] {
        let mut before = a_match();
        before["domaruppdraglista"] = none;
        let change = only(found(before, a_match()));
        let names = "Huvuddomare: Anna Exempel, Assisterande 1: Bo Exempel";
        let wanted = (
            C::NewAssignment,
            P::High,
            Some("domaruppdraglista"),
            None,
            Some(names),
        );
        assert_eq!(row(&change), wanted);
        assert_eq!(
            change.change_description,
            "Assigned where there were none: 2 referees."
        );
    }
}

#[test]
fn another_person_is_a_referee_change() {
    let now = first(
        json!({"domareid": 53, "personid": 63, "domarnr": "73", "personnamn": "Cia Exempel"}),
    );
    let change = only(found(a_match(), now));
    let before = "Huvuddomare: Anna Exempel, Assisterande 1: Bo Exempel";
    let after = "Huvuddomare: Cia Exempel, Assisterande 1: Bo Exempel";
    let wanted = (
        C::RefereeChange,
        P::High,
        Some("domaruppdraglista"),
        Some(before),
        Some(after),
    );
    assert_eq!(row(&change), wanted);
    assert_eq!(stakeholders(&change), "referees, coordinators");
    assert_eq!(
        change.change_description,
        "The referee assignments changed: 1 new, 1 gone."
    );
}

#[test]
fn another_role_is_a_referee_change_and_another_order_is_none() {
    for role in [
        json!({"domarrollnamn": "Fjärdedomare"}),
        json!({"domarrollid": 4}),
    ] {
        assert_eq!(categories(a_match(), first(role)), [C::RefereeChange]);
    }
    let mut now = a_match();
    now["domaruppdraglista"].as_array_mut().unwrap().reverse();
    assert_eq!(found(a_match(), now), []);
}

#[test]
fn losing_all_referees_is_a_referee_change() {
    for none in [json!([]), Value::Null] {
        let mut now = a_match();
        now["domaruppdraglista"] = none;
        let change = only(found(a_match(), now));
        assert_eq!(
            (change.category, change.current_value),
            (C::RefereeChange, None)
        );
    }
}

#[test]
fn a_second_assignment_of_the_same_kind_counts() {
    let one = json!({"domareid": 5, "domarrollnamn": "Domare"});
    assert_eq!(
        categories(list(json!([one])), list(json!([one, one]))),
        [C::RefereeChange]
    );
    assert_eq!(
        categories(list(json!([one, one])), list(json!([one, one]))),
        []
    );
}

#[test]
fn contact_data_is_told_by_field_and_never_by_value() {
    let now = first(
        json!({"telefon": "0709", "epostadress": "anna@example.com", "personnamn": "Anna Ny"}),
    );
    assert_eq!(
        categories(a_match(), first(json!({"epostadress": "anna@example.com"}))),
        []
    );
    let before = first(json!({"epostadress": "old@example.com"}));
    let change = only(found(before, now));
    assert_eq!(
        row(&change),
        (
            C::ContactChange,
            P::Low,
            Some("domaruppdraglista"),
            None,
            None
        )
    );
    assert_eq!(stakeholders(&change), "coordinators");
    let sentence = "Contact data of 1 referee changed: personnamn, telefon, epostadress.";
    assert_eq!(change.change_description, sentence);
}

#[test]
fn every_contact_field_counts() {
    for field in crate::domain::matchlist::CONTACT_FIELDS {
        let change = only(found(
            first(json!({field: "A"})),
            first(json!({field: "B"})),
        ));
        assert_eq!(change.category, C::ContactChange, "{field}");
        assert!(
            change.change_description.ends_with(&format!("{field}.")),
            "{field}"
        );
    }
}

#[test]
fn contact_changes_stand_beside_a_referee_change_for_those_who_stay() {
    let mut now = first(json!({"telefon": "0709"}));
    now["domaruppdraglista"][1] = json!({"domareid": 53, "telefon": "0710", "domarrollid": 2,
        "domarrollnamn": "Assisterande 1", "personid": 63});
    assert_eq!(
        categories(a_match(), now),
        [C::RefereeChange, C::ContactChange]
    );
    // A newcomer's data is no change, and neither is a new role.
    let mut now = a_match();
    now["domaruppdraglista"]
        .as_array_mut()
        .unwrap()
        .push(json!({"domareid": 53, "telefon": "1"}));
    now["domaruppdraglista"][0]["domarrollnamn"] = json!("Fjärdedomare");
    assert_eq!(categories(a_match(), now), [C::RefereeChange]);
}

#[test]
fn one_person_in_two_roles_has_one_set_of_contact_data() {
    let twice = |phone: &str| {
        list(json!([
        {"domareid": 5, "domarrollnamn": "A", "telefon": phone},
        {"domareid": 5, "domarrollnamn": "B", "telefon": phone}]))
    };
    assert_eq!(found(twice("1"), twice("1")), []);
    let change = only(found(twice("1"), twice("2")));
    assert_eq!(
        change.change_description,
        "Contact data of 1 referee changed: telefon."
    );
    let once = list(json!([{"domareid": 5, "domarrollnamn": "A", "telefon": "1"}]));
    assert_eq!(categories(twice("1"), once), [C::RefereeChange]);
}

#[test]
fn persons_are_told_apart_by_what_all_carry() {
    let role = "Domare";
    let full = json!([{"domareid": 5, "personid": 6, "domarnr": "7", "domarrollnamn": role}]);
    for same in [
        json!([{"domarid": 5, "domarrollnamn": role}]),
        json!([{"domareid": "5", "personid": 99, "domarrollnamn": role}]),
        json!([{"personid": 6, "domarnr": "99", "domarrollnamn": role}]),
        json!([{"domareid": 0, "personid": -1, "domarnr": 7, "domarrollnamn": role}]),
    ] {
        assert_eq!(
            categories(list(full.clone()), list(same.clone())),
            [],
            "{same}"
        );
        assert_eq!(
            categories(list(same.clone()), list(full.clone())),
            [],
            "{same}"
        );
    }
    for other in [
        json!([{"domareid": 6, "personid": 6, "domarrollnamn": role}]),
        json!([{"personid": 5, "domarrollnamn": role}]),
        json!([{"domarnr": "5", "domarrollnamn": role}]),
    ] {
        assert_eq!(
            categories(list(full.clone()), list(other.clone())),
            [C::RefereeChange],
            "{other}"
        );
    }
}

#[test]
fn where_nothing_is_common_each_is_known_by_the_first_it_has() {
    let mixed = json!([
        {"domareid": 5, "domarrollnamn": "A"}, {"personid": 6, "domarrollnamn": "B"},
        {"domarnr": "7", "domarrollnamn": "C"},
        {"personnamn": "Personuppgifter Skyddade", "domarrollnamn": "D"},
        {"personnamn": "Personuppgifter Skyddade", "domarrollnamn": "D"}]);
    let mut other = mixed.clone();
    other.as_array_mut().unwrap().reverse();
    assert_eq!(found(list(mixed.clone()), list(other.clone())), []);
    other.as_array_mut().unwrap().pop();
    assert_eq!(categories(list(mixed), list(other)), [C::RefereeChange]);
}

#[test]
fn roles_that_one_side_does_not_tell_are_no_change() {
    let told = json!([{"domareid": 5, "domarrollnamn": "A", "domarrollid": 1}]);
    let short = json!([{"domareid": 5, "domarrollkortnamn": "X", "domarrollid": 1}]);
    let untold = json!([{"domareid": 5}]);
    assert_eq!(found(list(told.clone()), list(untold.clone())), []);
    assert_eq!(found(list(untold), list(told.clone())), []);
    assert_eq!(found(list(told), list(short)), []);
}

#[test]
fn sentences_name_nobody() {
    let everything = list(json!([{"domareid": 9, "personnamn": "Cia Exempel", "telefon": "0703"}]));
    for (before, now) in [
        (a_match(), everything.clone()),
        (everything.clone(), a_match()),
        (list(json!([])), a_match()),
        (
            a_match(),
            first(json!({"personnamn": "Anna Ny", "telefon": "0709"})),
        ),
    ] {
        for change in found(before, now) {
            let told = &change.change_description;
            assert!(!told.contains("Exempel") && !told.contains("070"), "{told}");
        }
    }
}

#[test]
fn very_many_referees_cost_no_more_than_sorting_them() {
    let many = |offset: u64| {
        let one = |n: u64| json!({"domareid": n + 1, "domarrollid": n % 3 + 1, "telefon": "1"});
        list((offset..offset + 30_000).map(one).collect())
    };
    assert_eq!(categories(many(0), many(15_000)), [C::RefereeChange]);
    assert_eq!(categories(many(0), many(0)), []);
}
