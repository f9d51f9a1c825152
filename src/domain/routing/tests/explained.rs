//! Who is told, who is not, and why.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::delivery::Destination;

fn people() -> Vec<Stakeholder> {
    let mut picky = person("picky", Role::Coordinator);
    picky.minimum = Priority::Critical;
    let mut venues = person("venues", Role::Coordinator);
    venues.categories = Some(vec![Category::VenueChange]);
    let mut away = person("away", Role::Coordinator);
    away.is_active = false;
    vec![
        referee("anna", 101),
        referee("bo", 102),
        referee("dan", 103),
        by(person("cia", Role::Coordinator), &["mail", "ops"]),
        picky,
        venues,
        away,
        person("ove", Role::Operator),
    ]
}

fn explained(rules: Vec<Rule>, change: &Change) -> Vec<String> {
    let routing = routing(people(), rules);
    let (before, now) = (a_match(&[102]), a_match(&[101]));
    let subject = Subject {
        change,
        current: Some(&now),
        previous: Some(&before),
    };
    let explained = routing.explain(&subject);
    let told: usize = explained.verdicts.iter().map(ways).sum();
    assert_eq!(
        told,
        routing.route(&[subject], at(NOON)).len(),
        "explanation and notices differ"
    );
    explained
        .verdicts
        .iter()
        .map(|one| match &one.outcome {
            Outcome::Told { causes, .. } => format!("{} {causes:?}", one.stakeholder.id),
            Outcome::NotTold(refusal) => format!("{} not: {refusal:?}", one.stakeholder.id),
        })
        .collect()
}

fn ways(one: &Verdict<'_>) -> usize {
    match &one.outcome {
        Outcome::Told { channels, .. } => channels.len(),
        Outcome::NotTold(_) => 0,
    }
}

#[test]
fn everybody_gets_a_reason() {
    assert_eq!(
        explained(vec![rule("extra", &["ove", "bo"])], &moved()),
        [
            "anna [Referee]",
            "bo [Rule(\"extra\"), FormerReferee]",
            "dan not: NotOnMatch",
            "cia [Coordinator]",
            "picky not: BelowMinimum(Critical)",
            "venues not: Unwanted",
            "away not: Inactive",
            "ove [Rule(\"extra\")]",
        ]
    );
}

#[test]
fn rules_that_take_away_are_named() {
    let skip = Rule {
        then: Then::Skip,
        ..rule("hush", &[])
    };
    let found = explained(vec![skip.clone()], &moved());
    assert_eq!(found[0], "anna not: Skipped(\"hush\")");
    assert_eq!(found[6], "away not: Inactive");
    assert_eq!(found[7], "ove not: NotOfRole(Operator)");
    let mut only = rule("only", &["ove"]);
    if let Then::Notify { instead, .. } = &mut only.then {
        *instead = true;
    }
    let found = explained(vec![only, skip], &moved());
    assert_eq!(found[0], "anna not: Instead(\"only\")");
    assert_eq!(found[7], "ove [Rule(\"only\")]");
    let aged_out = change(Category::AgedOut, Priority::Low, &[]);
    assert_eq!(explained(vec![], &aged_out)[0], "anna not: AgedOut");
    let contact = change(
        Category::ContactChange,
        Priority::Low,
        &[Audience::Coordinators],
    );
    assert_eq!(
        explained(vec![], &contact)[0],
        "anna not: NotOfRole(Referee)"
    );
}

#[test]
fn each_rule_says_whether_it_applies_and_is_asked() {
    let venue = Rule {
        categories: vec![Category::VenueChange],
        ..rule("venue", &["ove"])
    };
    let hush = Rule {
        then: Then::Skip,
        ..rule("hush", &[])
    };
    let routing = routing(people(), vec![venue, hush, rule("late", &["ove"])]);
    let change = moved();
    let subject = Subject {
        change: &change,
        current: None,
        previous: None,
    };
    let explained = routing.explain(&subject);
    let answers: Vec<_> = explained
        .rules
        .iter()
        .map(|one| (one.name, one.applies, one.is_asked))
        .collect();
    assert_eq!(
        answers,
        [
            ("venue", false, true),
            ("hush", true, true),
            ("late", true, false)
        ]
    );
    assert!(routing.route(&[subject], at(NOON)).is_empty());
}

proptest! {
    /// What is explained is what is sent, whatever the rules are.
    #[test]
    fn explanations_and_notices_agree(
        rules in prop::collection::vec((any::<bool>(), any::<bool>(), 0..8_usize, 0..3_usize), 0..5),
        category in prop::sample::select(Category::ALL),
        priority in prop::sample::select(Priority::ALL),
        affected in prop::sample::subsequence(Audience::ALL, 0..4),
    ) {
        let ids: Vec<String> = people().into_iter().map(|one| one.id).collect();
        let rules = rules.into_iter().enumerate().map(|(n, (skips, instead, target, wanted))| Rule {
            categories: Category::ALL.iter().copied().skip(1).take(wanted * 8).collect(),
            then: match skips {
                true => Then::Skip,
                false => Then::Notify {
                    targets: vec![Target::Stakeholder(ids[target].clone())],
                    channels: (wanted == 1).then(|| vec!["mail".to_owned(), "phone".to_owned()]),
                    instead,
                },
            },
            ..rule(&n.to_string(), &[])
        });
        let routing = routing(people(), rules.collect());
        let (before, now) = (a_match(&[102]), a_match(&[101]));
        let change = change(category, priority, &affected);
        let subject = Subject { change: &change, current: Some(&now), previous: Some(&before) };
        let sent: BTreeSet<String> = routing
            .route(&[subject], at(NOON))
            .iter()
            .map(|one| format!("{} {}", one.channel, one.recipient))
            .collect();
        let explained = routing.explain(&subject);
        let ways = explained.verdicts.iter().flat_map(|one| match &one.outcome {
            Outcome::Told { channels, .. } => channels
                .iter()
                .map(|lane| match lane.kind == Destination::Mail {
                    true => format!("{lane} {}", one.stakeholder.id),
                    false => format!("{lane} "),
                })
                .collect(),
            Outcome::NotTold(_) => Vec::new(),
        });
        prop_assert_eq!(ways.collect::<BTreeSet<_>>(), sent);
    }
}
