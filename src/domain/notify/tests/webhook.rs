use super::*;

fn event(message: &Message) -> Value {
    super::super::webhook::event(message, jiff::Timestamp::UNIX_EPOCH)
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

#[test]
fn a_digest_of_a_whole_season_is_cut_and_says_so() {
    let mut message = Message::changes(Language::Swedish, changed(json!({"avsparkstid": "18:30"})));
    message.kind = MessageKind::Digest;
    message.matches = vec![message.matches[0].clone(); 10_000];
    let told = event(&message);
    let data = &told["data"];
    assert_eq!(data["matches"].as_array().unwrap().len(), 500);
    assert_eq!(data["more"], 9_500);
    assert!(
        told.to_string().len() < 600_000,
        "{}",
        told.to_string().len()
    );
}
