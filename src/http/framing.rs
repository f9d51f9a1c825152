//! A look at the bytes of a connection that the parser does not pass on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Both names by which a request says where it ends.
const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// Bytes of a line that are kept: enough for a length of any size, and for the one transfer coding.
const KEPT: usize = 64;

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

/// What the next bytes of a connection are. Only what is read by everybody in the same way is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum At {
    /// Lines of a head.
    #[default]
    Head,
    /// So many bytes of a body, then a head.
    Body(u64),
    /// The line with the size of a chunk.
    Size,
    /// So many bytes of a chunk, then the end of its line.
    Chunk(u64),
    /// The end of a chunk's line.
    ChunkEnd,
    /// The line behind the last chunk.
    End,
    /// Anything, since something odd came: each line is looked at as if it were a head's.
    Lost,
}

/// Watches the heads of a connection, in the same memory however many come.
#[derive(Debug)]
pub struct Heads {
    found: Ambiguous,
    at: At,
    /// The first bytes of the line that is being read, and how many there were.
    line: [u8; KEPT],
    filled: usize,
    /// Whether this head has begun.
    begun: bool,
    /// What the lines of this head said.
    length: Stated,
    coding: Stated,
}

/// What a head says of where its body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stated {
    /// Nothing.
    #[default]
    Not,
    /// After so many bytes.
    Bytes(u64),
    /// With the last chunk.
    Chunks,
    /// Something that may be read in two ways.
    Oddly,
}

impl Heads {
    /// Tells what it finds to `found`.
    pub fn new(found: Ambiguous) -> Self {
        Self {
            found,
            at: At::default(),
            line: [0; KEPT],
            filled: 0,
            begun: false,
            length: Stated::Not,
            coding: Stated::Not,
        }
    }

    /// Whether all requests that came are whole. One of which that cannot be told is none.
    pub fn are_whole(&self) -> bool {
        self.at == At::Head && self.filled == 0 && !self.begun
    }

    /// The next bytes that came.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let At::Body(left) | At::Chunk(left) = self.at {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                bytes = &bytes[taken..];
                self.at = match (self.at, left - taken as u64) {
                    (At::Body(_), 0) => At::Head,
                    (At::Body(_), left) => At::Body(left),
                    (_, 0) => At::ChunkEnd,
                    (_, left) => At::Chunk(left),
                };
                continue;
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            bytes = rest;
            let start = self.filled.min(KEPT);
            let kept = piece.len().min(KEPT - start);
            self.line[start..][..kept].copy_from_slice(&piece[..kept]);
            self.filled += piece.len();
            if end.is_some() {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        let line = self.line;
        let line = &line[..filled.min(KEPT)];
        match self.at {
            At::Head | At::Lost => self.line_of_head(line, filled <= KEPT),
            At::Size => self.at = chunk(line),
            At::ChunkEnd if line == b"\r\n" => self.at = At::Size,
            At::End if line == b"\r\n" => self.at = At::Head,
            _ => self.at = At::Lost,
        }
    }

    fn line_of_head(&mut self, line: &[u8], is_whole: bool) {
        self.begun = !matches!(line, b"\n" | b"\r\n");
        if !self.begun {
            let length = std::mem::take(&mut self.length);
            let coding = std::mem::take(&mut self.coding);
            self.at = match (self.at, length, coding) {
                (At::Head, Stated::Not | Stated::Bytes(0), Stated::Not) => At::Head,
                (At::Head, Stated::Bytes(length), Stated::Not) => At::Body(length),
                (At::Head, Stated::Not, Stated::Chunks) => At::Size,
                _ => At::Lost,
            };
            return;
        }
        let value = |name: &[u8]| {
            let (start, value) = line.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
        };
        if let Some(value) = value(LENGTH) {
            self.length = match number(value, 10) {
                Some(length) if is_whole && self.length == Stated::Not => Stated::Bytes(length),
                _ => Stated::Oddly,
            };
        }
        if let Some(value) = value(CODING) {
            let is_chunked = is_whole && value.eq_ignore_ascii_case(b"chunked");
            self.coding = match is_chunked && self.coding == Stated::Not {
                true => Stated::Chunks,
                false => Stated::Oddly,
            };
        }
        if self.length != Stated::Not && self.coding != Stated::Not {
            self.found.0.store(true, Ordering::Relaxed);
        }
    }
}

