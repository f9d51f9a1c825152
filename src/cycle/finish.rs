//! The end of a cycle: committed, exported, told.

use std::sync::atomic::Ordering;

use tracing::{Instrument, Span};

use super::Report;
use super::one::{Begun, Cycle, Looked};
use super::report::report;
use super::work::{Accepted, Found};
use crate::domain::change::{Category, Priority};
use crate::domain::retry::MAX_CYCLE_ATTEMPTS;
use crate::store::{CycleEnd, CycleWrite, FeedState, Prepared, StoreError};
use crate::telemetry::labels::{ErrorKind, Outcome, Stage, StoreError as Operation};
use crate::telemetry::span;

/// What is left of an accepted list once it is committed.
struct Kept {
    export: Option<Prepared>,
    export_failed: bool,
    total: usize,
    changed: Vec<(Category, Priority)>,
}

impl Cycle {
    /// Commits how the cycle ended, then tells everybody.
    pub(super) async fn finish(&self, begun: Begun, looked: Looked) -> Result<Report, StoreError> {
        let mut report = report(&begun, &looked);
        report.record.odd_entries = self.odd_entries(&looked, &begun.feed);
        let (end, accepted) = end(looked);
        let write = CycleWrite {
            record: report.record.clone(),
            upto: begun.waiting.upto,
            ended: self.clock.unix(),
            due: self.clock.steady(),
            end,
            traceparent: span::traceparent_of(&begun.span),
        };
        self.commit(write, &begun, accepted).await?;
        self.observe(&begun, &report);
        self.tell_progress(&report);
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
        if let Err(error) = committed {
            return Err(self.not_committed(&span, error));
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
        self.status.end(upto, id, feed, report.error.clone());
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
        self.metrics.store_errors.inc((Operation::Export,));
        tracing::error!(
            error,
            "the exported match list could not be renewed; it will be tried again"
        );
    }
}

fn end(looked: Looked) -> (CycleEnd, Option<Kept>) {
    match looked {
        Ok(None) => {
            let end = CycleEnd::Success {
                snapshot: None,
                changes: vec![],
                deliveries: vec![],
            };
            (end, None)
        }
        Ok(Some(Found::Held(held, _))) => (CycleEnd::Held(held), None),
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
