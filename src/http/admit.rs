//! Whether a request may trigger: judged by its head, and by its body as it arrives.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Response;
use super::problem::{and_close, problem};
use super::repeat::{self, Named};
use super::route::Site;
use crate::auth::{Auth, Claim, Refusal, Scheme};
use crate::store::RequestName;

/// A request whose head is in order.
#[derive(Debug)]
pub struct Admission {
    scheme: Scheme,
    claim: Claim,
    named: Option<Named>,
}

impl Admission {
    /// Looks at the head; an `Err` is the answer to send instead.
    pub fn begin(site: &Site, auth: &Auth, headers: &HeaderMap) -> Result<Self, Response> {
        let unread = |response| match headers.contains_key(header::TRANSFER_ENCODING) {
            // Chunks that nobody looks at may hold what two servers read differently.
            true => and_close(response),
            false => response,
        };
        let claim = auth
            .claim(headers, site.clock.unix())
            .map_err(|refusal| unread(refused(site, auth.scheme, refusal)))?;
        let named = repeat::named(auth.scheme, headers)
            .map_err(|detail| unread(problem(StatusCode::BAD_REQUEST, &detail)))?;
        Ok(Self {
            scheme: auth.scheme,
            claim,
            named,
        })
    }

    /// Takes a piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.claim.update(piece);
        if let Some(named) = &mut self.named {
            named.update(piece);
        }
    }

    /// Judges the whole. Returns the request's name, if it has one, and the label of the secret that
    /// it showed, if one was needed.
    pub fn end(self, site: &Site) -> Result<(Option<RequestName>, Option<Arc<str>>), Response> {
        match self.claim.verify() {
            Ok(label) => Ok((self.named.map(Named::end), label)),
            Err(refusal) => Err(refused(site, self.scheme, refusal)),
        }
    }
}

/// The same answer for every reason; the reason is counted.
fn refused(site: &Site, scheme: Scheme, refusal: Refusal) -> Response {
    site.metrics.auth_refusals.inc((refusal,));
    let mut response = problem(StatusCode::UNAUTHORIZED, "The request is not authenticated");
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(scheme.challenge()),
    );
    response
}
