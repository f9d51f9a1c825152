//! The public listener.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::reader::{Form, Reader};
use super::source::Origin;
use super::tls;
use crate::socket::Address;
use crate::tls::Tls;

/// The public listener and its limits.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// From `LISTEN`, or from `HOST` and `PORT`.
    pub listen: Address,
    /// Which of them it is from.
    pub listen_settings: &'static str,
    /// The public listener speaks TLS with this.
    pub tls: Option<Tls>,
    /// One more listener for scrapers and probes.
    pub metrics_listen: Option<Address>,
    /// The permissions of a Unix socket's file.
    pub socket_mode: u32,
    /// Connections at a time, per listener.
    pub max_connections: usize,
    /// Whether somebody chose that number.
    pub is_max_chosen: bool,
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
        let (listen, listen_settings) = public(from);
        let tls = tls::read(from);
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
            listen,
            listen_settings,
            tls,
            header_timeout: seconds("HEADER_TIMEOUT_SECONDS"),
            body_timeout: seconds("BODY_TIMEOUT_SECONDS"),
            write_timeout: seconds("WRITE_TIMEOUT_SECONDS"),
            metrics_listen: from.optional("METRICS_LISTEN", LISTEN, Address::parse),
            socket_mode: socket_mode(from),
            is_max_chosen: from.raw("MAX_CONNECTIONS").is_some(),
            max_connections: usize::try_from(connections).unwrap_or(usize::MAX),
            max_body_bytes: usize::try_from(body).unwrap_or(usize::MAX),
        }
    }
}

/// What a listener's address must look like.
pub(super) const LISTEN: Form = Form {
    expected: "an address and a port, or unix: and the absolute path of a socket (107 bytes at most)",
    example: "127.0.0.1:9100",
};

/// Where the public listener is, and which settings say so.
fn public(from: &mut Reader<'_>) -> (Address, &'static str) {
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
        example: "unix:/run/match-list-processor/public.sock",
        ..LISTEN
    };
    let Some(listen) = from.optional("LISTEN", form, Address::parse) else {
        return (Address::Tcp(SocketAddr::new(host, port)), "HOST and PORT");
    };
    let is_inherited = from
        .raw("LISTEN")
        .is_some_and(|(_, origin)| origin == Origin::Inherited);
    for name in ["HOST", "PORT"] {
        if !is_inherited && from.raw(name).is_some() {
            let form = Form {
                expected: "unset where LISTEN is set",
                example: "LISTEN alone",
            };
            from.mistake(name, "is set, and so is LISTEN", form);
        }
    }
    (listen, "LISTEN")
}

fn socket_mode(from: &mut Reader<'_>) -> u32 {
    let form = Form {
        expected: "permissions in octal digits, from 0000 to 0777",
        example: "0660",
    };
    let octal = |text: &str| {
        let digits =
            (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits);
        mode.filter(|mode| *mode <= 0o777)
    };
    from.value("SOCKET_MODE", "0660", form, octal, 0o660)
}

fn host(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| Some((text, 0).to_socket_addrs().ok()?.next()?.ip()))
}
