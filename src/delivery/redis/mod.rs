//! Redis: tells those who listen on a channel, or appends to a stream for those who read later.

mod envelope;
mod error;
mod link;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{Cmd, FromRedisValue, cmd};

pub use envelope::{
    Alert, ChangeSet, ChangeSetMetadata, Envelope, MessageType, Progress, ProgressStatus,
    message_id,
};

use crate::client::{CallError, Health, HealthStatus, observed};
use crate::config::Secret;
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;
use link::Link;

/// For everything that one command takes, waiting for others included.
const TOTAL: Duration = Duration::from_secs(20);

/// How Redis is reached.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` (TLS) or `unix:`, which may hold a user and a password.
    pub url: Secret,
    /// Certificates, as PEM, of whoever issued the server's; none for those that the system trusts.
    pub authorities: Option<Vec<u8>>,
    /// Whether a message that nobody received was not delivered. Redis keeps none for a subscriber
    /// that is away.
    pub require_subscriber: bool,
}

/// A Redis server; clones share their connection.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    require_subscriber: bool,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// A server. Nothing is connected yet.
    ///
    /// # Errors
    /// A sentence on what is wrong with the settings, without their values.
    pub fn new(settings: &RedisSettings, metrics: Arc<Metrics>) -> Result<Self, String> {
        Ok(Self {
            link: Arc::new(Link::new(settings)?),
            require_subscriber: settings.require_subscriber,
            metrics,
        })
    }

    /// The same server for messages that nobody has to receive.
    #[must_use]
    pub fn to_anyone(&self) -> Self {
        Self {
            require_subscriber: false,
            ..self.clone()
        }
    }

    /// Tells all who listen on `channel`.
    ///
    /// # Errors
    /// When Redis did not take the message; and when nobody received it, if somebody has to.
    pub async fn publish(&self, channel: &str, body: &str) -> Result<(), CallError> {
        let command = cmd("PUBLISH").arg(channel).arg(body).clone();
        let publish = async {
            let receivers: u64 = self.ask(&command).await?;
            match receivers > 0 || !self.require_subscriber {
                true => Ok(()),
                false => Err(nobody(channel)),
            }
        };
        self.observed("PUBLISH", publish).await
    }

    /// Appends a message to `stream`, which keeps the last `keep` of them or a few more. `id` is the
    /// same at each attempt, so that a reader can tell a repeat: the fields are `id` and `message`.
    ///
    /// # Errors
    /// When Redis did not take it.
    pub async fn append(
        &self,
        stream: &str,
        keep: u32,
        id: &str,
        body: &str,
    ) -> Result<(), CallError> {
        let mut command = cmd("XADD");
        command.arg(stream).arg("MAXLEN").arg("~").arg(keep);
        command.arg("*").arg("id").arg(id).arg("message").arg(body);
        let append = async { self.ask::<String>(&command).await.map(drop) };
        self.observed("XADD", append).await
    }

    /// Asks how it is, and whether anybody listens on `channel` if somebody has to.
    pub async fn probe(&self, channel: Option<&str>) -> Health {
        let begun = Instant::now();
        let probe = async { self.ask::<String>(&cmd("PING")).await.map(drop) };
        let answered = self.observed("PING", probe).await;
        let mut error = None;
        if answered.is_ok()
            && self.require_subscriber
            && let Some(channel) = channel
            && self.is_deserted(channel).await
        {
            error = Some(nobody(channel).message);
        }
        let status = match error {
            None => HealthStatus::Healthy,
            Some(_) => HealthStatus::Degraded,
        };
        let health = Health::from_result(answered.map(|()| status), begun.elapsed());
        Health {
            error: health.error.or(error),
            ..health
        }
    }

    /// Whether nobody listens on this channel, as far as Redis tells this user: who listens to a
    /// pattern is only counted for all of them together.
    async fn is_deserted(&self, channel: &str) -> bool {
        let command = cmd("PUBSUB").arg("NUMSUB").arg(channel).clone();
        let subscribers = async { self.ask::<(String, u64)>(&command).await };
        let Ok((_, 0)) = self.observed("PUBSUB", subscribers).await else {
            return false;
        };
        let command = cmd("PUBSUB").arg("NUMPAT").clone();
        let patterns = async { self.ask::<u64>(&command).await };
        self.observed("PUBSUB", patterns).await == Ok(0)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        match tokio::time::timeout(TOTAL, self.link.ask(command)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::of(ErrorKind::Timeout, "no answer in time")),
        }
    }

    async fn observed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let dependency = Dependency::Redis;
        let span = span::command(operation, dependency.label());
        if let Some((host, port)) = self.link.server() {
            span::towards(&span, host, port);
        }
        observed(&self.metrics, dependency, &span, call).await
    }
}

fn nobody(channel: &str) -> CallError {
    let message = format!("nobody is subscribed to {channel} (does its subscriber run?)");
    CallError::of(ErrorKind::NoReceiver, &message)
}
