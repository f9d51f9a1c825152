//! What a daemon owes once its neighbours are well: it gets the time for it, and then everything is
//! checked.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::fuse::Fuse;
use super::lane::Folder;
use super::load::{Acknowledged, Named, post, unix};
use super::receiver::{Fate, Upload};
use super::{aftermath, messages, settled};
use crate::support::Result;
use crate::support::daemon::{Daemon, PATIENCE, request};
use crate::support::violation::{Broken, promise};

const POLL: Duration = Duration::from_millis(10);

impl Folder<'_> {
    /// With neighbours that are well it does all that it owes, and then everything is checked.
    pub fn settle(&mut self, last: bool) -> Result<()> {
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
        std::thread::sleep(POLL);
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
        std::thread::sleep(POLL);
    }
}

/// One look at all of them: between two a delivery can go from one state to the other.
fn in_state(daemon: &Daemon, states: &[&str]) -> Result<Vec<Value>> {
    let mut rows = settled::all(daemon, "/deliveries", "deliveries")?;
    rows.retain(|row| states.iter().any(|state| row["state"] == *state));
    Ok(rows)
}
