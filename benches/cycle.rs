//! Whole cycles through the daemon, beside what the fetch alone needs.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use match_list_processor::app::{App, Listeners};
use match_list_processor::client::{Timeouts, client};
use match_list_processor::clock::Clock;
use match_list_processor::config::{Config, Source};
use match_list_processor::domain::delivery::DeliveryState;
use match_list_processor::store::Store;
use match_list_processor::telemetry;
use match_list_processor::telemetry::metrics::Metrics;
use serde::de::IgnoredAny;
use support::daemon::{Daemon, cycle, settings};
use support::figures::{against, median, ms, ratio, timed, title};
use support::list::{Edition, list};
use support::server::ListServer;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Deliveries that a cycle left are waited for so long, that they do not slow the next one.
const DRAIN: Duration = Duration::from_mins(1);

const EDITIONS: [Edition; 3] = [Edition::First, Edition::OnePercentMoved, Edition::LastMoved];

/// Medians of one size.
struct Medians {
    fetch: Duration,
    fetch_hash: Duration,
    fetch_read: Duration,
    all_new: Duration,
    unchanged: Duration,
    changed: Duration,
    last_changed: Duration,
    with_files: Duration,
}

fn main() {
    title(
        "cycle",
        "POST /process with Prefer: wait, beside the fetch alone",
    );
    let server = ListServer::start();
    let metrics = Arc::new(Metrics::new());
    let folder = support::folder("cycle-telemetry");
    let _telemetry = telemetry::start(&config(&folder, server.address, "20"), &metrics);
    let mut before: Option<Medians> = None;
    for matches in [10_000, 100_000] {
        let lists = EDITIONS.map(|edition| list(matches, edition));
        let medians = measure(&server, &lists, if matches > 10_000 { 5 } else { 15 });
        report(matches, lists[0].len(), &medians);
        memory(&server, &lists);
        if let Some(before) = &before {
            growth(before, &medians);
        }
        before = Some(medians);
    }
}

fn report(matches: usize, bytes: usize, m: &Medians) {
    println!("{matches} matches, {} MB, medians", bytes / 1_000_000);
    for (name, took) in [
        ("fetch", m.fetch),
        ("fetch + blake3", m.fetch_hash),
        ("fetch + IgnoredAny", m.fetch_read),
        ("cycle, all new (once)", m.all_new),
        ("cycle, unchanged", m.unchanged),
        ("cycle, 1 % changed", m.changed),
        ("cycle, 1 % changed, files on", m.with_files),
        ("cycle, the last match changed", m.last_changed),
    ] {
        println!("  {name:<32} {:>11}", ms(took));
    }
    let unchanged = ratio(m.unchanged, m.fetch_hash);
    against(
        "unchanged / (fetch + blake3)",
        unchanged,
        "x",
        "<= 1.5",
        unchanged <= 1.5,
    );
    for (name, took) in [
        ("1 % changed / (fetch + IgnoredAny)", m.changed),
        ("the same with files on", m.with_files),
    ] {
        let changed = ratio(took, m.fetch_read);
        against(name, changed, "x", "<= 3", changed <= 3.0);
    }
}

fn growth(before: &Medians, now: &Medians) {
    for (name, before, now) in [
        (
            "growth of unchanged, 10 000 to 100 000",
            before.unchanged,
            now.unchanged,
        ),
        ("growth of 1 % changed", before.changed, now.changed),
        (
            "growth of 1 % changed, files on",
            before.with_files,
            now.with_files,
        ),
    ] {
        let growth = ratio(now, before);
        against(name, growth, "x", "<= 11", growth <= 11.0);
    }
}

/// Floors and cycles in turn, so that both see the same machine.
fn measure(server: &ListServer, lists: &[Bytes; 3], runs: usize) -> Medians {
    let floor = Floor::new(server.address);
    let folder = support::folder("cycle");
    server.set(&lists[0]);
    let daemon = InProcess::start(&config(&folder, server.address, "20"));
    let all_new = cycle(daemon.address);
    let mut times: [Vec<Duration>; 7] = Default::default();
    for run in 0..runs {
        times[0].push(timed(|| floor.fetch()).0);
        times[1].push(timed(|| blake3::hash(&floor.fetch())).0);
        times[2].push(timed(|| serde_json::from_slice::<IgnoredAny>(&floor.fetch()).is_ok()).0);
        times[3].push(cycle(daemon.address));
        server.set(&lists[(run + 1) % 2]);
        times[4].push(cycle(daemon.address));
    }
    // The beginning is the same, and is let go of before it turns out that the end is not.
    server.set(&lists[0]);
    cycle(daemon.address);
    for run in 0..runs {
        server.set(&lists[if run % 2 == 0 { 2 } else { 0 }]);
        times[6].push(cycle(daemon.address));
    }
    daemon.stop();
    // The files of every match would take longer than all the rest: only changed ones get some.
    let daemon = InProcess::start(&config(&folder, server.address, "2"));
    for run in runs..2 * runs {
        server.set(&lists[(run + 1) % 2]);
        times[5].push(cycle(daemon.address));
        daemon.drain();
    }
    daemon.stop();
    let [
        fetch,
        fetch_hash,
        fetch_read,
        unchanged,
        changed,
        with_files,
        last_changed,
    ] = times.map(median);
    Medians {
        fetch,
        fetch_hash,
        fetch_read,
        all_new,
        unchanged,
        changed,
        last_changed,
        with_files,
    }
}

