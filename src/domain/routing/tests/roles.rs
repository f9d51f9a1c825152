//! Without rules: by role, minimum priority and wishes.

use super::*;

/// Everybody there is: two referees, a coordinator, two teams, an operator.
fn everybody() -> Vec<Stakeholder> {
    let team = |id, club| {
        let mut one = person(id, Role::Team);
        one.identity.club_id = Some(club);
        one
    };
    vec![
        referee("anna", 101),
        referee("bo", 102),
        person("cia", Role::Coordinator),
        team("home", 11),
        team("elsewhere", 99),
        person("ove", Role::Operator),
    ]
}

#[test]
fn a_change_reaches_those_whom_it_concerns() {
    use Audience::{All, Coordinators, Referees, Teams};
    let routing = routing(everybody(), vec![]);
    let (a, b) = (a_match(&[101]), a_match(&[102]));
    for (affected, before, now, expected) in [
        (
            &[All][..],
            &a,
            &a,
            &["mail/anna", "mail/cia", "mail/home"][..],
        ),
        (&[Referees], &a, &a, &["mail/anna"]),
        (
            &[Referees, Coordinators],
            &a,
            &b,
            &["mail/anna", "mail/bo", "mail/cia"],
        ),
        (&[Coordinators], &a, &b, &["mail/cia"]),
        (&[Teams, Coordinators], &a, &a, &["mail/cia", "mail/home"]),
        (&[], &a, &a, &[]),
    ] {
        let change = change(Category::RefereeChange, Priority::High, affected);
        assert_eq!(
            sent(&routing, &change, before, now),
            expected,
            "{affected:?}"
        );
    }
}

#[test]
fn a_match_that_came_or_went_is_told_too() {
    let routing = routing(everybody(), vec![]);
    let (change, m) = (moved(), a_match(&[102]));
    for (current, previous) in [(Some(&m), None), (None, Some(&m))] {
        let subject = Subject {
            change: &change,
            current,
            previous,
        };
        let notices = routing.route(&[subject], at(NOON));
        let told: Vec<_> = notices.iter().map(told).collect();
        assert_eq!(told, ["mail/bo", "mail/cia", "mail/home"]);
    }
    let unknown = Subject {
        change: &change,
        current: None,
        previous: None,
    };
    let told: Vec<_> = routing
        .route(&[unknown], at(NOON))
        .iter()
        .map(told)
        .collect();
    assert_eq!(told, ["mail/cia"]);
}

#[test]
fn a_referee_and_a_team_are_known_by_whatever_the_list_tells() {
    let mut anna = person("anna", Role::Referee);
    let mut club = person("club", Role::Team);
    let m = Match::parse(
        "{\"matchid\":7,\"lag2lagid\":2,\"lag2foreningid\":12,\"domaruppdraglista\":\
         [{\"domareid\":101,\"personid\":501,\"domarnr\":\"A9\"}]}",
    );
    let m = m.unwrap();
    let identities = [
        (
            Identity {
                referee_id: Some(101),
                ..Identity::default()
            },
            "mail/anna",
        ),
        (
            Identity {
                person_id: Some(501),
                ..Identity::default()
            },
            "mail/anna",
        ),
        (
            Identity {
                referee_number: Some("A9".into()),
                ..Identity::default()
            },
            "mail/anna",
        ),
        (
            Identity {
                club_id: Some(12),
                ..Identity::default()
            },
            "mail/club",
        ),
        (
            Identity {
                team_id: Some(2),
                ..Identity::default()
            },
            "mail/club",
        ),
    ];
    for (identity, expected) in identities {
        anna.identity = identity.clone();
        club.identity = identity;
        let routing = routing(vec![anna.clone(), club.clone()], vec![]);
        assert_eq!(sent(&routing, &moved(), &m, &m), [expected]);
    }
    // Ids of one kind say nothing of another: a referee's id is no person's and no club's.
    anna.identity = Identity {
        referee_id: Some(501),
        ..Identity::default()
    };
    club.identity = Identity {
        club_id: Some(2),
        ..Identity::default()
    };
    let routing = routing(vec![anna, club], vec![]);
    assert!(sent(&routing, &moved(), &m, &m).is_empty());
}

#[test]
fn nobody_is_told_of_a_match_that_aged_out() {
    let everything = rule("everything", &["anna"]);
    let routing = routing(everybody(), vec![everything]);
    let m = a_match(&[101]);
    let aged_out = change(Category::AgedOut, Priority::Critical, &[Audience::All]);
    assert!(sent(&routing, &aged_out, &m, &m).is_empty());
    assert!(!sent(&routing, &moved(), &m, &m).is_empty());
}

