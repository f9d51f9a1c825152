//! What is known from outside about one data folder, over all lives of the daemon on it.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Acknowledged, Named, Told};

/// What must hold for as long as the folder lives.
#[derive(Debug, Default)]
pub struct Book {
    /// Acknowledged, and not yet seen to be served.
    pub acknowledged: Vec<Acknowledged>,
    /// Requests with a name whose senders were told nothing, or no.
    pub unknown: Vec<Named>,
    /// Seen to be served, by which cycle.
    pub served: BTreeMap<String, String>,
    /// The highest count of cycles that anybody was told.
    pub cycles: u64,
    /// Deliveries that somebody was told are delivered.
    pub delivered: BTreeSet<i64>,
    /// The cycles of the history, oldest first.
    pub history: Vec<String>,
    /// The deliveries that were under way when each life ended.
    pub in_flight: BTreeMap<u32, BTreeSet<i64>>,
    /// Dead letters that were given a new life.
    pub revived: BTreeSet<i64>,
    /// How the run before must be called at the next start; none where either may be.
    pub previous: Option<&'static str>,
}

impl Book {
    pub fn note(&mut self, told: Told) {
        self.acknowledged.extend(told.acknowledged);
        self.unknown.extend(told.unknown_named);
        self.cycles = self.cycles.max(told.cycles);
        self.delivered.extend(told.delivered);
    }

    /// Whether this delivery was under way when a life from `from` up to, not including, `until`
    /// ended.
    pub fn was_in_flight(&self, id: i64, from: u32, until: u32) -> bool {
        let mut lives = self.in_flight.range(from..until);
        lives.any(|(_, ids)| ids.contains(&id))
    }
}

/// What a campaign adds up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub moments: BTreeMap<&'static str, u32>,
    pub missed: BTreeMap<&'static str, u32>,
    pub start_kills: u32,
    pub settled: u32,
    pub acknowledged: u32,
    pub unknown: u32,
    pub cycles: u32,
    pub changes: u32,
    pub deliveries: u32,
    pub uploads: u32,
    pub messages: u32,
    pub news: u32,
    pub in_flight: u32,
    pub repeats: u32,
    pub dead: u32,
    pub named: u32,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.moments {
            *self.moments.entry(name).or_default() += count;
        }
        for (name, count) in &other.missed {
            *self.missed.entry(name).or_default() += count;
        }
        self.start_kills += other.start_kills;
        self.settled += other.settled;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.cycles += other.cycles;
        self.changes += other.changes;
        self.deliveries += other.deliveries;
        self.uploads += other.uploads;
        self.messages += other.messages;
        self.news += other.news;
        self.in_flight += other.in_flight;
        self.repeats += other.repeats;
        self.dead += other.dead;
        self.named += other.named;
    }
}
