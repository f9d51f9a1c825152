//! One cycle: fetch, compare, plan, commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::span::EnteredSpan;
use tracing::{Instrument, Span};

use super::Status;
use super::work::{Accepted, Found, Given, Snapshot};
use crate::client::CallError;
use crate::clock::{Clock, unix_seconds};
use crate::domain::change::{Category, Priority};
use crate::domain::matchlist::ListError;
use crate::domain::retry::MAX_CYCLE_ATTEMPTS;
use crate::domain::texts::Texts;
use crate::store::{
    CycleEnd, CycleRecord, CycleWrite, Deliveries, Exporter, FeedState, RecordedChanges, Store,
    StoreError, Waiting, trigger_data,
};
use crate::telemetry::family::InFlight;
use crate::telemetry::labels::{DeliveryResult, Dependency, ErrorKind, Outcome, Stage};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;
use crate::upstream::{Fetched, Upstream, Validators};

/// Everything that a cycle works with.
#[derive(Debug)]
pub struct Cycle {
    /// The durable state.
    pub store: Store,
    /// Where the list comes from.
    pub upstream: Upstream,
    /// Where the list is exported to.
    pub exporter: Exporter,
    /// The texts of a match.
    pub texts: Arc<Texts>,
    /// What the endpoints show.
    pub status: Arc<Status>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The wall clock.
    pub clock: Clock,
    /// The referees' time zone.
    pub time_zone: TimeZone,
    /// The older, coarser rule of comparison.
    pub legacy: bool,
    /// Of a change of a match that is played today.
    pub same_day_priority: Priority,
    /// How long a list is held before a second look can accept it.
    pub hold_confirm: Duration,
    /// Referees that a match needs to get files.
    pub min_referees: usize,
    /// Where the folders of matches are.
    pub folder_base: String,
    /// Whether the exported list must be written again although nothing changed.
    pub export_stale: AtomicBool,
    /// The list of the cycle before, to be spared reading it from the store.
    pub remembered: Mutex<Option<Snapshot>>,
}

/// Why a cycle failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CycleError {
    /// In which stage.
    pub stage: Stage,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence without personal data.
    pub message: String,
    /// When the neighbour wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl CycleError {
    pub(super) fn store(stage: Stage, error: StoreError) -> Self {
        Self {
            stage,
            kind: ErrorKind::Store,
            message: error.to_string(),
            retry_after: None,
        }
    }

    pub(super) fn list(error: &ListError) -> Self {
        let message = format!("The match list cannot be read: {error}");
        Self {
            stage: Stage::Compare,
            kind: ErrorKind::Invalid,
            message,
            retry_after: None,
        }
    }

    fn fetch(error: CallError) -> Self {
        let message = format!("The match list could not be fetched: {}", error.message);
        let retry_after = error.retry_after;
        Self {
            stage: Stage::Fetch,
            kind: error.kind,
            message,
            retry_after,
        }
    }

    pub(super) fn internal() -> Self {
        let message = "The cycle met a defect of the program".to_owned();
        Self {
            stage: Stage::Compare,
            kind: ErrorKind::Internal,
            message,
            retry_after: None,
        }
    }
}

/// How a cycle ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the history says.
    pub record: CycleRecord,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, if it failed.
    pub error: Option<CycleError>,
    /// Since when a list is held, Unix seconds.
    pub held_since: Option<f64>,
}

/// What every record of one cycle has in common.
struct Begun {
    at: Timestamp,
    started: Instant,
    processing_id: String,
    waiting: Waiting,
    feed: FeedState,
    span: Span,
    in_progress: InFlight,
}

impl Cycle {
    /// Runs one cycle for the waiting triggers and commits how it ended.
    ///
    /// # Errors
    /// When even the end could not be committed; the triggers wait then, and the store knows
    /// nothing of the cycle.
    pub async fn run(self: &Arc<Self>, waiting: Waiting) -> Result<Report, StoreError> {
        let _serving = self.status.begin(waiting.upto);
        let span = span::cycle(&waiting.links);
        let feed = self.store.feed_state().await?;
        let begun = self.begin(waiting, feed, span.clone());
        let result = self.look(&begun).instrument(span.clone()).await;
        self.finish(begun, result).instrument(span).await
    }

