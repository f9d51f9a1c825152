//! The connection under hyper: a deadline for clients that do not read, and a look at the bytes of
//! a request's head.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Bytes of a head that are looked at.
const WINDOW: usize = 16 * 1024;

/// The bytes that came since the last answer went out.
///
/// hyper accepts a request that has both a length and a transfer encoding, and hides the length;
/// such a request is how smuggling starts, so it must be seen.
#[derive(Clone, Debug, Default)]
pub struct Window(Arc<Mutex<Vec<u8>>>);

impl Window {
    /// Whether a line of the head starts with this name (lower case, with its colon).
    pub fn has_line(&self, name: &str) -> bool {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or(bytes.len());
        bytes[..end].split(|&byte| byte == b'\n').any(|line| {
            line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        })
    }

    fn record(&self, bytes: &[u8]) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = WINDOW.saturating_sub(window.len());
        window.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// A TCP connection whose answers must be taken within a deadline.
#[derive(Debug)]
pub struct Guarded {
    stream: TcpStream,
    window: Window,
    timeout: Duration,
    /// Runs from the first byte of an answer that the client does not take.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    /// Watches over `stream`.
    pub fn new(stream: TcpStream, timeout: Duration, window: Window) -> Self {
        Self {
            stream,
            window,
            timeout,
            deadline: None,
        }
    }

    /// Turns "not yet" into an error once the deadline is over. Progress does not move the
    /// deadline: a client that takes a byte now and then is as slow as one that takes none.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            return poll;
        }
        let until = Instant::now() + self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read",
        )))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() {
            self.window.record(&buf.filled()[before..]);
        }
        poll
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.window.clear();
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if matches!(poll, Poll::Ready(Ok(written)) if written == buf.len()) {
            self.deadline = None;
        }
        self.watched(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.window.clear();
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if matches!(poll, Poll::Ready(Ok(written)) if written == total) {
            self.deadline = None;
        }
        self.watched(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(cx, poll)
    }
}
