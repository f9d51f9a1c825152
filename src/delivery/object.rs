//! A folder or an S3-compatible bucket as the place for files.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, iter};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
    RetryConfig,
};
use tokio::sync::Semaphore;
use url::Url;

use super::{Stored, Upload};
use crate::client::{CallError, Health, HealthStatus};
use crate::config::{NO_BUCKET_CREDENTIALS, redacted};
use crate::telemetry::labels::{CallResult, Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

const TIMEOUT: Duration = Duration::from_mins(1);
/// Calls of one kind that may be under way. In a folder whose file system hangs each keeps a thread for
/// as long as that lasts, and others need threads, too.
const UNDER_WAY: usize = 4;

/// A folder or a bucket.
#[derive(Clone, Debug)]
pub struct ObjectFiles {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    base: Url,
    has_content_types: bool,
    /// What is told beside a failure: something that may be missing.
    hint: Option<&'static str>,
    puts: Places,
    probes: Places,
    metrics: Arc<Metrics>,
}

/// Room for calls that may hang.
#[derive(Clone, Debug)]
struct Places(Arc<Semaphore>);

impl Places {
    fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place and for the call no longer than `patience` each. A call that hangs keeps its
    /// place until it ends, also when nobody waits for it any more.
    async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CallError> {
        let hangs = |message| CallError::of(ErrorKind::Timeout, message);
        let free = Arc::clone(&self.0).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(patience, free).await else {
            return Err(hangs("earlier calls to the store of files still hang"));
        };
        let called = tokio::spawn(async move {
            let called = call.await;
            drop(place);
            called
        });
        match tokio::time::timeout(patience, called).await {
            Ok(Ok(called)) => Ok(called),
            Ok(Err(_)) => Err(CallError::of(ErrorKind::Internal, "the call met a defect")),
            Err(_) => Err(hangs("the store of files did not answer in time")),
        }
    }
}

impl ObjectFiles {
    /// `file:///folder`, which is created if need be, or `s3://bucket/prefix` with the usual
    /// `AWS_*` variables.
    ///
    /// # Errors
    /// A sentence on what is wrong with the URL or the variables.
    pub fn new(url: &Url, metrics: Arc<Metrics>) -> Result<Self, String> {
        let base = url.clone();
        if url.scheme() == "file" {
            let folder = url
                .to_file_path()
                .map_err(|()| "is no path of this system".to_owned())?;
            crate::folder::create(&folder)
                .map_err(|error| format!("{} cannot be created: {error}", folder.display()))?;
            is_writable(&folder)
                .map_err(|error| format!("{} cannot be written to: {error}", folder.display()))?;
            let store = LocalFileSystem::new_with_prefix(&folder)
                .map_err(|error| format!("{} cannot be used: {error}", folder.display()))?
                .with_fsync(true);
            let (store, prefix) = (Arc::new(store), Path::default());
            return Ok(Self {
                store,
                prefix,
                base,
                has_content_types: false,
                hint: None,
                puts: Places::new(UNDER_WAY),
                probes: Places::new(1),
                metrics,
            });
        }
        let retry = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        let allow_http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
        let options = ClientOptions::new()
            .with_timeout(TIMEOUT)
            .with_connect_timeout(Duration::from_secs(5))
            .with_allow_http(allow_http);
        let builder = AmazonS3Builder::from_env();
        let hint = (!has_credentials(&builder)).then_some(NO_BUCKET_CREDENTIALS);
        let store = builder
            .with_client_options(options)
            .with_retry(retry)
            .with_bucket_name(url.host_str().unwrap_or_default())
            .build()
            .map_err(|error| error.to_string())?;
        let prefix = Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
        Ok(Self {
            store: Arc::new(store),
            prefix,
            base,
            has_content_types: true,
            hint,
            puts: Places::new(UNDER_WAY),
            probes: Places::new(1),
            metrics,
        })
    }

    /// Stores a file, replacing one with the same name; readers see the old one or the new one.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn put(&self, upload: &Upload) -> Result<Stored, CallError> {
        let begun = Instant::now();
        let path = self.path(upload)?;
        let mut attributes = Attributes::new();
        if self.has_content_types {
            let content_type = format!("{}; charset=utf-8", upload.content_type);
            let content_type = match upload.content_type.starts_with("text/") {
                true => content_type,
                false => upload.content_type.clone(),
            };
            attributes.insert(Attribute::ContentType, content_type.into());
        }
        let options = PutOptions {
            attributes,
            ..PutOptions::default()
        };
        let payload = PutPayload::from(upload.bytes.clone());
        let (store, to) = (Arc::clone(&self.store), path.clone());
        let put = async move { store.put_opts(&to, payload, options).await };
        let put = self.puts.call(TIMEOUT, put).await;
        let result = put.and_then(|result| result.map_err(|error| self.failure(&error)));
        self.count(begun, result.as_ref().err());
        result.map(|_| Stored {
            url: self.url(&path),
        })
    }

    /// Names stay as they are, in UTF-8; a part that could lead out of the folder is refused.
    fn path(&self, upload: &Upload) -> Result<Path, CallError> {
        let path = format!("{}/{}/{}", self.prefix, upload.folder, upload.file_name);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        Path::parse(parts.join("/"))
            .map_err(|_| CallError::of(ErrorKind::Internal, "the file has no valid name"))
    }

    fn url(&self, path: &Path) -> String {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            let skipped = self.prefix.parts().count();
            segments.extend(
                path.parts()
                    .skip(skipped)
                    .map(|part| part.as_ref().to_owned()),
            );
        }
        redacted(&url)
    }

    fn count(&self, begun: Instant, error: Option<&CallError>) {
        let dependency = Dependency::StorageService;
        let result = CallResult::of(dependency, error.map(|error| error.kind));
        self.metrics.client_requests.inc((dependency, result));
        self.metrics
            .client_request_duration
            .observe((dependency,), begun.elapsed());
    }

    /// Looks for something that need not be there.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let (store, path) = (Arc::clone(&self.store), self.prefix.clone().join(".probe"));
        let head = async move { store.head(&path).await };
        let result = match self.probes.call(TIMEOUT, head).await {
            Ok(Ok(_) | Err(object_store::Error::NotFound { .. })) => Ok(HealthStatus::Healthy),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(error) => Err(error),
        };
        self.count(begun, result.as_ref().err());
        Health::from_result(result, begun.elapsed())
    }

    /// The library's own messages may hold paths and answers, so only their kind is kept.
    fn failure(&self, error: &object_store::Error) -> CallError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let (kind, mut message) = match error {
            PermissionDenied { .. } | Unauthenticated { .. } => (
                ErrorKind::Unauthorized,
                "the store of files refused the credentials".to_owned(),
            ),
            NotFound { .. } => {
                let message = "the folder or bucket is not there".to_owned();
                (ErrorKind::File, message)
            }
            error => {
                let cause = cause(error).map_or_else(String::new, |kind| format!(": {kind}"));
                (ErrorKind::File, format!("the store of files failed{cause}"))
            }
        };
        if let Some(hint) = self.hint {
            message.push_str("; ");
            message.push_str(hint);
        }
        CallError::of(kind, &message)
    }
}

