//! Tells whether a list is the one before, while it arrives.

use super::{Fingerprint, truncate};

/// Bytes of a block; the last one of a list has fewer.
pub const BLOCK: usize = 1 << 20;

/// The fingerprints of a list's blocks, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    blocks: Vec<Fingerprint>,
    length: usize,
}

impl Digests {
    /// Those of a whole list.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let mut digests = Self::default();
        for block in body.chunks(BLOCK) {
            digests.push(block);
        }
        digests
    }

    /// Adds the next block: [`BLOCK`] bytes, or the rest of the list.
    pub fn push(&mut self, block: &[u8]) {
        self.blocks.push(Fingerprint::of(block));
        self.length += block.len();
    }

    /// Bytes of the blocks so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether the block that was added last stands in the same place in `other`.
    #[must_use]
    pub fn last_is_in(&self, other: &Self) -> bool {
        let last = self.blocks.len().checked_sub(1);
        last.is_some_and(|at| other.blocks.get(at) == self.blocks.get(at))
    }

    /// The digest of the list as a whole.
    #[must_use]
    pub fn list(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for block in &self.blocks {
            hasher.update(&block.0);
        }
        hasher.update(&(self.length as u64).to_le_bytes());
        truncate(&hasher.finalize())
    }
}
