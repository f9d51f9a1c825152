//! What becomes of changes that were not synced.

use fastrand::Rng;

use super::disk::{Change, Disk};
use super::recording::{Act, Recording};

/// What became of the changes that had not been synced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Not there.
    pub lost: usize,
    /// There although nobody had synced them.
    pub kept: usize,
    /// There in part.
    pub torn: usize,
}

/// How the fates are chosen.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    AllLost,
    AllKept,
    /// In the order in which they happened, up to this one, which may be torn.
    Until(usize),
    /// Only this one is there.
    Only(usize),
    /// All but this one are there.
    Except(usize),
    /// Each is there with this probability.
    Each(f64),
}

/// Chooses one for so many changes.
pub fn manner(open: usize, rng: &mut Rng) -> Manner {
    let one = rng.usize(..open.max(1));
    match rng.u8(..10) {
        0 => Manner::AllLost,
        1 => Manner::AllKept,
        2..5 => Manner::Until(one),
        5 => Manner::Only(one),
        6 => Manner::Except(one),
        _ => Manner::Each(f64::from(rng.u8(1..10)) / 10.0),
    }
}

/// What becomes of each change that was not synced.
pub struct Fates {
    kept: Vec<bool>,
    torn: Vec<bool>,
    journal: bool,
    sector: usize,
    /// What has become of the changes so far.
    pub tally: Tally,
}

impl Fates {
    /// Chooses for the changes of these events.
    pub fn choose(
        recording: &Recording,
        open: &[usize],
        manner: Manner,
        journal: bool,
        rng: &mut Rng,
    ) -> Self {
        let keep = |nth: usize, rng: &mut Rng| match manner {
            Manner::AllLost => false,
            Manner::AllKept => true,
            Manner::Until(last) => nth <= last,
            Manner::Only(one) => nth == one,
            Manner::Except(one) => nth != one,
            Manner::Each(probability) => rng.f64() < probability,
        };
        let mut kept: Vec<bool> = (0..open.len()).map(|nth| keep(nth, rng)).collect();
        let tear = |nth: usize, rng: &mut Rng| match manner {
            Manner::AllKept => false,
            Manner::Until(last) => nth == last && rng.bool(),
            _ => rng.u8(..6) == 0,
        };
        let torn = (0..open.len()).map(|nth| tear(nth, rng)).collect();
        if journal {
            // Names and lengths: as many as the manner keeps, but the first ones.
            let is_write = |nth: usize| {
                matches!(
                    recording.events[open[nth]].act,
                    Act::Change(Change::Write { .. })
                )
            };
            let ordered: Vec<usize> = (0..open.len()).filter(|&nth| !is_write(nth)).collect();
            let count = ordered.iter().filter(|&&nth| kept[nth]).count();
            for (place, &nth) in ordered.iter().enumerate() {
                kept[nth] = place < count;
            }
        }
        Self {
            kept,
            torn,
            journal,
            sector: if rng.bool() { 512 } else { 4096 },
            tally: Tally::default(),
        }
    }

    /// Makes the change, the `nth` of those that were chosen for, or what is left of it.
    pub fn apply(&mut self, disk: &mut Disk, change: &Change, nth: usize, rng: &mut Rng) {
        match (change, self.kept[nth], self.torn[nth]) {
            (Change::Write { file, at, bytes }, true, true) => {
                self.tally.torn += 1;
                tear(disk, (*file, *at, bytes), self.sector, rng);
            }
            (_, true, _) => {
                self.tally.kept += 1;
                disk.apply(change);
            }
            (Change::Write { file, at, bytes }, false, true) if !self.journal => {
                // The file has grown, and its bytes have not come.
                self.tally.lost += 1;
                let length = disk.file(*file).map_or(0, <[u8]>::len);
                let end = at + bytes.len();
                if end > length {
                    disk.write(*file, length, &vec![0; end - length]);
                }
            }
            _ => self.tally.lost += 1,
        }
    }
}

/// Writes some sectors of a write. What is missing is as it was, zero or garbage.
fn tear(disk: &mut Disk, (file, at, bytes): (usize, usize, &[u8]), sector: usize, rng: &mut Rng) {
    let sectors: Vec<(usize, usize)> = {
        let first = at / sector;
        let last = (at + bytes.len()).div_ceil(sector);
        (first..last)
            .map(|n| {
                (
                    (n * sector).max(at),
                    ((n + 1) * sector).min(at + bytes.len()),
                )
            })
            .collect()
    };
    let until = rng.usize(..sectors.len().max(1));
    let in_order = rng.bool();
    let filler = rng.u8(..4);
    for (nth, &(start, end)) in sectors.iter().enumerate() {
        let there = if in_order { nth < until } else { rng.bool() };
        let new = &bytes[start - at..end - at];
        match filler {
            _ if there => disk.write(file, start, new),
            0 => disk.write(file, start, &vec![0; end - start]),
            1 => {
                disk.write(file, start, &garbage(end - start, rng));
            }
            _ => {}
        }
    }
}

/// Bytes that mean nothing.
pub fn garbage(length: usize, rng: &mut Rng) -> Vec<u8> {
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}
