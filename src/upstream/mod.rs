//! The match list: asked for over HTTP, read from a file, or made in memory for the demonstration.

mod body;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use std::{fmt, io};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use url::Url;

use self::body::ListBody;
pub use crate::client::Timeouts;
use crate::client::{Answer, Call, CallError, Caller, Health, HealthStatus, client, endpoint};
use crate::domain::matchlist::Digests;
use crate::file;
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
    /// Of the last list that was read to its end.
    last: Arc<Mutex<Option<Arc<Digests>>>>,
}

/// The list that need not be handed out again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What its server gave to ask again with.
    pub validators: Validators,
    /// Its digest.
    pub digest: Option<Vec<u8>>,
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
    /// The one that is known, by its server's word.
    NotModified,
    /// The one that is known, by its bytes.
    Unchanged {
        /// How many they are.
        length: usize,
    },
    /// Another one.
    List {
        /// Its bytes, decoded.
        body: Bytes,
        /// Of these.
        digest: [u8; 16],
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
        Ok(Self::Http(HttpSource {
            base,
            caller,
            cap,
            last: Arc::default(),
        }))
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
    pub async fn fetch(&self, known: &Known) -> Result<Fetched, CallError> {
        let (body, digests) = match self {
            Self::Http(source) => return source.fetch(known).await,
            Self::File { path, cap } => {
                let cap = *cap;
                let read = with_file(path, move |path| file::read(path, cap).map(digested));
                read.await?
            }
            Self::Memory(list) => digested(list()?),
        };
        Ok(known.or(body, &digests, Validators::default()))
    }

    /// Asks how the source is.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let result = match self {
            Self::Http(source) => source.probe().await,
            Self::File { path, .. } => {
                let opened = with_file(path, file::open).await;
                opened.map(|_| HealthStatus::Healthy)
            }
            Self::Memory(_) => Ok(HealthStatus::Healthy),
        };
        Health::from_result(result, begun.elapsed())
    }
}

fn digested(body: impl Into<Bytes>) -> (Bytes, Digests) {
    let body = body.into();
    let digests = Digests::of(&body);
    (body, digests)
}

/// Does something with a file where it may block.
async fn with_file<T: Send + 'static>(
    path: &Path,
    act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, CallError> {
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || act(&owned));
    let done = done.await.map_err(io::Error::other).flatten();
    done.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::FileTooLarge => ErrorKind::TooLarge,
            _ => ErrorKind::File,
        };
        let message = format!("{} cannot be read: {error}", path.display());
        CallError::of(kind, &message)
    })
}

impl Known {
    /// What to say of a list that came whole.
    fn or(&self, body: Bytes, digests: &Digests, validators: Validators) -> Fetched {
        let digest = digests.list();
        if self.digest.as_deref() == Some(&digest) {
            let length = body.len();
            return Fetched::Unchanged { length };
        }
        Fetched::List {
            body,
            digest,
            validators,
        }
    }
}

impl HttpSource {
    async fn fetch(&self, known: &Known) -> Result<Fetched, CallError> {
        let mut digests = self.last(known);
        let mut validators = known.validators.clone();
        loop {
            let answer = self.get(&validators, digests.take().as_deref()).await?;
            if answer.status == StatusCode::NOT_MODIFIED {
                return Ok(Fetched::NotModified);
            }
            match answer.body {
                ListBody::Known { length } => return Ok(Fetched::Unchanged { length }),
                ListBody::Whole(body, digests) => {
                    if let Some(problem) = no_list(&body) {
                        return invalid(problem);
                    }
                    let fetched = known.or(body, &digests, Validators::of(&answer.headers));
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(Arc::new(digests));
                    return Ok(fetched);
                }
                // The end of a list of several blocks has changed: once more, and all of it.
                ListBody::Lost => validators = Validators::default(),
            }
        }
    }

    /// What the blocks of the known list were, if it is the last that was read.
    fn last(&self, known: &Known) -> Option<Arc<Digests>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = known.digest.as_deref()?;
        last.clone().filter(|last| last.list() == digest)
    }

    async fn get(
        &self,
        validators: &Validators,
        digests: Option<&Digests>,
    ) -> Result<Answer<ListBody>, CallError> {
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
        let read = async |body| body::read(body, digests).await;
        let answer = self.caller.call_reading(call, read).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::NOT_MODIFIED if *validators != Validators::default() => Ok(answer),
            StatusCode::NOT_MODIFIED => invalid("the service answered 304 unasked"),
            other => invalid(&format!(
                "the service answered {} without a list",
                other.as_u16()
            )),
        }
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

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        Self {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }
}

fn invalid<T>(message: &str) -> Result<T, CallError> {
    Err(CallError::of(ErrorKind::Invalid, message))
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
