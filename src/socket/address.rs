//! What a listener's address looks like.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// What the address of a Unix socket begins with.
const UNIX: &str = "unix:";
/// Bytes of a socket's path: one less than the system has room for, as it ends with a zero.
const LONGEST_PATH: usize = 107;

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A file, for processes of this machine.
    Unix(PathBuf),
}

impl Address {
    /// Reads `unix:` and an absolute path, or an address with a port, whose name must resolve.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let fits = path.len() <= LONGEST_PATH && !path.contains('\0');
            let names_file = path.starts_with('/') && !path.ends_with('/');
            return (fits && names_file).then(|| Self::Unix(path.into()));
        }
        let resolved = || text.to_socket_addrs().ok()?.next();
        text.parse().ok().or_else(resolved).map(Self::Tcp)
    }

    /// Whether only processes of this machine reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether no two listeners can be at both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                let any = one.ip().is_unspecified() || other.ip().is_unspecified();
                one.port() != 0 && one.port() == other.port() && (any || one.ip() == other.ip())
            }
            (Self::Unix(one), Self::Unix(other)) => one == other,
            _ => false,
        }
    }

    /// Where a program on this machine reaches what listens here; none where the system is to
    /// choose the port.
    #[must_use]
    pub fn reachable(&self) -> Option<Self> {
        match self {
            Self::Tcp(address) if address.port() == 0 => None,
            Self::Tcp(address) if address.ip().is_unspecified() => {
                let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
                Some(Self::Tcp(SocketAddr::new(ip, address.port())))
            }
            _ => Some(self.clone()),
        }
    }

    /// The file of a Unix socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(path) => Some(path),
        }
    }

    /// What a URL names as its host. A Unix socket has none, so any will do.
    #[must_use]
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in ["127.0.0.1:80", "[::1]:0", "unix:/run/mlp/public.sock"] {
            assert_eq!(address(text).to_string(), text);
        }
        let longest = format!("unix:/{}", "x".repeat(106));
        assert_eq!(address(&longest).to_string(), longest);
        let too_long = format!("{longest}x");
        for text in [
            "",
            "unix:",
            "unix:/",
            "unix:run/mlp.sock",
            "unix:@mlp",
            "unix:/run/mlp/",
            "unix:/run/\0",
            "/run/mlp.sock",
            "127.0.0.1",
            &too_long,
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_unix_socket_is_as_local_as_loopback() {
        for (local, text) in [
            (true, "127.0.0.1:80"),
            (true, "[::1]:80"),
            (true, "unix:/run/mlp.sock"),
            (false, "0.0.0.0:80"),
            (false, "192.0.2.1:80"),
        ] {
            assert_eq!(address(text).is_local(), local, "{text}");
        }
    }

    #[test]
    fn one_place_has_one_listener() {
        for (overlap, one, other) in [
            (true, "127.0.0.1:80", "0.0.0.0:80"),
            (true, "127.0.0.1:80", "127.0.0.1:80"),
            (false, "127.0.0.1:0", "127.0.0.1:0"),
            (false, "127.0.0.1:80", "127.0.0.2:80"),
            (true, "unix:/a", "unix:/a"),
            (false, "unix:/a", "unix:/b"),
            (false, "unix:/a", "127.0.0.1:80"),
        ] {
            let (one, other) = (address(one), address(other));
            assert_eq!(one.overlaps(&other), overlap, "{one} {other}");
            assert_eq!(other.overlaps(&one), overlap, "{other} {one}");
        }
    }

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        let reachable = |text| address(text).reachable().map(|found| found.to_string());
        assert_eq!(reachable("0.0.0.0:80").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(reachable("192.0.2.1:80").as_deref(), Some("192.0.2.1:80"));
        assert_eq!(reachable("unix:/a").as_deref(), Some("unix:/a"));
        assert_eq!(reachable("0.0.0.0:0"), None);
    }
}
