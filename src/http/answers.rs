//! Memory for answers: a client that does not take its answer keeps it in memory until the write
//! deadline, and all of them together may keep only as much as is set aside.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Response;

/// Bytes that all answers under way may hold together.
const BYTES_IN_FLIGHT: usize = 16 * 1024 * 1024;

/// An answer up to this size is always given: those of probes and refusals are.
const ALWAYS: usize = 1024;

/// Sets the memory for answers aside.
#[derive(Clone, Debug)]
pub struct Answers {
    budget: Arc<Semaphore>,
    total: usize,
}

/// An answer that counts until its last byte is sent.
struct Counted(
    Bytes,
    #[expect(dead_code, reason = "held")] OwnedSemaphorePermit,
);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self::of(BYTES_IN_FLIGHT)
    }
}

impl Answers {
    fn of(total: usize) -> Self {
        let budget = Arc::new(Semaphore::new(total));
        Self { budget, total }
    }

    /// The answer, its memory taken from what is set aside; none if that is used up. An answer
    /// larger than all of it is given while there is no other.
    pub fn counted(&self, response: Response) -> Option<Response> {
        let (head, body) = response.into_parts();
        let bytes = body.into_inner().unwrap_or_default();
        // What others hold, too, takes no more memory for this one.
        let bytes = if bytes.len() <= ALWAYS || !bytes.is_unique() {
            bytes
        } else {
            let wanted = u32::try_from(bytes.len().min(self.total)).unwrap_or(u32::MAX);
            let budget = Arc::clone(&self.budget);
            let permit = budget.try_acquire_many_owned(wanted).ok()?;
            Bytes::from_owner(Counted(bytes, permit))
        };
        Some(Response::from_parts(head, Full::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: impl Into<Bytes>) -> Response {
        Response::new(Full::new(bytes.into()))
    }

    #[test]
    fn answers_count_until_their_last_byte_is_gone() {
        let answers = Answers::of(10_000);
        let first = answers.counted(answer(vec![b'a'; 6000])).unwrap();
        let mut rest = first.into_body().into_inner().unwrap();
        assert_eq!(rest, vec![b'a'; 6000]);
        let last = rest.split_off(5999);
        assert!(answers.counted(answer(vec![b'b'; 4001])).is_none());
        drop(rest);
        assert!(answers.counted(answer(vec![b'b'; 4001])).is_none());
        let second = answers.counted(answer(vec![b'b'; 4000])).unwrap();
        assert!(answers.counted(answer(vec![b'c'; 1025])).is_none());
        assert!(answers.counted(answer(vec![b'c'; 1024])).is_some());
        drop((last, second));
        let huge = answers.counted(answer(vec![b'd'; 20_000])).unwrap();
        assert!(answers.counted(answer(vec![b'c'; 1025])).is_none());
        // Counted once, however often it is looked at.
        assert!(answers.counted(huge).is_some());
        assert!(answers.counted(answer(vec![b'b'; 10_000])).is_some());
    }

    #[test]
    fn what_is_there_anyhow_is_not_counted() {
        let answers = Answers::of(2000);
        let shared = Bytes::from(vec![b'a'; 1500]);
        let fixed = Bytes::from_static(&[b'b'; 1500]);
        let held: Vec<_> = [&shared, &fixed, &shared]
            .map(|bytes| answers.counted(answer(bytes.clone())))
            .into();
        assert!(held.iter().all(Option::is_some));
        assert!(answers.counted(answer(vec![b'c'; 2000])).is_some());
    }
}
