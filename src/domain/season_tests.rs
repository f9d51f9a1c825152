//! Runs a season of eight fetches, one after another, against what each must find.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use serde_json::Value;

use super::change::{Category, Change, Priority};
use super::compare::{Counts, Diff, KnownMatch, Rules, changes, diff, hold_reason};
use super::matchlist::{Fingerprint, List, Match};

/// What a store keeps between two cycles, as far as comparing needs it.
#[derive(Default)]
struct Snapshot {
    matches: BTreeMap<i64, String>,
}

impl Snapshot {
    fn known(&self) -> Vec<KnownMatch> {
        let known = |(&id, raw): (&i64, &String)| KnownMatch {
            id,
            fingerprint: Fingerprint::of(raw.as_bytes()),
            date: Match::parse(raw).unwrap().date,
        };
        self.matches.iter().map(known).collect()
    }

    fn old(&self, diff: &Diff) -> HashMap<i64, Match> {
        let ids = diff
            .upserts
            .iter()
            .map(|u| u.id)
            .chain(diff.gone.iter().copied());
        ids.filter_map(|id| Some((id, Match::parse(self.matches.get(&id)?).unwrap())))
            .collect()
    }

    fn commit(&mut self, diff: &Diff) {
        self.matches.retain(|id, _| !diff.gone.contains(id));
        self.matches
            .extend(diff.upserts.iter().map(|u| (u.id, u.raw.to_owned())));
    }
}

type Told = (i64, Category, Priority, Option<String>);

fn told(changes: &[Change]) -> BTreeSet<Told> {
    changes
        .iter()
        .map(|c| (c.match_id, c.category, c.priority, c.field_name.clone()))
        .collect()
}

fn expected(step: &Value) -> BTreeSet<Told> {
    let one = |c: &Value| {
        (
            c["match_id"].as_i64().unwrap(),
            Category::from_label(c["category"].as_str().unwrap()).unwrap(),
            Priority::from_label(c["priority"].as_str().unwrap()).unwrap(),
            c["field_name"].as_str().map(str::to_owned),
        )
    };
    step["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(one)
        .collect()
}

fn read(file: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/season/");
    std::fs::read(format!("{folder}{file}")).unwrap()
}

#[test]
fn every_step_of_the_season_finds_what_it_must() {
    let season: Value = serde_json::from_slice(&read("expected.json")).unwrap();
    let today: Date = season["today"].as_str().unwrap().parse().unwrap();
    let rules = Rules {
        today,
        legacy: false,
        same_day: Priority::Critical,
        timestamp: String::new(),
    };
    let mut snapshot = Snapshot::default();
    for step in season["steps"].as_array().unwrap() {
        let file = step["file"].as_str().unwrap();
        let body = read(file);
        let list = List::split(&body).unwrap();
        let known = snapshot.known();
        let diff = diff(&list, &known, today);
        if hold_reason(&diff, &known, today).is_some() {
            assert_eq!(step["outcome"], "held", "{file}");
            continue;
        }
        let found = changes(&diff, &snapshot.old(&diff), &rules);
        let counts = Counts::of(&diff, &found);
        let outcome = if found.is_empty() {
            "unchanged"
        } else {
            "changed"
        };
        assert_eq!(step["outcome"], outcome, "{file}");
        assert_eq!(told(&found), expected(step), "{file}");
        assert_eq!(
            found.len(),
            step["changes"].as_array().unwrap().len(),
            "{file}"
        );
        for (name, number) in [
            ("new", counts.new),
            ("updated", counts.updated),
            ("removed", counts.removed),
        ] {
            assert_eq!(step[name], number, "{file}: {name}");
        }
        for (name, number) in [
            ("skipped", diff.anomalies.skipped()),
            ("duplicates", diff.anomalies.duplicate),
        ] {
            assert_eq!(
                step[name].as_u64().unwrap_or(0),
                number as u64,
                "{file}: {name}"
            );
        }
        snapshot.commit(&diff);
    }
}
