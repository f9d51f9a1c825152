//! One cycle and its deliveries.

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{App, Failure};
use crate::cycle::Report;
use crate::domain::delivery::DeliveryState;
use crate::shutdown::raised;
use crate::store::{NewTrigger, StoreError};
use crate::telemetry::labels::{Outcome, TriggerSource};

impl App {
    /// One cycle; then what it made due is tried once before the process ends, and operators are told
    /// what is wrong by then, or right again. What fails waits in the outbox for the next run.
    pub(super) async fn once(self, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let looked = self.look_once(&mut stop).await;
        if looked.is_ok() {
            self.deliver_once(stop.clone()).await;
            if self.watch_once().await {
                self.deliver_once(stop).await;
            }
            if let Some(redis) = &self.destinations.redis {
                redis.tell_progress_once().await;
            }
            self.tell_what_waits().await;
        }
        let closed = self.store.close().await.map_err(store_failed);
        let report = looked?;
        closed?;
        let told = report.record.error.unwrap_or(report.record.summary);
        match report.outcome {
            Outcome::Success => Ok(()),
            Outcome::Held => {
                let wait = self.config.cycle.hold_confirm.as_secs();
                Err(Failure::Cycle(format!(
                    "{told} It is held and nothing was changed. If it is right, run again in \
                     {wait} s or later: a second look that finds the same is believed"
                )))
            }
            _ => Err(Failure::Cycle(told)),
        }
    }

    async fn look_once(&self, stop: &mut watch::Receiver<bool>) -> Result<Report, Failure> {
        let trigger = NewTrigger {
            source: TriggerSource::Startup,
            accepted: self.clock.unix(),
            traceparent: None,
            data: None,
            size: 0,
        };
        self.store.accept(trigger).await.map_err(store_failed)?;
        let waiting = self.store.waiting().await.map_err(store_failed)?;
        tokio::select! {
            report = self.cycle.run(waiting) => report.map_err(store_failed),
            () = raised(stop) => {
                Err(Failure::Cycle("stopped before the cycle had ended".to_owned()))
            }
            () = self.store.fatal() => Err(Failure::Store),
        }
    }

    /// Whether people are to be told that something is wrong or right again.
    async fn watch_once(&self) -> bool {
        let watcher = self.watcher();
        if !watcher.has_listeners() {
            return false;
        }
        watcher.once().await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a system alert could not be stored; the next run looks again");
            false
        })
    }

    /// Attempts that are under way at a stop have as long to end as those of a service.
    async fn deliver_once(&self, mut stop: watch::Receiver<bool>) {
        let mut work = JoinSet::new();
        for lane in &self.destinations.lanes {
            let dispatcher = self.dispatcher(lane);
            work.spawn(dispatcher.run_until_idle(stop.clone()));
        }
        let patience = async {
            raised(&mut stop).await;
            tokio::time::sleep(self.deadline().patience()).await;
        };
        tokio::select! {
            () = async { while work.join_next().await.is_some() {} } => {}
            () = patience => {
                tracing::warn!("deliveries under way were given up; they wait for the next start");
            }
        }
    }

    /// Whoever runs the program now and then has no endpoint to ask for it.
    async fn tell_what_waits(&self) {
        let Ok(outbox) = self.store.outbox().await else {
            return;
        };
        let total = |state| {
            let counts = outbox.iter().filter(|count| count.state == state);
            counts.map(|count| count.count).sum::<usize>()
        };
        // What was given up at a stop is still under way, as the store knows it.
        let waiting = total(DeliveryState::Pending) + total(DeliveryState::Running);
        let dead = total(DeliveryState::Dead);
        if waiting > 0 {
            tracing::warn!(waiting, "deliveries waiting for the next run: {waiting}");
        }
        if dead > 0 {
            tracing::error!(dead, "dead letters: {dead}; a person can retry them");
        }
    }
}

fn store_failed(error: StoreError) -> Failure {
    match error {
        StoreError::Unknown => Failure::Store,
        error => Failure::Cycle(format!("the cycle could not be recorded: {error}")),
    }
}
