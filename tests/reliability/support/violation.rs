//! A promise that was broken.

use std::path::PathBuf;

/// A promise that was broken, and all that is needed to see it again. Any other error means that
/// the harness itself could not do its work.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "VIOLATION in {harness}, round {round} of seed {seed}: {what}\n  again: {again}\n  kept: {}",
    kept.display()
)]
pub struct Violation {
    /// Which harness.
    pub harness: &'static str,
    /// Its seed.
    pub seed: u64,
    /// Round, state or request.
    pub round: u64,
    /// What was promised and what was seen.
    pub what: String,
    /// The command that runs it again.
    pub again: String,
    /// The data folder, logs and traces.
    pub kept: PathBuf,
}

/// What a check found broken; the harness adds where and how it comes again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Fails as [`Broken`] unless the condition holds.
macro_rules! promise {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::support::violation::Broken(format!($($what)+)).into());
        }
    };
}
pub(crate) use promise;
