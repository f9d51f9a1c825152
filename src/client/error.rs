//! Why a call failed. No message holds an answer's text, a query or credentials.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::domain::retry::retry_after;
use crate::telemetry::labels::ErrorKind;

/// A call that failed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct CallError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The status code, if there was an answer.
    pub status: Option<u16>,
    /// When the service wants to be asked again, between one second and one hour.
    pub retry_after: Option<Duration>,
    /// One sentence.
    pub message: String,
}

impl CallError {
    /// A failure without an answer.
    #[must_use]
    pub fn of(kind: ErrorKind, message: &str) -> Self {
        Self {
            kind,
            status: None,
            retry_after: None,
            message: message.to_owned(),
        }
    }

    /// Whether the same call can never succeed. 401 and 403 speak of the service's login, which a
    /// person can mend; the call itself may be fine.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        let transient = [401, 403, 408, 425, 429];
        self.status
            .is_some_and(|code| (400..500).contains(&code) && !transient.contains(&code))
    }
}

/// What an answer's status says; `Ok` for 2xx and 304.
///
/// # Errors
/// For any other status.
pub fn of_status(status: StatusCode, headers: &HeaderMap) -> Result<(), CallError> {
    let kind = match status.as_u16() {
        200..=299 | 304 => return Ok(()),
        300..=399 => ErrorKind::Redirect,
        401 | 403 => ErrorKind::Unauthorized,
        410 => ErrorKind::Gone,
        429 => ErrorKind::RateLimited,
        400..=499 => ErrorKind::Status4xx,
        500..=599 => ErrorKind::Status5xx,
        _ => ErrorKind::Invalid,
    };
    let wish = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let wish = wish.and_then(|value| retry_after(value, jiff::Timestamp::now()));
    let explanation = match kind {
        ErrorKind::Redirect => " (redirects are not followed)",
        ErrorKind::Unauthorized => " (is its login still valid?)",
        _ => "",
    };
    Err(CallError {
        kind,
        status: Some(status.as_u16()),
        retry_after: wish,
        message: format!("the service answered {}{explanation}", status.as_u16()),
    })
}

/// Host and port alone: the rest of a URL may hold credentials.
fn place(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!(" to {host}:{port}")
}

/// What reqwest says, in our terms.
#[must_use]
pub fn of_reqwest(error: &reqwest::Error) -> CallError {
    if error.is_timeout() {
        return CallError::of(ErrorKind::Timeout, "no answer in time");
    }
    if error.is_connect() {
        let place = error.url().map(place).unwrap_or_default();
        let message =
            format!("no connection{place} could be made (is the address right, does it run?)");
        return CallError::of(ErrorKind::Connect, &message);
    }
    if error.is_decode() {
        return CallError::of(
            ErrorKind::Invalid,
            "the answer cannot be decoded or ended early",
        );
    }
    if error.is_body() || error.is_request() {
        return CallError::of(
            ErrorKind::Reset,
            "the connection broke before the answer was whole",
        );
    }
    CallError::of(ErrorKind::Internal, "the call could not be made")
}
