//! A connection that ends when an answer is larger than answers are, for libraries that read on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes may still be read, shared by a connection and whoever sends on it.
#[derive(Clone, Debug)]
pub struct Allowance {
    cap: usize,
    left: Arc<AtomicUsize>,
}

impl Allowance {
    /// `cap` bytes until it is renewed.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        let left = Arc::new(AtomicUsize::new(cap));
        Self { cap, left }
    }

    /// As many bytes as at first may come.
    pub fn renew(&self) {
        self.left.store(self.cap, Ordering::Relaxed);
    }

    /// Whether more came than may.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(bytes);
        self.left.store(left, Ordering::Relaxed);
        left > 0
    }
}

/// The connection itself, of which no more is read than is allowed.
#[derive(Debug)]
pub struct Capped<S> {
    /// The connection.
    pub stream: S,
    /// What may still be read.
    pub allowance: Allowance,
}

impl<S: AsyncRead + Unpin> AsyncRead for Capped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = buf.filled().len() - before;
        Poll::Ready(match self.allowance.take(came) {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Capped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
