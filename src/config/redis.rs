//! Redis, as the service that this one replaces was told of it.

use super::reader::{Form, Reader};
use super::secret::{Secret, redacted};
use super::source::Origin;

/// Redis. Nothing is published to it by this version.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `REDIS_ENABLED`.
    pub enabled: bool,
    /// `REDIS_URL`, which may hold a password.
    pub url: Secret,
    /// `REDIS_MATCH_UPDATES_CHANNEL`.
    pub match_updates_channel: String,
    /// `REDIS_PROCESSOR_STATUS_CHANNEL`.
    pub processor_status_channel: String,
    /// `REDIS_SYSTEM_ALERTS_CHANNEL`.
    pub system_alerts_channel: String,
}

impl RedisConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let enabled = from.boolean("REDIS_ENABLED", false);
        if enabled {
            from.warnings.push(
                "REDIS_ENABLED is set, but this version publishes nothing to Redis".to_owned(),
            );
        }
        let match_updates = from.text("REDIS_MATCH_UPDATES_CHANNEL", "fogis:matches:updates");
        let status = from.text("REDIS_PROCESSOR_STATUS_CHANNEL", "fogis:processor:status");
        let alerts = from.text("REDIS_SYSTEM_ALERTS_CHANNEL", "fogis:system:alerts");
        Self {
            enabled,
            url: url(from),
            match_updates_channel: match_updates,
            processor_status_channel: status,
            system_alerts_channel: alerts,
        }
    }
}

fn url(from: &mut Reader<'_>) -> Secret {
    let default = "redis://fogis-redis:6379";
    let file = from.raw("REDIS_URL_FILE").is_some();
    if file {
        return from
            .secret("REDIS_URL")
            .unwrap_or_else(|| Secret::new(default.to_owned()));
    }
    let (text, origin) = from.raw("REDIS_URL").unwrap_or((default, Origin::Default));
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "redis" | "rediss" | "unix") => {
            from.show("REDIS_URL", redacted(&url), origin);
        }
        _ => {
            let form = Form {
                expected: "a redis or rediss URL",
                example: default,
            };
            from.mistake("REDIS_URL", "is no Redis URL", form);
        }
    }
    Secret::new(text.to_owned())
}
