//! Reads a list as it arrives, and keeps no more of it than is needed.

use bytes::Bytes;

use crate::client::{Body, Buffer, CallError};
use crate::domain::matchlist::{BLOCK, Digests};

/// What was read.
#[derive(Debug)]
pub(super) enum ListBody {
    /// The whole list.
    Whole(Bytes, Digests),
    /// The one that is known.
    Known {
        /// Its bytes.
        length: usize,
    },
    /// Not the one that is known, and its beginning, which is the same, was not kept.
    Lost,
}

/// Reads a list. Blocks that are as in `known` are let go of, so that a long list that did not
/// change takes no memory; of a list that is shorter than a block nothing is.
pub(super) async fn read(mut body: Body, known: Option<&Digests>) -> Result<ListBody, CallError> {
    let mut reader = Reader::new(body.buffer(), known);
    while let Some(piece) = body.next().await? {
        reader.append(&piece)?;
        if reader.lost && reader.known.is_none() {
            return Ok(ListBody::Lost);
        }
    }
    Ok(reader.end())
}

struct Reader<'a> {
    buffer: Buffer,
    /// Where the block that is arriving begins in the buffer.
    start: usize,
    digests: Digests,
    /// As long as every block was as in it.
    known: Option<&'a Digests>,
    /// Whether a block was let go of.
    lost: bool,
}

impl<'a> Reader<'a> {
    fn new(buffer: Buffer, known: Option<&'a Digests>) -> Self {
        Self {
            buffer,
            start: 0,
            digests: Digests::default(),
            known,
            lost: false,
        }
    }

    fn append(&mut self, mut piece: &[u8]) -> Result<(), CallError> {
        while !piece.is_empty() {
            let room = BLOCK - self.block().len();
            let (now, later) = piece.split_at(room.min(piece.len()));
            self.buffer.append(now)?;
            if now.len() == room {
                self.end_block();
            }
            piece = later;
        }
        Ok(())
    }

    fn block(&self) -> &[u8] {
        &self.buffer.bytes()[self.start..]
    }

    fn end_block(&mut self) {
        self.digests.push(&self.buffer.bytes()[self.start..]);
        self.known = self.known.filter(|known| self.digests.last_is_in(known));
        if self.known.is_some() {
            self.buffer.clear();
            self.lost = true;
        }
        self.start = self.buffer.bytes().len();
    }

    fn end(mut self) -> ListBody {
        if !self.block().is_empty() {
            self.digests.push(&self.buffer.bytes()[self.start..]);
        }
        if self.known == Some(&self.digests) {
            let length = self.digests.length();
            ListBody::Known { length }
        } else if self.lost {
            ListBody::Lost
        } else {
            ListBody::Whole(self.buffer.into_bytes(), self.digests)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the pieces that a list comes in; no divisor of a block.
    const PIECE: usize = 300_007;

    fn bytes(length: usize) -> Vec<u8> {
        (0..=250).cycle().take(length).collect()
    }

    fn with_other(mut list: Vec<u8>, at: usize) -> Vec<u8> {
        list[at] ^= 1;
        list
    }

    fn read_all(list: &[u8], known: Option<&Digests>) -> ListBody {
        let mut reader = Reader::new(Buffer::new(None, usize::MAX >> 1), known);
        for piece in list.chunks(PIECE) {
            reader.append(piece).unwrap();
        }
        reader.end()
    }

    #[test]
    fn a_list_is_kept_unless_it_is_known() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK - 5] {
            let list = bytes(length);
            let ListBody::Whole(body, digests) = read_all(&list, None) else {
                panic!("nothing is known: {length}");
            };
            assert!(body == list, "{length}");
            assert_eq!(digests, Digests::of(&list), "{length}");
            let again = read_all(&list, Some(&digests));
            assert!(
                matches!(again, ListBody::Known { length: l } if l == length),
                "{length}"
            );
        }
    }

    #[test]
    fn a_list_that_differs_is_whole_or_lost() {
        let known = bytes(2 * BLOCK + 9);
        for (other, lost) in [
            (with_other(known.clone(), 0), false),
            (with_other(known.clone(), BLOCK - 1), false),
            (with_other(known.clone(), BLOCK), true),
            (with_other(known.clone(), 2 * BLOCK + 8), true),
            (bytes(2 * BLOCK + 10), true),
            (bytes(2 * BLOCK + 8), true),
            (bytes(2 * BLOCK), true),
            (bytes(BLOCK), true),
            (bytes(BLOCK - 1), false),
            (Vec::new(), false),
        ] {
            let what = other.len();
            match read_all(&other, Some(&Digests::of(&known))) {
                ListBody::Whole(body, _) => assert!(!lost && body == other, "{what}"),
                ListBody::Lost => assert!(lost, "{what}"),
                ListBody::Known { .. } => panic!("{what} is not known"),
            }
        }
    }

    #[test]
    fn digests_tell_lists_apart() {
        let list = bytes(BLOCK + 1);
        for other in [
            with_other(list.clone(), 0),
            with_other(list.clone(), BLOCK),
            bytes(BLOCK),
            bytes(BLOCK + 2),
            Vec::new(),
        ] {
            assert_ne!(Digests::of(&list).list(), Digests::of(&other).list());
        }
    }
}
