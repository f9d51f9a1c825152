//! Names that try to act on the place where they are shown.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 12] = [
    "A\r\nBcc: x@example.com\r\n\r\nhello",
    "@everyone @here <@123> <@&4> <#5>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u{202e}gnp.exe\u{202c}\u{2066}\u{200f}",
    "A\u{200b}\u{feff}\u{ad}\u{2060}\u{e0041}B",
    "**bold** __under__ ~~gone~~ `code` ||spoiler|| > quote",
    "[click](https://evil.example) https://evil.example :smile: <:x:1>",
    "# Heading",
    "1. List",
    "{{ 7 * 7 }} {% raw %} {$count} { $home }",
    "\" onclick=\"x\" ' \u{0} \u{1b}[31m \u{2028}\u{2029}\u{85}",
    "END:VEVENT\nBEGIN:VALARM\\n;,:",
];

/// A match in which every name is this one.
fn named(name: &str) -> MatchNews {
    let old =
        with(json!({"avsparkstid": format!("{name}1"), "anlaggningnamn": format!("{name}1")}));
    let now = with(
        json!({"lag1namn": name, "lag2namn": name, "anlaggningnamn": name,
        "tavlingnamn": name, "avsparkstid": name, "matchnr": name,
        "domaruppdraglista": [referee(51, name, name)]}),
    );
    step(Some(&old), Some(&now)).unwrap()
}

/// The same, as if it came from a store that somebody else wrote to.
fn planted(name: &str) -> Message {
    let mut news = named("plain");
    for text in [
        &mut news.match_nr,
        &mut news.home,
        &mut news.away,
        &mut news.competition,
        &mut news.date,
        &mut news.kickoff,
        &mut news.venue,
        &mut news.found_at,
    ] {
        name.clone_into(text);
    }
    for person in &mut news.referees {
        (person.name, person.role) = (name.to_owned(), name.to_owned());
    }
    for news in &mut news.news {
        (news.previous_value, news.current_value) = (Some(name.to_owned()), Some(name.to_owned()));
        news.previous_name = Some(format!("{name}{name}"));
    }
    Message::changes(Language::Swedish, news)
}

fn alert_about(name: &str) -> Message {
    let alert = AlertNews {
        subject: Some(name.to_owned()),
        detail: name.to_owned(),
        since: name.to_owned(),
        ..alert(AlertKind::DestinationDown, None)
    };
    Message::alert(Language::English, Priority::High, alert)
}

fn messages(name: &str) -> Vec<Message> {
    let digest = Message {
        kind: MessageKind::Digest,
        matches: vec![named(name), named("plain")],
        ..planted(name)
    };
    vec![
        Message::changes(Language::Swedish, named(name)),
        planted(name),
        digest,
        alert_about(name),
    ]
}

/// Characters that are not seen and can do harm.
fn invisible(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
}

fn assert_visible(text: &str) {
    assert!(!text.contains(invisible), "{text:?}");
}

/// What would be a mark in Discord's Markdown is escaped, and all else is as it was.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[test]
fn a_title_or_subject_is_one_line() {
    let wording = wording();
    for message in NAMES.iter().flat_map(|name| messages(name)) {
        let subject = wording.mail(&message, NOW).subject;
        let title = wording.text(&message, NOW).title;
        for line in [subject, title] {
            assert!(
                !line.contains(['\r', '\n']) && line.chars().count() <= 60,
                "{line:?}"
            );
            assert_visible(&line);
        }
    }
}

#[test]
fn a_name_adds_no_line_to_a_text() {
    let wording = wording();
    let lines = |message: &Message| wording.text(message, NOW).body.lines().count();
    for name in NAMES {
        let message = Message::changes(Language::Swedish, named(name));
        let plain = Message::changes(Language::Swedish, named("plain"));
        assert_eq!(lines(&message), lines(&plain), "{name:?}");
        for message in messages(name) {
            assert_visible(&wording.text(&message, NOW).body);
        }
    }
}

