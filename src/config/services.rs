//! Services that are told of changes: Redis, as the service that this one replaces was told of it, and
//! the calendar service.

use std::time::Duration;

use url::Url;

use super::reader::{Form, Reader};
use super::secret::{Secret, redacted};
use super::source::Origin;
use super::upstream::http_url;
use crate::domain::delivery::{Destination, Lane};

crate::labels! {
    /// How matches that changed get to Redis.
    RedisDelivery {
        /// Published on a channel, to who listens.
        Pubsub => "pubsub",
        /// Appended to a stream, for who reads later.
        Stream => "stream",
    }
}

/// Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `REDIS_ENABLED`.
    pub enabled: bool,
    /// `REDIS_URL`, which may hold a password.
    pub url: Secret,
    /// What is in the file that `REDIS_CA_FILE` names.
    pub authorities: Option<Vec<u8>>,
    /// `REDIS_DELIVERY`.
    pub delivery: RedisDelivery,
    /// `REDIS_REQUIRE_SUBSCRIBER`.
    pub require_subscriber: bool,
    /// `REDIS_STREAM_LENGTH`.
    pub stream_length: u32,
    /// `REDIS_MATCH_UPDATES_CHANNEL`, also the name of the stream.
    pub match_updates_channel: String,
    /// `REDIS_PROCESSOR_STATUS_CHANNEL`.
    pub processor_status_channel: String,
    /// `REDIS_SYSTEM_ALERTS_CHANNEL`.
    pub system_alerts_channel: String,
}

/// Services that read matches.
#[derive(Clone, Debug)]
pub struct ServicesConfig {
    /// Redis.
    pub redis: RedisConfig,
    /// `CALENDAR_SERVICE_URL`.
    pub calendar: Option<Url>,
    /// `FULL_STATE_INTERVAL`; none if it is off.
    pub full_state_interval: Option<Duration>,
}

impl ServicesConfig {
    /// The ways out to them.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        let redis = self.redis.enabled.then(|| Destination::Redis.into());
        let calendar = self
            .calendar
            .is_some()
            .then(|| Destination::Calendar.into());
        redis.into_iter().chain(calendar).collect()
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "an http or https URL",
            example: "http://fogis-calendar-phonebook-sync:5003",
        };
        let calendar = from.optional("CALENDAR_SERVICE_URL", form, http_url);
        let redis = RedisConfig::read(from);
        let form = Form {
            expected: "seconds, from 60 to 2678400, or 0 for never",
            example: "86400",
        };
        let parse = |text: &str| {
            let seconds = text.parse().ok()?;
            (seconds == 0 || (60..=31 * 24 * 3600).contains(&seconds)).then_some(seconds)
        };
        let seconds = from.value("FULL_STATE_INTERVAL", "0", form, parse, 0);
        if seconds > 0 && !redis.enabled && calendar.is_none() {
            from.warnings.push(
                "FULL_STATE_INTERVAL is set, but neither REDIS_ENABLED nor CALENDAR_SERVICE_URL"
                    .to_owned(),
            );
        }
        Self {
            redis,
            calendar,
            full_state_interval: (seconds > 0).then(|| Duration::from_secs(seconds)),
        }
    }
}

impl RedisConfig {
    fn read(from: &mut Reader<'_>) -> Self {
        let certificates = Form {
            expected: "the path of a readable PEM file: who issued the server's certificate",
            example: "/etc/match-list-processor/redis-ca.pem",
        };
        let delivery = Form {
            expected: "pubsub or stream",
            example: "pubsub",
        };
        let length = Form {
            expected: "a whole number from 1 to 1000000",
            example: "10000",
        };
        let parse = RedisDelivery::from_label;
        let kept = from.number("REDIS_STREAM_LENGTH", 10_000, 1..=1_000_000, length);
        Self {
            enabled: from.boolean("REDIS_ENABLED", false),
            url: url(from),
            authorities: from.content("REDIS_CA_FILE", certificates),
            delivery: from.value(
                "REDIS_DELIVERY",
                "pubsub",
                delivery,
                parse,
                RedisDelivery::Pubsub,
            ),
            require_subscriber: from.boolean("REDIS_REQUIRE_SUBSCRIBER", true),
            stream_length: u32::try_from(kept).unwrap_or(u32::MAX),
            match_updates_channel: from
                .text("REDIS_MATCH_UPDATES_CHANNEL", "fogis:matches:updates"),
            processor_status_channel: from
                .text("REDIS_PROCESSOR_STATUS_CHANNEL", "fogis:processor:status"),
            system_alerts_channel: from.text("REDIS_SYSTEM_ALERTS_CHANNEL", "fogis:system:alerts"),
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
    match Url::parse(text) {
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
