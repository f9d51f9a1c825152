use super::*;

fn body(message: &Message) -> Value {
    wording().discord(message, NOW)
}

/// The characters of all embeds, as Discord counts them.
fn characters(body: &Value) -> usize {
    let count = |value: &Value| value.as_str().unwrap_or_default().encode_utf16().count();
    let embeds = body["embeds"].as_array().unwrap();
    let of = |embed: &Value| {
        let fields = embed["fields"].as_array().cloned().unwrap_or_default();
        let fields: usize = fields
            .iter()
            .map(|f| count(&f["name"]) + count(&f["value"]))
            .sum();
        count(&embed["title"])
            + count(&embed["description"])
            + count(&embed["footer"]["text"])
            + fields
    };
    embeds.iter().map(of).sum()
}

fn assert_within_limits(body: &Value) {
    let short = |value: &Value, longest: usize| {
        let length = value.as_str().map_or(1, |text| text.encode_utf16().count());
        assert!(
            (1..=longest).contains(&length),
            "{length} of {longest}: {value}"
        );
    };
    let embeds = body["embeds"].as_array().unwrap();
    assert!((1..=10).contains(&embeds.len()));
    assert!(characters(body) <= 6000, "{}", characters(body));
    short(&body["content"], 2000);
    for embed in embeds {
        short(&embed["title"], 256);
        assert!(
            embed["description"]
                .as_str()
                .unwrap()
                .encode_utf16()
                .count()
                <= 4096
        );
        short(&embed["footer"]["text"], 2048);
        let none = Vec::new();
        let fields = embed["fields"].as_array().unwrap_or(&none);
        assert!(fields.len() <= 25);
        for field in fields {
            short(&field["name"], 256);
            short(&field["value"], 1024);
        }
    }
}

#[test]
fn changes_of_a_match_are_fields_of_an_embed() {
    let news = changed(json!({"avsparkstid": "18:30", "anlaggningnamn": "Vallen_2",
        "domaruppdraglista": [referee(51, "Huvuddomare", "Anna Exempel")]}));
    let body = body(&Message::changes(Language::Swedish, news));
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap(), @r#"
    {
      "allowed_mentions": {
        "parse": []
      },
      "embeds": [
        {
          "color": 14251782,
          "description": "**tisdag 11 maj kl. 18:30**\nVallen\\_2\nCupen\nHuvuddomare: Anna Exempel",
          "fields": [
            {
              "inline": false,
              "name": "Avspark",
              "value": "~~19:00~~ → **18:30**"
            },
            {
              "inline": false,
              "name": "Domare",
              "value": "Utgår: Bo Exempel (Assisterande 1)"
            },
            {
              "inline": false,
              "name": "Plan",
              "value": "~~Vallen 1~~ → **Vallen\\_2**"
            }
          ],
          "footer": {
            "text": "Matchnummer: 000402010"
          },
          "timestamp": "2027-05-01T12:00:00Z",
          "title": "Ny avspark 18:30 (+2): Norra IF – Södra BK",
          "url": "https://www.svenskfotboll.se/matchfakta/match?matchId=6000001"
        }
      ]
    }
    "#);
}

#[test]
fn a_match_that_is_off_is_told_to_be_whatever_the_news() {
    let off = json!({"installd": true});
    let elsewhere = json!({"installd": true, "anlaggningnamn": "Vallen 2"});
    let news = step(Some(&with(off)), Some(&with(elsewhere))).unwrap();
    let body = body(&Message::changes(Language::Swedish, news));
    let embed = &body["embeds"][0];
    assert_eq!(embed["title"], "Ny plan Vallen 2: Norra IF – Södra BK");
    let text = embed["description"].as_str().unwrap();
    assert!(
        text.starts_with("Status: Inställd\n**tisdag 11 maj kl. 19:00**\n"),
        "{text}"
    );
}

