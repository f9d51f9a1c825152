//! What a daemon that was stopped left, and what the next one makes of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::Result;
use crate::support::daemon::Daemon;

/// For what is due to be delivered after the restart.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a stopped daemon left behind.
pub struct Left {
    pub triggers: u64,
    pub last_trace: Option<String>,
}

impl Left {
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join("data/match-list-processor.db");
        let store = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .with_context(|| format!("cannot open {}", path.display()))?;
        // Old rows go; the number of the newest tells how many there were.
        let triggers = store.query_row(
            "SELECT max(coalesce((SELECT max(seq) FROM triggers), 0), coalesce((SELECT max(upto) FROM served), 0))",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        let newest = "SELECT (SELECT record FROM cycles ORDER BY id DESC LIMIT 1)";
        let record = store.query_row(newest, [], |row| row.get::<_, Option<String>>(0))?;
        let record: Option<Value> = record.map(|text| serde_json::from_str(&text)).transpose()?;
        let trace = record.and_then(|record| Some(record["trace_id"].as_str()?.to_owned()));
        Ok(Self {
            triggers: u64::try_from(triggers)?,
            last_trace: trace,
        })
    }
}

/// OTLP carries the sixteen bytes as they are.
pub fn has_trace(sent: &[u8], trace: &str) -> bool {
    let digits = trace
        .as_bytes()
        .chunks(2)
        .filter_map(|two| std::str::from_utf8(two).ok());
    let bytes: Vec<u8> = digits
        .filter_map(|two| u8::from_str_radix(two, 16).ok())
        .collect();
    bytes.len() == 16 && sent.windows(16).any(|part| part == bytes)
}

/// Waits until nothing is due any more; how many deliveries reached their receiver.
pub fn all_delivered(daemon: &Daemon) -> Result<u32> {
    let until = Instant::now() + PATIENCE;
    loop {
        let queue = daemon.get("/health/detailed")?["queue"]["waiting"].clone();
        let waiting = count(daemon, "pending")? + count(daemon, "running")?;
        if queue == 0 && waiting == 0 && daemon.get("/")?["processing"] == false {
            ensure!(count(daemon, "dead")? == 0, "a delivery was given up");
            return count(daemon, "delivered");
        }
        ensure!(
            Instant::now() < until,
            "after {PATIENCE:?} {queue} triggers and {waiting} deliveries still wait"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Deliveries in this state.
fn count(daemon: &Daemon, state: &str) -> Result<u32> {
    let (mut all, mut before) = (0, String::new());
    loop {
        let page = daemon.admin(&format!(
            "/deliveries?state={state}&limit=1000&before={before}"
        ))?;
        let rows = page["deliveries"].as_array().context("no deliveries")?;
        all += u32::try_from(rows.len())?;
        match page["next"].as_i64() {
            Some(next) => before = next.to_string(),
            None => return Ok(all),
        }
    }
}
