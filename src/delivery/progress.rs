//! How far a cycle has come, for those who listen on Redis. Nobody is told later of what was missed:
//! the next cycle tells anew.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::redis::Progress as Told;
use super::{Envelope, MessageType, ProgressStatus, Redis};
use crate::shutdown::raised;

/// Messages that wait at most; the oldest make room.
const WAITING: usize = 16;
/// For the last ones, at a stop.
const LAST: Duration = Duration::from_secs(1);

/// What is to be told.
#[derive(Debug, Default)]
pub struct Progress {
    waiting: Mutex<VecDeque<(String, Told<Value>)>>,
    wake: Notify,
}

impl Progress {
    /// Tells of a cycle. `details` holds no personal data.
    pub fn tell(&self, cycle: &str, status: ProgressStatus, at: Timestamp, details: Value) {
        let key = format!("{cycle}-{}", status.label());
        let told = Told {
            status,
            timestamp: at,
            details,
        };
        let mut waiting = self.lock();
        if waiting.len() == WAITING {
            waiting.pop_front();
        }
        waiting.push_back((key, told));
        drop(waiting);
        self.wake.notify_one();
    }

    /// Publishes what is told, until `stop` is set.
    pub async fn run(&self, redis: &Redis, channel: &str, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = raised(&mut stop) => break,
            }
            tokio::select! {
                () = self.publish(redis, channel) => {}
                () = raised(&mut stop) => break,
            }
        }
        let _ = tokio::time::timeout(LAST, self.publish(redis, channel)).await;
    }

    /// Publishes what waits, once.
    pub async fn publish(&self, redis: &Redis, channel: &str) {
        loop {
            let Some((key, told)) = self.lock().pop_front() else {
                return;
            };
            let kind = MessageType::ProcessingStatus;
            let envelope = Envelope::new(kind, &key, told.timestamp, &told).json();
            let Ok(body) = envelope else { continue };
            if let Err(error) = redis.publish(channel, &body).await {
                tracing::debug!(error = %error, "nobody could be told how far a cycle has come");
                self.lock().clear();
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Told<Value>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
