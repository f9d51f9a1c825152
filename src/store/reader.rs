//! Connections that only read. They run on the blocking pool of whichever runtime asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::error::StoreError;
use super::open::open_reader;
use crate::telemetry::labels::StoreError as Operation;
use crate::telemetry::metrics::Metrics;

/// Readers that may work at once.
const MAX_READERS: usize = 4;

pub struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Readers {
    pub fn new(path: PathBuf, metrics: Arc<Metrics>) -> Self {
        Self {
            path,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(MAX_READERS)),
            metrics,
        }
    }

    pub async fn run<T: Send + 'static>(
        &self,
        feed: Arc<str>,
        job: impl FnOnce(&Connection, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
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
