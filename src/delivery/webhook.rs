//! Webhooks out, signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, to URLs that
//! may be anybody's: nothing but the public internet is called unless the operator says so.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use url::Url;

use crate::auth::{Headers, Key, names, sign_with_all};
use crate::client::{
    Call, CallError, Caller, Health, HealthStatus, Reach, Timeouts, dial_within, guarded, observed,
};
use crate::clock::Clock;
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(15),
    total: Duration::from_secs(20),
};

/// Where a webhook goes and how it is signed.
#[derive(Clone)]
pub struct WebhookSettings {
    /// May hold credentials.
    pub url: Url,
    /// Each signs for as long as it counts; without any the receiver asks for no signature.
    pub keys: Vec<Key>,
    /// Where the URL may lead.
    pub reach: Reach,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("keys", &self.keys)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// A receiver of webhooks.
#[derive(Clone, Debug)]
pub struct Webhook {
    settings: WebhookSettings,
    caller: Caller,
    clock: Clock,
}

impl Webhook {
    /// A receiver. `clock` stamps what is sent.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(
        settings: WebhookSettings,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> reqwest::Result<Self> {
        let caller = Caller {
            dependency: Dependency::Webhook,
            client: guarded(settings.reach, TIMEOUTS)?,
            metrics,
        };
        Ok(Self {
            settings,
            caller,
            clock,
        })
    }

    /// Sends an event. `id` is the same at each attempt.
    ///
    /// # Errors
    /// When the receiver did not take it. [`ErrorKind::Gone`] says that it wants no more of them.
    pub async fn send(&self, id: &str, event: &serde_json::Value) -> Result<(), CallError> {
        self.checked()?;
        let body = event.to_string();
        let mut request = self
            .caller
            .client
            .post(self.settings.url.clone())
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in self.headers(id, body.as_bytes())? {
            request = request.header(name, value);
        }
        let call = Call {
            request: request.body(body),
            // The path may be a secret.
            name: ("POST", "/"),
            cap: 0,
        };
        self.caller.tell(call).await.map(drop)
    }

    /// Asks whether a connection can be made: a receiver has nothing else that could be asked for.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let url = &self.settings.url;
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or_default();
        let dialing = async {
            self.checked()?;
            dial_within(self.settings.reach, host, port, TIMEOUTS.connect).await
        };
        let span = span::command("connect", Dependency::Webhook.label());
        span::towards(&span, host, port);
        let dialed = observed(&self.caller.metrics, Dependency::Webhook, &span, dialing).await;
        Health::from_result(dialed.map(|_| HealthStatus::Healthy), begun.elapsed())
    }

    /// The client asks nobody about an address that stands in the URL itself.
    fn checked(&self) -> Result<(), CallError> {
        let checked = self.settings.reach.check(&self.settings.url);
        checked.map_err(|barred| {
            let message = format!("the webhook is not called: {barred}");
            CallError::of(ErrorKind::Connect, &message)
        })
    }

    fn headers(&self, id: &str, body: &[u8]) -> Result<Headers, CallError> {
        let (keys, now) = (&self.settings.keys, self.clock.unix());
        if keys.is_empty() {
            let timestamp = format!("{:.0}", now.floor());
            return Ok(vec![
                (names::ID, id.to_owned()),
                (names::TIMESTAMP, timestamp),
            ]);
        }
        sign_with_all(keys, id, body, now).ok_or_else(|| {
            CallError::of(
                ErrorKind::Unauthorized,
                "the webhook is not called: none of its secrets counts now (see their dates)",
            )
        })
    }
}
