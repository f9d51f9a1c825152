//! What people and services are told of a change.
//!
//! A [`Message`] is made from the changes of one match, stored in the outbox, and merged with a newer
//! one of the same match as long as it was not sent. It holds names and values as they are; only when
//! it is sent is it put into words, for one language and one form.

mod beside;
mod clean;
mod gather;
mod joined;
mod merge;
mod message;
mod stored;
pub mod webhook;
mod wording;

pub use beside::{Beside, OpenDigest};
pub use message::{
    AlertKind, AlertNews, Language, MatchNews, Message, MessageKind, News, Part, Person, Status,
    Subject,
};
pub use stored::Stored;
pub use wording::{Calendar, MailContent, Method, Plain, Template, Wording, WordingError};

#[cfg(test)]
mod tests;
