//! What the program is about, free of I/O, clocks and logging: everything here is a function of its
//! arguments.

pub mod breaker;
pub mod change;
pub mod compare;
pub mod delivery;
pub mod matchlist;
pub mod notify;
pub mod plan;
pub mod retry;
pub mod routing;
pub mod schedule;
mod templates;
pub mod texts;
pub mod watch;

#[cfg(test)]
mod purity_tests;
#[cfg(test)]
mod season_tests;
