//! What is refused before a request reaches its endpoint.

use http::{HeaderMap, Method, StatusCode, Version, header};

use super::framing::Ambiguous;
use super::problem::{and_close, problem};
use super::{Peer, Response};
use crate::config::Secret;

/// Strictness that hyper leaves to the program. `Some` is the answer to send.
pub fn malformed<B>(request: &http::Request<B>, ambiguous: &Ambiguous) -> Option<Response> {
    let refuse = |detail| Some(and_close(problem(StatusCode::BAD_REQUEST, detail)));
    if request.method() == Method::CONNECT {
        return refuse("CONNECT is not supported");
    }
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
        return refuse("A request must have exactly one Host header");
    }
    let named = host.filter(|host| !host.is_empty());
    if named.is_some_and(|host| host.to_str().ok().and_then(host_of).is_none())
        || request
            .uri()
            .authority()
            .is_some_and(|target| host_of(target.as_str()).is_none())
    {
        return refuse("A host is a name or an address, with or without a port");
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return refuse("The only transfer coding is chunked, and only once");
    }
    if headers.contains_key(header::CONTENT_LENGTH) || ambiguous.came() {
        return refuse("A request cannot have both Content-Length and Transfer-Encoding");
    }
    None
}

/// The host in `host` or `host:port`; none if it is anything else, such as one with a user.
fn host_of(text: &str) -> Option<String> {
    let authority: http::uri::Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        .then(|| authority.host().to_owned())
}

/// Who may use the administration listener. `Some` is the answer to send.
///
/// Without a token the listener is on loopback or on a Unix socket. A page in a browser on the same
/// machine can reach loopback too, so what a browser would send is refused. It can reach no Unix
/// socket, and whoever can may call the host what they like.
pub fn not_admitted<B>(request: &http::Request<B>, token: Option<&Secret>) -> Option<Response> {
    let headers = request.headers();
    let Some(token) = token else {
        let at_socket = request.extensions().get() == Some(&Peer::Unix);
        let named = at_socket || names_loopback(headers);
        let foreign = headers.contains_key(header::ORIGIN) || !named;
        return foreign.then(|| {
            let detail = "Without ADMIN_TOKEN only local clients that are no browsers are served";
            problem(StatusCode::FORBIDDEN, detail)
        });
    };
    let given = headers
        .get(header::AUTHORIZATION)
        .map(http::HeaderValue::as_bytes);
    let given = given.and_then(|value| {
        let (scheme, rest) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
    });
    // Digests compare in constant time and hide the length.
    let admitted =
        given.is_some_and(|given| blake3::hash(given) == blake3::hash(token.expose().as_bytes()));
    if admitted {
        return None;
    }
    let mut response = problem(
        StatusCode::UNAUTHORIZED,
        "The administration listener needs its bearer token",
    );
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        http::HeaderValue::from_static("Bearer"),
    );
    Some(response)
}

/// A name that resolves to loopback but is somebody else's (DNS rebinding) does not count.
fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let Some(host) = host_of(host) else {
        return false;
    };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, pairs: &[(&str, &str)]) -> http::Request<()> {
        let peer = peer.parse().map_or(Peer::Unix, Peer::Ip);
        let request = http::Request::builder().extension(peer);
        let with = |request: http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        pairs.iter().fold(request, with).body(()).unwrap()
    }

    #[test]
    fn without_a_token_only_local_programs_are_served() {
        for (served, pairs) in [
            (true, &[("host", "localhost:8001")][..]),
            (true, &[("host", "127.0.0.1:8001")]),
            (true, &[("host", "[::1]:8001")]),
            (false, &[("host", "evil.example:8001")]),
            (
                false,
                &[
                    ("host", "localhost:8001"),
                    ("origin", "https://evil.example"),
                ],
            ),
            (false, &[("host", "localhost@evil.example")]),
        ] {
            assert_eq!(
                not_admitted(&request("127.0.0.1", pairs), None).is_none(),
                served,
                "{pairs:?}"
            );
        }
        let unix = |pairs| not_admitted(&request("unix", pairs), None).is_none();
        assert!(unix(&[("host", "any.example")]));
        assert!(!unix(&[("host", "x"), ("origin", "https://evil.example")]));
    }

    #[test]
    fn a_token_must_be_the_bearer_token() {
        let token = Secret::new("s3cret".to_owned());
        for (served, value) in [
            (true, "Bearer s3cret"),
            (true, "bearer s3cret"),
            (false, "Bearer s3cre"),
            (false, "Bearer s3crets"),
            (false, "Basic s3cret"),
            (false, "Bearer"),
            (false, ""),
        ] {
            for peer in ["127.0.0.1", "unix"] {
                let request = request(peer, &[("authorization", value)]);
                let admitted = not_admitted(&request, Some(&token)).is_none();
                assert_eq!(admitted, served, "{peer} {value}");
            }
        }
        assert!(not_admitted(&request("unix", &[]), Some(&token)).is_some());
    }
}