/// The peak of a child that knows the list already, in each kind of cycle; the first list beside it.
fn memory(server: &ListServer, lists: &[Bytes; 3]) {
    let folder = support::folder("cycle-memory");
    let api = format!("http://{}", server.address);
    let kinds = [
        ("all new", 0, "20"),
        ("unchanged", 0, "20"),
        ("1 % changed", 1, "20"),
        ("1 % changed, files on", 0, "2"),
    ];
    for (name, edition, referees) in kinds {
        server.set(&lists[edition]);
        let daemon = Daemon::start(&folder, &api, &[("MIN_REFEREES_FOR_WHATSAPP", referees)]);
        cycle(daemon.address);
        let peak = daemon.memory("VmHWM") / 1024.0;
        std::thread::sleep(Duration::from_secs(1));
        let after = daemon.memory("VmRSS") / 1024.0;
        daemon.stop();
        let list = mebi(lists[edition].len());
        let target = 2.5 * list + 32.0;
        let name = format!("peak memory, {name} (1 s later {after:.0})");
        against(
            &name,
            peak,
            "MiB",
            &format!("<= {target:.0} MiB"),
            peak <= target,
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mebi(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn config(folder: &Path, api: SocketAddr, referees: &str) -> Arc<Config> {
    let mut environment: std::collections::BTreeMap<String, String> =
        settings(folder, &format!("http://{api}"))
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
    environment.insert("PORT".to_owned(), "0".to_owned());
    environment.insert("MIN_REFEREES_FOR_WHATSAPP".to_owned(), referees.to_owned());
    let source = Source::layered(environment, &folder.join(".env"));
    Arc::new(Config::load(&source).expect("valid settings"))
}

/// The fetch as cheap as it can be: the daemon's client, every byte copied once into place.
struct Floor {
    runtime: Runtime,
    client: reqwest::Client,
    url: String,
}

impl Floor {
    fn new(address: SocketAddr) -> Self {
        let url = format!("http://{address}/matches");
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_mins(1),
        };
        let client = client(&url.parse().expect("a URL"), timeouts).expect("a client");
        Self {
            runtime: runtime(),
            client,
            url,
        }
    }

    fn fetch(&self) -> Vec<u8> {
        self.runtime.block_on(async {
            let mut answer = self
                .client
                .get(&self.url)
                .send()
                .await
                .expect("the list server");
            let length = answer.content_length().unwrap_or_default();
            let mut body = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            while let Some(chunk) = answer.chunk().await.expect("the whole list") {
                body.extend_from_slice(&chunk);
            }
            body
        })
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The daemon in this process.
struct InProcess {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: std::thread::JoinHandle<()>,
    store: Store,
    runtime: Runtime,
}

impl InProcess {
    fn start(config: &Arc<Config>) -> Self {
        let (stop, stopping) = watch::channel(false);
        let runtime = runtime();
        let app = App::new(
            Arc::clone(config),
            None,
            Clock::system(),
            Arc::new(Metrics::new()),
        );
        let app = runtime.block_on(app).expect("the daemon starts");
        let listeners = Listeners::bind(config).expect("a free port");
        let address = listeners.public.local_addr().expect("a bound listener");
        let store = app.store().clone();
        let handle = runtime.handle().clone();
        let thread = std::thread::spawn(move || {
            handle
                .block_on(app.run(Some(listeners), stopping))
                .expect("an orderly end");
        });
        Self {
            address,
            stop,
            thread,
            store,
            runtime,
        }
    }

    /// Waits until nothing is left to deliver.
    fn drain(&self) {
        let until = Instant::now() + DRAIN;
        let open = |state| matches!(state, DeliveryState::Pending | DeliveryState::Running);
        while Instant::now() < until {
            let counts = self
                .runtime
                .block_on(self.store.outbox())
                .expect("the outbox");
            if !counts.iter().any(|one| open(one.state) && one.count > 0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(self) {
        self.stop.send_replace(true);
        self.thread.join().expect("no panic");
    }
}
