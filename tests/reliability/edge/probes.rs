//! How long a probe waits for its answer, and how long anything would: a bare echo in this process
//! is asked in turn, so that a machine that is busy with other things is not blamed on the daemon.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::support::Result;
use crate::support::daemon::parse;
use crate::support::summary::Summary;

/// What an orchestrator asks.
pub const LIVENESS: &[&str] = &["/livez", "/health/simple"];
/// What a scraper asks, too.
pub const ALL: &[&str] = &["/livez", "/health/simple", "/metrics/prom"];
/// Between two probes; a scraper and an orchestrator ask far less often.
const PACE: Duration = Duration::from_millis(20);
/// Within which a probe must be answered.
const PROMISED: Duration = Duration::from_millis(100);

/// Later than this no probe may be answered: what asks gives up by then. A second of it is what the system
/// waits before it asks again for a connection that found no place.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a probe waits for a thread where an echo does once: to be accepted, to be read, to ask
/// the store, to be gathered, to be answered, and these behind others. On a busy machine each costs
/// what an echo costs.
const WAKEUPS: u32 = 8;

/// Probes that go on until they are asked for.
pub struct Probes {
    paths: &'static [&'static str],
    stop: Arc<AtomicBool>,
    work: JoinHandle<Result<Times>>,
}

/// Waits, one per question.
#[derive(Default)]
struct Times {
    probes: Vec<Vec<Duration>>,
    echo: Vec<Duration>,
}

impl Probes {
    pub fn start(daemon: SocketAddr, paths: &'static [&'static str]) -> Result<Self> {
        let echo = echo()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = std::thread::spawn(move || {
            let mut times = Times {
                probes: vec![Vec::new(); paths.len()],
                ..Times::default()
            };
            for (which, path) in paths.iter().enumerate().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                times.probes[which].push(timed(|| probe(daemon, path))?);
                times.echo.push(timed(|| echoed(echo))?);
                std::thread::sleep(PACE);
            }
            Ok(times)
        });
        Ok(Self { paths, stop, work })
    }

    /// Adds the figures, `among` what they were asked; an error if the daemon owes its promise.
    pub fn end(self, summary: &mut Summary, among: &str) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self
            .work
            .join()
            .map_err(|_| anyhow::anyhow!("the probes ended early"))?;
        let Times { probes, echo } = ended.context("a probe was not answered")?;
        let echo = sorted(echo);
        let allowed = PROMISED.max(at(&echo, 0.99) * WAKEUPS);
        let longest = LONGEST.max(at(&echo, 1.0) * WAKEUPS);
        figures(summary, &format!("{among}a bare echo"), &echo);
        let mut owed = Vec::new();
        for (path, times) in self.paths.iter().zip(probes) {
            let times = sorted(times);
            let name = format!("{among}{path}");
            figures(summary, &name, &times);
            let late = times.iter().filter(|time| **time > PROMISED).count();
            summary.figure(format!("{name} later than 100 ms"), u32::try_from(late)?);
            let slow = at(&times, 0.99);
            if slow > allowed || at(&times, 1.0) > longest {
                owed.push(format!(
                    "{path}: of {} probes {late} were late, p99 {slow:?}, longest {:?}",
                    times.len(),
                    at(&times, 1.0)
                ));
            }
        }
        ensure!(
            owed.is_empty(),
            "probes are to be answered within {PROMISED:?}, here {allowed:?} since a bare echo's p99 is {:?}, \
             and none later than {longest:?}; {}",
            at(&echo, 0.99),
            owed.join("; ")
        );
        Ok(())
    }
}

fn figures(summary: &mut Summary, name: &str, sorted: &[Duration]) {
    summary.figure(format!("{name} ms, p99"), milliseconds(at(sorted, 0.99)));
    summary.figure(format!("{name} ms, longest"), milliseconds(at(sorted, 1.0)));
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )]
    let place = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(place).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn ask(address: SocketAddr, request: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(20))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn probe(daemon: SocketAddr, path: &str) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    let answered = parse(&ask(daemon, &request)?)?;
    ensure!(
        answered.status == 200,
        "{path} answered {}",
        answered.status
    );
    Ok(())
}

fn echoed(echo: SocketAddr) -> Result<()> {
    ensure!(
        ask(echo, "echo\n")? == b"echo\n",
        "the echo answered something else"
    );
    Ok(())
}

/// Answers each connection's first bytes with themselves.
fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 16];
            if let Ok(count) = stream.read(&mut bytes) {
                let _ = stream.write_all(&bytes[..count]);
            }
        }
    });
    Ok(address)
}
