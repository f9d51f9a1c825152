//! The cycles: one at a time, each takes every waiting trigger, looks at the list and commits what
//! it finds.

mod agenda;
mod baseline;
mod burst;
mod error;
mod export;
mod finish;
mod observe;
mod one;
mod payload;
mod report;
mod status;
mod timetable;
mod work;
mod worker;

pub use baseline::{BaselineError, baseline, import_baseline};
pub use error::CycleError;
pub use one::Cycle;
pub use payload::{Content, Payload};
pub use report::Report;
pub use status::{Ending, Planned, Serving, Status};
pub use worker::{Pace, Worker};
