//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};

/// Who is at the other end of a connection; every request carries it among its extensions.
///
/// An address is personal data: it must not reach logs, spans, metrics or errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A client, or the proxy before it, at this address. An IPv4 address is told as one, also
    /// where the listener is an IPv6 one.
    Ip(IpAddr),
    /// A process of this machine, on a Unix socket.
    Unix,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address.ip().to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_on_either_kind_of_listener() {
        let peer = |text: &str| Peer::from(text.parse::<SocketAddr>().unwrap());
        assert_eq!(peer("[::ffff:192.0.2.1]:1"), peer("192.0.2.1:2"));
        assert_ne!(peer("[2001:db8::1]:1"), peer("192.0.2.1:1"));
    }
}
