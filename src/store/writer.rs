//! The one thread that writes: group commit, and what happens when a commit fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::error::{OpenError, StoreError};
use super::lock::is_read_only;
use super::names::{Names, NamesMark};
use super::schema::{meta, put_meta};
use super::{DEFAULT_FEED, Limits};
use crate::telemetry::labels::StoreError as Operation;
use crate::telemetry::metrics::Metrics;

/// Jobs that may wait for the writer; more callers wait outside.
const CHANNEL: usize = 1024;
/// Jobs that share one commit at most.
const BATCH: usize = 1024;

/// What the writer knows of the queue without asking the database.
#[derive(Debug)]
pub struct Counters {
    /// The number of the next trigger.
    pub next_seq: i64,
    /// Triggers up to this number are done.
    pub served: i64,
    /// See [`Limits`].
    pub limits: Limits,
    /// The rows of remembered names.
    pub(super) names: Names,
}

/// The counters at one moment, to go back to.
#[derive(Clone, Copy, Debug)]
struct Mark {
    next_seq: i64,
    served: i64,
    names: NamesMark,
}

impl Counters {
    fn load(connection: &Connection, limits: Limits) -> rusqlite::Result<Self> {
        let served: i64 = connection.query_row(
            "SELECT coalesce(max(upto), 0) FROM served WHERE feed = ?1",
            [DEFAULT_FEED],
            |row| row.get(0),
        )?;
        let last: i64 =
            connection.query_row("SELECT coalesce(max(seq), 0) FROM triggers", [], |row| {
                row.get(0)
            })?;
        Ok(Self {
            next_seq: last.max(served) + 1,
            served,
            limits,
            names: Names::load(connection)?,
        })
    }

    fn mark(&self) -> Mark {
        Mark {
            next_seq: self.next_seq,
            served: self.served,
            names: self.names.mark(),
        }
    }

    fn undo(&mut self, mark: Mark) {
        self.next_seq = mark.next_seq;
        self.served = mark.served;
        self.names.undo(mark.names);
    }

    /// Triggers that wait.
    pub fn waiting(&self) -> usize {
        usize::try_from(self.next_seq - 1 - self.served).unwrap_or(0)
    }
}

/// A piece of work for the transaction, and the caller who waits for its fate.
trait Job: Send {
    /// Does the work; returns the error that it will be answered with, if any.
    fn run(&mut self, connection: &Connection, counters: &mut Counters) -> Result<(), StoreError>;
    /// Whether it writes by one statement only, which is undone by itself when it fails.
    fn is_one_statement(&self) -> bool;
    /// Replaces the result by an error.
    fn refuse(&mut self, error: StoreError);
    /// Tells the caller.
    fn answer(self: Box<Self>);
}

struct Task<T, F> {
    work: Option<F>,
    one_statement: bool,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Counters) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection, counters: &mut Counters) -> Result<(), StoreError> {
        let work = self.work.take().ok_or(StoreError::Closed)?;
        self.result = catch_unwind(AssertUnwindSafe(|| work(connection, counters)))
            .unwrap_or(Err(StoreError::Panicked));
        self.result.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn is_one_statement(&self) -> bool {
        self.one_statement
    }

    fn refuse(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn answer(self: Box<Self>) {
        let _ = self.reply.send(self.result);
    }
}

pub struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    fatal: watch::Receiver<bool>,
    writable: Arc<AtomicBool>,
    was_clean: bool,
}

