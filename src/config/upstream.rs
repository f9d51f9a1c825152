//! Where the match list comes from.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::reader::{Form, Reader};

/// Where the match list comes from.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// `API_BASE_URL`, or `FOGIS_API_CLIENT_URL`.
    pub base_url: UpstreamUrl,
    /// For a connection.
    pub connect_timeout: Duration,
    /// Between two pieces of the answer.
    pub read_timeout: Duration,
    /// For the whole answer.
    pub total_timeout: Duration,
    /// Bytes of the list, decoded.
    pub max_body_bytes: usize,
}

/// A service or a file.
#[derive(Clone, Debug)]
pub enum UpstreamUrl {
    /// Its `/matches` is asked for.
    Http(Url),
    /// Is read.
    File(PathBuf),
}

const DEFAULT: &str = "http://fogis-api-client-service:8080";
const FORM: Form = Form {
    expected: "an http or https URL, or file:// and an absolute path",
    example: DEFAULT,
};

impl UpstreamConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let (new, old) = (from.raw("API_BASE_URL"), from.raw("FOGIS_API_CLIENT_URL"));
        if let (Some((new, _)), Some((old, _))) = (new, old)
            && new != old
        {
            from.warnings.push(
                "API_BASE_URL and FOGIS_API_CLIENT_URL differ; API_BASE_URL counts".to_owned(),
            );
        }
        let name = match (new, old) {
            (None, Some(_)) => "FOGIS_API_CLIENT_URL",
            _ => "API_BASE_URL",
        };
        let fallback = UpstreamUrl::File(PathBuf::new());
        let base_url = from.value(name, DEFAULT, FORM, upstream, fallback);
        let form = Form {
            expected: "bytes, from 1024 to 4294967296",
            example: "536870912",
        };
        let bytes = from.number("MAX_LIST_BYTES", 512 << 20, 1024..=4 << 30, form);
        Self {
            base_url,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_mins(1),
            max_body_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }
}

fn upstream(text: &str) -> Option<UpstreamUrl> {
    let url = Url::parse(text).ok()?;
    match url.scheme() {
        "file" => url.to_file_path().ok().map(UpstreamUrl::File),
        _ => http_url(text).map(UpstreamUrl::Http),
    }
}

/// An http or https URL with a host.
pub(super) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}
