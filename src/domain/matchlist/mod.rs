//! The match list as it comes over the wire: split into entries without copying, and one entry read
//! into what the program needs of it.
//!
//! Reading is done in two steps so that an unchanged match costs a hash: [`List::split_like`] borrows
//! the raw text of every entry, and [`Match::parse`] is called only for those whose [`Fingerprint`]
//! is not known.

mod digest;
mod entry;
mod error;
mod layout;
mod list;
mod parse;
mod scan;
mod value;

pub use digest::{BLOCK, Digests};
pub use entry::{CONTACT_FIELDS, Contact, EntryError, Match, Named, Referee, Role, Team};
pub use error::{Found, ListError};
pub use layout::Layout;
pub use list::{Entry, List, MAX_ENTRIES};

/// The first 16 bytes of the BLAKE3 hash of an entry's raw bytes.
///
/// Equal fingerprints mean equal bytes; different ones say nothing about meaning: the order of keys
/// or white space is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        Self(truncate(&blake3::hash(raw)))
    }
}

/// The first half of a BLAKE3 hash.
pub(crate) fn truncate(hash: &blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

#[cfg(test)]
mod tests;
