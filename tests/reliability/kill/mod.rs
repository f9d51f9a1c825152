//! Kills the daemon under load, at any moment and at named points, and looks for what was lost.
//!
//! Several rounds share a data folder, so that what is there ages; several daemons with folders and
//! neighbours of their own run beside each other, since most of a round is waiting. The order of
//! what the threads do is the system's, so a seed brings back the moments, not every interleaving:
//! the kept folder is the evidence.

mod aftermath;
mod book;
mod door;
mod fuse;
mod lane;
mod lists;
mod load;
mod messages;
mod owed;
mod parse;
mod receiver;
mod settled;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::book::Tally;
use self::lane::{Chain, Lane};
use crate::support::daemon::panic_of;
use crate::support::summary::Summary;
use crate::support::violation::{Broken, Violation, promise};
use crate::support::{Common, Result, Span, evidence, random};

/// Rounds on one data folder at most.
const LONGEST_CHAIN: u64 = 6;

/// How much.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kills under load; those at a start come on top. 200 if nothing is said.
    #[arg(long)]
    rounds: Option<u64>,
    #[command(flatten)]
    span: Span,
    /// Decides when each kill comes and how the neighbours behave.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the rounds on this data folder.
    #[arg(long)]
    chain: Option<u64>,
    /// Daemons beside each other.
    #[arg(long, default_value_t = 8)]
    lanes: usize,
}

impl Args {
    fn rounds(&self) -> u64 {
        self.span.rounds(self.rounds, 200)
    }
}

/// Runs the rounds.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let mut chains = chains(args);
    chains.reverse();
    let work = Mutex::new((chains, Tally::default()));
    let rounds = AtomicU64::new(0);
    let lane = || -> Result<()> {
        let lane = Lane::new(common.binary())?;
        loop {
            let next = match args.span.is_over(begun) {
                true => None,
                false => work.lock().expect("a lane panicked").0.pop(),
            };
            let Some(chain) = next else { return Ok(()) };
            let length = chain.rounds;
            let done = one(&lane, chain, args);
            rounds.fetch_add(length, Ordering::Relaxed);
            let mut work = work.lock().expect("a lane panicked");
            match done {
                Ok(tally) => work.1.add(&tally),
                Err(error) => {
                    work.0.clear();
                    return Err(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..args.lanes).map(|_| scope.spawn(lane)).collect();
        let ends = lanes
            .into_iter()
            .map(|lane| lane.join().expect("a lane panicked"));
        ends.collect::<Result<Vec<()>>>()
    })?;
    let tally = work.into_inner().expect("a lane panicked").1;
    Ok(summary(args, rounds.into_inner(), begun, &tally))
}

fn chains(args: &Args) -> Vec<Chain> {
    let mut left = args.rounds();
    let mut rng = random(args.seed, u64::MAX);
    let mut chains = Vec::new();
    while left > 0 {
        let rounds = rng.u64(1..=LONGEST_CHAIN).min(left);
        left -= rounds;
        chains.push(Chain {
            seed: args.seed,
            index: u64::try_from(chains.len()).unwrap_or(u64::MAX),
            rounds,
        });
    }
    chains.retain(|chain| args.chain.is_none_or(|only| only == chain.index));
    chains
}

fn one(lane: &Lane, chain: Chain, args: &Args) -> Result<Tally> {
    let Chain { seed, index, .. } = chain;
    let folder = evidence(&format!("kill-{seed}-{index}"))?;
    match lane.run(chain, &folder).and_then(|tally| {
        no_panics(&folder)?;
        Ok(tally)
    }) {
        Ok(tally) => {
            std::fs::remove_dir_all(&folder)?;
            Ok(tally)
        }
        Err(error) if error.is::<Broken>() => Err(Violation {
            harness: "kill",
            seed,
            round: index,
            what: error.to_string(),
            again: format!(
                "kill --seed {seed} --rounds {} --chain {index}",
                args.rounds()
            ),
            kept: folder,
        })?,
        Err(error) => Err(error.context(format!(
            "in chain {index} of seed {seed}, {}",
            folder.display()
        ))),
    }
}

fn no_panics(folder: &Path) -> Result<()> {
    let panic = panic_of(folder)?;
    promise!(panic.is_none(), "it panicked: {panic:?}");
    Ok(())
}

fn summary(args: &Args, rounds: u64, begun: Instant, tally: &Tally) -> Summary {
    let mut summary = Summary::new("kill", args.seed, rounds, begun);
    for (name, count) in &tally.moments {
        summary.figure(format!("killed at: {name}"), *count);
    }
    for (name, count) in &tally.missed {
        summary.figure(format!("killed for want of: {name}"), *count);
    }
    summary.figure("killed while starting", tally.start_kills);
    summary.figure("settled and checked", tally.settled);
    summary.figure("triggers acknowledged", tally.acknowledged);
    summary.figure("triggers without an answer of 200", tally.unknown);
    summary.figure("cycles", tally.cycles);
    summary.figure("changes", tally.changes);
    summary.figure("deliveries", tally.deliveries);
    summary.figure("deliveries in flight at a kill", tally.in_flight);
    summary.figure("uploads and messages", tally.uploads);
    summary.figure("messages", tally.messages);
    summary.figure("changes told by messages, none left out", tally.news);
    summary.figure("repeats, each explained", tally.repeats);
    summary.figure("dead letters, each explained and retried", tally.dead);
    summary.figure("requests with a name, sent again", tally.named);
    // The first of these ends the run.
    summary.figure("acknowledged triggers lost", 0);
    summary.figure("deliveries lost", 0);
    summary
}
