//! One data folder after another, each killed several times.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::book::{Book, Tally};
use super::fuse::{Fuse, Moment};
use super::lists::Lists;
use super::load::{Acknowledged, Load, Named, post, unix};
use super::parse::Takes;
use super::receiver::{Fate, Receiver, Upload};
use super::{aftermath, messages, settled};
use crate::support::daemon::{Daemon, PATIENCE, Start, request};
use crate::support::hook;
use crate::support::violation::{Broken, promise};
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
    lists: Lists,
    receiver: Receiver,
    hook: Receiver,
}

/// A data folder and what is known of it.
struct Folder<'a> {
    lane: &'a Lane,
    path: &'a Path,
    rng: fastrand::Rng,
    book: Book,
    tally: Tally,
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

    fn start(&self, folder: &Path, moment: Option<&Moment>) -> Start {
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
    fn well(&self, well: bool) {
        self.receiver.well(well);
        self.hook.well(well);
    }

    /// Files and messages, each in the order in which they came.
    fn uploads(&self) -> Result<Vec<Upload>> {
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
    fn aftermath(&mut self) -> Result<()> {
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

    /// With neighbours that are well it does all that it owes, and then everything is checked.
    fn settle(&mut self, last: bool) -> Result<()> {
        let (receiver, hook) = (&self.lane.receiver, &self.lane.hook);
        self.lane.lists.freeze(true);
        self.lane.well(true);
        // What waits longer than a moment is tried once the receivers are back.
        receiver.healthy(false);
        hook.door.close();
        let daemon = self.lane.start(self.path, None).start()?;
        self.check_start(&daemon)?;
        receiver.await_health_asked()?;
        receiver.healthy(true);
        await_missed(&daemon)?;
        hook.door.open()?;
        self.send_again(&daemon)?;
        let (sent, calm) = (unix(), Fuse::default());
        let (status, answer) = post(daemon.public, "", "Prefer: wait=20\r\n", &calm)?;
        promise!(
            status == 200 && answer["status"] == "success",
            "with all neighbours well a trigger was answered {status} {answer}"
        );
        let id = answer["trigger_id"].as_str().context("no id")?.to_owned();
        self.book.acknowledged.push(Acknowledged {
            id,
            sent,
            named: None,
        });
        self.work_off(&daemon)?;
        self.check(&daemon, last)?;
        self.tally.settled += 1;
        self.end(daemon)
    }

    /// Every request with a name comes again: one that was acknowledged leads to its trigger and no
    /// other; one whose sender was told nothing to one trigger, however often it comes.
    fn send_again(&mut self, daemon: &Daemon) -> Result<()> {
        let calm = Fuse::default();
        let again = |named: &Named| -> Result<String> {
            let (status, answer) = post(daemon.public, &named.body, &named.header(), &calm)?;
            promise!(
                status == 200,
                "sent again it was answered {status} {answer}"
            );
            Ok(answer["trigger_id"].as_str().context("no id")?.to_owned())
        };
        for acknowledged in &self.book.acknowledged {
            let Some(named) = &acknowledged.named else {
                continue;
            };
            let id = again(named)?;
            promise!(
                id == acknowledged.id,
                "{} was acknowledged, and its request led to {id} when it came again",
                acknowledged.id
            );
            self.tally.named += 1;
        }
        for named in std::mem::take(&mut self.book.unknown) {
            let (first, second) = (again(&named)?, again(&named)?);
            promise!(
                first == second,
                "one request led to {first} and to {second}"
            );
            self.tally.named += 1;
        }
        Ok(())
    }

    /// In order, killed while it ends, or killed while it has nothing to do.
    fn end(&mut self, daemon: Daemon) -> Result<()> {
        self.book.previous = match self.rng.u8(..3) {
            0 => {
                daemon.stop().map_err(|error| Broken(error.to_string()))?;
                Some("clean")
            }
            1 => {
                daemon.terminate()?;
                std::thread::sleep(Duration::from_millis(self.rng.u64(..30)));
                daemon.killer().kill();
                daemon.wait()?;
                None
            }
            _ => {
                daemon.killer().kill();
                daemon.wait()?;
                Some("unclean")
            }
        };
        self.aftermath()
    }

    fn check_start(&mut self, daemon: &Daemon) -> Result<()> {
        let told = daemon.get("/status")?["processing_count"].as_u64();
        promise!(
            told >= Some(self.book.cycles),
            "after a restart {told:?} cycles are told, before it were {}",
            self.book.cycles
        );
        if let Some(previous) = self.book.previous {
            let series = format!("starts_total{{previous=\"{previous}\"}}");
            let starts = daemon.metric(&series)?;
            promise!(starts == Some(1.0), "{series} is {starts:?}");
        }
        Ok(())
    }

    /// Waits until nothing waits, gives the dead letters a new life, and waits again.
    fn work_off(&mut self, daemon: &Daemon) -> Result<()> {
        await_outbox(daemon)?;
        let dead = in_state(daemon, &["dead"])?;
        let uploads = self.lane.uploads()?;
        for row in &dead {
            let id = row["id"].as_i64().context("no id")?;
            let rejected = |one: &Upload| one.id == id && one.fate == Fate::Rejected;
            promise!(
                uploads.iter().any(rejected),
                "a delivery that nobody rejected is dead: {row}"
            );
            let path = format!("/deliveries/{id}/retry");
            let revived = request(daemon.admin, "POST", &path, "")?;
            ensure!(revived.status == 200, "{path} answered {}", revived.status);
            self.book.revived.insert(id);
        }
        self.tally.dead += u32::try_from(dead.len())?;
        await_outbox(daemon)
    }

    fn check(&mut self, daemon: &Daemon, last: bool) -> Result<()> {
        let history = settled::check_history(daemon, &mut self.book)?;
        settled::check_triggers(daemon, &mut self.book, &history)?;
        let changes = settled::all(daemon, "/changes", "changes")?;
        let deliveries = settled::all(daemon, "/deliveries", "deliveries")?;
        let versions = self.lane.lists.versions();
        let version = versions.last().context("no version")?;
        settled::check_changes(&changes, &deliveries, version)?;
        let uploads = self.lane.uploads()?;
        settled::check_stored(&uploads, version)?;
        settled::check_delivered(&deliveries, &uploads)?;
        let repeats = settled::check_uploads(&uploads, &self.book)?;
        let messages = self.lane.hook.uploads()?;
        let news = messages::check(&messages, &deliveries, version)?;
        aftermath::check_exported(self.path, version)?;
        if last {
            settled::check_served(daemon, &self.book)?;
            self.tally.cycles += u32::try_from(history.len())?;
            self.tally.changes += u32::try_from(changes.len())?;
            self.tally.deliveries += u32::try_from(deliveries.len())?;
            self.tally.uploads += u32::try_from(uploads.len())?;
            self.tally.messages += u32::try_from(messages.len())?;
            self.tally.news += news;
            self.tally.repeats += repeats;
        }
        Ok(())
    }
}

/// Waits until the daemon has found out that nobody takes its messages.
fn await_missed(daemon: &Daemon) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while daemon.metric("dependency_up{dependency=\"webhook\"}")? != Some(0.0) {
        ensure!(
            Instant::now() < until,
            "a webhook that nobody takes is not missed after {PATIENCE:?}"
        );
        std::thread::sleep(10 * POLL);
    }
    Ok(())
}

fn await_outbox(daemon: &Daemon) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = in_state(daemon, &["pending", "running"])?;
        if rows.is_empty() {
            return Ok(());
        }
        promise!(
            Instant::now() < until,
            "with all neighbours well these are stuck: {rows:?}"
        );
        std::thread::sleep(10 * POLL);
    }
}

/// One look at all of them: between two a delivery can go from one state to the other.
fn in_state(daemon: &Daemon, states: &[&str]) -> Result<Vec<Value>> {
    let mut rows = settled::all(daemon, "/deliveries", "deliveries")?;
    rows.retain(|row| states.iter().any(|state| row["state"] == *state));
    Ok(rows)
}
