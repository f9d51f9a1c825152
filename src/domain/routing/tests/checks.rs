//! What does not fit together is told, all at once.

use super::*;

fn problems(change: impl FnOnce(&mut Parts)) -> Vec<String> {
    let mut parts = parts(
        vec![referee("anna", 101), person("cia", Role::Coordinator)],
        vec![],
    );
    change(&mut parts);
    Routing::new(parts).unwrap_err()
}

#[test]
fn each_mistake_says_where_it_is() {
    assert!(Routing::new(parts(vec![person("cia", Role::Coordinator)], vec![])).is_ok());
    let one = |problems: Vec<String>, expected: &str| assert_eq!(problems, [expected]);
    one(
        problems(|p| p.stakeholders.push(referee("anna", 102))),
        "stakeholder anna: another stakeholder has this id",
    );
    one(
        problems(|p| p.channels.push(p.channels[1].clone())),
        "channel ops: another channel has this name",
    );
    one(
        problems(|p| p.groups.push(p.groups[0].clone())),
        "group board: another group has this id",
    );
    one(
        problems(|p| p.rules = vec![rule("a", &["cia"]), rule("a", &["cia"])]),
        "rule a: another rule has this name",
    );
    one(
        problems(|p| p.stakeholders[0].channels = vec!["opps".to_owned()]),
        "stakeholder anna: there is no channel opps; there are: mail, ops, club, hook, phone",
    );
    one(
        problems(|p| p.stakeholders[0].channels.push("mail".to_owned())),
        "stakeholder anna: names the channel mail twice",
    );
    one(
        problems(|p| p.stakeholders[0].channels.clear()),
        "stakeholder anna: nothing says how it is told; set mail or channels",
    );
    one(
        problems(|p| p.stakeholders[0].mail = None),
        "stakeholder anna: is told by mail and has no address; set mail",
    );
    one(
        problems(|p| {
            p.stakeholders[0].quiet = QuietHours::parse("00:00-12:00,11:00-00:00").unwrap();
        }),
        "stakeholder anna: quiet_hours leave no time of the day",
    );
    one(
        problems(|p| p.groups[0].members.push("dan".to_owned())),
        "group board: there is no stakeholder dan",
    );
    one(
        problems(|p| p.rules = vec![rule("a", &["dan"])]),
        "rule a: there is no stakeholder dan",
    );
    one(
        problems(|p| p.rules = vec![rule("a", &["group:bord"])]),
        "rule a: there is no group bord",
    );
}

#[test]
fn mail_needs_a_server_and_an_address() {
    let found = problems(|p| drop(p.channels.remove(0)));
    let expected = ["anna", "cia"]
        .map(|id| format!("stakeholder {id}: is told by mail, and there is no server; add [smtp]"));
    assert_eq!(found, expected);
    let found = problems(|p| {
        p.stakeholders[0] = by(referee("anna", 101), &["ops"]);
        p.stakeholders[0].mail = None;
        let mut one = rule("a", &["anna", "cia"]);
        if let Then::Notify { channels, .. } = &mut one.then {
            *channels = Some(vec!["mail".to_owned(), "pager".to_owned()]);
        }
        p.rules.push(one);
    });
    let expected = [
        "rule a: there is no channel pager; there are: mail, ops, club, hook, phone",
        "rule a: tells anna by mail, who has no address",
    ];
    assert_eq!(found, expected);
}

#[test]
fn there_are_bounds() {
    let many = |count: usize| {
        (0..count)
            .map(|n| person(&n.to_string(), Role::Operator))
            .collect()
    };
    let of = |count| Parts {
        groups: vec![],
        ..parts(many(count), vec![])
    };
    assert!(Routing::new(of(1_000)).is_ok());
    let found = Routing::new(of(1_001)).unwrap_err();
    assert_eq!(found, ["there are 1001 stakeholders; 1000 are possible"]);
    let found = problems(|p| p.rules = (0..201).map(|n| rule(&n.to_string(), &["cia"])).collect());
    assert_eq!(found, ["there are 201 rules; 200 are possible"]);
}

#[test]
fn what_nobody_uses_and_whom_nothing_reaches_is_odd() {
    let anna = person("anna", Role::Referee);
    let team = by(person("team", Role::Team), &["ops"]);
    let mut one = rule("a", &["cia"]);
    if let Then::Notify { channels, .. } = &mut one.then {
        *channels = Some(vec!["hook".to_owned()]);
    }
    let people = vec![anna, team, person("cia", Role::Coordinator)];
    let rules = vec![one, rule("b", &["team"])];
    assert_eq!(
        routing(people, rules).oddities(),
        [
            "channel club: nobody uses it",
            "channel phone: nobody uses it",
            "stakeholder anna: is a referee with none of referee_id, person_id and referee_number, \
             and no rule names it: nothing reaches it",
        ]
    );
}

#[test]
fn nothing_of_a_person_is_in_its_debug_form() {
    let mut anna = referee("anna", 101);
    anna.name = "Anna Kanarievinge".to_owned();
    let routing = routing(vec![anna], vec![]);
    let shown = format!("{routing:?}");
    assert!(shown.contains("anna"), "{shown}");
    assert!(
        !shown.contains("Kanarievinge") && !shown.contains("example.org"),
        "{shown}"
    );
}
