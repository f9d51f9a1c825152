//! The Drive service. It limits itself to about five operations a second, shares a temporary file
//! between uploads of one name, and creates folders in a race with itself: so uploads are paced,
//! one at a time for all folders of a day, and the very first goes alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};
use url::Url;

use super::{Stored, Upload};
use crate::client::{Call, CallError, Caller, Health, HealthStatus, Timeouts, client, endpoint};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// Between the starts of two operations.
const PACE: Duration = Duration::from_millis(200);
const TOTAL: Duration = Duration::from_mins(2);
/// Bytes of an answer.
const CAP: usize = 64 * 1024;

/// The Drive service.
#[derive(Clone, Debug)]
pub struct Drive {
    base: Url,
    caller: Caller,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// When the next operation may start.
    next: Mutex<Option<tokio::time::Instant>>,
    /// One lock per folder of a day, for as long as somebody holds it.
    days: StdMutex<HashMap<String, Weak<Mutex<()>>>>,
    /// Set once an upload has succeeded: from then on the base folder exists.
    first: OnceCell<()>,
    alone: Mutex<()>,
}

#[derive(Deserialize)]
struct Answer {
    status: Option<String>,
    file_url: Option<String>,
}

impl Drive {
    /// The service at `base`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(base: Url, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            read: TOTAL,
            total: TOTAL,
        };
        let client = client(&base, timeouts)?;
        let caller = Caller {
            dependency: Dependency::StorageService,
            client,
            metrics,
        };
        Ok(Self {
            base,
            caller,
            inner: Arc::default(),
        })
    }

    /// Uploads a file, replacing one with the same name.
    ///
    /// # Errors
    /// When the service did not store it. An answer of 200 that says `error`, as older versions
    /// send it, counts as a failure of the service and is tried again.
    pub async fn upload(&self, upload: &Upload) -> Result<Stored, CallError> {
        let alone = match self.inner.first.initialized() {
            true => None,
            false => Some(self.inner.alone.lock().await),
        };
        let _day = self.day(&upload.folder).await;
        self.pace().await;
        let stored = self.post(upload).await?;
        let _ = self.inner.first.set(());
        drop(alone);
        Ok(stored)
    }

    async fn post(&self, upload: &Upload) -> Result<Stored, CallError> {
        let part = Part::stream_with_length(upload.bytes.clone(), upload.bytes.len() as u64)
            .file_name(upload.file_name.clone())
            .mime_str(&upload.content_type)
            .map_err(|_| CallError::of(ErrorKind::Internal, "the file has no valid type"))?;
        let form = Form::new()
            .text("folder_path", upload.folder.clone())
            .text("overwrite", "true")
            .part("file", part);
        let request = self
            .caller
            .client
            .post(endpoint(&self.base, "/upload_file"))
            .header("idempotency-key", format!("\"{}\"", upload.idempotency_key))
            .multipart(form);
        let call = Call {
            request,
            name: ("POST", "/upload_file"),
            cap: CAP,
        };
        let answer = self.caller.call(call).await?;
        let invalid = |message| CallError::of(ErrorKind::Invalid, message);
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|_| invalid("the Drive service's answer cannot be understood"))?;
        match (answer.status.as_deref(), answer.file_url) {
            (Some("success"), Some(url)) if !url.is_empty() => Ok(Stored { url }),
            (Some("success"), _) => Err(invalid("the Drive service named no file")),
            _ => Err(invalid("the Drive service reported an error")),
        }
    }

    /// Waits for its turn; the starts of two operations are at least [`PACE`] apart.
    async fn pace(&self) {
        let mut next = self.inner.next.lock().await;
        let now = tokio::time::Instant::now();
        let start = next.map_or(now, |next| next.max(now));
        *next = Some(start + PACE);
        drop(next);
        tokio::time::sleep_until(start).await;
    }

    /// Locks the folder above that of the match, which is that of its day.
    async fn day(&self, folder: &str) -> OwnedMutexGuard<()> {
        let day = folder
            .rsplit_once('/')
            .map_or(folder, |(day, _)| day)
            .to_owned();
        let lock = {
            let mut days = self
                .inner
                .days
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            days.retain(|_, lock| lock.strong_count() > 0);
            let found = days.get(&day).and_then(Weak::upgrade);
            found.unwrap_or_else(|| {
                let lock = Arc::new(Mutex::new(()));
                days.insert(day, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }

    /// Asks how it is and whether it is authorised.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let result = async {
            self.get("/health").await?;
            match self.get("/auth/status").await {
                Ok(body) if denies(&body) => Err(unauthorised()),
                Err(error) if error.kind == ErrorKind::Unauthorized => Err(unauthorised()),
                // Not every version has it.
                _ => Ok(HealthStatus::Healthy),
            }
        };
        Health::from_result(result.await, begun.elapsed())
    }

    async fn get(&self, path: &'static str) -> Result<bytes::Bytes, CallError> {
        let url = endpoint(&self.base, path);
        let request = self.caller.client.get(url).timeout(Duration::from_secs(10));
        let call = Call {
            request,
            name: ("GET", path),
            cap: CAP,
        };
        Ok(self.caller.call(call).await?.body)
    }
}

fn unauthorised() -> CallError {
    CallError::of(
        ErrorKind::Unauthorized,
        "the Drive service is not authorised",
    )
}

/// Whether the answer of `/auth/status` says no. Its form is not the same everywhere.
fn denies(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return false;
    };
    [
        "authenticated",
        "authorized",
        "is_authenticated",
        "is_authorized",
    ]
    .iter()
    .any(|key| value.get(key).and_then(serde_json::Value::as_bool) == Some(false))
}
