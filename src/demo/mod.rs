//! An invented season: a match list that changes on each look, for the demonstration.

mod fixture;
mod season;

pub use season::{Look, Season};
