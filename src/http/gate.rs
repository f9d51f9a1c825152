//! Who may knock at all, and how often: judged before anything of a request is read but its head.
//!
//! That is before it shows that it may trigger, so that a flood of forged requests costs next to
//! nothing. The price: such a flood uses up the limit of all together, unless the one per client
//! stops it first.

use std::fmt::Write;
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderValue, StatusCode, header};
use hyper::body::Body;

use super::client::client;
use super::peer::Peer;
use super::problem::{and_close, problem};
use super::rates::{Rates, Verdict};
use super::route::Site;
use super::{Request, Response};
use crate::clock::Clock;
use crate::config::{AccessConfig, Rate};
use crate::telemetry::labels::{TriggerResult, TriggerSource};

/// The limits, as they are used up.
#[derive(Debug)]
pub struct Gate(RwLock<Arc<Rates>>);

/// What the limits said, to be told with the answer.
#[derive(Debug, Default)]
pub struct Told(Vec<(&'static str, Rate, Verdict)>);

impl Gate {
    /// With these limits.
    pub fn new(access: &AccessConfig, clock: &Clock) -> Self {
        let rates = Rates::new(access.per_client, access.total, clock);
        Self(RwLock::new(Arc::new(rates)))
    }

    /// Judges a request; an `Err` is the answer to send instead. From here on its peer is whose request
    /// it is.
    pub fn judge(&self, site: &Site, request: &mut Request) -> Result<Told, Response> {
        let config = site.config.now();
        let access = &config.access;
        let peer = request.extensions().get::<Peer>().copied();
        let peer = peer.unwrap_or(Peer::Unix);
        // Proxies that tell by their protocol leave the header to clients.
        let peer = match access.proxy_protocol {
            true => peer,
            false => client(peer, request.headers(), &access.proxies),
        };
        request.extensions_mut().insert(peer);
        let unread = !request.body().is_end_stream();
        let refused = |result, response| {
            site.metrics.triggers.inc((TriggerSource::Webhook, result));
            // The body is not read, so that a flood costs next to nothing: the next request could not
            // be told from it.
            match unread {
                true => and_close(response),
                false => response,
            }
        };
        if !is_allowed(peer, access) {
            let detail = "Requests from this network are not served";
            let refusal = problem(StatusCode::FORBIDDEN, detail);
            return Err(refused(TriggerResult::RejectedNetwork, refusal));
        }
        let told = self.rates(access, &site.clock).count(peer, &site.clock);
        match told.wait() {
            None => Ok(told),
            Some(seconds) => {
                let refusal = problem(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
                let mut refusal = told.tell(refusal);
                let headers = refusal.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Err(refused(TriggerResult::RejectedRate, refusal))
            }
        }
    }

    /// The limits of these settings; other ones begin unused.
    fn rates(&self, access: &AccessConfig, clock: &Clock) -> Arc<Rates> {
        let (own, all) = (access.per_client, access.total);
        let now = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        if now.are(own, all) {
            return now;
        }
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !now.are(own, all) {
            *now = Arc::new(Rates::new(own, all, clock));
        }
        Arc::clone(&now)
    }
}

/// Processes of this machine, on the Unix socket, are in no network.
fn is_allowed(peer: Peer, access: &AccessConfig) -> bool {
    match (peer, &access.allowed) {
        (Peer::Ip(address), Some(allowed)) => allowed.contain(address),
        _ => true,
    }
}

impl Rates {
    /// Counts a request. One that its client's limit refuses uses up nothing of the others'.
    fn count(&self, peer: Peer, clock: &Clock) -> Told {
        let mut told = Told::default();
        if let Some(limit) = &self.per_client {
            told.0
                .push(("client", limit.rate, limit.judge(peer, clock)));
        }
        if let Some(limit) = &self.total
            && told.wait().is_none()
        {
            told.0.push(("total", limit.rate, limit.judge(clock)));
        }
        told
    }
}

impl Told {
    /// For how long to wait, in seconds; none if all let it pass.
    fn wait(&self) -> Option<u64> {
        let refused = self.0.iter().filter(|(_, _, verdict)| !verdict.passes);
        refused.map(|(_, _, verdict)| verdict.next).max()
    }

    /// Adds `RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers has them since
    /// its version 10: what is allowed in which time, what is left, and when there is more.
    pub fn tell(&self, mut response: Response) -> Response {
        let (mut policies, mut limits) = (String::new(), String::new());
        for (n, (name, rate, verdict)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let (count, window) = (rate.count, rate.window.as_secs());
            let (left, next) = (verdict.remaining, verdict.next);
            let _ = write!(policies, "{comma}\"{name}\";q={count};w={window}");
            let _ = write!(limits, "{comma}\"{name}\";r={left};t={next}");
        }
        let fields = [("ratelimit-policy", policies), ("ratelimit", limits)];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::try_from(value)
                && !value.is_empty()
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
