//! Small invented lists.

use serde_json::{Value, json};

/// A match with two referees on a day far ahead.
pub fn a_match(id: i64) -> Value {
    json!({
        "matchid": id,
        "matchnr": format!("{id:09}"),
        "lag1lagid": 1, "lag1foreningid": 11, "lag1namn": "Hemma IF",
        "lag2lagid": 2, "lag2foreningid": 12, "lag2namn": "Borta BK",
        "anlaggningid": 3, "anlaggningnamn": "Vallen",
        "speldatum": "2030-05-05", "avsparkstid": "19:00",
        "tavlingid": 4, "tavlingnamn": "Div 9",
        "installd": false, "uppskjuten": false, "avbruten": false,
        "domaruppdraglista": [
            {"domareid": 101, "domarrollid": 1, "domarrollnamn": "Huvuddomare", "personnamn": "Anna Kanarievinge"},
            {"domareid": 102, "domarrollid": 2, "domarrollnamn": "Assisterande 1", "personnamn": "Bo Kanariefjäder"},
        ],
    })
}

/// The match with some fields replaced.
pub fn with(mut one: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        one[name] = value.clone();
    }
    one
}

/// A list as the service sends it.
pub fn list(matches: &[Value]) -> Vec<u8> {
    serde_json::to_vec(matches).unwrap()
}

/// Matches with these ids.
pub fn matches(ids: std::ops::Range<i64>) -> Vec<Value> {
    ids.map(a_match).collect()
}
