//! Runs a season of eight fetches, one after another, against what each must find.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use serde_json::Value;

use super::change::{Category, Change, Priority};
use super::compare::{Counts, Diff, KnownMatch, Rules, changes, diff, hold_reason};
use super::matchlist::{Fingerprint, List, Match};
use super::plan::{AssetKind, Plan, PlanRules, plan};
use super::texts::Texts;

/// What a store keeps between two cycles, as far as comparing needs it.
#[derive(Default)]
struct Snapshot {
    matches: BTreeMap<i64, String>,
    planned: HashMap<(i64, AssetKind), Option<[u8; 16]>>,
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

    fn commit(&mut self, diff: &Diff, plan: &Plan) {
        self.planned.extend(
            plan.files
                .iter()
                .map(|file| ((file.match_id, file.kind), Some(file.digest))),
        );
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

/// Checks one step that was not held.
fn check(step: &Value, diff: &Diff, found: &[Change], plan: &Plan) {
    let file = step["file"].as_str().unwrap();
    let outcome = if found.is_empty() {
        "unchanged"
    } else {
        "changed"
    };
    assert_eq!(step["outcome"], outcome, "{file}");
    assert_eq!(told(found), expected(step), "{file}");
    assert_eq!(
        found.len(),
        step["changes"].as_array().unwrap().len(),
        "{file}"
    );
    let counts = Counts::of(diff, found);
    let numbers = [
        ("new", counts.new),
        ("updated", counts.updated),
        ("removed", counts.removed),
        ("skipped", diff.anomalies.skipped()),
        ("duplicates", diff.anomalies.duplicate),
    ];
    for (name, number) in numbers {
        assert_eq!(
            step[name].as_u64().unwrap_or(0),
            number as u64,
            "{file}: {name}"
        );
    }
    let made: BTreeSet<i64> = plan.files.iter().map(|file| file.match_id).collect();
    let wanted = step["assets_for"].as_array().unwrap();
    let wanted: BTreeSet<i64> = wanted.iter().map(|id| id.as_i64().unwrap()).collect();
    assert_eq!(made, wanted, "{file}: assets_for");
    assert!(plan.failed.is_empty(), "{file}");
}

/// Runs all steps. With `records` the store remembers what was planned; without, every match counts
/// as made by a daemon that ran before.
fn run(records: bool) {
    let season: Value = serde_json::from_slice(&read("expected.json")).unwrap();
    let today: Date = season["today"].as_str().unwrap().parse().unwrap();
    let rules = Rules {
        today,
        legacy: false,
        same_day: Priority::Critical,
        timestamp: String::new(),
    };
    let texts = Texts::new(None, None).unwrap();
    let plan_rules = PlanRules {
        min_referees: 2,
        folder_base: "Base",
        texts: &texts,
    };
    let mut snapshot = Snapshot::default();
    for step in season["steps"].as_array().unwrap() {
        let body = read(step["file"].as_str().unwrap());
        let list = List::split(&body).unwrap();
        let known = snapshot.known();
        let diff = diff(&list, &known, today);
        if hold_reason(&diff, &known, today).is_some() {
            assert_eq!(step["outcome"], "held", "{}", step["file"]);
            continue;
        }
        let old = snapshot.old(&diff);
        let plan = plan(&diff, &old, &snapshot.planned, &plan_rules);
        check(step, &diff, &changes(&diff, &old, &rules), &plan);
        snapshot.commit(&diff, &plan);
        if !records {
            snapshot.planned.clear();
        }
    }
}

#[test]
fn every_step_of_the_season_finds_what_it_must() {
    run(true);
}

#[test]
fn the_season_needs_no_records_of_what_was_made() {
    run(false);
}