#[test]
fn a_field_says_its_label_once_and_what_is_unknown() {
    let fields = |before: Value, now: Value| {
        let news = step(Some(&with(before)), Some(&with(now))).unwrap();
        let body = body(&Message::changes(Language::Swedish, news));
        let fields = body["embeds"][0]["fields"].as_array().unwrap().clone();
        let text = |field: &Value, key: &str| field[key].as_str().unwrap().to_owned();
        let one = |field: &Value| format!("{} | {}", text(field, "name"), text(field, "value"));
        fields.iter().map(one).collect::<Vec<_>>()
    };
    let told = [
        fields(json!({}), json!({"avsparkstid": ""})),
        fields(json!({"avsparkstid": ""}), json!({})),
        fields(json!({}), json!({"anlaggningid": 99})),
        fields(
            json!({"anlaggningnamn": ""}),
            json!({"anlaggningnamn": "", "anlaggningid": 99}),
        ),
    ];
    insta::assert_snapshot!(told.concat().join("\n"), @"
    Avspark | ~~19:00~~ → **okänt**
    Avspark | ~~okänt~~ → **19:00**
    Plan | Vallen 1 (uppgiften är ändrad)
    Plan | okänt (uppgiften är ändrad)
    ");
}

#[test]
fn a_name_that_even_an_embed_has_no_room_for_is_in_its_text() {
    let [home, away] = ["Norra ".repeat(30), "Södra ".repeat(30)];
    let news = changed(json!({"lag1namn": home, "lag2namn": away, "avsparkstid": "18:30"}));
    let body = body(&Message::changes(Language::Swedish, news));
    assert_within_limits(&body);
    let embed = &body["embeds"][0];
    let title = embed["title"].as_str().unwrap();
    assert!(
        title.contains("… – Södra Södra") && title.ends_with('…'),
        "{title}"
    );
    let text = embed["description"].as_str().unwrap();
    let name = format!("{} – {}\n", home.trim(), away.trim());
    assert!(text.starts_with(&name), "{text}");
}

#[test]
fn an_alert_and_its_end_are_embeds() {
    let on = Message::alert(
        Language::English,
        Priority::Critical,
        alert(AlertKind::LoginExpired, None),
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&body(&on)).unwrap(), @r#"
    {
      "allowed_mentions": {
        "parse": []
      },
      "embeds": [
        {
          "color": 12000284,
          "description": "Log in again in the service that fetches the match list. Until then no changes are found.\nSince: 1 May 2027 at 14:00\nDetails: connection refused",
          "title": "The login to the match list has expired"
        }
      ]
    }
    "#);
    let until = Some("2027-05-01T13:30:00Z");
    let over = Message::alert(
        Language::English,
        Priority::Low,
        alert(AlertKind::LoginExpired, until),
    );
    insta::assert_snapshot!(body(&over)["embeds"][0].to_string(), @r#"{"color":1409085,"description":"Since: 1 May 2027 at 14:00\nUntil: 1 May 2027 at 15:30","title":"The login to the match list works again"}"#);
}

#[test]
fn every_kind_of_message_keeps_to_the_limits_and_mentions_nobody() {
    for &language in Language::ALL {
        for (name, message) in every_kind(language) {
            let body = body(&message);
            assert_within_limits(&body);
            assert_eq!(body["allowed_mentions"], json!({"parse": []}), "{name}");
        }
    }
}

#[test]
fn each_priority_has_its_colour() {
    let colours: std::collections::BTreeSet<String> = Priority::ALL
        .iter()
        .map(|&priority| {
            let mut news = changed(json!({"avsparkstid": "18:30"}));
            news.news[0].priority = priority;
            body(&Message::changes(Language::Swedish, news))["embeds"][0]["color"].to_string()
        })
        .collect();
    assert_eq!(colours.len(), 4);
}

/// Everything as long as it can be, with characters that are escaped or count twice.
fn longest(id: i64) -> MatchNews {
    let long = "*😀_".repeat(2000);
    let referees: Vec<Value> = (1..60).map(|id| referee(id, &long, &long)).collect();
    let news = changed(json!({"lag1namn": long, "lag1lagid": 13, "lag2namn": long,
        "anlaggningnamn": long, "tavlingnamn": long, "avsparkstid": long, "speldatum": long,
        "installd": true, "uppskjuten": true, "domaruppdraglista": referees}));
    MatchNews {
        match_id: id,
        match_nr: long,
        ..news
    }
}

#[test]
fn the_longest_message_keeps_to_the_limits() {
    let one = body(&Message::changes(Language::Swedish, longest(1)));
    assert_within_limits(&one);
    assert!(
        one["embeds"][0]["description"]
            .as_str()
            .unwrap()
            .ends_with('…')
    );
    let many = Message {
        kind: MessageKind::Digest,
        matches: (1..40).map(longest).collect(),
        ..Message::test(Language::Swedish)
    };
    assert_within_limits(&body(&many));
}

#[test]
fn what_finds_no_room_is_counted() {
    let matches = (1..=14).map(|match_id| MatchNews {
        match_id,
        ..changed(json!({"avsparkstid": "18:30"}))
    });
    let digest = Message {
        kind: MessageKind::Digest,
        matches: matches.collect(),
        ..Message::test(Language::Swedish)
    };
    let body = body(&digest);
    assert_eq!(body["embeds"].as_array().unwrap().len(), 10);
    assert_eq!(
        body["content"],
        "Nyheter om 14 matcher\n… och 4 matcher till."
    );
}
