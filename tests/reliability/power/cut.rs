//! The states that a power cut may leave.
//!
//! What was synced before the cut is on the disk. Of everything else that had begun before it, each
//! change may be there, may be missing, and a write may be there in part, by sectors of 512 or 4096
//! bytes: some are new, the others old, zero or garbage. Bytes beside a write keep their value
//! (`SQLite` relies on that too: "powersafe overwrite"). Two kinds of file system are tried:
//!
//! * **bare**: what POSIX promises and no more. Only a sync of a folder keeps the names in it; each
//!   name changes by itself; syncing a file keeps its bytes and length, not its name; a file may
//!   have grown without its bytes. A rename is atomic, and lasts once the folder of the new name is
//!   synced.
//! * **journal**: ext4 and XFS as they are. Names and lengths reach the disk in their order, so any
//!   that is there has all earlier ones before it; any sync takes along all earlier ones.
//!
//! Bytes are never ordered without a sync, not even within one file. The memory that the users of a
//! database share is missing or garbage.

use std::path::Path;

use fastrand::Rng;
use match_list_processor::store::FILE_NAME;

use super::disk::{Change, Disk, Node};
use super::fates::{Fates, Tally, garbage, manner};
use super::recording::{Act, Event, Recording, SHARED};
use super::recovered::DATA;
use super::trace::Moment;

/// What was synced when, worked out once for a recording.
#[derive(Debug)]
pub struct Syncs {
    /// For each event: from when on it lasts on a bare file system, and on one with a journal.
    lasts: Vec<(Moment, Moment)>,
}

/// A state that a power cut may have left.
#[derive(Debug)]
pub struct State {
    /// What the disk holds.
    pub disk: Disk,
    /// When the power was cut.
    pub cut: Moment,
    /// Whether names and lengths are kept in order.
    pub journal: bool,
    /// In words, how the fate of what was not synced was chosen.
    pub manner: String,
    /// Changes before the cut.
    pub tally: Tally,
}

impl Syncs {
    /// Works out from when on each change lasts.
    pub fn of(recording: &Recording) -> Self {
        let events = &recording.events;
        let syncs: Vec<(&Event, usize)> = events
            .iter()
            .filter_map(|event| match event.act {
                Act::Sync(node) => Some((event, node)),
                _ => None,
            })
            .collect();
        let lasts = events.iter().map(|event| {
            let Act::Change(change) = &event.act else {
                return (Moment::MAX, Moment::MAX);
            };
            let after = syncs.iter().filter(|(sync, _)| sync.begun > event.ended);
            let of_it = after.clone().filter(|(_, node)| *node == change.object());
            let bare = of_it.map(|(sync, _)| sync.ended).min();
            let any = after.map(|(sync, _)| sync.ended).min();
            let bare = bare.unwrap_or(Moment::MAX);
            match change {
                Change::Write { .. } => (bare, bare),
                _ => (bare, any.unwrap_or(Moment::MAX)),
            }
        });
        Self {
            lasts: lasts.collect(),
        }
    }

    /// Whether what happened in this event is on the disk for sure.
    fn keep(&self, event: usize, journal: bool, cut: Moment) -> bool {
        let (bare, journaled) = self.lasts[event];
        (if journal { journaled } else { bare }) < cut
    }
}

impl State {
    /// A state that the numbers choose.
    pub fn random(recording: &Recording, syncs: &Syncs, rng: &mut Rng) -> Self {
        let cut = moment(recording, rng);
        let journal = rng.bool();
        let events = recording.events.iter().enumerate();
        let open: Vec<usize> = events
            .filter(|(index, event)| {
                matches!(event.act, Act::Change(_))
                    && event.begun < cut
                    && !syncs.keep(*index, journal, cut)
            })
            .map(|(index, _)| index)
            .collect();
        let manner = manner(open.len(), rng);
        let mut fates = Fates::choose(recording, &open, manner, journal, rng);
        let mut disk = recording.initial.clone();
        for (index, event) in recording.events.iter().enumerate() {
            let Act::Change(change) = &event.act else {
                continue;
            };
            if event.begun >= cut {
                continue;
            }
            match open.binary_search(&index) {
                Err(_) => disk.apply(change),
                Ok(nth) => fates.apply(&mut disk, change, nth, rng),
            }
        }
        if rng.u8(..4) == 0 {
            litter(&mut disk, rng);
        }
        Self {
            disk,
            cut,
            journal,
            manner: format!("{manner:?} of {}", open.len()),
            tally: fates.tally,
        }
    }

    /// The state with everything that had begun before the moment.
    pub fn whole(recording: &Recording, moment: Moment) -> Disk {
        let mut disk = recording.initial.clone();
        for event in &recording.events {
            if let Act::Change(change) = &event.act
                && event.begun < moment
            {
                disk.apply(change);
            }
        }
        disk
    }
}

/// Memory that a database's users share is a file too; any of it may have reached the disk.
fn litter(disk: &mut Disk, rng: &mut Rng) {
    let database = Path::new(DATA).join(FILE_NAME);
    if disk.find(&database).is_some()
        && let Some((folder, name)) = disk.place(&database)
    {
        let name = format!("{name}{SHARED}");
        let node = disk.add(Node::File(garbage(32 * 1024, rng)));
        disk.apply(&Change::Enter { folder, name, node });
    }
}

/// A cut in the middle of something or right after it. Most promises are hardest to keep right
/// after they were made, and names change seldom: both are chosen more often than others.
fn moment(recording: &Recording, rng: &mut Rng) -> Moment {
    let pick = rng.u8(..6);
    let wanted: Vec<&Event> = recording
        .events
        .iter()
        .filter(|event| match &event.act {
            Act::Tell(_) => pick == 0,
            Act::Change(change) => pick > 1 || (pick == 1 && change.is_of_names()),
            Act::Sync(_) => pick > 0,
        })
        .collect();
    let event = rng.choice(wanted).map_or((0, 0), |e| (e.begun, e.ended));
    // A call that the process died in never ended.
    let after = if event.1 == Moment::MAX {
        event.0
    } else {
        event.1
    };
    1 + if rng.bool() { event.0 } else { after }
}
