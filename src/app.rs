//! The composition root: settings become parts, the parts a running daemon.
//!
//! The endpoints have a runtime of their own. Probes and metrics answer while cycles, deliveries
//! and whatever else keep the main runtime busy.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{Clock, unix_seconds};
use crate::config::{
    AssetStore, AvatarSource as AvatarSetting, Config, ProcessorMode, RunMode, UpstreamUrl,
};
use crate::cycle::{Cycle, Pace, Status, Worker};
use crate::delivery::{
    AvatarService, AvatarSource, Destinations, Dispatcher, Drive, Files, LONGEST_WAIT, ObjectFiles,
};
use crate::domain::delivery::Destination;
use crate::domain::texts::Texts;
use crate::health::{Health, Prober};
use crate::http::{Limits, Server, Site, SiteKind};
use crate::shutdown::{Deadline, raised};
use crate::store::{Exporter, NewTrigger, OpenError, Store};
use crate::telemetry::labels::{Dependency, Outcome, Previous, TriggerSource};
use crate::telemetry::metrics::{About, Metrics};
use crate::upstream::{Timeouts, Upstream};

/// Threads that serve requests.
const HTTP_THREADS: usize = 2;

/// Why the daemon did not start or did not end well, with its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store or the exported list cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Another process works on the folder.
    #[error("{0}")]
    Locked(String),
    /// A commit failed and its outcome is unknown.
    #[error("the store failed while committing; start again to read what was written")]
    Store,
    /// The one cycle of a oneshot run failed, or its list is held.
    #[error("{0}")]
    Cycle(String),
    /// The deadline of the shutdown passed.
    #[error(
        "the shutdown took longer than its deadline; what was not done waits for the next start"
    )]
    Deadline,
    /// Anything else that the system refused.
    #[error("{0:#}")]
    System(#[from] anyhow::Error),
}

impl Failure {
    /// The exit code, by the conventions of `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unusable(_) => 78,
            Self::Locked(_) => 75,
            Self::Store => 74,
            Self::System(_) => 71,
            Self::Cycle(_) | Self::Deadline => 1,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Locked(_) => Self::Locked(error.to_string()),
            OpenError::Folder { .. } | OpenError::Unusable { .. } => {
                Self::Unusable(error.to_string())
            }
            OpenError::System { .. } => Self::System(error.into()),
        }
    }
}

/// Bound listeners, so that a caller can choose port 0 and learn the port.
#[derive(Debug)]
pub struct Listeners {
    /// For clients.
    pub public: StdListener,
    /// For operators.
    pub admin: Option<StdListener>,
    /// For scrapers, beside the public one.
    pub metrics: Option<StdListener>,
}

impl Listeners {
    /// Binds what the settings name.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn bind(config: &Config) -> Result<Self, Failure> {
        let bind = |address: SocketAddr, what: &str| {
            let listener = StdListener::bind(address)
                .with_context(|| format!("cannot listen on {address} ({what})"))?;
            listener
                .set_nonblocking(true)
                .context("cannot prepare the listener")?;
            anyhow::Ok(listener)
        };
        Ok(Self {
            public: bind(config.http.listen, "HOST and PORT")?,
            admin: config
                .admin
                .listen
                .map(|a| bind(a, "ADMIN_LISTEN"))
                .transpose()?,
            metrics: config
                .http
                .metrics_listen
                .map(|a| bind(a, "METRICS_LISTEN"))
                .transpose()?,
        })
    }
}

