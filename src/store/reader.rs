//! Connections that only read. They run on the blocking pool of whichever runtime asks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::StoreError;
use super::open::open_reader;
use crate::telemetry::labels::StoreError as Operation;
use crate::telemetry::metrics::Metrics;

/// Readers of each [`Audience`] that may work at once.
const READERS: usize = 2;

/// Reads of [`Audience::Crowd`] that may wait for a reader.
const MAX_WAITING: usize = 64;

/// For whom a read is. None waits for a reader that works for another audience: whoever asks over and
/// over holds up others who ask, but no cycle and no delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Cycles and deliveries.
    Work,
    /// Whoever triggered and waits for the record, scrapers, operators.
    Answers,
    /// Anybody who looks at the endpoints. So many reads may wait and no more.
    Crowd,
}

/// The readers of one audience.
struct Queue {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// A place among those that wait, given back when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    fn of(max_waiting: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(READERS)),
            waiting: AtomicUsize::new(0),
            max_waiting,
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.waiting);
        if before >= self.max_waiting {
            return Err(StoreError::Busy);
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| StoreError::Closed)
    }
}

pub struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    work: Queue,
    answers: Queue,
    crowd: Queue,
    metrics: Arc<Metrics>,
}

impl Readers {
    pub fn new(path: PathBuf, metrics: Arc<Metrics>) -> Self {
        Self {
            path,
            idle: Arc::default(),
            work: Queue::of(usize::MAX),
            answers: Queue::of(usize::MAX),
            crowd: Queue::of(MAX_WAITING),
            metrics,
        }
    }

    pub async fn run<T: Send + 'static>(
        &self,
        audience: Audience,
        feed: Arc<str>,
        job: impl FnOnce(&Connection, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let queue = match audience {
            Audience::Work => &self.work,
            Audience::Answers => &self.answers,
            Audience::Crowd => &self.crowd,
        };
        let permit = queue.permit().await?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let work = move || {
            let _permit = permit;
            let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => open_reader(&path)?,
            };
            let result = job(&connection, &feed);
            if result.is_ok() {
                idle.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(connection);
            }
            result
        };
        let read = tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(StoreError::Panicked));
        if read.is_err() {
            self.metrics.store_errors.inc((Operation::Read,));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[expect(clippy::unnecessary_wraps, reason = "it is a read like any other")]
    fn nothing(_: &Connection, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    #[tokio::test]
    async fn a_crowd_holds_up_only_itself_and_only_so_many_of_it_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(Connection::open(&path).unwrap());
        let readers = Arc::new(Readers::new(path, Arc::new(Metrics::new())));
        let crowd = || readers.run(Audience::Crowd, "".into(), nothing);
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let slow: Vec<_> = std::iter::repeat_with(|| {
            let (readers, released) = (Arc::clone(&readers), Arc::clone(&released));
            tokio::spawn(async move {
                let job = move |_: &Connection, _: &str| {
                    let _ = released.lock().unwrap().recv_timeout(PATIENCE);
                    Ok(())
                };
                readers.run(Audience::Crowd, "".into(), job).await
            })
        })
        .take(READERS)
        .collect();
        let working = async {
            while readers.crowd.permits.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let working = tokio::time::timeout(PATIENCE, working).await;
        assert!(working.is_ok(), "both readers work");
        let mut waiting: Vec<_> = std::iter::repeat_with(|| Box::pin(crowd()))
            .take(MAX_WAITING)
            .collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none(), "it waits");
        }
        assert_eq!(crowd().await, Err(StoreError::Busy));
        // Whoever goes away makes room.
        waiting.pop();
        let mut next = Box::pin(crowd());
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        waiting.push(next);
        for audience in [Audience::Work, Audience::Answers] {
            let read = readers.run(audience, "".into(), nothing);
            let read = tokio::time::timeout(PATIENCE / 4, read).await;
            assert_eq!(read, Ok(Ok(())), "{audience:?}");
        }
        for _ in &slow {
            release.send(()).unwrap();
        }
        for one in waiting {
            assert_eq!(one.await, Ok(()));
        }
        for one in slow {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(crowd().await, Ok(()));
    }
}
