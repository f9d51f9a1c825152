use super::*;
use crate::domain::change::{Category as C, Priority as P};

fn legacy(before: &[Value], now: &[Value]) -> Vec<Change> {
    between(
        before,
        now,
        &Rules {
            legacy: true,
            ..rules()
        },
    )
}

#[test]
fn a_match_is_modified_by_five_things_only() {
    for (fields, field) in [
        (json!({"tid": "/Date(0)/", "avsparkstid": "20:00"}), "tid"),
        (json!({"lag1lagid": 13}), "lag1lagid"),
        (json!({"lag2lagid": 23}), "lag2lagid"),
        (
            json!({"anlaggningid": 32, "anlaggningnamn": "Ny"}),
            "anlaggningid",
        ),
        (json!({"domaruppdraglista": []}), "domaruppdraglista"),
        (
            json!({"domaruppdraglista": [{"domareid": 51}]}),
            "domaruppdraglista",
        ),
    ] {
        let change = only(legacy(&[a_match()], &[with(fields)]));
        assert_eq!(
            (change.category, change.priority),
            (C::Unclassified, P::Medium)
        );
        assert_eq!(change.field_name.as_deref(), Some(field));
        assert_eq!(stakeholders(&change), "all");
    }
}

#[test]
fn anything_else_is_no_change() {
    let mut roles = a_match();
    roles["domaruppdraglista"][0]["domarrollnamn"] = json!("Assisterande 1");
    roles["domaruppdraglista"][0]["telefon"] = json!("0709");
    roles["domaruppdraglista"].as_array_mut().unwrap().reverse();
    for now in [
        roles,
        with(json!({"avsparkstid": "20:00", "anlaggningnamn": "Ny", "lag1namn": "Ny"})),
        with(json!({"installd": true, "speldatum": "2027-06-01", "tavlingid": 5})),
        with(json!({"tid": "19:00", "anlaggningid": 0})),
    ] {
        assert_eq!(
            legacy(&[a_match()], std::slice::from_ref(&now)),
            [],
            "{now}"
        );
    }
}

#[test]
fn the_shorter_form_is_compared_by_its_time() {
    let short = |time: &str| with(json!({"avsparkstid": null, "tid": time}));
    let change = only(legacy(&[short("19:00")], &[short("20:00")]));
    assert_eq!(
        row(&change),
        (
            C::Unclassified,
            P::Medium,
            Some("tid"),
            Some("19:00"),
            Some("20:00")
        )
    );
}

#[test]
fn coming_and_going_have_no_category_either() {
    let on = |day: &str| with(json!({"speldatum": day}));
    for (before, now, priority) in [
        (vec![], vec![a_match()], P::Medium),
        (
            vec![],
            vec![with(json!({"domaruppdraglista": []}))],
            P::Medium,
        ),
        (vec![a_match()], vec![], P::Medium),
        (vec![on("2027-05-01")], vec![], P::Critical),
        (vec![on("2027-04-30")], vec![], P::Low),
    ] {
        let change = only(legacy(&before, &now));
        assert_eq!(row(&change), (C::Unclassified, priority, None, None, None));
    }
}