/// The daemon, composed and not yet running.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
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
        let texts = Arc::new(texts(&config)?);
        let store = Store::open(&config.store.data_folder, limits, Arc::clone(&metrics))?;
        let file = &config.store.previous_matches_file;
        let exporter = Exporter::new(store.folder(), file, Arc::clone(&metrics));
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => upstream_of(&config, &metrics)?,
        };
        let stale = baseline(&config, &store, &exporter).await?;
        let status = Arc::new(initial_status(&store, &metrics, &config, &clock).await?);
        let destinations = Arc::new(destinations(&config, &store, &metrics, &clock)?);
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
            export_stale: stale.into(),
        });
        let health = Arc::new(Health::new(&dependencies(&config)));
        Ok(Self {
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
        let oneshot = self.config.mode.mode != ProcessorMode::EventDriven
            && self.config.mode.run == RunMode::Oneshot;
        if oneshot {
            self.once(stop).await
        } else {
            self.serve(listeners, stop).await
        }
    }

    async fn serve(
        self,
        listeners: Option<Listeners>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        let deadline = Deadline {
            total: self.config.shutdown_deadline,
        };
        let listeners = match listeners {
            Some(listeners) => listeners,
            None => Listeners::bind(&self.config)?,
        };
        let (http_stop, http_stopping) = watch::channel(false);
        let (work_stop, work_stopping) = watch::channel(false);
        let (cancel, cancelled) = watch::channel(false);
        let http = self.start_http(listeners, http_stopping)?;
        let mut work = self.start_work(&work_stopping, &cancelled);
        let fatal = tokio::select! {
            () = raised(&mut stop) => false,
            () = self.store.fatal() => true,
        };
        self.status.drain();
        http_stop.send_replace(true);
        work_stop.send_replace(true);
        if fatal {
            http.shutdown();
            return Err(Failure::Store);
        }
        let drained = self.drain(&mut work, &cancel, deadline, http);
        let in_time = tokio::time::timeout(deadline.total, drained).await;
        work.abort_all();
        in_time.map_err(|_| Failure::Deadline)
    }

    /// In order: requests finish, the cycle and the deliveries end or are given up, the store is
    /// closed.
    async fn drain(
        &self,
        work: &mut JoinSet<()>,
        cancel: &watch::Sender<bool>,
        deadline: Deadline,
        http: HttpRuntime,
    ) {
        let patience = tokio::time::Instant::now() + deadline.patience();
        let requests_and_work = async {
            http.finished().await;
            while work.join_next().await.is_some() {}
        };
        if tokio::time::timeout_at(patience, requests_and_work)
            .await
            .is_err()
        {
            cancel.send_replace(true);
            while work.join_next().await.is_some() {}
        }
        http.shutdown();
        if let Err(error) = self.store.close().await {
            tracing::error!(error = %error, "the store could not be closed in order");
        }
        tracing::info!("stopped in order");
    }

    fn start_http(
        &self,
        listeners: Listeners,
        stop: watch::Receiver<bool>,
    ) -> Result<HttpRuntime, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(HTTP_THREADS)
            .max_blocking_threads(8)
            .thread_name("http")
            .enable_all()
            .build()
            .context("cannot start the threads that serve requests")?;
        let sites = [
            (SiteKind::Public, Some(listeners.public)),
            (SiteKind::Admin, listeners.admin),
            (SiteKind::Metrics, listeners.metrics),
        ];
        let mut servers = JoinSet::new();
        for (kind, listener) in sites {
            let Some(listener) = listener else { continue };
            let address = listener
                .local_addr()
                .context("cannot read a listener's address")?;
            let site = Arc::new(Site::new(
                kind,
                Arc::clone(&self.config),
                self.store.clone(),
                Arc::clone(&self.metrics),
                self.clock.clone(),
                Arc::clone(&self.status),
                Arc::clone(&self.health),
            ));
            let _inside = runtime.enter();
            let listener = TcpListener::from_std(listener).context("cannot use a listener")?;
            let server = Server::new(listener, site, self.limits());
            servers.spawn_on(server.run(stop.clone()), runtime.handle());
            tracing::info!(listener = ?kind, %address, "listening on http://{address}");
        }
        Ok(HttpRuntime {
            runtime: Some(runtime),
            servers: tokio::sync::Mutex::new(servers),
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            connections: self.config.http.max_connections,
            header_timeout: self.config.http.header_timeout,
            write_timeout: self.config.http.write_timeout,
        }
    }

    fn start_work(
        &self,
        stop: &watch::Receiver<bool>,
        cancel: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut work = JoinSet::new();
        let pace = Pace {
            interval: self.config.mode.interval,
            at_start: self.config.mode.mode != ProcessorMode::EventDriven,
        };
        let worker = Worker::new(Arc::clone(&self.cycle), pace);
        work.spawn(worker.run(stop.clone(), cancel.clone()));
        for &destination in Destination::ALL {
            let dispatcher = self.dispatcher(destination);
            work.spawn(dispatcher.run(stop.clone(), cancel.clone()));
        }
        let prober = Prober {
            health: Arc::clone(&self.health),
            upstream: self.cycle.upstream.clone(),
            destinations: Arc::clone(&self.destinations),
            store: self.store.clone(),
            status: Arc::clone(&self.status),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            interval: self.config.probe_interval,
        };
        work.spawn(Arc::new(prober).run(stop.clone()));
        work
    }

    fn dispatcher(&self, destination: Destination) -> Dispatcher {
        Dispatcher {
            destination,
            destinations: Arc::clone(&self.destinations),
            store: self.store.clone(),
            status: Arc::clone(&self.status),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
        }
    }

    /// One cycle; then what it made due is tried once before the process ends. What fails waits in
    /// the outbox for the next run.
    async fn once(self, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let trigger = NewTrigger {
            source: TriggerSource::Startup,
            accepted: self.clock.unix(),
            traceparent: None,
            data: None,
            size: 0,
        };
        let store_failed = |error: crate::store::StoreError| match error {
            crate::store::StoreError::Unknown => Failure::Store,
            error => Failure::Cycle(format!("the cycle could not be recorded: {error}")),
        };
        self.store.accept(trigger).await.map_err(store_failed)?;
        let waiting = self.store.waiting().await.map_err(store_failed)?;
        let report = tokio::select! {
            report = self.cycle.run(waiting) => report.map_err(store_failed)?,
            () = raised(&mut stop) => {
                return Err(Failure::Cycle("stopped before the cycle had ended".to_owned()));
            }
            () = self.store.fatal() => return Err(Failure::Store),
        };
        self.deliver_once(stop).await;
        self.store.close().await.map_err(store_failed)?;
        match report.outcome {
            Outcome::Success => Ok(()),
            _ => Err(Failure::Cycle(
                report.record.error.unwrap_or(report.record.summary),
            )),
        }
    }

    async fn deliver_once(&self, stop: watch::Receiver<bool>) {
        let (_keep, cancel) = watch::channel(false);
        let mut work = JoinSet::new();
        for &destination in Destination::ALL {
            let dispatcher = self.dispatcher(destination);
            let (stop, cancel) = (stop.clone(), cancel.clone());
            work.spawn(async move { dispatcher.run_until_idle(stop, cancel).await });
        }
        while work.join_next().await.is_some() {}
    }
}

