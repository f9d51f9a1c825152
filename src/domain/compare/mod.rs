//! Compares a fetched list with what is known, fingerprints first.
//!
//! [`diff()`] tells which matches came, went or have other bytes; [`hold_reason`] whether the list can
//! be believed; [`changes`] what a person would call a change.

mod diff;
mod fields;
mod finding;
mod hold;
mod legacy;
mod referees;
mod rules;
mod summary;
mod wording;

pub use diff::{Anomalies, Diff, Kept, KnownMatch, Upsert, diff};
pub use hold::{HoldReason, hold_reason};
pub use referees::contact_fields;
pub use rules::{Rules, changes};
pub use summary::{Counts, summary};

#[cfg(test)]
mod tests;
