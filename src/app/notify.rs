//! Those who are told, made from the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use super::Failure;
use crate::client::Reach;
use crate::clock::Clock;
use crate::config::{Config, RedisDelivery, SmtpConfig, Way};
use crate::delivery::{
    Calendar, CalendarService, Discord, Mail, Messenger, Messengers, Ntfy, NtfySettings, Redis,
    RedisService, RedisSettings, RedisWay, Webhook, WebhookSettings,
};
use crate::domain::delivery::{Destination, Lane};
use crate::domain::notify::Wording;
use crate::notify::Planner;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// The ways by which people are told.
///
/// # Errors
/// [`Failure`] says which cannot be used.
pub fn messengers(
    config: &Config,
    metrics: &Arc<Metrics>,
    clock: &Clock,
) -> Result<Messengers, Failure> {
    let settings = &config.notifications;
    let mut ways = BTreeMap::new();
    for channel in &settings.channels {
        let (kind, way) = messenger(&channel.way, metrics, clock)
            .with_context(|| format!("cannot prepare the channel {}", channel.name))?;
        ways.insert(Lane::named(kind, &channel.name), way);
    }
    if let Some(smtp) = &settings.smtp {
        let mail = mail(smtp, metrics, clock)?;
        ways.insert(Destination::Mail.into(), Messenger::Mail(mail));
    }
    let routing = Arc::new(settings.routing.clone());
    if ways.is_empty() {
        return Ok(Messengers::new(ways, routing, None));
    }
    let wording = Wording::new(config.message_templates.clone()).map_err(|mistakes| {
        let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Failure::Unusable(mistakes.join("\n"))
    })?;
    Ok(Messengers::new(ways, routing, Some(wording)))
}

fn mail(smtp: &SmtpConfig, metrics: &Arc<Metrics>, clock: &Clock) -> Result<Mail, Failure> {
    Mail::new(smtp.clone(), clock.clone(), Arc::clone(metrics))
        .map_err(|problem| Failure::Unusable(format!("[smtp]: {problem}")))
}

fn messenger(
    way: &Way,
    metrics: &Arc<Metrics>,
    clock: &Clock,
) -> anyhow::Result<(Destination, Messenger)> {
    let metrics = Arc::clone(metrics);
    Ok(match way {
        Way::Discord { url } => {
            let discord = Discord::new(url.clone(), metrics)?;
            (Destination::Discord, Messenger::Discord(discord))
        }
        Way::Webhook {
            url,
            keys,
            allow_private,
        } => {
            let settings = WebhookSettings {
                url: url.clone(),
                keys: keys.clone(),
                reach: match allow_private {
                    true => Reach::Any,
                    false => Reach::Public,
                },
            };
            let hook = Webhook::new(settings, clock.clone(), metrics)?;
            (Destination::Webhook, Messenger::Webhook(hook))
        }
        Way::Ntfy { url, topic, token } => {
            let settings = NtfySettings {
                base: url.clone(),
                topic: topic.clone(),
                token: token.clone(),
            };
            (
                Destination::Ntfy,
                Messenger::Ntfy(Ntfy::new(settings, metrics)?),
            )
        }
    })
}

pub fn calendar(
    config: &Config,
    store: &Store,
    metrics: &Arc<Metrics>,
) -> Result<Option<CalendarService>, Failure> {
    let Some(url) = &config.services.calendar else {
        return Ok(None);
    };
    let calendar = Calendar::new(url.clone(), Arc::clone(metrics))
        .context("cannot prepare the client of the calendar service")?;
    Ok(Some(CalendarService {
        calendar,
        store: store.clone(),
    }))
}

pub fn redis(
    config: &Config,
    store: &Store,
    metrics: &Arc<Metrics>,
) -> Result<Option<RedisService>, Failure> {
    let settings = &config.services.redis;
    if !settings.enabled {
        return Ok(None);
    }
    let channel = settings.match_updates_channel.clone();
    let (updates, require_subscriber) = match settings.delivery {
        RedisDelivery::Pubsub => (RedisWay::Channel(channel), settings.require_subscriber),
        RedisDelivery::Stream => (RedisWay::Stream(channel, settings.stream_length), false),
    };
    let reached = RedisSettings {
        url: settings.url.clone(),
        authorities: settings.authorities.clone(),
        require_subscriber,
    };
    let redis = Redis::new(&reached, Arc::clone(metrics));
    Ok(Some(RedisService {
        redis: redis.map_err(|problem| Failure::Unusable(format!("REDIS_URL {problem}")))?,
        updates,
        alerts: settings.system_alerts_channel.clone(),
        status: settings.processor_status_channel.clone(),
        progress: Arc::default(),
        store: store.clone(),
    }))
}

pub fn planner(config: &Config) -> Planner {
    Planner {
        routing: Arc::new(config.notifications.routing.clone()),
        services: config.services.lanes(),
    }
}