impl Writer {
    /// Reads the counters, marks the run as begun and starts the thread.
    pub fn start(
        connection: Connection,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let path = Path::new(connection.path().unwrap_or_default()).to_owned();
        let failed = |error: StoreError| OpenError::of(&path, &error);
        let was_clean = meta(&connection, "clean").map_err(failed)?.as_deref() != Some("0");
        put_meta(&connection, "clean", "0").map_err(failed)?;
        let counters = Counters::load(&connection, limits).map_err(|e| failed(e.into()))?;
        let (jobs, queue) = mpsc::channel(CHANNEL);
        let (fatal_tx, fatal) = watch::channel(false);
        let writable = Arc::new(AtomicBool::new(true));
        metrics.store_writable.set((), 1);
        let worker = Worker {
            connection,
            counters,
            metrics,
            writable: Arc::clone(&writable),
            fatal: fatal_tx,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || worker.run(queue))
            .map_err(|e| OpenError::System {
                path: "store-writer".into(),
                problem: e.to_string(),
            })?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
            fatal,
            writable,
            was_clean,
        })
    }

    pub fn previous_run_was_clean(&self) -> bool {
        self.was_clean
    }

    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    pub async fn fatal(&self) {
        let mut fatal = self.fatal.clone();
        // Its thread is gone: on purpose, or by a defect after which nothing is written any more.
        if fatal.wait_for(|&set| set).await.is_err() && self.sender().is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs a job of any number of statements; all of them count, or none.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection, &mut Counters) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(job, false).await
    }

    /// Runs a job that writes by one statement, which spares it a savepoint.
    pub async fn run_one_statement<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection, &mut Counters) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.send(job, true).await
    }

    async fn send<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection, &mut Counters) -> Result<T, StoreError> + Send + 'static,
        one_statement: bool,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let boxed = Box::new(Task {
            work: Some(job),
            one_statement,
            result: Err(StoreError::Closed),
            reply,
        });
        let sender = self.sender().ok_or(StoreError::Closed)?;
        sender.send(boxed).await.map_err(|_| StoreError::Closed)?;
        drop(sender);
        answer.await.map_err(|_| StoreError::Panicked)?
    }

    /// Lets the thread finish what waits, and waits for it.
    pub async fn stop(&self) {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn sender(&self) -> Option<mpsc::Sender<Box<dyn Job>>> {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Worker {
    connection: Connection,
    counters: Counters,
    metrics: Arc<Metrics>,
    writable: Arc<AtomicBool>,
    fatal: watch::Sender<bool>,
}

impl Worker {
    fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.batch(&mut batch);
        }
        // Folds the log into the database, so that a copy of the one file is whole.
        let _ = self
            .connection
            .pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()));
    }

    /// Does the jobs and answers them; leaves none.
    fn batch(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        let begun = Instant::now();
        let before = self.counters.mark();
        if let Err(error) = self.transaction(batch) {
            self.counters.undo(before);
            if !self.connection.is_autocommit() {
                let _ = self.statement("ROLLBACK");
            }
            for job in batch.iter_mut() {
                job.refuse(error.clone());
            }
        }
        self.counters.names.keep();
        self.metrics
            .store_commit_duration
            .observe((), begun.elapsed());
        for job in batch.drain(..) {
            job.answer();
        }
    }

    /// One transaction for all jobs. A job that fails is undone alone; an error here undoes all.
    fn transaction(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        if *self.fatal.borrow() {
            return Err(StoreError::Unknown);
        }
        self.statement("BEGIN IMMEDIATE")
            .map_err(|e| self.failed(Operation::Write, e))?;
        for job in batch {
            self.job(job.as_mut())?;
        }
        let written = self.counters.names.write(&self.connection);
        written.map_err(|e| self.failed(Operation::Write, e.into()))?;
        match self.statement("COMMIT") {
            Ok(()) => {
                self.set_writable(true);
                Ok(())
            }
            Err(error) => Err(self.commit_failed(error)),
        }
    }

    fn job(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        let before = self.counters.mark();
        let savepoint = !job.is_one_statement();
        if savepoint {
            self.mark("SAVEPOINT job")?;
        }
        let Err(error) = job.run(&self.connection, &mut self.counters) else {
            return if savepoint {
                self.mark("RELEASE job")
            } else {
                Ok(())
            };
        };
        self.counters.undo(before);
        let error = match error {
            StoreError::QueueFull(_) | StoreError::Row(_) | StoreError::Panicked => error,
            _ => self.failed(Operation::Write, error),
        };
        job.refuse(error.clone());
        // SQLite gives up the whole transaction by itself when the disk fails it; and what a job without
        // a savepoint wrote before it panicked cannot be undone alone.
        let half_done = !savepoint && matches!(error, StoreError::Panicked);
        if self.connection.is_autocommit() || half_done {
            return Err(error);
        }
        if savepoint {
            self.mark("ROLLBACK TO job")?;
            self.mark("RELEASE job")?;
        }
        Ok(())
    }

    fn mark(&self, sql: &str) -> Result<(), StoreError> {
        self.statement(sql)
            .map_err(|error| self.failed(Operation::Write, error))
    }

    fn statement(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// A full or read-only disk has certainly not taken the commit. After any other failure nobody
    /// knows, and a second try could answer for what the first one lost.
    fn commit_failed(&mut self, error: StoreError) -> StoreError {
        let error = self.failed(Operation::Commit, error);
        if !self.connection.is_autocommit() {
            let _ = self.statement("ROLLBACK");
        }
        if matches!(error, StoreError::Full | StoreError::ReadOnly) {
            return error;
        }
        self.fatal.send_replace(true);
        StoreError::Unknown
    }

    fn failed(&self, operation: Operation, error: StoreError) -> StoreError {
        let error = match error {
            StoreError::Io(_) if self.file_system_is_read_only() => StoreError::ReadOnly,
            other => other,
        };
        self.metrics.store_errors.inc((operation,));
        self.set_writable(false);
        if !self.connection.is_autocommit() && operation == Operation::Write {
            tracing::warn!(error = %error, "the store could not write");
        }
        error
    }

    /// `SQLite` reports a file system that turned read-only as an I/O error.
    fn file_system_is_read_only(&self) -> bool {
        let file = Path::new(self.connection.path().unwrap_or_default());
        file.parent().is_some_and(is_read_only)
    }

    fn set_writable(&self, writable: bool) {
        if self.writable.swap(writable, Ordering::Relaxed) != writable {
            self.metrics.store_writable.set((), i64::from(writable));
            if writable {
                tracing::info!("the store can write again");
            } else {
                tracing::error!("the store cannot write; triggers are refused until it can");
            }
        }
    }
}
