//! Messages made from changes of invented matches.

mod calendar;
mod discord;
mod gather;
mod hostile;
mod mail;
mod merge;
mod properties;
mod templates;
mod texts;
mod webhook;

use std::collections::HashMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::*;
use crate::domain::change::{Category, Change, Priority};
use crate::domain::compare::{KnownMatch, Rules, changes, diff};
use crate::domain::matchlist::{Fingerprint, List, Match};

const TODAY: Date = jiff::civil::date(2027, 5, 1);

/// Noon of that day in Stockholm.
const NOW: jiff::Timestamp = jiff::Timestamp::constant(1_809_165_600, 0);

/// A match with two referees, ten days from today, with these fields set, or removed where the value
/// is null.
fn with(fields: Value) -> Value {
    let mut m = json!({
        "matchid": 6_000_001, "matchnr": "000402010", "speldatum": "2027-05-11",
        "avsparkstid": "19:00", "tid": "/Date(1810054800000)/",
        "lag1lagid": 11, "lag1namn": "Norra IF", "lag1foreningid": 12,
        "lag2lagid": 21, "lag2namn": "Södra BK", "lag2foreningid": 22,
        "anlaggningid": 31, "anlaggningnamn": "Vallen 1", "tavlingid": 41, "tavlingnamn": "Cupen",
        "installd": false, "uppskjuten": false, "avbruten": false,
        "domaruppdraglista": [referee(51, "Huvuddomare", "Anna Exempel"),
            referee(52, "Assisterande 1", "Bo Exempel")]
    });
    for (key, value) in fields.as_object().unwrap() {
        m[key] = value.clone();
    }
    m.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    m
}

fn referee(id: i64, role: &str, name: &str) -> Value {
    json!({"domareid": id, "domarrollnamn": role, "personnamn": name, "mobiltelefon": "0700000000"})
}

/// What is told of a match that was one thing and is another; none if it was not or is not there.
fn step(before: Option<&Value>, now: Option<&Value>) -> Option<MatchNews> {
    step_at(before, now, "2027-05-01T12:00:00Z")
}

fn step_at(before: Option<&Value>, now: Option<&Value>, at: &str) -> Option<MatchNews> {
    let parsed = |m: Option<&Value>| m.map(|m| Match::parse(&m.to_string()).unwrap());
    let (old, new) = (parsed(before), parsed(now));
    let known: Vec<_> = before
        .zip(old.as_ref())
        .map(|(raw, m)| KnownMatch {
            id: m.id,
            fingerprint: Fingerprint::of(raw.to_string().as_bytes()),
            date: m.date,
        })
        .into_iter()
        .collect();
    let body = Value::from(now.cloned().into_iter().collect::<Vec<_>>()).to_string();
    let list = List::split(body.as_bytes()).unwrap();
    let rules = Rules {
        today: TODAY,
        legacy: false,
        same_day: Priority::Critical,
        timestamp: at.to_owned(),
    };
    let by_id: HashMap<i64, Match> = old.iter().map(|m| (m.id, m.clone())).collect();
    let found = changes(&diff(&list, &known, TODAY), &by_id, &rules);
    let found: Vec<&Change> = found.iter().collect();
    MatchNews::of(old.as_ref(), new.as_ref(), &found)
}

/// The message about what the steps between these states tell, each merged with the next.
fn chain(states: &[Option<Value>]) -> Option<Message> {
    states.windows(2).fold(None, |waiting, pair| {
        let next = step(pair[0].as_ref(), pair[1].as_ref());
        let next = next.map(|news| Message::changes(Language::Swedish, news));
        match (waiting, next) {
            (Some(waiting), Some(next)) => Message::merged(waiting, next),
            (waiting, next) => waiting.or(next),
        }
    })
}

/// `subject: before → now` of each piece of news that is told.
fn told(message: Option<&Message>) -> Vec<String> {
    let matches = message.into_iter().flat_map(|m| &m.matches);
    matches
        .flat_map(MatchNews::told)
        .map(|n| {
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            format!(
                "{} {}: {} → {}",
                n.category,
                n.subject(),
                text(n.before()),
                text(n.now())
            )
        })
        .collect()
}

