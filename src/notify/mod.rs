//! Who is told of what a cycle found, and of how the program itself does.

mod plan;
mod sets;

pub use plan::{Findings, Planner};
pub use sets::StoredSet;
