//! A look at the bytes of a connection that the parser does not pass on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Both names by which a request says where it ends.
const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// Whether a head with a length and a transfer coding came on a connection.
///
/// hyper accepts such a request and hides the length; it is how smuggling starts, so it must be
/// seen. Requests that were sent together are read together: which of them it is cannot be told.
#[derive(Clone, Debug, Default)]
pub struct Ambiguous(Arc<AtomicBool>);

impl Ambiguous {
    /// Whether one came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Watches the lines of a connection, in the same memory however many come.
#[derive(Debug, Default)]
pub struct Lines {
    found: Ambiguous,
    /// The first bytes of the line that is being read.
    line: [u8; CODING.len()],
    filled: usize,
    /// What the lines since the last empty one had.
    length: bool,
    coding: bool,
}

impl Lines {
    /// Tells what it finds to `found`.
    pub fn new(found: Ambiguous) -> Self {
        Self {
            found,
            ..Self::default()
        }
    }

    /// The next bytes that came.
    pub fn read(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let taken = piece.len().min(self.line.len() - self.filled);
            self.line[self.filled..][..taken].copy_from_slice(&piece[..taken]);
            self.filled += taken;
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = &self.line[..std::mem::take(&mut self.filled)];
        if matches!(line, b"\n" | b"\r\n") {
            (self.length, self.coding) = (false, false);
            return;
        }
        let named = |name: &[u8]| {
            line.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        self.length |= named(LENGTH);
        self.coding |= named(CODING);
        if self.length && self.coding {
            self.found.0.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambiguous(bytes: &[u8], at_a_time: usize) -> bool {
        let found = Ambiguous::default();
        let mut lines = Lines::new(found.clone());
        bytes.chunks(at_a_time).for_each(|piece| lines.read(piece));
        found.came()
    }

    #[test]
    fn both_names_in_one_head_are_seen_wherever_it_is_cut() {
        for (expected, text) in [
            (
                true,
                "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                true,
                "POST / HTTP/1.1\nTRANSFER-ENCODING:chunked\nX: y\ncontent-length:5\n\n",
            ),
            (
                true,
                "GET / HTTP/1.1\r\n\r\nabcPOST / HTTP/1.1\r\nContent-Length:\r\nTransfer-Encoding:\r\n\r\n",
            ),
            (
                false,
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                false,
                "POST / HTTP/1.1\r\nX-Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (
                false,
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length\r\n\r\n",
            ),
        ] {
            for at_a_time in [1, 2, 3, 7, 18, 1000] {
                assert_eq!(
                    ambiguous(text.as_bytes(), at_a_time),
                    expected,
                    "{text:?} by {at_a_time}"
                );
            }
        }
    }
}
