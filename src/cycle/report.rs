//! How a cycle ended, as the history keeps it.

use super::CycleError;
use super::one::{Begun, Looked};
use super::work::{Accepted, Found};
use crate::clock::unix_seconds;
use crate::store::{CycleRecord, Deliveries, RecordedChanges, trigger_data};
use crate::telemetry::labels::Outcome;
use crate::telemetry::span;

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

/// What is to be said of a cycle that ends so.
pub(super) fn report(begun: &Begun, looked: &Looked) -> Report {
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
    let outcome = match looked {
        Ok(None) => Outcome::Success,
        Ok(Some(Found::Accepted(accepted))) => {
            describe(&mut record, accepted);
            Outcome::Success
        }
        Ok(Some(Found::Held(held, _))) => {
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
