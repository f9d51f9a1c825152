//! A listener and its connections, whatever kind they are.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Peer;
use crate::socket::{Origin, Socket};

/// Where connections come from.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    /// Its file goes when this goes.
    origin: Origin,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection as the kernel has it.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Must be called inside the runtime that is to serve it.
    pub fn of(socket: Socket) -> io::Result<Self> {
        let (kind, origin) = match socket {
            Socket::Tcp(listener, origin) => (Kind::Tcp(TcpListener::from_std(listener)?), origin),
            Socket::Unix(listener, origin) => {
                (Kind::Unix(UnixListener::from_std(listener)?), origin)
            }
        };
        Ok(Self { kind, origin })
    }

    /// Whether connections that this process does not take wait for the next one.
    pub fn is_kept(&self) -> bool {
        matches!(self.origin, Origin::Inherited)
    }

    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // An answer is written as a whole: waiting for more would only delay it.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), address.into()))
            }
            Kind::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}

/// The same for whichever stream it is.
macro_rules! either {
    ($either:expr, $stream:pat => $result:expr) => {
        match $either {
            Stream::Tcp($stream) => $result,
            Stream::Unix($stream) => $result,
        }
    };
}

impl Stream {
    /// As the method of either kind.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        either!(self, stream => stream.ready(interest).await)
    }

    /// As the method of either kind.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        io: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        either!(self, stream => stream.try_io(interest, io))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
