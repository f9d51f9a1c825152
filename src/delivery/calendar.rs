//! The calendar service over HTTP. Newer versions take the matches that changed, older ones fetch all
//! of them for themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::client::{Call, CallError, Caller, Health, HealthStatus, Timeouts, client, endpoint};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// It writes to a calendar match by match.
const TOTAL: Duration = Duration::from_mins(5);
/// Bytes of an answer.
const CAP: usize = 256 * 1024;

/// The calendar service.
#[derive(Clone, Debug)]
pub struct Calendar {
    base: Url,
    caller: Caller,
    /// Whether it was an older version when it was last asked.
    is_old: Arc<AtomicBool>,
}

#[derive(Serialize)]
struct Matches<'a> {
    matches: &'a [&'a RawValue],
}

/// Of either version.
#[derive(Deserialize)]
struct Answer {
    success: Option<bool>,
    status: Option<String>,
}

impl Calendar {
    /// The service at `base`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: Url, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            read: TOTAL,
            total: TOTAL,
        };
        let caller = Caller {
            dependency: Dependency::Calendar,
            client: client(&base, timeouts)?,
            metrics,
        };
        Ok(Self {
            base,
            caller,
            is_old: Arc::default(),
        })
    }

    /// Has it bring these matches, raw objects as the list has them, into the calendar. `id` is the
    /// same at each attempt.
    ///
    /// # Errors
    /// When it did not, or does not say that it did.
    pub async fn sync(&self, id: &str, matches: &[&RawValue]) -> Result<(), CallError> {
        let was_old = self.is_old.load(Ordering::Relaxed);
        match self.try_sync(id, matches, was_old).await {
            // It was replaced by the other version.
            Err(error) if matches!(error.status, Some(404 | 405)) => {
                let synced = self.try_sync(id, matches, !was_old).await;
                if synced.is_ok() {
                    self.is_old.store(!was_old, Ordering::Relaxed);
                }
                synced
            }
            result => result,
        }
    }

    async fn try_sync(
        &self,
        id: &str,
        matches: &[&RawValue],
        is_old: bool,
    ) -> Result<(), CallError> {
        let (path, body) = if is_old {
            ("/sync", String::new())
        } else {
            let body = serde_json::to_string(&Matches { matches });
            let body = body.map_err(|_| invalid("the matches cannot be written as JSON"))?;
            ("/manual-sync", body)
        };
        let request = self
            .caller
            .client
            .post(endpoint(&self.base, path))
            .header("idempotency-key", format!("\"{id}\""))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let answer = self.call(request, ("POST", path)).await?;
        let answer: Answer = serde_json::from_slice(&answer)
            .map_err(|_| invalid("the calendar service's answer cannot be understood"))?;
        let is_done = match is_old {
            true => matches!(answer.status.as_deref(), Some("success" | "warning")),
            false => answer.success == Some(true),
        };
        match is_done {
            true => Ok(()),
            false => Err(invalid("the calendar service reported an error")),
        }
    }

    /// Asks how it is.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let url = endpoint(&self.base, "/health");
        let request = self.caller.client.get(url).timeout(Duration::from_secs(10));
        let asked = self.call(request, ("GET", "/health")).await;
        Health::from_result(asked.map(|_| HealthStatus::Healthy), begun.elapsed())
    }

    async fn call(
        &self,
        request: reqwest::RequestBuilder,
        name: (&'static str, &'static str),
    ) -> Result<Bytes, CallError> {
        let call = Call {
            request,
            name,
            cap: CAP,
        };
        Ok(self.caller.call(call).await?.body)
    }
}

fn invalid(message: &str) -> CallError {
    CallError::of(ErrorKind::Invalid, message)
}
