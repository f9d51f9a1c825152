//! What was tried, in figures: that there was something to lose is as telling as that none was.

use std::collections::HashSet;

use super::check::Subject;
use super::cut::State;
use super::recording::Act;
use crate::support::summary::Summary;

/// What the states were like.
#[derive(Debug, Default)]
pub struct Findings {
    states: u32,
    distinct: HashSet<u64>,
    journal: u32,
    first_start: u32,
    /// States with changes lost, kept unsynced and torn, and how many changes.
    fates: [(u32, usize); 3],
}

impl Findings {
    /// Counts a state that was checked, and whether it was cut before anything had been told.
    pub fn add(&mut self, state: &State, in_first_start: bool) {
        self.states += 1;
        self.first_start += u32::from(in_first_start);
        self.distinct.insert(state.disk.digest());
        self.journal += u32::from(state.journal);
        let tally = [state.tally.lost, state.tally.kept, state.tally.torn];
        for (all, count) in self.fates.iter_mut().zip(tally) {
            all.0 += u32::from(count > 0);
            all.1 += count;
        }
    }

    /// Tells it.
    pub fn tell(&self, summary: &mut Summary) {
        summary.figure("states checked", self.states);
        summary.figure("distinct states", number(self.distinct.len()));
        summary.figure("states of a file system with a journal", self.journal);
        let name = "states of a first start, before anything was told";
        summary.figure(name, self.first_start);
        let names = ["lost", "kept unsynced", "torn"];
        for (name, (states, changes)) in names.into_iter().zip(self.fates) {
            summary.figure(format!("states with changes {name}"), states);
            summary.figure(format!("changes {name}"), number(changes));
        }
        summary.figure("promises broken", 0);
    }
}

/// Tells what was recorded.
pub fn tell_recordings<'a>(subjects: impl Iterator<Item = &'a Subject>, summary: &mut Summary) {
    let names = ["changes recorded", "syncs recorded", "facts told"];
    let (mut counts, mut commits) = ([0; 3], 0);
    for subject in subjects {
        commits += subject.recording.commits.len();
        for event in &subject.recording.events {
            counts[match event.act {
                Act::Change(_) => 0,
                Act::Sync(_) => 1,
                Act::Tell(_) => 2,
            }] += 1;
        }
    }
    for (name, count) in names.into_iter().zip(counts) {
        summary.figure(name, number(count));
    }
    summary.figure("commits recorded", number(commits));
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
