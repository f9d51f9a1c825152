//! One data folder after another, each killed several times.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::aftermath;
use super::book::{Book, Tally};
use super::fuse::{Fuse, Moment};
use super::lists::Lists;
use super::load::Load;
use super::parse::Takes;
use super::receiver::{Receiver, Upload};
use crate::support::daemon::Start;
use crate::support::hook;
use crate::support::violation::promise;
use crate::support::{Result, random};

/// For a moment to come; then the kill comes all the same.
const LONGEST_LOAD: Duration = Duration::from_millis(1500);
const POLL: Duration = Duration::from_millis(1);

/// Rounds on one data folder.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    pub seed: u64,
    pub index: u64,
    pub rounds: u64,
}

/// The neighbours of one daemon at a time.
pub struct Lane {
    binary: PathBuf,
    fuse: Arc<Fuse>,
    pub lists: Lists,
    pub receiver: Receiver,
    pub hook: Receiver,
}

/// A data folder and what is known of it.
pub struct Folder<'a> {
    pub lane: &'a Lane,
    pub path: &'a Path,
    pub rng: fastrand::Rng,
    pub book: Book,
    pub tally: Tally,
}

impl Lane {
    pub fn new(binary: PathBuf) -> Result<Self> {
        let fuse: Arc<Fuse> = Arc::default();
        Ok(Self {
            binary,
            lists: Lists::start(&fuse),
            receiver: Receiver::start(Takes::Files, &fuse)?,
            hook: Receiver::start(Takes::Messages, &fuse)?,
            fuse,
        })
    }

    /// Runs the chain in this folder.
    pub fn run(&self, chain: Chain, path: &Path) -> Result<Tally> {
        let mut rng = random(chain.seed, chain.index);
        self.lists.reset(rng.u64(..));
        self.receiver.reset(rng.u64(..));
        self.hook.reset(rng.u64(..));
        let mut folder = Folder {
            lane: self,
            path,
            rng,
            book: Book::default(),
            tally: Tally::default(),
        };
        for round in 1..=chain.rounds {
            folder.round(round == chain.rounds)?;
        }
        Ok(folder.tally)
    }

    pub fn start(&self, folder: &Path, moment: Option<&Moment>) -> Start {
        let wrapper = moment.map(|moment| moment.wrapper(folder));
        Start::new(&self.binary, folder)
            .with("API_BASE_URL", format!("http://{}", self.lists.address))
            .with(
                "ASSET_STORE_URL",
                format!("http://{}", self.receiver.address()),
            )
            .with("NOTIFICATIONS", hook::document(self.hook.address()))
            .with("PROBE_INTERVAL_SECONDS", 1)
            .with("HISTORY_LIMIT", 1000)
            .under(&wrapper.unwrap_or_default())
    }

    /// Answers everything as it should, or at random.
    pub fn well(&self, well: bool) {
        self.receiver.well(well);
        self.hook.well(well);
    }

    /// Files and messages, each in the order in which they came.
    pub fn uploads(&self) -> Result<Vec<Upload>> {
        let mut all = self.receiver.uploads()?;
        all.extend(self.hook.uploads()?);
        Ok(all)
    }
}

impl Folder<'_> {
    /// One kill under load, sometimes one more while it starts, sometimes time to settle.
    fn round(&mut self, last: bool) -> Result<()> {
        let moment = Moment::pick(&mut self.rng);
        self.kill_under_load(&moment)?;
        if self.rng.u8(..3) == 0 {
            self.kill_at_start(&moment)?;
        }
        if last || self.rng.bool() {
            self.settle(last)?;
        }
        Ok(())
    }

    fn kill_under_load(&mut self, moment: &Moment) -> Result<()> {
        self.lane.lists.freeze(false);
        self.lane.well(false);
        let start = self.lane.start(self.path, Some(moment));
        let daemon = match start.spawn()?.listening()? {
            Ok(daemon) => daemon,
            // The moment came before it listened.
            Err(status) => {
                promise!(status.signal() == Some(9), "it ended by itself: {status}");
                self.tally.start_kills += 1;
                // It may have got as far as to note that it runs, or not.
                self.book.previous = self.book.previous.filter(|&how| how != "clean");
                return self.aftermath();
            }
        };
        self.lane.fuse.set(moment, daemon.killer());
        let load = Load::start(&daemon, &self.lane.fuse, &mut self.rng);
        let begun = Instant::now();
        let until = match moment {
            Moment::After(delay) => *delay,
            _ => LONGEST_LOAD,
        };
        while !daemon.has_ended() && begun.elapsed() < until {
            std::thread::sleep(POLL);
        }
        let missed = !daemon.has_ended() && !matches!(moment, Moment::After(_));
        daemon.killer().kill();
        self.lane.fuse.clear();
        let told = load.end()?;
        let status = daemon.wait()?;
        promise!(status.signal() == Some(9), "it ended by itself: {status}");
        if missed {
            *self.tally.missed.entry(moment.name()).or_default() += 1;
        } else {
            *self.tally.moments.entry(moment.name()).or_default() += 1;
        }
        self.tally.acknowledged += u32::try_from(told.acknowledged.len())?;
        self.tally.unknown += told.unknown;
        self.book.note(told);
        self.book.previous = Some("unclean");
        self.aftermath()
    }

    fn kill_at_start(&mut self, before: &Moment) -> Result<()> {
        let moment = Moment::of_start(&mut self.rng, before);
        let starting = self.lane.start(self.path, Some(&moment)).spawn()?;
        let Moment::After(delay) = moment else {
            match starting.listening()? {
                Ok(daemon) => {
                    daemon.killer().kill();
                    daemon.wait()?;
                }
                Err(status) => {
                    promise!(status.signal() == Some(9), "it ended by itself: {status}");
                }
            }
            self.tally.start_kills += 1;
            return self.aftermath();
        };
        std::thread::sleep(delay);
        let status = starting.kill()?;
        promise!(status.signal() == Some(9), "it ended by itself: {status}");
        self.tally.start_kills += 1;
        self.aftermath()
    }

    /// What a kill left is looked at before anything can mend it.
    pub fn aftermath(&mut self) -> Result<()> {
        let life = self.lane.receiver.next_life()?;
        self.lane.hook.next_life()?;
        if let Some(outbox) = aftermath::outbox(self.path)? {
            let running = outbox.iter().filter(|(_, (state, _))| state == "running");
            let running: std::collections::BTreeSet<_> = running.map(|(id, _)| *id).collect();
            self.tally.in_flight += u32::try_from(running.len())?;
            self.book.in_flight.insert(life, running);
            let uploads = self.lane.uploads()?;
            aftermath::check_outbox(&outbox, &uploads, &self.book)?;
            aftermath::check_export(self.path, &self.lane.lists.versions())?;
        }
        Ok(())
    }
}