fn wording() -> Wording {
    Wording::new(std::collections::BTreeMap::new()).unwrap()
}

fn changed(fields: Value) -> MatchNews {
    step(Some(&with(json!({}))), Some(&with(fields))).unwrap()
}

fn alert(kind: AlertKind, until: Option<&str>) -> AlertNews {
    AlertNews {
        kind,
        subject: (kind == AlertKind::DestinationDown).then(|| "webhook:club".to_owned()),
        since: "2027-05-01T12:00:00Z".to_owned(),
        until: until.map(str::to_owned),
        count: (kind == AlertKind::DeadLetters).then_some(12),
        detail: match until {
            None => "connection refused".to_owned(),
            Some(_) => String::new(),
        },
    }
}

/// A message of every kind that there is, each with its name.
fn every_kind(language: Language) -> Vec<(String, Message)> {
    let planned = with(json!({}));
    let off = |field: &str| with(json!({field: true}));
    let no_referees = with(json!({"domaruppdraglista": []}));
    let mut contact = planned.clone();
    contact["domaruppdraglista"][0]["mobiltelefon"] = json!("0799999999");
    let mut all: Vec<(String, Message)> = [
        ("new match with referees", None, Some(planned.clone())),
        (
            "new match without referees",
            None,
            Some(no_referees.clone()),
        ),
        (
            "referees assigned",
            Some(no_referees),
            Some(planned.clone()),
        ),
        (
            "referees changed",
            Some(planned.clone()),
            Some(with(json!({"domaruppdraglista": [
                referee(51, "Huvuddomare", "Anna Exempel"),
                referee(53, "Assisterande 1", "Cilla Exempel")]}))),
        ),
        ("contact", Some(planned.clone()), Some(contact)),
        ("date", None, Some(with(json!({"speldatum": "2027-05-12"})))),
        ("time", None, Some(with(json!({"avsparkstid": "18:30"})))),
        (
            "date, time and venue",
            None,
            Some(with(
                json!({"speldatum": "2028-01-02", "avsparkstid": "12:00",
                "anlaggningnamn": "Vallen 2"}),
            )),
        ),
        (
            "venue",
            None,
            Some(with(json!({"anlaggningnamn": "Vallen 2"}))),
        ),
        ("venue id", None, Some(with(json!({"anlaggningid": 99})))),
        (
            "team",
            None,
            Some(with(json!({"lag2lagid": 23, "lag2namn": "Östra FF"}))),
        ),
        (
            "competition",
            None,
            Some(with(json!({"tavlingnamn": "Serien"}))),
        ),
        ("cancelled", None, Some(off("installd"))),
        ("postponed", None, Some(off("uppskjuten"))),
        ("interrupted", None, Some(off("avbruten"))),
        (
            "no longer cancelled",
            Some(off("installd")),
            Some(planned.clone()),
        ),
        ("removed", Some(planned.clone()), None),
        (
            "today",
            None,
            Some(with(json!({"speldatum": "2027-05-01"}))),
        ),
    ]
    .into_iter()
    .map(|(name, before, now)| {
        let is_new = name.starts_with("new");
        let before = before.or_else(|| (!is_new).then(|| planned.clone()));
        let news = step(before.as_ref(), now.as_ref()).unwrap();
        (name.to_owned(), Message::changes(language, news))
    })
    .collect();
    let of = |name: &str| all.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let mut second = of("cancelled");
    second.matches[0].match_id = 6_000_002;
    second.matches[0].date = "2027-05-09".to_owned();
    let digest = Message::merged(of("time"), second).unwrap();
    all.push(("digest".to_owned(), digest));
    for &kind in AlertKind::ALL {
        for until in [None, Some("2027-05-01T13:30:00Z")] {
            let message = Message::alert(language, Priority::High, alert(kind, until));
            let name = format!("{kind}{}", if until.is_some() { " over" } else { "" });
            all.push((name, message));
        }
    }
    all.push(("test".to_owned(), Message::test(language)));
    all
}
