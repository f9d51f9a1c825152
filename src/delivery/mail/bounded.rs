//! The connection to a mail server, in the form that the library wants. It reads a line to its end
//! before it looks at its length.

use std::io;
use std::net::SocketAddr;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{Allowance, Capped};

/// Bytes that a server may say while a mail is handed in.
const ANSWERS: usize = 256 * 1024;

/// A connection of which no more than that is read.
pub(super) fn bounded<S>(stream: S) -> Capped<S> {
    let allowance = Allowance::new(ANSWERS);
    Capped { stream, allowance }
}

impl AsyncTokioStream for Capped<TcpStream> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncTokioStream for Capped<TlsStream<TcpStream>> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().0.peer_addr()
    }
}
