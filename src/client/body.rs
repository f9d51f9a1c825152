//! Reading an answer's body: capped after decoding, held in memory once.

use bytes::Bytes;

use super::buffer::Buffer;
use super::error::{CallError, of_reqwest};
use crate::telemetry::labels::ErrorKind;

/// A body, piece by piece.
#[derive(Debug)]
pub struct Body {
    response: reqwest::Response,
    cap: usize,
    claimed: Option<usize>,
    came: usize,
}

impl Body {
    /// That of an answer; at most `cap` bytes.
    ///
    /// # Errors
    /// When it claims to have more.
    pub fn new(response: reqwest::Response, cap: usize) -> Result<Self, CallError> {
        let claimed = response
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        let body = Self {
            response,
            cap,
            claimed,
            came: 0,
        };
        body.within_cap(claimed.unwrap_or_default())?;
        Ok(body)
    }

    fn within_cap(&self, length: usize) -> Result<(), CallError> {
        if length <= self.cap {
            return Ok(());
        }
        let message = format!("the answer has more than {} bytes", self.cap);
        Err(CallError::of(ErrorKind::TooLarge, &message))
    }

    /// Memory for the whole of it.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        Buffer::new(self.claimed, self.cap)
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the body breaks off, stands still, has more bytes than it may have or fewer than it
    /// claimed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let piece = self.response.chunk().await;
        let Some(piece) = piece.map_err(|error| of_reqwest(&error))? else {
            if self.claimed.is_some_and(|length| self.came < length) {
                return Err(CallError::of(
                    ErrorKind::Reset,
                    "the answer ended before its announced length",
                ));
            }
            return Ok(None);
        };
        self.came += piece.len();
        self.within_cap(self.came)?;
        Ok(Some(piece))
    }

    /// All of it.
    ///
    /// # Errors
    /// Those of [`Body::next`], and when there is no memory for it.
    pub async fn whole(mut self) -> Result<Bytes, CallError> {
        let mut buffer = self.buffer();
        while let Some(piece) = self.next().await? {
            if self.claimed == Some(piece.len()) {
                return Ok(piece);
            }
            buffer.append(&piece)?;
        }
        Ok(buffer.into_bytes())
    }
}
