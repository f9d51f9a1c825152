//! From the calls of a process to what they did.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::Result;
use super::disk::{Change, Disk, Id, Node};
use super::facts::{Fact, Wire};
use super::recording::{Act, Commit, Event, Publication, Recording, SHARED};
use super::trace::Call;

/// What the name of a database's log ends with.
const LOG: &str = "-wal";

/// Follows the calls and knows what the page cache holds.
pub struct Recorder {
    recording: Recording,
    live: Disk,
    open: HashMap<usize, Open>,
    wire: Wire,
}

/// A file or folder that the process has open.
#[derive(Clone, Copy, Debug)]
struct Open {
    node: Id,
    position: usize,
    /// The last write was the head of the last page of a transaction.
    ends_transaction: bool,
}

impl Recorder {
    /// Of runs that find this disk, after this was told.
    pub fn new(root: &Path, initial: &Disk, told: Vec<Fact>) -> Self {
        Self {
            recording: Recording {
                root: root.to_owned(),
                initial: initial.clone(),
                told,
                events: Vec::new(),
                publications: Vec::new(),
                commits: Vec::new(),
            },
            live: initial.clone(),
            open: HashMap::new(),
            wire: Wire::default(),
        }
    }

    /// Follows one process from its start to its end.
    pub fn follow(&mut self, mut calls: Vec<Call>) -> Result<()> {
        // A descriptor is free once a close of it has begun, and taken when an open has ended.
        calls.sort_by_key(|call| match call.name.as_str() {
            "openat" => call.ended,
            _ => call.begun,
        });
        // Of two calls under way at once the later one may need what the earlier one makes.
        let mut waiting: Vec<&Call> = Vec::new();
        for call in &calls {
            waiting.push(call);
            let mut before = usize::MAX;
            while waiting.len() < before {
                before = waiting.len();
                for call in std::mem::take(&mut waiting) {
                    let done = self.call(call);
                    if !done.with_context(|| format!("{} at {}", call.name, call.begun))? {
                        waiting.push(call);
                    }
                }
            }
        }
        ensure!(waiting.is_empty(), "these make no sense: {waiting:?}");
        self.open.clear();
        self.wire = Wire::default();
        Ok(())
    }

    /// What was recorded, and the disk as it would be had the power stayed on.
    pub fn finish(self) -> (Recording, Disk) {
        (self.recording, self.live)
    }

