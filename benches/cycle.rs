//! Whole cycles through the daemon, beside what the fetch alone needs.

mod support;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use match_list_processor::client::{Timeouts, client};
use serde::de::IgnoredAny;
use support::daemon::{Daemon, STAGES, cycle};
use support::figures::{against, median, ms, ratio, timed, title};
use support::list::{Edition, list};
use support::server::ListServer;
use tokio::runtime::Runtime;

/// The floors have the daemon's allocator, too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Deliveries that a cycle left are waited for so long, that they do not slow the next one.
const DRAIN: Duration = Duration::from_mins(1);

const EDITIONS: [Edition; 3] = [Edition::First, Edition::OnePercentMoved, Edition::LastMoved];

/// Sizes and how often each is measured.
const SIZES: [(usize, usize); 2] = [(10_000, 18), (100_000, 9)];

/// The kinds of times that are taken, in the order in which they are shown.
const KINDS: [&str; 7] = [
    "fetch",
    "fetch + blake3",
    "fetch + IgnoredAny",
    "cycle, unchanged",
    "cycle, 1 % changed",
    "cycle, 1 % changed, files on",
    "cycle, the last match changed",
];
const FETCH_HASH: usize = 1;
const FETCH_READ: usize = 2;
const UNCHANGED: usize = 3;
const CHANGED: usize = 4;
const WITH_FILES: usize = 5;
const LAST_CHANGED: usize = 6;

fn main() {
    title(
        "cycle",
        "POST /process with Prefer: wait, beside the fetch alone",
    );
    let mut sizes = SIZES.map(|(matches, runs)| Size::start(matches, runs));
    measure(&mut sizes);
    let medians = sizes.each_ref().map(Size::report);
    for size in &sizes {
        println!("{} matches, memory", size.matches);
        memory(&size.server, &size.lists);
    }
    growth(&medians[0], &medians[1]);
}

/// Each kind's median.
type Medians = [Duration; KINDS.len()];

fn growth(before: &Medians, now: &Medians) {
    println!("growth from 10 000 to 100 000 matches");
    for kind in 0..KINDS.len() {
        let growth = ratio(now[kind], before[kind]);
        match kind {
            UNCHANGED | CHANGED | WITH_FILES => {
                against(KINDS[kind], growth, "x", "<= 11", growth <= 11.0);
            }
            _ => println!("  {:<52} {growth:>9.2} x", KINDS[kind]),
        }
    }
}

/// The sizes in turn, and with each the floors and cycles in turn, so that all see the same machine.
fn measure(sizes: &mut [Size]) {
    let runs = sizes.iter().map(|size| size.runs).max().unwrap_or(0);
    let is_due = |size: &Size, run: usize| run.is_multiple_of(runs / size.runs);
    for run in 0..runs {
        for size in sizes.iter_mut().filter(|size| is_due(size, run)) {
            size.look();
        }
    }
    for size in &mut *sizes {
        size.show_first();
    }
    for run in 0..runs {
        for size in sizes.iter_mut().filter(|size| is_due(size, run)) {
            size.look_at_the_end();
        }
    }
    // The files of every match would take longer than all the rest: only changed ones get some.
    for size in &mut *sizes {
        size.restart("2");
    }
    for run in 0..runs {
        for size in sizes.iter_mut().filter(|size| is_due(size, run)) {
            size.look_with_files();
        }
    }
    for size in sizes {
        size.stop();
    }
}

/// A list of one size, its server, and a daemon that watches it.
struct Size {
    matches: usize,
    runs: usize,
    lists: [Bytes; 3],
    server: ListServer,
    floor: Floor,
    folder: PathBuf,
    daemon: Option<Daemon>,
    all_new: Duration,
    /// Which list was shown last.
    shown: usize,
    times: [Vec<Duration>; KINDS.len()],
    stages: [[Vec<Duration>; STAGES.len()]; KINDS.len()],
}

