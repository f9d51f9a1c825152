//! What the connection below hyper and the answers above it tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use super::framing::Ambiguous;

/// One connection's state, shared by both sides. It is used by one task at a time.
#[derive(Clone, Debug, Default)]
pub struct Talk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    ambiguous: Ambiguous,
    step: AtomicU8,
    ended: Notify,
}

/// No request is there.
const LISTENING: u8 = 0;
/// One is, and whoever answers it is at work.
const ANSWERING: u8 = 1;
/// Its answer is on its way to the client.
const ANSWERED: u8 = 2;

impl Talk {
    /// Whether a request came that says in two ways where it ends.
    pub fn ambiguous(&self) -> &Ambiguous {
        &self.0.ambiguous
    }

    /// The head of a request is there. Once all of it is, its client may stop sending without giving
    /// up the answer.
    pub fn heard(&self) {
        self.0.step.store(ANSWERING, Ordering::Relaxed);
    }

    /// Its answer is made.
    pub fn answered(&self) {
        self.0.step(ANSWERING, ANSWERED);
    }

    /// All that was written is with the system. Whether an answer was.
    pub fn sent(&self) -> bool {
        self.0.step(ANSWERED, LISTENING)
    }

    /// Whether a client that sends nothing more is still owed an answer.
    pub fn owes_answer(&self) -> bool {
        self.0.step.load(Ordering::Relaxed) != LISTENING
    }

    /// The client sends nothing more: it is gone, or waits for its answer only.
    pub fn end(&self) {
        self.0.ended.notify_one();
    }

    /// Resolves when the client has ended while it is owed an answer.
    pub async fn ended(&self) {
        self.0.ended.notified().await;
    }
}

impl Shared {
    fn step(&self, from: u8, to: u8) -> bool {
        let order = Ordering::Relaxed;
        self.step.compare_exchange(from, to, order, order).is_ok()
    }
}
