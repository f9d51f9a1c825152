//! What the figures and the log learn of a cycle.

use std::sync::Arc;
use std::time::Instant;

use tracing::span::EnteredSpan;

use serde_json::json;

use super::Report;
use super::one::{Begun, Cycle};
use crate::clock::unix_seconds;
use crate::delivery::ProgressStatus;
use crate::telemetry::family::Ended;
use crate::telemetry::labels::{Outcome, Stage};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;

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

impl Cycle {
    /// Counts and logs that a cycle begins.
    pub(super) fn count_begun(&self, begun: &Begun) {
        let now = unix_seconds(begun.at);
        self.metrics.cycles_started.inc(());
        self.metrics.cycle_last_start_timestamp.set((), now);
        for accepted in &begun.waiting.accepted {
            self.metrics
                .queue_wait_duration
                .observe_seconds((), (now - accepted).max(0.0));
        }
        let (id, triggers) = (begun.processing_id.as_str(), begun.waiting.count);
        // A line belongs to the trace of the span that is entered.
        begun.span.in_scope(|| {
            tracing::info!(
                processing_id = id,
                triggers,
                "cycle {id} begins for {triggers} trigger(s)"
            );
        });
        if let Some(progress) = &self.progress {
            let details = json!({ "processing_id": id, "triggers": triggers });
            progress.tell(id, ProgressStatus::Started, begun.at, details);
        }
    }

    /// Counts and logs how a cycle ended.
    pub(super) fn observe(&self, begun: &Begun, report: &Report) {
        let outcome = report.outcome;
        self.metrics.cycles.inc((outcome,));
        let traced = span::sampled(&begun.span);
        self.metrics
            .cycle_duration
            .observe(Ended(outcome), begun.started.elapsed(), traced);
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

    /// Tells who listens how a cycle ended.
    pub(super) fn tell_progress(&self, report: &Report) {
        let Some(progress) = &self.progress else {
            return;
        };
        let record = &report.record;
        let status = match report.outcome {
            Outcome::Success => ProgressStatus::Completed,
            _ => ProgressStatus::Failed,
        };
        let details = json!({
            "processing_id": record.processing_id,
            "outcome": report.outcome.label(),
            "duration": record.duration,
            "changes_detected": record.changes_detected,
            "new": record.changes.new,
            "updated": record.changes.updated,
            "removed": record.changes.removed,
            "error_type": report.error.as_ref().map(|error| error.kind.label()),
        });
        progress.tell(&record.processing_id, status, self.clock.now(), details);
    }

    /// Times a stage until the value is dropped.
    pub(super) fn timer(&self, stage: Stage) -> Timer {
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