    /// False if it cannot have happened yet.
    fn call(&mut self, call: &Call) -> Result<bool> {
        if call.result.is_none() && self.touches(call) {
            bail!("the process died in it, so nobody knows what it did; stop it when it is idle");
        }
        match call.name.as_str() {
            // Private mappings change no file.
            "mmap" if !call.argument(3).contains("MAP_SHARED") => {}
            _ if call.result.is_some() && !call.succeeded() => {}
            "openat" => self.open(call)?,
            "close" => {
                let descriptor = call.number(0)?;
                self.open.remove(&descriptor);
                self.wire.closed(descriptor);
            }
            "lseek" => {
                if let Some(open) = self.open.get_mut(&call.number(0)?) {
                    open.position = call.done();
                }
            }
            "write" | "writev" | "pwrite64" | "sendto" | "sendmsg" => self.write(call)?,
            "ftruncate" => {
                if let Some(open) = self.open.get(&call.number(0)?) {
                    let (file, length) = (open.node, call.number(1)?);
                    self.change(call, Change::Resize { file, length });
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(open) = self.open.get(&call.number(0)?) {
                    let act = Act::Sync(open.node);
                    self.event(call, act);
                }
            }
            "mkdir" | "rename" | "link" | "linkat" | "unlink" => return self.names(call),
            name => ensure!(!self.touches(call), "{name} on a file is not followed"),
        }
        Ok(true)
    }

    /// Whether it may concern a file that is followed.
    fn touches(&self, call: &Call) -> bool {
        let follows = |descriptor: &str| {
            let descriptor = descriptor.parse::<usize>();
            descriptor.is_ok_and(|number| self.open.contains_key(&number))
        };
        let inside = |path: Vec<u8>| {
            let path = String::from_utf8(path).unwrap_or_default();
            self.below(&path).is_some()
        };
        match call.name.as_str() {
            "close" | "lseek" | "fsync" | "fdatasync" => false,
            "write" | "writev" | "pwrite64" | "sendto" | "sendmsg" => follows(call.argument(0)),
            "mmap" => follows(call.argument(4)),
            "sync" | "syncfs" | "io_uring_setup" => true,
            _ => {
                (0..4).any(|index| follows(call.argument(index)))
                    || call.strings().into_iter().any(inside)
            }
        }
    }

    /// The path below the root; none for a path outside and for shared memory.
    fn below(&self, path: &str) -> Option<PathBuf> {
        let inside = Path::new(path).strip_prefix(&self.recording.root).ok()?;
        (!path.ends_with(SHARED)).then(|| inside.to_owned())
    }

    fn open(&mut self, call: &Call) -> Result<()> {
        let descriptor = call.done();
        self.open.remove(&descriptor);
        let Some(path) = self.below(&call.text(0)?) else {
            return Ok(());
        };
        let flags = call.argument(2);
        let node = match self.live.find(&path) {
            Some(node) => node,
            None => self
                .create(call, &path, Node::File(Vec::new()))
                .with_context(|| format!("no folder for {}", path.display()))?,
        };
        let length = self.live.file(node).map_or(0, <[u8]>::len);
        if flags.contains("O_TRUNC") && length > 0 {
            let resize = Change::Resize {
                file: node,
                length: 0,
            };
            self.change(call, resize);
        }
        let appends = flags.contains("O_APPEND");
        let open = Open {
            node,
            position: if appends { length } else { 0 },
            ends_transaction: false,
        };
        self.open.insert(descriptor, open);
        Ok(())
    }

    /// Nothing if there is no folder for it.
    fn create(&mut self, call: &Call, path: &Path, node: Node) -> Option<Id> {
        let (folder, name) = self.live.place(path)?;
        // Both know the node from now on; only this change gives it a name.
        let id = self.live.add(node.clone());
        self.recording.initial.add(node);
        let enter = Change::Enter {
            folder,
            name,
            node: id,
        };
        self.change(call, enter);
        Some(id)
    }

    fn write(&mut self, call: &Call) -> Result<()> {
        let (descriptor, bytes) = (call.number(0)?, call.written());
        let Some(open) = self.open.get_mut(&descriptor) else {
            for fact in self.wire.sent(descriptor, &bytes) {
                self.event(call, Act::Tell(fact));
            }
            return Ok(());
        };
        let at = match call.name.as_str() {
            "pwrite64" => call.number(3)?,
            _ => open.position,
        };
        if call.name != "pwrite64" {
            open.position += bytes.len();
        }
        let ends = std::mem::replace(&mut open.ends_transaction, ends_transaction(&bytes));
        let file = open.node;
        if ends && self.is_log(file) {
            self.recording.commits.push(Commit {
                begun: call.begun,
                ended: call.ended,
                log: file,
            });
        }
        self.change(call, Change::Write { file, at, bytes });
        Ok(())
    }

    fn is_log(&self, node: Id) -> bool {
        let mut logs = self.live.files().into_iter();
        logs.any(|(path, _)| {
            path.to_string_lossy().ends_with(LOG) && self.live.find(&path) == Some(node)
        })
    }

    /// A call that changes names; false if what it needs is not there yet.
    fn names(&mut self, call: &Call) -> Result<bool> {
        let paths = call.strings().into_iter();
        let paths = paths.map(|path| self.below(&String::from_utf8_lossy(&path)));
        let paths: Vec<PathBuf> = match paths.clone().all(|path| path.is_some()) {
            true => paths.flatten().collect(),
            false if paths.flatten().next().is_none() => return Ok(true),
            false => bail!("a file came from outside, or left"),
        };
        let last = paths.last().context("no path")?;
        if call.name == "mkdir" {
            let folder = Node::Folder(std::collections::BTreeMap::new());
            return Ok(self.create(call, last, folder).is_some());
        }
        let (Some(node), Some(place)) = (self.live.find(&paths[0]), self.live.place(last)) else {
            return Ok(false);
        };
        let (folder, name) = place.clone();
        let change = match (call.name.as_str(), self.live.place(&paths[0])) {
            ("rename", Some(from)) => Change::Move {
                from,
                to: place,
                node,
            },
            ("unlink", _) => Change::Leave { folder, name, node },
            _ => Change::Enter { folder, name, node },
        };
        self.change(call, change);
        if call.name != "unlink" {
            self.publish(call, last.clone(), node);
        }
        Ok(true)
    }

    fn publish(&mut self, call: &Call, path: PathBuf, node: Id) {
        let bytes = self.live.file(node).unwrap_or_default().to_vec();
        self.recording.publications.push(Publication {
            begun: call.begun,
            ended: call.ended,
            path,
            bytes,
        });
    }

    fn change(&mut self, call: &Call, change: Change) {
        self.live.apply(&change);
        self.event(call, Act::Change(change));
    }

    fn event(&mut self, call: &Call, act: Act) {
        self.recording.events.push(Event {
            begun: call.begun,
            ended: call.ended,
            act,
        });
    }
}

/// The head of a page in a log says how large the database is after a transaction that ends there.
fn ends_transaction(head: &[u8]) -> bool {
    head.len() == 24 && head[4..8] != [0; 4]
}
