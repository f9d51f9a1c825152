//! Runs of the real binary that are recorded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::Result;
use super::disk::Disk;
use super::facts::Fact;
use super::recorder::Recorder;
use super::recording::Recording;
use super::stage::{DISK, Stage};
use super::trace::parse;

/// One or more runs on one folder.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Whether files go to a service, and not to a folder.
    pub service: bool,
    /// Whether the first run is killed, and not stopped in order.
    pub killed: bool,
    /// Whether it starts on what a cut between a cycle's commit and its export left.
    pub after_a_cut: bool,
    /// Triggers in a crowd, four senders at once.
    pub crowd: usize,
}

/// What is recorded. The last writes a log so long that `SQLite` folds it into the database while
/// it goes on.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "service",
        service: true,
        killed: false,
        after_a_cut: false,
        crowd: 12,
    },
    Scenario {
        name: "folder",
        service: false,
        killed: true,
        after_a_cut: false,
        crowd: 12,
    },
    Scenario {
        name: "after-a-cut",
        service: true,
        killed: true,
        after_a_cut: true,
        crowd: 8,
    },
    Scenario {
        name: "long-log",
        service: false,
        killed: false,
        after_a_cut: false,
        crowd: 400,
    },
];

impl Scenario {
    /// Runs it in the folder, on this disk; the traces stay there.
    pub fn run(&self, binary: &Path, folder: &Path, initial: &Disk) -> Result<()> {
        fs::create_dir_all(folder)?;
        initial.write_to(&folder.join(DISK))?;
        let stage = Stage::new(self, binary, folder);
        stage.run(1)?;
        stage.run(2)
    }

    /// Starts the binary on `folder/disk`, runs one cycle and stops it in order.
    pub fn start_once(&self, binary: &Path, folder: &Path) -> Result<()> {
        let stage = Stage::new(self, binary, folder);
        stage.list(&[1, 2, 3, 4], 99)?;
        let daemon = stage.start(&[])?;
        Stage::cycle(&daemon, "success")?;
        daemon.stop()
    }

    /// Reads what was recorded before.
    pub fn read(folder: &Path, initial: &Disk, told: Vec<Fact>) -> Result<Recording> {
        let root = folder.join(DISK);
        let mut recorder = Recorder::new(&root, initial, told);
        let mut first = 0;
        for run in 1..=2 {
            let trace = fs::read_to_string(trace(folder, run))?;
            recorder
                .follow(parse(&trace, first)?)
                .with_context(|| format!("run {run} in {}", folder.display()))?;
            first += 2 * trace.lines().count();
        }
        let (recording, live) = recorder.finish();
        agrees(&live, &root)?;
        Ok(recording)
    }
}

/// The calls of a run, as strace writes them.
pub fn trace(folder: &Path, run: u32) -> PathBuf {
    folder.join(format!("trace-{run}"))
}

/// The recording led to what is really there. If not, something was written that it does not see.
fn agrees(live: &Disk, root: &Path) -> Result<()> {
    for (path, bytes) in live.files() {
        let real = fs::read(root.join(&path))?;
        ensure!(
            real == bytes,
            "{}: the recording leads to {} bytes that differ from the {} that are there",
            path.display(),
            bytes.len(),
            real.len()
        );
    }
    Ok(())
}