    /// Ends a cycle that came to no end of its own.
    ///
    /// # Errors
    /// When its end could not be committed.
    pub async fn fail(&self, waiting: Waiting, error: CycleError) -> Result<Report, StoreError> {
        let span = span::cycle(&waiting.links);
        let feed = self.store.feed_state().await?;
        let begun = self.begin(waiting, feed, span.clone());
        self.finish(begun, Err(error)).instrument(span).await
    }

    fn begin(&self, waiting: Waiting, feed: FeedState, span: Span) -> Begun {
        let at = self.clock.now();
        let now = unix_seconds(at);
        self.metrics.cycles_started.inc(());
        self.metrics.cycle_last_start_timestamp.set((), now);
        for accepted in &waiting.accepted {
            self.metrics
                .queue_wait_duration
                .observe_seconds((), (now - accepted).max(0.0));
        }
        let processing_id = format!("webhook_{}_{}", at.as_second(), feed.cycles + 1);
        // A line belongs to the trace of the span that is entered.
        span.in_scope(|| {
            tracing::info!(
                processing_id,
                triggers = waiting.count,
                "cycle {processing_id} begins for {} trigger(s)",
                waiting.count
            );
        });
        Begun {
            at,
            started: Instant::now(),
            processing_id,
            waiting,
            feed,
            span,
            in_progress: self.metrics.cycles_in_progress.guard(()),
        }
    }

    /// Everything up to the commit; none if the list is the same as before, byte for byte.
    async fn look(self: &Arc<Self>, begun: &Begun) -> Result<Option<Found>, CycleError> {
        if begun.waiting.failures > 0 {
            self.metrics.client_retries.inc((Dependency::ApiClient,));
        }
        let Some((body, validators)) = self.fetch(&begun.feed).await? else {
            return Ok(None);
        };
        self.metrics.match_list_bytes.set_size((), body.len());
        let (cycle, feed) = (Arc::clone(self), begun.feed.clone());
        let (at, time_zone) = (begun.at, self.time_zone.clone());
        let parent = Span::current();
        let work = move || {
            let list_digest = blake3::hash(&body).as_bytes()[..16].to_vec();
            if feed.has_snapshot && feed.list_digest.as_ref() == Some(&list_digest) {
                return Ok(None);
            }
            let given = Given {
                feed,
                now: unix_seconds(at),
                timestamp: at.to_string(),
                today: time_zone.to_datetime(at).date(),
                list_digest,
            };
            let mut found = parent.in_scope(|| cycle.work(&body, &given))?;
            if let Found::Accepted(accepted) = &mut found {
                accepted.snapshot.etag = validators.etag;
                accepted.snapshot.last_modified = validators.last_modified;
            }
            Ok(Some(found))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| {
                if error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
                Err(CycleError::internal())
            })
    }

    async fn fetch(&self, feed: &FeedState) -> Result<Option<(Bytes, Validators)>, CycleError> {
        let _timer = self.timer(Stage::Fetch);
        // Without a snapshot, or with a held list, the bytes are needed whatever the server says.
        let validators = match feed.has_snapshot && feed.held.is_none() {
            true => Validators {
                etag: feed.etag.clone(),
                last_modified: feed.last_modified.clone(),
            },
            false => Validators::default(),
        };
        let span = span::stage(Stage::Fetch);
        let fetched = self
            .upstream
            .fetch(&validators)
            .instrument(span.clone())
            .await;
        match fetched {
            Ok(Fetched::NotModified) => Ok(None),
            Ok(Fetched::List { body, validators }) => Ok(Some((body, validators))),
            Err(error) => {
                span::fail(&span, error.kind);
                Err(CycleError::fetch(error))
            }
        }
    }

    async fn finish(
        &self,
        begun: Begun,
        result: Result<Option<Found>, CycleError>,
    ) -> Result<Report, StoreError> {
        let report = report(&begun, &result);
        let (end, accepted) = end(result);
        let write = CycleWrite {
            record: report.record.clone(),
            upto: begun.waiting.upto,
            ended: self.clock.unix(),
            end,
            traceparent: span::traceparent_of(&begun.span),
        };
        self.commit(write, &begun, accepted).await?;
        self.observe(&begun, &report);
        self.tell(begun, &report).await?;
        Ok(report)
    }