/// The threads that serve requests.
struct HttpRuntime {
    runtime: Option<Runtime>,
    servers: tokio::sync::Mutex<JoinSet<()>>,
}

impl HttpRuntime {
    async fn finished(&self) {
        let mut servers = self.servers.lock().await;
        while servers.join_next().await.is_some() {}
    }

    /// Does not wait: a runtime cannot be waited for from within another.
    fn shutdown(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for HttpRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn texts(config: &Config) -> Result<Texts, Failure> {
    let read = |path: &Option<std::path::PathBuf>, variable: &str| match path {
        None => Ok(None),
        Some(path) => std::fs::read_to_string(path).map(Some).map_err(|error| {
            Failure::Unusable(format!(
                "{variable}: {} cannot be read: {error}",
                path.display()
            ))
        }),
    };
    let description = read(&config.assets.description_template, "DESCRIPTION_TEMPLATE")?;
    let info = read(&config.assets.group_info_template, "GROUP_INFO_TEMPLATE")?;
    Texts::new(description, info).map_err(|error| Failure::Unusable(error.to_string()))
}

fn upstream_of(config: &Config, metrics: &Arc<Metrics>) -> Result<Upstream, Failure> {
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

fn destinations(
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
    Ok(Destinations {
        avatars,
        files,
        store: store.clone(),
        clock: clock.clone(),
    })
}

fn dependencies(config: &Config) -> Vec<Dependency> {
    let mut all = vec![Dependency::ApiClient];
    if matches!(config.assets.avatar, AvatarSetting::Service(_)) {
        all.push(Dependency::AvatarService);
    }
    all.push(Dependency::StorageService);
    all
}

/// Makes store and exported list agree. Returns whether the export must be tried again.
async fn baseline(config: &Config, store: &Store, exporter: &Exporter) -> Result<bool, Failure> {
    let unreadable = |error: crate::store::StoreError| Failure::System(error.into());
    let state = store.feed_state().await.map_err(unreadable)?;
    if !state.has_snapshot {
        let accept_empty = config.store.accept_empty_baseline;
        crate::cycle::import_baseline(store, exporter, accept_empty)
            .await
            .map_err(|error| Failure::Unusable(error.to_string()))?;
        return Ok(false);
    }
    match exporter.reconcile(store, &state).await {
        Ok(()) => Ok(false),
        Err(error) => {
            tracing::error!(error = %error, "the exported match list could not be renewed; it will be tried again");
            Ok(true)
        }
    }
}

async fn initial_status(
    store: &Store,
    metrics: &Metrics,
    config: &Config,
    clock: &Clock,
) -> Result<Status, Failure> {
    let unreadable = |error: crate::store::StoreError| Failure::System(error.into());
    let now = clock.unix();
    let latest = now + LONGEST_WAIT.as_secs_f64();
    let (back, given_up) = store.recover(now, latest).await.map_err(unreadable)?;
    if back + given_up > 0 {
        tracing::warn!(
            back,
            given_up,
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
    let known = store.known().await.map_err(unreadable)?.len();
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
