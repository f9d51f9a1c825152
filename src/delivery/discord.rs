//! A Discord channel, by a webhook of its own. Discord limits how often one may be called and says
//! so in its answers; who does not listen is shut out for longer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::client::{Call, CallError, Caller, Health, HealthStatus, Timeouts, client};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(15),
    total: Duration::from_secs(30),
};
/// Calls to one webhook, and the time in which no more of them may begin.
const CALLS: usize = 5;
const PERIOD: Duration = Duration::from_secs(2);
/// A longer wait is left to the schedule of attempts.
const PATIENCE: Duration = Duration::from_secs(10);

/// A webhook of a Discord channel.
#[derive(Clone)]
pub struct Discord {
    url: Url,
    caller: Caller,
    pace: Arc<Mutex<Pace>>,
}

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discord").finish_non_exhaustive()
    }
}

/// When the last calls began and when the next may.
#[derive(Default)]
struct Pace {
    begun: VecDeque<Instant>,
    not_before: Option<Instant>,
}

impl Pace {
    /// How long the next call has to wait at `now`.
    fn wait(&self, now: Instant) -> Duration {
        let oldest = match self.begun.len() < CALLS {
            true => None,
            false => self.begun.front().map(|&begun| begun + PERIOD),
        };
        let start = oldest.max(self.not_before).unwrap_or(now);
        start.saturating_duration_since(now)
    }

    fn begins(&mut self, now: Instant) {
        if self.begun.len() == CALLS {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
    }

    fn hold(&mut self, until: Instant) {
        self.not_before = self.not_before.max(Some(until));
    }
}

impl Discord {
    /// The webhook at `url`, which is a secret.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(url: Url, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        let caller = Caller {
            dependency: Dependency::Discord,
            client: client(&url, TIMEOUTS)?,
            metrics,
        };
        Ok(Self {
            url,
            caller,
            pace: Arc::default(),
        })
    }

    /// Sends a message, a body of "Execute Webhook". Waits for its turn.
    ///
    /// # Errors
    /// When Discord did not take it. [`ErrorKind::Gone`] says that the webhook is no more.
    pub async fn send(&self, message: &serde_json::Value) -> Result<(), CallError> {
        // Held while the call is under way: its answer says when the next may begin.
        let mut pace = self.pace.lock().await;
        let wait = pace.wait(Instant::now());
        if wait > PATIENCE {
            return Err(CallError {
                retry_after: Some(wait),
                ..CallError::of(
                    ErrorKind::RateLimited,
                    "Discord takes no more messages for a while",
                )
            });
        }
        tokio::time::sleep(wait).await;
        pace.begins(Instant::now());
        let mut url = self.url.clone();
        // Without it Discord answers before it has looked at the message.
        url.query_pairs_mut().append_pair("wait", "true");
        let request = self
            .caller
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(message.to_string());
        let call = Call {
            request,
            // The path is the secret.
            name: ("POST", "/"),
            cap: 0,
        };
        let told = self.caller.tell(call).await;
        let hold = match &told {
            Ok(headers) => until_reset(headers),
            Err(error) => error.retry_after,
        };
        if let Some(hold) = hold {
            pace.hold(Instant::now() + hold);
        }
        told.map(drop).map_err(of_discord)
    }

    /// Asks whether the webhook is still there.
    pub async fn probe(&self) -> Health {
        let begun = Moment::now();
        let call = Call {
            request: self.caller.client.get(self.url.clone()),
            name: ("GET", "/"),
            cap: 0,
        };
        let told = self.caller.tell(call).await.map_err(of_discord);
        Health::from_result(told.map(|_| HealthStatus::Healthy), begun.elapsed())
    }
}

/// An id or a token that Discord does not know comes from a webhook that somebody removed.
fn of_discord(error: CallError) -> CallError {
    match error.status {
        Some(401 | 404) => CallError {
            kind: ErrorKind::Gone,
            message:
                "Discord does not know the webhook (was it removed? its channel needs a new one)"
                    .to_owned(),
            ..error
        },
        _ => error,
    }
}

/// The wait until the next call if this was the last one that may begin now.
fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    if number("x-ratelimit-remaining")? >= 1.0 {
        return None;
    }
    let seconds = number("x-ratelimit-reset-after")?;
    let longest = Duration::from_hours(1);
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|wait| wait.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_calls_begin_within_the_period() {
        let mut pace = Pace::default();
        let mut begun = Vec::new();
        for _ in 0..12 {
            tokio::time::sleep(pace.wait(Instant::now())).await;
            pace.begins(Instant::now());
            begun.push(Instant::now());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        for calls in begun.windows(CALLS + 1) {
            assert!(*calls.last().unwrap() - calls[0] >= PERIOD, "{calls:?}");
        }
        assert!(begun[11] - begun[0] < 2 * PERIOD + Duration::from_millis(200));
    }

    #[test]
    fn the_wish_of_an_answer_is_read_whatever_is_in_it() {
        let read = |remaining: &'static str, after: &'static str| {
            let headers = [
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset-after", after),
            ];
            let headers = headers.map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                )
            });
            until_reset(&headers.into_iter().collect())
        };
        assert_eq!(read("0", "1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(read("0", "1e99"), None);
        assert_eq!(read("0", "999999"), Some(Duration::from_hours(1)));
        for (remaining, after) in [("1", "1.5"), ("0", "soon"), ("0", "-1"), ("0", "NaN")] {
            assert_eq!(read(remaining, after), None, "{remaining} {after}");
        }
        assert_eq!(until_reset(&HeaderMap::new()), None);
    }
}
