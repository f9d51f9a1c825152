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
use url::Url;

use super::{Stored, Upload};
use crate::client::{CallError, Health, HealthStatus};
use crate::config::{NO_BUCKET_CREDENTIALS, redacted};
use crate::telemetry::labels::{CallResult, Dependency, ErrorKind};
use crate::telemetry::metrics::Metrics;

const TIMEOUT: Duration = Duration::from_mins(1);

/// A folder or a bucket.
#[derive(Clone, Debug)]
pub struct ObjectFiles {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    base: Url,
    has_content_types: bool,
    /// What is told beside a failure: something that may be missing.
    hint: Option<&'static str>,
    metrics: Arc<Metrics>,
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
        let put = self.store.put_opts(&path, payload, options);
        let result = match tokio::time::timeout(TIMEOUT, put).await {
            Ok(result) => result.map_err(|error| self.failure(&error)),
            Err(_) => Err(CallError::of(
                ErrorKind::Timeout,
                "the file was not stored in time",
            )),
        };
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
        let result = error.map_or(CallResult::Success, |error| CallResult::from(error.kind));
        self.metrics.client_requests.inc((dependency, result));
        self.metrics
            .client_request_duration
            .observe((dependency,), begun.elapsed());
    }

    /// Looks for something that need not be there.
    pub async fn probe(&self) -> Health {
        let begun = Instant::now();
        let asked = self.store.head(&self.prefix.clone().join(".probe")).await;
        let result = match asked {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(HealthStatus::Healthy),
            Err(error) => Err(self.failure(&error)),
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
