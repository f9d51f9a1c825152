//! Waiting for the first request of a connection while its bytes stay in the kernel.
//!
//! The HTTP implementation takes up to 16 KiB of memory from the first byte of a head on. Thousands
//! of clients that never send the rest of it must not have that.

use std::io;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;

use super::stream::Stream;

/// What a record of TLS begins with: its kind, and the first half of its version.
const HANDSHAKE: u8 = 22;
const TLS: u8 = 3;

/// Bytes of a head that are looked at; a longer one is left to the HTTP implementation.
const LOOKED_AT: usize = 4 * 1024;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The head of a request.
    Head,
    /// A client's first message of TLS.
    Hello,
}

/// Waits until there is something to do: the whole of what comes first, the start of a long one,
/// what can be no such thing, or the end of the connection.
pub async fn awaited(stream: &Stream, first: First) -> io::Result<()> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // "Would block" makes the next turn of the loop wait for more bytes.
        let looked = stream.try_io(Interest::READABLE, || {
            let mut bytes = [0; LOOKED_AT];
            let (_, found) = recv(stream, &mut bytes, RecvFlags::PEEK)?;
            let more_may_come = found > 0 && found < LOOKED_AT && !ready.is_read_closed();
            match more_may_come && first.is_partial(&bytes[..found]) {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        match looked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// Whether a part of a request is there.
pub fn begun(stream: &Stream) -> bool {
    recv(stream, &mut [0; 1], RecvFlags::PEEK).is_ok_and(|(_, found)| found > 0)
}

impl First {
    fn is_partial(self, bytes: &[u8]) -> bool {
        match self {
            Self::Head => is_partial(bytes),
            Self::Hello => is_partial_hello(bytes),
        }
    }
}

/// Whether this is a record of TLS with a part of a handshake, up to here.
fn is_partial_hello(bytes: &[u8]) -> bool {
    match bytes {
        [HANDSHAKE, TLS, _, high, low, rest @ ..] => {
            rest.len() < usize::from(u16::from_be_bytes([*high, *low]))
        }
        [HANDSHAKE] | [HANDSHAKE, TLS, ..] => true,
        _ => false,
    }
}

/// Whether this is a head up to here. It is what the HTTP implementation asks, too.
fn is_partial(bytes: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; super::MAX_HEADERS];
    httparse::Request::new(&mut headers)
        .parse(bytes)
        .is_ok_and(|status| status.is_partial())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_of_a_hello_is_worth_waiting_for() {
        for (partial, bytes) in [
            (true, &[22][..]),
            (true, &[22, 3]),
            (true, &[22, 3, 1, 0]),
            (true, &[22, 3, 1, 0, 2]),
            (true, &[22, 3, 3, 0, 2, 1]),
            (false, &[22, 3, 1, 0, 2, 1, 0]),
            (false, &[22, 3, 1, 0, 2, 1, 0, 22]),
            (false, &[22, 2]),
            (false, &[21, 3, 1, 0, 2]),
            (false, b"GET / HTTP"),
            (false, b"G"),
        ] {
            assert_eq!(is_partial_hello(bytes), partial, "{bytes:?}");
        }
    }

    #[test]
    fn only_the_start_of_a_head_is_worth_waiting_for() {
        for (partial, bytes) in [
            (true, "G"),
            (true, "\r\n"),
            (true, "\r\n\r\n"),
            (true, "GET / HTTP/1.1\r\nHost: x\r\n"),
            (true, "GET / HTTP/1.1\nHost: x\n"),
            (false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (false, "GET / HTTP/1.1\nHost: x\n\n"),
            (false, "GET / HTTP/1.0\r\n\r\nGET "),
            (false, "\0"),
            (true, "GET / HTTP/1.1\r\nHost"),
            (false, "GET / HTTP/1.1\r\nA b\r\n"),
            (false, "GET / HTTP/3.1\r\n"),
        ] {
            assert_eq!(is_partial(bytes.as_bytes()), partial, "{bytes:?}");
        }
    }
}
