//! Daemons and neighbours for the tests.

pub mod binary;
pub mod daemon;
pub mod faults;
pub mod kept;
pub mod matches;
pub mod neighbours;
pub mod otlp;
pub mod receivers;
pub mod redis;
pub mod scripted;
pub mod secure;
pub mod servers;
pub mod smtp;
pub mod wire;
