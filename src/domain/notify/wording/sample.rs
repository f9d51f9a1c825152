//! Invented messages of every kind, to try a template on.

use crate::domain::change::{Category, Priority};
use crate::domain::notify::{
    AlertKind, AlertNews, Language, MatchNews, Message, MessageKind, News, Person, Status,
};

/// One of every kind in every language; matches of which all is known, and of which nothing is.
pub(super) fn messages() -> Vec<Message> {
    let mut all = Vec::new();
    for &language in Language::ALL {
        all.push(Message::changes(language, full()));
        all.push(Message::changes(language, MatchNews::default()));
        all.push(Message {
            kind: MessageKind::Digest,
            matches: vec![full(), MatchNews::default()],
            ..Message::changes(language, full())
        });
        for &kind in AlertKind::ALL {
            for until in [None, Some("2027-05-01T13:00:00Z".to_owned())] {
                let alert = AlertNews {
                    kind,
                    subject: until.clone().map(|_| "webhook:example".to_owned()),
                    since: "2027-05-01T12:00:00Z".to_owned(),
                    count: until.as_ref().map(|_| 2),
                    until,
                    detail: "a reason".to_owned(),
                };
                all.push(Message::alert(language, Priority::High, alert));
            }
        }
        all.push(Message::test(language));
    }
    all
}

fn full() -> MatchNews {
    let news = |category, field: &str, before: &str, now: &str| News {
        field_name: Some(field.to_owned()),
        previous_value: Some(before.to_owned()),
        current_value: Some(now.to_owned()),
        ..News::of(category, Priority::High)
    };
    let person = |name: &str, role: &str| Person {
        name: name.to_owned(),
        role: role.to_owned(),
    };
    MatchNews {
        match_id: 1,
        match_nr: "000000001".to_owned(),
        home: "Home Team".to_owned(),
        away: "Away Team".to_owned(),
        competition: "Some Cup".to_owned(),
        date: "2027-05-11".to_owned(),
        kickoff: "18:30".to_owned(),
        venue: "Some Field".to_owned(),
        referees: vec![
            person("First Person", "Referee"),
            person("Second", "Assistant"),
        ],
        status: vec![Status::Postponed],
        is_new: false,
        is_gone: false,
        reader: None,
        found_at: "2027-05-01T12:00:00Z".to_owned(),
        first_found_at: None,
        event: None,
        news: vec![
            news(Category::TimeChange, "avsparkstid", "19:00", "18:30"),
            news(Category::Postponement, "uppskjuten", "false", "true"),
        ],
    }
}
