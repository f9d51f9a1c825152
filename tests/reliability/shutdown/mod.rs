//! Stops the daemon under full load, with neighbours that hang, and looks whether anybody was left
//! without an answer, a delivery or a span.
//!
//! A client that sent a whole request must get a whole answer, or see its connection closed without
//! a byte of one (RFC 9112, section 9.6) and nothing stored for it.

mod load;
mod messages;
mod neighbours;

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use self::load::{Load, Told};
use self::neighbours::{Neighbours, lock};
use crate::support::daemon::{Daemon, Start};
use crate::support::hook;
use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result, Span, evidence, random};

const NAME: &str = "shutdown";
const CLIENTS: u32 = 24;
/// `SHUTDOWN_DEADLINE_SECONDS`.
const DEADLINE: Duration = Duration::from_secs(8);
/// What a busy machine adds to a deadline.
const SLACK: Duration = Duration::from_secs(2);
/// Uploads that may be under way at a time: four texts and four avatars.
const UPLOADS: u32 = 8;
/// Messages that may be.
const MESSAGES: u32 = 4;
/// For what is due to be delivered after the restart.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stops. 20 if nothing is said.
    #[arg(long)]
    rounds: Option<u64>,
    #[command(flatten)]
    span: Span,
    /// The number of the first one.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Decides when each stop comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is the matter in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    CollectorHangs,
    DriveHangs,
    ListHangs,
    AllHang,
    /// A second signal, while all hang.
    Impatience,
    HookHangs,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::None,
    Trouble::CollectorHangs,
    Trouble::DriveHangs,
    Trouble::ListHangs,
    Trouble::AllHang,
    Trouble::Impatience,
    Trouble::HookHangs,
];

/// Figures of all rounds.
#[derive(Default)]
struct Totals {
    told: Told,
    uploads: u32,
    messages: u32,
    repeats: u32,
    longest: Duration,
    flushed: u32,
}

/// Runs the rounds.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let mut totals = Totals::default();
    let mut rounds = 0;
    while rounds < args.span.rounds(args.rounds, 20) && !args.span.is_over(begun) {
        let round = args.first + rounds;
        let folder = evidence(&format!("{NAME}-{}-{round}", args.seed))?;
        one(args.seed, round, common, &folder, &mut totals).map_err(|error| Violation {
            harness: NAME,
            seed: args.seed,
            round,
            what: format!("{:?}: {error:#}", trouble(round)),
            again: format!(
                "cargo test --test reliability -- shutdown --seed {} --first {round} --rounds 1",
                args.seed
            ),
            kept: folder.clone(),
        })?;
        std::fs::remove_dir_all(&folder)?;
        rounds += 1;
    }
    let mut summary = Summary::new(NAME, args.seed, rounds, begun);
    tell(&totals, &mut summary);
    Ok(summary)
}

#[allow(clippy::cast_precision_loss)]
fn tell(totals: &Totals, summary: &mut Summary) {
    summary.figure(
        "triggers acknowledged, all stored",
        totals.told.stored as f64,
    );
    summary.figure("requests answered otherwise", totals.told.others as f64);
    summary.figure("requests closed unread", totals.told.closed as f64);
    summary.figure("files received", totals.uploads);
    summary.figure("messages received", totals.messages);
    summary.figure("received again after a stop", totals.repeats);
    summary.figure("stops after which the last spans arrived", totals.flushed);
    summary.figure("longest stop in seconds", totals.longest.as_secs_f64());
}

fn trouble(round: u64) -> Trouble {
    TROUBLES[usize::try_from(round).unwrap_or(0) % TROUBLES.len()]
}

fn one(seed: u64, round: u64, common: &Common, folder: &Path, totals: &mut Totals) -> Result<()> {
    let trouble = trouble(round);
    let mut rng = random(seed, round);
    let neighbours = Neighbours::start();
    let start = beside(&neighbours, &common.binary(), folder);
    let daemon = start.start()?;
    let load = Load::start(daemon.public, CLIENTS);
    std::thread::sleep(Duration::from_millis(rng.u64(100..600)));
    hang(&neighbours, trouble);
    std::thread::sleep(Duration::from_millis(rng.u64(50..400)));
    let stopped = stop(daemon, trouble)?;
    let told = load.end(trouble == Trouble::Impatience)?;
    let left = Left::of(folder)?;
    accounted(trouble, &told, left.triggers)?;
    if matches!(
        trouble,
        Trouble::None | Trouble::DriveHangs | Trouble::ListHangs | Trouble::HookHangs
    ) {
        let trace = left.last_trace.context("no cycle was recorded")?;
        let spans = lock(&neighbours.spans);
        for trace in told.traces.iter().chain([&trace]) {
            ensure!(has_trace(&spans, trace), "the span {trace} did not arrive");
        }
        drop(spans);
        totals.flushed += 1;
    }
    neighbours.recover();
    let restarted = start.start()?;
    let delivered = all_delivered(&restarted)?;
    restarted.stop()?;
    let repeats = received(&neighbours, trouble, delivered, totals)?;
    totals.told.stored += told.stored;
    totals.told.others += told.others;
    totals.told.closed += told.closed;
    totals.repeats += repeats;
    totals.longest = totals.longest.max(stopped);
    Ok(())
}