    async fn commit(
        &self,
        write: CycleWrite,
        begun: &Begun,
        accepted: Option<Kept>,
    ) -> Result<(), StoreError> {
        let span = span::stage(Stage::Commit);
        let timer = self.timer(Stage::Commit);
        let committed = self
            .store
            .commit_cycle(write)
            .instrument(span.clone())
            .await;
        drop(timer);
        let superseded = match committed {
            Ok(committed) => committed.superseded,
            Err(error) => return Err(self.not_committed(&span, error)),
        };
        for (destination, count) in superseded {
            self.metrics
                .deliveries
                .add((destination, DeliveryResult::Superseded), count as u64);
        }
        if let Some(kept) = accepted {
            self.publish(kept, &begun.feed).await;
        } else if self.export_stale.load(Ordering::Relaxed) {
            self.rewrite_export().await;
        }
        Ok(())
    }

    fn not_committed(&self, span: &Span, error: StoreError) -> StoreError {
        span::fail(span, ErrorKind::Store);
        self.metrics
            .cycle_stage_failures
            .inc((Stage::Commit, ErrorKind::Store));
        self.metrics.cycles.inc((Outcome::Failure,));
        tracing::error!(error = %error, "the end of the cycle could not be committed");
        error
    }

    /// Last of all, so that whoever hears of the end finds it in the figures too.
    async fn tell(&self, begun: Begun, report: &Report) -> Result<(), StoreError> {
        let feed = self.store.feed_state().await?;
        drop(begun.in_progress);
        let (upto, id) = (begun.waiting.upto, &report.record.processing_id);
        self.status.end(upto, id, feed);
        if report.record.deliveries.total > 0 {
            self.status.wake_deliveries();
        }
        Ok(())
    }

    async fn publish(&self, kept: Kept, before: &FeedState) {
        self.metrics.matches.set_size((), kept.total);
        for &change in &kept.changed {
            self.metrics.changes.inc(change);
        }
        let Some(prepared) = kept.export else {
            if kept.export_failed {
                self.export_stale.store(true, Ordering::Relaxed);
            }
            return;
        };
        let (exporter, before) = (self.exporter.clone(), before.clone());
        match tokio::task::spawn_blocking(move || exporter.publish(prepared, &before)).await {
            Ok(Ok(())) => self.export_stale.store(false, Ordering::Relaxed),
            Ok(Err(error)) => self.export_failed(&error.to_string()),
            Err(_) => self.export_failed("a defect of the program"),
        }
    }

    async fn rewrite_export(&self) {
        let rewritten = async {
            let state = self.store.feed_state().await?;
            self.exporter.rewrite(&self.store, &state).await
        };
        match rewritten.await {
            Ok(()) => self.export_stale.store(false, Ordering::Relaxed),
            Err(error) => self.export_failed(&error.to_string()),
        }
    }

    fn export_failed(&self, error: &str) {
        self.export_stale.store(true, Ordering::Relaxed);
        self.metrics
            .store_errors
            .inc((crate::telemetry::labels::StoreError::Export,));
        tracing::error!(
            error,
            "the exported match list could not be renewed; it will be tried again"
        );
    }

    fn observe(&self, begun: &Begun, report: &Report) {
        let outcome = report.outcome;
        self.metrics.cycles.inc((outcome,));
        self.metrics
            .cycle_duration
            .observe((outcome,), begun.started.elapsed());
        if outcome == Outcome::Success {
            self.metrics
                .cycle_last_success_timestamp
                .set((), self.clock.unix());
        }
        if report.record.changes_detected {
            self.metrics.cycles_with_changes.inc(());
        }
        let record = &report.record;
        let (id, duration) = (record.processing_id.as_str(), record.duration);
        match &report.error {
            Some(error) => {
                span::fail(&begun.span, error.kind);
                self.metrics
                    .cycle_stage_failures
                    .inc((error.stage, error.kind));
                tracing::error!(
                    processing_id = id,
                    stage = error.stage.label(),
                    error_type = error.kind.label(),
                    "cycle {id} failed: {error}"
                );
            }
            None if outcome == Outcome::Held => {
                let reason = record.error.as_deref().unwrap_or_default();
                tracing::warn!(processing_id = id, "cycle {id} holds the list: {reason}");
            }
            None => tracing::info!(
                processing_id = id,
                duration_seconds = duration,
                new = record.changes.new,
                updated = record.changes.updated,
                removed = record.changes.removed,
                deliveries = record.deliveries.total,
                "cycle {id} done: {}",
                record.summary
            ),
        }
    }

