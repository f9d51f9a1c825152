//! What a run did to the disk and what it told, in one order.

use std::path::PathBuf;

use super::disk::{Change, Disk, Id};
use super::facts::Fact;
use super::trace::Moment;

/// The exported list.
pub const EXPORT: &str = "previous_matches.json";
/// What the name of its shared memory ends with. It is rebuilt after a power cut.
pub const SHARED: &str = "-shm";

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// From then on it may have had an effect.
    pub begun: Moment,
    /// From then on it has happened.
    pub ended: Moment,
    /// What.
    pub act: Act,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Act {
    /// The page cache was changed.
    Change(Change),
    /// All that had happened to this file or folder went to the disk.
    Sync(Id),
    /// Somebody was told something.
    Tell(Fact),
}

/// A file got its name, whole.
#[derive(Clone, Debug)]
pub struct Publication {
    /// When the rename began.
    pub begun: Moment,
    /// When it had ended.
    pub ended: Moment,
    /// Below the root.
    pub path: PathBuf,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// The last page of a transaction was written to the log.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// When its last write began.
    pub begun: Moment,
    /// When it had ended.
    pub ended: Moment,
    /// The log.
    pub log: Id,
}

/// What one or more runs on one folder did, without a power cut between them.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The folder that it happened in.
    pub root: PathBuf,
    /// The disk before, with the files to come as nodes without a name.
    pub initial: Disk,
    /// What was told before.
    pub told: Vec<Fact>,
    /// In the order in which they took place.
    pub events: Vec<Event>,
    /// In order.
    pub publications: Vec<Publication>,
    /// In order.
    pub commits: Vec<Commit>,
}
