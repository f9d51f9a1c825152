//! Stops the daemon under full load, with neighbours that hang, and looks whether anybody was left
//! without an answer, a delivery or a span.
//!
//! A client that sent a whole request must get a whole answer, or see its connection closed without
//! a byte of one (RFC 9112, section 9.6) and nothing stored for it.

mod left;
mod load;
mod messages;
mod neighbours;

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use self::left::{Left, all_delivered, has_trace};
use self::load::{Load, Told};
use self::neighbours::{Neighbours, lock};
use crate::support::daemon::{Daemon, Start, panic_of};
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
    /// Daemons beside each other.
    #[arg(long, default_value_t = 2)]
    lanes: usize,
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
    rounds: u64,
    told: Told,
    uploads: u32,
    messages: u32,
    repeats: u32,
    longest: Duration,
    flushed: u32,
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.told.stored += other.told.stored;
        self.told.others += other.told.others;
        self.told.closed += other.told.closed;
        self.uploads += other.uploads;
        self.messages += other.messages;
        self.repeats += other.repeats;
        self.longest = self.longest.max(other.longest);
        self.flushed += other.flushed;
    }
}

/// Runs the rounds; some beside each other, since most of one is waiting.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let (next, last) = (AtomicU64::new(0), args.span.rounds(args.rounds, 20));
    let all = Mutex::new(Totals::default());
    let lane = || -> Result<()> {
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            if turn >= last || args.span.is_over(begun) {
                return Ok(());
            }
            let found = judged(args, args.first + turn, common)
                .inspect_err(|_| next.store(last, Ordering::SeqCst))?;
            lock(&all).add(&found);
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..args.lanes).map(|_| scope.spawn(lane)).collect();
        let ends = lanes.into_iter();
        ends.map(|one| one.join().expect("a lane panicked"))
            .collect::<Result<Vec<()>>>()
    })?;
    let totals = all.into_inner().expect("a lane panicked");
    let mut summary = Summary::new(NAME, args.seed, totals.rounds, begun);
    tell(&totals, &mut summary);
    Ok(summary)
}

fn judged(args: &Args, round: u64, common: &Common) -> Result<Totals> {
    let seed = args.seed;
    let folder = evidence(&format!("{NAME}-{seed}-{round}"))?;
    let found = one(seed, round, common, &folder).map_err(|error| Violation {
        harness: NAME,
        seed,
        round,
        what: format!("{:?}: {error:#}", trouble(round)),
        again: format!(
            "cargo test --test reliability -- shutdown --seed {seed} --first {round} --rounds 1"
        ),
        kept: folder.clone(),
    })?;
    std::fs::remove_dir_all(&folder)?;
    Ok(found)
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

fn one(seed: u64, round: u64, common: &Common, folder: &Path) -> Result<Totals> {
    let trouble = trouble(round);
    let mut totals = Totals::default();
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
        let trace = left.last_trace;
        // On a busy machine a list may hang before the first look at it is over.
        ensure!(
            trace.is_some() || trouble == Trouble::ListHangs,
            "no cycle was recorded"
        );
        let spans = lock(&neighbours.spans);
        for trace in told.traces.iter().chain(&trace) {
            ensure!(has_trace(&spans, trace), "the span {trace} did not arrive");
        }
        drop(spans);
        totals.flushed = 1;
    }
    neighbours.recover();
    let restarted = start.start()?;
    let delivered = all_delivered(&restarted)?;
    restarted.stop()?;
    let panic = panic_of(folder)?;
    ensure!(panic.is_none(), "it panicked: {panic:?}");
    received(&neighbours, trouble, delivered, &mut totals)?;
    totals.rounds = 1;
    totals.told = told;
    totals.longest = stopped;
    Ok(totals)
}

/// All that is recorded as delivered came, in order, and nothing more than could have to come again.
fn received(
    neighbours: &Neighbours,
    trouble: Trouble,
    delivered: u32,
    totals: &mut Totals,
) -> Result<()> {
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
    totals.uploads = uploads;
    totals.messages = messages;
    totals.repeats = came - delivered;
    Ok(())
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
        // Spans go at the stop or not at all, however many requests it refuses.
        .with("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 100_000)
        .with("OTEL_BSP_SCHEDULE_DELAY", 600_000)
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