    fn timer(&self, stage: Stage) -> Timer {
        Timer {
            metrics: Arc::clone(&self.metrics),
            stage,
            begun: Instant::now(),
        }
    }

    /// Times a stage and opens its span, until the values are dropped.
    pub(super) fn stage(&self, stage: Stage) -> (Timer, EnteredSpan) {
        (self.timer(stage), span::stage(stage).entered())
    }
}

/// What is left of an accepted list once it is committed.
struct Kept {
    export: Option<crate::store::Prepared>,
    export_failed: bool,
    total: usize,
    changed: Vec<(Category, Priority)>,
}

/// Times a stage.
pub(super) struct Timer {
    metrics: Arc<Metrics>,
    stage: Stage,
    begun: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.metrics
            .cycle_stage_duration
            .observe((self.stage,), self.begun.elapsed());
    }
}

fn report(begun: &Begun, result: &Result<Option<Found>, CycleError>) -> Report {
    let mut record = CycleRecord {
        processing_id: begun.processing_id.clone(),
        timestamp: unix_seconds(begun.at),
        duration: begun.started.elapsed().as_secs_f64(),
        trigger_data: trigger_data(begun.waiting.data.as_deref()),
        trace_id: span::trace_id(&begun.span),
        triggers: begun.waiting.count,
        summary: "No changes".to_owned(),
        ..CycleRecord::default()
    };
    let (mut error, mut held_since) = (None, None);
    let outcome = match result {
        Ok(None) => Outcome::Success,
        Ok(Some(Found::Accepted(accepted))) => {
            describe(&mut record, accepted);
            Outcome::Success
        }
        Ok(Some(Found::Held(held))) => {
            record.summary = "The list cannot be true and is held".to_owned();
            record.error = Some(held.reason.clone());
            held_since = Some(held.since);
            Outcome::Held
        }
        Err(failure) => {
            record.summary = format!("Processing failed: {failure}");
            record.error = Some(failure.message.clone());
            error = Some(failure.clone());
            Outcome::Failure
        }
    };
    let success = outcome == Outcome::Success;
    record.status = if success { "success" } else { "error" }.to_owned();
    record.outcome = outcome.label().to_owned();
    Report {
        record,
        outcome,
        error,
        held_since,
    }
}

fn describe(record: &mut CycleRecord, accepted: &Accepted) {
    record.changes_detected = !accepted.changes.is_empty();
    record.summary.clone_from(&accepted.summary);
    record.changes = RecordedChanges {
        new: accepted.counts.new,
        updated: accepted.counts.updated,
        removed: accepted.counts.removed,
        by_category: accepted.counts.by_category.clone(),
    };
    record.deliveries = Deliveries {
        total: accepted.deliveries.len(),
        ..Deliveries::default()
    };
}

fn end(result: Result<Option<Found>, CycleError>) -> (CycleEnd, Option<Kept>) {
    match result {
        Ok(None) => {
            let end = CycleEnd::Success {
                snapshot: None,
                changes: vec![],
                deliveries: vec![],
            };
            (end, None)
        }
        Ok(Some(Found::Held(held))) => (CycleEnd::Held(held), None),
        Ok(Some(Found::Accepted(accepted))) => {
            let Accepted {
                snapshot,
                export,
                export_failed,
                changes,
                deliveries,
                total,
                ..
            } = *accepted;
            let changed = changes
                .iter()
                .map(|change| (change.category, change.priority))
                .collect();
            let kept = Kept {
                export,
                export_failed,
                total,
                changed,
            };
            (
                CycleEnd::Success {
                    snapshot: Some(snapshot),
                    changes,
                    deliveries,
                },
                Some(kept),
            )
        }
        Err(_) => (
            CycleEnd::Failed {
                give_up_after: MAX_CYCLE_ATTEMPTS,
            },
            None,
        ),
    }
}
