//! Rules: when they apply, and what they do to what roles say.

use super::*;

fn people() -> Vec<Stakeholder> {
    vec![
        referee("anna", 101),
        person("cia", Role::Coordinator),
        person("ove", Role::Operator),
        by(person("wall", Role::Operator), &["ops"]),
    ]
}

/// What is sent of a kick-off that moved, with referee 101 on the match.
fn sent_with(rules: Vec<Rule>) -> Vec<String> {
    let m = a_match(&[101]);
    sent(&routing(people(), rules), &moved(), &m, &m)
}

fn instead(mut rule: Rule) -> Rule {
    if let Then::Notify { instead, .. } = &mut rule.then {
        *instead = true;
    }
    rule
}

fn skip(name: &str) -> Rule {
    Rule {
        then: Then::Skip,
        ..rule(name, &[])
    }
}

fn over(mut rule: Rule, names: &[&str]) -> Rule {
    if let Then::Notify { channels, .. } = &mut rule.then {
        *channels = Some(names.iter().map(|name| (*name).to_owned()).collect());
    }
    rule
}

#[test]
fn a_rule_applies_when_all_its_conditions_hold() {
    let mut change = moved();
    change.affected_stakeholders = vec![Audience::Teams];
    let (now, mut before) = (a_match(&[101]), a_match(&[102]));
    before.competition.id = Some(5);
    before.home.club_id = Some(13);
    let subject = Subject {
        change: &change,
        current: Some(&now),
        previous: Some(&before),
    };
    let applies = |set: &dyn Fn(&mut Rule)| {
        let mut rule = Rule::default();
        set(&mut rule);
        rule.applies(&subject)
    };
    assert!(applies(&|_| {}));
    assert!(applies(
        &|r| r.categories = vec![Category::VenueChange, Category::TimeChange]
    ));
    assert!(!applies(&|r| r.categories = vec![Category::VenueChange]));
    assert!(applies(&|r| r.priorities = vec![Priority::High]));
    assert!(!applies(&|r| r.priorities = vec![Priority::Critical]));
    for (ids, now_or_before) in [(101, true), (102, true), (103, false)] {
        assert_eq!(applies(&|r| r.referees = vec![ids]), now_or_before);
    }
    for (id, now_or_before) in [(12, true), (13, true), (1, false)] {
        assert_eq!(applies(&|r| r.clubs = vec![id]), now_or_before);
    }
    for (id, now_or_before) in [(4, true), (5, true), (7, false)] {
        assert_eq!(applies(&|r| r.competitions = vec![id]), now_or_before);
    }
    assert!(applies(&|r| r.audiences = vec![Audience::Teams]));
    assert!(!applies(&|r| r.audiences = vec![Audience::Referees]));
    assert!(!applies(&|r| r.audiences = vec![Audience::All]));
    let both = |club| applies(&|r| (r.competitions, r.clubs) = (vec![4], vec![club]));
    assert!(both(11) && !both(1));
}

#[test]
fn what_concerns_all_concerns_each() {
    let m = a_match(&[101]);
    let rule = Rule {
        audiences: vec![Audience::Referees],
        ..Rule::default()
    };
    let change = moved();
    assert!(rule.applies(&Subject {
        change: &change,
        current: Some(&m),
        previous: None
    }));
}

#[test]
fn a_referee_without_an_id_is_known_by_the_person() {
    let m = Match::parse("{\"matchid\":7,\"domaruppdraglista\":[{\"personid\":501}]}").unwrap();
    let both = "{\"matchid\":7,\"domaruppdraglista\":[{\"domareid\":101,\"personid\":501}]}";
    let both = Match::parse(both).unwrap();
    let change = moved();
    let rule = Rule {
        referees: vec![501],
        ..Rule::default()
    };
    let of = |m| Subject {
        change: &change,
        current: Some(m),
        previous: None,
    };
    assert!(rule.applies(&of(&m)));
    assert!(!rule.applies(&of(&both)));
}

#[test]
fn rules_add_unless_they_say_otherwise() {
    let by_role = ["mail/anna", "mail/cia"];
    assert_eq!(sent_with(vec![]), by_role);
    assert_eq!(
        sent_with(vec![rule("a", &["ove"])]),
        ["mail/anna", "mail/cia", "mail/ove"]
    );
    assert_eq!(sent_with(vec![instead(rule("a", &["ove"]))]), ["mail/ove"]);
    assert_eq!(sent_with(vec![skip("a")]), [""; 0]);
    let other = Rule {
        categories: vec![Category::VenueChange],
        ..skip("a")
    };
    assert_eq!(
        sent_with(vec![other]),
        by_role,
        "a rule that does not apply"
    );
    // What stands above a skip remains, what stands below is not asked.
    let rules = vec![rule("a", &["ove"]), skip("b"), rule("c", &["cia"])];
    assert_eq!(sent_with(rules), ["mail/ove"]);
    // Rules below one with `instead` go on adding.
    let rules = vec![instead(rule("a", &["ove"])), rule("b", &["wall"])];
    assert_eq!(sent_with(rules), ["mail/ove", "discord:ops"]);
    assert_eq!(
        sent_with(vec![rule("a", &["group:board"])]),
        by_role,
        "told already"
    );
}

#[test]
fn two_rules_tell_somebody_once_by_each_channel() {
    let twice = vec![
        instead(rule("a", &["ove", "group:board"])),
        rule("b", &["ove"]),
        over(rule("c", &["ove", "wall"]), &["mail", "phone"]),
    ];
    let mut people = people();
    people[3].mail = Some("wall@example.org".to_owned());
    let m = a_match(&[101]);
    let sent = sent(&routing(people, twice), &moved(), &m, &m);
    assert_eq!(sent, ["mail/cia", "mail/ove", "ntfy:phone", "mail/wall"]);
}

#[test]
fn channels_of_a_rule_stand_in_for_a_stakeholders_own() {
    let one = over(rule("a", &["ove"]), &["hook"]);
    assert_eq!(
        sent_with(vec![one]),
        ["mail/anna", "mail/cia", "webhook:hook"]
    );
    // By role and by rule: both.
    let two = over(rule("a", &["cia"]), &["phone"]);
    assert_eq!(
        sent_with(vec![two]),
        ["mail/anna", "ntfy:phone", "mail/cia"]
    );
}
