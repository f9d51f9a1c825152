//! A connection in memory.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client sends in pieces of one size; then it is silent.
pub struct Client {
    left: Vec<u8>,
    at: usize,
    piece: usize,
    answers: Arc<Mutex<Vec<u8>>>,
}

impl Client {
    /// Sends `bytes`, at most `piece` at a time or, if that is 0, as much as is taken; `answers`
    /// gets all that comes back.
    pub fn new(bytes: &[u8], piece: usize, answers: Arc<Mutex<Vec<u8>>>) -> Self {
        Self {
            left: bytes.to_vec(),
            at: 0,
            piece: if piece == 0 { usize::MAX } else { piece },
            answers,
        }
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.left[self.at..];
        if rest.is_empty() {
            // Nothing wakes the reader but its own deadline.
            return Poll::Pending;
        }
        let taken = rest.len().min(self.piece).min(buf.remaining());
        buf.put_slice(&rest[..taken]);
        self.at += taken;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answers
            .lock()
            .expect("one thread")
            .extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
