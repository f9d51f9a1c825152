//! The composition root: settings become parts, the parts a running daemon.
//!
//! The endpoints have a runtime of their own. Probes and metrics answer while cycles, deliveries
//! and whatever else keep the main runtime busy.

mod compose;
mod descriptors;
mod failure;
mod listeners;
mod notify;
mod once;
mod reload;
mod serve;

use std::sync::Arc;

use tokio::sync::watch;

pub use compose::destinations;
pub use failure::Failure;
pub use listeners::Listeners;
pub use notify::messengers;
pub use reload::Reloads;

use crate::clock::Clock;
use crate::config::{Config, Live, ProcessorMode};
use crate::cycle::{Cycle, Status};
use crate::delivery::{Destinations, Dispatcher};
use crate::domain::delivery::Lane;
use crate::health::Health;
use crate::notify::Watcher;
use crate::socket::Inherited;
use crate::store::{Exporter, Store};
use crate::telemetry::metrics::{About, Metrics};
use crate::upstream::Upstream;

/// The daemon, composed and not yet running.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
    live: Live,
    reloads: Option<Reloads>,
    inherited: Inherited,
    store: Store,
    metrics: Arc<Metrics>,
    clock: Clock,
    status: Arc<Status>,
    health: Arc<Health>,
    cycle: Arc<Cycle>,
    destinations: Arc<Destinations>,
}

impl App {
    /// Opens the store, imports a baseline if there is one, and composes the parts.
    ///
    /// # Errors
    /// [`Failure`] says what is wrong and what to do.
    pub async fn new(
        config: Arc<Config>,
        upstream: Option<Upstream>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let limits = crate::store::Limits {
            queue_capacity: config.store.queue_capacity,
            history: config.store.history_limit,
        };
        metrics.about(About {
            requested_mode: &config.mode.requested,
            active_mode: config.mode.mode.label(),
        });
        reload::show(&metrics, &config);
        let texts = Arc::new(compose::texts(&config)?);
        let store = Store::open(&config.store.data_folder, limits, Arc::clone(&metrics))?;
        let file = &config.store.previous_matches_file;
        let exporter = Exporter::new(store.folder(), file, Arc::clone(&metrics));
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => compose::upstream(&config, &metrics)?,
        };
        let stale = compose::baseline(&config, &store, &exporter, &metrics).await?;
        let status = Arc::new(compose::status(&store, &metrics, &config, &clock).await?);
        let destinations = Arc::new(compose::destinations(&config, &store, &metrics, &clock)?);
        compose::give_up_strays(&store, &destinations, &clock).await?;
        let cycle = Arc::new(Cycle {
            store: store.clone(),
            upstream,
            exporter,
            texts,
            status: Arc::clone(&status),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            time_zone: config.cycle.time_zone.clone(),
            legacy: config.mode.mode == ProcessorMode::Legacy,
            same_day_priority: config.cycle.same_day_priority,
            hold_confirm: config.cycle.hold_confirm,
            min_referees: config.assets.min_referees,
            folder_base: config.assets.folder_base.clone(),
            planner: notify::planner(&config),
            progress: destinations
                .redis
                .as_ref()
                .map(|redis| Arc::clone(&redis.progress)),
            export_stale: stale.into(),
            remembered: std::sync::Mutex::default(),
        });
        let health = Arc::new(Health::new(
            &compose::dependencies(&config, &metrics),
            Arc::clone(&status),
            Arc::clone(&destinations),
        ));
        Ok(Self {
            live: Live::new(Arc::clone(&config)),
            reloads: None,
            inherited: Inherited::default(),
            config,
            store,
            metrics,
            clock,
            status,
            health,
            cycle,
            destinations,
        })
    }

    /// Lets settings change while the daemon runs.
    #[must_use]
    pub fn reloading(mut self, reloads: Reloads) -> Self {
        self.reloads = Some(reloads);
        self
    }

    /// Lets it take over sockets that were there before it.
    #[must_use]
    pub fn inheriting(mut self, inherited: Inherited) -> Self {
        self.inherited = inherited;
        self
    }

    /// What the cycles are doing.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The durable state.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Runs in the mode that the settings name, until `stop` is set or, in oneshot mode, until the
    /// one cycle and its deliveries are through.
    ///
    /// # Errors
    /// [`Failure`] says how it ended.
    pub async fn run(
        self,
        listeners: Option<Listeners>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        if self.config.mode.is_oneshot() {
            self.once(stop).await
        } else {
            self.serve(listeners, stop).await
        }
    }

    fn dispatcher(&self, lane: &Lane) -> Dispatcher {
        Dispatcher {
            lane: lane.clone(),
            destinations: Arc::clone(&self.destinations),
            store: self.store.clone(),
            status: Arc::clone(&self.status),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
        }
    }

    fn watcher(&self) -> Watcher {
        Watcher {
            routing: Arc::clone(&self.cycle.planner.routing),
            status: Arc::clone(&self.status),
            health: Arc::clone(&self.health),
            destinations: Arc::clone(&self.destinations),
            store: self.store.clone(),
            clock: self.clock.clone(),
            patience: self.config.alert_after,
            probes: self.config.probe_interval,
        }
    }
}
