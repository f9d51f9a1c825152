//! The parts, made from the settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;

use super::{Failure, notify};
use crate::clock::{Clock, unix_seconds};
use crate::config::{
    AssetStore, AvatarSource as AvatarSetting, ChannelConfig, Config, UpstreamUrl,
};
use crate::cycle::{Status, import_baseline};
use crate::delivery::{
    AvatarService, AvatarSource, Breakers, Destinations, Drive, FileDelivery, Files, ObjectFiles,
};
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::domain::routing::ChannelKind;
use crate::domain::texts::Texts;
use crate::store::{Exporter, Store, StoreError};
use crate::telemetry::labels::{
    DeadReason, DeliveryResult, Dependency, Previous, StoreError as Operation,
};
use crate::telemetry::metrics::Metrics;
use crate::upstream::{Timeouts, Upstream};

pub fn texts(config: &Config) -> Result<Texts, Failure> {
    let settings = &config.assets;
    Texts::new(
        settings.description_template.clone(),
        settings.group_info_template.clone(),
    )
    .map_err(|error| Failure::Unusable(error.to_string()))
}

pub fn upstream(config: &Config, metrics: &Arc<Metrics>) -> Result<Upstream, Failure> {
    let settings = &config.upstream;
    let timeouts = Timeouts {
        connect: settings.connect_timeout,
        read: settings.read_timeout,
        total: settings.total_timeout,
    };
    match &settings.base_url {
        UpstreamUrl::File(path) => Ok(Upstream::file(path.clone(), settings.max_body_bytes)),
        UpstreamUrl::Http(url) => Upstream::http(
            url.clone(),
            timeouts,
            settings.max_body_bytes,
            Arc::clone(metrics),
        )
        .context("cannot prepare the client of the match list")
        .map_err(Failure::System),
    }
}

/// All ways out that the settings name.
///
/// # Errors
/// When a client cannot be prepared, or the folder or bucket for files cannot be used.
pub fn destinations(
    config: &Config,
    store: &Store,
    metrics: &Arc<Metrics>,
    clock: &Clock,
) -> Result<Destinations, Failure> {
    let avatars = match &config.assets.avatar {
        AvatarSetting::Embedded => AvatarSource::Embedded,
        AvatarSetting::Service(url) => AvatarSource::Service(
            AvatarService::new(url.clone(), Arc::clone(metrics))
                .context("cannot prepare the client of the avatar service")?,
        ),
    };
    let files = match &config.assets.store {
        AssetStore::Drive(url) => Files::Drive(
            Drive::new(url.clone(), Arc::clone(metrics))
                .context("cannot prepare the client of the Drive service")?,
        ),
        AssetStore::Object(url) => Files::Object(
            ObjectFiles::new(url, Arc::clone(metrics))
                .map_err(|error| Failure::Unusable(format!("ASSET_STORE_URL: {error}")))?,
        ),
    };
    let messengers = notify::messengers(config, metrics, clock)?;
    let always = Destination::ALWAYS.iter().map(|&kind| kind.into());
    let people = messengers.lanes().cloned();
    let lanes: Vec<Lane> = always
        .chain(config.services.lanes())
        .chain(people)
        .collect();
    for lane in &lanes {
        metrics.deliver_to(lane.kind);
    }
    Ok(Destinations {
        files: FileDelivery {
            avatars,
            files,
            store: store.clone(),
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
        },
        breakers: Breakers::new(&lanes, Arc::clone(metrics), clock.clone()),
        lanes,
        redis: notify::redis(config, store, metrics)?,
        calendar: notify::calendar(config, store, metrics)?,
        messengers,
    })
}

/// What waits for a destination that the settings no longer name is given up, where a person sees it.
pub async fn give_up_strays(
    store: &Store,
    destinations: &Destinations,
    clock: &Clock,
) -> Result<(), Failure> {
    let unwritable = |error: StoreError| Failure::from(store.cannot_start(&error));
    let lanes = destinations.lanes.iter().map(Lane::key).collect();
    let strays = store.give_up_strays(lanes, clock.unix()).await;
    let strays = strays.map_err(unwritable)?;
    let metrics = &destinations.files.metrics;
    for &destination in &strays {
        let reason = DeadReason::Rejected;
        metrics.dead_letters_made.inc((destination, reason));
        metrics.deliveries.inc((destination, DeliveryResult::Dead));
    }
    if !strays.is_empty() {
        tracing::warn!(
            deliveries = strays.len(),
            "deliveries to destinations that the settings no longer name were given up"
        );
    }
    Ok(())
}

