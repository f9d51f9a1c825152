//! Who is told of what a cycle found, and of how the program itself does.

mod again;
mod alerts;
mod plan;
mod sets;
mod watcher;

pub use again::{Again, MOST_CHANGES, NotAgain, Periodic, tell_again};
pub use plan::{Findings, Planner};
pub use sets::StoredSet;
pub use watcher::Watcher;
