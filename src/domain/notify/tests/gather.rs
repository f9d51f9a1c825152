use super::*;

fn of(fields: Value) -> MatchNews {
    step(Some(&with(json!({}))), Some(&with(fields))).unwrap()
}

#[test]
fn a_message_holds_the_match_as_it_is_now_and_what_changed() {
    let news =
        of(json!({"avsparkstid": "18:30", "anlaggningnamn": "Vallen 2", "anlaggningid": 32}));
    let message = Message::changes(Language::Swedish, news);
    insta::assert_snapshot!(serde_json::to_string_pretty(&message).unwrap(), @r#"
    {
      "kind": "changes",
      "language": "sv",
      "priority": "high",
      "matches": [
        {
          "match_id": 6000001,
          "match_nr": "000402010",
          "home": "Norra IF",
          "away": "Södra BK",
          "competition": "Cupen",
          "date": "2027-05-11",
          "kickoff": "18:30",
          "venue": "Vallen 2",
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
          "is_new": false,
          "is_gone": false,
          "found_at": "2027-05-01T12:00:00Z",
          "news": [
            {
              "category": "time_change",
              "priority": "high",
              "field_name": "avsparkstid",
              "previous_value": "19:00",
              "current_value": "18:30"
            },
            {
              "category": "venue_change",
              "priority": "medium",
              "field_name": "anlaggningnamn",
              "previous_value": "Vallen 1",
              "current_value": "Vallen 2"
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn a_replaced_team_is_told_by_its_name() {
    let news = of(json!({"lag1lagid": 13, "lag1namn": "Östra FF"}));
    let told = &news.news[0];
    assert_eq!(
        (told.before(), told.now()),
        (Some("Norra IF"), Some("Östra FF"))
    );
    assert_eq!(told.field_name.as_deref(), Some("lag1lagid"));
    assert_eq!(told.previous_value.as_deref(), Some("11"));
}

#[test]
fn contact_data_is_told_by_the_names_of_its_fields() {
    let mut referee = referee(51, "Huvuddomare", "Anna Exempel");
    referee["mobiltelefon"] = json!("0799999999");
    referee["epostadress"] = json!("anna@example.com");
    let mut before = with(json!({}));
    before["domaruppdraglista"][0]["epostadress"] = json!("");
    let mut now = before.clone();
    now["domaruppdraglista"][0] = referee;
    let news = step(Some(&before), Some(&now)).unwrap();
    assert_eq!(news.news[0].contact_fields, ["mobiltelefon", "epostadress"]);
    let stored = serde_json::to_string(&news).unwrap();
    assert!(!stored.contains("07") && !stored.contains('@'), "{stored}");
}

#[test]
fn every_flag_that_was_taken_back_is_told() {
    let before = with(json!({"installd": true, "avbruten": true}));
    let news = step(Some(&before), Some(&with(json!({})))).unwrap();
    let subjects: Vec<_> = news.told().into_iter().map(News::subject).collect();
    assert_eq!(subjects, [Subject::Cancelled, Subject::Interrupted]);
    assert_eq!(news.status, []);
}

#[test]
fn a_match_that_is_past_its_day_is_no_news() {
    let before = with(json!({"speldatum": "2027-04-30"}));
    assert_eq!(step(Some(&before), None), None);
}

#[test]
fn a_match_that_is_gone_is_told_as_it_was_known() {
    let news = step(Some(&with(json!({}))), None).unwrap();
    assert!(news.is_gone && !news.is_new);
    assert_eq!(
        (news.home.as_str(), news.kickoff.as_str()),
        ("Norra IF", "19:00")
    );
    assert_eq!(news.told()[0].category, Category::AssignmentRemoved);
}

#[test]
fn the_older_rule_tells_names_too() {
    let now =
        Match::parse(&with(json!({"anlaggningid": 32, "anlaggningnamn": "Vallen 2"})).to_string());
    let before = Match::parse(&with(json!({})).to_string()).unwrap();
    let change = Change {
        match_id: 6_000_001,
        match_nr: "000402010".to_owned(),
        category: Category::Unclassified,
        priority: Priority::Medium,
        affected_stakeholders: Vec::new(),
        field_name: Some("anlaggningid".to_owned()),
        previous_value: Some("31".to_owned()),
        current_value: Some("32".to_owned()),
        change_description: String::new(),
        timestamp: String::new(),
    };
    let news = MatchNews::of(Some(&before), Some(&now.unwrap()), &[&change]).unwrap();
    assert_eq!(news.news[0].subject(), Subject::Venue);
    assert_eq!(
        (news.news[0].before(), news.news[0].now()),
        (Some("Vallen 1"), Some("Vallen 2"))
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let long = "å".repeat(10_000);
    let referees: Vec<Value> = (0..500).map(|id| referee(id + 1, &long, &long)).collect();
    let news = of(
        json!({"lag1namn": long, "anlaggningnamn": long, "tavlingnamn": long,
        "avsparkstid": long, "speldatum": long, "domaruppdraglista": referees}),
    );
    assert_eq!(news.home.chars().count(), 200);
    assert!(news.home.ends_with('…'));
    let stored = serde_json::to_string(&news).unwrap();
    assert!(stored.len() < 100_000, "{}", stored.len());
}

#[test]
fn a_stored_message_reads_back() {
    let message = Message::changes(Language::English, of(json!({"lag1lagid": 13})));
    let stored = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
}
