//! Reading an answer's body: capped after decoding, held in memory once.

use bytes::Bytes;

use super::buffer::Buffer;
use super::error::{CallError, of_reqwest};
use crate::telemetry::labels::ErrorKind;

/// Reads the whole body, at most `cap` bytes.
pub async fn read(mut response: reqwest::Response, cap: usize) -> Result<Bytes, CallError> {
    let claimed = response
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    if claimed.is_some_and(|length| length > cap) {
        return Err(too_large(cap));
    }
    let mut body = Buffer::new(claimed, cap);
    while let Some(chunk) = response.chunk().await.map_err(|error| of_reqwest(&error))? {
        if body.len() == 0 && claimed == Some(chunk.len()) {
            return Ok(chunk);
        }
        if body.len() + chunk.len() > cap {
            return Err(too_large(cap));
        }
        body.append(&chunk).map_err(|error| no_memory(&error))?;
    }
    if claimed.is_some_and(|length| body.len() < length) {
        return Err(CallError::of(
            ErrorKind::Reset,
            "the answer ended before its announced length",
        ));
    }
    Ok(body.into_bytes())
}

fn too_large(cap: usize) -> CallError {
    let message = format!("the answer has more than {cap} bytes");
    CallError::of(ErrorKind::TooLarge, &message)
}

fn no_memory(error: &std::io::Error) -> CallError {
    let message = format!("there is no memory for the answer: {error}");
    CallError::of(ErrorKind::TooLarge, &message)
}
