//! Calls to other services: bounded in time and size, never redirected, counted and traced.

mod body;
mod buffer;
mod call;
mod capped;
mod dial;
mod error;
mod guard;

use std::net::IpAddr;
use std::time::Duration;

pub use body::Body;
pub use buffer::Buffer;
pub use call::{Answer, Call, Caller, observed};
pub use capped::{Allowance, Capped};
pub use dial::{dial, dial_within, secure};
pub use error::{CallError, of_connecting, of_reqwest, of_status};
pub use guard::{Barred, Reach};

/// How a neighbour answered a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// Well.
    Healthy,
    /// It says itself that something is wrong.
    Degraded,
    /// Not at all, or badly.
    Unhealthy,
}

/// A probe and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How it answered.
    pub status: HealthStatus,
    /// What was wrong, without personal data.
    pub error: Option<String>,
    /// How long it took.
    pub response_time: Duration,
}

impl Health {
    /// Nothing to ask, nothing wrong.
    #[must_use]
    pub fn healthy() -> Self {
        Self {
            status: HealthStatus::Healthy,
            error: None,
            response_time: Duration::ZERO,
        }
    }

    /// What a call that returned `result` after `response_time` says of the neighbour.
    #[must_use]
    pub fn from_result(result: Result<HealthStatus, CallError>, response_time: Duration) -> Self {
        match result {
            Ok(status) => Self {
                status,
                error: None,
                response_time,
            },
            Err(error) => Self {
                status: HealthStatus::Unhealthy,
                error: Some(error.message),
                response_time,
            },
        }
    }
}

/// Limits of a client.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For the whole call.
    pub total: Duration,
}

/// A client for one service.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn client(base: &url::Url, timeouts: Timeouts) -> reqwest::Result<reqwest::Client> {
    builder(base, timeouts).build()
}

/// The same for whoever has more to say of it.
pub fn builder(base: &url::Url, timeouts: Timeouts) -> reqwest::ClientBuilder {
    let builder = bounded(timeouts);
    // A proxy of the environment can reach no service on this machine.
    if is_loopback(base) {
        builder.no_proxy()
    } else {
        builder
    }
}

/// A client for calls that go where `reach` holds and nowhere else.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn guarded(reach: Reach, timeouts: Timeouts) -> reqwest::Result<reqwest::Client> {
    reach.guarding(bounded(timeouts)).build()
}

fn bounded(timeouts: Timeouts) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("match-list-processor/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .timeout(timeouts.total)
        .pool_idle_timeout(Duration::from_secs(30))
}

fn is_loopback(url: &url::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `base` with `path` behind it, whether or not `base` ends with a slash.
#[must_use]
pub fn endpoint(base: &url::Url, path: &str) -> url::Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url
}
