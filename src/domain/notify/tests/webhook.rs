use super::*;

use crate::domain::notify::webhook::{Event, events};

fn all(message: &Message) -> Vec<Event> {
    events(message, jiff::Timestamp::UNIX_EPOCH).collect()
}

/// The only event.
pub(super) fn event(message: &Message) -> Value {
    let mut all = all(message);
    assert_eq!(all.len(), 1);
    let Event { key, body } = all.remove(0);
    assert_eq!(key, None);
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

#[test]
fn matches_that_were_not_told_yet_never_come_under_a_key_that_was_told() {
    let before = all(&digest(1..=1_234));
    // Some went with messages of their own meanwhile.
    let given: [&[i64]; 4] = [&[3], &[500, 501], &[1, 1_234], &[600, 601, 602]];
    for given in given {
        let after = all(&digest((1..=1_234).filter(|id| !given.contains(id))));
        for now in &after {
            let same = before.iter().find(|one| one.key == now.key);
            assert!(same.is_none_or(|one| ids(one) == ids(now)), "{given:?}");
        }
        let same = after.iter().filter(|now| before.contains(now)).count();
        assert!(same < after.len(), "{given:?}");
    }
}
