//! Splitting, holding against what is known and telling the changes, beside what any JSON reader
//! needs for the same bytes.

mod support;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::civil::{Date, date};
use match_list_processor::domain::change::Priority;
use match_list_processor::domain::compare::{Kept, KnownMatch, Rules, changes, diff};
use match_list_processor::domain::matchlist::{Layout, List, Match};
use serde::de::IgnoredAny;
use support::figures::{median_of, ms, ratio, title};
use support::list::{Edition, list};

const TODAY: Date = date(2097, 1, 1);
const CASES: [&str; 5] = [
    "blake3 of the body",
    "IgnoredAny",
    "unchanged",
    "1 % changed",
    "all new",
];

fn main() {
    title("compare", "split + diff + changes, and the floors");
    println!(
        "{:>8} {:>8}  {:<20} {:>11} {:>9} {:>9}",
        "matches", "MB", "case", "median", "MB/s", "growth"
    );
    let mut before: Option<[Duration; 5]> = None;
    for matches in [1_000, 10_000, 100_000] {
        let first = list(matches, Edition::First);
        let medians = measure(matches, &first);
        for (case, name) in CASES.iter().enumerate() {
            let megabytes = mega(first.len());
            let growth = before.map(|before| format!("{:.1}", ratio(medians[case], before[case])));
            println!(
                "{matches:>8} {megabytes:>8.1}  {name:<20} {:>11} {:>9.0} {:>9}",
                ms(medians[case]),
                megabytes / medians[case].as_secs_f64(),
                growth.unwrap_or_default()
            );
        }
        before = Some(medians);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn measure(matches: usize, first: &Bytes) -> [Duration; 5] {
    let moved = list(matches, Edition::OnePercentMoved);
    let (known, layout) = known(first);
    let nothing = Layout::default();
    let runs = if matches > 10_000 { 7 } else { 21 };
    [
        median_of(runs, || blake3::hash(first)),
        median_of(runs, || serde_json::from_slice::<IgnoredAny>(first).is_ok()),
        median_of(runs, || compare(first, &known, &layout, first)),
        median_of(runs, || compare(&moved, &known, &layout, first)),
        median_of(runs, || compare(first, &[], &nothing, first)),
    ]
}

/// What a cycle remembers of the list before.
fn known(body: &[u8]) -> (Vec<KnownMatch>, Layout) {
    let list = List::split(body).expect("a list");
    let kept = diff(&list, &[], TODAY).kept;
    let place = |one: &Kept| (one.known.fingerprint, one.raw.len());
    (
        kept.iter().map(|one| one.known).collect(),
        kept.iter().map(place).collect(),
    )
}

/// What a cycle does with a fetched body, without the store: the old versions come from `before`,
/// where the matches stand in the same order.
fn compare(body: &[u8], known: &[KnownMatch], layout: &Layout, before: &[u8]) -> usize {
    let now = List::split_like(body, layout, |_| ()).expect("a list");
    let diff = diff(&now, known, TODAY);
    let mut old = HashMap::new();
    if diff.upserts.iter().any(|one| !one.is_new) {
        let before = List::split(before).expect("a list");
        for one in &diff.upserts {
            let place = usize::try_from(one.id - 6_000_000).expect("an invented id");
            let parsed = Match::parse(before.entries[place].get()).expect("a match");
            old.insert(one.id, parsed);
        }
    }
    let rules = Rules {
        today: TODAY,
        legacy: false,
        same_day: Priority::Critical,
        timestamp: "2097-01-01T12:00:00Z".to_owned(),
    };
    changes(&diff, &old, &rules).len()
}
