//! How often may be triggered: by one client, and by all together.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::nanos::Nanos;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{NotUntil, Quota, RateLimiter};

use super::peer::Peer;
use crate::clock::Clock;
use crate::config::Rate;

/// Clients that are told apart at a time: some 3 MB.
const MOST: usize = 65_536;
/// Between two looks for clients that need not be remembered any more.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// The same while there is no room for more.
const SWEEP_FULL_EVERY: Duration = Duration::from_secs(1);

/// A client, as far as limits tell them apart. Whoever has one IPv6 address has all of its /64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address.
    V4(Ipv4Addr),
    /// The upper half of an address.
    V6([u16; 4]),
    /// Any process of this machine.
    Unix,
}

impl From<Peer> for Client {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Ip(IpAddr::V4(address)) => Self::V4(address),
            Peer::Ip(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
            Peer::Unix => Self::Unix,
        }
    }
}

/// What a limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub passes: bool,
    /// How many more may pass now.
    pub remaining: u32,
    /// Seconds until one more may, rounded up.
    pub next: u64,
}

/// The limits as they are set.
#[derive(Debug)]
pub struct Rates {
    /// For each client.
    pub per_client: Option<Limit<Bounded>>,
    /// For all of them.
    pub total: Option<Limit<InMemoryState>>,
}

impl Rates {
    /// Limits of which nothing is used up.
    pub fn new(per_client: Option<Rate>, total: Option<Rate>, clock: &Clock) -> Self {
        Self {
            per_client: per_client.map(|rate| Limit::new(rate, clock, Bounded::default())),
            total: total.map(|rate| Limit::new(rate, clock, InMemoryState::default())),
        }
    }

    /// Whether they are these.
    pub fn are(&self, per_client: Option<Rate>, total: Option<Rate>) -> bool {
        let own = self.per_client.as_ref().map(|limit| limit.rate);
        let all = self.total.as_ref().map(|limit| limit.rate);
        (own, all) == (per_client, total)
    }
}

/// One limit.
pub struct Limit<S: StateStore> {
    /// As it is set.
    pub rate: Rate,
    limiter: RateLimiter<S::Key, S, Uptime, StateInformationMiddleware>,
    /// When it was last swept, seconds of uptime.
    swept: AtomicU64,
}

impl<S: StateStore> std::fmt::Debug for Limit<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the clients.
        f.debug_struct("Limit")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// The clock that never goes back, as the library reads it.
#[derive(Clone, Debug)]
struct Uptime(Clock);

impl governor::clock::Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.uptime()
    }
}

impl<S: StateStore> Limit<S> {
    fn new(rate: Rate, clock: &Clock, state: S) -> Self {
        let step = rate.step().max(Duration::from_nanos(1));
        let quota = Quota::with_period(step).expect("a step is longer than nothing");
        let quota = quota.allow_burst(rate.burst);
        let limiter = RateLimiter::new(quota, state, Uptime(clock.clone()));
        Self {
            rate,
            limiter,
            swept: AtomicU64::new(clock.uptime().as_secs()),
        }
    }

    fn verdict(&self, judged: Result<StateSnapshot, NotUntil<Duration>>, now: Duration) -> Verdict {
        match judged {
            Ok(state) => Verdict {
                passes: true,
                remaining: state.remaining_burst_capacity(),
                next: seconds(self.rate.step()),
            },
            Err(not) => Verdict {
                passes: false,
                remaining: 0,
                next: seconds(not.wait_time_from(now)),
            },
        }
    }
}

impl Limit<InMemoryState> {
    /// Judges a request of anybody, and counts it if it passes.
    pub fn judge(&self, clock: &Clock) -> Verdict {
        let now = clock.uptime();
        self.verdict(self.limiter.check(), now)
    }
}

impl Limit<Bounded> {
    /// Judges a request of this client, and counts it if it passes.
    pub fn judge(&self, peer: Peer, clock: &Clock) -> Verdict {
        let now = clock.uptime();
        self.sweep(now);
        self.verdict(self.limiter.check_key(&Client::from(peer)), now)
    }

    /// Forgets the clients that have their whole quota again, now and then.
    fn sweep(&self, now: Duration) {
        let every = match self.limiter.len() < MOST {
            true => SWEEP_EVERY,
            false => SWEEP_FULL_EVERY,
        };
        let (last, now) = (self.swept.load(Ordering::Relaxed), now.as_secs());
        let due = now.saturating_sub(last) >= every.as_secs();
        let taken = || {
            let order = Ordering::Relaxed;
            self.swept.compare_exchange(last, now, order, order).is_ok()
        };
        if due && taken() {
            self.limiter.retain_recent();
            if self.limiter.len() < MOST / 4 {
                self.limiter.shrink_to_fit();
            }
        }
    }
}

