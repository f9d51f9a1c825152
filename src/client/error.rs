//! Why a call failed. No message holds an answer's text, a query or credentials.

use std::error::Error;
use std::time::Duration;
use std::{io, iter};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio_rustls::rustls;

use super::guard::Barred;
use crate::domain::retry::retry_after;
use crate::telemetry::labels::{Dependency, ErrorKind};

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
    /// The service that was called; none if it did not come to a call.
    pub service: Option<Dependency>,
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
            service: None,
            message: message.to_owned(),
        }
    }

    /// Whether the same call can never succeed. 401 and 403 speak of the service's login, which a
    /// person can mend; the call itself may be fine.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        if matches!(self.kind, ErrorKind::Rejected | ErrorKind::Gone) {
            return true;
        }
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
        service: None,
        message: format!("the service answered {}{explanation}", status.as_u16()),
    })
}

/// Host and port alone: the rest of a URL may hold credentials.
fn place(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}")
}

/// The library's error that this one wraps, if any, be it in several of the system's errors.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let Some(wrapper) = error.downcast_ref::<io::Error>() else {
        return error.downcast_ref();
    };
    of_tls(wrapper.get_ref()?)
}

/// Where an address may not be called.
pub(super) const BARRED: &str = "its address is none of the public internet; a [[channel]] with \
    allow_private = true may go there";

/// What to look at where no connection came about.
fn why_unconnected(error: &(dyn Error + 'static)) -> &'static str {
    let causes = || iter::successors(Some(error), |&error| error.source());
    if causes().any(<dyn Error>::is::<Barred>) {
        return BARRED;
    }
    for cause in causes() {
        match of_tls(cause) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return "its certificate is not trusted here, or is for another name";
            }
            Some(_) => return "it speaks no TLS that could be agreed on",
            None => {}
        }
        // The resolver's own error has no type that could be asked for.
        if cause.to_string() == "dns error" {
            return "its name is not known";
        }
    }
    "is the address right, does it run?"
}

/// What the system says of a connection that did not come about, in our terms. `place` is where to.
#[must_use]
pub fn of_connecting(error: &io::Error, place: &str) -> CallError {
    unconnected(place, why_unconnected(error))
}

/// The same where the reason is known.
#[must_use]
pub fn unconnected(place: &str, hint: &str) -> CallError {
    let message = format!("no connection to {place} could be made ({hint})");
    CallError::of(ErrorKind::Connect, &message)
}

/// What reqwest says, in our terms.
#[must_use]
pub fn of_reqwest(error: &reqwest::Error) -> CallError {
    if error.is_timeout() {
        return CallError::of(ErrorKind::Timeout, "no answer in time");
    }
    if error.is_connect() {
        let place = error.url().map(place).unwrap_or_default();
        return unconnected(&place, why_unconnected(error));
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn message(url: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        of_reqwest(&client.get(url).send().await.unwrap_err()).message
    }

    #[tokio::test]
    async fn what_keeps_a_connection_from_being_made_is_told_apart() {
        let made = rcgen::generate_simple_self_signed(["mlp.example".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls = crate::tls::Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(tls.server());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = acceptor.accept(stream).await;
            drop(listener);
        });
        let untrusted = message(&format!("https://{address}/")).await;
        assert!(
            untrusted.contains("certificate is not trusted"),
            "{untrusted}"
        );
        let refused = message("http://127.0.0.1:1/").await;
        assert!(refused.contains("does it run?"), "{refused}");
        let unknown = message("http://nosuch.invalid/").await;
        assert!(unknown.contains("its name is not known"), "{unknown}");
        let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = plain.local_addr().unwrap();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let (mut stream, _) = plain.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        });
        let other = message(&format!("https://{address}/")).await;
        assert!(other.contains("speaks no TLS"), "{other}");
    }
}
