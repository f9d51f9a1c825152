//! The way out: works off the outbox, apart from the cycles.

mod dispatch;
mod files;

pub use dispatch::Dispatcher;
pub use files::{AvatarSource, Destinations};
