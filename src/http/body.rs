//! Reading a request's body: at most so long, at most so large, and only as much memory for all
//! clients together as is set aside.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Response;
use super::problem::{and_close, problem, unavailable};

/// Bytes of a body that are kept; of a longer one only the size.
pub const KEPT_BYTES: usize = 64 * 1024;

/// Bytes that all bodies in flight may hold together.
const BYTES_IN_FLIGHT: usize = 16 * 1024 * 1024;

/// Sets the memory for bodies aside.
#[derive(Clone, Debug)]
pub struct Bodies {
    budget: Arc<Semaphore>,
    max_bytes: usize,
    timeout: Duration,
}

/// A body that was read to its end.
#[derive(Debug, Default)]
pub struct ReadBody {
    /// The bytes, empty if there were more than [`KEPT_BYTES`].
    pub kept: Vec<u8>,
    /// How many there were.
    pub size: usize,
}

impl ReadBody {
    /// All of its bytes, unless there were more than [`KEPT_BYTES`].
    pub fn whole(&self) -> Option<&[u8]> {
        (self.kept.len() == self.size).then_some(&self.kept)
    }
}

impl Bodies {
    /// Bodies of at most `max_bytes` that arrive within `timeout`.
    pub fn new(max_bytes: usize, timeout: Duration) -> Self {
        let budget = Arc::new(Semaphore::new(BYTES_IN_FLIGHT));
        Self {
            budget,
            max_bytes,
            timeout,
        }
    }

    /// Reads the body. One that is too large to be kept is shown to `unkept`, piece by piece; an `Err`
    /// is the answer to send instead.
    pub async fn read(
        &self,
        body: Incoming,
        unkept: impl FnMut(&[u8]),
    ) -> Result<ReadBody, Response> {
        if body.is_end_stream() {
            return Ok(ReadBody::default());
        }
        if body.size_hint().lower() > self.max_bytes as u64 {
            return Err(self.too_large());
        }
        match tokio::time::timeout(self.timeout, self.collect(body, unkept)).await {
            Ok(result) => result,
            Err(_) => Err(and_close(problem(
                StatusCode::REQUEST_TIMEOUT,
                "The body did not arrive in time",
            ))),
        }
    }

    async fn collect(
        &self,
        mut body: Incoming,
        mut unkept: impl FnMut(&[u8]),
    ) -> Result<ReadBody, Response> {
        let mut read = ReadBody::default();
        let mut held: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                and_close(problem(
                    StatusCode::BAD_REQUEST,
                    "The body could not be read",
                ))
            })?;
            // hyper ends trailers where the first of their lines is empty for some readers only,
            // and skips what stands behind.
            let Ok(data) = frame.into_data() else {
                return Err(and_close(problem(
                    StatusCode::BAD_REQUEST,
                    "A body cannot have trailers",
                )));
            };
            read.size += data.len();
            if read.size > self.max_bytes {
                return Err(self.too_large());
            }
            if read.size > KEPT_BYTES {
                // The pieces before this one, if it is the first that is too much.
                unkept(&std::mem::take(&mut read.kept));
                unkept(&data);
                held = None;
                continue;
            }
            let more = self.reserve(data.len())?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            read.kept.extend_from_slice(&data);
        }
        Ok(read)
    }

    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Response> {
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.budget)
            .try_acquire_many_owned(wanted)
            .map_err(|_| and_close(unavailable("Too many bodies are being read", 1)))
    }

    fn too_large(&self) -> Response {
        let detail = format!("The body may have at most {} bytes", self.max_bytes);
        and_close(problem(StatusCode::PAYLOAD_TOO_LARGE, &detail))
    }
}