#[test]
fn html_holds_no_tag_or_attribute_of_a_name() {
    let wording = wording();
    let tags = |html: &str| {
        let mut tags: Vec<String> = html
            .split('<')
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap().to_owned())
            .collect();
        tags.sort_unstable();
        tags
    };
    let html = |message: &Message| wording.mail(message, NOW).html;
    let plain = tags(&html(&Message::changes(Language::Swedish, named("plain"))));
    for name in NAMES {
        let message = Message::changes(Language::Swedish, named(name));
        assert_eq!(tags(&html(&message)), plain, "{name:?}");
        for message in messages(name) {
            assert_visible(&html(&message));
            assert!(!html(&message).contains("<script") && !html(&message).contains("onerror=\""));
        }
    }
}

#[test]
fn discord_shows_a_name_as_it_is_and_mentions_nobody() {
    let wording = wording();
    for message in NAMES.iter().flat_map(|name| messages(name)) {
        let body = wording.discord(&message, NOW);
        assert_eq!(body["allowed_mentions"], json!({"parse": []}));
        for embed in body["embeds"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let fields = embed["fields"].as_array().cloned().unwrap_or_default();
            let fields = fields
                .iter()
                .map(|f| text(&f["value"]).replace("~~", "").replace("**", ""));
            let description = text(&embed["description"]).replace("**", "");
            for text in fields.chain([text(&embed["title"]), description]) {
                assert_visible(&text);
                let seen = unescaped(&text);
                let marks = ['@', '<', '>', '*', '_', '~', '`', '|', '[', ']'];
                assert!(!seen.contains(marks) && !seen.contains("://"), "{text}");
                let lists = seen.lines().any(|line| {
                    let rest = line
                        .trim_start()
                        .trim_start_matches(|c: char| c.is_ascii_digit());
                    rest.starts_with(['#', '-', '+']) || (rest != line && rest.starts_with(". "))
                });
                assert!(!lists, "{text}");
            }
        }
    }
}

#[test]
fn a_calendar_holds_no_line_of_a_name() {
    let wording = wording();
    let mut checked = 0;
    for name in NAMES {
        let mut news = named(name);
        "2027-05-11".clone_into(&mut news.date);
        let message = Message::changes(Language::Swedish, news);
        let calendar = wording.mail(&message, NOW).calendar.unwrap();
        let text = calendar.text.replace("\r\n ", "");
        let begins = text.lines().filter(|line| line.starts_with("BEGIN:"));
        assert_eq!(begins.count(), 2, "{text}");
        for line in text.split_terminator("\r\n") {
            assert_visible(line);
            assert!(line.starts_with(|c: char| c.is_ascii_uppercase()), "{line}");
            checked += 1;
        }
    }
    assert!(checked > 100);
}

#[test]
fn an_event_and_what_is_stored_hold_no_invisible_characters() {
    for name in NAMES {
        let message = Message::changes(Language::Swedish, named(name));
        let event = super::webhook::event(&message);
        let mut texts = Vec::new();
        strings(&event, &mut texts);
        strings(&serde_json::to_value(&message).unwrap(), &mut texts);
        assert!(texts.len() > 20);
        for text in texts {
            assert_visible(&text);
            assert!(!text.contains('\n'), "{text:?}");
        }
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|value| strings(value, found)),
        Value::Object(all) => all.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever a name is, every form can be made from the built-in templates.
    #[test]
    fn any_name_can_be_told(name in any::<String>(), long in 1..2000usize) {
        let wording = wording();
        let name = name.repeat(long.min(1 + 4_000 / name.len().max(1)));
        for message in messages(&name) {
            let mail = wording.mail(&message, NOW);
            prop_assert!(!mail.subject.contains(invisible), "{:?}", mail.subject);
            prop_assert!(!mail.text.contains(invisible));
            prop_assert!(mail.html.ends_with("</html>\n"));
            prop_assert!(wording.discord(&message, NOW)["embeds"].is_array());
        }
        prop_assert_eq!(wording.failures(), 0);
    }
}
