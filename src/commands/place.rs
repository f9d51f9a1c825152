//! Where a running daemon is.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::config::redacted;
use crate::socket::Address;
use crate::tls::Tls;

/// Where a listener of a running daemon is.
#[derive(Clone, Debug)]
pub struct Place {
    /// What requests name; on a Unix socket its host says nothing.
    pub base: Url,
    /// The socket, if it is not the host of `base` that is asked.
    pub socket: Option<PathBuf>,
    /// The certificate that the daemon has by the same settings.
    pub tls: Option<Tls>,
}

impl Place {
    /// What listens at this address of this machine, unless only the system knows its port.
    pub fn of(address: &Address, tls: Option<&Tls>) -> Option<Self> {
        let reachable = address.reachable()?;
        let scheme = tls.map_or("http", |_| "https");
        Some(Self {
            base: Url::parse(&format!("{scheme}://{}", reachable.authority())).ok()?,
            socket: reachable.path().map(Into::into),
            tls: tls.cloned(),
        })
    }

    /// Reads a URL, or `unix:` and the path of a socket.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at_socket = match Address::parse(text) {
            Some(unix @ Address::Unix(_)) => Self::of(&unix, None),
            _ => None,
        };
        let at_url = || {
            let base = Url::parse(text).ok()?;
            (matches!(base.scheme(), "http" | "https") && base.has_host()).then_some(Self {
                base,
                socket: None,
                tls: None,
            })
        };
        at_socket.or_else(at_url).ok_or_else(|| {
            "expected a URL such as http://127.0.0.1:8000, or unix:/path/of/a/socket".to_owned()
        })
    }
}

/// Without a password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => Address::Unix(path.clone()).fmt(f),
            None => f.write_str(redacted(&self.base).trim_end_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_or_a_socket() {
        for text in [
            "http://192.0.2.1:8000",
            "https://mlp.example/at",
            "unix:/run/mlp.sock",
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "unix:mlp.sock", "ftp://x", "127.0.0.1:8000", "http://"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
        let told = Place::parse("http://me:s3cret@192.0.2.1")
            .unwrap()
            .to_string();
        assert!(!told.contains("s3cret"), "{told}");
    }
}
