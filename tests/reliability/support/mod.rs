//! What the harnesses share.

// What one harness leaves unused another may use.
#[allow(dead_code)]
pub mod daemon;
pub mod hook;
#[allow(dead_code)]
#[path = "../../it/support/matches.rs"]
pub mod matches;
pub mod summary;
pub mod violation;
pub mod weakened;
#[allow(dead_code)]
#[path = "../../it/support/wire.rs"]
pub mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use anyhow::Result;

/// More rounds than a harness gets done in its minutes.
const ENDLESS: u64 = 1_000_000;

/// What every harness can be told.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Appends one line of JSON per harness; else to what `RELIABILITY_REPORT` names, if anything.
    #[arg(long, global = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The program to try; else the one that this build made.
    #[arg(long, global = true, value_name = "PATH")]
    pub binary: Option<PathBuf>,
}

/// For how long a harness goes on.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Span {
    /// Begins nothing new after so many minutes, however much is left; without --rounds as much as
    /// can be done in them.
    #[arg(long)]
    pub minutes: Option<u64>,
}

impl Span {
    /// Whether the time that began then is over.
    pub fn is_over(self, begun: Instant) -> bool {
        let whole = self
            .minutes
            .map(|minutes| Duration::from_secs(60 * minutes));
        whole.is_some_and(|whole| begun.elapsed() >= whole)
    }

    /// How many rounds are wanted at most, if `given` were named or `few` are what is done without a
    /// word.
    pub fn rounds(self, given: Option<u64>, few: u64) -> u64 {
        let endless = self.minutes.map(|_| ENDLESS);
        given.or(endless).unwrap_or(few)
    }
}

impl Common {
    /// Where the record is kept.
    pub fn report(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("RELIABILITY_REPORT").map(PathBuf::from);
        self.report.clone().or_else(named)
    }

    /// The program to try.
    pub fn binary(&self) -> PathBuf {
        let built = env!("CARGO_BIN_EXE_match-list-processor");
        self.binary.clone().unwrap_or_else(|| built.into())
    }
}

/// Where a harness keeps what a violation must be judged by; emptied if it was there.
pub fn evidence(name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Random numbers that depend on nothing but the seed and the round, so that each round can be
/// had again alone.
pub fn random(seed: u64, round: u64) -> fastrand::Rng {
    let mut rng = fastrand::Rng::with_seed(seed);
    fastrand::Rng::with_seed(rng.u64(..) ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