#[test]
fn what_is_less_than_the_minimum_is_not_told() {
    let m = a_match(&[]);
    for (minimum, heard) in [
        (Priority::Critical, 1),
        (Priority::High, 2),
        (Priority::Medium, 3),
        (Priority::Low, 4),
    ] {
        let mut cia = person("cia", Role::Coordinator);
        cia.minimum = minimum;
        let routing = routing(vec![cia], vec![]);
        let heard_of = |priority: &&Priority| {
            let change = change(Category::VenueChange, **priority, &[Audience::All]);
            !sent(&routing, &change, &m, &m).is_empty()
        };
        assert_eq!(
            Priority::ALL.iter().filter(heard_of).count(),
            heard,
            "{minimum}"
        );
    }
}

#[test]
fn wishes_count_for_roles_and_rules_alike() {
    let m = a_match(&[]);
    let all = change(Category::TimeChange, Priority::High, &[Audience::All]);
    for (is_active, categories, is_told) in [
        (true, None, true),
        (false, None, false),
        (true, Some(vec![Category::VenueChange]), false),
        (
            true,
            Some(vec![Category::VenueChange, Category::TimeChange]),
            true,
        ),
        (true, Some(vec![]), false),
    ] {
        for role in [Role::Coordinator, Role::Operator] {
            let cia = Stakeholder {
                is_active,
                categories: categories.clone(),
                ..person("cia", role)
            };
            let routing = routing(vec![cia], vec![rule("a", &["cia"])]);
            assert_eq!(
                !sent(&routing, &all, &m, &m).is_empty(),
                is_told,
                "{categories:?}"
            );
        }
    }
}

#[test]
fn changes_of_one_match_make_one_message_for_each_reader() {
    let both = |id, role| by(person(id, role), &["mail", "ops"]);
    let mut picky = both("picky", Role::Coordinator);
    picky.minimum = Priority::High;
    let routing = routing(vec![picky, both("cia", Role::Coordinator)], vec![]);
    let (m, mut other) = (a_match(&[]), a_match(&[]));
    other.id = 8;
    let low = change(Category::VenueChange, Priority::Medium, &[Audience::All]);
    let elsewhere = Change {
        match_id: 8,
        ..moved()
    };
    let of = |change, m| Subject {
        change,
        current: Some(m),
        previous: Some(m),
    };
    let (first, second, third) = (of(&low, &m), of(&elsewhere, &other), moved());
    let notices = routing.route(&[first, second, of(&third, &m)], at(NOON));
    let found: Vec<_> = notices
        .iter()
        .map(|one| (told(one), one.match_id, one.changes.clone()))
        .collect();
    let expected = [
        ("mail/cia", 7, vec![0, 2]),
        ("discord:ops", 7, vec![0, 2]),
        ("mail/picky", 8, vec![1]),
        ("discord:ops", 8, vec![1]),
        ("mail/cia", 8, vec![1]),
        ("mail/picky", 7, vec![2]),
    ];
    let expected = expected.map(|(place, id, changes)| (place.to_owned(), id, changes));
    assert_eq!(found, expected);
}

#[test]
fn mail_is_in_the_language_of_who_reads_it_and_a_channel_in_its_own() {
    let cia = by(person("cia", Role::Coordinator), &["mail", "ops"]);
    let routing = routing(vec![cia], vec![]);
    let m = a_match(&[]);
    let change = moved();
    let subject = Subject {
        change: &change,
        current: Some(&m),
        previous: None,
    };
    let languages: Vec<_> = routing
        .route(&[subject], at(NOON))
        .iter()
        .map(|one| one.language)
        .collect();
    assert_eq!(languages, [Language::Swedish, Language::English]);
    assert_eq!(routing.address("cia"), Some("cia@example.org"));
    assert_eq!(routing.address("dan"), None);
}

#[test]
fn who_came_and_who_went_as_a_referee_is_known() {
    use crate::domain::notify::Part;
    let routing = routing(everybody(), vec![]);
    let (a, b) = (a_match(&[101]), a_match(&[102]));
    assert_eq!(routing.part("anna", &a, &b), Some(Part::Replaced));
    assert_eq!(routing.part("bo", &a, &b), Some(Part::Appointed));
    for (id, before) in [
        ("anna", &a),
        ("bo", &a),
        ("cia", &b),
        ("home", &b),
        ("", &b),
    ] {
        assert_eq!(routing.part(id, before, &a), None, "{id}");
    }
}
