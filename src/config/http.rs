//! The public listener.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::reader::{Form, Reader};

/// The public listener and its limits.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// From `HOST` and `PORT`.
    pub listen: SocketAddr,
    /// One more listener for scrapers and probes.
    pub metrics_listen: Option<SocketAddr>,
    /// Connections at a time, per listener.
    pub max_connections: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// For the head of a request, and for an idle connection.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a client to take its answer.
    pub write_timeout: Duration,
}

/// All interfaces.
const ANY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

impl HttpConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "an address or a host name",
            example: "0.0.0.0",
        };
        let host = from.value("HOST", "0.0.0.0", form, host, ANY);
        let form = Form {
            expected: "a port from 0 (any free one) to 65535",
            example: "8000",
        };
        let port = from.value("PORT", "8000", form, |text| text.parse().ok(), 8000);
        let form = Form {
            expected: "a whole number from 1 to 1000000",
            example: "16384",
        };
        let connections = from.number("MAX_CONNECTIONS", 16_384, 1..=1_000_000, form);
        let form = Form {
            expected: "bytes, from 1024 to 67108864",
            example: "1048576",
        };
        let body = from.number("MAX_BODY_BYTES", 1 << 20, 1024..=64 << 20, form);
        let form = Form {
            expected: "seconds, from 1 to 300",
            example: "10",
        };
        let mut seconds = |name| from.seconds(name, 10, 1..=300, form);
        Self {
            listen: SocketAddr::new(host, port),
            header_timeout: seconds("HEADER_TIMEOUT_SECONDS"),
            body_timeout: seconds("BODY_TIMEOUT_SECONDS"),
            write_timeout: seconds("WRITE_TIMEOUT_SECONDS"),
            metrics_listen: from.optional("METRICS_LISTEN", LISTEN, socket),
            max_connections: usize::try_from(connections).unwrap_or(usize::MAX),
            max_body_bytes: usize::try_from(body).unwrap_or(usize::MAX),
        }
    }
}

/// What a listener's address must look like.
pub(super) const LISTEN: Form = Form {
    expected: "an address and a port",
    example: "127.0.0.1:9100",
};

/// An address with a port; a name must resolve.
pub(super) fn socket(text: &str) -> Option<SocketAddr> {
    text.parse()
        .ok()
        .or_else(|| text.to_socket_addrs().ok()?.next())
}

fn host(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| Some((text, 0).to_socket_addrs().ok()?.next()?.ip()))
}
