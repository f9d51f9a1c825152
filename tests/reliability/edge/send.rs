//! Sends the corpus from several threads and collects what came of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Args;
use super::case::{Case, Site};
use super::corpus;
use super::exchange::{self, Went};
use crate::support::Result;
use crate::support::summary::Summary;

/// Connections that wait for a deadline of the daemon, beside those that are busy.
const LINGERING: u32 = 512;

/// Where the listeners are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub scrapers: SocketAddr,
}

impl Addresses {
    /// Another address of loopback each time, so that the ports of one suffice.
    fn to(self, site: Site, number: u64) -> SocketAddr {
        match site {
            Site::Public => {
                let last = u8::try_from(number % 250).unwrap_or(0) + 1;
                SocketAddr::from(([127, 0, 0, last], self.public.port()))
            }
            Site::Admin => self.admin,
            Site::Metrics => self.scrapers,
        }
    }
}

/// What came of all connections.
#[derive(Default)]
pub struct Found {
    classes: BTreeMap<&'static str, u64>,
    /// Triggers that were acknowledged.
    pub stored: u64,
    resets: u64,
    /// The number of a connection and what was wrong with it.
    pub violations: Vec<(u64, String)>,
}

impl Found {
    fn note(&mut self, number: u64, class: &'static str, went: Result<Went, String>) {
        *self.classes.entry(class).or_default() += 1;
        match went {
            Ok(went) => {
                self.stored += u64::from(went.stored);
                self.resets += u64::from(went.reset);
            }
            Err(what) => self.violations.push((number, format!("{class}: {what}"))),
        }
    }

    /// Adds the figures.
    #[allow(clippy::cast_precision_loss)]
    pub fn tell(&self, summary: &mut Summary) {
        let fewest = self.classes.values().min().copied().unwrap_or(0);
        summary.figure("classes", self.classes.len() as f64);
        summary.figure("connections of the rarest class", fewest as f64);
        summary.figure("triggers acknowledged", self.stored as f64);
        summary.figure("answers with a reset behind them", self.resets as f64);
    }
}

struct Sender {
    addresses: Addresses,
    args: Args,
    next: AtomicU64,
    lingering: Arc<Semaphore>,
    found: Mutex<Found>,
}

/// Sends all of them.
///
/// # Errors
/// When the threads cannot be started.
pub fn send(args: &Args, addresses: Addresses) -> Result<Found> {
    let sender = Arc::new(Sender {
        addresses,
        args: args.clone(),
        next: AtomicU64::new(args.first),
        lingering: Arc::new(Semaphore::new(LINGERING as usize)),
        found: Mutex::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut lanes = JoinSet::new();
        (0..args.at_once).for_each(|_| {
            lanes.spawn(Arc::clone(&sender).lane());
        });
        while let Some(ended) = lanes.join_next().await {
            ended?;
        }
        sender.lingering.acquire_many(LINGERING).await?.forget();
        anyhow::Ok(())
    })?;
    let mut found = sender.found.lock().unwrap_or_else(PoisonError::into_inner);
    found.violations.sort();
    Ok(std::mem::take(&mut found))
}

impl Sender {
    /// One connection after the other until all are sent; those that wait are not waited for.
    async fn lane(self: Arc<Self>) {
        let end = self.args.first + self.args.requests;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return;
            }
            let case = corpus::case(self.args.seed, number);
            if !case.lingers() {
                self.one(number, case).await;
                continue;
            }
            let Ok(permit) = Arc::clone(&self.lingering).acquire_owned().await else {
                return;
            };
            let sender = Arc::clone(&self);
            tokio::spawn(async move {
                sender.one(number, case).await;
                drop(permit);
            });
        }
    }

    async fn one(&self, number: u64, case: Case) {
        let went = exchange::run(&case, self.addresses.to(case.site, number)).await;
        if went.is_err() && !self.args.all {
            self.next.store(u64::MAX / 2, Ordering::Relaxed);
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.note(number, case.class, went);
    }
}
