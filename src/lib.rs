//! A daemon that watches a football match list and tells what changed.
//!
//! The way of a trigger through the modules:
//!
//! ```text
//! POST /process ─▶ http ─▶ store (committed, then 200) ─▶ cycle: upstream ▶ domain ▶ store ─▶ delivery ─▶ assets
//! ```
//!
//! * [`http`] bounds and parses requests; it knows nothing of matches.
//! * [`store`] keeps triggers, snapshot, changes, history and the outbox durably.
//! * [`cycle`] takes all waiting triggers, fetches the list through [`upstream`],
//!   lets the pure [`domain`] compare and plan, and commits once.
//! * [`delivery`] works off the outbox; [`assets`] renders what is delivered.
//! * [`telemetry`] holds logs, spans and the one metrics struct.
//! * [`config`] turns the environment into one validated value; [`app`] composes it all, and
//!   [`commands`] is what the command line can ask for.

pub mod app;
pub mod assets;
pub mod auth;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
pub mod cycle;
pub mod delivery;
pub mod demo;
pub mod domain;
pub mod file;
pub mod filter;
pub mod folder;
pub mod health;
pub mod http;
pub mod notify;
pub mod shutdown;
pub mod socket;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod upstream;