/// Makes a file in the folder and removes it.
fn is_writable(folder: &std::path::Path) -> io::Result<()> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::File::create(&probe)?;
    std::fs::remove_file(&probe)
}

/// Whether the variables name any. If not, the machine is asked for those of its role.
fn has_credentials(builder: &AmazonS3Builder) -> bool {
    use AmazonS3ConfigKey as Key;
    let any = [
        Key::AccessKeyId,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
        Key::SkipSignature,
    ];
    // What is off by default has a value too.
    let is_set = |key: &Key| {
        let value = builder.get_config_value(key);
        value.is_some_and(|value| value != "false")
    };
    any.iter().any(is_set)
}

/// What the system said, without the path it said it of.
fn cause(error: &object_store::Error) -> Option<io::ErrorKind> {
    iter::successors(error.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_nothing_can_be_written_to_is_told_at_the_start() {
        let url = "file:///proc".parse().unwrap();
        let error = ObjectFiles::new(&url, Arc::new(Metrics::new())).unwrap_err();
        assert!(error.starts_with("/proc cannot be written to"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_file_path(folder.path()).unwrap();
        ObjectFiles::new(&url, Arc::new(Metrics::new())).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn calls_that_are_under_way_are_waited_for() {
        let places = Places::new(1);
        let call = |takes| {
            let places = places.clone();
            async move {
                let work = tokio::time::sleep(Duration::from_millis(takes));
                places.call(Duration::from_secs(30), work).await
            }
        };
        let (first, second) = tokio::join!(call(20), call(1));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    }

    #[tokio::test]
    async fn calls_that_hang_take_no_more_than_their_places() {
        let places = Places::new(2);
        let (release, _) = tokio::sync::watch::channel(false);
        let hangs = || {
            let mut released = release.subscribe();
            async move { released.wait_for(|&released| released).await.is_ok() }
        };
        let short = Duration::from_millis(20);
        for expected in [
            "did not answer in time",
            "did not answer in time",
            "still hang",
        ] {
            let error = places.call(short, hangs()).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Timeout);
            assert!(error.message.contains(expected), "{}", error.message);
        }
        release.send_replace(true);
        // They end although nobody waits for them.
        let both = places.0.acquire_many(2).await.unwrap();
        drop(both);
        assert!(places.call(TIMEOUT, hangs()).await.unwrap());
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_the_place_taken() {
        let places = Places::new(1);
        let waits = places.call(TIMEOUT, std::future::pending::<()>());
        assert!(
            tokio::time::timeout(Duration::from_millis(20), waits)
                .await
                .is_err()
        );
        let short = Duration::from_millis(20);
        assert!(places.call(short, async {}).await.is_err());
    }
}
