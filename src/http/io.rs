//! The connection under hyper: a deadline for clients that do not read, a look at what they send, and
//! an answer also for those that stop sending once they have asked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::framing::Heads;
use super::talk::Talk;

/// For a client to stop sending after its last answer.
const LINGER: Duration = Duration::from_secs(2);

/// A connection whose answers must be taken within a deadline.
#[derive(Debug)]
pub struct Guarded<S> {
    stream: S,
    heads: Heads,
    talk: Talk,
    /// Whether the client has stopped sending, which hyper takes for a client that is gone.
    silent: bool,
    timeout: Duration,
    /// Runs from the first byte of an answer that the client does not take.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Whether an answer went out after all that came was read.
    answered: bool,
    /// Whether the client was told that nothing more follows.
    ended: bool,
}

impl<S> Guarded<S> {
    /// Watches over `stream`.
    pub fn new(stream: S, timeout: Duration, talk: Talk) -> Self {
        Self {
            stream,
            heads: Heads::new(talk.ambiguous().clone()),
            talk,
            silent: false,
            timeout,
            deadline: None,
            answered: false,
            ended: false,
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

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Told once the answer is out: `poll_flush` wakes for that.
        if self.silent && self.talk.owes_answer() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        let came = &buf.filled()[before..];
        self.heads.read(came);
        match poll {
            Poll::Pending => self.answered = false,
            Poll::Ready(Ok(()))
                if came.is_empty() && self.heads.are_whole() && self.talk.owes_answer() =>
            {
                self.silent = true;
                self.talk.end();
                return Poll::Pending;
            }
            Poll::Ready(_) => {}
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.answered = true;
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
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.answered = true;
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
        if poll.is_ready() && self.talk.sent() && self.silent {
            cx.waker().wake_by_ref();
        }
        self.watched(cx, poll)
    }

    /// Ends the answers, then reads away what still comes behind the last one: to close on it would
    /// reset the connection, and answers still under way would be lost (RFC 9112, section 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.watched(cx, poll))?;
            self.ended = true;
            self.deadline = Some(Box::pin(tokio::time::sleep(LINGER.min(self.timeout))));
        }
        let mut unread = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut unread);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.answered = true,
                Poll::Pending if self.answered => {
                    return self
                        .watched(cx, Poll::Pending)
                        .map(|_: io::Result<()>| Ok(()));
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
