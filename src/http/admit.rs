//! Whether a request may trigger: judged by its head and its body.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Response;
use super::problem::problem;
use super::repeat::{self, Named};
use super::route::Site;
use crate::auth::{Auth, Claim, Refusal, Scheme};
use crate::store::RequestName;

/// A request whose head was looked at. It is judged at its end, so that every refusal takes the same
/// way, and the connection can go on.
#[derive(Debug)]
pub struct Admission {
    scheme: Scheme,
    claim: Result<Claim, Refusal>,
    named: Result<Option<Named>, String>,
}

impl Admission {
    /// Looks at the head.
    pub fn begin(site: &Site, auth: &Auth, headers: &HeaderMap) -> Self {
        Self {
            scheme: auth.scheme,
            claim: auth.claim(headers, site.clock.unix()),
            named: repeat::named(auth.scheme, headers),
        }
    }

    /// Takes a piece of a body that is not kept, in their order.
    pub fn update(&mut self, piece: &[u8]) {
        if let Ok(claim) = &mut self.claim {
            claim.update(piece);
        }
        if let Ok(Some(named)) = &mut self.named {
            named.update(piece);
        }
    }

    /// Judges the whole, with the body unless it was taken in pieces. Returns the request's name, if it has one, and the label of the secret that
    /// it showed, if one was needed; an `Err` is the answer to send.
    pub fn end(
        self,
        site: &Site,
        body: Option<&[u8]>,
    ) -> Result<(Option<RequestName>, Option<Arc<str>>), Response> {
        let claim = self.claim.and_then(|mut claim| {
            claim.update(body.unwrap_or_default());
            claim.verify()
        });
        let label = claim.map_err(|refusal| refused(site, self.scheme, refusal))?;
        let named = self
            .named
            .map_err(|detail| problem(StatusCode::BAD_REQUEST, &detail))?;
        Ok((named.map(|named| named.end(body)), label))
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
