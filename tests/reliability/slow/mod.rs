//! Thousands of clients that send slowly, do not read, or do nothing: honest requests must all be
//! served meanwhile, memory stay small, and all of it be given back.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::edge::probes::{self, Probes};
use crate::edge::watch::{self, Scrape};
use crate::support::daemon::{Daemon, Start, request};
use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result, evidence};

const NAME: &str = "slow";
/// For a head, and for a connection to be idle; the clients must all be there together.
const DEADLINE: Duration = Duration::from_secs(30);
/// For the scrapers, which must all be there together, too.
const SCRAPERS_STAY: Duration = Duration::from_secs(10);
/// Between two bytes of a client that drips.
const DRIP: Duration = Duration::from_secs(2);
/// Connections that are being made at a time.
const CONNECTING: usize = 32;
/// Resident memory that was promised.
const MOST_MIB: f64 = 128.0;
/// For memory to be given back.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many of them.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Clients that drip a head, drip a body, or do not read, a third each.
    #[arg(long, default_value_t = 5000)]
    slow: u64,
    /// Clients that do nothing.
    #[arg(long, default_value_t = 10_000)]
    idle: u64,
    /// Clients that ask for the metrics and do not read them, when the others are gone.
    #[arg(long, default_value_t = 2000)]
    scrapers: u64,
}

impl Args {
    /// Those that are there together, and those that come when they are gone.
    fn crowds(&self) -> [Vec<Manner>; 2] {
        let slow = [Manner::Head, Manner::Body, Manner::Deaf];
        let slow = slow.into_iter().cycle().zip(0..self.slow);
        let idle = (0..self.idle).map(|_| Manner::Idle);
        [
            slow.map(|(manner, _)| manner).chain(idle).collect(),
            (0..self.scrapers).map(|_| Manner::Scraper).collect(),
        ]
    }

    fn clients(&self) -> u64 {
        self.slow + self.idle + self.scrapers
    }
}

/// What a client does badly.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Idle,
    Head,
    Body,
    Deaf,
    Scraper,
}

impl Manner {
    /// What it sends at first.
    fn request(self) -> Vec<u8> {
        match self {
            Self::Idle => Vec::new(),
            Self::Head => b"GET /livez HTTP/1.1\r\nHost: x\r\nA: ".to_vec(),
            Self::Body => {
                b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".to_vec()
            }
            // More than the systems between take, which is about 100 KB.
            Self::Deaf => b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100),
            Self::Scraper => b"GET /metrics/prom HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3),
        }
    }
}

/// Tries it.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let folder = evidence(NAME)?;
    allow_descriptors(args.clients())?;
    let list = folder.join("list.json");
    std::fs::write(&list, "[]")?;
    let daemon = Start::new(&common.binary(), &folder)
        .with("API_BASE_URL", format!("file://{}", list.display()))
        .with(
            "ASSET_STORE_URL",
            format!("file://{}/files", folder.display()),
        )
        .with("HOST", "0.0.0.0")
        .with("MAX_CONNECTIONS", args.clients() + 100)
        .with("HEADER_TIMEOUT_SECONDS", DEADLINE.as_secs())
        .with("BODY_TIMEOUT_SECONDS", DEADLINE.as_secs())
        .with("WRITE_TIMEOUT_SECONDS", DEADLINE.as_secs())
        .start()?;
    let mut summary = Summary::new(NAME, 0, args.clients(), begun);
    let tried = attack(args, &daemon, &mut summary);
    summary.duration = begun.elapsed().as_secs_f64();
    tried.map_err(|error| Violation {
        harness: NAME,
        seed: 0,
        round: 0,
        what: format!("{error:#}\n{summary}"),
        again: "cargo test --test reliability -- slow".to_owned(),
        kept: folder,
    })?;
    daemon.stop()?;
    Ok(summary)
}

fn attack(args: &Args, daemon: &Daemon, summary: &mut Summary) -> Result<()> {
    warm_up(daemon)?;
    let (descriptors, before) = (
        watch::descriptors(daemon)?,
        watch::memory(daemon.pid, "VmRSS")?,
    );
    summary.figure("resident MiB before", before);
    let honest = Honest::start(daemon.public);
    let [slow, scrapers] = args.crowds();
    let first = beset(&slow, daemon, probes::ALL, "", summary);
    // Each scrape that nobody takes is one more in front of an honest one, so these owe less.
    let among = "among scrapers, ";
    let second = beset(&scrapers, daemon, probes::LIVENESS, among, summary);
    let served = honest.end()?;
    let peak = watch::memory(daemon.pid, "VmHWM")?;
    #[allow(clippy::cast_precision_loss)]
    summary.figure("honest requests, all served", served as f64);
    summary.figure("resident MiB at most", peak);
    watch::await_rest(daemon, &descriptors, PATIENCE)?;
    let after = await_memory(daemon, before)?;
    summary.figure("resident MiB afterwards", after);
    first.and(second)?;
    ensure!(
        peak < MOST_MIB,
        "{peak:.1} MiB were resident; less than {MOST_MIB} were promised"
    );
    ensure!(
        after <= before * 1.1,
        "{after:.1} MiB stay resident; it began with {before:.1}"
    );
    Ok(())
}