/// What follows on the line with a chunk's size.
fn chunk(line: &[u8]) -> At {
    // With anything but its size on it, it may be read in two ways.
    let size = line.strip_suffix(b"\r\n");
    match size.and_then(|size| number(size, 16)) {
        Some(0) => At::End,
        Some(size) => At::Chunk(size),
        None => At::Lost,
    }
}

/// Digits and nothing else.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let are_digits = digits.iter().all(|&byte| char::from(byte).is_digit(radix));
    let digits = std::str::from_utf8(digits).ok().filter(|_| are_digits)?;
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambiguous(bytes: &[u8], at_a_time: usize) -> bool {
        let found = Ambiguous::default();
        let mut heads = Heads::new(found.clone());
        bytes.chunks(at_a_time).for_each(|piece| heads.read(piece));
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
    /// Two lengths, as they would be in a head.
    const BOTH: &str = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";

    fn chunked(chunks: &str) -> String {
        format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n{chunks}")
    }

    fn in_all_pieces(text: &str) -> bool {
        let all = [1, 2, 3, 7, 18, 1000].map(|at_a_time| ambiguous(text.as_bytes(), at_a_time));
        assert_eq!(all, [all[0]; 6], "{text:?}");
        all[0]
    }

    #[test]
    fn a_body_is_no_head_whatever_is_in_it() {
        let size = BOTH.len();
        let chunk = format!("{size:x}\r\n{BOTH}\r\n0\r\n\r\n");
        let plain = format!("POST / HTTP/1.1\r\ncontent-length: {size}\r\n\r\n{BOTH}");
        for text in [chunked(&chunk), plain] {
            assert!(!in_all_pieces(&text), "{text:?}");
            let twice = text.clone() + &chunked(&chunk);
            assert!(!in_all_pieces(&twice), "{twice:?}");
            let then = format!("{text}POST / HTTP/1.1\r\n{BOTH}\r\n");
            assert!(in_all_pieces(&then), "{then:?}");
        }
    }

    #[test]
    fn requests_are_whole_at_their_last_byte_only() {
        let sized = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        let texts = [
            "GET / HTTP/1.1\nHost: x\n\n".to_owned(),
            sized.to_owned(),
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
            chunked("2\r\n{}\r\n1\r\n \r\n0\r\n\r\n"),
        ];
        for text in texts {
            let mut heads = Heads::new(Ambiguous::default());
            assert!(heads.are_whole());
            for (n, byte) in text.bytes().enumerate() {
                heads.read(&[byte]);
                assert_eq!(heads.are_whole(), n + 1 == text.len(), "{text:?} after {n}");
            }
        }
        let mut lost = Heads::new(Ambiguous::default());
        lost.read(chunked("2;odd\r\n{}\r\n0\r\n\r\n").as_bytes());
        assert!(!lost.are_whole());
    }

    #[test]
    fn where_a_body_ends_is_followed_only_if_everybody_agrees() {
        let hidden = format!("POST / HTTP/1.1\r\n{BOTH}\r\n");
        let long = "0".repeat(64);
        let lengths = ["+99", "0x99", "99, 99", "99 99", "", "-1", &long];
        let lengths =
            lengths.map(|length| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"));
        let twice =
            ["POST / HTTP/1.1\r\nContent-Length: 99\r\nContent-Length: 99\r\n\r\n".to_owned()];
        let sizes = [
            "ff;a=b\r\n",
            "ff \r\n",
            "ff\n",
            "+ff\r\n",
            "0xff\r\n",
            "\r\n",
            "1\r\nab",
            "0\r\nx: y\r\n",
        ];
        let sizes = sizes.map(chunked);
        let coding =
            ["POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\nff\r\n".to_owned()];
        for text in lengths.into_iter().chain(twice).chain(sizes).chain(coding) {
            assert!(!in_all_pieces(&text), "{text:?}");
            // Once lost, it is found wherever it may be.
            assert!(
                in_all_pieces(&(text.clone() + "\r\n" + &hidden)),
                "{text:?}"
            );
        }
    }
}
