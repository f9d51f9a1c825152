//! Who is told, in tables: invented people, one match, one moment.

mod alerts;
mod checks;
mod explained;
mod roles;
mod rules;
mod times;

use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;

use super::*;
use crate::domain::change::{Category, Change, Priority, Stakeholder as Audience};
use crate::domain::matchlist::Match;
use crate::domain::notify::Language;
use crate::domain::schedule::QuietHours;

/// A Thursday noon in Sweden.
const NOON: &str = "2027-07-01T10:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// Somebody with a mail address, who is told of everything at once.
fn person(id: &str, role: Role) -> Stakeholder {
    Stakeholder {
        id: id.to_owned(),
        name: String::new(),
        role,
        identity: Identity::default(),
        is_active: true,
        language: Language::Swedish,
        zone: zone("Europe/Stockholm"),
        quiet: QuietHours::default(),
        minimum: Priority::Low,
        categories: None,
        pace: Pace::Immediate,
        mail: Some(format!("{id}@example.org")),
        channels: vec![MAIL.to_owned()],
    }
}

fn referee(id: &str, referee_id: i64) -> Stakeholder {
    let mut one = person(id, Role::Referee);
    one.identity.referee_id = Some(referee_id);
    one
}

fn by(mut one: Stakeholder, channels: &[&str]) -> Stakeholder {
    one.channels = channels.iter().map(|name| (*name).to_owned()).collect();
    one
}

/// Mail, two Discord channels and one of each other kind.
fn channels() -> Vec<Channel> {
    let channel = |kind, name: &str| Channel {
        name: name.to_owned(),
        kind,
        language: Language::English,
    };
    vec![
        channel(ChannelKind::Mail, MAIL),
        channel(ChannelKind::Discord, "ops"),
        channel(ChannelKind::Discord, "club"),
        channel(ChannelKind::Webhook, "hook"),
        channel(ChannelKind::Ntfy, "phone"),
    ]
}

fn parts(stakeholders: Vec<Stakeholder>, rules: Vec<Rule>) -> Parts {
    Parts {
        channels: channels(),
        stakeholders,
        groups: vec![Group {
            id: "board".to_owned(),
            members: vec!["cia".to_owned()],
        }],
        rules,
    }
}

fn routing(stakeholders: Vec<Stakeholder>, rules: Vec<Rule>) -> Routing {
    let mut parts = parts(stakeholders, rules);
    let ids: Vec<String> = parts
        .stakeholders
        .iter()
        .map(|one| one.id.clone())
        .collect();
    for group in &mut parts.groups {
        group.members.retain(|member| ids.contains(member));
    }
    Routing::new(parts).unwrap()
}

/// Match 7 of clubs 11 and 12 with teams 1 and 2, in competition 4, with these referees.
fn a_match(referees: &[i64]) -> Match {
    let referees = referees.iter().map(|id| format!("{{\"domareid\":{id}}}"));
    let referees = referees.collect::<Vec<_>>().join(",");
    let raw = format!(
        "{{\"matchid\":7,\"lag1lagid\":1,\"lag1foreningid\":11,\"lag2lagid\":2,\
         \"lag2foreningid\":12,\"tavlingid\":4,\"domaruppdraglista\":[{referees}]}}"
    );
    Match::parse(&raw).unwrap()
}

fn change(category: Category, priority: Priority, affected: &[Audience]) -> Change {
    Change {
        match_id: 7,
        match_nr: "000000007".to_owned(),
        category,
        priority,
        affected_stakeholders: affected.to_vec(),
        field_name: None,
        previous_value: None,
        current_value: None,
        change_description: "Something changed.".to_owned(),
        timestamp: NOON.to_owned(),
    }
}

/// A kick-off that moved, of which all must know.
fn moved() -> Change {
    change(Category::TimeChange, Priority::High, &[Audience::All])
}

/// What is sent because of one change of a match: channel, recipient and moment each.
fn sent(routing: &Routing, change: &Change, before: &Match, now: &Match) -> Vec<String> {
    let subject = Subject {
        change,
        current: Some(now),
        previous: Some(before),
    };
    let notices = routing.route(&[subject], at(NOON));
    notices.iter().map(told).collect()
}

/// `mail/anna` and, where it waits, when.
fn told(notice: &Notice) -> String {
    let place = match notice.recipient.is_empty() {
        true => notice.channel.key(),
        false => format!("{}/{}", notice.channel.key(), notice.recipient),
    };
    match notice.when {
        When::Now => place,
        When::NotBefore(moment) => format!("{place} from {moment}"),
        When::Digest(moment) => format!("{place} in the digest of {moment}"),
    }
}

/// Notifies these, `group:` and all.
fn rule(name: &str, targets: &[&str]) -> Rule {
    let target = |text: &&str| match text.strip_prefix("group:") {
        Some(id) => Target::Group(id.to_owned()),
        None => Target::Stakeholder((*text).to_owned()),
    };
    Rule {
        name: name.to_owned(),
        then: Then::Notify {
            targets: targets.iter().map(target).collect(),
            channels: None,
            instead: false,
        },
        ..Rule::default()
    }
}
