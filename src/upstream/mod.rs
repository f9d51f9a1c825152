//! The match list: asked for over HTTP, read from a file, or made in memory for the demonstration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use url::Url;

pub use crate::client::Timeouts;
use crate::client::{Call, CallError, Caller, Health, HealthStatus, client, endpoint};
use crate::telemetry::labels::{Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

/// Bytes of a health answer that are read.
const HEALTH_CAP: usize = 64 * 1024;

/// Where the list comes from.
#[derive(Clone)]
pub enum Upstream {
    /// A service; `/matches` behind its base is asked for.
    Http(HttpSource),
    /// A file that somebody else writes.
    File {
        /// The file.
        path: PathBuf,
        /// Bytes that it may have.
        cap: usize,
    },
    /// A function of this process.
    Memory(Arc<dyn Fn() -> Result<Bytes, CallError> + Send + Sync>),
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http(_) => "Upstream::Http",
            Self::File { .. } => "Upstream::File",
            Self::Memory(_) => "Upstream::Memory",
        })
    }
}

/// A service that has the list.
#[derive(Clone, Debug)]
pub struct HttpSource {
    base: Url,
    caller: Caller,
    cap: usize,
}

/// What a server gave to ask again with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// An answer to "what is the list?".
#[derive(Debug)]
pub enum Fetched {
    /// The same as when the validators were given.
    NotModified,
    /// This one.
    List {
        /// Its bytes, decoded.
        body: Bytes,
        /// To ask again with.
        validators: Validators,
    },
}

impl Upstream {
    /// A service.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn http(
        base: Url,
        timeouts: Timeouts,
        cap: usize,
        metrics: Arc<Metrics>,
    ) -> reqwest::Result<Self> {
        let client = client(&base, timeouts)?;
        let caller = Caller {
            dependency: Dependency::ApiClient,
            client,
            metrics,
        };
        Ok(Self::Http(HttpSource { base, caller, cap }))
    }

    /// A file of at most `cap` bytes.
    #[must_use]
    pub fn file(path: PathBuf, cap: usize) -> Self {
        Self::File { path, cap }
    }

    /// Asks for the list.
    ///
    /// # Errors
    /// When there is no whole answer that could be a list.
    pub async fn fetch(&self, validators: &Validators) -> Result<Fetched, CallError> {
        let body = match self {
            Self::Http(source) => return source.fetch(validators).await,
            Self::File { path, cap } => read_file(path, *cap).await?,
            Self::Memory(list) => list()?,
        };
        Ok(Fetched::List {
            body,
            validators: Validators::default(),
        })
    }

    /// Asks how the source is.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let result = match self {
            Self::Http(source) => source.probe().await,
            Self::File { path, .. } => match tokio::fs::File::open(path).await {
                Ok(_) => Ok(HealthStatus::Healthy),
                Err(_) => Err(CallError::of(ErrorKind::File, "the file cannot be opened")),
            },
            Self::Memory(_) => Ok(HealthStatus::Healthy),
        };
        Health::from_result(result, begun.elapsed())
    }
}

async fn read_file(path: &std::path::Path, cap: usize) -> Result<Bytes, CallError> {
    let failed = |error: std::io::Error| {
        CallError::of(
            ErrorKind::File,
            &format!("{} cannot be read: {error}", path.display()),
        )
    };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if usize::try_from(size).map_or(true, |size| size > cap) {
        let message = format!("{} has more than {cap} bytes", path.display());
        return Err(CallError::of(ErrorKind::TooLarge, &message));
    }
    tokio::fs::read(path).await.map(Bytes::from).map_err(failed)
}

impl HttpSource {
    async fn fetch(&self, validators: &Validators) -> Result<Fetched, CallError> {
        let url = endpoint(&self.base, "/matches");
        let mut request = self
            .caller
            .client
            .get(url)
            .header(ACCEPT, "application/json");
        if let Some(etag) = &validators.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(date) = &validators.last_modified {
            request = request.header(IF_MODIFIED_SINCE, date);
        }
        let call = Call {
            request,
            name: ("GET", "/matches"),
            cap: self.cap,
        };
        let answer = self.caller.call(call).await?;
        let invalid = |message: &str| Err(CallError::of(ErrorKind::Invalid, message));
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if *validators != Validators::default() => {
                return Ok(Fetched::NotModified);
            }
            StatusCode::NOT_MODIFIED => return invalid("the service answered 304 unasked"),
            other => {
                return invalid(&format!(
                    "the service answered {} without a list",
                    other.as_u16()
                ));
            }
        }
        if let Some(problem) = no_list(&answer.body) {
            return invalid(problem);
        }
        let text = |name| {
            let value = answer.headers.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let validators = Validators {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        };
        Ok(Fetched::List {
            body: answer.body,
            validators,
        })
    }

    /// Any answer shows that the service is there; only its own word shows that it is well.
    async fn probe(&self) -> Result<HealthStatus, CallError> {
        let request = self.caller.client.get(endpoint(&self.base, "/health"));
        let call = Call {
            request,
            name: ("GET", "/health"),
            cap: HEALTH_CAP,
        };
        let body = match self.caller.call(call).await {
            Ok(answer) => answer.body,
            Err(error) if error.status.is_some_and(|status| status < 500) => {
                return Ok(HealthStatus::Healthy);
            }
            Err(error) => return Err(error),
        };
        let says: Option<String> = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|value| Some(value.get("status")?.as_str()?.to_lowercase()));
        Ok(match says.as_deref() {
            Some("degraded" | "warning") => HealthStatus::Degraded,
            Some("unhealthy" | "error" | "critical") => HealthStatus::Unhealthy,
            _ => HealthStatus::Healthy,
        })
    }
}

/// Whatever the content type says, a list starts like JSON.
fn no_list(body: &[u8]) -> Option<&'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.trim_ascii_start().first() {
        Some(b'[' | b'{') => None,
        None => Some("the answer is empty"),
        Some(b'<') => {
            Some("the answer is HTML, not a list: has the login behind the service expired?")
        }
        Some(_) => Some("the answer is not a list"),
    }
}
