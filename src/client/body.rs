//! Reading an answer's body: capped after decoding, held in memory once.

use bytes::{Bytes, BytesMut};

use super::error::{CallError, of_reqwest};
use crate::telemetry::labels::ErrorKind;

/// Bytes set aside for a body of unknown length, or at most for one whose length is a claim.
const FIRST_RESERVE: usize = 64 * 1024;
/// Beyond this a claimed length is believed only as the bytes arrive.
const BELIEVED: usize = 8 * 1024 * 1024;

/// Reads the whole body, at most `cap` bytes.
pub async fn read(mut response: reqwest::Response, cap: usize) -> Result<Bytes, CallError> {
    let too_large = || {
        CallError::of(
            ErrorKind::TooLarge,
            &format!("the answer has more than {cap} bytes"),
        )
    };
    let claimed = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    if claimed.is_some_and(|length| length > cap) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| of_reqwest(&error))? {
        if body.is_empty() && claimed == Some(chunk.len()) {
            body = BytesMut::from(chunk);
            continue;
        }
        let needed = body.len() + chunk.len();
        if needed > cap {
            return Err(too_large());
        }
        if needed > body.capacity() {
            body.reserve(reservation(needed, claimed, cap) - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    if claimed.is_some_and(|length| body.len() < length) {
        return Err(CallError::of(
            ErrorKind::Reset,
            "the answer ended before its announced length",
        ));
    }
    Ok(body.freeze())
}

/// The capacity to have once `needed` bytes are known. Doubling holds a large list twice while it
/// is copied, so a claimed length is used as soon as a good part of it has really come.
fn reservation(needed: usize, claimed: Option<usize>, cap: usize) -> usize {
    match claimed {
        Some(length) if length >= needed && (length <= BELIEVED || needed >= length / 64) => length,
        _ => (needed * 2).clamp(FIRST_RESERVE, cap.max(needed)),
    }
}
