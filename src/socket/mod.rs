//! Where the daemon listens: on a port, or on a Unix socket.

mod address;
mod inherited;
mod unix;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

pub use address::Address;
pub use inherited::{InheritError, Inherited};
pub use unix::SocketFile;

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// A bound socket on which connections come.
#[derive(Debug)]
pub enum Socket {
    /// On a port.
    Tcp(TcpListener, Origin),
    /// On a file.
    Unix(UnixListener, Origin),
}

/// Who made a socket.
#[derive(Debug)]
pub enum Origin {
    /// This process, with the file that goes when this goes, if there is one.
    Bound(Option<SocketFile>),
    /// A service manager, which keeps it and gives it to the next process, too.
    Inherited,
}

impl Socket {
    /// Listens at `address`; a file for it gets these permissions.
    ///
    /// # Errors
    /// When the system refuses, or something is there already.
    pub fn bind(address: &Address, mode: u32) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                // Listening again only makes room: with the usual 128, a burst of connections makes
                // probes wait for a second, until their client tries again.
                rustix::net::listen(&listener, BACKLOG)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener, Origin::Bound(None)))
            }
            Address::Unix(path) => {
                let (listener, file) = unix::bind(path, mode)?;
                Ok(Self::Unix(listener, Origin::Bound(Some(file))))
            }
        }
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell, or it is a socket without a path.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().map(Address::Tcp),
            Self::Unix(listener, _) => match listener.local_addr()?.as_pathname() {
                Some(path) => Ok(Address::Unix(path.to_owned())),
                None => Err(io::Error::other("the socket has no path")),
            },
        }
    }
}
