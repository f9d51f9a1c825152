//! A hash for keys that are digests.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Hashes names, which are digests already: one multiplication by numbers that nobody outside knows,
/// so that nobody can look for names that come to lie in one place.
#[derive(Clone, Debug)]
pub(super) struct Keyed([u64; 2]);

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self([0_u8, 1].map(|n| random.hash_one(n)))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded {
            key: self.0,
            hash: 0,
        }
    }
}

pub(super) struct Folded {
    key: [u64; 2],
    hash: u64,
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        for name in bytes.chunks(16) {
            let mut whole = [0; 16];
            whole[..name.len()].copy_from_slice(name);
            let whole = u128::from_le_bytes(whole) ^ join(self.key);
            let product = u128::from(low(whole)) * u128::from(low(whole >> 64));
            self.hash = self.hash.rotate_left(5) ^ low(product) ^ low(product >> 64);
        }
    }

    /// All names have the same.
    fn write_usize(&mut self, _length: usize) {}
}

fn join([high, low]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is wanted"
)]
fn low(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_apart_and_elsewhere_in_each_map() {
        let (one, other) = (Keyed::default(), Keyed::default());
        let digest = |n: u32| *blake3::hash(&n.to_le_bytes()).as_bytes();
        let names = || {
            (0..4096)
                .map(digest)
                .map(|all| -> [u8; 16] { all[..16].try_into().expect("a digest is longer") })
        };
        let places = |keys: &Keyed| {
            let places = names().map(|id| keys.hash_one(id) % 4096);
            places.collect::<std::collections::BTreeSet<_>>().len()
        };
        // Random places would be 2,589 different ones.
        assert!(places(&one) > 2400, "{}", places(&one));
        let same = names().filter(|id| one.hash_one(id) == other.hash_one(id));
        assert_eq!(same.count(), 0);
    }
}
