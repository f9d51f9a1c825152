//! The front door against clients that break every rule: the real daemon gets connections that no
//! honest client makes, and each must go as RFC 9112 and the contract say, while probes are
//! answered and nothing is left behind.

mod answer;
mod case;
mod corpus;
mod exchange;
pub mod probes;
mod send;
pub mod watch;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use self::probes::Probes;
use self::send::{Addresses, Found, send};
use self::watch::Scrape;
use crate::support::daemon::{Daemon, Start};
use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result, evidence};

const NAME: &str = "edge";

/// How much to send.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Connections.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// The number of the first one.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// From which the corpus is made.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections at a time that do not wait for a deadline.
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    /// Threads that send them.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds for what is closed to be gone at the end.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Goes on after a violation and lists them by class.
    #[arg(long)]
    all: bool,
}

/// Tries it.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let folder = evidence(NAME)?;
    let scrapers = free_port()?;
    let daemon = start(&common.binary(), &folder, scrapers)?;
    let (descriptors, before) = (watch::descriptors(&daemon)?, Scrape::of(&daemon)?);
    let probes = Probes::start(daemon.public, probes::ALL)?;
    let addresses = Addresses {
        public: daemon.public,
        admin: daemon.admin,
        scrapers,
    };
    let found = send(args, addresses)?;
    let mut summary = Summary::new(NAME, args.seed, args.requests, begun);
    let probed = probes.end(&mut summary, "");
    found.tell(&mut summary);
    let violation = |round, what| Violation {
        harness: NAME,
        seed: args.seed,
        round,
        what,
        again: format!(
            "cargo test --test reliability -- edge --seed {} --first {round} --requests 1",
            args.seed
        ),
        kept: folder.clone(),
    };
    if let Some((number, what)) = found.violations.first() {
        for (number, what) in found.violations.iter().skip(1) {
            eprintln!("{number}: {what}\n");
        }
        return Err(violation(*number, what.clone()).into());
    }
    // What is left behind is wrong on a busy machine, too.
    watch::await_rest(&daemon, &descriptors, Duration::from_secs(args.patience))
        .and_then(|()| at_rest(&daemon, &before, &found))
        .and(probed)
        .map_err(|error| violation(args.first, format!("{error:#}")))?;
    let series = Scrape::of(&daemon)?.count();
    summary.figure("series", u32::try_from(series)?);
    summary.figure(
        "resident MiB at the end",
        watch::memory(daemon.pid, "VmRSS")?,
    );
    daemon.stop()?;
    Ok(summary)
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn start(binary: &Path, folder: &Path, scrapers: SocketAddr) -> Result<Daemon> {
    let list = folder.join("list.json");
    std::fs::write(&list, "[]")?;
    Start::new(binary, folder)
        .with("API_BASE_URL", format!("file://{}", list.display()))
        .with(
            "ASSET_STORE_URL",
            format!("file://{}/files", folder.display()),
        )
        .with("HOST", "0.0.0.0")
        .with("METRICS_LISTEN", scrapers)
        .with("HEADER_TIMEOUT_SECONDS", 3)
        .with("BODY_TIMEOUT_SECONDS", 3)
        .with("WRITE_TIMEOUT_SECONDS", 3)
        .with("LOG_LEVEL", "INFO")
        .start()
}

/// Nothing panicked, and what was acknowledged is what was stored.
fn at_rest(daemon: &Daemon, before: &Scrape, found: &Found) -> Result<()> {
    let after = Scrape::of(daemon)?;
    ensure!(after.sum("panics_total") == 0.0, "something panicked");
    after.holds_only_known(before)?;
    let webhook = "triggers_total{result=";
    let stored = ["accepted", "coalesced"]
        .iter()
        .map(|result| after.sum(&format!("{webhook}\"{result}\",source=\"webhook\"}}")))
        .sum::<f64>();
    #[allow(clippy::cast_precision_loss)]
    let acknowledged = found.stored as f64;
    ensure!(
        (stored - acknowledged).abs() < 0.5,
        "{stored} triggers were stored, but {acknowledged} were sent whole and acknowledged"
    );
    Ok(())
}
