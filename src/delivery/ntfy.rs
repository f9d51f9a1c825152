//! ntfy: messages on people's phones, by a topic of a server.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::client::{Call, CallError, Caller, Health, HealthStatus, Timeouts, client, endpoint};
use crate::config::Secret;
use crate::telemetry::labels::Dependency;
use crate::telemetry::metrics::Metrics;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(15),
    total: Duration::from_secs(30),
};
/// Bytes of a message's text. Of more the server makes a file that has to be opened.
const LONGEST: usize = 4096;
const CUT: &str = "…";

/// A topic.
#[derive(Clone)]
pub struct NtfySettings {
    /// The server.
    pub base: Url,
    /// The topic; whoever knows it can read it unless the server asks for a login.
    pub topic: Secret,
    /// An access token, if the server asks for one.
    pub token: Option<Secret>,
}

/// What is shown on a phone.
#[derive(Clone, Debug, Serialize)]
pub struct NtfyMessage {
    /// The first line.
    pub title: String,
    /// The rest, at most 4,096 bytes; more are cut off.
    pub message: String,
    /// From 1, which makes no sound, to 5.
    pub priority: u8,
    /// Where a tap leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click: Option<String>,
    /// Words, of which known ones become pictures.
    pub tags: Vec<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    topic: &'a str,
    #[serde(flatten)]
    message: NtfyMessage,
}

/// A topic of a server.
#[derive(Clone)]
pub struct Ntfy {
    settings: NtfySettings,
    caller: Caller,
}

impl fmt::Debug for Ntfy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ntfy").finish_non_exhaustive()
    }
}

impl Ntfy {
    /// A topic.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(settings: NtfySettings, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        let caller = Caller {
            dependency: Dependency::Ntfy,
            client: client(&settings.base, TIMEOUTS)?,
            metrics,
        };
        Ok(Self { settings, caller })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the server did not take it.
    pub async fn send(&self, mut message: NtfyMessage) -> Result<(), CallError> {
        shorten(&mut message.message);
        let body = Body {
            topic: self.settings.topic.expose(),
            message,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let request = self
            .caller
            .client
            .post(endpoint(&self.settings.base, "/"))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let call = Call {
            request: self.authorized(request),
            name: ("POST", "/"),
            cap: 0,
        };
        self.caller.tell(call).await.map(drop)
    }

    /// Asks how the server is.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let url = endpoint(&self.settings.base, "/v1/health");
        let call = Call {
            request: self.authorized(self.caller.client.get(url)),
            name: ("GET", "/v1/health"),
            cap: 64 * 1024,
        };
        let status = self.caller.call(call).await.map(|answer| {
            let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match answer["healthy"] == false {
                true => HealthStatus::Degraded,
                false => HealthStatus::Healthy,
            }
        });
        Health::from_result(status, begun.elapsed())
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.settings.token {
            None => request,
            Some(token) => request.bearer_auth(token.expose()),
        }
    }
}

/// Cuts what is too long between two characters.
fn shorten(text: &mut String) {
    if text.len() <= LONGEST {
        return;
    }
    let end = text.floor_char_boundary(LONGEST - CUT.len());
    text.truncate(end);
    text.push_str(CUT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let shortened = |text: String| {
            let mut text = text;
            shorten(&mut text);
            text
        };
        assert_eq!(shortened("å".repeat(2048)).len(), 4096);
        let long = shortened(format!("x{}", "å".repeat(2048)));
        assert!(long.len() <= LONGEST && long.len() > LONGEST - 4);
        assert!(long.ends_with("å…"), "{long}");
    }
}
