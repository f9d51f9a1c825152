//! What a scenario does with the real binary.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::Result;
use super::recovered::{DATA, FILES};
use super::scenario::{Scenario, trace};
use super::trace::CALLS;
use crate::support::daemon::{Daemon, PATIENCE, Start, parse};
use crate::support::wire;

/// The folder, in that of a scenario, that stands for the whole disk.
pub const DISK: &str = "disk";

/// A scenario, where it takes place.
pub struct Stage<'a> {
    /// Traces, logs and the list.
    folder: PathBuf,
    scenario: &'a Scenario,
    binary: &'a Path,
    receiver: SocketAddr,
}

impl<'a> Stage<'a> {
    /// In this folder.
    pub fn new(scenario: &'a Scenario, binary: &'a Path, folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            scenario,
            binary,
            receiver: receiver(),
        }
    }

    /// One run, recorded.
    pub fn run(&self, run: u32) -> Result<()> {
        self.list(&[1, 2, 3], run)?;
        let trace = trace(&self.folder, run).display().to_string();
        let calls = format!("trace={CALLS}");
        let daemon = self.start(&[
            "strace",
            "-D",
            "-f",
            "--seccomp-bpf",
            "-xx",
            "-s",
            "4194304",
            "-e",
            &calls,
            "-e",
            "signal=none",
            "-o",
            &trace,
        ])?;
        Self::cycle(&daemon, "success")?;
        self.crowd(&daemon)?;
        self.list(&[1, 2, 3, 4], run + 10)?;
        Self::cycle(&daemon, "success")?;
        fs::write(self.folder.join("list.json"), "<html>")?;
        Self::cycle(&daemon, "failure")?;
        self.list(&[2, 3, 4], run + 20)?;
        Self::cycle(&daemon, "success")?;
        fs::write(self.folder.join("list.json"), "[]")?;
        Self::cycle(&daemon, "held")?;
        Self::deliveries(&daemon)?;
        if self.scenario.killed && run == 1 {
            daemon.killer().kill();
            daemon.wait()?;
            return Ok(());
        }
        daemon.stop()
    }

    /// Starts it, run by this command if there is one.
    pub fn start(&self, wrapper: &[&str]) -> Result<Daemon> {
        let disk = self.folder.join(DISK);
        let files = match self.scenario.service {
            true => format!("http://{}", self.receiver),
            false => format!("file://{}", disk.join(FILES).display()),
        };
        Start::new(self.binary, &self.folder)
            .with("DATA_FOLDER", disk.join(DATA).display())
            .with(
                "API_BASE_URL",
                format!("file://{}", self.folder.join("list.json").display()),
            )
            .with("ASSET_STORE_URL", files)
            .with("HISTORY_LIMIT", 10_000)
            .under(wrapper)
            .start()
    }

    /// A list of these matches; another version changes a field that makes new files.
    pub fn list(&self, ids: &[i64], version: u32) -> Result<()> {
        let matches = ids.iter().map(|id| a_match(*id, version)).collect();
        let path = self.folder.join("list.json");
        Ok(fs::write(path, Value::Array(matches).to_string())?)
    }

    /// Asks for a cycle until it is told how one ended, which must be like this.
    pub fn cycle(daemon: &Daemon, outcome: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        // A sender that does not learn it in time sends again, as real ones do.
        let told = loop {
            let answer = post(daemon.public, "Prefer: wait=5\r\n")?;
            if answer["outcome"].is_string() {
                break answer;
            }
            ensure!(Instant::now() < until, "no cycle ends: {answer}");
        };
        ensure!(
            told["outcome"] == outcome,
            "a cycle should have ended with {outcome}: {told}"
        );
        Ok(())
    }

    fn crowd(&self, daemon: &Daemon) -> Result<()> {
        let (public, each) = (daemon.public, self.scenario.crowd / 4);
        let senders: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || (0..each).try_for_each(|_| post(public, "").map(drop)))
            })
            .collect();
        for sender in senders {
            sender.join().expect("a sender panicked")?;
        }
        Ok(())
    }

    /// Waits until nothing is under way, so that a kill does not hit a write.
    fn deliveries(daemon: &Daemon) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = daemon.get("/status/detailed")?;
            let history = status["processing_history"]
                .as_array()
                .context("no history")?;
            let waits = |record: &Value| record["deliveries"]["pending"] != 0;
            if status["currently_processing"] == false && !history.iter().any(waits) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "the deliveries do not end: {status}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// `POST /process`, under a name that no other has.
fn post(address: SocketAddr, headers: &str) -> Result<Value> {
    use std::io::{Read, Write};
    static NAMED: AtomicU64 = AtomicU64::new(0);
    let name = NAMED.fetch_add(1, Ordering::Relaxed);
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE * 2))?;
    write!(
        stream,
        "POST /process HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIdempotency-Key: power-{name}\r\n{headers}\
         Content-Length: 7\r\n\r\n{{\"a\":1}}"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let answer = parse(&bytes)?;
    ensure!(
        answer.status == 200,
        "POST /process answered {}",
        answer.status
    );
    Ok(serde_json::from_slice(&answer.body)?)
}

/// A service that takes every file.
fn receiver() -> SocketAddr {
    wire::serve(|mut stream| {
        use std::io::Write;
        if wire::Asked::read(&stream).is_some() {
            let body = b"{\"status\":\"success\",\"file_url\":\"https://files.example/1\"}";
            let _ = stream.write_all(&wire::answer("200 OK", "", body));
        }
    })
}

fn a_match(id: i64, version: u32) -> Value {
    json!({
        "matchid": id, "matchnr": format!("{id:09}"),
        "lag1lagid": 1, "lag1foreningid": 11, "lag1namn": "Hemma IF",
        "lag2lagid": 2, "lag2foreningid": 12, "lag2namn": "Borta BK",
        "anlaggningid": 3, "anlaggningnamn": format!("Vallen {version}"),
        "speldatum": "2030-05-05", "avsparkstid": "19:00", "tavlingid": 4, "tavlingnamn": "Div 9",
        "domaruppdraglista": [
            {"domareid": 101, "domarrollid": 1, "domarrollnamn": "Huvuddomare", "personnamn": "Anna A"},
            {"domareid": 102, "domarrollid": 2, "domarrollnamn": "Assisterande 1", "personnamn": "Bo B"},
        ],
    })
}
