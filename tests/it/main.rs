//! The real daemon against real or scripted neighbours, in one binary.

mod contract;
mod deliveries;
mod lists;
mod process;
mod season;
mod support;
mod traces;