/// All that is recorded as delivered came, in order, and nothing more than could have to come again.
/// Returns how much did.
fn received(
    neighbours: &Neighbours,
    trouble: Trouble,
    delivered: u32,
    totals: &mut Totals,
) -> Result<u32> {
    let messages = lock(&neighbours.messages).clone();
    messages::check(&messages, &neighbours.list())?;
    let messages = u32::try_from(messages.len())?;
    let uploads: u32 = lock(&neighbours.uploads).values().sum();
    let came = uploads + messages;
    ensure!(
        came >= delivered,
        "{delivered} deliveries are recorded as made, but {came} came"
    );
    // What was under way has time to end, unless its receiver hangs or a second signal comes.
    let again = match trouble {
        Trouble::DriveHangs => UPLOADS,
        Trouble::HookHangs => MESSAGES,
        Trouble::AllHang | Trouble::Impatience => UPLOADS + MESSAGES,
        Trouble::None | Trouble::CollectorHangs | Trouble::ListHangs => 0,
    };
    ensure!(
        came - delivered <= again,
        "{came} came whole for {delivered} deliveries; at most {again} could come again"
    );
    totals.uploads += uploads;
    totals.messages += messages;
    Ok(came - delivered)
}

/// How to start the daemon that has these neighbours.
fn beside(neighbours: &Neighbours, binary: &Path, folder: &Path) -> Start {
    Start::new(binary, folder)
        .with("API_BASE_URL", format!("http://{}", neighbours.list))
        .with(
            "GOOGLE_DRIVE_SERVICE_URL",
            format!("http://{}", neighbours.drive),
        )
        .with(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", neighbours.collector),
        )
        .with("NOTIFICATIONS", hook::document(neighbours.hook))
        .with("OTEL_BSP_MAX_QUEUE_SIZE", 100_000)
        .with("QUEUE_CAPACITY", 1_000_000)
        .with("HISTORY_LIMIT", 10_000)
        .with("SHUTDOWN_DEADLINE_SECONDS", DEADLINE.as_secs())
}

fn hang(neighbours: &Neighbours, trouble: Trouble) {
    let all = matches!(trouble, Trouble::AllHang | Trouble::Impatience);
    neighbours
        .collector_gate
        .set(all || trouble == Trouble::CollectorHangs);
    neighbours
        .drive_gate
        .set(all || trouble == Trouble::DriveHangs);
    neighbours
        .hook_gate
        .set(all || trouble == Trouble::HookHangs);
    neighbours
        .list_gate
        .set(all || trouble == Trouble::ListHangs);
}

/// Sends the signal, and a second one to the impatient; how long the end took.
fn stop(daemon: Daemon, trouble: Trouble) -> Result<Duration> {
    let pid = daemon.pid.to_string();
    let term = || {
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .map(|status| status.success())
    };
    let begun = Instant::now();
    ensure!(term()?, "SIGTERM could not be sent");
    if trouble == Trouble::Impatience {
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        ensure!(term()?, "it ended before the second signal");
        let code = daemon.wait()?.code();
        ensure!(
            code == Some(128 + 15),
            "after a second signal it ended with {code:?}"
        );
        ensure!(
            begun.elapsed() < SLACK,
            "a second signal took {:?}",
            begun.elapsed()
        );
        return Ok(Duration::ZERO);
    }
    let status: ExitStatus = daemon.wait()?;
    let took = begun.elapsed();
    ensure!(status.success(), "it ended with {status} after {took:?}");
    ensure!(
        took < DEADLINE + SLACK,
        "it took {took:?}; its deadline was {DEADLINE:?}"
    );
    Ok(took)
}

/// What was acknowledged is stored, and nothing else is: except after a second signal, which leaves
/// no time to say so.
fn accounted(trouble: Trouble, told: &Told, stored: u64) -> Result<()> {
    let acknowledged = told.stored;
    ensure!(
        acknowledged > 0,
        "nothing was acknowledged: there was no load"
    );
    ensure!(
        stored >= acknowledged,
        "{acknowledged} triggers were acknowledged, {stored} are stored"
    );
    ensure!(
        stored == acknowledged || trouble == Trouble::Impatience,
        "{stored} triggers are stored, but {acknowledged} were acknowledged: {} got no answer",
        stored - acknowledged
    );
    Ok(())
}

/// What a stopped daemon left behind.
struct Left {
    triggers: u64,
    last_trace: Option<String>,
}

impl Left {
    fn of(folder: &Path) -> Result<Self> {
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
fn has_trace(sent: &[u8], trace: &str) -> bool {
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
fn all_delivered(daemon: &Daemon) -> Result<u32> {
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
