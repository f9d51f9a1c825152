//! Whose request it is: that of whoever is at the other end, or of whom a trusted proxy names.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use super::peer::Peer;
use crate::config::Networks;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Addresses that are looked at; a chain of more proxies is none.
const MOST: usize = 32;

/// Whose request it is.
///
/// A proxy appends the address that it sees, so only what trusted ones have appended counts: the
/// right-most address that is no trusted proxy. What stands left of it is the client's own word. A
/// header that cannot be read counts for nothing.
pub fn client(peer: Peer, headers: &HeaderMap, proxies: &Networks) -> Peer {
    let trusted = match peer {
        Peer::Ip(address) => proxies.contain(address),
        Peer::Unix => proxies.unix,
    };
    if !trusted {
        return peer;
    }
    forwarded(headers, proxies).map_or(peer, Peer::Ip)
}

/// None where the header is not there or cannot be read. Where all that it names are proxies, the
/// first of them has asked by itself.
fn forwarded(headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let parts = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut last = None;
    for (n, part) in parts.enumerate() {
        if n == MOST {
            return None;
        }
        let address = address(part)?;
        if !proxies.contain(address) {
            return Some(address);
        }
        last = Some(address);
    }
    last
}

/// An address, with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let parsed = match bare {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok(),
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    Some(parsed.or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    /// Whose request it is that comes from there with these header lines; `-` for the Unix socket.
    fn of(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = Networks::parse("10.0.0.0/8,2001:db8::/32,unix").unwrap();
        let values = lines.iter().map(|line| {
            let value = http::HeaderValue::from_bytes(line).unwrap();
            (FORWARDED_FOR, value)
        });
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        let peer = match peer {
            "-" => Peer::Unix,
            address => Peer::Ip(address.parse().unwrap()),
        };
        match client(peer, &headers, &proxies) {
            Peer::Ip(address) => address.to_string(),
            Peer::Unix => "-".to_owned(),
        }
    }

    #[test]
    fn only_what_a_trusted_proxy_appended_counts() {
        for (peer, lines, whose) in [
            ("192.0.2.9", &[][..], "192.0.2.9"),
            // Nobody's proxy: it may say what it likes.
            ("192.0.2.9", &[&b"198.51.100.1"[..]], "192.0.2.9"),
            (PROXY, &[], PROXY),
            (PROXY, &[b"198.51.100.1"], "198.51.100.1"),
            // The client lied; the proxy appended where it came from.
            (PROXY, &[b"203.0.113.5, 198.51.100.1"], "198.51.100.1"),
            (PROXY, &[b"203.0.113.5", b"198.51.100.1"], "198.51.100.1"),
            (PROXY, &[b"10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            // Two proxies.
            (
                PROXY,
                &[b"203.0.113.5, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            (
                PROXY,
                &[b"198.51.100.1", b"10.0.0.2,10.0.0.3"],
                "198.51.100.1",
            ),
            // A proxy asks by itself.
            (PROXY, &[b"10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            ("-", &[b"198.51.100.1"], "198.51.100.1"),
            ("2001:db8::1", &[b"2001:db9::7"], "2001:db9::7"),
            (PROXY, &[b"[2001:db9::7]:443"], "2001:db9::7"),
            (PROXY, &[b"[2001:db9::7]"], "2001:db9::7"),
            (PROXY, &[b"198.51.100.1:5555"], "198.51.100.1"),
            (PROXY, &[b"::ffff:198.51.100.1"], "198.51.100.1"),
            // Disguised as somebody who is trusted.
            (PROXY, &[b"203.0.113.5, ::ffff:10.0.0.2"], "203.0.113.5"),
        ] {
            assert_eq!(of(peer, lines), whose, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_read_counts_for_nothing() {
        let long = ["10.0.0.2"; MOST + 1].join(",");
        for line in [
            &b""[..],
            b"unknown",
            b"_hidden",
            b"198.51.100.1,",
            b"198.51.100.1, unknown",
            b"198.51.100",
            b"198.51.100.1:99999",
            b"[198.51.100.1]",
            b"fe80::1%eth0",
            b"198.51.100.1 10.0.0.2",
            b"\xff",
            long.as_bytes(),
        ] {
            assert_eq!(of(PROXY, &[line]), PROXY, "{}", line.escape_ascii());
        }
        // Left of who asked stands what nobody reads.
        assert_eq!(of(PROXY, &[b"\xff, unknown, 198.51.100.1"]), "198.51.100.1");
    }
}