/// Has the crowd come, stay and go, while probes are asked.
fn beset(
    crowd: &[Manner],
    daemon: &Daemon,
    paths: &'static [&'static str],
    among: &str,
    summary: &mut Summary,
) -> Result<()> {
    let probes = Probes::start(daemon.public, paths)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let stayed = runtime.block_on(stay(crowd, daemon));
    let probed = probes.end(summary, among);
    stayed.and(probed)
}

/// One descriptor per client here and one there: what this process may have, its child inherits.
fn allow_descriptors(clients: u64) -> Result<()> {
    let wanted = clients + 1000;
    let status = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--nofile={wanted}:"))
        .status()
        .context("prlimit is part of util-linux")?;
    ensure!(
        status.success(),
        "{wanted} descriptors are needed: raise the hard limit (ulimit -Hn)"
    );
    Ok(())
}

/// What is made once, when it is first needed, is there before anything is counted.
fn warm_up(daemon: &Daemon) -> Result<()> {
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let address = daemon.public;
            std::thread::spawn(move || -> Result<()> {
                for _ in 0..50 {
                    request(address, "POST", "/process", "{}")?;
                    request(address, "GET", "/status", "")?;
                    request(address, "GET", "/metrics/prom", "")?;
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client
            .join()
            .map_err(|_| anyhow::anyhow!("a client ended early"))??;
    }
    Ok(())
}

/// Requests that go on until they are asked for.
struct Honest {
    stop: Arc<AtomicBool>,
    work: std::thread::JoinHandle<Result<u64>>,
}

impl Honest {
    fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = std::thread::spawn(move || {
            let mut served = 0;
            while !stopped.load(Ordering::Relaxed) {
                for (method, path) in [("POST", "/process"), ("GET", "/status")] {
                    let answered = request(address, method, path, "{}")
                        .with_context(|| format!("{method} {path} was not served"))?;
                    ensure!(
                        answered.status == 200,
                        "{method} {path}: {}",
                        answered.status
                    );
                    served += 1;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(served)
        });
        Self { stop, work }
    }

    fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.work
            .join()
            .map_err(|_| anyhow::anyhow!("the honest client ended early"))?
    }
}

/// All of them, until they are gone again.
async fn stay(crowd: &[Manner], daemon: &Daemon) -> Result<()> {
    let connecting = Arc::new(tokio::sync::Semaphore::new(CONNECTING));
    let connected = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for (number, &manner) in crowd.iter().enumerate() {
        let permit = Arc::clone(&connecting).acquire_owned().await?;
        let last = u8::try_from(number % 250).unwrap_or(0) + 1;
        let address = SocketAddr::from(([127, 0, 0, last], daemon.public.port()));
        let connected = Arc::clone(&connected);
        clients.spawn(async move {
            let stream = connect(address).await?;
            drop(permit);
            connected.fetch_add(1, Ordering::Relaxed);
            behave(stream, manner).await
        });
    }
    while connected.load(Ordering::Relaxed) < crowd.len() && !clients.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The text of a scrape that others hold, too, may be a second old.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let together = Scrape::of(daemon)?.value("http_connections")?;
    while let Some(ended) = clients.join_next().await {
        ended?.context("a client was not served to its deadline")?;
    }
    #[allow(clippy::cast_precision_loss)]
    let wanted = crowd.len() as f64;
    ensure!(
        together >= wanted,
        "only {together} of {wanted} connections were there at a time: nothing is proven"
    );
    Ok(())
}

/// With as little room for answers as the system allows.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket2::SockRef::from(&socket).set_tcp_mss(536)?;
    socket.connect(address).await
}

/// Misbehaves until the daemon closes the connection, which must be soon after the deadline.
async fn behave(mut stream: TcpStream, manner: Manner) -> io::Result<()> {
    stream.write_all(&manner.request()).await?;
    let stays = match manner {
        // Whatever the daemon gave up on is gone with the connection.
        Manner::Deaf => Some(DEADLINE + Duration::from_secs(2)),
        Manner::Scraper => Some(SCRAPERS_STAY),
        _ => None,
    };
    if let Some(stays) = stays {
        tokio::time::sleep(stays).await;
        return Ok(());
    }
    let mut buffer = [0; 512];
    let closed = async {
        loop {
            match tokio::time::timeout(DRIP, stream.read(&mut buffer)).await {
                Ok(Ok(0) | Err(_)) => return,
                Err(_) if matches!(manner, Manner::Head | Manner::Body) => {
                    drop(stream.write_all(b"a").await);
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE * 3, closed)
        .await
        .map_err(io::Error::from)
}

fn await_memory(daemon: &Daemon, before: f64) -> Result<f64> {
    let until = Instant::now() + PATIENCE;
    loop {
        let now = watch::memory(daemon.pid, "VmRSS")?;
        if now <= before * 1.1 || Instant::now() > until {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