/// The states of so many clients at most. Those for whom there is no room share one.
#[derive(Default)]
pub struct Bounded {
    clients: HashMapStateStore<Client>,
    others: InMemoryState,
}

impl StateStore for Bounded {
    type Key = Client;

    fn measure_and_replace<T, F, E>(&self, key: &Client, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let room = {
            let clients = self.clients.lock();
            clients.len() < MOST || clients.contains_key(key)
        };
        match room {
            true => self.clients.measure_and_replace(key, f),
            false => self.others.measure_and_replace(&NotKeyed::NonKey, f),
        }
    }
}

impl ShrinkableKeyedStateStore<Client> for Bounded {
    fn retain_recent(&self, drop_below: Nanos) {
        self.clients.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        ShrinkableKeyedStateStore::shrink_to_fit(&self.clients);
    }

    fn len(&self) -> usize {
        ShrinkableKeyedStateStore::len(&self.clients)
    }

    fn is_empty(&self) -> bool {
        ShrinkableKeyedStateStore::is_empty(&self.clients)
    }
}

/// Rounded up, and never none.
fn seconds(time: Duration) -> u64 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    whole.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: &str, clock: &Clock) -> Limit<Bounded> {
        Limit::new(Rate::parse(rate).unwrap(), clock, Bounded::default())
    }

    fn peer(address: &str) -> Peer {
        Peer::Ip(address.parse().unwrap())
    }

    #[test]
    fn each_client_has_a_quota_of_its_own_and_gets_it_back_in_time() {
        let clock = Clock::system();
        let limit = limit("60/h burst 2", &clock);
        let (one, other) = (peer("192.0.2.1"), peer("192.0.2.2"));
        let judge = |who| limit.judge(who, &clock);
        let verdict = |passes, remaining, next| Verdict {
            passes,
            remaining,
            next,
        };
        assert_eq!(judge(one), verdict(true, 1, 60));
        assert_eq!(judge(one), verdict(true, 0, 60));
        assert_eq!(judge(one), verdict(false, 0, 60));
        assert_eq!(judge(other), verdict(true, 1, 60));
        clock.pass(Duration::from_secs(31));
        assert_eq!(judge(one), verdict(false, 0, 29));
        clock.pass(Duration::from_secs(29));
        assert!(judge(one).passes);
        assert!(!judge(one).passes);
        // Setting the wall clock gives nothing back.
        clock.advance(jiff::SignedDuration::from_hours(24));
        assert!(!judge(one).passes);
    }

    #[test]
    fn whoever_has_an_ipv6_address_has_its_whole_network() {
        let clock = Clock::system();
        let limit = limit("1/h", &clock);
        let passes = |address| limit.judge(peer(address), &clock).passes;
        assert!(passes("2001:db8:0:1::1"));
        assert!(!passes("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert!(passes("2001:db8:0:2::1"));
        assert!(limit.judge(Peer::Unix, &clock).passes);
        assert!(!limit.judge(Peer::Unix, &clock).passes);
    }

    #[test]
    fn a_flood_of_addresses_fills_no_memory_and_is_limited() {
        let clock = Clock::system();
        let limit = limit("10/h", &clock);
        let address = |n: u32| Peer::Ip(Ipv4Addr::from(0x0b00_0000 + n).into());
        let passed = |from: u32, to: u32| {
            let judged = (from..to).map(|n| limit.judge(address(n), &clock).passes);
            judged.filter(|passes| *passes).count()
        };
        assert_eq!(passed(0, 65_536), MOST);
        assert_eq!(passed(65_536, 100_000), 10, "all others together");
        assert_eq!(limit.limiter.len(), MOST);
        // Who is known is served as before.
        assert_eq!(passed(0, 10), 10);
        // Once they have their quota again, they are forgotten, and their memory is given back.
        clock.pass(Duration::from_hours(2));
        assert_eq!(passed(200_000, 200_001), 1);
        assert_eq!(limit.limiter.len(), 1);
        let held = limit.limiter.into_state_store().clients.lock().capacity();
        assert!(held < MOST / 4, "{held}");
    }
}
