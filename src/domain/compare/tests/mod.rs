//! Invented matches, and what is found between two versions of them.

mod diff;
mod fields;
mod legacy;
mod properties;
mod referees;
mod rules;

use std::collections::HashMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::*;
use crate::domain::change::{Category, Change, Priority};
use crate::domain::matchlist::{Fingerprint, List, Match};

const TODAY: Date = jiff::civil::date(2027, 5, 1);

/// A match with two referees, ten days from today.
fn a_match() -> Value {
    json!({
        "matchid": 1, "matchnr": "000000001", "speldatum": "2027-05-11", "avsparkstid": "19:00",
        "tid": "/Date(1810054800000)/", "lag1lagid": 11, "lag1namn": "Norra IF",
        "lag1foreningid": 12, "lag2lagid": 21, "lag2namn": "Södra BK", "lag2foreningid": 22,
        "anlaggningid": 31, "anlaggningnamn": "Vallen", "tavlingid": 41, "tavlingnamn": "Cupen",
        "installd": false, "uppskjuten": false, "avbruten": false,
        "domaruppdraglista": [
            {"domareid": 51, "personid": 61, "domarnr": "71", "domarrollid": 1,
             "domarrollnamn": "Huvuddomare", "personnamn": "Anna Exempel", "telefon": "0701"},
            {"domareid": 52, "personid": 62, "domarnr": "72", "domarrollid": 2,
             "domarrollnamn": "Assisterande 1", "personnamn": "Bo Exempel", "telefon": "0702"}
        ]
    })
}

/// The match with these fields set, or removed where the value is null.
fn with(fields: Value) -> Value {
    merged(a_match(), fields)
}

fn merged(mut of: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    for (key, value) in fields {
        if value.is_null() {
            of.as_object_mut().unwrap().remove(&key);
        } else {
            of[key] = value;
        }
    }
    of
}

fn rules() -> Rules {
    Rules {
        today: TODAY,
        legacy: false,
        same_day: Priority::Critical,
        timestamp: "2027-05-01T12:00:00Z".to_owned(),
    }
}

fn known(matches: &[Value]) -> Vec<KnownMatch> {
    let one = |m: &Value| {
        let raw = m.to_string();
        let parsed = Match::parse(&raw).unwrap();
        KnownMatch {
            id: parsed.id,
            fingerprint: Fingerprint::of(raw.as_bytes()),
            date: parsed.date,
        }
    };
    matches.iter().map(one).collect()
}

/// Every change between two lists.
fn between(before: &[Value], now: &[Value], rules: &Rules) -> Vec<Change> {
    let body = Value::from(now.to_vec()).to_string();
    let list = List::split(body.as_bytes()).unwrap();
    let old: HashMap<i64, Match> = before
        .iter()
        .map(|m| Match::parse(&m.to_string()).unwrap())
        .map(|m| (m.id, m))
        .collect();
    changes(
        &super::diff(&list, &known(before), rules.today),
        &old,
        rules,
    )
}

/// Every change between two versions of one match.
fn found(before: Value, now: Value) -> Vec<Change> {
    between(&[before], &[now], &rules())
}

/// The only change.
fn only(mut changes: Vec<Change>) -> Change {
    assert_eq!(changes.len(), 1, "{changes:#?}");
    changes.remove(0)
}

/// Category, priority, field and values: what a row of the table tells.
fn row(change: &Change) -> (Category, Priority, Option<&str>, Option<&str>, Option<&str>) {
    (
        change.category,
        change.priority,
        change.field_name.as_deref(),
        change.previous_value.as_deref(),
        change.current_value.as_deref(),
    )
}

fn stakeholders(change: &Change) -> String {
    change
        .affected_stakeholders
        .iter()
        .map(|s| s.label())
        .collect::<Vec<_>>()
        .join(", ")
}
