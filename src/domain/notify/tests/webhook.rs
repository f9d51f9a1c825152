use super::*;

use crate::domain::notify::webhook::{Event, events};
use crate::domain::notify::{Beside, OpenDigest, Stored};

fn all(message: &Message) -> Vec<Event> {
    events(message, jiff::Timestamp::UNIX_EPOCH).collect()
}

/// The only event.
pub(super) fn event(message: &Message) -> Value {
    let mut all = all(message);
    assert_eq!(all.len(), 1);
    let Event { number, body } = all.remove(0);
    assert_eq!(number, None);
    body
}

#[test]
fn changes_of_a_match_as_an_event() {
    let news = changed(json!({"lag1lagid": 13, "lag1namn": "Östra FF"}));
    let event = event(&Message::changes(Language::English, news));
    insta::assert_snapshot!(serde_json::to_string_pretty(&event).unwrap(), @r#"
    {
      "data": {
        "changes": [
          {
            "category": "team_change",
            "contact_fields": [],
            "current_name": "Östra FF",
            "current_value": "13",
            "field_name": "lag1lagid",
            "previous_name": "Norra IF",
            "previous_value": "11",
            "priority": "medium",
            "subject": "home"
          }
        ],
        "match": {
          "away": "Södra BK",
          "competition": "Cupen",
          "date": "2027-05-11",
          "home": "Östra FF",
          "is_gone": false,
          "is_new": false,
          "kickoff": "19:00",
          "match_id": 6000001,
          "match_nr": "000402010",
          "referees": [
            {
              "name": "Anna Exempel",
              "role": "Huvuddomare"
            },
            {
              "name": "Bo Exempel",
              "role": "Assisterande 1"
            }
          ],
          "status": [],
          "url": "https://www.svenskfotboll.se/matchfakta/match?matchId=6000001",
          "venue": "Vallen 1"
        }
      },
      "timestamp": "2027-05-01T12:00:00Z",
      "type": "match.changed"
    }
    "#);
}

#[test]
fn an_alert_as_an_event() {
    let until = Some("2027-05-01T13:30:00Z");
    let over = Message::alert(
        Language::English,
        Priority::Low,
        alert(AlertKind::DestinationDown, until),
    );
    insta::assert_snapshot!(event(&over).to_string(), @r#"{"data":{"alerts":[{"count":null,"detail":"","kind":"destination_down","since":"2027-05-01T12:00:00Z","subject":"webhook:club","until":"2027-05-01T13:30:00Z"}]},"timestamp":"2027-05-01T13:30:00Z","type":"system.recovered"}"#);
}

#[test]
fn an_event_is_the_same_in_every_language() {
    let swedish = every_kind(Language::Swedish).into_iter();
    for ((name, swedish), (_, english)) in swedish.zip(every_kind(Language::English)) {
        assert_eq!(event(&swedish), event(&english), "{name}");
    }
}

#[test]
fn each_kind_of_message_has_its_type_and_time() {
    let told: Vec<String> = every_kind(Language::Swedish)
        .iter()
        .filter(|(name, _)| {
            [
                "time",
                "digest",
                "dead_letters",
                "dead_letters over",
                "test",
            ]
            .contains(&name.as_str())
        })
        .map(|(_, message)| event(message))
        .map(|event| format!("{} {}", event["type"], event["timestamp"]))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    "match.changed" "2027-05-01T12:00:00Z"
    "matches.changed" "2027-05-01T12:00:00Z"
    "system.alert" "2027-05-01T12:00:00Z"
    "system.recovered" "2027-05-01T13:30:00Z"
    "test" "1970-01-01T00:00:00Z"
    "#);
}

/// A digest of matches with these ids.
fn digest(ids: impl Iterator<Item = i64>) -> Message {
    let news = changed(json!({"avsparkstid": "18:30"}));
    let one = |match_id| MatchNews {
        match_id,
        ..news.clone()
    };
    Message {
        kind: MessageKind::Digest,
        matches: ids.map(one).collect(),
        ..Message::changes(Language::Swedish, news.clone())
    }
}

fn ids(event: &Event) -> Vec<i64> {
    let matches = event.body["data"]["matches"].as_array().unwrap();
    let id = |one: &Value| one["match"]["match_id"].as_i64().unwrap();
    matches.iter().map(id).collect()
}

#[test]
fn a_digest_of_a_whole_season_is_told_in_events_that_each_are_whole() {
    let told = all(&digest(1..=1_234));
    let more: Vec<&Value> = told.iter().map(|one| &one.body["data"]["more"]).collect();
    assert_eq!(more, [734, 234, 0]);
    let all: Vec<i64> = told.iter().flat_map(ids).collect();
    assert_eq!(all, (1..=1_234).collect::<Vec<_>>());
    for one in &told {
        assert_eq!(one.body["type"], "matches.changed");
        let size = one.body.to_string().len();
        assert!(size < 600_000, "{size}");
    }
    // What fits is told as ever.
    assert_eq!(event(&digest(1..=500))["data"]["more"], 0);
}

/// The matches of each event, under its number.
fn told(message: &Message) -> Vec<(Option<usize>, Vec<i64>)> {
    let each = |one: &Event| (one.number, ids(one));
    all(message).iter().map(each).collect()
}

#[test]
fn what_an_event_told_comes_in_no_other_however_the_digest_shrinks() {
    for (len, given) in [
        (1_234, &[3][..]),
        (1_234, &[500, 501]),
        (1_234, &[1, 1_234]),
        // What is left would fit into one.
        (501, &[7]),
        (501, &[501]),
        (700, &[501, 502, 503]),
    ] {
        let mut message = digest(1..=len);
        message.divide();
        let before = told(&message);
        // Some went with messages of their own meanwhile.
        let mut open = OpenDigest::read(&Stored::of(&message).payload).unwrap();
        for &id in given {
            let payload = Stored::of(&Message::changes(
                Language::Swedish,
                MatchNews {
                    match_id: id,
                    ..message.matches[0].clone()
                },
            ))
            .payload;
            let beside = Beside {
                payload: &payload,
                is_newer: true,
                heard: false,
            };
            open.give(id, &beside, true).unwrap();
        }
        let left = open.left().unwrap().payload;
        let left: Message = serde_json::from_str(&left).unwrap();
        let mut expected = before;
        for (_, ids) in &mut expected {
            ids.retain(|id| !given.contains(id));
        }
        expected.retain(|(_, ids)| !ids.is_empty());
        assert_eq!(told(&left), expected, "{len} {given:?}");
    }
}

#[test]
fn what_a_digest_tells_with_a_newer_one_is_divided_anew() {
    let mut older = digest(1..=600);
    older.divide();
    let newer = digest(601..=1_100);
    let both = Message::merged_after(older, newer, true).unwrap();
    let sizes = told(&both);
    let sizes: Vec<_> = sizes.iter().map(|(n, ids)| (*n, ids.len())).collect();
    assert_eq!(sizes, [(Some(1), 500), (Some(2), 500), (Some(3), 100)]);
}
