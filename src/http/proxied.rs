//! Connections through a proxy that tells by the PROXY protocol, version 2, whose they are.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use super::peer::Peer;
use super::route::{Site, SiteKind};
use crate::config::AccessConfig;
use crate::shutdown::raised;
use crate::telemetry::labels::Closed;

/// The part of a header that tells how long the rest is.
const FIRST: usize = 16;
/// Bytes that the rest may have: addresses, and what proxies like to add.
const MOST: usize = 2048;

/// Whose connection it is. A trusted proxy must begin with a header, for which it has `patience`; from
/// all others it would be no HTTP.
pub async fn whose<S: AsyncRead + Unpin>(
    stream: &mut S,
    peer: Peer,
    site: &Site,
    patience: Duration,
    stop: &mut watch::Receiver<bool>,
) -> Result<Peer, Closed> {
    let config = site.config.now();
    if site.kind != SiteKind::Public || !is_expected(peer, &config.access) {
        return Ok(peer);
    }
    drop(config);
    let read = Box::pin(tokio::time::timeout(patience, read(stream)));
    let told = tokio::select! {
        told = read => told,
        () = raised(stop) => return Err(Closed::Shutdown),
    };
    match told {
        Ok(Ok(told)) => Ok(told.unwrap_or(peer)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Err(Closed::Reset),
        Ok(Err(_)) | Err(_) => Err(Closed::ProxyHeader),
    }
}

fn is_expected(peer: Peer, access: &AccessConfig) -> bool {
    access.needs_header(match peer {
        Peer::Ip(address) => Some(address),
        Peer::Unix => None,
    })
}

/// The header with which a client that is no proxy speaks for itself.
#[must_use]
pub fn own_header() -> Vec<u8> {
    let mut header = Vec::new();
    // It has neither addresses nor anything else that could not be written.
    let _ = ProxyHeader::with_local().encode_v2(&mut header);
    header
}

/// Reads the header and not a byte more. None where the proxy speaks for itself.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Peer>> {
    let mut header = vec![0; FIRST];
    stream.read_exact(&mut header).await?;
    let rest = usize::from(u16::from_be_bytes([header[FIRST - 2], header[FIRST - 1]]));
    // What is no header at all has no length: it is not waited for.
    let begins = parse(&header);
    if rest > MOST || matches!(begins, Err(proxy_header::Error::Invalid)) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    header.resize(FIRST + rest, 0);
    stream.read_exact(&mut header[FIRST..]).await?;
    parse(&header).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn parse(header: &[u8]) -> Result<Option<Peer>, proxy_header::Error> {
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: false,
        allow_v2: true,
    };
    let (parsed, length) = ProxyHeader::parse(header, config)?;
    let Some(told) = parsed.proxied_address() else {
        return Ok(None);
    };
    let source = told.source.ip();
    if length != header.len() || told.protocol != Protocol::Stream || !is_of_one(source) {
        return Err(proxy_header::Error::Invalid);
    }
    Ok(Some(told.source.into()))
}

/// Whether somebody can have this address.
fn is_of_one(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let everybody = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !everybody && !address.is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn header(kind: [u8; 2], body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &kind, &length, body].concat()
    }

    fn v4(source: [u8; 4]) -> Vec<u8> {
        [&source[..], &[127, 0, 0, 1, 4, 0, 31, 64]].concat()
    }

    /// Whom these bytes tell of, or nothing; and what is left of them.
    async fn told(bytes: &[u8]) -> (Result<Option<Peer>, io::ErrorKind>, usize) {
        let mut left = bytes;
        let told = read(&mut left).await.map_err(|error| error.kind());
        (told, left.len())
    }

    #[tokio::test]
    async fn a_header_tells_whose_connection_it_is_and_the_rest_stays() {
        let peer = |text: &str| Some(Peer::Ip(text.parse().unwrap()));
        let v6 = |source: &str| {
            let source: std::net::Ipv6Addr = source.parse().unwrap();
            [&source.octets()[..], &[0; 16], &[4, 0, 31, 64]].concat()
        };
        let request = b"GET / HTTP/1.1\r\n";
        let with_more = [v4([198, 51, 100, 1]), b"\x01\x00\x02h2".to_vec()].concat();
        for (head, expected) in [
            (
                header([0x21, 0x11], &v4([198, 51, 100, 1])),
                peer("198.51.100.1"),
            ),
            (header([0x21, 0x11], &with_more), peer("198.51.100.1")),
            (
                header([0x21, 0x21], &v6("2001:db8::1")),
                peer("2001:db8::1"),
            ),
            (
                header([0x21, 0x21], &v6("::ffff:198.51.100.1")),
                peer("198.51.100.1"),
            ),
            (header([0x20, 0x00], &[]), None),
            (own_header(), None),
            (header([0x20, 0x11], &v4([198, 51, 100, 1])), None),
            (header([0x21, 0x00], &[]), None),
            (header([0x21, 0x31], &[0; 216]), None),
        ] {
            let (found, left) = told(&[&head[..], request].concat()).await;
            assert_eq!(found.unwrap(), expected, "{}", head.escape_ascii());
            assert_eq!(left, request.len(), "{}", head.escape_ascii());
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let fine = header([0x21, 0x11], &v4([198, 51, 100, 1]));
        let mut signature = fine.clone();
        signature[4] = 1;
        for bad in [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            b"PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n".to_vec(),
            signature,
            header([0x11, 0x11], &v4([198, 51, 100, 1])),
            header([0x22, 0x11], &v4([198, 51, 100, 1])),
            header([0x21, 0x12], &v4([198, 51, 100, 1])),
            header([0x21, 0x41], &v4([198, 51, 100, 1])),
            header([0x21, 0x11], &v4([198, 51, 100, 1])[..11]),
            header([0x21, 0x21], &v4([198, 51, 100, 1])),
            header([0x21, 0x31], &[0; 215]),
            header([0x21, 0x11], &v4([0; 4])),
            header([0x21, 0x11], &v4([255; 4])),
            header([0x21, 0x11], &v4([224, 0, 0, 1])),
            header([0x20, 0x00], &[0; MOST + 1]),
        ] {
            let (found, _) = told(&bad).await;
            assert_eq!(
                found,
                Err(io::ErrorKind::InvalidData),
                "{}",
                bad.escape_ascii()
            );
        }
        for cut in 0..fine.len() {
            let (found, _) = told(&fine[..cut]).await;
            assert_eq!(found, Err(io::ErrorKind::UnexpectedEof), "{cut}");
        }
    }
}
