//! From where, and how often, may be triggered.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Form, Reader};

/// Networks that a setting may name.
const MOST: usize = 256;

/// From where, and how often, may be triggered.
#[derive(Clone, Debug, Default)]
pub struct AccessConfig {
    /// `RATE_LIMIT_PER_CLIENT`.
    pub per_client: Option<Rate>,
    /// `RATE_LIMIT_TOTAL`.
    pub total: Option<Rate>,
    /// `TRUSTED_PROXIES`.
    pub proxies: Networks,
    /// `PROXY_PROTOCOL`: whether those proxies begin each connection with a header.
    pub proxy_protocol: bool,
    /// `ALLOWED_NETWORKS`; none for everybody.
    pub allowed: Option<Networks>,
}

/// So many requests in a time, and so many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub count: NonZeroU32,
    /// In which time.
    pub window: Duration,
    /// At once, after a rest.
    pub burst: NonZeroU32,
}

impl Rate {
    /// Reads `60/min`, or `60/min burst 10`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (count, unit) = words.next()?.split_once('/')?;
        let seconds = match unit {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3600,
            "d" | "day" => 86_400,
            _ => return None,
        };
        let number = |text: &str| {
            text.parse()
                .ok()
                .filter(|n: &NonZeroU32| n.get() <= 1_000_000)
        };
        let count = number(count)?;
        let burst = match words.next() {
            None => count,
            Some("burst") => number(words.next()?)?,
            Some(_) => return None,
        };
        let window = Duration::from_secs(seconds);
        // The limiter counts in nanoseconds, up to the time that a whole burst takes to come back.
        let whole = window.as_nanos() / u128::from(count.get()) * u128::from(burst.get());
        let fits = words.next().is_none() && i64::try_from(whole).is_ok();
        fits.then_some(Self {
            count,
            window,
            burst,
        })
    }

    /// After which time one more request is possible.
    #[must_use]
    pub fn step(&self) -> Duration {
        self.window / self.count.get()
    }
}

/// Addresses that a setting names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    networks: Vec<IpNet>,
    /// Whether processes of this machine that come by a Unix socket are meant too.
    pub unix: bool,
}

impl Networks {
    /// Reads `10.0.0.0/8, 2001:db8::/32, 192.0.2.7, unix`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::default();
        for part in text.split(',').map(str::trim) {
            if part == "unix" {
                all.unix = true;
                continue;
            }
            let network = part.parse::<IpNet>().ok();
            let network =
                network.or_else(|| part.parse().ok().map(|ip: IpAddr| IpNet::from(ip)))?;
            all.networks.push(network);
        }
        (all.networks.len() <= MOST).then_some(all)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether the address, an IPv4 one told as such, lies in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    fn contain_everybody(&self) -> bool {
        self.networks
            .iter()
            .any(|network| network.prefix_len() == 0)
    }
}

impl AccessConfig {
    /// Whether whoever connects with this address must begin with a header that tells whose connection
    /// it is; none for the Unix socket.
    #[must_use]
    pub fn needs_header(&self, peer: Option<IpAddr>) -> bool {
        let trusted = peer.map_or(self.proxies.unix, |address| self.proxies.contain(address));
        self.proxy_protocol && trusted
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "requests per s, min, h or day, up to 1000000, and if wanted how many at once",
            example: "60/min burst 10",
        };
        let per_client = from.optional("RATE_LIMIT_PER_CLIENT", form, Rate::parse);
        let total = from.optional("RATE_LIMIT_TOTAL", form, Rate::parse);
        if let (Some(one), Some(all)) = (per_client, total)
            && (one.step() < all.step() || one.burst > all.burst)
        {
            let odd = "RATE_LIMIT_PER_CLIENT allows more than RATE_LIMIT_TOTAL: one client can use up all";
            from.warnings.push(odd.to_owned());
        }
        let form = Form {
            expected: "networks or addresses, separated by commas; unix for the Unix socket",
            example: "10.0.0.0/8,2001:db8::/32",
        };
        let proxies = from.optional("TRUSTED_PROXIES", form, Networks::parse);
        let proxies = proxies.unwrap_or_default();
        if proxies.contain_everybody() {
            let odd = "TRUSTED_PROXIES names everybody: each client can say that it is another";
            from.warnings.push(odd.to_owned());
        }
        let proxy = Form {
            expected: "off or v2",
            example: "v2",
        };
        let version = |text: &str| match text {
            "off" => Some(false),
            "v2" => Some(true),
            _ => None,
        };
        let proxy_protocol = from.value("PROXY_PROTOCOL", "off", proxy, version, false);
        if proxy_protocol && proxies.is_empty() {
            let problem = "is not set, and PROXY_PROTOCOL is v2: nobody could use it";
            from.mistake("TRUSTED_PROXIES", problem, form);
        }
        Self {
            per_client,
            total,
            proxy_protocol,
            proxies,
            allowed: from.optional("ALLOWED_NETWORKS", form, Networks::parse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_people_write_it() {
        let rate =
            |text| Rate::parse(text).map(|r| (r.count.get(), r.window.as_secs(), r.burst.get()));
        assert_eq!(rate("60/min"), Some((60, 60, 60)));
        assert_eq!(rate(" 5/s  burst 20 "), Some((5, 1, 20)));
        assert_eq!(rate("1/day burst 1"), Some((1, 86_400, 1)));
        for odd in [
            "",
            "60",
            "60/",
            "/min",
            "0/min",
            "-1/min",
            "60/week",
            "60 / min",
            "60/min burst",
            "60/min burst 0",
            "60/min 10",
            "60/min burst 5 x",
            "1000001/s",
            "1.5/s",
        ] {
            assert_eq!(Rate::parse(odd), None, "{odd:?}");
        }
        assert_eq!(
            Rate::parse("60/min").unwrap().step(),
            Duration::from_secs(1)
        );
    }

    #[test]
    fn networks_contain_what_lies_in_them() {
        let networks = Networks::parse("10.0.0.0/8, 192.0.2.7,2001:db8::/32").unwrap();
        let contain = |text: &str| networks.contain(text.parse().unwrap());
        for inside in ["10.255.0.1", "192.0.2.7", "2001:db8:1::1"] {
            assert!(contain(inside), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1"] {
            assert!(!contain(outside), "{outside}");
        }
        assert!(!networks.unix && Networks::parse("unix").unwrap().unix);
        for odd in [
            "",
            "10.0.0.0/33",
            "example.com",
            "10.0.0.0/8,",
            "10.0.0",
            "/8",
            "Unix",
        ] {
            assert_eq!(Networks::parse(odd), None, "{odd:?}");
        }
        let many = vec!["192.0.2.7"; MOST + 1].join(",");
        assert_eq!(Networks::parse(&many), None);
    }
}