pub fn dependencies(config: &Config, metrics: &Metrics) -> Vec<Dependency> {
    let mut all = vec![Dependency::ApiClient];
    if matches!(config.assets.avatar, AvatarSetting::Service(_)) {
        all.push(Dependency::AvatarService);
    }
    all.push(Dependency::StorageService);
    if config.services.redis.enabled {
        all.push(Dependency::Redis);
    }
    if config.services.calendar.is_some() {
        all.push(Dependency::Calendar);
    }
    let dependency = |channel: &ChannelConfig| match channel.way.kind() {
        ChannelKind::Discord => Dependency::Discord,
        ChannelKind::Webhook => Dependency::Webhook,
        ChannelKind::Mail => Dependency::Mail,
        ChannelKind::Ntfy => Dependency::Ntfy,
    };
    let mail = config.notifications.smtp.as_ref().map(|_| Dependency::Mail);
    let people: BTreeSet<_> = config
        .notifications
        .channels
        .iter()
        .map(dependency)
        .collect();
    all.extend(people);
    all.extend(mail);
    for &dependency in &all {
        metrics.depend_on(dependency);
    }
    all
}

/// Makes store and exported list agree. Returns whether the export must be tried again.
pub async fn baseline(
    config: &Config,
    store: &Store,
    exporter: &Exporter,
    metrics: &Metrics,
) -> Result<bool, Failure> {
    let unreadable = |error: StoreError| Failure::from(store.cannot_start(&error));
    let state = store.feed_state().await.map_err(unreadable)?;
    if !state.has_snapshot {
        let accept_empty = config.store.accept_empty_baseline;
        import_baseline(store, exporter, accept_empty)
            .await
            .map_err(|error| Failure::Unusable(error.to_string()))?;
        return Ok(false);
    }
    match exporter.reconcile(store, &state).await {
        Ok(()) => Ok(false),
        Err(error) => {
            metrics.store_errors.inc((Operation::Export,));
            tracing::error!(error = %error, "the exported match list could not be renewed; it will be tried again");
            Ok(true)
        }
    }
}

/// Counts a delivery that came to its end at the start, as its last attempt ended with the program; false
/// if it goes on. The store counts those that are superseded.
fn count_end(metrics: &Metrics, destination: Destination, state: DeliveryState) -> bool {
    if state == DeliveryState::Dead {
        let reason = DeadReason::Poisoned;
        metrics.dead_letters_made.inc((destination, reason));
        metrics.deliveries.inc((destination, DeliveryResult::Dead));
    }
    matches!(state, DeliveryState::Dead | DeliveryState::Superseded)
}

pub async fn status(
    store: &Store,
    metrics: &Metrics,
    config: &Config,
    clock: &Clock,
) -> Result<Status, Failure> {
    let unreadable = |error: StoreError| Failure::from(store.cannot_start(&error));
    let now = clock.steady();
    let recovered = store.recover(now).await.map_err(unreadable)?;
    if !recovered.is_empty() {
        let mut ended = 0;
        for &(destination, state) in &recovered {
            ended += usize::from(count_end(metrics, destination, state));
        }
        tracing::warn!(
            deliveries = recovered.len(),
            ended,
            "deliveries were under way when the last run ended"
        );
    }
    let previous = if store.previous_run_was_clean() {
        Previous::Clean
    } else {
        Previous::Unclean
    };
    metrics.starts.inc((previous,));
    let feed = store.feed_state().await.map_err(unreadable)?;
    let paused = store.paused().await.map_err(unreadable)?;
    let known = store.count_known().await.map_err(unreadable)?;
    metrics.matches.set_size((), known);
    metrics.paused.set((), i64::from(paused));
    metrics
        .queue_capacity
        .set_size((), config.store.queue_capacity);
    metrics
        .cycle_last_start_timestamp
        .set((), feed.last_start.unwrap_or(0.0));
    metrics
        .cycle_last_success_timestamp
        .set((), feed.last_success.unwrap_or(0.0));
    metrics.config_last_load_successful.set((), 1);
    metrics
        .config_last_load_success_timestamp
        .set((), unix_seconds(clock.now()));
    Ok(Status::new(feed, paused))
}
