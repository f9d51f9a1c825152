//! Errors as RFC 9457 problem details. Nothing internal appears in one.

use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Response, answer};
use crate::store::StoreError;

/// What went wrong (RFC 9457).
#[derive(Serialize, JsonSchema)]
pub struct Problem<'a> {
    /// `about:blank`: the title says it all.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// What to do about it.
    detail: &'a str,
    /// To be found in the log of the daemon by, where that has a line about it.
    request_id: String,
}

/// An error answer with one sentence that helps the client.
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let request_id = request_id();
    if status.is_server_error() {
        tracing::warn!(
            status = status.as_u16(),
            request_id,
            "request refused: {detail}"
        );
    }
    write(status, detail, request_id)
}

/// 503 for one of so many that each must wait; without a line in the log, which they would fill.
fn crowded() -> Response {
    let detail = "Too many requests read the store";
    let response = write(StatusCode::SERVICE_UNAVAILABLE, detail, request_id());
    retry_after(response, 1)
}

fn request_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn write(status: StatusCode, detail: &str, request_id: String) -> Response {
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        request_id,
    };
    answer(
        status,
        "application/problem+json",
        serde_json::to_vec(&problem).unwrap_or_default(),
    )
}

/// 404 with the text that clients know.
pub fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not Found")
}

/// 405 with the text that clients know, and what is allowed.
pub fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// 503 that says when to come back.
pub fn unavailable(detail: &str, retry_after_seconds: u32) -> Response {
    retry_after(
        problem(StatusCode::SERVICE_UNAVAILABLE, detail),
        retry_after_seconds,
    )
}

/// 503 for what is not told without the store.
pub fn unreadable(error: &StoreError) -> Response {
    match error {
        StoreError::Busy => crowded(),
        _ => problem(StatusCode::SERVICE_UNAVAILABLE, "The store cannot be read"),
    }
}

/// Adds `Retry-After`.
pub fn retry_after(mut response: Response, seconds: u32) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Ends the connection after this answer.
pub fn and_close(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
