//! The moment of the kill.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::support::daemon::Killer;

/// What the neighbours and clients can see the daemon do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A client has sent a trigger.
    TriggerSent,
    /// A client has the first byte of the answer.
    AnswerBegun,
    /// A client has the whole answer.
    AnswerRead,
    /// The list service has a request.
    ListAsked,
    /// The list service has sent half of the list.
    ListHalf,
    /// The list service has sent the list.
    ListSent,
    /// `/status` tells of one more cycle.
    CycleTold,
    /// The receiver has an upload whole and has not stored it.
    UploadArrived,
    /// The receiver has stored an upload and not answered.
    UploadStored,
    /// The receiver has answered an upload.
    UploadAnswered,
    /// The webhook's receiver has a message whole and has not stored it.
    MessageArrived,
    /// The same has stored it and not answered.
    MessageStored,
    /// The same has answered it.
    MessageAnswered,
    /// `/status` tells of one more delivery.
    DeliveryTold,
}

/// Calls to the system, at the Nth of which by one thread the process is killed as it enters it.
/// The counts are small because the threads are many; nearly all are the store's writer's.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    name: &'static str,
    set: &'static str,
    /// Only calls on this file of the data folder.
    file: Option<&'static str>,
    /// N is at most this.
    most: u32,
}

const SIGHTS: &[(&str, Sight)] = &[
    ("trigger sent", Sight::TriggerSent),
    ("answer begun", Sight::AnswerBegun),
    ("answer read", Sight::AnswerRead),
    ("list asked for", Sight::ListAsked),
    ("half of the list sent", Sight::ListHalf),
    ("list sent", Sight::ListSent),
    ("end of cycle told", Sight::CycleTold),
    ("upload arrived", Sight::UploadArrived),
    ("upload stored", Sight::UploadStored),
    ("upload answered", Sight::UploadAnswered),
    ("message arrived", Sight::MessageArrived),
    ("message stored", Sight::MessageStored),
    ("message answered", Sight::MessageAnswered),
    ("end of delivery told", Sight::DeliveryTold),
];

const JOURNAL: Option<&str> = Some("match-list-processor.db-wal");
const EXPORT: Option<&str> = Some("previous_matches.json.new");
const RENAMES: &str = "rename,renameat,renameat2";
const SYNCS: &str = "fsync,fdatasync";

const CALLS: &[Calls] = &[
    calls("a write of the journal", "pwrite64", JOURNAL, 40),
    calls("a sync of the journal", SYNCS, JOURNAL, 20),
    calls("any sync", SYNCS, None, 20),
    // A thread of its own writes each export.
    calls("a write of the export", "write", EXPORT, 1),
    calls("a sync of the export", SYNCS, EXPORT, 1),
    calls("a rename", RENAMES, None, 2),
    calls("a sync of the folder", SYNCS, Some("."), 2),
];

const fn calls(
    name: &'static str,
    set: &'static str,
    file: Option<&'static str>,
    most: u32,
) -> Calls {
    Calls {
        name,
        set,
        file,
        most,
    }
}

/// When the kill comes.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after the load began.
    After(Duration),
    /// At the Nth sight of this.
    Sight(&'static str, Sight, u32),
    /// At the Nth of these calls.
    Call(Calls, u32),
}

impl Moment {
    pub fn pick(rng: &mut fastrand::Rng) -> Self {
        match rng.u8(..10) {
            0..2 => Self::After(Duration::from_millis(rng.u64(..200))),
            2..6 => {
                let (name, sight) = SIGHTS[rng.usize(..SIGHTS.len())];
                Self::Sight(name, sight, rng.u32(1..=3))
            }
            _ => {
                let calls = CALLS[rng.usize(..CALLS.len())];
                Self::Call(calls, rng.u32(1..=calls.most))
            }
        }
    }

    /// A moment of the start after the one at which the last life ended: often the same, since two
    /// interruptions of one thing find what one does not.
    pub fn of_start(rng: &mut fastrand::Rng, before: &Self) -> Self {
        match (before, rng.u8(..3)) {
            (Self::Call(calls, _), 0) => Self::Call(*calls, 1),
            (_, 1) => {
                let calls = CALLS[rng.usize(..CALLS.len())];
                Self::Call(calls, rng.u32(1..=6))
            }
            _ => Self::After(Duration::from_millis(rng.u64(..60))),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::After(_) => "any time",
            Self::Sight(name, ..) => name,
            Self::Call(calls, _) => calls.name,
        }
    }

    /// The command that runs the daemon for it.
    pub fn wrapper(&self, folder: &std::path::Path) -> Vec<String> {
        let Self::Call(calls, n) = self else {
            return Vec::new();
        };
        let set = calls.set;
        let trace = folder.join("trace").display().to_string();
        let mut words = vec!["strace", "-D", "-f", "-qq", "-o", &trace];
        let path = calls.file.map(|file| folder.join("data").join(file));
        let path = path.map(|path| path.display().to_string());
        if let Some(path) = &path {
            words.extend(["-P", path]);
        }
        let (trace, inject) = (
            format!("trace={set}"),
            format!("inject={set}:signal=KILL:when={n}"),
        );
        words.extend(["-e", &trace, "-e", &inject]);
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Kills the daemon when what it waits for is seen for the Nth time.
#[derive(Default)]
pub struct Fuse {
    set: Mutex<Option<(Sight, Killer)>>,
    left: AtomicU32,
}

impl Fuse {
    /// Waits for this moment from now on, if it is one that is seen.
    pub fn set(&self, moment: &Moment, killer: Killer) {
        if let Moment::Sight(_, sight, times) = *moment {
            self.left.store(times, Ordering::SeqCst);
            *self.lock() = Some((sight, killer));
        }
    }

    /// Waits for nothing more.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// This was seen.
    pub fn seen(&self, sight: Sight) {
        let mut set = self.lock();
        if set.as_ref().is_some_and(|(awaited, _)| *awaited == sight)
            && self.left.fetch_sub(1, Ordering::SeqCst) == 1
            && let Some((_, killer)) = set.take()
        {
            killer.kill();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Sight, Killer)>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
