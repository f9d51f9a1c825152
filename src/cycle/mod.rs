//! The cycles: one at a time, each takes every waiting trigger, looks at the list and commits what
//! it finds.

mod baseline;
mod export;
mod one;
mod payload;
mod status;
mod work;
mod worker;

pub use baseline::{BaselineError, import_baseline};
pub use one::{Cycle, CycleError, Report};
pub use payload::{Content, Payload};
pub use status::{Serving, Status};
pub use worker::{Pace, Worker};
