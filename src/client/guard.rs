//! Where calls may go whose address somebody else chose: to nothing of this network.
//!
//! The addresses are checked where connections are made, after the name was resolved, so that a name
//! that answers differently the second time gains nothing.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which addresses a call may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that anybody on the internet can reach.
    Public,
    /// Any, because the operator says so.
    Any,
}

/// Why a call may not be made. Says nothing of the URL but its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// Neither `http` nor `https`.
    #[error("its URL is neither http nor https")]
    Scheme,
    /// An address of this machine, of a private network, or of no use.
    #[error("its address is none of the public internet")]
    Address,
}

/// IPv4 networks whose addresses are not public: the special-purpose registry of IANA, multicast and
/// what is reserved.
const BARRED_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Metadata of clouds, too.
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    // The relays of 6to4.
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    // Metadata at one cloud, which has a public look.
    v4(168, 63, 129, 16, 32),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// The only IPv6 network that has public addresses at all; all others are local or not given out.
const GLOBAL_V6: Ipv6Net = v6(0x2000_0000, 3);
/// IPv6 networks in it that are not public: protocol assignments (Teredo, ORCHID, benchmarks),
/// documentation and 6to4.
const BARRED_V6: [Ipv6Net; 4] = [
    v6(0x2001_0000, 23),
    v6(0x2001_0db8, 32),
    v6(0x2002_0000, 16),
    v6(0x3fff_0000, 20),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// `top` are the first 32 bits.
const fn v6(top: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(top << 96), prefix)
}

impl Reach {
    /// Whether a call may go to this address.
    #[must_use]
    pub fn holds(self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::Any, _) => true,
            (Self::Public, IpAddr::V4(ip)) => !BARRED_V4.iter().any(|net| net.contains(&ip)),
            // Mapped, translated (NAT64) and compatible forms of IPv4 are outside of it.
            (Self::Public, IpAddr::V6(ip)) => {
                GLOBAL_V6.contains(&ip) && !BARRED_V6.iter().any(|net| net.contains(&ip))
            }
        }
    }

    /// Whether a call to this URL may be tried. Its name, if it has one, is resolved later.
    ///
    /// # Errors
    /// [`Barred`] when it may not.
    pub fn check(self, url: &Url) -> Result<(), Barred> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Barred::Scheme);
        }
        // Whatever way it is written, the parser has made an address of it.
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Barred::Scheme),
        };
        match self.holds(ip) {
            true => Ok(()),
            false => Err(Barred::Address),
        }
    }

    /// A client that resolves names to these addresses only, and takes no way round them by a proxy.
    /// The URL of each call must have been checked: addresses that stand in it are not resolved.
    pub fn guarding(self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.no_proxy().dns_resolver(Arc::new(Guarded(self)))
    }
}

/// Resolves names as the system does, and keeps the addresses that may be called.
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (allowed, barred): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|address| reach.holds(address.ip()));
            if allowed.is_empty() && !barred.is_empty() {
                return Err(Box::new(Barred::Address) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: Reach, url: &str) -> Result<(), Barred> {
        reach.check(&Url::parse(url).unwrap_or_else(|_| panic!("{url}")))
    }

    #[test]
    fn only_public_addresses_are_public() {
        for barred in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.0.1",
            "198.19.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "64:ff9b::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let ip: IpAddr = barred.parse().unwrap();
            assert!(!Reach::Public.holds(ip), "{barred}");
            assert!(Reach::Any.holds(ip), "{barred}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert!(Reach::Public.holds(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_address_is_known_however_it_is_written() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://%31%32%37.0.0.1/",
            "http://①②⑦.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "http://user:password@10.0.0.1:8080/",
        ] {
            assert_eq!(check(Reach::Public, url), Err(Barred::Address), "{url}");
            assert_eq!(check(Reach::Any, url), Ok(()), "{url}");
        }
        for url in [
            "https://example.com/",
            "http://1.1.1.1/",
            "http://localhost/",
        ] {
            assert_eq!(check(Reach::Public, url), Ok(()), "{url}");
        }
        for url in ["file:///etc/passwd", "ftp://example.com/", "gopher://x/"] {
            for reach in [Reach::Public, Reach::Any] {
                assert_eq!(check(reach, url), Err(Barred::Scheme), "{url}");
            }
        }
    }
}
