//! The front door: bounds, parses and routes requests. It knows nothing of matches.

// Where a request is refused, the answer to send is the error.
#![allow(clippy::result_large_err)]

mod admin;
mod admit;
mod answers;
mod arrival;
mod body;
mod client;
mod deliveries;
mod framing;
mod gate;
mod guard;
mod health;
mod io;
mod listen;
mod metrics;
mod openapi;
mod peer;
mod problem;
mod process;
mod proxied;
mod rates;
mod repeat;
mod republish;
mod route;
mod sift;
mod status;
mod stream;
mod talk;
mod view;

pub use body::KEPT_BYTES;
pub use listen::{Limits, Server, serve_connection};
pub use peer::Peer;
pub use proxied::own_header;
pub use route::{Site, SiteKind};

/// Header lines of a request.
const MAX_HEADERS: usize = 100;

/// An answer; every body is small and whole.
pub type Response = http::Response<http_body_util::Full<bytes::Bytes>>;

/// A request as it comes from the connection.
pub type Request = http::Request<hyper::body::Incoming>;

/// A JSON answer.
fn json(status: http::StatusCode, body: &impl serde::Serialize) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    answer(status, "application/json", bytes)
}

fn answer(
    status: http::StatusCode,
    content_type: &'static str,
    body: impl Into<bytes::Bytes>,
) -> Response {
    let mut response = Response::new(http_body_util::Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        http::HeaderValue::from_static("no-store"),
    );
    response
}
