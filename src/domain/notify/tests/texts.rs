use super::*;

fn all(language: Language) -> String {
    let wording = wording();
    let one = |(name, message): (String, Message)| {
        let plain = wording.text(&message, NOW);
        format!("=== {name}\n[{}]\n{}", plain.title, plain.body)
    };
    every_kind(language)
        .into_iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_kind_of_message_in_swedish() {
    insta::assert_snapshot!("texts_sv", all(Language::Swedish));
}

#[test]
fn every_kind_of_message_in_english() {
    insta::assert_snapshot!("texts_en", all(Language::English));
}

#[test]
fn a_title_tells_the_most_important_thing_and_fits() {
    let wording = wording();
    let long = with(
        json!({"lag1namn": "Föreningen Norra Idrottssällskapet", "lag2namn":
        "Södra Bollklubbens andralag", "anlaggningnamn": "Kommunens konstgräsplan nummer fyra"}),
    );
    let mut moved = long.clone();
    moved["avsparkstid"] = json!("18:30");
    moved["anlaggningnamn"] = json!("Kommunens konstgräsplan nummer fem");
    let titles: Vec<String> = [json!("18:30"), json!("19:00")]
        .into_iter()
        .map(|time| {
            moved["avsparkstid"] = time;
            let news = step(Some(&long), Some(&moved)).unwrap();
            wording
                .text(&Message::changes(Language::Swedish, news), NOW)
                .title
        })
        .collect();
    insta::assert_snapshot!(titles.join("\n"), @"
    Ny avspark 18:30 (+1): Föreningen No… – Södra Bollklu…
    Ny plan: Föreningen No… – Södra Bollklu…
    ");
    for language in Language::ALL {
        for (name, message) in every_kind(*language) {
            let title = wording.text(&message, NOW).title;
            assert!(title.chars().count() <= 60, "{name}: {title}");
        }
    }
}

#[test]
fn what_is_most_urgent_begins_the_title_the_text_and_the_event() {
    let none = with(json!({"domaruppdraglista": []}));
    let news = step(
        Some(&none),
        Some(&with(json!({"anlaggningnamn": "Vallen 2"}))),
    );
    let message = Message::changes(Language::Swedish, news.unwrap());
    let plain = wording().text(&message, NOW);
    assert_eq!(plain.title, "Nytt uppdrag (+1): Norra IF – Södra BK");
    let told = "Domarna är tillsatta.\nPlan: Vallen 1 → Vallen 2\n";
    assert!(plain.body.starts_with(told), "{}", plain.body);
    let event = super::webhook::event(&message);
    let changes = event["data"]["changes"].as_array().unwrap();
    let categories: Vec<_> = changes.iter().map(|one| &one["category"]).collect();
    assert_eq!(categories, ["new_assignment", "venue_change"]);
}

#[test]
fn a_day_and_its_time_are_told_together_however_urgent_each_is() {
    let moved = json!({"speldatum": "2027-05-12", "avsparkstid": "18:30",
        "domaruppdraglista": [referee(51, "Huvuddomare", "Anna Exempel")]});
    let mut news = changed(moved);
    for one in &mut news.news {
        one.priority = match one.subject() {
            Subject::Time => Priority::Critical,
            Subject::Date => Priority::Low,
            _ => Priority::High,
        };
    }
    let title = wording()
        .text(&Message::changes(Language::Swedish, news), NOW)
        .title;
    insta::assert_snapshot!(title, @"Ny matchdag 12 maj kl. 18:30 (+1): Norra IF – Södra BK");
}

#[test]
fn a_title_tells_no_new_value_where_there_is_none() {
    let titles = [
        json!({"avsparkstid": ""}),
        json!({"speldatum": ""}),
        json!({"speldatum": "", "avsparkstid": "18:30"}),
        json!({"speldatum": "2027-05-12", "avsparkstid": ""}),
        json!({"anlaggningid": null, "anlaggningnamn": ""}),
        json!({"tavlingid": null, "tavlingnamn": ""}),
    ]
    .map(|fields| {
        let message = Message::changes(Language::Swedish, changed(fields));
        wording().text(&message, NOW).title
    });
    insta::assert_snapshot!(titles.join("\n"), @"
    Avspark okänd: Norra IF – Södra BK
    Matchdag okänd: Norra IF – Södra BK
    Matchdag okänd (+1): Norra IF – Södra BK
    Ny matchdag 12 maj (+1): Norra IF – Södra BK
    Plan okänd: Norra IF – Södra BK
    Tävling okänd: Norra IF – Södra BK
    ");
}

#[test]
fn a_name_that_a_title_has_no_room_for_is_told_in_full_below_it() {
    let long = changed(json!({"lag1namn": "Föreningen Norra Idrottssällskapet",
        "lag2namn": "Södra Bollklubbens andralag", "avsparkstid": "18:30"}));
    let short = changed(json!({"avsparkstid": "18:30"}));
    let mut message = Message::changes(Language::Swedish, long);
    let name = "Föreningen Norra Idrottssällskapet – Södra Bollklubbens andralag";
    let embed = wording().discord(&message, NOW)["embeds"][0].clone();
    assert_eq!(embed["title"], format!("Ny avspark 18:30 (+2): {name}"));
    (message.kind, message.matches) = (
        MessageKind::Digest,
        vec![message.matches.remove(0), short.clone()],
    );
    let text = wording().mail(&message, NOW).text;
    let named: Vec<&str> = text.lines().filter(|line| line.contains(" – ")).collect();
    insta::assert_snapshot!(named.join("\n"), @"
    Ny avspark 18:30 (+2): Föreningen No… – Södra Bollklu…
    Föreningen Norra Idrottssällskapet – Södra Bollklubbens andralag
    Ny avspark 18:30: Norra IF – Södra BK
    ");
    assert!(wording().text(&message, NOW).body.contains(name));
}

#[test]
fn both_languages_say_the_same_phrases() {
    let keys = |source: &str| {
        let mut keys: Vec<String> = source
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        keys.sort_unstable();
        keys
    };
    let swedish = include_str!("../wording/sv.ftl");
    let english = include_str!("../wording/en.ftl");
    assert_eq!(keys(swedish), keys(english));
    for source in [swedish, english] {
        assert!(fluent_bundle::FluentResource::try_new(source.to_owned()).is_ok());
    }
}

/// A phrase that is missing is told by its key, which no language's words look like.
#[test]
fn nothing_is_left_in_the_words_of_the_program() {
    let wording = wording();
    let keys: Vec<&str> = include_str!("../wording/en.ftl")
        .lines()
        .filter_map(|line| line.split(" =").next())
        .filter(|key| key.contains('-') && !key.contains(' '))
        .collect();
    assert!(keys.len() > 80, "{}", keys.len());
    for &language in Language::ALL {
        for (name, message) in every_kind(language) {
            let plain = wording.text(&message, NOW);
            let html = wording.mail(&message, NOW).html;
            let body = html.split("<body").nth(1).unwrap().to_owned();
            for text in [
                plain.title,
                plain.body,
                wording.discord(&message, NOW).to_string(),
            ] {
                let words: Vec<&str> = text
                    .split(|c: char| c != '-' && !c.is_alphanumeric())
                    .collect();
                for key in &keys {
                    assert!(!words.contains(key), "{name}: {key} in {text}");
                }
            }
            assert!(
                !body.contains("label-") && !body.contains("line-refer"),
                "{name}: {body}"
            );
        }
    }
}

#[test]
fn an_instant_of_the_list_is_told_as_a_day_and_time() {
    let short = json!({"avsparkstid": null, "tid": "/Date(1810054800000)/"});
    let later = json!({"avsparkstid": null, "tid": "/Date(1810058400000)/"});
    let news = step(Some(&with(short)), Some(&with(later))).unwrap();
    let plain = wording().text(&Message::changes(Language::Swedish, news), NOW);
    let first = plain.body.lines().next().unwrap();
    insta::assert_snapshot!(first, @"Avspark: 11 maj 2027 kl. 19:00 → 11 maj 2027 kl. 20:00");
}

#[test]
fn a_digest_spells_out_so_many_matches_and_counts_the_others() {
    let message = Message {
        kind: MessageKind::Digest,
        matches: (0..120)
            .map(|id| MatchNews {
                match_id: id,
                ..changed(json!({"avsparkstid": "18:30"}))
            })
            .collect(),
        ..Message::test(Language::Swedish)
    };
    let mail = wording().mail(&message, NOW);
    assert_eq!(mail.subject, "Nyheter om 120 matcher");
    assert_eq!(mail.text.matches("https://").count(), 50);
    let counted = "\n… och 70 matcher till.\n";
    assert!(mail.text.contains(counted), "{}", mail.text);
}

#[test]
fn a_match_of_which_nothing_is_known_has_a_message_too() {
    let message = Message::changes(Language::English, MatchNews::default());
    insta::assert_snapshot!(wording().text(&message, NOW).title, @"Match changed: unknown team – unknown team");
}

#[test]
fn of_many_matches_a_note_tells_as_many_as_fit_and_counts_the_others() {
    let mut message = Message::changes(Language::English, changed(json!({"avsparkstid": "18:30"})));
    message.kind = MessageKind::Digest;
    message.matches = vec![message.matches[0].clone(); 120];
    for language in [Language::English, Language::Swedish] {
        let plain = wording().text(
            &Message {
                language,
                ..message.clone()
            },
            NOW,
        );
        assert!(plain.title.contains("120"), "{}", plain.title);
        let told = plain.body.matches("https://").count();
        let (length, last) = (plain.body.len(), plain.body.lines().last().unwrap());
        let one = length / told;
        assert!(
            length <= 4096 && length + one + 20 > 4096,
            "{length} for {told}"
        );
        assert!(last.contains(&(120 - told).to_string()), "{last}");
    }
    message.matches.truncate(5);
    let body = wording().text(&message, NOW).body;
    assert_eq!(body.matches("https://").count(), 5, "{body}");
}

#[test]
fn a_day_has_its_year_if_that_is_another_than_now() {
    let news = || changed(json!({"speldatum": "2027-05-12"}));
    let on = |now: &str| {
        let message = Message::changes(Language::Swedish, news());
        let plain = wording().text(&message, now.parse().unwrap());
        let lines: Vec<String> = plain.body.lines().map(str::to_owned).collect();
        [vec![plain.title], lines].concat().join("\n")
    };
    // The year is that of the place where the matches are played.
    for now in ["2026-12-31T22:59:00Z", "2028-01-01T00:00:00Z"] {
        let text = on(now);
        assert!(text.starts_with("Ny matchdag 12 maj: "), "{text}");
        assert!(
            text.contains("tisdag 11 maj 2027 → onsdag 12 maj 2027\n"),
            "{text}"
        );
        assert!(text.contains("onsdag 12 maj 2027 kl. 19:00\n"), "{text}");
    }
    for now in ["2026-12-31T23:00:00Z", "2027-12-31T22:59:00Z"] {
        let text = on(now);
        assert!(
            text.starts_with("Ny matchdag 12 maj: ") && !text.contains("2027"),
            "{text}"
        );
    }
}
