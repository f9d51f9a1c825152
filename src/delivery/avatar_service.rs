//! The avatar service: draws a picture from the emblems of two clubs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use url::Url;

use crate::client::{Call, CallError, Caller, Health, HealthStatus, Timeouts, client, endpoint};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// It fetches emblems with retries of its own, which takes up to 116 s.
const TOTAL: Duration = Duration::from_secs(130);
/// Bytes of a picture.
const CAP: usize = 10 * 1024 * 1024;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The avatar service.
#[derive(Clone, Debug)]
pub struct AvatarService {
    base: Url,
    caller: Caller,
}

impl AvatarService {
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
        let client = client(&base, timeouts)?;
        let caller = Caller {
            dependency: Dependency::AvatarService,
            client,
            metrics,
        };
        Ok(Self { base, caller })
    }

    /// Asks for the picture of two clubs, a square PNG.
    ///
    /// # Errors
    /// When there is no picture.
    pub async fn create(&self, home_club: i64, away_club: i64) -> Result<Bytes, CallError> {
        let body = json!({ "team1_id": home_club.to_string(), "team2_id": away_club.to_string() });
        let request = self
            .caller
            .client
            .post(endpoint(&self.base, "/create_avatar"))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let call = Call {
            request,
            name: ("POST", "/create_avatar"),
            cap: CAP,
        };
        let answer = self.caller.call(call).await?;
        if !answer.body.starts_with(PNG) {
            return Err(CallError::of(
                ErrorKind::Invalid,
                "the avatar service sent no PNG",
            ));
        }
        Ok(answer.body)
    }

    /// Asks how it is.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let request = self
            .caller
            .client
            .get(endpoint(&self.base, "/health"))
            .timeout(Duration::from_secs(10));
        let call = Call {
            request,
            name: ("GET", "/health"),
            cap: 64 * 1024,
        };
        let result = self.caller.call(call).await.map(|_| HealthStatus::Healthy);
        Health::from_result(result, begun.elapsed())
    }
}