impl Size {
    fn start(matches: usize, runs: usize) -> Self {
        let lists = EDITIONS.map(|edition| list(matches, edition));
        let server = ListServer::start();
        server.set(&lists[0]);
        let folder = support::folder(&format!("cycle-{matches}"));
        let daemon = Daemon::start(&folder, &api(&server), &settings("20"));
        Self {
            matches,
            runs,
            floor: Floor::new(server.address),
            all_new: cycle(daemon.address),
            lists,
            server,
            folder,
            daemon: Some(daemon),
            shown: 0,
            times: Default::default(),
            stages: Default::default(),
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    fn show(&mut self, list: usize) {
        self.server.set(&self.lists[list]);
        self.shown = list;
    }

    /// Before everything that is timed: what it needs, three times over.
    fn warm(&self) {
        support::warm(3 * self.lists[0].len());
    }

    fn cycle(&mut self, kind: usize) {
        self.warm();
        let before = self.daemon().stages();
        let took = cycle(self.daemon().address);
        let after = self.daemon().stages();
        self.times[kind].push(took);
        for ((stage, before), after) in self.stages[kind].iter_mut().zip(before).zip(after) {
            stage.push(Duration::from_secs_f64((after - before).max(0.0)));
        }
    }

    fn look(&mut self) {
        let floor = &self.floor;
        let read = |body: &[u8]| serde_json::from_slice::<IgnoredAny>(body).is_ok();
        self.warm();
        self.times[0].push(timed(|| floor.fetch()).0);
        self.warm();
        self.times[FETCH_HASH].push(timed(|| blake3::hash(&floor.fetch())).0);
        self.warm();
        self.times[FETCH_READ].push(timed(|| read(&floor.fetch())).0);
        self.cycle(UNCHANGED);
        self.show(1 - self.shown);
        self.cycle(CHANGED);
    }

    fn show_first(&mut self) {
        self.show(0);
        cycle(self.daemon().address);
    }

    /// The beginning is the same, and is let go of before it turns out that the end is not.
    fn look_at_the_end(&mut self) {
        self.show(2 - self.shown);
        self.cycle(LAST_CHANGED);
    }

    fn look_with_files(&mut self) {
        self.show(usize::from(self.shown == 0));
        self.cycle(WITH_FILES);
        self.daemon().drain(DRAIN);
    }

    fn restart(&mut self, referees: &str) {
        self.stop();
        let settings = settings(referees);
        self.daemon = Some(Daemon::start(&self.folder, &api(&self.server), &settings));
    }

    fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
    }

    fn report(&self) -> Medians {
        let bytes = self.lists[0].len() / 1_000_000;
        println!("{} matches, {bytes} MB, medians", self.matches);
        let medians = self.times.clone().map(median);
        for (kind, (name, took)) in KINDS.into_iter().zip(medians).enumerate() {
            let stages = STAGES.iter().zip(&self.stages[kind]);
            let stages = stages.filter(|(_, times)| !times.is_empty());
            let stages =
                stages.map(|(stage, times)| format!("  {stage} {}", ms(median(times.clone()))));
            println!(
                "  {name:<32} {:>11}{}",
                ms(took),
                stages.collect::<String>()
            );
        }
        println!("  {:<32} {:>11}", "cycle, all new (once)", ms(self.all_new));
        let unchanged = ratio(medians[UNCHANGED], medians[FETCH_HASH]);
        against(
            "unchanged / (fetch + blake3)",
            unchanged,
            "x",
            "<= 1.5",
            unchanged <= 1.5,
        );
        for (name, kind) in [
            ("1 % changed / (fetch + IgnoredAny)", CHANGED),
            ("the same with files on", WITH_FILES),
        ] {
            let changed = ratio(medians[kind], medians[FETCH_READ]);
            against(name, changed, "x", "<= 3", changed <= 3.0);
        }
        medians
    }
}

/// The peak of a child that knows the list already, in each kind of cycle; the first list beside it.
fn memory(server: &ListServer, lists: &[Bytes; 3]) {
    let folder = support::folder("cycle-memory");
    let api = api(server);
    let kinds = [
        ("all new", 0, "20"),
        ("unchanged", 0, "20"),
        ("1 % changed", 1, "20"),
        ("1 % changed, files on", 0, "2"),
    ];
    for (name, edition, referees) in kinds {
        server.set(&lists[edition]);
        let daemon = Daemon::start(&folder, &api, &settings(referees));
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

fn api(server: &ListServer) -> String {
    format!("http://{}", server.address)
}

fn settings(referees: &str) -> [(&'static str, &str); 2] {
    [
        ("MIN_REFEREES_FOR_WHATSAPP", referees),
        ("ADMIN_LISTEN", "off"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mebi(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
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
