//! One call: its span, its trace context, its figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use tracing::Instrument;

use super::body::Body;
use super::error::{CallError, of_reqwest, of_status};
use crate::domain::retry::retry_after;
use crate::telemetry::labels::{CallResult, Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;

/// Bytes of an answer that says when to ask again.
const WISH_CAP: usize = 4 * 1024;

/// Makes the calls to one service.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The service.
    pub dependency: Dependency,
    /// Its client.
    pub client: reqwest::Client,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// A call to be made.
#[derive(Debug)]
pub struct Call {
    /// What to send.
    pub request: RequestBuilder,
    /// The method and the path without parameters, for the span.
    pub name: (&'static str, &'static str),
    /// Bytes that the answer may have, decoded.
    pub cap: usize,
}

/// An answer with a status of 2xx or 304.
#[derive(Debug)]
pub struct Answer<B> {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// What was read of the body.
    pub body: B,
}

/// When a service that says so in its answer alone wants to be asked again.
async fn wish(response: reqwest::Response) -> Option<Duration> {
    let body = Body::new(response, WISH_CAP).ok()?.whole().await.ok()?;
    let value: serde_json::Value = serde_json::from_slice(&body).ok()?;
    // Whole seconds, rounded up, as the header has them.
    let seconds = value.get("retry_after")?.as_f64()?.ceil();
    retry_after(&format!("{seconds:.0}"), jiff::Timestamp::now())
}

/// Makes a call, whatever protocol it speaks, inside its span, and counts it.
///
/// # Errors
/// Those of the call.
pub async fn observed<T>(
    metrics: &Metrics,
    dependency: Dependency,
    span: &tracing::Span,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let begun = Instant::now();
    let result = call.instrument(span.clone()).await;
    let result = result.map_err(|error| CallError {
        service: Some(dependency),
        ..error
    });
    metrics
        .client_request_duration
        .observe((dependency,), begun.elapsed());
    let failed = result.as_ref().err().map(|error| error.kind);
    if let Some(kind) = failed {
        span::fail(span, kind);
    }
    let outcome = CallResult::of(dependency, failed);
    metrics.client_requests.inc((dependency, outcome));
    result
}

impl Caller {
    /// Makes the call and reads the answer to its end.
    ///
    /// # Errors
    /// When there is no whole answer, or its status is neither 2xx nor 304.
    pub async fn call(&self, call: Call) -> Result<Answer<Bytes>, CallError> {
        self.call_reading(call, Body::whole).await
    }

    /// Makes the call and has `read` read the answer.
    ///
    /// # Errors
    /// Those of `read`; and when there is no answer, or its status is neither 2xx nor 304.
    pub async fn call_reading<B>(
        &self,
        call: Call,
        read: impl AsyncFnOnce(Body) -> Result<B, CallError>,
    ) -> Result<Answer<B>, CallError> {
        let (method, path) = call.name;
        let span = span::client(method, self.dependency.label(), path);
        let attempt = self.attempt(call, read, &span);
        let result = observed(&self.metrics, self.dependency, &span, attempt).await;
        let status = match &result {
            Ok(answer) => Some(answer.status.as_u16()),
            Err(error) => error.status,
        };
        if let Some(status) = status {
            span::answered(&span, status);
        }
        result
    }

    /// Makes the call; what is in the answer does not matter beside its status.
    ///
    /// # Errors
    /// When there is no answer, or its status is not 2xx.
    pub async fn tell(&self, mut call: Call) -> Result<HeaderMap, CallError> {
        call.cap = usize::MAX;
        let answer = self.call_reading(call, async |_| Ok(())).await?;
        match answer.status.is_success() {
            true => Ok(answer.headers),
            false => Err(CallError::of(
                ErrorKind::Invalid,
                "the service answered 304 to a call that asked for nothing",
            )),
        }
    }

    async fn attempt<B>(
        &self,
        call: Call,
        read: impl AsyncFnOnce(Body) -> Result<B, CallError>,
        span: &tracing::Span,
    ) -> Result<Answer<B>, CallError> {
        let mut context = HeaderMap::new();
        span::inject(span, &mut context);
        let (client, request) = call.request.headers(context).build_split();
        let request = request.map_err(|error| of_reqwest(&error))?;
        let url = request.url();
        if let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) {
            span::towards(span, host, port);
        }
        let sent = client.execute(request).await;
        let response = sent.map_err(|error| of_reqwest(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Err(mut error) = of_status(status, &headers) {
            if error.kind == ErrorKind::RateLimited && error.retry_after.is_none() {
                error.retry_after = wish(response).await;
            }
            return Err(error);
        }
        let body = read(Body::new(response, call.cap)?).await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}
