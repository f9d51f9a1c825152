//! Serving until told to stop, and stopping in order.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::reload::Reloader;
use super::{App, Failure, Listeners, descriptors};
use crate::config::ProcessorMode;
use crate::cycle::{Pace, Worker};
use crate::health::Prober;
use crate::http::{Limits, Server, Site, SiteKind};
use crate::notify::Periodic;
use crate::shutdown::{Deadline, raised};

/// Threads that serve requests.
const HTTP_THREADS: usize = 2;

impl App {
    pub(super) async fn serve(
        mut self,
        listeners: Option<Listeners>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        let deadline = self.deadline();
        let listeners = match listeners {
            Some(listeners) => listeners,
            None => Listeners::bind_others(&self.config, std::mem::take(&mut self.inherited))?,
        };
        let connections = descriptors::fit(listeners.count(), &self.config.http);
        let (http_stop, http_stopping) = watch::channel(false);
        let (http_end, http_ending) = watch::channel(false);
        let (work_stop, work_stopping) = watch::channel(false);
        let (cancel, cancelled) = watch::channel(false);
        let http = self.start_http(
            listeners,
            self.limits(connections),
            (&http_stopping, &http_ending),
        )?;
        let mut work = self.start_work(&work_stopping, &cancelled);
        let fatal = tokio::select! {
            () = raised(&mut stop) => None,
            () = self.store.fatal() => Some(Failure::Store),
            // None of it ends by itself. Without it the daemon would accept what it never does.
            Some(_) = work.join_next() => Some(Failure::Worker),
        };
        self.status.drain();
        http_stop.send_replace(true);
        work_stop.send_replace(true);
        if let Some(failure) = fatal {
            http.shutdown();
            return Err(failure);
        }
        let drained = self.drain(&mut work, &cancel, &http_end, deadline, http);
        let in_time = tokio::time::timeout(deadline.total, drained).await;
        work.abort_all();
        in_time.map_err(|_| Failure::Deadline)
    }

    /// In order: the cycle and the deliveries end or are given up, while whoever asks is told of the
    /// stop; the listeners close; requests finish; the store is closed.
    async fn drain(
        &self,
        work: &mut JoinSet<()>,
        cancel: &watch::Sender<bool>,
        http_end: &watch::Sender<bool>,
        deadline: Deadline,
        http: HttpRuntime,
    ) {
        let patience = tokio::time::Instant::now() + deadline.patience();
        let ended = async { while work.join_next().await.is_some() {} };
        if tokio::time::timeout_at(patience, ended).await.is_err() {
            cancel.send_replace(true);
            while work.join_next().await.is_some() {}
        }
        http_end.send_replace(true);
        let last = patience.max(tokio::time::Instant::now() + deadline.answers());
        // Those whose clients are too slow are given up.
        let _ = tokio::time::timeout_at(last, http.finished()).await;
        http.shutdown();
        if let Err(error) = self.store.close().await {
            tracing::error!(error = %error, "the store could not be closed in order");
        }
        tracing::info!("stopped in order");
    }

    fn start_http(
        &self,
        listeners: Listeners,
        limits: Limits,
        (stop, end): (&watch::Receiver<bool>, &watch::Receiver<bool>),
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
                .address()
                .context("cannot read a listener's address")?;
            let site = Arc::new(Site::new(
                kind,
                self.live.clone(),
                self.store.clone(),
                Arc::clone(&self.metrics),
                self.clock.clone(),
                Arc::clone(&self.status),
                Arc::clone(&self.health),
            ));
            let _inside = runtime.enter();
            let scheme = if site.tls().is_some() { " (TLS)" } else { "" };
            let server = Server::new(listener, site, limits);
            let server = server.context("cannot use a listener")?;
            servers.spawn_on(server.run(stop.clone(), end.clone()), runtime.handle());
            tracing::info!(listener = ?kind, %address, "listening on {address}{scheme}");
        }
        Ok(HttpRuntime {
            runtime: Some(runtime),
            servers: tokio::sync::Mutex::new(servers),
        })
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline {
            total: self.config.shutdown_deadline,
        }
    }

    fn limits(&self, connections: usize) -> Limits {
        Limits {
            connections,
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
        let worker = Worker::new(Arc::clone(&self.cycle), pace, &self.live);
        work.spawn(worker.run(stop.clone(), cancel.clone()));
        for lane in &self.destinations.lanes {
            let dispatcher = self.dispatcher(lane);
            work.spawn(dispatcher.run(stop.clone(), cancel.clone()));
        }
        if self.destinations.redis.is_some() {
            let (destinations, stop) = (Arc::clone(&self.destinations), stop.clone());
            work.spawn(async move {
                if let Some(redis) = &destinations.redis {
                    redis.tell_progress(stop).await;
                }
            });
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
        if let Some(interval) = self.config.services.full_state_interval {
            let periodic = Periodic {
                interval,
                lanes: self.config.services.lanes(),
                store: self.store.clone(),
                status: Arc::clone(&self.status),
                clock: self.clock.clone(),
            };
            work.spawn(periodic.run(stop.clone()));
        }
        let watcher = self.watcher();
        if watcher.has_listeners() {
            work.spawn(watcher.run(stop.clone()));
        }
        if let Some(reloads) = self.reloads.clone() {
            let reloader = Reloader {
                reloads,
                live: self.live.clone(),
                metrics: Arc::clone(&self.metrics),
                clock: self.clock.clone(),
            };
            work.spawn(reloader.run(stop.clone()));
        }
        work
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
