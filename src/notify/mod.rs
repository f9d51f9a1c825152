//! Who is told of what a cycle found, and of how the program itself does.

mod alerts;
mod plan;
mod republish;
mod sets;
mod watcher;

pub use plan::{Findings, Planner};
pub use republish::{Extent, MOST_CHANGES, Periodic, RepublishError, republish};
pub use sets::StoredSet;
pub use watcher::Watcher;
